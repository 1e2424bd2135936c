package policies_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/policies"
)

// friday is 2026-11-20, 15:30 UTC.
var friday = time.Date(2026, 11, 20, 15, 30, 0, 0, time.UTC)

func change(app, created string) policy.ChangeFacts {
	return policy.ChangeFacts{
		Repo: app, App: "/ds/prod/" + app, Action: "rollback", Reason: "released",
		To: policy.ImageFacts{Tag: "12-master", Created: created},
	}
}

func facts(now time.Time, operator policy.OperatorFacts, changes ...policy.ChangeFacts) policy.Facts {
	return policy.Facts{
		Plan: policy.PlanFacts{
			Environment: "prod", To: "2026-11-18", Changes: changes, Summary: map[string]int{"rollback": len(changes)},
		},
		Now: now, Operator: operator,
	}
}

// since adds an operation that ended so long ago.
func since(ago time.Duration, f policy.Facts) policy.Facts {
	f.Last = policy.LastFacts{Operation: "01J0", At: f.Now.Add(-ago), Outcome: "done", To: "2026-11-17", Operator: "bob@ci"}
	return f
}

// builds is a change between builds, away from an image that says what its floor is ("" says nothing).
func builds(repo, from, to, floor string) policy.ChangeFacts {
	c := change(repo, "2026-11-18T10:00:00Z")
	c.From.Build, c.To.Build, c.To.Tag = from, to, to+"-master"
	if floor != "" {
		c.From.Labels = map[string]string{"rollback.floor": floor}
	}
	return c
}

func TestReadyMadeGuards(t *testing.T) {
	var (
		alone = policy.OperatorFacts{User: "carol@ci"}
		two   = []policy.ChangeFacts{change("backend-a", "2026-11-18T10:00:00Z"), change("frontend", "2026-11-17T10:00:00Z")}
	)
	by := func(name string) policy.OperatorFacts {
		return policy.OperatorFacts{User: "carol@ci", ApprovedBy: name}
	}
	for _, tc := range []struct {
		rule    string
		guard   string
		setup   string
		facts   policy.Facts
		message string
	}{
		{rule: "few changes pass", guard: "max-changes", facts: facts(friday, alone, two...)},
		{
			rule: "more changes than allowed do not", guard: "max-changes", setup: `variable "max_changes" { default = 1 }`,
			facts:   facts(friday, alone, two...),
			message: "2 apps would change, more than the 1 of max_changes: split the rollback with --only.",
		},
		{rule: "young images pass", guard: "max-age", facts: facts(friday, alone, two...)},
		{
			rule: "an image of unknown age does not", guard: "max-age",
			facts:   facts(friday, alone, change("frontend", "")),
			message: "Older than 90 days: /ds/prod/frontend would get 12-master of a day that is not known.",
		},
		{
			rule: "an old image does not, and is named", guard: "max-age", setup: `variable "max_age_days" { default = 3 }`,
			facts:   facts(friday, alone, two...),
			message: "Older than 3 days: /ds/prod/frontend would get 12-master of 2026-11-17.",
		},
		{
			rule: "an app that stays is no matter of age", guard: "max-age", setup: `variable "max_age_days" { default = 1 }`,
			facts: facts(friday, alone, policy.ChangeFacts{App: "/x", Action: "keep", To: policy.ImageFacts{Created: "2001-01-01T00:00:00Z"}}),
		},
		{rule: "a Thursday is free", guard: "freeze-window", facts: facts(friday.AddDate(0, 0, -1), alone)},
		{
			rule: "a Friday is not", guard: "freeze-window", facts: facts(friday, alone),
			message: "It is Friday 2026-11-20, 15 h UTC: changes are frozen. In an incident, give --override 'freeze-window=REASON'.",
		},
		{
			rule: "a Friday before the hour is free", guard: "freeze-window",
			setup: `variable "freeze" { default = { from_hour = 16 } }`, facts: facts(friday, alone),
		},
		{
			rule: "hours are those of the time zone", guard: "freeze-window",
			setup:   `variable "freeze" { default = { from_hour = 16, timezone = "Europe/Berlin" } }`,
			facts:   facts(friday, alone),
			message: "It is Friday 2026-11-20, 16 h Europe/Berlin: changes are frozen. In an incident, give --override 'freeze-window=REASON'.",
		},
		{
			rule: "a minute before the hour of the time zone is free", guard: "freeze-window",
			setup: `variable "freeze" { default = { weekdays = ["friday"], from_hour = 16, timezone = "Europe/Berlin" } }`,
			facts: facts(friday.Add(-31*time.Minute), alone),
		},
		{
			rule: "a day begins in the time zone", guard: "freeze-window",
			setup:   `variable "freeze" { default = { weekdays = [], dates = ["2026-12-24"], timezone = "Europe/Berlin" } }`,
			facts:   facts(time.Date(2026, 12, 23, 23, 30, 0, 0, time.UTC), alone),
			message: "It is Thursday 2026-12-24, 0 h Europe/Berlin: changes are frozen. In an incident, give --override 'freeze-window=REASON'.",
		},
		{
			rule: "a day that is named is frozen", guard: "freeze-window",
			setup:   `variable "freeze" { default = { weekdays = [], dates = ["2026-11-20"] } }`,
			facts:   facts(friday, alone),
			message: "It is Friday 2026-11-20, 15 h UTC: changes are frozen. In an incident, give --override 'freeze-window=REASON'.",
		},
		{rule: "another's approval passes", guard: "approver", facts: facts(friday, by("alice"))},
		{
			rule: "nobody's does not", guard: "approver", facts: facts(friday, alone),
			message: "Nobody has approved it: give --approved-by NAME.",
		},
		{
			rule: "one's own does not", guard: "approver", facts: facts(friday, by("carol")),
			message: "carol cannot approve what they do themselves.",
		},
		{
			rule: "nor does it in other letters, from another machine", guard: "approver", facts: facts(friday, by("Carol@laptop")),
			message: "Carol@laptop cannot approve what they do themselves.",
		},
		{
			rule: "blanks and a machine are nobody", guard: "approver", facts: facts(friday, by(" @laptop")),
			message: "Nobody has approved it: give --approved-by NAME.",
		},
		{
			rule: "of an unknown operator nobody is different", guard: "approver",
			facts:   facts(friday, policy.OperatorFacts{ApprovedBy: "alice"}),
			message: "Who operates is not known, so nobody can tell whether alice is somebody else.",
		},
		{
			rule: "those named may, in other letters and from a machine", guard: "approver",
			setup: `variable "approvers" { default = ["bob", "alice"] }`, facts: facts(friday, by("Alice@laptop")),
		},
		{
			rule: "only those named may", guard: "approver", setup: `variable "approvers" { default = ["bob"] }`,
			facts: facts(friday, by("alice")), message: "alice is not among those who may approve: bob.",
		},
		{rule: "the first operation on an environment passes", guard: "min-interval", facts: facts(friday, alone)},
		{rule: "one after the interval passes", guard: "min-interval", facts: since(30*time.Minute, facts(friday, alone))},
		{
			rule: "one before it does not, and says after what", guard: "min-interval", facts: since(29*time.Minute, facts(friday, alone)),
			message: "The last operation (01J0 by bob@ci to 2026-11-17, done) was at 2026-11-20T15:01:00Z, and prod rests for 30 minutes: wait, or give --override 'min-interval=REASON'.",
		},
		{
			rule: "the interval is the policy's", guard: "min-interval", setup: `variable "min_interval_minutes" { default = 0.5 }`,
			facts: since(time.Minute, facts(friday, alone)),
		},
		{
			rule: "an operation that ends in the future, by another clock, is not long ago", guard: "min-interval",
			facts:   since(-time.Hour, facts(friday, alone)),
			message: "The last operation (01J0 by bob@ci to 2026-11-17, done) was at 2026-11-20T16:30:00Z, and prod rests for 30 minutes: wait, or give --override 'min-interval=REASON'.",
		},
		{rule: "without a floor every build passes", guard: "release-floor", facts: facts(friday, alone, builds("backend-a", "50", "1", ""))},
		{
			rule: "the floor itself passes", guard: "release-floor", setup: `variable "release_floors" { default = { backend-a = "42" } }`,
			facts: facts(friday, alone, builds("backend-a", "50", "42", ""), builds("frontend", "50", "1", "")),
		},
		{
			rule: "below it does not, by number", guard: "release-floor", setup: `variable "release_floors" { default = { backend-a = "42" } }`,
			facts:   facts(friday, alone, builds("backend-a", "50", "9", ""), builds("frontend", "50", "1", "")),
			message: "Below the release floor: /ds/prod/backend-a would get 9-master, and backend-a cannot go below build 42.",
		},
		{
			rule: "a number is a build as well", guard: "release-floor", setup: `variable "release_floors" { default = { backend-a = 42 } }`,
			facts:   facts(friday, alone, builds("backend-a", "50", "41", "")),
			message: "Below the release floor: /ds/prod/backend-a would get 41-master, and backend-a cannot go below build 42.",
		},
		{
			rule: "the image that runs says its floor itself", guard: "release-floor",
			facts:   facts(friday, alone, builds("backend-a", "50", "41", " 42 ")),
			message: "Below the release floor: /ds/prod/backend-a would get 41-master, and backend-a cannot go below build 42.",
		},
		{
			rule: "what stays above that passes", guard: "release-floor",
			facts: facts(friday, alone, builds("backend-a", "50", "100", "42")),
		},
		{
			rule: "the higher floor counts", guard: "release-floor", setup: `variable "release_floors" { default = { backend-a = "30" } }`,
			facts:   facts(friday, alone, builds("backend-a", "50", "41", "42")),
			message: "Below the release floor: /ds/prod/backend-a would get 41-master, and backend-a cannot go below build 42.",
		},
		{
			rule: "an unknown build is not above a floor", guard: "release-floor", setup: `variable "release_floors" { default = { backend-a = "42" } }`,
			facts:   facts(friday, alone, builds("backend-a", "50", "", "")),
			message: "Below the release floor: /ds/prod/backend-a would get -master, and backend-a cannot go below build 42.",
		},
		{
			rule: "a floor that is no build is not passed", guard: "release-floor", facts: facts(friday, alone, builds("backend-a", "50", "41", "none")),
			message: "Below the release floor: /ds/prod/backend-a would get 41-master, and backend-a cannot go below build none.",
		},
		{
			rule: "other environments need none", guard: "approver",
			setup: `variable "approval_environments" { default = ["live"] }`, facts: facts(friday, alone),
		},
	} {
		t.Run(tc.guard+"/"+tc.rule, func(t *testing.T) {
			guard := load(t, tc.guard, tc.setup)
			passed, message, ds := guard.Evaluate(tc.facts)
			if len(ds) > 0 {
				t.Fatalf("Evaluate: %v", ds)
			}
			if diff := cmp.Diff(tc.message, message); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if passed != (tc.message == "") {
				t.Errorf("passed = %t", passed)
			}
		})
	}
}

func load(t *testing.T, name, setup string) policy.Guard {
	t.Helper()
	p, ds := read(t, "include = [\"builtin:"+name+"\"]\n"+setup+"\n")
	if len(ds) > 0 {
		t.Fatalf("Load: %v", ds)
	}
	for _, guard := range p.Guards {
		if guard.Name == name {
			return guard
		}
	}
	t.Fatalf("%s has no guard of its name", name)
	return policy.Guard{}
}

func read(t *testing.T, text string) (*policy.Policy, []string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "policy.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _, ds := policy.Load(policy.LoadOptions{WorkDir: dir, Builtin: policies.All()})
	var texts []string
	for _, d := range ds {
		texts = append(texts, d.Detail)
	}
	return p, texts
}

func TestSetUpIsChecked(t *testing.T) {
	for name, tc := range map[string]struct{ include, setup, want string }{
		"no changes at all":   {"max-changes", `variable "max_changes" { default = 0 }`, "max_changes must be at least 1."},
		"an age of nothing":   {"max-age", `variable "max_age_days" { default = 0 }`, "max_age_days must be more than 0."},
		"no interval":         {"min-interval", `variable "min_interval_minutes" { default = 0 }`, "min_interval_minutes must be more than 0."},
		"a floor of no build": {"release-floor", `variable "release_floors" { default = { a = "none" } }`, "release_floors are builds"},
		"a misspelt weekday":  {"freeze-window", `variable "freeze" { default = { weekdays = ["Friday"] } }`, "freeze.weekdays are the words"},
		"hours backwards":     {"freeze-window", `variable "freeze" { default = { from_hour = 20, to_hour = 6 } }`, "freeze.from_hour must come before"},
		"a day that is none":  {"freeze-window", `variable "freeze" { default = { dates = ["Christmas"] } }`, "freeze.dates are days"},
		"a zone that is none": {"freeze-window", `variable "freeze" { default = { timezone = "Berlin" } }`, "freeze.timezone is not in"},
	} {
		t.Run(name, func(t *testing.T) {
			_, texts := read(t, "include = [\"builtin:"+tc.include+"\"]\n"+tc.setup+"\n")
			if len(texts) != 1 || !strings.HasPrefix(texts[0], tc.want) {
				t.Errorf("diagnostics = %q, want one that begins with %q", texts, tc.want)
			}
		})
	}
}

func TestEveryPolicyIsFormatted(t *testing.T) {
	for _, name := range policies.Names() {
		text, ok := policies.Get(name)
		if !ok {
			t.Fatalf("Get(%q) finds nothing", name)
		}
		formatted, ds := policy.Format(text, name)
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		if diff := cmp.Diff(string(text), string(formatted)); diff != "" {
			t.Errorf("%s (-have +formatted):\n%s", name, diff)
		}
	}
	if _, ok := policies.Get("nothing"); ok {
		t.Error("Get finds a policy that is not there")
	}
}
