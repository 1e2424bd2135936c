package conformance_test

import (
	"context"
	"os"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/conformance/conformancetest"
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
		case "leaky":
			sdk.ServeOrchestrator(leaky())
		case "notify":
			sdk.ServeNotify(notifyfile.Plugin())
		}
		return
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

func TestTheReferenceOrchestratorPassesOverTheWire(t *testing.T) {
	target := conformance.OfHost(schema.Orchestrator, func(ctx context.Context, log hclog.Logger) (*host.Plugin, error) {
		return host.InProcessOrchestrator(ctx, orchestratorfile.Plugin(), host.Config{Logger: log})
	})
	conformancetest.Run(t, target, orchestratorFixture(t))
}

// leaky is the orchestrator that logs a secret.
func leaky() orchestrator.Plugin {
	p := leakyPlugin()
	p.Plugin = orchestratorfile.Plugin()
	return p
}

func TestASecretIsHeardThoughTheHostRedactsIt(t *testing.T) {
	report := conformance.Run(t.Context(), executable(t, schema.Orchestrator, "leaky"), orchestratorFixture(t))
	for _, res := range report.Results {
		if res.Name == "plugin/no-secrets-heard" && res.Outcome != conformance.Fail {
			t.Errorf("%s: %s %s", res.Name, res.Outcome, res.Message)
		}
	}
}
