package floors

// testSees is what the tests of the sdk and of the plugins may import beyond
// what their code sees: the reference plugins, to run them for real.
var testSees = []string{"plugins/registry-file/...", "plugins/orchestrator-file/...", "plugins/notify-file/..."}

// Rollback is this project's house. The numbers of the floors mean nothing but
// their order.
func Rollback() House {
	return House{
		Module: "github.com/rollback-project/rollback",
		Rows:   rows(),
		Guests: guests(),
		// sdk.go is what the main function of every plugin consists of.
		Mains: []string{"cmd/*/*.go", "plugins/*/main.go", "internal/docsgen/*.go", "sdk/sdk.go"},
		Unnamed: []string{
			"base", "common", "helper", "helpers", "lib", "manager", "misc", "models",
			"shared", "types", "util", "utils",
		},
		MaxLines:  500,
		LongFiles: map[string]string{},
		MaxDepth:  3,
	}
}

// rows is the table of floors, from the ground up.
func rows() []Row {
	sdk := []string{"sdk/..."}
	return []Row{
		// Public, for plugin authors: imports nothing of ours.
		{0, "sdk/diag", sdk},
		{0, "sdk/fault", sdk},
		{0, "sdk/schema", sdk},
		{1, "sdk/registry", sdk},
		{1, "sdk/orchestrator", sdk},
		{1, "sdk/notify", sdk},
		{2, "sdk/internal/pluginpb", sdk},
		{3, "sdk/internal/...", sdk},
		{4, "sdk", sdk},
		{5, "sdk/host/...", sdk},
		{6, "sdk/conformance/...", sdk},

		// The engine.
		{6, "core/event", nil},
		{7, "core/policy/...", nil},
		{7, "core/demand", nil},
		{8, "core/point", nil},
		{9, "core/plan/...", nil},
		{10, "core/journal", nil},
		{11, "core/state/...", nil},
		{11, "core/apply", nil},
		{11, "core/gate", nil},
		{12, "core/notice", nil},
		{11, "core/backend/...", nil},
		{13, "core", nil},

		// Each plugin sees the sdk and itself.
		{13, "plugins/*/...", sdk},

		// What people see.
		{0, "internal/buildinfo", nil},
		{0, "internal/floors", nil},
		{14, "internal/term", nil},
		{14, "policies", nil},
		{15, "internal/view/...", nil},
		{16, "internal/report", nil},
		{17, "internal/cli", nil},
		{18, "internal/ansible", nil},
		{15, "internal/sandbox/...", nil},
		{14, "internal/slackreceiver", nil},
		{18, "internal/docsgen", nil},
		{19, "cmd/*", nil},
		{20, "examples/...", nil},
	}
}

// guests are the imports that are confined to a few packages.
func guests() []Guest {
	return []Guest{
		{
			"plugins/*/marathontest",
			[]string{"internal/sandbox/..."},
			"a fake remote system is for tests and the sandbox",
		},
		{
			"plugins/*/...",
			[]string{"cmd/*", "internal/docsgen"},
			"plugins are chosen in one table, in main, and reached through the protocol",
		},
		{
			"github.com/hashicorp/hcl/v2/...",
			[]string{"core/policy/...", "core/backend/pluginlock"},
			"the policy is the only place of policy; the rest of the engine sees values",
		},
		{
			"github.com/hashicorp/go-plugin/...",
			[]string{"sdk/..."},
			"what runs plugins is hidden behind sdk and sdk/host",
		},
		{
			"google.golang.org/grpc/...",
			[]string{"sdk/..."},
			"neither engine nor plugin authors see gRPC",
		},
		{
			"google.golang.org/protobuf/...",
			[]string{"sdk/..."},
			"neither engine nor plugin authors see protobuf",
		},
		{
			"modernc.org/sqlite/...",
			[]string{"core/state/..."},
			"the rest of the engine knows operations, not databases",
		},
		{
			"github.com/jackc/pgx/v5/...",
			[]string{"core/state/..."},
			"the rest of the engine knows operations, not databases",
		},
		{
			"github.com/pressly/goose/v3/...",
			[]string{"core/state"},
			"migrations are the state's own affair",
		},
		{
			"github.com/spf13/cobra/...",
			[]string{"internal/cli", "internal/docsgen", "cmd/*"},
			"flags become an options struct in internal/cli",
		},
		{
			"charm.land/bubbletea/v2/...",
			[]string{"internal/view/live"},
			"one package draws live",
		},
		{
			"charm.land/huh/v2/...",
			[]string{"internal/view/..."},
			"only views ask people",
		},
		{
			"charm.land/lipgloss/v2/...",
			[]string{"internal/view/...", "internal/term"},
			"only views draw",
		},
		{
			"github.com/slack-go/slack/...",
			[]string{"plugins/notify-slack/..."},
			"the library is confined to its plugin",
		},
		{
			"github.com/google/go-containerregistry/...",
			[]string{"plugins/registry-docker/...", "internal/sandbox/..."},
			"the library is confined to its plugin, and the sandbox seeds a registry",
		},
	}
}
