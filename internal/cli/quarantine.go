package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

// The exit codes of quarantine check.
const (
	exitFine    = 0
	exitBad     = 1
	exitUnknown = 2
)

func newQuarantine(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "quarantine",
		GroupID: "look",
		Short:   "Images known bad: list, add, remove, and check before a deployment",
		Example: "  rollback quarantine list\n  rollback quarantine check registry.example.com/backend-a:44-master",
	}
	var reason string
	add := &cobra.Command{
		Use:   "add IMAGE…",
		Short: "Record images as bad",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usageError{err: errors.New("--reason is required: whoever meets the record wants to know why"), cmd: cmd.CommandPath()}
			}
			return runQuarantineAdd(cmd.Context(), g, args, reason)
		},
	}
	add.Flags().StringVar(&reason, "reason", "", "why they are bad")
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "The images in quarantine, and the apps that are held", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return runQuarantineList(cmd.Context(), g) },
		},
		add,
		&cobra.Command{
			Use: "remove IMAGE…", Short: "Take images out of quarantine", Args: cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error { return runQuarantineRemove(cmd.Context(), g, args) },
		},
		&cobra.Command{
			Use:   "check IMAGE…",
			Short: "Say whether images may be deployed: exit code 0 fine, 1 bad or held, 2 cannot tell",
			Long: `For deploy pipelines. Exit codes: 0 none of the images is known bad, and no app that runs their repositories is held;
1 one is; 2 nobody can tell, because the state or the orchestrator could not be reached.`,
			RunE: func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					fmt.Fprintln(g.app.Streams.Err, "Error: no image is named, so nobody can tell; say: rollback quarantine check IMAGE…")
					return exit{exitUnknown}
				}
				return runQuarantineCheck(cmd.Context(), g, args)
			},
		},
	)
	return cmd
}

func runQuarantineList(ctx context.Context, g *global) error {
	s, st, _, err := g.startState(ctx, needs{})
	if err != nil {
		return err
	}
	defer s.close()
	doc := view.QuarantineDoc{FormatVersion: "1.0"}
	if doc.Images, err = st.Quarantined(ctx); err != nil {
		return s.fail("State not readable", err)
	}
	if doc.Holds, err = st.Holds(ctx, ""); err != nil {
		return s.fail("State not readable", err)
	}
	if g.json {
		return view.WriteJSON(g.app.Streams.Out, doc)
	}
	view.Quarantine(g.app.Streams.Out, g.look(), doc)
	return nil
}

func runQuarantineAdd(ctx context.Context, g *global, images []string, reason string) error {
	s, err := g.start(ctx, article{}, needs{registry: true, operate: true})
	if err != nil {
		return err
	}
	defer s.close()
	var bad []state.BadImage
	for _, image := range images {
		b, err := s.engine.BadImage(ctx, image)
		if err != nil {
			return s.fail("Image not read", err)
		}
		b.Reason, b.AddedBy, b.At = reason, s.user(), g.app.Now()
		bad = append(bad, b)
	}
	if err := s.engine.State.Quarantine(ctx, bad); err != nil {
		return s.fail("State not written", err)
	}
	for i, b := range bad {
		digest := b.Digest
		if digest == "" {
			digest = "by its tag only: its digest is not known"
		}
		fmt.Fprintf(g.app.Streams.Out, "In quarantine: %s (%s)\n", term.Clean(images[i]), term.Clean(digest))
	}
	return nil
}

func runQuarantineRemove(ctx context.Context, g *global, images []string) error {
	s, st, _, err := g.startState(ctx, needs{recordOnly: true})
	if err != nil {
		return err
	}
	defer s.close()
	e := core.New(core.Options{Policy: s.policy, State: st, Now: g.app.Now})
	for _, image := range images {
		b, err := e.BadImage(ctx, image)
		if err != nil {
			return s.fail("Image not read", err)
		}
		n, err := st.Pardon(ctx, b.Repository, b.Digest, b.Tag)
		if err != nil {
			return s.fail("State not written", err)
		}
		if n == 0 {
			return s.fail("Image not in quarantine", fmt.Errorf("there is no record of %s; see `rollback quarantine list`", image))
		}
		fmt.Fprintf(g.app.Streams.Out, "Out of quarantine: %s\n", term.Clean(image))
	}
	return nil
}

// checkDoc is `quarantine check --json`.
type checkDoc struct {
	FormatVersion string                  `json:"format_version"`
	Images        []core.QuarantineAnswer `json:"images"`
}

func runQuarantineCheck(ctx context.Context, g *global, images []string) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	asJSON := g.json
	g.json = false
	s, err := g.begin(article{})
	if err != nil {
		return exit{exitUnknown}
	}
	defer s.close()
	answers, err := s.judge(ctx, images)
	if err != nil {
		var known exit
		if !errors.As(err, &known) {
			s.report(diag.Diagnostics{errorDiagnostic("Nobody can tell", err)})
		}
		return exit{exitUnknown}
	}
	code := exitFine
	for _, a := range answers {
		if a.Bad != nil || len(a.Holds) > 0 {
			code = exitBad
		}
	}
	if asJSON {
		if err := view.WriteJSON(g.app.Streams.Out, checkDoc{FormatVersion: "1.0", Images: answers}); err != nil {
			return exit{exitUnknown}
		}
	} else {
		printAnswers(g, answers)
	}
	if code != exitFine {
		return exit{code}
	}
	return nil
}

// judge asks state and orchestrator.
func (s *session) judge(ctx context.Context, images []string) ([]core.QuarantineAnswer, error) {
	if err := s.open(ctx, needs{orchestrator: s.policy.Orchestrator != nil, recorded: true}); err != nil {
		return nil, err
	}
	env := ""
	if s.env != "" || s.policy.Settings.Environment != "" {
		e, err := s.engine.Environment(s.env)
		if err != nil {
			return nil, err
		}
		env = e.Name
	}
	return s.engine.Judge(ctx, env, images)
}

func printAnswers(g *global, answers []core.QuarantineAnswer) {
	out, paint := g.app.Streams.Out, g.look().Paint
	for _, a := range answers {
		switch {
		case a.Bad != nil:
			fmt.Fprintf(out, "%s %s: in quarantine since %s: %s\n", paint.BoldRed("bad "), term.Clean(a.Image), a.Bad.At.UTC().Format("2006-01-02 15:04"), term.Clean(a.Bad.Reason))
		case len(a.Holds) > 0:
			h := a.Holds[0]
			fmt.Fprintf(out, "%s %s: %s is held at %s by operation %s: %s\n", paint.Yellow("held"), term.Clean(a.Image), term.Clean(h.App), view.Tag(h.Image), term.Clean(h.Operation), term.Clean(h.Reason))
		default:
			fmt.Fprintf(out, "%s %s\n", paint.Green("fine"), term.Clean(a.Image))
		}
	}
}

func newRelease(g *global) *cobra.Command {
	var lockTimeout time.Duration
	cmd := &cobra.Command{
		Use:     "release [APP…]",
		GroupID: "main",
		Short:   "Lift the hold of apps, so that pipelines may deploy them again",
		Long: `Lift the hold that an apply has put on apps (after_apply.hold in the policy). Without APP it is that of all apps of the
environment. An orchestrator may replace an app's instances for that: to Marathon another label is another configuration.`,
		Example: "  rollback release\n  rollback release /ds/prod/shop/frontend",
		RunE:    func(cmd *cobra.Command, args []string) error { return runRelease(cmd.Context(), g, args, lockTimeout) },
	}
	cmd.Flags().DurationVar(&lockTimeout, "lock-timeout", 0, "how long to wait while somebody else holds the environment")
	return cmd
}

func runRelease(ctx context.Context, g *global, apps []string, lockTimeout time.Duration) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	s, err := g.start(ctx, article{}, needs{orchestrator: true, operate: true})
	if err != nil {
		return err
	}
	defer s.close()
	env, err := s.engine.Environment(s.env)
	if err != nil {
		return s.fail("Environment not found", err)
	}
	run, err := s.run("release", operating{lockTimeout: lockTimeout}, nil, interrupts{})
	if err != nil {
		return err
	}
	released, err := s.engine.LiftHolds(ctx, env, apps, run)
	var locked *state.LockedError
	if errors.As(err, &locked) {
		s.report(diag.Diagnostics{errorDiagnostic("Environment is locked", err)})
		return exit{ExitLocked}
	}
	if err != nil {
		return s.fail("Not released", err)
	}
	if len(released) == 0 {
		fmt.Fprintf(g.app.Streams.Out, "No app of %s is held.\n", term.Clean(env.Name))
	}
	for _, h := range released {
		fmt.Fprintf(g.app.Streams.Out, "Released: %s\n", term.Clean(h.App))
	}
	return nil
}
