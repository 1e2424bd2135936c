// Package cli is the command line: one file a command, each turning flags into
// options, options into a call of the engine, and the answer into a view.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/internal/buildinfo"
	"github.com/rollback-project/rollback/internal/term"
)

// The exit codes of DESIGN.md section 4.
const (
	ExitDone        = 0
	ExitError       = 1
	ExitChanges     = 2
	ExitRestored    = 3
	ExitNeedsPerson = 4
	ExitLocked      = 5
	ExitInterrupted = 130
	// ExitFormat is fmt --check: a file is not formatted.
	ExitFormat = 3
	// ExitUsage is an error in the command line itself; as for every error, nothing was changed.
	ExitUsage = 1
)

// App is everything a command needs of the process it runs in.
type App struct {
	Streams *term.Streams
	Build   buildinfo.Info
	// Self is the path of this executable: built-in plugins are started with it.
	Self string
	// Builtins lists the plugins inside this executable as <kind>-<name>.
	Builtins []string
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// WorkDir is the current folder.
	WorkDir string
	// Interrupts delivers one value for every Ctrl-C or SIGTERM.
	Interrupts <-chan os.Signal
	Now        func() time.Time
	// Recorded is core.Options.Recorded.
	Recorded func(journal.Entry)
}

// exit is an error that only carries an exit code: what was to be said has been said.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is a mistake in the command line.
type usageError struct {
	err error
	cmd string
}

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// Run carries out one command line, without the program's name, and returns its exit code.
func Run(ctx context.Context, app *App, args []string) int {
	args, err := withCLIArgs(app, args)
	if err != nil {
		fmt.Fprintf(app.Streams.Err, "Error: %s\n", err)
		return ExitUsage
	}
	root := newRoot(app)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitDone
	}
	var e exit
	if errors.As(err, &e) {
		return e.code
	}
	var u usageError
	fmt.Fprintf(app.Streams.Err, "Error: %s\n", oneLine(err))
	if errors.As(err, &u) || !cmd.Runnable() || isCobraUsage(err) {
		fmt.Fprintf(app.Streams.Err, "\nFor more help on using this command, run:\n  %s --help\n", cmd.CommandPath())
		return ExitUsage
	}
	return ExitError
}

// isCobraUsage recognises the mistakes that cobra finds before a command runs. They have no type.
func isCobraUsage(err error) bool {
	for _, prefix := range []string{"unknown command", "required flag", "accepts ", "requires at least", "if any flags in the group", "invalid argument"} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}

func oneLine(err error) string { return strings.TrimSpace(err.Error()) }

func newRoot(app *App) *cobra.Command {
	g := &global{app: app}
	root := &cobra.Command{
		Use:   "rollback",
		Short: "Take a set of services back to an earlier release, together",
		Long: `rollback takes a set of services back to an earlier release, together.

  rollback points    which dates can I go back to?
  rollback plan      what would change?
  rollback apply     do it; if it goes wrong, everything is put back

Start with "rollback sandbox up": a registry, a Marathon and a Slack on this machine, to try everything.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return g.check(cmd) },
	}
	root.SetIn(app.Streams.In)
	root.SetOut(app.Streams.Out)
	root.SetErr(app.Streams.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{err: suggestFlag(cmd, err), cmd: cmd.CommandPath()}
	})
	g.register(root.PersistentFlags())
	root.AddGroup(
		&cobra.Group{ID: "main", Title: "The job:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "policy", Title: "Policy and plugins:"},
		&cobra.Group{ID: "try", Title: "Try it:"},
	)
	root.AddCommand(
		newPoints(g), newPlan(g), newApply(g), newUndo(g), newResume(g), newCancel(g), newUnlock(g),
		newStatus(g), newHistory(g), newShow(g), newExplain(g), newQuarantine(g), newRelease(g),
		newValidate(g), newFmt(g), newPlugins(g),
		newSandbox(g), newVersion(g),
	)
	completeEnv(g, root)
	root.SetCompletionCommandGroupID("try")
	root.SetHelpCommandGroupID("try")
	return root
}

// knownCommand refuses words that are no command, with the nearest that is.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w. Did you mean %s?", err, strings.Join(near, " or "))
	}
	return usageError{err: err, cmd: cmd.CommandPath()}
}

// suggestFlag adds the nearest flag to an "unknown flag" error.
func suggestFlag(cmd *cobra.Command, err error) error {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return err
	}
	if near := nearest(name, flagNames(cmd)); near != "" {
		return fmt.Errorf("unknown flag: --%s. Did you mean --%s?", name, near)
	}
	return err
}

// Reference is the command line without anything behind it, for the documentation and for tests of words.
func Reference() *cobra.Command {
	streams, _, _ := term.Test("", nil)
	root := newRoot(&App{Streams: streams})
	root.InitDefaultCompletionCmd()
	return root
}
