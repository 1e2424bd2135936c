package host_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// TestMain lets the test binary play plugins and hosts: go test's own process starts it again with these arguments.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "serve-plugin" {
		play(os.Args[2:])
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "play-host" {
		playHost()
		return
	}
	os.Exit(m.Run())
}

// play is a plugin that behaves as told: KIND [SETTING=VALUE…].
func play(args []string) {
	b := behaviour{}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		b[name] = value
	}
	if text, ok := b["print-first"]; ok {
		fmt.Println(text)
	}
	if text, ok := b["log-first"]; ok {
		fmt.Fprintln(os.Stderr, text)
	}
	if _, ok := b["die-first"]; ok {
		os.Exit(7)
	}
	if _, ok := b["hang-first"]; ok {
		if os.Getenv("ROLLBACK_PLUGIN_STDIN") == "lifeline" {
			_, _ = os.Stdin.Read(make([]byte, 1))
		}
		return
	}
	switch schema.Kind(args[0]) {
	case schema.Registry:
		sdk.ServeRegistry(registryPlugin{b})
	case schema.Orchestrator:
		sdk.ServeOrchestrator(orchestratorPlugin{b})
	case schema.Notify:
		sdk.ServeNotify(notifyPlugin{b})
	}
}

// playHost starts a plugin, prints its process id, and waits to be killed.
func playHost() {
	p, err := host.Start(context.Background(), host.Config{
		Kind: schema.Registry, Name: "world", Path: os.Args[0], Args: []string{"serve-plugin", "registry"}, Environ: os.Environ(),
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	reg, err := p.Registry().Configure(context.Background(), schema.Config{}, schema.Runtime{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	found, err := reg.Probe(context.Background())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(found.Identity, os.Getenv("TMPDIR"))
	time.Sleep(time.Hour)
}

// behaviour says what goes wrong in which call.
type behaviour map[string]string

// enter is called at the begin of every call.
func (b behaviour) enter(call string) {
	switch b[call] {
	case "crash":
		fmt.Fprintln(os.Stderr, "about to crash, with a secret: hunter22")
		os.Exit(3)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "panic":
		panic("no such thing as " + call)
	case "hang":
		select {}
	case "freeze":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		select {} // the signal takes a moment
	}
}

// enterErr is enter for calls that may fail.
func (b behaviour) enterErr(ctx context.Context, call string) error {
	switch b[call] {
	case "fault":
		return fmt.Errorf("ask the remote system: %w", &fault.Fault{
			Code: fault.RateLimited, Message: "too many requests \x1b[31m with hunter22", Subject: "https://example.com",
			Hint: "Wait.", RetryAfter: 3 * time.Second, Deployments: []string{"d1"},
		})
	case "error":
		return fmt.Errorf("some error")
	case "garbled":
		return fmt.Errorf("bytes \xff\xfe that are no text")
	case "wait":
		<-ctx.Done()
		return ctx.Err()
	}
	b.enter(call)
	return nil
}

func (b behaviour) describe(kind schema.Kind, capabilities ...schema.Capability) schema.Description {
	b.enter("Describe")
	name := "world"
	if n, ok := b["name"]; ok {
		name = n
	}
	if b["flood"] != "" {
		for i := range 100_000 {
			fmt.Fprintf(os.Stderr, "line %d\n", i)
		}
	}
	if b["long-line"] != "" {
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 1<<20))
	}
	if b["print"] != "" {
		fmt.Println("the author prints")
		fmt.Fprintln(os.Stderr, `{"@level":"warn","@message":12}`)
	}
	return schema.Description{
		Kind: kind, Name: name, Version: "1.2.3", Doc: "A world.", Capabilities: capabilities,
		Schema: schema.Schema{
			Attributes: []schema.Attribute{
				{Name: "path", Type: cty.String, Required: true, Doc: "Where."},
				{Name: "token", Type: cty.String, Sensitive: true, Default: cty.StringVal("none")},
				{Name: "modes", Type: cty.List(cty.String), OneOf: []string{"a"}},
			},
			Blocks: []schema.Block{{Name: "tls", Max: 1, Attributes: []schema.Attribute{
				{Name: "key", Type: cty.String, Sensitive: true},
			}}},
		},
	}
}

func (b behaviour) validate(cfg schema.Config) diag.Diagnostics {
	b.enter("ValidateConfig")
	var values struct {
		Path  string `json:"path"`
		Token string `json:"token"`
	}
	if err := cfg.Decode(&values); err != nil {
		return diag.Diagnostics{diag.Errorf("Unreadable configuration", "%s.", err)}
	}
	if values.Path == "" {
		return diag.Diagnostics{
			diag.Errorf("Missing path", "Set path; the token is %s.", values.Token).At("path"),
			diag.Warnf("Old style", "It is old.").At("tls", "key"),
		}
	}
	return nil
}

func (b behaviour) configure(rt schema.Runtime) error {
	rt.Logger.Info("configured", "agent", rt.UserAgent, "dir", rt.WorkDir, "parallelism", rt.Parallelism, "token", "hunter22")
	return b.enterErr(context.Background(), "Configure")
}

func (b behaviour) probe(ctx context.Context) (schema.ProbeResult, error) {
	return schema.ProbeResult{
		System: "a world", Identity: fmt.Sprint(os.Getpid()), Notes: os.Environ(),
	}, b.enterErr(ctx, "Probe")
}

type registryPlugin struct{ b behaviour }

func (p registryPlugin) Describe() schema.Description { return p.b.describe(schema.Registry) }
func (p registryPlugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	return p.b.validate(cfg)
}

func (p registryPlugin) Configure(_ context.Context, _ schema.Config, rt schema.Runtime) (registry.Registry, error) {
	return registryWorld{p.b, rt.Logger}, p.b.configure(rt)
}

type registryWorld struct {
	b      behaviour
	logger hclog.Logger
}

func (r registryWorld) Probe(ctx context.Context) (schema.ProbeResult, error) { return r.b.probe(ctx) }

func (r registryWorld) ListReleases(
	ctx context.Context, req registry.ListRequest, yield func(registry.Item) error,
) error {
	if err := r.b.enterErr(ctx, "ListReleases"); err != nil {
		return err
	}
	n := 3
	if v, ok := r.b["tags"]; ok {
		_, _ = fmt.Sscan(v, &n)
	}
	if r.b["head"] != "no" {
		if err := yield(registry.Item{Listing: &registry.Listing{Repository: "r/" + req.Repo, Tags: n + 1, Matched: n}}); err != nil {
			return err
		}
	}
	for i := range n {
		if i == n-1 && r.b["lose"] != "" {
			return nil
		}
		if i == n/2 {
			r.b.enter("mid-list")
		}
		item := registry.Item{Release: &registry.Release{
			Repo: req.Repo, Tag: fmt.Sprintf("%d-%s", n-i, req.Branch), Digest: "sha256:00",
			Created: time.Date(2019, 6, 1, 0, 0, n-i, 0, time.UTC), CreatedFrom: registry.FromLabel,
			Labels: map[string]string{"a": "b", "odd": "\xff"},
		}}
		if i == 1 {
			item = registry.Item{Skipped: &registry.Skipped{Tag: "x", Reason: registry.SkipNoDate, Detail: "no date, hunter22"}}
		}
		if r.b["huge"] != "" {
			item.Release = &registry.Release{Tag: strings.Repeat("x", 9<<20)}
		}
		if err := yield(item); err != nil {
			return err
		}
	}
	return nil
}

func (r registryWorld) Resolve(ctx context.Context, req registry.ResolveRequest) (registry.ResolveResult, error) {
	if err := r.b.enterErr(ctx, "Resolve"); err != nil {
		return registry.ResolveResult{}, err
	}
	return registry.ResolveResult{Found: true, Digest: req.Digest, Missing: []string{"layer x"}}, nil
}

type notifyPlugin struct{ b behaviour }

func (p notifyPlugin) Describe() schema.Description {
	return p.b.describe(schema.Notify, schema.Threads)
}

func (p notifyPlugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	return p.b.validate(cfg)
}

func (p notifyPlugin) Configure(_ context.Context, _ schema.Config, rt schema.Runtime) (notify.Notifier, error) {
	return notifyWorld(p), p.b.configure(rt)
}

type notifyWorld struct{ b behaviour }

func (n notifyWorld) Probe(ctx context.Context) (schema.ProbeResult, error) { return n.b.probe(ctx) }

func (n notifyWorld) Notify(ctx context.Context, req notify.Request) (notify.Result, error) {
	if err := n.b.enterErr(ctx, "Notify"); err != nil {
		return notify.Result{}, err
	}
	return notify.Result{Thread: req.Thread + "+", Link: string(req.Kind)}, nil
}

type orchestratorPlugin struct{ b behaviour }

func (p orchestratorPlugin) Describe() schema.Description {
	if p.b["capabilities"] == "none" {
		return p.b.describe(schema.Orchestrator)
	}
	return p.b.describe(schema.Orchestrator, schema.Preview, schema.Attach, schema.Cancel, schema.History, "tomorrow")
}

func (p orchestratorPlugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	return p.b.validate(cfg)
}

func (p orchestratorPlugin) Configure(
	_ context.Context, _ schema.Config, rt schema.Runtime,
) (orchestrator.Orchestrator, error) {
	if p.b["optional"] == "no" {
		return onlyOrchestrator{orchestratorWorld(p)}, p.b.configure(rt)
	}
	return orchestratorWorld(p), p.b.configure(rt)
}

// onlyOrchestrator hides the optional interfaces.
type onlyOrchestrator struct{ orchestrator.Orchestrator }

type orchestratorWorld struct{ b behaviour }

func (o orchestratorWorld) Probe(ctx context.Context) (schema.ProbeResult, error) {
	return o.b.probe(ctx)
}

func (o orchestratorWorld) ListApps(
	ctx context.Context, req orchestrator.ListRequest, yield func(orchestrator.App) error,
) error {
	if err := o.b.enterErr(ctx, "ListApps"); err != nil {
		return err
	}
	for _, name := range []string{"/a", "/b"} {
		if err := yield(orchestrator.App{ID: req.Scope + name, Healthy: -1, Images: []orchestrator.ContainerImage{{Image: "i:1"}}}); err != nil {
			return err
		}
	}
	return nil
}

func (o orchestratorWorld) Snapshot(ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
	if err := o.b.enterErr(ctx, "Snapshot"); err != nil {
		return nil, err
	}
	var out []orchestrator.Snapshot
	for i, app := range apps {
		out = append(out, orchestrator.Snapshot{App: app, Fingerprint: "f", Data: []byte(strings.Repeat("s", i*(1<<20)))})
	}
	if o.b["lose"] != "" {
		out = out[1:]
	}
	return out, nil
}

func (o orchestratorWorld) Deploy(
	ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event),
) error {
	return o.follow(ctx, "Deploy", emit)
}

func (o orchestratorWorld) Restore(
	ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event),
) error {
	for _, s := range req.Snapshots {
		emit(orchestrator.Event{Log: &orchestrator.Log{Level: "info", App: s.App, Message: fmt.Sprint(len(s.Data))}})
	}
	return o.follow(ctx, "Restore", emit)
}

func (o orchestratorWorld) Attach(
	ctx context.Context, req orchestrator.AttachRequest, emit func(orchestrator.Event),
) error {
	return o.follow(ctx, "Attach", emit)
}

func (o orchestratorWorld) follow(ctx context.Context, call string, emit func(orchestrator.Event)) error {
	if err := o.b.enterErr(ctx, call); err != nil {
		return err
	}
	emit(orchestrator.Event{Log: &orchestrator.Log{Level: "info", Message: "hunter22"}})
	emit(orchestrator.Event{Accepted: &orchestrator.Accepted{DeploymentID: "d1", Apps: []string{"/a"}}})
	if err := o.b.enterErr(ctx, call+"-accepted"); err != nil {
		return err
	}
	emit(orchestrator.Event{})
	emit(orchestrator.Event{Progress: &orchestrator.Progress{App: "/a", Ready: 1, Total: 2, Message: "wait"}})
	emit(orchestrator.Event{AppHealthy: &orchestrator.AppHealthy{App: "/a", Image: "i:1"}})
	emit(orchestrator.Event{AppFailed: &orchestrator.AppFailed{App: "/b", Fault: fault.New(fault.Doomed, "no image").On("i:2")}})
	if o.b["complete"] == "no" {
		return nil
	}
	emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
	return nil
}

func (o orchestratorWorld) Preview(ctx context.Context, _ orchestrator.DeployRequest) (orchestrator.PreviewResult, error) {
	return orchestrator.PreviewResult{Steps: []string{"one", "two"}}, o.b.enterErr(ctx, "Preview")
}

func (o orchestratorWorld) Cancel(ctx context.Context, _ orchestrator.CancelRequest) error {
	return o.b.enterErr(ctx, "Cancel")
}

func (o orchestratorWorld) ListRevisions(ctx context.Context, app string, yield func(orchestrator.Revision) error) error {
	if err := o.b.enterErr(ctx, "ListRevisions"); err != nil {
		return err
	}
	return yield(orchestrator.Revision{App: app, Version: "v1", Config: map[string]string{"a.b": "c"}})
}
