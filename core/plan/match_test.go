package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

const registryHost = "registry.example.com:5000"

// app is an app with unnamed or, as "name=image", named containers.
func app(id string, images ...string) orchestrator.App {
	a := orchestrator.App{ID: id, Kind: "app", Version: "v1", Fingerprint: "f1"}
	for _, im := range images {
		name, image, named := strings.Cut(im, "=")
		if !named {
			name, image = "", im
		}
		a.Images = append(a.Images, orchestrator.ContainerImage{Container: name, Image: image})
	}
	return a
}

func named(names ...string) []point.Repo {
	var out []point.Repo
	for _, n := range names {
		out = append(out, point.Repo{Name: n, Repository: registryHost + "/" + n, Complete: true})
	}
	return out
}

// found renders targets as "repo app[container] tag".
func found(ms []plan.Matched) []string {
	out := []string{}
	for _, m := range ms {
		for _, t := range m.Targets {
			s := m.Repo + " " + t.App.ID
			if t.Container != "" {
				s += "[" + t.Container + "]"
			}
			out = append(out, s+" "+t.Ref.Tag)
		}
	}
	return out
}

func texts(ds diag.Diagnostics) []string {
	out := []string{}
	for _, d := range ds {
		out = append(out, fmt.Sprintf("%s %s: %s: %s", d.Severity, d.Address, d.Summary, d.Detail))
	}
	return out
}

// contains checks that each diagnostic has the text of the same place.
func contains(t *testing.T, ds diag.Diagnostics, want ...string) {
	t.Helper()
	have := texts(ds)
	if len(have) != len(want) {
		t.Errorf("%d diagnostics, want %d:\n%s", len(have), len(want), strings.Join(have, "\n"))
		return
	}
	for i := range want {
		if !strings.Contains(have[i], want[i]) {
			t.Errorf("%s\nlacks %q", have[i], want[i])
		}
	}
}

func TestMatch(t *testing.T) {
	r := registryHost
	byID := policy.Repo{Name: "api", Match: policy.MatchID}
	tests := []struct {
		name  string
		rule  policy.Repo
		apps  []orchestrator.App
		want  []string
		fails []string
	}{
		{
			name: "by image, every app that runs the repo, sorted", rule: policy.Repo{Name: "api"},
			apps: []orchestrator.App{app("/ds/prod/worker", r+"/api:9-master"), app("/ds/prod/api", r+"/api:12-master"), app("/ds/prod/x", r+"/public-api:1-master")},
			want: []string{"api /ds/prod/api 12-master", "api /ds/prod/worker 9-master"},
		},
		{
			name: "by image, whatever else an app runs", rule: policy.Repo{Name: "api"},
			apps: []orchestrator.App{app("/ds/prod/pod", "side="+r+"/proxy:1", "main="+r+"/api:2-master", "also="+r+"/api:3-master", "odd=UPPER:CASE:")},
			want: []string{"api /ds/prod/pod[main] 2-master", "api /ds/prod/pod[also] 3-master"},
		},
		{
			name: "by image, one container only", rule: policy.Repo{Name: "api", Container: "also"},
			apps: []orchestrator.App{app("/ds/prod/pod", "main="+r+"/api:2-master", "also="+r+"/api:3-master")},
			want: []string{"api /ds/prod/pod[also] 3-master"},
		},
		{
			name: "a container that nobody has", rule: policy.Repo{Name: "api", Container: "none"},
			apps:  []orchestrator.App{app("/ds/prod/pod", "main="+r+"/api:2-master")},
			fails: []string{"error repo.api: No app runs the repo: No app in scope /ds/prod runs registry.example.com:5000/api in a container named none. Seen: /ds/prod/pod (registry.example.com:5000/api:2-master)."},
		},
		{
			name: "what lies outside the scope is not looked at", rule: policy.Repo{Name: "api"},
			apps:  []orchestrator.App{app("/ds/prod2/api", r+"/api:2-master"), app("/ds/prod", r+"/other:1")},
			fails: []string{"No app in scope /ds/prod runs registry.example.com:5000/api. Seen: /ds/prod (registry.example.com:5000/other:1)."},
		},
		{
			name: "nothing at all was seen", rule: policy.Repo{Name: "api"},
			fails: []string{"Seen: no app at all."},
		},
		{
			name: "the repo from another registry", rule: policy.Repo{Name: "api"},
			apps:  []orchestrator.App{app("/ds/prod/api", "mirror.example.com/api:2-master"), app("/ds/prod/b", r+"/b:1")},
			fails: []string{"App runs the repo from another registry: The policy's registry has api as registry.example.com:5000/api, but /ds/prod/api runs mirror.example.com/api:2-master."},
		},
		{
			name: "also where another app is as it should be", rule: policy.Repo{Name: "api"},
			apps:  []orchestrator.App{app("/ds/prod/api", r+"/api:2-master"), app("/ds/prod/b", "api:1")},
			want:  []string{"api /ds/prod/api 2-master"},
			fails: nil, // docker.io/library/api is another path
		},
		{
			name: "by image and foreign at once", rule: policy.Repo{Name: "api"},
			apps:  []orchestrator.App{app("/ds/prod/api", r+"/api:2-master"), app("/ds/prod/b", "other:5000/api:1")},
			want:  []string{"api /ds/prod/api 2-master"},
			fails: []string{"/ds/prod/b runs other:5000/api:1"},
		},
		{
			name: "by id, whole segments only", rule: byID,
			apps: []orchestrator.App{app("/ds/prod/api", r+"/api:1-master"), app("/ds/prod/public-api", r+"/api:2-master"), app("/ds/prod/team/api", r+"/api:3-master"), app("/ds/prod/api/x", r+"/api:4-master")},
			want: []string{"api /ds/prod/api 1-master", "api /ds/prod/team/api 3-master"},
		},
		{
			name: "by id, but running something else", rule: byID,
			apps:  []orchestrator.App{app("/ds/prod/api", "nginx:1.2")},
			fails: []string{"App runs another image: /ds/prod/api is to be an app of api, but does not run registry.example.com:5000/api. It runs nginx:1.2."},
		},
		{
			name: "by id, but nobody has it", rule: byID,
			apps:  []orchestrator.App{app("/ds/prod/public-api", r+"/api:2-master")},
			fails: []string{"No app in scope /ds/prod has an id that ends in /api. Seen: /ds/prod/public-api"},
		},
		{
			name: "named apps win, absolute or relative to the scope, each once", rule: policy.Repo{Name: "api", Match: policy.MatchID, Apps: []string{"/ds/prod/z", "blue", "/ds/prod/blue"}},
			apps: []orchestrator.App{app("/ds/prod/api", r+"/api:1-master"), app("/ds/prod/z", r+"/api:2-master"), app("/ds/prod/blue", r+"/api:3-master"), app("/ds/prod/c", "other:5000/api:1")},
			want: []string{"api /ds/prod/blue 3-master", "api /ds/prod/z 2-master"},
		},
		{
			name: "a named app that is not there", rule: policy.Repo{Name: "api", Apps: []string{"blu"}},
			apps:  []orchestrator.App{app("/ds/prod/blue", r+"/api:3-master")},
			fails: []string{`App not found: There is no app "blu" in scope /ds/prod. Did you mean "blue"? Seen: /ds/prod/blue`},
		},
		{
			name: "a named app without images", rule: policy.Repo{Name: "api", Container: "main", Apps: []string{"cron"}},
			apps:  []orchestrator.App{app("/ds/prod/cron")},
			fails: []string{"does not run registry.example.com:5000/api in its container main. It runs no image."},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ms, ds := plan.Match([]policy.Repo{tt.rule}, named("api"), "/ds/prod", tt.apps)
			if tt.want == nil {
				tt.want = []string{}
			}
			if diff := cmp.Diff(tt.want, found(ms)); diff != "" {
				t.Error(diff)
			}
			contains(t, ds, tt.fails...)
		})
	}
}

func TestMatchSeveralRepos(t *testing.T) {
	apps := []orchestrator.App{app("b", "x="+registryHost+"/a:1-master@sha256:"+strings.Repeat("a", 64), "y="+registryHost+"/b:2-master"), app("a", "backend:7-master")}
	repos := append(named("a", "b"), point.Repo{Name: "dark", Unknown: "502"}, point.Repo{Name: "hub", Repository: "docker.io/library/backend"})
	ms, ds := plan.Match([]policy.Repo{{Name: "b"}, {Name: "dark"}, {Name: "hub"}, {Name: "a"}}, repos, "", apps)
	if diff := cmp.Diff([]string{"b b[y] 2-master", "hub a 7-master", "a b[x] 1-master"}, found(ms)); diff != "" {
		t.Error(diff)
	}
	contains(t, ds)
	want := []point.Running{
		{Repo: "b", App: "b", Tag: "2-master"},
		{Repo: "hub", App: "a", Tag: "7-master"},
		{Repo: "a", App: "b", Tag: "1-master", Digest: "sha256:" + strings.Repeat("a", 64)},
	}
	if diff := cmp.Diff(want, plan.Runs(ms)); diff != "" {
		t.Error(diff)
	}
}

func TestMatchListsOnlySomeOfManyAndPointsAtTheBlock(t *testing.T) {
	var apps []orchestrator.App
	for i := range 40 {
		apps = append(apps, app(fmt.Sprintf("/x/%02d\x1b[2J", i), "nginx:1"))
	}
	at := diag.Range{Filename: "policy.hcl", Start: diag.Pos{Line: 7}}
	_, ds := plan.Match([]policy.Repo{{Name: "api", Range: at}}, named("api"), "", apps)
	contains(t, ds, "No app in scope (everything) runs")
	if !strings.HasSuffix(ds[0].Detail, "and 28 more.") || strings.Contains(ds[0].Detail, "\x1b") || ds[0].Range == nil || *ds[0].Range != at {
		t.Errorf("%+v", ds[0])
	}
}

func TestParseRef(t *testing.T) {
	d := "sha256:" + strings.Repeat("0", 64)
	for image, want := range map[string]plan.Ref{
		"nginx":                     {Name: "nginx", Repository: "docker.io/library/nginx"},
		"nginx:1.2":                 {Name: "nginx", Repository: "docker.io/library/nginx", Tag: "1.2"},
		"localhost:5000/a/b:1@" + d: {Name: "localhost:5000/a/b", Repository: "localhost:5000/a/b", Tag: "1", Digest: d},
		"r.example.com/a@" + d:      {Name: "r.example.com/a", Repository: "r.example.com/a", Digest: d},
	} {
		have, err := plan.ParseRef(image)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Error(diff)
		}
	}
	for _, bad := range []string{"", "A:b:c", "a@sha256:12", "x y", "\x1b[2J"} {
		if _, err := plan.ParseRef(bad); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"nginx", "a/b:c", "r:5000/a:b@sha256:" + strings.Repeat("a", 64), "@", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, image string) {
		ref, err := plan.ParseRef(image)
		if err != nil {
			return
		}
		again := ref.Name
		if ref.Tag != "" {
			again += ":" + ref.Tag
		}
		if ref.Digest != "" {
			again += "@" + ref.Digest
		}
		if again != image {
			t.Fatalf("%q was taken apart into %q", image, again)
		}
	})
}

func BenchmarkMatch50ReposAnd500Apps(b *testing.B) {
	var rules []policy.Repo
	var names []string
	var apps []orchestrator.App
	for i := range 50 {
		names = append(names, fmt.Sprintf("service-%02d", i))
		rules = append(rules, policy.Repo{Name: names[i]})
		for j := range 10 {
			apps = append(apps, app(fmt.Sprintf("/ds/prod/%s-%d", names[i], j), registryHost+"/"+names[i]+":12-master"))
		}
	}
	repos := named(names...)
	b.ReportAllocs()
	for b.Loop() {
		if ms, ds := plan.Match(rules, repos, "/ds/prod", apps); len(ds) > 0 || len(ms) != 50 {
			b.Fatal(ds)
		}
	}
}
