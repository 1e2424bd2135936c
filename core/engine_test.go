package core_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

func TestTheWorldIsReadWhole(t *testing.T) {
	s := open(t, usual, world())
	env, err := s.Environment("master")
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Read(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2019-06-03", "2019-06-02", "2019-06-01"}, w.Timeline.Choices()); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
	if len(w.Running()) != 3 || len(w.MatchDiagnostics) != 0 {
		t.Errorf("running %v, diagnostics %v", w.Running(), w.MatchDiagnostics)
	}
}

func TestWhatCannotBeReadIsNeverTakenForNothing(t *testing.T) {
	one := world()
	one["registry"].(object)["failures"] = []object{{"repo": "b", "call": "list", "do": "permission_denied", "message": "no access"}}
	s := open(t, usual, one)
	env, err := s.Environment("prod")
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Read(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.Repos[1].Unknown, "no access") {
		t.Errorf("b is unknown because of %q", w.Repos[1].Unknown)
	}
	p, _, err := s.tryPlan(t.Context(), core.PlanRequest{To: "2019-06-02"})
	if err != nil || !p.Diagnostics.HasErrors() || p.Applyable {
		t.Errorf("a plan without b: %v, %v", p.Diagnostics, err)
	}
	p, _, err = s.tryPlan(t.Context(), core.PlanRequest{To: "2019-06-02", AllowPartial: true})
	if err != nil || p.Diagnostics.HasErrors() || p.Summary.Rollback != 2 {
		t.Errorf("a partial plan: %+v, %v, %v", p.Summary, p.Diagnostics, err)
	}

	all := world()
	all["registry"].(object)["failures"] = []object{{"call": "list", "do": "unauthenticated", "message": "who are you"}}
	if _, err := open(t, usual, all).Read(t.Context(), env); !fault.Is(err, fault.Unauthenticated) || !strings.Contains(err.Error(), "none of the 3 repos") {
		t.Errorf("nothing can be read: %v", err)
	}
	if _, err := open(t, strings.ReplaceAll(strings.Replace(usual, `repo "a" {}`, "", 1), `repo "b" {}`, "")[:strings.Index(usual, "repo")], all).Read(t.Context(), env); err == nil {
		t.Error("a policy without repos: no error")
	}

	apps := world()
	apps["orchestrator"].(object)["failures"] = []object{{"call": "list_apps", "do": "unauthenticated", "message": "who are you"}}
	if _, err := open(t, usual, apps).Read(t.Context(), env); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("apps cannot be read: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, usual, world()).Read(cancelled, env); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestEnvironmentsAreFoundByNameAndByBranch(t *testing.T) {
	s := open(t, usual+`
environment "test" { branch = "stage" }
`, world())
	for name, want := range map[string]string{"": "prod", "prod": "prod", "master": "prod"} {
		if env, err := s.Environment(name); err != nil || env.Name != want {
			t.Errorf("Environment(%q) = %q, %v", name, env.Name, err)
		}
	}
	if _, err := s.Environment("nowhere"); err == nil || !strings.Contains(err.Error(), "prod, stage, test") {
		t.Errorf("an unknown one: %v", err)
	}
	s.Policy.Settings.Environment = ""
	if _, err := s.Environment(""); err == nil || !strings.Contains(err.Error(), "--env") {
		t.Errorf("none named: %v", err)
	}
	s.Policy.Environments = s.Policy.Environments[:1]
	if env, err := s.Environment(""); err != nil || env.Name != "prod" {
		t.Errorf("the only one: %v, %v", env, err)
	}
	s.Policy.Environments = nil
	if _, err := s.Environment("x"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("no environments: %v", err)
	}
}

func TestAPlanFillsGapsAndPinsDigests(t *testing.T) {
	p := open(t, usual, world()).plan("-1")
	if p.To != "2019-06-02" || p.Summary.Rollback != 3 {
		t.Fatalf("plan to %s: %+v", p.To, p.Summary)
	}
	for _, c := range p.Changes {
		if c.Repo == "b" && (c.Reason != string(point.GapFilled) || c.To.Tag != "1-master") {
			t.Errorf("b: %+v", c)
		}
		if !strings.Contains(c.To.Image, "@sha256:") {
			t.Errorf("%s is not pinned", c.To.Image)
		}
	}
}

func TestAPlanNeedsAPoint(t *testing.T) {
	s := open(t, usual, world())
	for to, want := range map[string]string{"": "--to 2019-06-03", "1999-01-01": "1999-01-01", "-7": "-7"} {
		if _, _, err := s.tryPlan(t.Context(), core.PlanRequest{To: to}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--to %q: %v", to, err)
		}
	}
	s.Policy.Settings.To = "2019-06-01"
	if p := s.plan(""); p.To != "2019-06-01" {
		t.Errorf("the policy's own point: %s", p.To)
	}
}

func TestWhatIsGoneIsPassedOverOrRefused(t *testing.T) {
	w := world()
	w["registry"].(object)["repos"].(object)["c"].(object)["tags"].(object)["2-master"].(object)["missing"] = []string{"layer sha256:1"}
	s := open(t, usual, w)
	if p := s.plan("-1"); p.To != "2019-06-01" || len(p.Asked.Skipped) == 0 {
		t.Errorf("-1 over a point with an incomplete image: %s, skipped %v", p.To, p.Asked.Skipped)
	}
	p, _, err := s.tryPlan(t.Context(), core.PlanRequest{To: "2019-06-02"})
	if err != nil || !p.Diagnostics.HasErrors() || !strings.Contains(fmt.Sprint(p.Diagnostics), "1-master") {
		t.Errorf("the point itself: %v, %v", p.Diagnostics, err)
	}
	s.edit(func(w object) {
		w["registry"].(object)["failures"] = []object{{"call": "resolve", "do": "unavailable", "message": "no route"}}
	})
	if p, _, err = s.tryPlan(t.Context(), core.PlanRequest{To: "2019-06-02"}); err != nil || !strings.Contains(fmt.Sprint(p.Diagnostics), "no route") {
		t.Errorf("it cannot be looked for: %v, %v", p.Diagnostics, err)
	}
}

func TestDeploymentsCanBeThePoints(t *testing.T) {
	w := world()
	app := w["orchestrator"].(object)["apps"].(object)["/ds/prod/a"].(object)
	app["revisions"] = []object{{"version": "v0", "at": "2019-06-02T20:00:00Z", "image": host + "a:1-master"}}
	s := open(t, usual+`points { source = "deployments" }`, w)
	env, err := s.Environment("prod")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	s.Capabilities = schema.Description{}
	if _, err := s.Read(t.Context(), env); err == nil || !strings.Contains(err.Error(), `use "releases"`) {
		t.Errorf("an orchestrator without a memory: %v", err)
	}
}

func TestExplainNamesEveryTag(t *testing.T) {
	s := open(t, usual, world())
	env, err := s.Environment("prod")
	if err != nil {
		t.Fatal(err)
	}
	ex, _, err := s.Explain(t.Context(), env, "2019-06-02", "b")
	if err != nil || len(ex.Candidates) != 2 || ex.Candidates[1].Verdict != point.Chosen {
		t.Errorf("Explain: %+v, %v", ex, err)
	}
	for _, bad := range [][2]string{{"2019-06-02", "x"}, {"1999-01-01", "b"}} {
		if _, w, err := s.Explain(t.Context(), env, bad[0], bad[1]); err == nil || w == nil {
			t.Errorf("Explain %v: %v", bad, err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, w, err := s.Explain(cancelled, env, "-1", "b"); err == nil || w != nil {
		t.Errorf("cancelled: %v", err)
	}
}

func TestApplyChangesAllAndTellsAll(t *testing.T) {
	for _, strategy := range []string{"together", "waves"} {
		t.Run(strategy, func(t *testing.T) {
			s := open(t, usual+`apply { strategy = "`+strategy+`" }`, world())
			res := s.apply(t.Context(), s.plan("-1"), nil)
			if res.Outcome != event.Done || res.Err != nil || core.ExitCode(res.Result) != 0 {
				t.Fatalf("%+v", res)
			}
			if diff := cmp.Diff(after(), s.runs()); diff != "" {
				t.Errorf("what runs (-want +got):\n%s", diff)
			}
			if s.count(event.ApplyComplete) != 3 || s.count(event.OperationComplete) != 1 || s.events[len(s.events)-1].Type != event.OperationComplete {
				t.Errorf("events: %v", s.events)
			}
			if want := map[string]int{"together": 1, "waves": 2}[strategy]; s.count(event.WaveStart) != want {
				t.Errorf("%d waves, want %d", s.count(event.WaveStart), want)
			}
			told, err := os.ReadFile(filepath.Join(s.dir, "told.jsonl"))
			if err != nil || !strings.Contains(string(told), `"kind":"started"`) || !strings.Contains(string(told), `"kind":"succeeded"`) {
				t.Errorf("told: %s, %v", told, err)
			}
			last, err := s.State.LastChange(t.Context(), "prod")
			if err != nil || last == nil || last.Outcome != event.Done || last.Reason != "it is broken" {
				t.Errorf("the record: %+v, %v", last, err)
			}
			s.wellKept(last.OperationID)
			if p := s.plan("2019-06-02"); !p.Empty() {
				t.Errorf("once more: %+v", p.Summary)
			} else if res := s.apply(t.Context(), p, nil); res.Outcome != event.Nothing {
				t.Errorf("nothing to do: %+v", res)
			}
		})
	}
}

// TestWhateverFailsIsPutBack lets every step of an apply fail in every way.
func TestWhateverFailsIsPutBack(t *testing.T) {
	doomed := object{"app": "/ds/prod/c", "tag": "2-master", "do": "doomed", "message": "exit status 1"}
	for _, tc := range []struct {
		name     string
		policy   string
		failures []object
		want     event.Outcome
		code     int
		runs     map[string]string
	}{
		{"a release that crashes", "", []object{doomed}, event.Restored, 3, before()},
		{"… in the second wave", `apply { strategy = "waves" }`, []object{doomed}, event.Restored, 3, before()},
		{"a release that is never healthy", `apply { timeout = "60ms" }`, []object{{"app": "/ds/prod/c", "tag": "2-master", "do": "unhealthy"}}, event.Restored, 3, before()},
		{"somebody else overwrites an app", "", []object{{"app": "/ds/prod/c", "tag": "2-master", "do": "overwritten", "image": host + "c:1-master"}}, event.Restored, 3, before()},
		{"the answer is lost", "", []object{{"call": "deploy", "do": "indeterminate", "at": "unanswered"}}, event.Restored, 3, before()},
		{"the plugin breaks off", "", []object{{"call": "deploy", "do": "internal", "at": "during"}}, event.Restored, 3, before()},
		{"the plugin talks nonsense", "", []object{{"call": "deploy", "do": "garbage"}}, event.Restored, 3, before()},
		{"another deployment is under way", "", []object{{"call": "deploy", "do": "busy"}}, event.Refused, 1, before()},
		{"the orchestrator is away", "", []object{{"call": "deploy", "do": "unavailable"}}, event.Refused, 1, before()},
		{"the configuration cannot be read", "", []object{{"call": "snapshot", "do": "internal"}}, event.Refused, 1, before()},
		{"the configuration is nonsense", "", []object{{"call": "snapshot", "do": "garbage"}}, event.Refused, 1, before()},
		{"putting back is refused, too", "", []object{doomed, {"call": "restore", "do": "permission_denied"}}, event.NeedsPerson, 4, after()},
		{"putting back needs a second try", "", []object{doomed, {"call": "restore", "do": "unavailable", "times": 1}}, event.Restored, 3, before()},
		{"putting back is not heard of", "", []object{doomed, {"call": "restore", "do": "indeterminate", "at": "unanswered", "times": 1}}, event.Restored, 3, before()},
		{"cancelling fails", "", []object{doomed, {"call": "cancel", "do": "internal"}}, event.Restored, 3, before()},
		{"putting back is not wanted", `apply { on_failure = "stop" }`, []object{doomed}, event.NeedsPerson, 4, after()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, usual+tc.policy, world())
			p := s.plan("-1")
			s.fail(tc.failures...)
			res := s.apply(t.Context(), p, nil)
			if res.Outcome != tc.want || res.Err == nil || core.ExitCode(res.Result) != tc.code {
				t.Errorf("outcome %s (%d), want %s (%d): %v; %v", res.Outcome, core.ExitCode(res.Result), tc.want, tc.code, res.Err, res.RestoreErr)
			}
			if diff := cmp.Diff(tc.runs, s.runs()); diff != "" {
				t.Errorf("what runs (-want +got):\n%s", diff)
			}
			if res.AsBefore != (tc.code != 4) {
				t.Errorf("as before: %v", res.AsBefore)
			}
			if tc.code == 4 {
				for _, a := range res.Apps {
					if a.Running == "" || a.From == "" {
						t.Errorf("%s: it is not said what runs, or what ran: %+v", a.App, a)
					}
				}
			}
			if holder, err := s.State.Holder(t.Context(), "prod"); holder != nil || err != nil {
				t.Errorf("the lock is still held: %+v, %v", holder, err)
			}
		})
	}
}

func TestAnInterruptAtEveryEventEndsAsBefore(t *testing.T) {
	for _, at := range []event.Type{event.OperationStart, event.Snapshot, event.WaveStart, event.ApplyStart, event.ApplyProgress, event.ApplyComplete, event.Verify} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			s := open(t, usual+`apply { strategy = "waves" }`, world())
			p := s.plan("-1")
			if at == event.ApplyProgress {
				// However slow this machine is, there is progress to see before the end.
				s.fail(object{"app": "/ds/prod/c", "tag": "2-master", "do": "stuck"})
			}
			interrupt := make(chan struct{})
			pressed := false
			s.on = func(e event.Event) {
				if e.Type == at && !pressed {
					pressed = true
					close(interrupt)
				}
			}
			res := s.apply(t.Context(), p, interrupt)
			want, runs, code := event.Interrupted, before(), 130
			if at == event.Verify {
				// It was done before anybody wanted it to stop.
				want, runs, code = event.Done, after(), 0
			}
			if !pressed || res.Outcome != want || core.ExitCode(res.Result) != code {
				t.Errorf("outcome %s (%d): %v", res.Outcome, core.ExitCode(res.Result), res.Err)
			}
			if diff := cmp.Diff(runs, s.runs()); diff != "" {
				t.Errorf("what runs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASecondInterruptStopsAtOnceAndSaysWhatIsWhere(t *testing.T) {
	s := open(t, usual, world())
	p := s.plan("-1")
	s.fail(object{"app": "/ds/prod/c", "tag": "2-master", "do": "stuck"})
	ctx, cancel := context.WithCancel(t.Context())
	s.on = func(e event.Event) {
		if e.Type == event.ApplyComplete {
			cancel()
		}
	}
	res := s.apply(ctx, p, nil)
	if res.Outcome != event.Interrupted || res.AsBefore {
		t.Errorf("%+v", res.Result)
	}
}

func TestAnInterruptBeforeAnythingIsDone(t *testing.T) {
	s := open(t, usual, world())
	p := s.plan("-1")
	interrupt := make(chan struct{})
	close(interrupt)
	res := s.apply(t.Context(), p, interrupt)
	if res.Outcome != event.Interrupted || !res.AsBefore || core.ExitCode(res.Result) != 130 {
		t.Errorf("%+v", res.Result)
	}
	if by, err := s.State.PlanClaimedBy(t.Context(), p.ID); by != "" || err != nil {
		t.Errorf("the plan is used up: claimed by %q, %v", by, err)
	}
}

func TestAPlanIsAppliedOnce(t *testing.T) {
	s := open(t, usual, world())
	p := s.plan("-1")
	if res := s.apply(t.Context(), p, nil); res.Outcome != event.Done {
		t.Fatal(res.Err)
	}
	res := s.apply(t.Context(), p, nil)
	var applied *core.AppliedError
	if res.Outcome != event.Refused || !errors.As(res.Err, &applied) || applied.Operation == "" || applied.Error() == "" {
		t.Errorf("%+v", res.Result)
	}
}

func TestAStalePlanIsRefused(t *testing.T) {
	for name, edit := range map[string]func(w object){
		"/ds/prod/a": func(w object) {
			w["orchestrator"].(object)["apps"].(object)["/ds/prod/a"].(object)["image"] = host + "a:2-master"
		},
		"tag 2-master of c": func(w object) {
			delete(w["registry"].(object)["repos"].(object)["c"].(object)["tags"].(object), "2-master")
		},
		"tag 1-master of b": func(w object) {
			w["registry"].(object)["repos"].(object)["b"].(object)["tags"].(object)["1-master"].(object)["digest"] = "sha256:" + strings.Repeat("1", 64)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, usual, world())
			p := s.plan("-1")
			s.edit(edit)
			was := s.runs()
			res := s.apply(t.Context(), p, nil)
			var stale *core.StaleError
			if res.Outcome != event.Refused || !errors.As(res.Err, &stale) || !strings.Contains(stale.Error(), name) {
				t.Errorf("%+v", res.Result)
			}
			if diff := cmp.Diff(was, s.runs()); diff != "" {
				t.Errorf("it changed something:\n%s", diff)
			}
		})
	}
	s := open(t, usual, world())
	p := s.plan("-1")
	s.edit(func(w object) {
		w["registry"].(object)["failures"] = []object{{"call": "resolve", "do": "unavailable", "message": "no route"}}
	})
	if res := s.apply(t.Context(), p, nil); res.Outcome != event.Refused || !strings.Contains(res.Err.Error(), "no route") {
		t.Errorf("it cannot be looked at: %+v", res.Result)
	}
}

func TestGuardsAreAskedOnceMore(t *testing.T) {
	s := open(t, usual+`
guard "weekend" {
  condition     = now == "2019-06-03T18:00:00Z"
  error_message = "It is too late."
}
guard "care" {
  condition     = operator.approved_by != ""
  error_message = "Somebody has to approve."
  severity      = "overridable"
}
`, world())
	p, _, err := s.tryPlan(t.Context(), core.PlanRequest{To: "-1", Overrides: map[string]string{"care": "night"}})
	if err != nil || p.Diagnostics.HasErrors() {
		t.Fatal(p.Diagnostics, err)
	}
	s.Now = func() time.Time { return now.Add(2 * time.Hour) }
	res := s.apply(t.Context(), p, nil)
	if res.Outcome != event.Refused || !strings.Contains(res.Err.Error(), "too late") || strings.Contains(res.Err.Error(), "approve") {
		t.Errorf("%+v", res.Result)
	}
	s.Now = func() time.Time { return now }
	if res := s.apply(t.Context(), p, nil); res.Outcome != event.Done {
		t.Errorf("with the override of the plan: %v", res.Err)
	}
}

func TestAPlanWithErrorsIsNotApplied(t *testing.T) {
	s := open(t, usual, world())
	p := s.plan("-1")
	p.Errored = true
	if res := s.apply(t.Context(), p, nil); res.Outcome != event.Refused {
		t.Errorf("%+v", res.Result)
	}
	p.Errored, p.Environment = false, "nowhere"
	if res := s.apply(t.Context(), p, nil); res.Outcome != event.Refused {
		t.Errorf("an environment that the policy does not have: %+v", res.Result)
	}
}

func TestOneAtATime(t *testing.T) {
	s := open(t, usual, world())
	p := s.plan("-1")
	lock, err := s.State.Lock(t.Context(), "prod", state.Holder{Who: "bob@there", Operation: "OP"}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	res := s.apply(t.Context(), p, nil)
	if res.Outcome != event.Locked || core.ExitCode(res.Result) != 5 || res.Holder == nil || res.Holder.Who != "bob@there" {
		t.Errorf("%+v", res)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if res := s.apply(t.Context(), p, nil); res.Outcome != event.Done {
		t.Error(res.Err)
	}
}

func TestAStateThatCannotBeWrittenChangesNothing(t *testing.T) {
	s := open(t, usual, world())
	p := s.plan("-1")
	if err := s.State.Close(); err != nil {
		t.Fatal(err)
	}
	if res := s.apply(t.Context(), p, nil); res.Outcome != event.Refused {
		t.Errorf("%+v", res.Result)
	}
	if diff := cmp.Diff(before(), s.runs()); diff != "" {
		t.Errorf("it changed something:\n%s", diff)
	}
}

func TestExitCodesAreThoseOfTheContract(t *testing.T) {
	for _, tc := range []struct {
		res  apply.Result
		want int
	}{
		{apply.Result{Outcome: event.Done}, 0},
		{apply.Result{Outcome: event.Nothing}, 0},
		{apply.Result{Outcome: event.Refused}, 1},
		{apply.Result{Outcome: event.Restored}, 3},
		{apply.Result{Outcome: event.NeedsPerson}, 4},
		{apply.Result{Outcome: event.Locked}, 5},
		{apply.Result{Outcome: event.Interrupted}, 130},
		{apply.Result{Outcome: event.Interrupted, RestoreErr: errors.New("x")}, 4},
	} {
		if got := core.ExitCode(tc.res); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.res.Outcome, got, tc.want)
		}
	}
}

// short is a registry that says it listed all, and did not.
type short struct{ registry.Registry }

func (s short) ListReleases(ctx context.Context, req registry.ListRequest, yield func(registry.Item) error) error {
	n := 0
	return s.Registry.ListReleases(ctx, req, func(i registry.Item) error {
		if n++; n == 3 {
			return nil
		}
		return yield(i)
	})
}

func TestAListingThatLacksSomethingIsUnknown(t *testing.T) {
	s := open(t, usual, world())
	s.Registry = short{s.Registry}
	env, err := s.Environment("prod")
	if err != nil {
		t.Fatal(err)
	}
	if w, err := s.Read(t.Context(), env); err == nil {
		t.Errorf("a listing without one of its releases: %+v", w.Repos)
	}
}

// faceless is an orchestrator without optional calls.
type faceless struct{ orchestrator.Orchestrator }

func TestAnOrchestratorThatCannotCancelIsPutBackAllTheSame(t *testing.T) {
	s := open(t, usual, world())
	s.Orchestrator = faceless{s.Orchestrator}
	s.Capabilities = schema.Description{Capabilities: []schema.Capability{schema.DigestReference}}
	p := s.plan("-1")
	s.fail(object{"app": "/ds/prod/c", "tag": "2-master", "do": "doomed"})
	if res := s.apply(t.Context(), p, nil); res.Outcome != event.Restored {
		t.Errorf("%+v", res.Result)
	}
}
