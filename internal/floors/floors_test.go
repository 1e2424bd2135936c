package floors

import (
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rules on the whole module.
func TestTheHouseStands(t *testing.T) {
	const root = "../.."
	house := Rollback()
	gomod, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(gomod), "module "+house.Module+"\n") {
		t.Fatalf("go.mod is not of module %s", house.Module)
	}
	packages, err := Read(t.Context(), root, house.Module)
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) == 0 {
		t.Fatal("go list found no packages")
	}
	for _, sentence := range house.Check(packages) {
		t.Error(sentence)
	}
}

func TestThePatternsAreWellFormed(t *testing.T) {
	house := Rollback()
	patterns := append([]string{}, house.Mains...)
	patterns = append(patterns, testSees...)
	for _, r := range house.Rows {
		patterns = append(append(patterns, r.Pattern), r.Sees...)
	}
	for _, g := range house.Guests {
		patterns = append(append(patterns, g.Import), g.Hosts...)
	}
	for _, p := range patterns {
		if _, err := path.Match(strings.TrimSuffix(p, "/..."), "x"); err != nil {
			t.Errorf("pattern %q: %v", p, err)
		}
	}
}

// file is a file of a fake package, with imports that are relative to the
// module where their first folder is one of ours.
func file(name string, imports ...string) File {
	f := File{Name: name, Test: strings.HasSuffix(name, "_test.go"), Lines: 10}
	for _, i := range imports {
		switch first, _, _ := strings.Cut(i, "/"); first {
		case "cmd", "core", "examples", "internal", "plugins", "policies", "sdk":
			i = Rollback().Module + "/" + i
		}
		f.Imports = append(f.Imports, i)
	}
	return f
}

func TestCheckSaysWhatBreaksARule(t *testing.T) {
	for _, tc := range []struct {
		name     string
		packages []Package
		want     []string
	}{
		{
			name: "imports from lower floors are fine",
			packages: []Package{
				{"sdk/diag", []File{file("diag.go", "fmt")}},
				{"sdk", []File{file("sdk.go", "sdk/diag", "sdk/internal/wire", "google.golang.org/grpc")}},
				{"core/plan", []File{file("plan.go", "core/point", "sdk/diag")}},
				{"plugins/registry-docker", []File{file("main.go", "sdk", "plugins/registry-docker/docker")}},
				{"cmd/rollback", []File{file("main.go", "internal/cli", "plugins/registry-docker/docker")}},
			},
		},
		{
			name:     "an import from a higher floor is refused with both floors",
			packages: []Package{{"core/point", []File{file("point.go", "core/plan")}}},
			want:     []string{"core/point (floor 8) imports core/plan (floor 9): move the type down, or let a higher floor pass it in"},
		},
		{
			name:     "neighbours on a floor do not import each other",
			packages: []Package{{"core/apply", []File{file("apply.go", "core/state")}}},
			want:     []string{"core/apply imports core/state on its own floor 11: move what both need down, or let a higher floor pass it in"},
		},
		{
			name: "the packages of one tree may import each other",
			packages: []Package{
				{"sdk/internal/server", []File{file("server.go", "sdk/internal/wire")}},
				{"core/backend", []File{file("backend.go", "core/backend/pluginlock")}},
				{"internal/view", []File{file("view.go", "internal/view/live")}},
			},
		},
		{
			name:     "a test may look upwards",
			packages: []Package{{"core/point", []File{file("point_test.go", "core/plan")}}},
		},
		{
			name:     "a package without a floor is named",
			packages: []Package{{"internal/attic", []File{file("attic.go", "core")}}},
			want:     []string{"internal/attic stands on no floor: give it one in internal/floors/table.go"},
		},
		{
			name:     "the sdk imports nothing of ours, not even from a floor as low as its own",
			packages: []Package{{"sdk/host", []File{file("host.go", "internal/buildinfo")}}},
			want:     []string{"sdk/host imports internal/buildinfo: it may see only sdk/... of ours"},
		},
		{
			name:     "the engine never sees what people see",
			packages: []Package{{"core", []File{file("core.go", "internal/term")}}},
			want:     []string{"core (floor 13) imports internal/term (floor 14): move the type down, or let a higher floor pass it in"},
		},
		{
			name: "a plugin sees neither the engine nor another plugin, in its tests neither",
			packages: []Package{
				{"plugins/notify-slack/slack", []File{
					file("slack.go", "core/event"),
					file("slack_test.go", "plugins/registry-docker/docker"),
				}},
			},
			want: []string{
				"plugins/notify-slack/slack imports core/event: it may see only sdk/... of ours",
				"plugins/notify-slack/slack imports plugins/registry-docker/docker: it may see only sdk/... of ours",
			},
		},
		{
			name: "tests of the sdk may run the reference plugins",
			packages: []Package{
				{"sdk/conformance", []File{file("conformance_test.go", "plugins/registry-file/registryfile")}},
			},
		},
		{
			name: "the fake Marathon is for the sandbox and for tests",
			packages: []Package{
				{"internal/sandbox", []File{file("sandbox.go", "plugins/orchestrator-marathon/marathontest")}},
				{"plugins/orchestrator-marathon/marathon", []File{
					file("client.go", "plugins/orchestrator-marathon/marathontest"),
					file("client_test.go", "plugins/orchestrator-marathon/marathontest"),
				}},
			},
			want: []string{"plugins/orchestrator-marathon/marathon imports plugins/orchestrator-marathon/marathontest, which only internal/sandbox/... may: a fake remote system is for tests and the sandbox"},
		},
		{
			name:     "plugins are reached through the protocol, not by import",
			packages: []Package{{"internal/cli", []File{file("cli.go", "plugins/registry-docker/docker")}}},
			want:     []string{"internal/cli imports plugins/registry-docker/docker, which only cmd/*, internal/docsgen may: plugins are chosen in one table, in main, and reached through the protocol"},
		},
		{
			name: "a library stays with its hosts",
			packages: []Package{
				{"core/policy", []File{file("policy.go", "github.com/hashicorp/hcl/v2/hclparse")}},
				{"core/plan", []File{file("plan.go", "github.com/hashicorp/hcl/v2")}},
				{"internal/view", []File{file("view.go", "charm.land/bubbletea/v2")}},
				{"internal/view/live", []File{file("live.go", "charm.land/bubbletea/v2")}},
			},
			want: []string{
				"core/plan imports github.com/hashicorp/hcl/v2, which only core/policy/..., core/backend/pluginlock may: the policy is the only place of policy; the rest of the engine sees values",
				"internal/view imports charm.land/bubbletea/v2, which only internal/view/live may: one package draws live",
			},
		},
		{
			name: "names that say nothing are refused",
			packages: []Package{
				{"internal/view/util", []File{file("helpers.go")}},
			},
			want: []string{
				"internal/view/util is named \"util\", which says nothing: name it after the one thing it owns",
				"internal/view/util/helpers.go has a name that says nothing: name it after what stands in it",
			},
		},
		{
			name: "deep folders are for generated code",
			packages: []Package{
				{"internal/view/live/spinner", []File{file("spinner.go")}},
				{"sdk/internal/pluginpb/v2", []File{file("doc.go"), {Name: "x.pb.go", Generated: true, Lines: 9000, Inits: []int{7}}}},
			},
			want: []string{"internal/view/live/spinner is 4 folders deep, at most 3: a package so far down is part of the one above it, or a neighbour"},
		},
		{
			name: "init functions are refused, in tests too",
			packages: []Package{
				{"core/plan", []File{
					{Name: "plan.go", Inits: []int{12}},
					{Name: "plan_test.go", Test: true, Inits: []int{3}},
				}},
			},
			want: []string{
				"core/plan/plan.go has an init function in line 12: nothing happens because of an import; let main call it",
				"core/plan/plan_test.go has an init function in line 3: nothing happens because of an import; let main call it",
			},
		},
		{
			name: "only main ends the process and reads its arguments",
			packages: []Package{
				{"internal/cli", []File{{Name: "cli.go", MainOnly: []string{"os.Exit in line 4"}}}},
				{"cmd/rollback", []File{{Name: "main.go", MainOnly: []string{"os.Exit in line 4"}}}},
				{"core", []File{{Name: "core_test.go", Test: true, MainOnly: []string{"os.Args in line 4"}}}},
			},
			want: []string{"internal/cli/cli.go uses os.Exit in line 4: arguments and the exit code belong to main; take and return values"},
		},
		{
			name: "long files are split, tests and generated code aside",
			packages: []Package{
				{"core/plan", []File{
					{Name: "plan.go", Lines: 501},
					{Name: "order.go", Lines: 500},
					{Name: "plan_test.go", Test: true, Lines: 2000},
				}},
			},
			want: []string{"core/plan/plan.go has 501 lines, at most 500: split it by noun, or list it with a reason in internal/floors/table.go"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Rollback().Check(tc.packages)); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLongFilesAreListedOnlyWithAReasonAndOnlyWhileTheyAreLong(t *testing.T) {
	house := Rollback()
	house.LongFiles = map[string]string{
		"core/plan/table.go": "one table, split nowhere",
		"core/plan/plan.go":  "",
		"core/plan/order.go": "was long once",
	}
	got := house.Check([]Package{{"core/plan", []File{
		{Name: "table.go", Lines: 900},
		{Name: "plan.go", Lines: 900},
		{Name: "order.go", Lines: 90},
	}}})
	want := []string{
		"core/plan/order.go has 90 lines: take it off the list of long files",
		"core/plan/plan.go is listed as a long file without a reason",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Check (-want +got):\n%s", diff)
	}
}

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		tree          string
		ok            bool
	}{
		{"core/plan", "core/plan", "", true},
		{"core/plan", "core/planner", "", false},
		{"core/plan", "core/plan/file", "", false},
		{"core", "core/plan", "", false},
		{"sdk/internal/...", "sdk/internal", "sdk/internal", true},
		{"sdk/internal/...", "sdk/internal/wire", "sdk/internal", true},
		{"sdk/internal/...", "sdk/internals", "", false},
		{"plugins/*/...", "plugins/registry-file/file", "plugins/registry-file", true},
		{"plugins/*/...", "plugins", "", false},
		{"cmd/*", "cmd/rollback", "", true},
		{"cmd/*", "cmd/rollback/deeper", "", false},
	} {
		t.Run(tc.pattern+" and "+tc.name, func(t *testing.T) {
			tree, ok := match(tc.pattern, tc.name)
			if ok != tc.ok || ok && tree != tc.tree {
				t.Errorf("match = %q, %t, want %q, %t", tree, ok, tc.tree, tc.ok)
			}
		})
	}
}

func TestParseFileFindsWhatTheRulesAskFor(t *testing.T) {
	for _, tc := range []struct {
		name, src string
		want      File
	}{
		{
			name: "main.go",
			src: `package main

import (
	"fmt"
	system "os"
)

func init() { fmt.Println(system.Args) }

type t struct{}

func (t) init() {}

func main() { system.Exit(0) }
`,
			want: File{
				Name: "main.go", Lines: 14, Imports: []string{"fmt", "os"}, Inits: []int{8},
				MainOnly: []string{"os.Args in line 8", "os.Exit in line 14"},
			},
		},
		{
			name: "x.pb.go",
			src:  "// Code generated by protoc-gen-go. DO NOT EDIT.\n\npackage x\n",
			want: File{Name: "x.pb.go", Generated: true, Lines: 3},
		},
		{
			name: "x_test.go",
			src:  "package x\n\nvar os struct{ Args int }\n\nvar _ = os.Args\n",
			want: File{Name: "x_test.go", Test: true, Lines: 5},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseFile(tc.name, []byte(tc.src))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("parseFile (-want +got):\n%s", diff)
			}
		})
	}
}
