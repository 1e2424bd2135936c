package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/demand"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
)

// demanding is rel with demands.
func demanding(repo, build string, d int, requires string) point.Release {
	r := rel(repo, build, d)
	r.Labels = map[string]string{demand.Label: requires}
	return r
}

func TestDemands(t *testing.T) {
	const (
		broken = "Demand would be broken: "
		elsewh = " Choose another point."
	)
	// a goes from build 5 back to build 3; b, of which nothing was released on that day, from 6 to 2.
	b := known("b", rel("b", "6", 6), rel("b", "2", 2), rel("b", "1", 1))
	keep := func(r *policy.Repo) { r.GapFill.Rule = policy.Keep }
	compatible := func(r *policy.Repo) { r.GapFill.Compatible = true }
	tests := []struct {
		name     string
		requires string
		b        point.Repo
		bRule    []func(*policy.Repo)
		edit     func(*world)
		fails    []string
		to       string
	}{
		{name: "demands that hold", requires: "b<=2, a=3", b: b},
		{
			name: "of an image that changes, on one that changes", requires: "b>=4", b: b, fails: []string{
				"error repo.a: " + broken + "3-master of a requires b>=4, and b would be 2-master. Choose another point, or let the gap of b be filled with what fits: gap_fill { compatible = true }.",
			},
		},
		{name: "a gap that is filled with what fits", requires: "b<2", b: b, bRule: []func(*policy.Repo){compatible}, to: "1-master"},
		{
			name: "nothing fits, with the reason", requires: "b<1", b: b, bRule: []func(*policy.Repo){compatible}, fails: []string{
				"error repo.a: " + broken + "3-master of a requires b<1, and b would be 2-master." + elsewh,
				"warning : No releases that fit: gap_fill.compatible found nothing that satisfies every demand among 2 releases of b.",
			},
		},
		{
			name: "on an image that is kept", requires: "b<6", b: b, bRule: []func(*policy.Repo){keep}, fails: []string{
				"error repo.a: " + broken + "3-master of a requires b<6, and b would be 6-master." + elsewh,
			},
		},
		{
			name: "of an image that is kept", b: known("b", demanding("b", "6", 6, "a>=4"), rel("b", "2", 2)), bRule: []func(*policy.Repo){keep}, fails: []string{
				"error repo.b: " + broken + "6-master of b requires a>=4, and a would be 3-master." + elsewh,
			},
		},
		{
			name: "of an image that is left out", b: known("b", demanding("b", "6", 6, "a>=4"), rel("b", "2", 2)),
			edit: func(w *world) { w.edit = func(in *plan.Input) { in.Except = []string{"b"} } }, fails: []string{
				"Only a part", "error repo.b: " + broken + "6-master of b requires a>=4, and a would be 3-master." + elsewh,
			},
		},
		{
			name: "on one of several apps", requires: "b<=2", b: b, edit: func(w *world) {
				w.apps = append(w.apps, app("/ds/prod/b2", registryHost+"/b:6-master"))
				w.rules[1].GapFill.Rule = policy.Keep
				w.apps[1] = app("/ds/prod/b", registryHost+"/b:2-master")
			}, fails: []string{"error repo.a: " + broken + "3-master of a requires b<=2, and b would be 6-master." + elsewh},
		},
		{
			name: "what cannot be read counts as broken, and is cleaned", requires: "b>=1,\x1b[2J", b: b, fails: []string{
				"error repo.a: " + broken + "what 3-master of a demands in its label rollback.requires cannot be read: \"\uFFFD[2J\": there is no operator: >=, <=, >, <, = or !=. Such a demand counts as broken: correct the label in the build, or choose another point.",
			},
		},
		{
			name: "on a repo that is misspelt", requires: "bb>=1", b: b,
			fails: []string{`warning repo.a: Demand on an unknown repo: 3-master of a requires bb>=1, and the policy has no repo "bb". Did you mean "b"?`},
		},
		{
			name: "on a repo of which no app is there", requires: "b>=1", b: b, edit: func(w *world) { w.apps = w.apps[:1] },
			fails: []string{"error repo.b: No app runs the repo", "warning repo.a: Demand could not be judged: 3-master of a requires b>=1, and no app of b was found."},
		},
		{
			name: "on an image whose build is not known", requires: "b>=1", b: b, bRule: []func(*policy.Repo){keep},
			edit:  func(w *world) { w.apps[1] = app("/ds/prod/b", registryHost+"/b:hotfix") },
			fails: []string{"What runs is in doubt", "error repo.a: " + broken + "3-master of a requires b>=1, and b would be hotfix, whose build is not known." + elsewh},
		},
		{
			name: "where nothing changes, it is only said", requires: "b>=4", b: b,
			edit: func(w *world) {
				w.apps = []orchestrator.App{app("/ds/prod/a", registryHost+"/a:3-master"), app("/ds/prod/b", registryHost+"/b:2-master")}
			},
			fails: []string{"warning repo.a: " + broken + "3-master of a requires b>=4, and b would be 2-master."},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := one(registryHost + "/a:5-master")
			w.repos[0].Releases[1] = demanding("a", "3", 3, tt.requires)
			w.rules, w.repos = append(w.rules, rule("b", tt.bRule...)), append(w.repos, tt.b)
			w.apps = append(w.apps, app("/ds/prod/b", registryHost+"/b:6-master"))
			if tt.edit != nil {
				tt.edit(&w)
			}
			p, ds := w.build(t)
			contains(t, ds, tt.fails...)
			if tt.to != "" && p.Changes[1].To.Tag != tt.to {
				t.Errorf("b gets %s, want %s", p.Changes[1].To.Tag, tt.to)
			}
		})
	}
}

func TestWhatStaysAndIsNoKnownReleaseIsLookedAt(t *testing.T) {
	w := one(registryHost + "/a:5-master")
	w.repos[0].Releases[1] = demanding("a", "3", 3, "b>=1")
	w.rules = append(w.rules, rule("b", func(r *policy.Repo) { r.GapFill.Rule = policy.Keep }))
	w.repos = append(w.repos, known("b", rel("b", "6", 6)))
	image := registryHost + "/b:4-master"
	w.apps = append(w.apps, app("/ds/prod/b", image))
	in := w.input(t)
	lookups := plan.Images(in)
	want := plan.Lookup{Image: image, Request: registry.ResolveRequest{Repo: "b", Tag: "4-master", Platform: "linux/amd64"}}
	if diff := cmp.Diff(want, lookups[len(lookups)-1]); diff != "" {
		t.Fatal(diff)
	}
	found := ok()
	found.Labels = map[string]string{demand.Label: "a>3"}
	for name, tc := range map[string]struct {
		check plan.Check
		want  string
	}{
		"its demands count":          {plan.Check{Result: found}, "error repo.b: Demand would be broken: 4-master of b requires a>3, and a would be 3-master. Choose another point."},
		"or are not known":           {plan.Check{Unknown: "429"}, "warning repo.b: Demands are not known: What registry.example.com:5000/b:4-master, which /ds/prod/b goes on running, demands of other images is not known: 429."},
		"or cannot be known anymore": {plan.Check{}, "is not known: it is no longer in the registry."},
	} {
		t.Run(name, func(t *testing.T) {
			in.Preflight = map[string]plan.Check{image: tc.check}
			for _, l := range lookups[:len(lookups)-1] {
				in.Preflight[l.Image] = plan.Check{Result: ok()}
			}
			_, ds := plan.Build(in)
			contains(t, ds, "What runs is in doubt", tc.want)
		})
	}
}

func TestWhatWasLeftOutMattersForDemands(t *testing.T) {
	for requires, want := range map[string][]string{
		"":     {},
		"b>=6": {"app /ds/prod/b, which was left out, ran registry.example.com:5000/b:6-master and runs registry.example.com:5000/b:2-master, and images of the plan make demands"},
	} {
		w := one(registryHost + "/a:5-master")
		w.repos[0].Releases[1] = demanding("a", "3", 3, requires)
		w.rules, w.repos = append(w.rules, rule("b")), append(w.repos, known("b", rel("b", "6", 6), rel("b", "2", 2)))
		w.apps = append(w.apps, app("/ds/prod/b", registryHost+"/b:6-master"))
		w.edit = func(in *plan.Input) { in.Except = []string{"b"} }
		p, _ := w.build(t)
		w.apps[1] = app("/ds/prod/b", registryHost+"/b:2-master")
		now := plan.State{PolicyHash: p.PolicyHash, Matches: w.input(t).Matches, Targets: map[string]string{p.Changes[0].To.Image: digest("3")}}
		if diff := cmp.Diff(want, append([]string{}, plan.Stale(p, now)...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", requires, diff)
		}
	}
}
