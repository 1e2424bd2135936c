package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

func TestEveryStepIsRecordedBeforeItIsTaken(t *testing.T) {
	f, o := start(t, change("/a", "", 1), change("/b", "", 2))
	res := apply.Run(t.Context(), o)
	if res.Outcome != event.Done || res.Err != nil {
		t.Fatalf("%+v", res)
	}
	want := []string{
		"snapshot /a /b", "journal snapshotted",
		"journal wave_starting", "deploy OP-w1", "journal accepted", "journal wave_healthy",
		"journal wave_verified",
		"journal wave_starting", "deploy OP-w2", "journal accepted", "journal wave_healthy", "journal wave_verified", "journal ended",
	}
	if diff := cmp.Diff(want, f.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	var types []event.Type
	for _, e := range f.events {
		types = append(types, e.Type)
	}
	wave := []event.Type{event.WaveStart, event.ApplyStart, event.Log, event.ApplyProgress, event.ApplyComplete}
	if diff := cmp.Diff(append(append(append([]event.Type{event.Snapshot}, wave...), wave...), event.Verify), types); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]apply.Standing{"/a": apply.Healthy, "/b": apply.Healthy}, standings(res)); diff != "" {
		t.Errorf("standings (-want +got):\n%s", diff)
	}
}

func TestWavesArePutBackInReverse(t *testing.T) {
	f, o := start(t, change("/a", "", 1), change("/b", "", 2), change("/c", "", 3))
	f.onDeploy = doomed(f, "/b")
	res := apply.Run(t.Context(), o)
	if res.Outcome != event.Restored || !res.AsBefore || !fault.Is(res.Err, fault.Doomed) {
		t.Fatalf("%+v", res)
	}
	want := []string{
		"snapshot /a /b /c", "journal snapshotted",
		"journal wave_starting", "deploy OP-w1", "journal accepted", "journal wave_healthy",
		"journal wave_verified",
		"journal wave_starting", "deploy OP-w2", "journal accepted", "journal failing", "cancel D-OP-w2",
		"journal restore_starting", "restore OP-r2", "journal restore_accepted", "journal wave_restored",
		"journal restore_starting", "restore OP-r1", "journal restore_accepted", "journal wave_restored",
		"snapshot /a /b", "journal ended",
	}
	if diff := cmp.Diff(want, f.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]apply.Standing{"/a": apply.Restored, "/b": apply.Restored, "/c": apply.Pending}, standings(res)); diff != "" {
		t.Errorf("standings (-want +got):\n%s", diff)
	}
}

// TestAnAppWithSeveralContainersIsOneApp has its changes apart from each other in the plan.
func TestAnAppWithSeveralContainersIsOneApp(t *testing.T) {
	f, o := start(t, change("/a", "x", 1), change("/b", "", 1), change("/a", "y", 1))
	res := apply.Run(t.Context(), o)
	if res.Outcome != event.Done || len(res.Apps) != 2 || res.Apps[0].To != "new/ax, new/ay" || res.Apps[0].Running != "new/ax, new/ay" {
		t.Fatalf("%+v", res)
	}
	if f.calls[0] != "snapshot /a /b" {
		t.Errorf("%v", f.calls)
	}
	starts := 0
	for _, e := range f.events {
		if e.Type == event.ApplyStart {
			starts++
		}
	}
	if starts != 2 {
		t.Errorf("%d starts for 2 apps", starts)
	}
	// The images are right, but not where they belong.
	f, o = start(t, change("/a", "x", 1), change("/a", "y", 1))
	f.onDeploy = func(_ context.Context, _ orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error) {
		emit(accepted("D"))
		f.runs["/a"] = map[string]string{"x": "new/ay", "y": "new/ax"}
		emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
		return true, nil
	}
	if res := apply.Run(t.Context(), o); res.Outcome != event.Restored || !strings.Contains(res.Err.Error(), "verify what runs") {
		t.Errorf("swapped containers: %+v", res)
	}
}

func TestWhatCannotBeSnapshottedIsNotChanged(t *testing.T) {
	one := orchestrator.Snapshot{App: "/a", Fingerprint: "f-/a"}
	for name, tc := range map[string]struct {
		answer []orchestrator.Snapshot
		err    error
		code   fault.Code
	}{
		"an app is gone":           {nil, fault.New(fault.NotFound, "there is no app /b"), fault.NotFound},
		"one is not returned":      {[]orchestrator.Snapshot{one}, nil, fault.Internal},
		"one is returned twice":    {[]orchestrator.Snapshot{one, one}, nil, fault.Internal},
		"one has changed since":    {[]orchestrator.Snapshot{one, {App: "/b", Fingerprint: "other"}}, nil, fault.Drifted},
		"the orchestrator is away": {nil, fault.New(fault.Unavailable, "no route"), fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			f, o := start(t, change("/a", "", 1), change("/b", "", 1))
			f.onSnapshot = func(context.Context, []string) (bool, []orchestrator.Snapshot, error) { return true, tc.answer, tc.err }
			res := apply.Run(t.Context(), o)
			if res.Outcome != event.Refused || !res.AsBefore || fault.CodeOf(res.Err) != tc.code {
				t.Errorf("%+v", res)
			}
			if strings.Contains(strings.Join(f.calls, "\n"), "deploy") {
				t.Errorf("%v", f.calls)
			}
		})
	}
}

func TestAJournalThatCannotBeWritten(t *testing.T) {
	full := errors.New("disk full")
	for at, want := range map[journal.Step]event.Outcome{
		journal.Snapshotted: event.Refused, journal.WaveStarting: event.Refused,
		journal.Accepted: event.Restored, journal.WaveHealthy: event.Restored, journal.Ended: event.Done,
	} {
		t.Run(string(at), func(t *testing.T) {
			f, o := start(t, change("/a", "", 1))
			broken := false
			f.onEntry = func(e journal.Entry) error {
				if broken = broken || e.Step == at; broken {
					return full
				}
				return nil
			}
			res := apply.Run(t.Context(), o)
			if res.Outcome != want || !errors.Is(errors.Join(res.Err, res.Unrecorded), full) || !errors.Is(res.Unrecorded, full) && want != event.Refused || res.RestoreErr != nil {
				t.Errorf("%+v, want %s", res, want)
			}
			if want != event.Done && f.runs["/a"][""] != "old/a" {
				t.Errorf("runs %v", f.runs)
			}
		})
	}
}

func TestADeploymentThatFails(t *testing.T) {
	for name, tc := range map[string]struct {
		heard bool
		err   error
		want  event.Outcome
		undo  string
	}{
		"busy":                            {false, fault.New(fault.Busy, "locked"), event.Refused, ""},
		"drifted":                         {false, fault.New(fault.Drifted, "changed"), event.Refused, ""},
		"nothing was sent":                {false, fault.New(fault.Unavailable, "no route"), event.Refused, ""},
		"away after it was accepted":      {true, fault.New(fault.Unavailable, "no route"), event.Restored, "cancel D"},
		"the answer is lost":              {false, fault.New(fault.Indeterminate, "lost"), event.Restored, "cancel"},
		"lost, but known to be under way": {false, &fault.Fault{Code: fault.Indeterminate, Message: "lost", Deployments: []string{"X"}}, event.Restored, "cancel X"},
		"lost, and heard of":              {true, &fault.Fault{Code: fault.Indeterminate, Message: "lost", Deployments: []string{"D"}}, event.Restored, "cancel D"},
		"no fault at all":                 {false, errors.New("what?"), event.Restored, "cancel"},
		"it ends without an end":          {true, nil, event.Restored, "cancel D"},
		"it ends without a word":          {false, nil, event.Restored, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, o := start(t, change("/a", "", 1))
			f.onDeploy = func(_ context.Context, _ orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error) {
				f.runs["/a"][""] = "new/a"
				if tc.want == event.Refused {
					f.runs["/a"][""] = "old/a"
				}
				if tc.heard {
					emit(accepted("D"))
				}
				return true, tc.err
			}
			res := apply.Run(t.Context(), o)
			if res.Outcome != tc.want || res.Err == nil || !res.AsBefore || f.runs["/a"][""] != "old/a" {
				t.Errorf("%+v; runs %v", res, f.runs)
			}
			calls := strings.Join(f.calls, "\n")
			if got := strings.Contains(calls, "cancel"); got != (tc.undo != "") || !strings.Contains(calls, tc.undo) {
				t.Errorf("calls, want %q:\n%s", tc.undo, calls)
			}
		})
	}
}

func TestWhatAPluginSaysIsPassedOn(t *testing.T) {
	f, o := start(t, change("/a", "", 1))
	warning := diag.Warnf("Careful", "it is slow")
	f.onDeploy = func(_ context.Context, _ orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error) {
		emit(orchestrator.Event{Log: &orchestrator.Log{App: "/a", Message: "pulling"}})
		emit(orchestrator.Event{Diagnostic: &warning})
		emit(orchestrator.Event{AppHealthy: &orchestrator.AppHealthy{App: "/unknown"}})
		emit(orchestrator.Event{AppFailed: &orchestrator.AppFailed{App: "/unknown"}})
		emit(orchestrator.Event{})
		return false, nil
	}
	res := apply.Run(t.Context(), o)
	if res.Outcome != event.Done || len(res.Apps) != 1 {
		t.Fatalf("%+v", res)
	}
	count := map[event.Type]int{}
	for _, e := range f.events {
		count[e.Type]++
	}
	// What is said of an app that is not in the plan is told, and changes no count.
	if count[event.Diagnostic] != 1 || count[event.Log] != 4 || count[event.ApplyComplete] != 1 || count[event.ApplyErrored] != 0 {
		t.Errorf("%v", count)
	}
}

func TestWhatRunsIsReadBack(t *testing.T) {
	quiet := func(f *fake) func(context.Context, orchestrator.DeployRequest, func(orchestrator.Event)) (bool, error) {
		return func(_ context.Context, _ orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error) {
			emit(accepted("D"))
			emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
			return true, nil
		}
	}
	f, o := start(t, change("/a", "", 1))
	f.onDeploy = quiet(f)
	if res := apply.Run(t.Context(), o); res.Outcome != event.Restored || !strings.Contains(res.Err.Error(), "app /a runs old/a instead of new/a") {
		t.Errorf("it says complete, and nothing has changed: %+v", res)
	}
	f, o = start(t, change("/a", "", 1))
	f.onDeploy, o.OnFailure = quiet(f), "stop"
	res := apply.Run(t.Context(), o)
	if res.Outcome != event.NeedsPerson || res.Apps[0].Standing != apply.Failed || res.Apps[0].Problem == "" || res.Apps[0].Running != "old/a" {
		t.Errorf("… and it is not to be put back: %+v", res)
	}
	f, o = start(t, change("/a", "", 1))
	f.onDeploy = func(_ context.Context, _ orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error) {
		emit(accepted("D"))
		delete(f.runs, "/a")
		emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
		return true, nil
	}
	f.onRestore = func(context.Context, orchestrator.RestoreRequest, func(orchestrator.Event)) (bool, error) {
		return true, fault.New(fault.NotFound, "there is no app /a")
	}
	res = apply.Run(t.Context(), o)
	if res.Outcome != event.NeedsPerson || !strings.Contains(res.Err.Error(), "runs nothing") || res.Apps[0].Standing != apply.Unknown {
		t.Errorf("an app that was deleted meanwhile: %+v", res)
	}
}

func TestWithoutATimeoutAnOperationMayTakeForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := start(t, change("/a", "", 1))
		o.Timeout = 0
		f.onDeploy = func(ctx context.Context, _ orchestrator.DeployRequest, _ func(orchestrator.Event)) (bool, error) {
			if _, bounded := ctx.Deadline(); bounded {
				t.Error("there is a deadline")
			}
			return false, nil
		}
		if res := apply.Run(t.Context(), o); res.Outcome != event.Done {
			t.Errorf("%+v", res)
		}
	})
}

func TestAppsThatStayAreLeftAlone(t *testing.T) {
	stays := change("/b", "", 0)
	stays.Action, stays.Fingerprint = plan.Keep, "outdated"
	f, o := start(t, change("/a", "", 1), stays)
	if res := apply.Run(t.Context(), o); res.Outcome != event.Done || len(res.Apps) != 1 || f.runs["/b"][""] != "old/b" {
		t.Errorf("%+v", res)
	}
}

// TestAllWavesTogetherHaveATime lets a clock go on by 40 seconds at each look.
func TestAllWavesTogetherHaveATime(t *testing.T) {
	f, o := start(t, change("/a", "", 1), change("/b", "", 2))
	at := time.Date(2019, 6, 3, 3, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { at = at.Add(40 * time.Second); return at }
	o.Total = 2 * time.Minute
	res := apply.Run(t.Context(), o)
	if res.Outcome != event.Restored || !strings.Contains(res.Err.Error(), "apply.total_timeout") {
		t.Fatalf("%+v", res)
	}
	if diff := cmp.Diff(map[string]apply.Standing{"/a": apply.Restored, "/b": apply.Pending}, standings(res)); diff != "" {
		t.Errorf("standings (-want +got):\n%s", diff)
	}
	if strings.Contains(strings.Join(f.calls, " "), "deploy OP-w2") {
		t.Errorf("calls: %v", f.calls)
	}
}
