package plan_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/registry"
)

// guards loads guard blocks.
func guards(t *testing.T, hcl string) []policy.Guard {
	t.Helper()
	file := filepath.Join(t.TempDir(), "guards.hcl")
	if err := os.WriteFile(file, []byte("environment \"prod\" {}\nrepo \"a\" {}\nregistry \"file\" {}\norchestrator \"file\" {}\n"+hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _, ds := policy.Load(policy.LoadOptions{Paths: []string{file}})
	if ds.HasErrors() {
		t.Fatal(texts(ds))
	}
	return p.Guards
}

const three = `
guard "strict" {
  condition     = length(plan.changes) == 0
  error_message = "${plan.changes[0].app} ${plan.changes[0].from.tag} ${plan.changes[0].to.created} ${plan.changes[0].to.labels["build"]}"
}
guard "soft" {
  condition     = operator.user == "alice"
  error_message = "Not you, ${operator.user}."
  severity      = "overridable"
}
guard "hint" {
  condition     = plan.summary.rollback == 0 && plan.summary.keep == 0
  error_message = "Something changes."
  severity      = "warning"
}
guard "fine" {
  condition     = plan.environment == "prod" && plan.to == "2019-06-03" && now == "2019-06-09T12:00:00Z"
  error_message = "Never."
}
`

func TestGuards(t *testing.T) {
	all := guards(t, three)
	left := registryHost + "/a:5-master"
	there := map[string]plan.Check{left: {Result: ok()}}
	tests := []struct {
		name      string
		overrides map[string]string
		preflight map[string]plan.Check
		results   []plan.GuardResult
		fails     []string
	}{
		{
			name: "none overridden, nobody looked", results: []plan.GuardResult{
				{Name: "strict", Severity: "error", Message: "/ds/prod/a 5-master 2019-06-03T12:00:00Z 3"},
				{Name: "soft", Severity: "overridable", Message: "Not you, carol."},
				{Name: "hint", Severity: "warning", Message: "Something changes."},
				{Name: "fine", Severity: "error", Passed: true},
			},
			fails: []string{
				"error guard.strict: Guard does not hold: strict: /ds/prod/a 5-master",
				"error guard.soft: Guard does not hold: soft: Not you, carol. If it has to be, give a reason: --override 'soft=REASON'",
				"warning guard.hint: Guard does not hold: hint: Something changes.",
			},
		},
		{
			name: "an override with a reason is a warning", preflight: there, overrides: map[string]string{"soft": "fire"}, results: []plan.GuardResult{
				{Name: "way-back", Severity: "overridable", Passed: true},
				{Name: "strict", Severity: "error", Message: "/ds/prod/a 5-master 2019-06-03T12:00:00Z 3"},
				{Name: "soft", Severity: "overridable", Message: "Not you, carol.", Overridden: "fire"},
				{Name: "hint", Severity: "warning", Message: "Something changes."},
				{Name: "fine", Severity: "error", Passed: true},
			},
			fails: []string{"error guard.strict", "warning guard.soft: Guard overridden: soft: Not you, carol. Overridden: fire", "warning guard.hint"},
		},
		{
			name: "overrides that cannot be", preflight: map[string]plan.Check{}, overrides: map[string]string{"soft": " ", "strict": "x", "sofd": "x", "way-back": "", "fine": "x", "hint": "x"},
			results: []plan.GuardResult{
				{Name: "way-back", Severity: "overridable", Message: "A failed rollback could not be put back: /ds/prod/a runs " + left + ", which could not be checked: it was not looked at."},
				{Name: "strict", Severity: "error", Message: "/ds/prod/a 5-master 2019-06-03T12:00:00Z 3"},
				{Name: "soft", Severity: "overridable", Message: "Not you, carol."},
				{Name: "hint", Severity: "warning", Message: "Something changes."},
				{Name: "fine", Severity: "error", Passed: true},
			},
			fails: []string{
				"error guard.way-back", "error guard.strict", "error guard.soft", "warning guard.hint",
				"error guard.fine: Guard cannot be overridden: The severity of fine is error",
				`error guard.sofd: Unknown guard: There is no guard "sofd" to override. Did you mean "soft"?`,
				"error guard.soft: Override without a reason",
				"error guard.strict: Guard cannot be overridden",
				"error guard.way-back: Override without a reason: Say why way-back is overridden",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := one(registryHost + "/a:5-master").build(t)
			in := plan.GuardInput{Guards: all, Overrides: tt.overrides, Now: day(9), Operator: policy.OperatorFacts{User: "carol"}, Preflight: tt.preflight}
			ds := plan.CheckGuards(p, in)
			contains(t, ds, tt.fails...)
			if diff := cmp.Diff(tt.results, p.Guards); diff != "" {
				t.Error(diff)
			}
			if !p.Errored || p.Applyable {
				t.Error("errors stand in the way")
			}
			n := len(p.Diagnostics)
			plan.CheckGuards(p, in)
			if len(p.Diagnostics) != n || len(p.Guards) != len(tt.results) {
				t.Errorf("checking again made %d diagnostics of %d", len(p.Diagnostics), n)
			}
		})
	}
}

func TestWayBack(t *testing.T) {
	left := registryHost + "/a:5-master"
	for name, tt := range map[string]struct {
		check plan.Check
		want  string
	}{
		"there":           {plan.Check{Result: ok()}, ""},
		"gone":            {plan.Check{}, "is no longer in the registry."},
		"half gone":       {plan.Check{Result: registry.ResolveResult{Found: true, Missing: []string{"layer x"}}}, "lacks layer x."},
		"half gone, well": {plan.Check{Result: registry.ResolveResult{Found: true}}, "lacks parts."},
		"in the dark":     {plan.Check{Unknown: "429."}, "could not be checked: 429."},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := one(left).build(t)
			in := plan.GuardInput{Now: day(9), Preflight: map[string]plan.Check{left: tt.check}}
			plan.CheckGuards(p, in)
			want := plan.GuardResult{Name: "way-back", Severity: "overridable", Passed: tt.want == ""}
			if tt.want != "" {
				want.Message = "A failed rollback could not be put back: /ds/prod/a runs " + left + ", which " + tt.want
			}
			if diff := cmp.Diff([]plan.GuardResult{want}, p.Guards); diff != "" {
				t.Error(diff)
			}
			if p.Applyable != want.Passed {
				t.Errorf("applyable %v", p.Applyable)
			}
			// Before applying, nobody looks again, and somebody overrides.
			plan.CheckGuards(p, plan.GuardInput{Now: day(9), Overrides: map[string]string{plan.WayBack: "so be it"}})
			if !p.Applyable || len(p.Guards) != 1 || (p.Guards[0].Overridden == "so be it") == want.Passed {
				t.Errorf("%+v", p.Guards)
			}
			// An override is for one apply.
			plan.CheckGuards(p, plan.GuardInput{Now: day(9)})
			if p.Applyable != want.Passed || p.Guards[0].Overridden != "" {
				t.Errorf("%+v", p.Guards)
			}
		})
	}
}

func TestAGuardThatCannotBeEvaluatedDoesNotHold(t *testing.T) {
	all := guards(t, `
guard "broken" {
  condition     = plan.changes[7].repo == "a"
  error_message = "x"
  severity      = "overridable"
}
guard "hint" {
  condition     = plan.changes[7].repo == "a"
  error_message = "x"
  severity      = "warning"
}
`)
	p, _ := one(registryHost + "/a:5-master").build(t)
	ds := plan.CheckGuards(p, plan.GuardInput{Guards: all, Now: day(9)})
	if !ds.HasErrors() || p.Applyable || p.Guards[0].Passed || p.Guards[1].Passed {
		t.Errorf("%+v %v", p.Guards, texts(ds))
	}
	for _, d := range ds {
		if d.Range == nil || (d.Address != "guard.broken" && d.Address != "guard.hint") {
			t.Errorf("%+v", d)
		}
	}
	plan.CheckGuards(p, plan.GuardInput{Guards: all, Now: day(9), Overrides: map[string]string{"broken": "known"}})
	if !p.Applyable {
		t.Errorf("an override does not help: %v", texts(p.Diagnostics))
	}
}

func TestGuardsSeeWhatWouldChange(t *testing.T) {
	w := one(registryHost + "/a:5-master")
	w.rules = append(w.rules, rule("b", func(r *policy.Repo) { r.GapFill.Rule = policy.Keep }))
	w.repos = append(w.repos, known("b", rel("b", "1", 1)))
	w.apps = append(w.apps, app("/ds/prod/b", registryHost+"/b:1-master"))
	p, _ := w.build(t)
	ds := plan.CheckGuards(p, plan.GuardInput{Now: day(9), Guards: guards(t, `
guard "one" {
  condition     = length(plan.changes) == 1 && plan.summary.keep == 1 && alltrue([for change in plan.changes : hours_since(change.to.created) > 0])
  error_message = "${length(plan.changes)}"
}
`)})
	contains(t, ds)
}

func TestGuardsSeeBuildsAndTheLastOperation(t *testing.T) {
	all := guards(t, `
guard "builds" {
  condition     = plan.changes[0].from.build == "5" && plan.changes[0].to.build == "3" && compare_builds(plan.changes[0].to.build, "20") < 0
  error_message = "${plan.changes[0].from.build} ${plan.changes[0].to.build}"
}
guard "rest" {
  condition     = last.at == "" ? true : hours_since(last.at) >= 1
  error_message = "${last.operation} ${last.operator} ${last.outcome} ${last.to}"
}
`)
	for name, tc := range map[string]struct {
		last policy.LastFacts
		want string
	}{
		"there was none":       {},
		"it was long ago":      {last: policy.LastFacts{Operation: "01J", At: day(8)}},
		"it was a moment ago":  {last: policy.LastFacts{Operation: "01J", At: day(9), Outcome: "done", To: "2019-06-01", Operator: "bob@ci"}, want: "01J bob@ci done 2019-06-01"},
		"another tag is known": {last: policy.LastFacts{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := one(registryHost + "/a:5-master")
			if name == "another tag is known" {
				w = one(registryHost + "/a:latest@" + digest("5"))
			}
			p, _ := w.build(t)
			plan.CheckGuards(p, plan.GuardInput{Guards: all, Now: day(9), Last: tc.last})
			if !p.Guards[0].Passed || p.Guards[1].Passed != (tc.want == "") || p.Guards[1].Message != tc.want {
				t.Errorf("%+v", p.Guards)
			}
		})
	}
}
