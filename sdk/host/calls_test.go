package host_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// rpc is one call of a configured plugin, made with as little as it takes.
type rpc struct {
	name     string
	kind     schema.Kind
	changing bool
	call     func(context.Context, any) error
}

func quietly(orchestrator.Event) {}

// rpcs are all calls that come after Configure.
var rpcs = []rpc{
	{"Probe", schema.Notify, false, func(ctx context.Context, o any) error {
		_, err := o.(notify.Notifier).Probe(ctx)
		return err
	}},
	{"ListReleases", schema.Registry, false, func(ctx context.Context, o any) error {
		return o.(registry.Registry).ListReleases(ctx, registry.ListRequest{Repo: "a"}, func(registry.Item) error { return nil })
	}},
	{"Resolve", schema.Registry, false, func(ctx context.Context, o any) error {
		_, err := o.(registry.Registry).Resolve(ctx, registry.ResolveRequest{Repo: "a"})
		return err
	}},
	{"ListApps", schema.Orchestrator, false, func(ctx context.Context, o any) error {
		return o.(orchestrator.Orchestrator).ListApps(ctx, orchestrator.ListRequest{}, func(orchestrator.App) error { return nil })
	}},
	{"Snapshot", schema.Orchestrator, false, func(ctx context.Context, o any) error {
		_, err := o.(orchestrator.Orchestrator).Snapshot(ctx, []string{"/a"})
		return err
	}},
	{"Preview", schema.Orchestrator, false, func(ctx context.Context, o any) error {
		_, err := o.(orchestrator.Previewer).Preview(ctx, orchestrator.DeployRequest{})
		return err
	}},
	{"Deploy", schema.Orchestrator, true, func(ctx context.Context, o any) error {
		return o.(orchestrator.Orchestrator).Deploy(ctx, orchestrator.DeployRequest{}, quietly)
	}},
	{"Restore", schema.Orchestrator, true, func(ctx context.Context, o any) error {
		return o.(orchestrator.Orchestrator).Restore(ctx, orchestrator.RestoreRequest{}, quietly)
	}},
	{"Attach", schema.Orchestrator, false, func(ctx context.Context, o any) error {
		return o.(orchestrator.Attacher).Attach(ctx, orchestrator.AttachRequest{}, quietly)
	}},
	{"Cancel", schema.Orchestrator, true, func(ctx context.Context, o any) error {
		return o.(orchestrator.Canceler).Cancel(ctx, orchestrator.CancelRequest{DeploymentIDs: []string{"d1"}})
	}},
	{"ListRevisions", schema.Orchestrator, false, func(ctx context.Context, o any) error {
		return o.(orchestrator.Historian).ListRevisions(ctx, "/a", func(orchestrator.Revision) error { return nil })
	}},
	{"Notify", schema.Notify, false, func(ctx context.Context, o any) error {
		_, err := o.(notify.Notifier).Notify(ctx, notify.Request{})
		return err
	}},
}

// configure makes a plugin usable, whatever its kind.
func configure(t testing.TB, p *host.Plugin) any {
	t.Helper()
	object, err := tryConfigure(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func tryConfigure(ctx context.Context, p *host.Plugin) (any, error) {
	cfg := schema.Config{JSON: []byte(`{"path":"/","token":"hunter22","tls":{"key":"correct horse"}}`)}
	rt := schema.Runtime{UserAgent: "rollback/test", WorkDir: "/work", Parallelism: 3}
	switch p.Description().Kind {
	case schema.Registry:
		return p.Registry().Configure(ctx, cfg, rt)
	case schema.Orchestrator:
		return p.Orchestrator().Configure(ctx, cfg, rt)
	default:
		return p.Notify().Configure(ctx, cfg, rt)
	}
}

// inProcess connects to the fixture through gRPC in memory.
func inProcess(t testing.TB, kind schema.Kind, b behaviour, cfg host.Config) (*host.Plugin, error) {
	t.Helper()
	var p *host.Plugin
	var err error
	switch kind {
	case schema.Registry:
		p, err = host.InProcessRegistry(t.Context(), registryPlugin{b}, cfg)
	case schema.Orchestrator:
		p, err = host.InProcessOrchestrator(t.Context(), orchestratorPlugin{b}, cfg)
	default:
		p, err = host.InProcessNotify(t.Context(), notifyPlugin{b}, cfg)
	}
	if err == nil {
		t.Cleanup(p.Close)
	}
	return p, err
}

func connected(t testing.TB, kind schema.Kind, b behaviour) any {
	t.Helper()
	p, err := inProcess(t, kind, b, host.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return configure(t, p)
}

func TestEachCallWorks(t *testing.T) {
	for _, c := range rpcs {
		t.Run(c.name, func(t *testing.T) {
			if err := c.call(t.Context(), connected(t, c.kind, nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAFaultArrivesAsItWasMade(t *testing.T) {
	want := &fault.Fault{
		Code: fault.RateLimited, Message: "ask the remote system: too many requests \uFFFD[31m with (sensitive)",
		Subject: "https://example.com", Hint: "Wait.", RetryAfter: 3 * time.Second, Deployments: []string{"d1"},
	}
	for _, c := range rpcs {
		t.Run(c.name, func(t *testing.T) {
			err := c.call(t.Context(), connected(t, c.kind, behaviour{c.name: "fault"}))
			if diff := cmp.Diff(want, fault.Of(err)); diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestAnErrorThatIsNoFaultIsInternal(t *testing.T) {
	for _, c := range rpcs {
		for _, how := range []string{"error", "garbled"} {
			err := c.call(t.Context(), connected(t, c.kind, behaviour{c.name: how}))
			if fault.CodeOf(err) != fault.Internal {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func TestAPanicIsAFaultAndThePluginLivesOn(t *testing.T) {
	for _, c := range rpcs {
		t.Run(c.name, func(t *testing.T) {
			b := behaviour{c.name: "panic"}
			object := connected(t, c.kind, b)
			err := c.call(t.Context(), object)
			want := fault.Internal
			if c.changing {
				want = fault.Indeterminate
			}
			if fault.CodeOf(err) != want || !strings.Contains(err.Error(), "no such thing as "+c.name) {
				t.Error(fault.CodeOf(err), err)
			}
			delete(b, c.name)
			if err := c.call(t.Context(), object); err != nil {
				t.Error("it did not live on:", err)
			}
		})
	}
}

func TestACancelledCallEndsAtOnceAndInThePlugin(t *testing.T) {
	for _, c := range rpcs {
		t.Run(c.name, func(t *testing.T) {
			object := connected(t, c.kind, behaviour{c.name: "wait"}) // Close waits for the plugin's side to end
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			err := c.call(ctx, object)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if c.changing != fault.Is(err, fault.Indeterminate) {
				t.Error("a change that was sent must be Indeterminate, and nothing else:", fault.CodeOf(err))
			}
		})
	}
}

func TestNothingIsSentForACallThatIsCancelledAlready(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range rpcs {
		err := c.call(ctx, connected(t, c.kind, behaviour{c.name: "panic"}))
		if !errors.Is(err, context.Canceled) || fault.Of(err) != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestASilentPluginIsGivenUpOn(t *testing.T) {
	for _, c := range rpcs {
		if c.name == "Deploy" || c.name == "Restore" || c.name == "Attach" {
			continue // these may be silent as long as the apps may take; see below
		}
		p, err := inProcess(t, c.kind, behaviour{c.name: "wait"}, host.Config{IdleTimeout: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		err = c.call(t.Context(), configure(t, p))
		want := fault.Unavailable
		if c.changing {
			want = fault.Indeterminate
		}
		if fault.CodeOf(err) != want || !strings.Contains(err.Error(), "has given no answer for 20ms") {
			t.Errorf("%s: %s: %v", c.name, fault.CodeOf(err), err)
		}
	}
}

func TestADeploymentMayBeSilentUntilItsTimeIsOver(t *testing.T) {
	p, err := inProcess(t, schema.Orchestrator, behaviour{"Deploy-accepted": "wait"}, host.Config{
		IdleTimeout: time.Nanosecond, SettleTime: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := configure(t, p).(orchestrator.Orchestrator)
	err = o.Deploy(t.Context(), orchestrator.DeployRequest{Timeout: 30 * time.Millisecond}, quietly)
	f := fault.Of(err)
	if f == nil || f.Code != fault.Indeterminate || !strings.Contains(f.Message, "40ms") {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"d1"}, f.Deployments); diff != "" {
		t.Error("the deployments that were accepted are not named:", diff)
	}
}

func TestEventsArriveInOrderWithoutSecrets(t *testing.T) {
	o := connected(t, schema.Orchestrator, nil).(orchestrator.Orchestrator)
	var got []orchestrator.Event
	collect := func(e orchestrator.Event) { got = append(got, e) }
	if err := o.Deploy(t.Context(), orchestrator.DeployRequest{}, collect); err != nil {
		t.Fatal(err)
	}
	want := []orchestrator.Event{
		{Log: &orchestrator.Log{Level: "info", Message: "(sensitive)"}},
		{Accepted: &orchestrator.Accepted{DeploymentID: "d1", Apps: []string{"/a"}}},
		{Progress: &orchestrator.Progress{App: "/a", Ready: 1, Total: 2, Message: "wait"}},
		{AppHealthy: &orchestrator.AppHealthy{App: "/a", Image: "i:1"}},
		{AppFailed: &orchestrator.AppFailed{App: "/b", Fault: &fault.Fault{Code: fault.Doomed, Message: "no image", Subject: "i:2"}}},
		{Completed: &orchestrator.Completed{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestALargeRestoreArrivesWhole(t *testing.T) {
	o := connected(t, schema.Orchestrator, nil).(orchestrator.Orchestrator)
	snapshots, err := o.Snapshot(t.Context(), []string{"/a", "/b", "/c", "/d"})
	if err != nil {
		t.Fatal(err)
	}
	for range 6 { // more than one message may hold
		snapshots = append(snapshots, snapshots[3])
	}
	var sizes []string
	err = o.Restore(t.Context(), orchestrator.RestoreRequest{Snapshots: snapshots}, func(e orchestrator.Event) {
		if e.Log != nil && e.Log.App != "" {
			sizes = append(sizes, e.Log.App+" "+e.Log.Message)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/a 0", "/b 1048576", "/c 2097152", "/d 3145728"}
	if diff := cmp.Diff(want, sizes[:4]); diff != "" || len(sizes) != 10 {
		t.Error(len(sizes), diff)
	}
}

func TestADeploymentThatDoesNotSayHowItEndedIsIndeterminate(t *testing.T) {
	o := connected(t, schema.Orchestrator, behaviour{"complete": "no"}).(orchestrator.Orchestrator)
	err := o.Deploy(t.Context(), orchestrator.DeployRequest{}, quietly)
	if f := fault.Of(err); f == nil || f.Code != fault.Indeterminate || !strings.Contains(f.Message, "O14") {
		t.Error(err)
	}
}

func TestAListThatLostSomethingIsAnError(t *testing.T) {
	for _, tc := range []struct {
		name string
		rpc  string
		b    behaviour
		rule string
	}{
		{"a release", "ListReleases", behaviour{"lose": "yes"}, "R2"},
		{"its head", "ListReleases", behaviour{"head": "no"}, "R1"},
		{"everything", "ListReleases", behaviour{"head": "no", "tags": "0"}, "R1"},
		{"a snapshot", "Snapshot", behaviour{"lose": "yes"}, "O6"},
		{"an item that is too large", "ListReleases", behaviour{"huge": "yes"}, "P19"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range rpcs {
				if c.name != tc.rpc {
					continue
				}
				err := c.call(t.Context(), connected(t, c.kind, tc.b))
				if fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), tc.rule) {
					t.Error(err)
				}
			}
		})
	}
}

func TestAHostThatHasEnoughGetsItsOwnErrorBack(t *testing.T) {
	reg := connected(t, schema.Registry, behaviour{"tags": "100000"}).(registry.Registry)
	enough := errors.New("enough")
	seen := 0
	err := reg.ListReleases(t.Context(), registry.ListRequest{}, func(registry.Item) error {
		if seen++; seen == 10 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || fault.Of(err) != nil || seen != 10 {
		t.Error(seen, err)
	}
}

func TestAHundredThousandTagsArrive(t *testing.T) {
	reg := connected(t, schema.Registry, behaviour{"tags": "100000"}).(registry.Registry)
	seen := 0
	err := reg.ListReleases(t.Context(), registry.ListRequest{}, func(registry.Item) error { seen++; return nil })
	if err != nil || seen != 100_001 {
		t.Error(seen, err)
	}
}

func TestWhatIsNotDeclaredIsNotCalled(t *testing.T) {
	object := connected(t, schema.Orchestrator, behaviour{
		"capabilities": "none", "Preview": "panic", "Attach": "panic", "Cancel": "panic", "ListRevisions": "panic",
	})
	for _, c := range rpcs {
		switch c.name {
		case "Preview", "Attach", "Cancel", "ListRevisions":
			if err := c.call(t.Context(), object); !fault.Is(err, fault.Unsupported) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func TestADeclaredCapabilityThatIsNotImplementedIsADefect(t *testing.T) {
	p, err := inProcess(t, schema.Orchestrator, behaviour{"optional": "no"}, host.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tryConfigure(t.Context(), p)
	if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "orchestrator.Previewer") {
		t.Error(err)
	}
}

func TestConfigureIsCalledOnce(t *testing.T) {
	p, err := inProcess(t, schema.Notify, nil, host.Config{})
	if err != nil {
		t.Fatal(err)
	}
	configure(t, p)
	if _, err := tryConfigure(t.Context(), p); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func TestAConfigurationThatIsNoJSONDoesNotReachTheAuthor(t *testing.T) {
	p, err := inProcess(t, schema.Notify, nil, host.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if ds := p.Notify().ValidateConfig(schema.Config{JSON: []byte(`{"path":`)}); !ds.HasErrors() {
		t.Error(ds)
	}
	if _, err := p.Notify().Configure(t.Context(), schema.Config{JSON: []byte(`{`)}, schema.Runtime{}); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func TestDiagnosticsKeepTheirPathsAndLoseSecrets(t *testing.T) {
	for _, kind := range []schema.Kind{schema.Registry, schema.Orchestrator, schema.Notify} {
		p, err := inProcess(t, kind, nil, host.Config{})
		if err != nil {
			t.Fatal(err)
		}
		validate := map[schema.Kind]func(schema.Config) []string{
			schema.Registry: func(c schema.Config) (out []string) {
				for _, d := range p.Registry().ValidateConfig(c) {
					out = append(out, string(d.Severity)+" "+d.Path.String()+" "+d.Detail)
				}
				return out
			},
			schema.Orchestrator: func(c schema.Config) (out []string) {
				for _, d := range p.Orchestrator().ValidateConfig(c) {
					out = append(out, string(d.Severity)+" "+d.Path.String()+" "+d.Detail)
				}
				return out
			},
			schema.Notify: func(c schema.Config) (out []string) {
				for _, d := range p.Notify().ValidateConfig(c) {
					out = append(out, string(d.Severity)+" "+d.Path.String()+" "+d.Detail)
				}
				return out
			},
		}[kind]
		got := validate(schema.Config{JSON: []byte(`{"path":"","token":"hunter22"}`)})
		want := []string{"error path Set path; the token is (sensitive).", "warning tls.key It is old."}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(kind, diff)
		}
	}
}

func TestAClosedPluginRefusesCalls(t *testing.T) {
	p, err := inProcess(t, schema.Notify, nil, host.Config{})
	if err != nil {
		t.Fatal(err)
	}
	n := configure(t, p).(notify.Notifier)
	p.Close()
	_, err = n.Notify(t.Context(), notify.Request{})
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, host.ErrEnded) {
		t.Error(err)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	p, err := inProcess(t, schema.Orchestrator, behaviour{"Deploy-accepted": "wait"}, host.Config{})
	if err != nil {
		t.Fatal(err)
	}
	o := configure(t, p).(orchestrator.Orchestrator)
	accepted, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- o.Deploy(t.Context(), orchestrator.DeployRequest{}, func(e orchestrator.Event) {
			if e.Accepted != nil {
				close(accepted)
			}
		})
	}()
	<-accepted
	go p.Close()
	if err := <-ended; !fault.Is(err, fault.Indeterminate) {
		t.Error(err)
	}
}
