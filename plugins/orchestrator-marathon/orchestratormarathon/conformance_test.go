package orchestratormarathon_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/orchestratormarathon"
	"github.com/rollback-project/rollback/sdk"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/conformance/conformancetest"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// servePlugin makes this test's executable the plugin.
const servePlugin = "serve-plugin"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == servePlugin {
		sdk.ServeOrchestrator(orchestratormarathon.New(quick()))
		return
	}
	os.Exit(m.Run())
}

// story is a Marathon whose time flies, with what the conformance suite wants of it.
func story(t *testing.T, opts marathontest.Options) (*marathontest.Server, conformance.Fixture) {
	t.Helper()
	opts.Auto = &marathontest.Auto{Speed: 100}
	opts.Basic = map[string]string{"ci": password}
	m := start(t, opts)
	for _, id := range []string{"/ds/prod/a", "/ds/prod/b", "/ds/prod2/a"} {
		add(t, m, id, "registry/"+id[len(id)-1:]+":2-master", nil)
	}
	m.Script(marathontest.Behaviour{App: "/ds/prod/a", Tag: "sick-master", Unhealthy: true})
	m.Script(marathontest.Behaviour{App: "/ds/prod/a", Tag: "crash-master", CrashLoop: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close()
	image := func(repo, tag string) string { return "registry/" + repo + ":" + tag }
	return m, conformance.Fixture{
		Config:      encode(t, block{"url": m.MarathonURL(), "poll_interval": "5ms", "username": "ci", "password": password}),
		Unreachable: encode(t, block{"url": nobody, "retries": 0}),
		Invalid: []conformance.InvalidConfig{
			{Config: encode(t, block{"url": "", "username": "ci", "password": password}), Paths: []string{"url"}},
			{Config: encode(t, block{"url": "marathon:8080", "timeout": "soon", "retries": 99}), Paths: []string{"url", "timeout", "retries"}},
		},
		WorkDir: t.TempDir(),
		Brief:   "300ms",
		Orchestrator: &conformance.OrchestratorFixture{
			Scope: "/ds/prod",
			Apps: []conformance.AppFixture{
				{
					ID: "/ds/prod/a", Good: []string{image("a", "2-master"), image("a", "1-master")},
					Unhealthy: image("a", "sick-master"), Doomed: image("a", "crash-master"),
					Digest: image("a", "1-master@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
				},
				{ID: "/ds/prod/b", Good: []string{image("b", "2-master"), image("b", "1-master")}},
			},
			MissingApp: "/ds/prod/none",
		},
	}
}

func TestConformance(t *testing.T) {
	for _, p := range marathontest.Profiles() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel() // most of it is waiting for time limits
			_, fixture := story(t, marathontest.Options{Profile: p})
			conformancetest.Run(t, conformance.OfOrchestrator(func() orchestrator.Plugin { return orchestratormarathon.New(quick()) }), fixture)
		})
	}
}

func TestConformanceOverTheWire(t *testing.T) {
	_, fixture := story(t, marathontest.Options{})
	conformancetest.Run(t, conformance.OfHost(schema.Orchestrator, func(ctx context.Context, log hclog.Logger) (*host.Plugin, error) {
		return host.InProcessOrchestrator(ctx, orchestratormarathon.New(quick()), host.Config{Logger: log})
	}), fixture)
}

func TestConformanceAsAProcess(t *testing.T) {
	_, fixture := story(t, marathontest.Options{})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := host.Config{Kind: schema.Orchestrator, Name: "marathon", Path: self, Args: []string{servePlugin}, Environ: os.Environ()}
	if env, err := exec.LookPath("env"); raceEnabled && err == nil {
		cfg.Path, cfg.Args = env, []string{"GORACE=atexit_sleep_ms=0", self, servePlugin}
	}
	conformancetest.Run(t, conformance.OfExecutable(cfg), fixture)
}

func encode(t *testing.T, b block) json.RawMessage { return blockConfig(t, b).JSON }
