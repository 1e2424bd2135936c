package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core/backend"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/schema"
)

func newPlugins(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "plugins",
		GroupID: "policy",
		Short:   "Find, trust, check and test plugins",
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var test pluginTest
	testCmd := &cobra.Command{
		Use:   "test PATH",
		Short: "Run the conformance suite on a plugin's executable, in any language",
		Long: `Run the conformance suite on a plugin's executable, in any language. PATH is a file named
rollback-<kind>-<name>, or the <kind>-<name> of a built-in plugin. What a check needs and the fixture does not
describe is skipped, and says so. The rules are those of docs/plugin-protocol.md.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			test.path = args[0]
			return runPluginsTest(cmd.Context(), g, test)
		},
	}
	testCmd.Flags().StringVar(&test.fixture, "fixture", "", "`FILE` (JSON) that says what the plugin's world contains")
	testCmd.Flags().StringVar(&test.config, "config", "", "`FILE` (JSON) with the plugin's settings; wins over the fixture's")
	testCmd.Flags().StringVar(&test.kind, "kind", "", "registry, orchestrator or notify, when the file's name does not say")
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the plugins that can be seen", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return runPluginsList(cmd.Context(), g) },
		},
		&cobra.Command{
			Use: "lock", Short: "Trust the policy's outside plugins as they are now, and record their checksums", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return runPluginsLock(cmd.Context(), g) },
		},
		&cobra.Command{
			Use: "check", Short: "Reach every server that the policy names, reading only", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return runPluginsCheck(cmd.Context(), g) },
		},
		testCmd,
	)
	return cmd
}

// beginLenient loads the policy if there is one; without, the built-in plugins can still be listed.
func (g *global) beginLenient() (*session, []backend.Want) {
	p := g.quietPolicy()
	s := &session{global: g, policy: p, redactor: newRedactor(p)}
	if s.policy.Dir == "" {
		s.policy.Dir = g.app.WorkDir
	}
	var wants []backend.Want
	for _, pl := range p.Plugins {
		wants = append(wants, backend.Want{Kind: pl.Kind, Name: pl.Name, Path: pl.Path, SHA256: pl.SHA256})
	}
	return s, wants
}

func runPluginsList(_ context.Context, g *global) error {
	s, wants := g.beginLenient()
	found, ds := backend.Find(s.backendOptions(), wants)
	failed := s.reportAlways(ds)
	rows := make([]view.PluginRow, 0, len(found))
	for _, f := range found {
		rows = append(rows, view.PluginRow{Kind: string(f.Kind), Name: f.Name, Source: string(f.Source), Path: f.Path, Hidden: f.Hidden})
	}
	if g.json {
		if err := view.WriteJSON(g.app.Streams.Out, rows); err != nil {
			return err
		}
	} else {
		view.Plugins(g.app.Streams.Out, g.look(), rows)
	}
	if failed {
		return exit{ExitError}
	}
	return nil
}

// reportAlways shows diagnostics on stderr, also with --json: these commands print a document, not a stream.
func (s *session) reportAlways(ds diag.Diagnostics) bool {
	view.Diagnostics(s.app.Streams.Err, s.errLook(), ds)
	return ds.HasErrors()
}

func runPluginsLock(ctx context.Context, g *global) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	s, wants := g.beginLenient()
	readonly := g.lockfile == "readonly" || (g.lockfile == "" && g.getenv("CI") != "")
	locked, ds := backend.Lock(ctx, s.backendOptions(), wants, readonly)
	if s.reportAlways(ds) {
		return exit{ExitError}
	}
	out := g.app.Streams.Out
	changed := false
	for _, l := range locked {
		word := "unchanged"
		if l.Changed {
			word, changed = "recorded", true
		}
		fmt.Fprintf(out, "%s %s: %s, %d platforms\n", l.Title(), l.Version, word, len(l.Hashes))
	}
	switch {
	case len(locked) == 0:
		fmt.Fprintln(out, "The policy has no plugins of its own: there is nothing to record.")
	case changed:
		fmt.Fprintln(out, "\nrollback has made changes to .rollback.lock.hcl. Review them, and commit the file.")
	}
	return nil
}

func runPluginsCheck(ctx context.Context, g *global) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	asJSON := g.json
	g.json = false
	s, err := g.begin(article{})
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.open(ctx, needs{registry: s.policy.Registry != nil, orchestrator: s.policy.Orchestrator != nil, notifiers: true}); err != nil {
		return err
	}
	type prober interface {
		Probe(ctx context.Context) (schema.ProbeResult, error)
	}
	var rows []view.PluginProbe
	ok := true
	probe := func(kind schema.Kind, name string, p prober) {
		res, err := p.Probe(ctx)
		row := view.PluginProbe{Kind: string(kind), Name: name, OK: err == nil, System: res.System, Identity: res.Identity, Notes: res.Notes}
		if err != nil {
			row.Problem, ok = s.redactor.String(errorDiagnostic("", err).Detail), false
		}
		rows = append(rows, row)
	}
	if r := s.set.Registry(); r != nil {
		probe(schema.Registry, s.set.Description(schema.Registry).Name, r)
	}
	if o := s.set.Orchestrator(); o != nil {
		probe(schema.Orchestrator, s.set.Description(schema.Orchestrator).Name, o)
	}
	for _, n := range s.set.Notifiers() {
		probe(schema.Notify, n.Name, n)
	}
	if asJSON {
		if err := view.WriteJSON(g.app.Streams.Out, rows); err != nil {
			return err
		}
	} else {
		view.PluginCheck(g.app.Streams.Out, g.look(), rows)
	}
	if !ok {
		return exit{ExitError}
	}
	return nil
}

type pluginTest struct {
	path, fixture, config, kind string
}

func runPluginsTest(ctx context.Context, g *global, t pluginTest) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	fixture := conformance.Fixture{}
	if t.fixture != "" {
		raw, err := os.ReadFile(g.path(t.fixture))
		if err != nil {
			return fmt.Errorf("read the fixture: %w", err)
		}
		if fixture, err = conformance.ParseFixture(raw); err != nil {
			return fmt.Errorf("read the fixture %s: %w", t.fixture, err)
		}
	}
	if t.config != "" {
		raw, err := os.ReadFile(g.path(t.config))
		if err != nil {
			return fmt.Errorf("read the settings: %w", err)
		}
		fixture.Config = raw
	}
	cfg, err := g.testConfig(t)
	if err != nil {
		return err
	}
	report := conformance.Run(ctx, conformance.OfExecutable(cfg), fixture)
	if g.json {
		if err := view.WriteJSON(g.app.Streams.Out, report); err != nil {
			return err
		}
	} else {
		view.Conformance(g.app.Streams.Out, g.look(), report)
	}
	if !report.Passed() {
		return exit{ExitError}
	}
	return nil
}

// testConfig says how to start the plugin under test.
func (g *global) testConfig(t pluginTest) (host.Config, error) {
	name := strings.TrimSuffix(filepath.Base(t.path), ".exe")
	cfg := host.Config{Path: g.path(t.path), Environ: g.app.Environ}
	for _, b := range g.app.Builtins {
		if t.path == b {
			cfg.Path, cfg.Args, name = g.app.Self, []string{"serve-plugin", b}, "rollback-"+b
		}
	}
	kind, label, _ := strings.Cut(strings.TrimPrefix(name, "rollback-"), "-")
	if t.kind != "" {
		kind = t.kind
	}
	switch schema.Kind(kind) {
	case schema.Registry, schema.Orchestrator, schema.Notify:
	default:
		return cfg, usageError{err: fmt.Errorf("%q does not say what kind of plugin it is: name it rollback-<kind>-<name>, or give --kind", t.path), cmd: "rollback plugins test"}
	}
	cfg.Kind, cfg.Name = schema.Kind(kind), label
	return cfg, nil
}
