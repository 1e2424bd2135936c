package conformance_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/conformance/conformancetest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// TestMain lets the test binary play the plugins, so that processes are checked without building any.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "serve-plugin" {
		switch os.Args[2] {
		case "registry":
			sdk.ServeRegistry(registryfile.Plugin())
		case "orchestrator":
			sdk.ServeOrchestrator(orchestratorfile.Plugin())
		case "notify":
			sdk.ServeNotify(notifyfile.Plugin())
		}
		// An ordinary end takes a second under the race detector, and there are hundreds of processes.
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {}
	}
	os.Exit(m.Run())
}

// executable is this test as a plugin.
func executable(t *testing.T, kind schema.Kind, play string) conformance.Target {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return conformance.OfExecutable(host.Config{
		Kind: kind, Name: "file", Path: self, Args: []string{"serve-plugin", play}, Environ: os.Environ(),
	})
}

func TestTheReferencePluginsPassAsProcesses(t *testing.T) {
	t.Run("registry", func(t *testing.T) {
		conformancetest.Run(t, executable(t, schema.Registry, "registry"), registryFixture(t))
	})
	t.Run("orchestrator", func(t *testing.T) {
		conformancetest.Run(t, executable(t, schema.Orchestrator, "orchestrator"), orchestratorFixture(t))
	})
	t.Run("notify", func(t *testing.T) {
		conformancetest.Run(t, executable(t, schema.Notify, "notify"), notifyFixture(t))
	})
}

// onTheWire is a plugin of this process, through real gRPC.
func onTheWire(p orchestrator.Plugin) conformance.Target {
	return conformance.OfHost(schema.Orchestrator, func(ctx context.Context, log hclog.Logger) (*host.Plugin, error) {
		return host.InProcessOrchestrator(ctx, p, host.Config{Logger: log})
	})
}

func TestTheReferenceOrchestratorPassesOverTheWire(t *testing.T) {
	conformancetest.Run(t, onTheWire(orchestratorfile.Plugin()), orchestratorFixture(t))
}

func TestASecretIsHeardThoughTheHostRedactsIt(t *testing.T) {
	leaky := leakyPlugin()
	leaky.Plugin = orchestratorfile.Plugin()
	report := conformance.Run(t.Context(), onTheWire(leaky), orchestratorFixture(t))
	var failed []string
	for _, res := range report.Results {
		if res.Outcome == conformance.Fail {
			failed = append(failed, res.Name)
		}
	}
	if d := cmp.Diff([]string{"plugin/no-secrets-heard"}, failed); d != "" {
		t.Error(d)
	}
}

func TestAScriptedCrashEndsTheProcessAndTheDeploymentGoesOn(t *testing.T) {
	f := orchestratorFixture(t)
	path := filepath.Join(f.WorkDir, "world.json")
	crashing := strings.Replace(world, `"failures": [`, `"failures": [{"call": "deploy", "do": "crash", "at": "unanswered"},`, 1)
	if err := os.WriteFile(path, []byte(crashing), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() orchestrator.Orchestrator {
		p, end, err := executable(t, schema.Orchestrator, "orchestrator").Orchestrator(t.Context(), hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(end)
		rt := schema.Runtime{Logger: hclog.NewNullLogger(), WorkDir: f.WorkDir, Parallelism: 1}
		o, err := p.Configure(t.Context(), schema.Config{JSON: config(t, map[string]any{"path": "world.json", "tick": "2ms"})}, rt)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	changes := []orchestrator.Change{{App: "/ds/prod/a", To: "r/a:1-master"}}
	err := start().Deploy(t.Context(), orchestrator.DeployRequest{OperationID: "op", Changes: changes}, func(orchestrator.Event) {})
	if !fault.Is(err, fault.Indeterminate) || !errors.Is(err, host.ErrEnded) {
		t.Errorf("the crash is %v", err)
	}
	next := start().(orchestrator.Attacher)
	if err := next.Attach(t.Context(), orchestrator.AttachRequest{OperationID: "op", Changes: changes}, func(orchestrator.Event) {}); err != nil {
		t.Error(err)
	}
}
