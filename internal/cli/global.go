package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollback-project/rollback/internal/term"
)

// global holds the flags that most commands share.
type global struct {
	app *App

	files           []string
	env             string
	vars            []string
	varFiles        []string
	color           string
	noColor         bool
	input           bool
	json            bool
	jsonInto        string
	logLevel        string
	parallelism     int
	chdir           string
	quiet           bool
	compactWarnings bool
	pluginDirs      []string
	lockfile        string

	// reports are the documents about what becomes of an operation; nil for commands that change nothing.
	reports *reports
}

func (g *global) register(f *pflag.FlagSet) {
	f.StringArrayVarP(&g.files, "file", "f", nil, "policy `FILE` or folder (default ./policy.hcl, then *.hcl in this folder)")
	f.StringVarP(&g.env, "env", "e", "", "environment, by its `NAME` or its branch")
	f.StringArrayVar(&g.vars, "var", nil, "set a variable of the policy, as `NAME=VALUE`; may be repeated")
	f.StringArrayVar(&g.varFiles, "var-file", nil, "read variables from `FILE`; may be repeated")
	f.StringVar(&g.color, "color", string(term.ColorAuto), "use colour: auto, always or never (NO_COLOR and FORCE_COLOR count as well)")
	f.BoolVar(&g.noColor, "no-color", false, "same as --color=never")
	f.BoolVar(&g.input, "input", true, "ask when something is missing; without a terminal nothing is asked (ROLLBACK_INPUT=0 is the same as --input=false)")
	f.BoolVar(&g.json, "json", false, "write a stream of JSON events to stdout, one a line; nothing is asked")
	f.StringVar(&g.jsonInto, "json-into", "", "write that stream to `FILE`, and people's text to the terminal")
	f.StringVar(&g.logLevel, "log-level", "", "write logs to stderr: trace, debug, info, warn or error (ROLLBACK_LOG; ROLLBACK_LOG_PATH names a file)")
	f.IntVar(&g.parallelism, "parallelism", 32, "how many `REQUESTS` to a server may be under way at once")
	f.StringVar(&g.chdir, "chdir", "", "work in `DIR`")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "no progress lines")
	f.BoolVar(&g.compactWarnings, "compact-warnings", false, "show warnings in two lines each, unless there is an error as well")
	f.StringArrayVar(&g.pluginDirs, "plugin-dir", nil, "look for plugins in `DIR` as well (ROLLBACK_PLUGIN_DIR)")
	f.StringVar(&g.lockfile, "lockfile", "", "readonly: never write .rollback.lock.hcl (implied by CI)")
}

// check completes the flags from the environment and refuses what makes no sense.
func (g *global) check(cmd *cobra.Command) error {
	bad := func(format string, args ...any) error {
		return usageError{err: fmt.Errorf(format, args...), cmd: cmd.CommandPath()}
	}
	if g.noColor {
		g.color = string(term.ColorNever)
	}
	switch term.ColorMode(g.color) {
	case term.ColorAuto, term.ColorAlways, term.ColorNever:
	default:
		return bad("--color is %q: it must be auto, always or never", g.color)
	}
	if g.parallelism < 1 {
		return bad("--parallelism is %d: it must be at least 1", g.parallelism)
	}
	if g.lockfile != "" && g.lockfile != "readonly" {
		return bad("--lockfile is %q: the only value is readonly", g.lockfile)
	}
	if !cmd.Flags().Changed("log-level") {
		g.logLevel = g.getenv("ROLLBACK_LOG")
	}
	if g.logLevel != "" && hclog.LevelFromString(g.logLevel) == hclog.NoLevel {
		return bad("--log-level is %q: it must be trace, debug, info, warn or error", g.logLevel)
	}
	if v, err := strconv.ParseBool(g.getenv("ROLLBACK_INPUT")); err == nil && !v && !cmd.Flags().Changed("input") {
		g.input = false
	}
	if g.chdir != "" {
		g.app.WorkDir = g.path(g.chdir)
		if st, err := os.Stat(g.app.WorkDir); err != nil || !st.IsDir() {
			return bad("--chdir %q: there is no such folder", g.chdir)
		}
	}
	if len(g.pluginDirs) == 0 {
		if dirs := g.getenv("ROLLBACK_PLUGIN_DIR"); dirs != "" {
			g.pluginDirs = filepath.SplitList(dirs)
		}
	}
	return nil
}

func (g *global) getenv(name string) string { return g.app.Streams.Getenv(name) }

// path makes a path of the command line absolute.
func (g *global) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(g.app.WorkDir, p)
}

// interactive reports whether a person can be asked.
func (g *global) interactive() bool {
	s := g.app.Streams
	return g.input && !g.json && s.InTTY && s.OutTTY && g.getenv("CI") == "" && g.getenv("ROLLBACK_IN_AUTOMATION") == ""
}

// logger writes to stderr or to ROLLBACK_LOG_PATH; off unless a level was asked for. close must be called.
func (g *global) logger() (hclog.Logger, io.Closer, error) {
	if g.logLevel == "" {
		return hclog.NewNullLogger(), io.NopCloser(nil), nil
	}
	opts := &hclog.LoggerOptions{Name: "rollback", Level: hclog.LevelFromString(g.logLevel), Output: g.app.Streams.Err}
	var closer io.Closer = io.NopCloser(nil)
	if path := g.getenv("ROLLBACK_LOG_PATH"); path != "" {
		f, err := os.OpenFile(g.path(path), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("open the log of ROLLBACK_LOG_PATH: %w", err)
		}
		opts.Output, closer = f, f
	}
	return hclog.New(opts), closer, nil
}

// withCLIArgs puts ROLLBACK_CLI_ARGS and ROLLBACK_CLI_ARGS_<command> right after the subcommand, so that explicit flags win.
func withCLIArgs(app *App, args []string) ([]string, error) {
	at := -1
	for i, a := range args {
		if !strings.HasPrefix(a, "-") {
			at = i
			break
		}
	}
	if at < 0 {
		return args, nil
	}
	var extra []string
	for _, name := range []string{"ROLLBACK_CLI_ARGS", "ROLLBACK_CLI_ARGS_" + args[at]} {
		words, err := splitWords(app.Streams.Getenv(name))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		extra = append(extra, words...)
	}
	out := append([]string{}, args[:at+1]...)
	return append(append(out, extra...), args[at+1:]...), nil
}

// splitWords splits at spaces; single and double quotes keep them. Nothing is ever expanded.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	inWord := false
	for _, r := range s {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// nearest returns the candidate that was probably meant; "" when none is near.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", 3
	sort.Strings(candidates)
	for _, c := range candidates {
		if d := levenshtein.Distance(name, c, nil); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// user says who asks, as user@host; for records, not for permission.
func (g *global) user() string {
	name := g.getenv("USER")
	if name == "" {
		name = g.getenv("LOGNAME")
	}
	if name == "" {
		name = fmt.Sprintf("uid %d", os.Getuid())
	}
	return name + "@" + hostname()
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown host"
	}
	return name
}

// ciLink leads to the job we run in; "" outside of CI.
func (g *global) ciLink() string {
	if url := g.getenv("BUILD_URL"); url != "" {
		return url
	}
	if server, repo, run := g.getenv("GITHUB_SERVER_URL"), g.getenv("GITHUB_REPOSITORY"), g.getenv("GITHUB_RUN_ID"); server != "" && run != "" {
		return server + "/" + repo + "/actions/runs/" + run
	}
	return g.getenv("CI_JOB_URL")
}

// notifyTimeout bounds one notification.
const notifyTimeout = 10 * time.Second
