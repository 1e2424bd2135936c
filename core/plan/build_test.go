package plan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
)

var update = flag.Bool("update", false, "rewrite golden files")

const planID = "01J0000000000000000000000A"

// digest is that of a build.
func digest(build string) string {
	return "sha256:" + strings.Repeat("0", 64-len(build)) + build
}

func day(d int) time.Time { return time.Date(2019, 6, d, 12, 0, 0, 0, time.UTC) }

func rel(repo, build string, d int) point.Release {
	return point.Release{
		Repo: repo, Tag: build + "-master", Build: build, Digest: digest(build), Created: day(d),
		CreatedFrom: registry.FromConfig, Labels: map[string]string{"build": build},
	}
}

func known(name string, rs ...point.Release) point.Repo {
	return point.Repo{Name: name, Repository: registryHost + "/" + name, Releases: rs, Complete: true}
}

func rule(name string, change ...func(*policy.Repo)) policy.Repo {
	r := policy.Repo{
		Name: name, Match: policy.MatchImage, Tag: policy.Tag{Pattern: registry.DefaultPattern},
		Release: policy.Release{Platform: "linux/amd64"}, Retention: policy.Retention{Count: 10},
		GapFill: policy.GapFill{Rule: policy.NearestEarlier, Search: policy.SearchAll, OnMissing: policy.MissingFail},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

// world is what a test's plan is made from.
type world struct {
	rules []policy.Repo
	repos []point.Repo
	apps  []orchestrator.App
	to    string
	edit  func(*plan.Input)
}

// input goes the engine's way: match, timeline, find.
func (w world) input(t *testing.T) plan.Input {
	t.Helper()
	ms, ds := plan.Match(w.rules, w.repos, "/ds/prod", w.apps)
	f, err := point.Build(w.repos, point.Options{Rules: w.rules}).Find(w.to, day(9), plan.Runs(ms))
	if err != nil {
		t.Fatal(err)
	}
	in := plan.Input{
		ID: planID, Now: time.Date(2019, 6, 9, 10, 0, 0, 0, time.FixedZone("x", 3600)), Operator: "carol@ci",
		Environment: policy.Environment{Name: "prod", Branch: "master", Scope: "/ds/prod"}, PolicyHash: "abc123",
		Apply: policy.Apply{Strategy: policy.Together}, Rules: w.rules, Found: f, Repos: w.repos, Matches: ms, MatchDiagnostics: ds, PinDigest: true,
	}
	if w.edit != nil {
		w.edit(&in)
	}
	return in
}

func (w world) build(t *testing.T) (*plan.Plan, diag.Diagnostics) {
	t.Helper()
	return plan.Build(w.input(t))
}

// one is a single repo, a, with builds 1, 3 and 5 of those days, running one app.
func one(image string, change ...func(*policy.Repo)) world {
	return world{
		rules: []policy.Repo{rule("a", change...)},
		repos: []point.Repo{known("a", rel("a", "5", 5), rel("a", "3", 3), rel("a", "1", 1))},
		apps:  []orchestrator.App{app("/ds/prod/a", image)},
		to:    "2019-06-03",
	}
}

// changes renders a plan's changes: "app action from -> to".
func changes(p *plan.Plan) []string {
	out := []string{}
	for _, c := range p.Changes {
		name := c.App
		if c.Container != "" {
			name += "[" + c.Container + "]"
		}
		out = append(out, strings.ReplaceAll(name+" "+string(c.Action)+" "+c.From.Image+" -> "+c.To.Image, registryHost+"/", ""))
	}
	return out
}

func TestActions(t *testing.T) {
	r := registryHost + "/a:"
	third := "a:3-master@" + digest("3")
	tests := []struct {
		name  string
		w     world
		want  string
		fails []string
	}{
		{"to an older release is a rollback, pinned", one(r + "5-master"), "/ds/prod/a rollback a:5-master -> " + third, nil},
		{"the same tag is none", one(r + "3-master"), "/ds/prod/a none a:3-master -> a:3-master", nil},
		{"the same digest is none, whatever the tag", one(r + "nightly@" + digest("3")), "/ds/prod/a none a:nightly@" + digest("3") + " -> a:nightly@" + digest("3"), nil},
		{"another tag on the same digest is none", func() world {
			w := one(r + "2-master")
			w.repos[0].Releases[1].AlsoTags = []string{"2-master"}
			return w
		}(), "/ds/prod/a none a:2-master -> a:2-master", nil},
		{"a tag that has moved is a change: the digest wins", one(r + "3-master@" + digest("99")), "/ds/prod/a rollback a:3-master@" + digest("99") + " -> " + third, []string{"What runs is in doubt", "Direction unknown"}},
		{"to a newer release is refused", one(r + "1-master"), "/ds/prod/a forward a:1-master -> " + third, []string{"error repo.a: Change would go forward: /ds/prod/a runs registry.example.com:5000/a:1-master, which is older than 3-master at 2019-06-03. Going forward is refused: set apply.allow_forward, or leave the repo out with --except=a."}},
		{"unless the policy allows it", func() world {
			w := one(r + "1-master")
			w.edit = func(in *plan.Input) { in.Apply.AllowForward = true }
			return w
		}(), "/ds/prod/a forward a:1-master -> " + third, nil},
		{"an unknown release is judged by its build", one(r + "4-master"), "/ds/prod/a rollback a:4-master -> " + third, []string{"What runs is in doubt"}},
		{"and so goes forward from a lower one", one(r + "2-master"), "/ds/prod/a forward a:2-master -> " + third, []string{"What runs is in doubt", "Change would go forward"}},
		{"an unknown branch cannot be judged", one(r + "hotfix"), "/ds/prod/a rollback a:hotfix -> " + third, []string{"What runs is in doubt", "warning repo.a: Direction unknown: Whether 3-master is older than registry.example.com:5000/a:hotfix, which /ds/prod/a runs, cannot be told; it is taken for a rollback."}},
		{"no tag at all is an image to leave", one(registryHost + "/a"), "/ds/prod/a rollback a -> " + third, []string{"What runs is in doubt", "Direction unknown"}},
		{"an orchestrator that takes no digest gets the tag", func() world {
			w := one(r + "5-master")
			w.edit = func(in *plan.Input) { in.PinDigest = false }
			return w
		}(), "/ds/prod/a rollback a:5-master -> a:3-master", nil},
		{"dates decide over builds", func() world {
			w := one(r + "9-master")
			w.repos[0] = known("a", rel("a", "3", 3), rel("a", "9", 1))
			return w
		}(), "/ds/prod/a forward a:9-master -> " + third, []string{"Change would go forward"}},
		{"an image that cannot be changed is refused", func() world {
			w := one(r + "5-master")
			w.apps[0].Immutable = "it is a resident task."
			return w
		}(), "/ds/prod/a rollback a:5-master -> " + third, []string{"error repo.a: Image cannot be changed: The image of /ds/prod/a cannot be changed: it is a resident task."}},
		{"unless it need not be", func() world {
			w := one(r + "3-master")
			w.apps[0].Immutable = "it is a resident task."
			return w
		}(), "/ds/prod/a none a:3-master -> a:3-master", nil},
		{"a deployment under way is told", func() world {
			w := one(r + "5-master")
			w.apps[0].Deployments = []string{"d1", "d2"}
			return w
		}(), "/ds/prod/a rollback a:5-master -> " + third, []string{"warning repo.a: App is being deployed: /ds/prod/a is part of a deployment under way (d1, d2)."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, ds := tt.w.build(t)
			if diff := cmp.Diff([]string{tt.want}, changes(p)); diff != "" {
				t.Error(diff)
			}
			contains(t, ds, tt.fails...)
			if p.Errored != ds.HasErrors() || p.Applyable != (!ds.HasErrors() && !p.Empty()) {
				t.Errorf("errored %v, applyable %v, empty %v", p.Errored, p.Applyable, p.Empty())
			}
		})
	}
}

func TestATagThatHasMovedIsNoted(t *testing.T) {
	p, _ := one(registryHost + "/a:3-master@" + digest("99")).build(t)
	if want := "released on 2019-06-03: 3-master; the tag 3-master has moved: the app runs sha256:000000000000"; p.Changes[0].Words != want {
		t.Error(p.Changes[0].Words)
	}
}

func TestOneRepoSeveralAppsAndContainersInThePolicysOrder(t *testing.T) {
	r := registryHost
	w := world{
		rules: []policy.Repo{rule("b"), rule("a")},
		repos: []point.Repo{known("a", rel("a", "5", 5), rel("a", "3", 3)), known("b", rel("b", "6", 6), rel("b", "2", 3))},
		apps: []orchestrator.App{
			app("/ds/prod/z", r+"/a:5-master"), app("/ds/prod/pod", "x="+r+"/a:5-master", "y="+r+"/b:6-master", "w="+r+"/a:3-master"),
			app("/ds/prod/b", r+"/b:2-master"),
		},
		to: "2019-06-03",
	}
	p, ds := w.build(t)
	contains(t, ds)
	want := []string{
		"/ds/prod/b none b:2-master -> b:2-master",
		"/ds/prod/pod[y] rollback b:6-master -> b:2-master@" + digest("2"),
		"/ds/prod/pod[x] rollback a:5-master -> a:3-master@" + digest("3"),
		"/ds/prod/pod[w] none a:3-master -> a:3-master",
		"/ds/prod/z rollback a:5-master -> a:3-master@" + digest("3"),
	}
	if diff := cmp.Diff(want, changes(p)); diff != "" {
		t.Error(diff)
	}
	if p.Summary != (plan.Summary{Rollback: 3, None: 2}) {
		t.Errorf("%+v", p.Summary)
	}
}

func TestReposWithoutARelease(t *testing.T) {
	gap := func(g policy.GapFill) func(*policy.Repo) {
		return func(r *policy.Repo) { r.GapFill = g }
	}
	partial := func(in *plan.Input) { in.AllowPartial = true }
	tests := []struct {
		name    string
		rule    policy.GapFill
		unknown string
		edit    func(*plan.Input)
		reason  string
		fails   []string
	}{
		{name: "kept, quietly", rule: policy.GapFill{Rule: policy.Keep}, reason: "kept"},
		{name: "refused", rule: policy.GapFill{Rule: policy.Fail}, reason: "refused", fails: []string{"error repo.b: Gap refused: b: no release on 2019-06-03"}},
		{name: "missing", rule: policy.GapFill{Rule: policy.NearestEarlier}, reason: "missing", fails: []string{"error repo.b: No release to go back to: b gets nothing at 2019-06-03: no release on 2019-06-03; the repo's oldest release is 6-master of 2019-06-06."}},
		{name: "missing, with a warning", rule: policy.GapFill{Rule: policy.NearestEarlier, OnMissing: policy.MissingWarn}, reason: "missing", fails: []string{"warning repo.b: No release to go back to"}},
		{name: "unknown", unknown: "502", fails: []string{"error repo.b: Repo could not be judged: What b would get at 2019-06-03 is unknown: the repo could not be read: 502."}},
		{name: "unknown, in part", unknown: "502", edit: partial, fails: []string{"warning repo.b: Repo could not be judged"}},
		{name: "a point that says nothing of the repo", edit: func(in *plan.Input) { in.Found.Point.Choices = in.Found.Point.Choices[:1] }, reason: "unknown", fails: []string{"the repo was not looked at"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := one(registryHost + "/a:5-master")
			w.rules = append(w.rules, rule("b", gap(tt.rule)))
			b := known("b", rel("b", "6", 6))
			if tt.unknown != "" {
				b = point.Repo{Name: "b", Unknown: tt.unknown}
			}
			w.repos = append(w.repos, b)
			w.apps = append(w.apps, app("/ds/prod/b", registryHost+"/b:6-master"))
			w.edit = tt.edit
			p, ds := w.build(t)
			contains(t, ds, tt.fails...)
			if tt.reason == "" {
				if len(p.Changes) != 1 {
					t.Errorf("%+v", p.Changes[1:])
				}
				return
			}
			c := p.Changes[1]
			if c.Action != plan.Keep || c.Reason != tt.reason || c.Words == "" || !cmp.Equal(c.From, c.To) || c.Wave != 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestOnlyAndExcept(t *testing.T) {
	tests := []struct {
		name         string
		only, except []string
		want         string
		fails        []string
	}{
		{"everything", nil, nil, "rollback rollback", nil},
		{"only", []string{"b"}, nil, "keep rollback", []string{"warning : Only a part of the environment goes back"}},
		{"except", nil, []string{"b"}, "rollback keep", []string{"Only a part"}},
		{"both", []string{"a"}, []string{"b"}, "rollback keep", []string{"error : Conflicting options", "Only a part"}},
		{"misspelt", []string{"aa"}, nil, "keep keep", []string{`error : Unknown repo: The policy has no repo "aa". Did you mean "a"? It has: a, b.`, "Only a part"}},
		{"nothing like it", nil, []string{"zzzzzz\n"}, "rollback rollback", []string{"has no repo \"zzzzzz\uFFFD\". It has: a, b.", "Only a part"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := one(registryHost + "/a:5-master")
			w.rules = append(w.rules, rule("b"))
			w.repos = append(w.repos, known("b", rel("b", "6", 6), rel("b", "2", 2)))
			w.apps = append(w.apps, app("/ds/prod/b", registryHost+"/b:6-master"))
			w.edit = func(in *plan.Input) { in.Only, in.Except = tt.only, tt.except }
			p, ds := w.build(t)
			contains(t, ds, tt.fails...)
			if have := string(p.Changes[0].Action) + " " + string(p.Changes[1].Action); have != tt.want {
				t.Errorf("%s, want %s", have, tt.want)
			}
			for _, c := range p.Changes {
				if (c.Action == plan.Keep) != (c.Reason == plan.Excluded) {
					t.Errorf("%+v", c)
				}
			}
		})
	}
	t.Run("what is left out is in nobody's way", func(t *testing.T) {
		w := one(registryHost + "/a:5-master")
		w.rules = append(w.rules, rule("gone"), rule("dark"))
		w.repos = append(w.repos, known("gone"), point.Repo{Name: "dark", Unknown: "502"})
		w.edit = func(in *plan.Input) { in.Except = []string{"gone", "dark"} }
		p, ds := w.build(t)
		contains(t, ds, "Only a part")
		if !p.Applyable {
			t.Error("not applyable")
		}
	})
}

func TestARepoWithoutAppIsRefused(t *testing.T) {
	w := one(registryHost + "/other:5-master")
	_, ds := w.build(t)
	contains(t, ds, "error repo.a: No app runs the repo")
}

func TestQuarantinedTargets(t *testing.T) {
	w := one(registryHost + "/a:5-master")
	w.repos[0].Mark(digest("3"), "", "lost orders")
	_, ds := w.build(t)
	contains(t, ds, "error repo.a: Image is known bad: /ds/prod/a of a would go to 3-master is quarantined: lost orders; the next older one is 1-master of 2019-06-01.")
	w.edit = func(in *plan.Input) { in.AllowQuarantined = true }
	_, ds = w.build(t)
	contains(t, ds, "warning repo.a: Image is known bad")
}

func ok() registry.ResolveResult { return registry.ResolveResult{Found: true, Pullable: true} }

func TestPreflightLooksBothWays(t *testing.T) {
	r := registryHost
	w := one(r + "/a:5-master")
	w.apps = append(w.apps, app("/ds/prod/a2", r+"/a:5-master"), app("/ds/prod/a3", r+"/a:3-master"), app("/ds/prod/a4", r+"/a:4-master@"+digest("4")))
	want := []plan.Lookup{
		{Image: r + "/a:3-master@" + digest("3"), Request: registry.ResolveRequest{Repo: "a", Tag: "3-master", Digest: digest("3"), Platform: "linux/amd64"}},
		{Image: r + "/a:5-master", Leaving: true, Request: registry.ResolveRequest{Repo: "a", Tag: "5-master", Platform: "linux/amd64"}},
		{Image: r + "/a:4-master@" + digest("4"), Leaving: true, Request: registry.ResolveRequest{Repo: "a", Tag: "4-master", Digest: digest("4"), Platform: "linux/amd64"}},
	}
	if diff := cmp.Diff(want, plan.Images(w.input(t))); diff != "" {
		t.Error(diff)
	}
}

func TestTargets(t *testing.T) {
	target := registryHost + "/a:3-master@" + digest("3")
	gone := registry.ResolveResult{}
	half := registry.ResolveResult{Found: true, Missing: []string{"layer sha256:1", "config sha256:2"}}
	moved := ok()
	moved.TagMoved = true
	tests := []struct {
		name  string
		check map[string]plan.Check
		edit  func(*world)
		fails []string
	}{
		{name: "nobody looked"},
		{name: "all is there", check: map[string]plan.Check{target: {Result: ok()}}},
		{name: "gone", check: map[string]plan.Check{target: {Result: gone}}, fails: []string{"error repo.a: Image is gone: 3-master of a cannot be pulled: it is no longer in the registry. The next older release is 1-master of 2019-06-01."}},
		{name: "half gone", check: map[string]plan.Check{target: {Result: half}}, fails: []string{"parts of it are gone: layer sha256:1, config sha256:2. The next older"}},
		{name: "parts that have no name", check: map[string]plan.Check{target: {Result: registry.ResolveResult{Found: true}}}, fails: []string{"parts of it are gone. The next"}},
		{name: "gone, and nothing older", check: map[string]plan.Check{target: {Result: gone}}, edit: func(w *world) { w.repos[0].Mark(digest("1"), "x", "") }, fails: []string{"None of the older releases that are known could take its place."}},
		{name: "could not be looked at", check: map[string]plan.Check{target: {Unknown: "429"}}, fails: []string{"error repo.a: Image could not be checked: Whether registry.example.com:5000/a:3-master@" + digest("3") + " can still be pulled is unknown: 429."}},
		{name: "was not looked at", check: map[string]plan.Check{}, fails: []string{"is unknown: it was not looked at."}},
		{name: "its tag has moved, but the digest is pinned", check: map[string]plan.Check{target: {Result: moved}}, fails: []string{"warning repo.a: Tag has moved"}},
		{
			name: "its tag has moved, and is all that is deployed", check: map[string]plan.Check{registryHost + "/a:3-master": {Result: moved}},
			edit:  func(w *world) { w.edit = func(in *plan.Input) { in.PinDigest = false } },
			fails: []string{"error repo.a: Tag has moved: 3-master of a no longer points at sha256:000000000000, which was chosen."},
		},
		{name: "known to be gone already", edit: func(w *world) { w.repos[0].Mark(digest("3"), "manifest", "") }, fails: []string{"3-master of a cannot be pulled: manifest. The next older release is 1-master"}},
		{name: "thought to be gone, but there", check: map[string]plan.Check{target: {Result: ok()}}, edit: func(w *world) { w.repos[0].Mark(digest("3"), "manifest", "") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := one(registryHost + "/a:5-master")
			w.apps = append(w.apps, app("/ds/prod/a2", registryHost+"/a:5-master")) // told once, not once an app
			if tt.edit != nil {
				tt.edit(&w)
			}
			in := w.input(t)
			in.Preflight = tt.check
			_, ds := plan.Build(in)
			contains(t, ds, tt.fails...)
		})
	}
}

func TestWhatPreflightFindsFillsInWhatIsNotKnown(t *testing.T) {
	r := registryHost
	w := one(r + "/a:hotfix")
	w.edit = func(in *plan.Input) {
		left := ok()
		left.Created, left.Digest, left.Labels = day(2), digest("77"), map[string]string{"x": "y"}
		in.Preflight = map[string]plan.Check{r + "/a:hotfix": {Result: left}, r + "/a:3-master@" + digest("3"): {Result: ok()}}
	}
	p, ds := w.build(t)
	contains(t, ds, "What runs is in doubt", "Change would go forward")
	at := day(2)
	if diff := cmp.Diff(plan.Image{Image: r + "/a:hotfix", Tag: "hotfix", Digest: digest("77"), Created: &at, Labels: map[string]string{"x": "y"}}, p.Changes[0].From); diff != "" {
		t.Error(diff)
	}

	t.Run("a release that only the orchestrator remembers is pinned by what its tag is now", func(t *testing.T) {
		pattern, err := registry.CompilePattern(registry.DefaultPattern)
		if err != nil {
			t.Fatal(err)
		}
		w := one(r + "/a:5-master")
		w.repos = point.Deployed(w.repos, []point.Deployment{{Repo: "a", App: "/ds/prod/a", Tag: "2-master", At: day(3)}, {Repo: "a", App: "/ds/prod/a", Tag: "5-master", At: day(6)}}, pattern)
		w.edit = func(in *plan.Input) {
			there := ok()
			there.Created, there.Digest = day(2), digest("22")
			in.Preflight = map[string]plan.Check{r + "/a:2-master": {Result: there}}
		}
		p, ds := w.build(t)
		contains(t, ds)
		if diff := cmp.Diff([]string{"/ds/prod/a rollback a:5-master -> a:2-master@" + digest("22")}, changes(p)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestConfigDifferencesAreThoseOfTheApp(t *testing.T) {
	w := one(registryHost + "/a:5-master")
	w.edit = func(in *plan.Input) {
		in.ConfigDifferences = map[string][]string{"/ds/prod/a": {"env +2 -1"}, "/ds/prod/b": {"mem"}}
	}
	p, _ := w.build(t)
	if diff := cmp.Diff([]string{"env +2 -1"}, p.Changes[0].Config); diff != "" {
		t.Error(diff)
	}
}

// full is a plan in which each thing that a plan can say is said.
func full(t *testing.T) *plan.Plan {
	t.Helper()
	r := registryHost
	w := world{
		rules: []policy.Repo{rule("a"), rule("b", func(p *policy.Repo) { p.DependsOn = []string{"a"} }), rule("c", func(p *policy.Repo) { p.GapFill.Rule = policy.Keep })},
		repos: []point.Repo{
			known("a", rel("a", "5", 5), rel("a", "4", 4), rel("a", "3", 3)), known("b", rel("b", "6", 6), rel("b", "2", 2)), known("c", rel("c", "1", 1)),
		},
		apps: []orchestrator.App{
			app("/ds/prod/a", r+"/a:5-master"), app("/ds/prod/a-batch", r+"/a:3-master"),
			app("/ds/prod/b", "main="+r+"/b:6-master"), app("/ds/prod/c", r+"/c:1-master"),
		},
		to: "-1",
	}
	w.repos[0].Mark(digest("5"), "", "lost orders")
	w.repos[0].Mark(digest("4"), "", "lost more")
	w.apps[2].Separate = "pods are deployed one by one"
	w.edit = func(in *plan.Input) {
		in.Apply.Strategy = policy.Waves
		in.ConfigDifferences = map[string][]string{"/ds/prod/b": {"mem 512 → 1024"}}
		in.Preflight = map[string]plan.Check{
			r + "/a:3-master@" + digest("3"): {Result: ok()}, r + "/b:2-master@" + digest("2"): {Result: ok()}, r + "/b:6-master": {Result: ok()},
		}
	}
	in := w.input(t)
	p, ds := plan.Build(in)
	if ds.HasErrors() {
		t.Fatal(texts(ds))
	}
	plan.CheckGuards(p, plan.GuardInput{Now: day(9), Preflight: in.Preflight, Overrides: map[string]string{plan.WayBack: "the old one is kept elsewhere"}})
	return p
}

func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Error(diff)
	}
}

func validate(t *testing.T, doc []byte) error {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "schema", "plan.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(v)
}

func TestJSON(t *testing.T) {
	p := full(t)
	have, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.json", append(have, '\n'))
	if err := validate(t, have); err != nil {
		t.Error(err)
	}
	for _, broken := range [][2]string{
		{`"action": "rollback"`, `"action": "revert"`}, {`"1.0"`, `"2.0"`}, {planID, "7"}, {`"diagnostics": [`, `"diagnostics": null, "x": [`},
	} {
		bad := strings.Replace(string(have), broken[0], broken[1], 1)
		if bad == string(have) || validate(t, []byte(bad)) == nil {
			t.Errorf("%s was taken", broken[1])
		}
	}
}

func TestEveryContainerHasExactlyOneChangeAndNoneGoesUnsaid(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var w world
		containers := 0
		for i := range rapid.IntRange(1, 4).Draw(rt, "repos") {
			name := string(rune('a' + i))
			repo := known(name)
			for b := 8; b > 0; b-- {
				if rapid.Bool().Draw(rt, "built") || b == 4 && i == 0 {
					repo.Releases = append(repo.Releases, rel(name, strconv.Itoa(b), b))
				}
			}
			w.repos = append(w.repos, repo)
			w.rules = append(w.rules, rule(name, func(r *policy.Repo) {
				r.GapFill.Rule = rapid.SampledFrom([]policy.GapRule{policy.NearestEarlier, policy.Keep, policy.Fail}).Draw(rt, "rule")
				r.GapFill.OnMissing = rapid.SampledFrom([]policy.OnMissing{policy.MissingFail, policy.MissingWarn}).Draw(rt, "on missing")
			}))
			for j := range rapid.IntRange(1, 2).Draw(rt, "apps") {
				containers++
				tag := rapid.SampledFrom([]string{"1-master", "4-master", "8-master", "hotfix"}).Draw(rt, "runs")
				w.apps = append(w.apps, app("/ds/prod/"+name+strconv.Itoa(j), registryHost+"/"+name+":"+tag))
			}
		}
		w.to = "2019-06-04"
		allow := rapid.Bool().Draw(rt, "allow forward")
		in := w.input(t)
		in.Apply.AllowForward = allow
		p, ds := plan.Build(in)
		if len(p.Changes) != containers || p.Summary.Rollback+p.Summary.Forward+p.Summary.None+p.Summary.Keep != containers {
			rt.Fatalf("%d changes for %d containers: %+v", len(p.Changes), containers, p.Summary)
		}
		told := map[string]bool{}
		for _, d := range ds {
			told[d.Address] = true
		}
		for _, c := range p.Changes {
			choice, _ := in.Found.Point.Choice(c.Repo)
			if c.Reason != string(choice.Reason) || (choice.Release == nil) != (c.Action == plan.Keep) {
				rt.Fatalf("%+v", c)
			}
			if c.Action == plan.Keep && choice.Reason != point.Kept && !told["repo."+c.Repo] {
				rt.Fatalf("%s stays as it is, and nobody is told", c.App)
			}
			if choice.Release != nil && c.To.Digest != choice.Release.Digest {
				rt.Fatalf("%s gets %s, chosen was %s", c.App, c.To.Digest, choice.Release.Digest)
			}
			if c.From.Created != nil && c.To.Created != nil && c.Action == plan.Rollback && !c.To.Created.Before(*c.From.Created) {
				rt.Fatalf("a rollback goes to something newer: %+v", c)
			}
			if c.Action == plan.Forward && !allow && !p.Errored {
				rt.Fatalf("%s goes forward", c.App)
			}
		}
	})
}

func TestJSONOfNothing(t *testing.T) {
	p, ds := plan.Build(plan.Input{ID: planID, Now: day(1), Found: point.Found{Asked: "2019-06-01", Point: point.Point{Date: "2019-06-01"}}})
	contains(t, ds)
	have, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, have); err != nil {
		t.Error(err)
	}
	if p.Applyable || !p.Empty() {
		t.Errorf("%+v", p)
	}
}
