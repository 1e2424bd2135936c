package policy

import (
	"strings"
	"testing"
	"time"
)

// plan is what the guards of these tests see.
func plan() Facts {
	return Facts{
		Plan: PlanFacts{
			Environment: "prod", To: "2019-06-01",
			Changes: []ChangeFacts{
				{
					Repo: "backend-a", App: "/ds/prod/backend-a", Action: "rollback", Reason: "released",
					From: ImageFacts{Tag: "12-master", Digest: "sha256:b", Created: "2019-06-03T10:00:00Z", Build: "12"},
					To:   ImageFacts{Image: "r/backend-a", Tag: "11-master", Digest: "sha256:a", Created: "2019-06-01T10:00:00Z", Build: "9", Labels: map[string]string{"schema": "7"}},
				},
				{Repo: "frontend", App: "/ds/prod/frontend", Action: "keep", Reason: "kept"},
			},
			Summary: map[string]int{"rollback": 1, "keep": 1},
		},
		Now:      time.Date(2019, 6, 3, 23, 15, 0, 0, time.FixedZone("x", 3600)),
		Operator: OperatorFacts{User: "carol@ci", ApprovedBy: "alice"},
		Last: LastFacts{
			Operation: "01J0", At: time.Date(2019, 6, 3, 23, 0, 0, 0, time.FixedZone("x", 3600)),
			Outcome: "restored", To: "2019-05-31", Operator: "bob@laptop",
		},
	}
}

func TestWhatGuardsSee(t *testing.T) {
	for _, condition := range []string{
		`plan.environment == "prod" && plan.to == "2019-06-01"`,
		`length(plan.changes) == 2`,
		`plan.summary.rollback == 1 && plan.summary.forward == 0 && plan.summary.none == 0 && plan.summary.keep == 1`,
		`plan.changes[0].repo == "backend-a" && plan.changes[0].app == "/ds/prod/backend-a"`,
		`plan.changes[*].action == tolist(["rollback", "keep"])`,
		`plan.changes[0].reason == "released"`,
		`plan.changes[0].from.tag == "12-master" && plan.changes[0].from.digest == "sha256:b"`,
		`plan.changes[0].to.image == "r/backend-a" && plan.changes[0].to.created == "2019-06-01T10:00:00Z"`,
		`plan.changes[0].to.labels["schema"] == "7" && plan.changes[0].to.labels.schema == "7"`,
		`lookup(plan.changes[1].to.labels, "schema", "none") == "none"`,
		`alltrue([for change in plan.changes : change.to.tag == "11-master" if change.action == "rollback"])`,
		`now == "2019-06-03T22:15:00Z"`,
		`operator.user == "carol@ci" && operator.approved_by == "alice"`,
		`timecmp(now, "2019-06-03T22:15:01Z") == -1 && timecmp(timeadd(now, "1h"), now) == 1 && timecmp(now, "2019-06-04T00:15:00+02:00") == 0`,
		`formatdate("YYYY-MM-DD", now) == "2019-06-03"`,
		`hours_since(plan.changes[0].to.created) == 60.25`,
		`hours_since("2019-06-04T22:15:00Z") == -24`,
		`weekday(now, "UTC") == "monday" && weekday(now) == "tuesday" && weekday(now, "Europe/Berlin") == "tuesday"`,
		`hour(now) == 0 && hour(now, "UTC") == 22 && minute(now) == 15`,
		`date(now) == "2019-06-04" && date(now, "America/New_York") == "2019-06-03"`,
		`one([for c in plan.changes : c.repo if c.action == "keep"]) == "frontend" && one([]) == null`,
		`sum([1, 2]) == 3 && anytrue([false, true]) && !anytrue([]) && alltrue([]) && !alltrue([true, null])`,
		`startswith("abc", "ab") && endswith("abc", "bc") && strcontains("abc", "b") && length("äbc") == 3`,
		`replace("a-b", "-", "+") == "a+b" && replace("a12", "/[0-9]+/", "n") == "an"`,
		`sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`,
		`base64decode(base64encode("x")) == "x" && length({ a = 1 }) == 1 && length([1, "a"]) == 2`,
		`env("NOT_SET") == null && env("NOT_SET", "d") == "d" && env("EMPTY", "d") == "d" && env("SET", "d") == "value"`,
		`nonsensitive(sensitive("x")) == "x" && "true"`,
		`can(plan.changes[0].repo) && !can(plan.changes[9].repo) && try(plan.changes[9].repo, "x") == "x"`,
		`last.operation == "01J0" && last.at == "2019-06-03T22:00:00Z" && last.outcome == "restored"`,
		`last.to == "2019-05-31" && last.operator == "bob@laptop" && hours_since(last.at) == 0.25`,
		`plan.changes[0].from.build == "12" && plan.changes[0].to.build == "9" && plan.changes[1].from.build == ""`,
		`compare_builds(plan.changes[0].to.build, plan.changes[0].from.build) == -1 && compare_builds("20220209-22", "20220209-4") == 1`,
		`compare_builds("007", "7") == 0 && compare_builds("99999999999999999999", "100000000000000000000") == -1 && compare_builds("7", "7-hotfix") == -1`,
		`sensitive(true)`,
	} {
		t.Run(condition, func(t *testing.T) {
			p := clean(t, "rollback { timezone = \"Europe/Berlin\" }\nguard \"g\" {\n  condition = "+condition+"\n  error_message = \"no\"\n}\n",
				LoadOptions{Environ: []string{"SET=value", "EMPTY="}})
			passed, message, ds := p.Guards[0].Evaluate(plan())
			if !passed || message != "" || len(ds) > 0 {
				t.Errorf("Evaluate = %t, %q, %v", passed, message, texts(ds))
			}
		})
	}
}

func TestGuardsOnAnEmptyPlan(t *testing.T) {
	p := clean(t, `guard "g" {
  condition     = last.at == "" && last.operation == "" && length(plan.changes) == 0 && length([for c in plan.changes : c.to.labels]) == 0
  error_message = "no"
}`, LoadOptions{})
	if passed, _, ds := p.Guards[0].Evaluate(Facts{}); !passed || len(ds) > 0 {
		t.Errorf("Evaluate = %t, %v", passed, ds)
	}
}

func TestAGuardThatCannotBeEvaluatedDoesNotPass(t *testing.T) {
	for _, tc := range []struct{ rule, condition, message, problem string }{
		{"a label that is not there", `plan.changes[1].to.labels["schema"] == "7"`, "no rollback at 2019-06-01", "policy.hcl:2: Invalid index"},
		{"an instant that is not known", `hours_since(plan.changes[1].to.created) < 5`, "no rollback at 2019-06-01", "policy.hcl:2: Invalid function argument"},
		{"a build that is not known", `compare_builds(plan.changes[1].to.build, "1") >= 0`, "no rollback at 2019-06-01", "policy.hcl:2: Invalid function argument"},
		{"no verdict", `plan.changes[0].to.tag`, "no rollback at 2019-06-01", "policy.hcl:2: Unsuitable result of a guard: The condition is a string"},
		{"null", `true ? env("NOT_SET") : ""`, "no rollback at 2019-06-01", "policy.hcl:2: Unsuitable result of a guard: The condition is null"},
		{"false", `plan.summary.rollback > 5`, "no rollback at 2019-06-01", ""},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			p, _, _ := loadText(t, "guard \"g\" {\n  condition = "+tc.condition+"\n  error_message = \"no ${plan.changes[0].action} at ${plan.to}\"\n}\n", LoadOptions{})
			if len(p.Guards) != 1 {
				t.Fatal("the guard is lost")
			}
			passed, message, ds := p.Guards[0].Evaluate(plan())
			if passed || message != tc.message {
				t.Errorf("Evaluate = %t, %q", passed, message)
			}
			var want []string
			if tc.problem != "" {
				want = []string{tc.problem}
			}
			prefixes(t, want, texts(ds))
		})
	}
}

func TestAMessageWithASecretIsNotShown(t *testing.T) {
	p := clean(t, `
variable "token" {
  default   = "hunter2"
  sensitive = true
}
guard "g" {
  condition     = var.token == plan.to
  error_message = "It is ${var.token}."
}`, LoadOptions{})
	passed, message, ds := p.Guards[0].Evaluate(plan())
	if passed || len(ds) > 0 || strings.Contains(message, "hunter2") || !strings.Contains(message, "sensitive") {
		t.Errorf("Evaluate = %t, %q, %v", passed, message, ds)
	}
}

func TestAGuardInGo(t *testing.T) {
	g := NewGuard("way-back", SeverityOverridable, func(f Facts) (bool, string) {
		return len(f.Plan.Changes) == 0, "There are changes."
	})
	if passed, message, ds := g.Evaluate(plan()); passed || message != "There are changes." || ds != nil {
		t.Errorf("Evaluate = %t, %q, %v", passed, message, ds)
	}
	if passed, message, _ := g.Evaluate(Facts{}); !passed || message != "" {
		t.Errorf("Evaluate = %t, %q", passed, message)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, _, ds := Load(LoadOptions{WorkDir: "testdata/valid/design", Version: "0.1.0"}); len(ds) > 0 {
			b.Fatal(ds)
		}
	}
}
