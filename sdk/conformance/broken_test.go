package conformance_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// broken is a plugin that breaks one rule.
type broken struct {
	check  string
	target conformance.Target
	// tick, when set, is how long an instance takes.
	tick string
	// patience, when set, shortens the wait for what does not come.
	patience string
}

// failsExactly runs the whole suite on each, and wants one check to fail.
func failsExactly(t *testing.T, all []broken, fixture func(*testing.T) conformance.Fixture) {
	t.Helper()
	seen := map[string]bool{}
	for _, b := range all {
		if seen[b.check] {
			t.Errorf("%s is there twice", b.check)
		}
		seen[b.check] = true
		t.Run(b.check, func(t *testing.T) {
			t.Parallel()
			f := fixture(t)
			if b.tick != "" {
				f.Config = config(t, map[string]any{"path": "world.json", "tick": b.tick, "token": secret})
			}
			if b.patience != "" {
				f.Patience = b.patience
			}
			report := conformance.Run(t.Context(), b.target, f)
			var failed []string
			for _, res := range report.Results {
				if res.Outcome == conformance.Fail {
					failed = append(failed, res.Name)
					t.Logf("%s: %s", res.Name, res.Message)
					if res.Rule == "" || len(res.Rules) == 0 {
						t.Errorf("%s explains no rule", res.Name)
					}
				}
			}
			if d := cmp.Diff([]string{b.check}, failed); d != "" {
				t.Error(d)
			}
		})
	}
	// Each check of the kind has its broken plugin.
	report := conformance.Run(t.Context(), all[0].target, conformance.Fixture{})
	for _, res := range report.Results {
		if !seen[res.Name] && !slices.Contains(brokenElsewhere[report.Kind], res.Name) {
			t.Errorf("no plugin breaks %s", res.Name)
		}
	}
}

// pluginChecks are the same code for every kind: they are broken in the orchestrator, whose settings can be wrong in two ways.
var pluginChecks = []string{
	"plugin/describe-is-stable", "plugin/identity", "plugin/schema-is-sound", "plugin/valid-config-is-accepted",
	"plugin/all-problems-at-once", "plugin/diagnostics-have-form", "plugin/configure-reaches-nobody",
	"plugin/probe-names-the-system", "plugin/probe-needs-the-system", "plugin/cancelled-call-ends", "plugin/no-secrets-heard",
}

var brokenElsewhere = map[schema.Kind][]string{schema.Registry: pluginChecks, schema.Notify: pluginChecks}

// oddRegistry is the file registry with calls replaced; nil leaves one as it is.
type oddRegistry struct {
	registry.Registry
	list    func(r registry.Registry, ctx context.Context, req registry.ListRequest, yield func(registry.Item) error) error
	resolve func(r registry.Registry, ctx context.Context, req registry.ResolveRequest) (registry.ResolveResult, error)
}

func (o oddRegistry) ListReleases(ctx context.Context, req registry.ListRequest, yield func(registry.Item) error) error {
	if o.list == nil {
		return o.Registry.ListReleases(ctx, req, yield)
	}
	return o.list(o.Registry, ctx, req, yield)
}

func (o oddRegistry) Resolve(ctx context.Context, req registry.ResolveRequest) (registry.ResolveResult, error) {
	if o.resolve == nil {
		return o.Registry.Resolve(ctx, req)
	}
	return o.resolve(o.Registry, ctx, req)
}

type oddRegistryPlugin struct {
	registry.Plugin
	odd oddRegistry
}

func (p oddRegistryPlugin) Configure(ctx context.Context, cfg schema.Config, rt schema.Runtime) (registry.Registry, error) {
	r, err := p.Plugin.Configure(ctx, cfg, rt)
	if err != nil {
		return nil, err
	}
	odd := p.odd
	odd.Registry = r
	return odd, nil
}

func ofRegistry(odd oddRegistry) conformance.Target {
	return conformance.OfRegistry(func() registry.Plugin { return oddRegistryPlugin{registryfile.Plugin(), odd} })
}

// listing replaces ListReleases.
func listing(f func(r registry.Registry, ctx context.Context, req registry.ListRequest, yield func(registry.Item) error) error) conformance.Target {
	return ofRegistry(oddRegistry{list: f})
}

// items replaces the messages of complete listings.
func items(f func([]registry.Item) []registry.Item) conformance.Target {
	return listing(func(r registry.Registry, ctx context.Context, req registry.ListRequest, yield func(registry.Item) error) error {
		var all []registry.Item
		err := r.ListReleases(ctx, req, func(i registry.Item) error {
			all = append(all, i)
			return nil
		})
		if err != nil {
			return err
		}
		for _, i := range f(all) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := yield(i); err != nil {
				return err
			}
		}
		return nil
	})
}

// releases changes each release.
func releases(f func(*registry.Release)) conformance.Target {
	return items(func(all []registry.Item) []registry.Item {
		for _, i := range all {
			if i.Release != nil {
				f(i.Release)
			}
		}
		return all
	})
}

// requests changes what is asked.
func requests(f func(*registry.ListRequest)) conformance.Target {
	return listing(func(r registry.Registry, ctx context.Context, req registry.ListRequest, yield func(registry.Item) error) error {
		f(&req)
		return r.ListReleases(ctx, req, yield)
	})
}

// resolving changes what Resolve answers.
func resolving(f func(req registry.ResolveRequest, res *registry.ResolveResult, err error) error) conformance.Target {
	return ofRegistry(oddRegistry{resolve: func(r registry.Registry, ctx context.Context, req registry.ResolveRequest) (registry.ResolveResult, error) {
		res, err := r.Resolve(ctx, req)
		err = f(req, &res, err)
		return res, err
	}})
}

// full is the file orchestrator with all it can do.
type full interface {
	orchestrator.Orchestrator
	orchestrator.Previewer
	orchestrator.Attacher
	orchestrator.Canceler
	orchestrator.Historian
	orchestrator.HoldLifter
}

// odd is the file orchestrator with calls replaced; nil leaves one as it is.
type odd struct {
	full
	probe     func(o full, ctx context.Context) (schema.ProbeResult, error)
	list      func(o full, ctx context.Context, req orchestrator.ListRequest, yield func(orchestrator.App) error) error
	snapshot  func(o full, ctx context.Context, apps []string) ([]orchestrator.Snapshot, error)
	deploy    func(o full, ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) error
	restore   func(o full, ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) error
	attach    func(o full, ctx context.Context, req orchestrator.AttachRequest, emit func(orchestrator.Event)) error
	preview   func(o full, ctx context.Context, req orchestrator.DeployRequest) (orchestrator.PreviewResult, error)
	cancel    func(o full, ctx context.Context, req orchestrator.CancelRequest) error
	revisions func(o full, ctx context.Context, app string, yield func(orchestrator.Revision) error) error
}

func (o odd) Probe(ctx context.Context) (schema.ProbeResult, error) {
	if o.probe == nil {
		return o.full.Probe(ctx)
	}
	return o.probe(o.full, ctx)
}

func (o odd) ListApps(ctx context.Context, req orchestrator.ListRequest, yield func(orchestrator.App) error) error {
	if o.list == nil {
		return o.full.ListApps(ctx, req, yield)
	}
	return o.list(o.full, ctx, req, yield)
}

func (o odd) Snapshot(ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
	if o.snapshot == nil {
		return o.full.Snapshot(ctx, apps)
	}
	return o.snapshot(o.full, ctx, apps)
}

func (o odd) Deploy(ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) error {
	if o.deploy == nil {
		return o.full.Deploy(ctx, req, emit)
	}
	return o.deploy(o.full, ctx, req, emit)
}

func (o odd) Restore(ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) error {
	if o.restore == nil {
		return o.full.Restore(ctx, req, emit)
	}
	return o.restore(o.full, ctx, req, emit)
}

func (o odd) Attach(ctx context.Context, req orchestrator.AttachRequest, emit func(orchestrator.Event)) error {
	if o.attach == nil {
		return o.full.Attach(ctx, req, emit)
	}
	return o.attach(o.full, ctx, req, emit)
}

func (o odd) Preview(ctx context.Context, req orchestrator.DeployRequest) (orchestrator.PreviewResult, error) {
	if o.preview == nil {
		return o.full.Preview(ctx, req)
	}
	return o.preview(o.full, ctx, req)
}

func (o odd) Cancel(ctx context.Context, req orchestrator.CancelRequest) error {
	if o.cancel == nil {
		return o.full.Cancel(ctx, req)
	}
	return o.cancel(o.full, ctx, req)
}

func (o odd) ListRevisions(ctx context.Context, app string, yield func(orchestrator.Revision) error) error {
	if o.revisions == nil {
		return o.full.ListRevisions(ctx, app, yield)
	}
	return o.revisions(o.full, ctx, app, yield)
}

// oddPlugin is the file orchestrator before Configure, with parts replaced.
type oddPlugin struct {
	orchestrator.Plugin
	describe func(*schema.Description)
	validate func(cfg schema.Config, ds diag.Diagnostics) diag.Diagnostics
	// configured makes what Configure returns, for each plugin anew.
	configured func(o full, cfg schema.Config, rt schema.Runtime) (orchestrator.Orchestrator, error)
}

func (p oddPlugin) Describe() schema.Description {
	d := p.Plugin.Describe()
	if p.describe != nil {
		p.describe(&d)
	}
	return d
}

func (p oddPlugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	ds := p.Plugin.ValidateConfig(cfg)
	if p.validate != nil {
		return p.validate(cfg, ds)
	}
	return ds
}

func (p oddPlugin) Configure(ctx context.Context, cfg schema.Config, rt schema.Runtime) (orchestrator.Orchestrator, error) {
	o, err := p.Plugin.Configure(ctx, cfg, rt)
	if err != nil || p.configured == nil {
		return o, err
	}
	return p.configured(o.(full), cfg, rt)
}

func ofPlugin(p oddPlugin) conformance.Target {
	return conformance.OfOrchestrator(func() orchestrator.Plugin {
		p := p
		p.Plugin = orchestratorfile.Plugin()
		return p
	})
}

// of makes a target of what f makes for each configured plugin.
func of(f func() odd) conformance.Target {
	return ofPlugin(oddPlugin{configured: func(o full, _ schema.Config, _ schema.Runtime) (orchestrator.Orchestrator, error) {
		out := f()
		out.full = o
		return out, nil
	}})
}

// events changes the events of Deploy: f gives what is to be emitted instead of one.
func events(f func(req orchestrator.DeployRequest, e orchestrator.Event) []orchestrator.Event, end func(error) error) conformance.Target {
	return of(func() odd {
		return odd{deploy: func(o full, ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) error {
			err := o.Deploy(ctx, req, func(e orchestrator.Event) {
				for _, out := range f(req, e) {
					emit(out)
				}
			})
			if end != nil {
				return end(err)
			}
			return err
		}}
	})
}

// oddNotifier is the file notifier with Notify replaced.
type oddNotifier struct {
	notify.Notifier
	tell func(n notify.Notifier, ctx context.Context, req notify.Request) (notify.Result, error)
}

func (n oddNotifier) Notify(ctx context.Context, req notify.Request) (notify.Result, error) {
	return n.tell(n.Notifier, ctx, req)
}

type oddNotifyPlugin struct {
	notify.Plugin
	tell func(n notify.Notifier, ctx context.Context, req notify.Request) (notify.Result, error)
}

func (p oddNotifyPlugin) Configure(ctx context.Context, cfg schema.Config, rt schema.Runtime) (notify.Notifier, error) {
	n, err := p.Plugin.Configure(ctx, cfg, rt)
	if err != nil {
		return nil, err
	}
	return oddNotifier{n, p.tell}, nil
}

func telling(f func(n notify.Notifier, ctx context.Context, req notify.Request) (notify.Result, error)) conformance.Target {
	return conformance.OfNotify(func() notify.Plugin { return oddNotifyPlugin{notifyfile.Plugin(), f} })
}
