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
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

type restoring = func(context.Context, orchestrator.RestoreRequest, func(orchestrator.Event)) (bool, error)

// failing fails the first times with err, after it has been accepted.
func failing(times int, err error) restoring {
	return func(_ context.Context, _ orchestrator.RestoreRequest, emit func(orchestrator.Event)) (bool, error) {
		if times--; times < 0 {
			return false, nil
		}
		emit(accepted("R"))
		return true, err
	}
}

func TestPuttingBackIsPatient(t *testing.T) {
	second := time.Second
	slow := &fault.Fault{Code: fault.RateLimited, Message: "slower", RetryAfter: 30 * second}
	rude := &fault.Fault{Code: fault.RateLimited, Message: "slower", RetryAfter: time.Hour}
	for name, tc := range map[string]struct {
		restore restoring
		want    event.Outcome
		waits   []time.Duration
	}{
		"away for a moment":        {failing(2, fault.New(fault.Unavailable, "no route")), event.Restored, []time.Duration{second, 2 * second}},
		"answers are lost":         {failing(1, fault.New(fault.Indeterminate, "lost")), event.Restored, []time.Duration{second}},
		"something else goes on":   {failing(1, fault.New(fault.Busy, "locked")), event.Restored, []time.Duration{second}},
		"it asks for more time":    {failing(1, slow), event.Restored, []time.Duration{30 * second}},
		"it asks for far too much": {failing(1, rude), event.Restored, []time.Duration{2 * time.Minute}},
		"away for good":            {failing(99, fault.New(fault.Unavailable, "no route")), event.NeedsPerson, []time.Duration{second, 2 * second, 4 * second, 8 * second}},
		"it is not allowed":        {failing(99, fault.New(fault.PermissionDenied, "no")), event.NeedsPerson, nil},
		"it ends without an end":   {failing(99, nil), event.NeedsPerson, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, o := start(t, change("/a", "", 1))
			f.onDeploy, f.onRestore = doomed(f, "/a"), tc.restore
			res := apply.Run(t.Context(), o)
			if res.Outcome != tc.want || res.AsBefore != (tc.want == event.Restored) || (res.RestoreErr == nil) != res.AsBefore {
				t.Errorf("%+v", res)
			}
			if !fault.Is(res.Err, fault.Doomed) {
				t.Errorf("why it failed at first is lost: %v", res.Err)
			}
			if diff := cmp.Diff(tc.waits, f.waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			// What puts back is never cancelled: asked for again under the same id, it is followed.
			if calls := strings.Join(f.calls, "\n"); strings.Contains(calls, "cancel R") || strings.Count(calls, "restore OP-r1") != len(tc.waits)+1 {
				t.Errorf("calls:\n%s", calls)
			}
		})
	}
}

func TestOneWaveThatCannotBePutBackDoesNotKeepTheOthers(t *testing.T) {
	f, o := start(t, change("/a", "", 1), change("/b", "", 2))
	f.onDeploy = doomed(f, "/b")
	f.onRestore = func(_ context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) (bool, error) {
		if req.OperationID != "OP-r2" {
			return false, nil
		}
		emit(accepted("R2"))
		return true, fault.New(fault.Doomed, "no space")
	}
	res := apply.Run(t.Context(), o)
	if res.Outcome != event.NeedsPerson || res.AsBefore || !strings.Contains(res.RestoreErr.Error(), "no space") {
		t.Fatalf("%+v", res)
	}
	want := []apply.AppState{
		{Repo: "a", App: "/a", From: "old/a", To: "new/a", Running: "old/a", Standing: apply.Restored},
		{Repo: "b", App: "/b", From: "old/b", To: "new/b", Running: "new/b", Standing: apply.Failed, Problem: "not put back: no space"},
	}
	if diff := cmp.Diff(want, res.Apps); diff != "" {
		t.Errorf("apps (-want +got):\n%s", diff)
	}
	if calls := strings.Join(f.calls, "\n"); strings.Contains(calls, "cancel R") {
		t.Errorf("what puts back is cancelled:\n%s", calls)
	}
}

func TestTheImageIsBackButNotHealthy(t *testing.T) {
	f, o := start(t, change("/a", "", 1))
	f.onDeploy = doomed(f, "/a")
	f.onRestore = func(_ context.Context, _ orchestrator.RestoreRequest, emit func(orchestrator.Event)) (bool, error) {
		f.runs["/a"][""] = "old/a"
		emit(orchestrator.Event{AppFailed: &orchestrator.AppFailed{App: "/a"}})
		emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
		return true, nil
	}
	res := apply.Run(t.Context(), o)
	if res.Outcome != event.NeedsPerson || !strings.Contains(res.RestoreErr.Error(), "not healthy") || res.Apps[0].Problem != "no reason was given" {
		t.Errorf("%+v", res)
	}
}

func TestOnlyWhatIsReadBackCountsAsPutBack(t *testing.T) {
	for name, tc := range map[string]struct {
		answer  func(f *fake, apps []string) (bool, []orchestrator.Snapshot, error)
		outcome event.Outcome
		want    map[string]apply.Standing
	}{
		"one app is left out, and is there when asked for alone": {
			func(f *fake, apps []string) (bool, []orchestrator.Snapshot, error) {
				return len(apps) == 2, []orchestrator.Snapshot{{App: "/a", Images: f.images("/a")}, {App: "/stranger"}}, nil
			}, event.Restored, map[string]apply.Standing{"/a": apply.Restored, "/b": apply.Restored},
		},
		"one app is gone": {
			func(_ *fake, apps []string) (bool, []orchestrator.Snapshot, error) {
				return apps[len(apps)-1] == "/b", nil, fault.New(fault.NotFound, "there is no app /b")
			}, event.NeedsPerson, map[string]apply.Standing{"/a": apply.Restored, "/b": apply.Unknown},
		},
		"another app is returned": {
			func(f *fake, _ []string) (bool, []orchestrator.Snapshot, error) {
				return true, []orchestrator.Snapshot{{App: "/a", Images: f.images("/a")}}, nil
			}, event.NeedsPerson, map[string]apply.Standing{"/a": apply.Restored, "/b": apply.Unknown},
		},
		"nothing can be read": {
			func(*fake, []string) (bool, []orchestrator.Snapshot, error) {
				return true, nil, fault.New(fault.Unavailable, "no route")
			}, event.NeedsPerson, map[string]apply.Standing{"/a": apply.Unknown, "/b": apply.Unknown},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, o := start(t, change("/a", "", 1), change("/b", "", 1))
			f.onDeploy = doomed(f, "/a")
			first := true
			f.onSnapshot = func(_ context.Context, apps []string) (bool, []orchestrator.Snapshot, error) {
				if first {
					first = false
					return false, nil, nil
				}
				return tc.answer(f, apps)
			}
			res := apply.Run(t.Context(), o)
			if res.Outcome != tc.outcome {
				t.Errorf("%+v", res)
			}
			if diff := cmp.Diff(tc.want, standings(res)); diff != "" {
				t.Errorf("standings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestACancelThatFailsIsToldOnlyWhenItMatters(t *testing.T) {
	for _, bad := range []bool{false, true} {
		f, o := start(t, change("/a", "", 1))
		f.onDeploy = doomed(f, "/a")
		f.onCancel = func(context.Context, []string) error { return errors.New("cannot cancel") }
		if bad {
			f.onRestore = failing(99, fault.New(fault.Unavailable, "no route"))
		}
		res := apply.Run(t.Context(), o)
		if told := res.RestoreErr != nil && strings.Contains(res.RestoreErr.Error(), "cannot cancel"); told != bad {
			t.Errorf("putting back fails: %v; %+v", bad, res)
		}
	}
	f, o := start(t, change("/a", "", 1))
	f.onDeploy, o.Canceler = doomed(f, "/a"), nil
	if res := apply.Run(t.Context(), o); res.Outcome != event.Restored {
		t.Errorf("an orchestrator that cannot cancel: %+v", res)
	}
}

func TestOnFailureStopLeavesThingsAsTheyAre(t *testing.T) {
	for _, away := range []bool{false, true} {
		f, o := start(t, change("/a", "", 1), change("/b", "", 2))
		f.onDeploy, o.OnFailure = doomed(f, "/b"), "stop"
		if away {
			f.onList = func(context.Context) error { return fault.New(fault.Unavailable, "no route") }
		}
		res := apply.Run(t.Context(), o)
		want := map[string]apply.Standing{"/a": apply.Healthy, "/b": apply.Failed}
		running := "new/b"
		if away {
			want, running = map[string]apply.Standing{"/a": apply.Unknown, "/b": apply.Unknown}, ""
		}
		if res.Outcome != event.NeedsPerson || res.AsBefore || res.Apps[1].Running != running {
			t.Errorf("%+v", res)
		}
		if diff := cmp.Diff(want, standings(res)); diff != "" {
			t.Errorf("standings (-want +got):\n%s", diff)
		}
		if strings.Contains(strings.Join(f.calls, "\n"), "restore") {
			t.Errorf("%v", f.calls)
		}
	}
}

func TestAnInterruptPutsEverythingBack(t *testing.T) {
	for _, onFailure := range []string{"restore", "stop"} {
		f, o := start(t, change("/a", "", 1), change("/b", "", 2))
		if onFailure == "stop" {
			o.OnFailure = "stop"
		}
		interrupt := make(chan struct{})
		o.Interrupt = interrupt
		f.onDeploy = func(ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error) {
			if req.OperationID != "OP-w2" {
				return false, nil
			}
			emit(accepted("D2"))
			f.runs["/b"][""] = "new/b"
			close(interrupt)
			<-ctx.Done()
			return true, context.Cause(ctx)
		}
		res := apply.Run(t.Context(), o)
		if res.Outcome != event.Interrupted || !res.AsBefore || f.runs["/a"][""] != "old/a" || f.runs["/b"][""] != "old/b" {
			t.Errorf("on_failure %s: %+v, runs %v", onFailure, res, f.runs)
		}
		if !strings.Contains(strings.Join(f.calls, "\n"), "cancel D2") {
			t.Errorf("%v", f.calls)
		}
	}
}

func TestASecondInterruptWhilePuttingBack(t *testing.T) {
	f, o := start(t, change("/a", "", 1), change("/b", "", 2))
	f.onDeploy = doomed(f, "/b")
	ctx, cancel := context.WithCancel(t.Context())
	f.onRestore = func(context.Context, orchestrator.RestoreRequest, func(orchestrator.Event)) (bool, error) {
		cancel()
		return true, fault.New(fault.Unavailable, "broken off")
	}
	res := apply.Run(ctx, o)
	if res.Outcome != event.Interrupted || res.AsBefore || res.RestoreErr == nil {
		t.Fatalf("%+v", res)
	}
	// What is where is read once more, although nobody waits for more than that.
	if res.Apps[0].Running != "new/a" || res.Apps[1].Running != "new/b" {
		t.Errorf("%+v", res.Apps)
	}
	if strings.Contains(strings.Join(f.calls, "\n"), "restore OP-r1") {
		t.Errorf("it went on: %v", f.calls)
	}
}

func TestASecondInterruptWhileWaitingToTryAgain(t *testing.T) {
	f, o := start(t, change("/a", "", 1))
	f.onDeploy = doomed(f, "/a")
	ctx, cancel := context.WithCancel(t.Context())
	f.onRestore = failing(99, fault.New(fault.Unavailable, "no route"))
	o.Wait = func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}
	if res := apply.Run(ctx, o); res.Outcome != event.Interrupted || !strings.Contains(res.RestoreErr.Error(), "no route") {
		t.Errorf("%+v", res)
	}
}

// TestNothingHangsForever has an orchestrator that stops answering, at each call.
func TestNothingHangsForever(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, tc := range map[string]struct {
		script func(f *fake)
		want   event.Outcome
		longer time.Duration
	}{
		"deploy": {func(f *fake) {
			f.onDeploy = func(ctx context.Context, _ orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error) {
				emit(accepted("D"))
				return true, hang(ctx)
			}
		}, event.Restored, 2 * time.Minute},
		"restore": {func(f *fake) {
			f.onDeploy = doomed(f, "/a")
			f.onRestore = func(ctx context.Context, _ orchestrator.RestoreRequest, _ func(orchestrator.Event)) (bool, error) {
				return true, hang(ctx)
			}
		}, event.NeedsPerson, 2 * time.Minute},
		"cancel": {func(f *fake) {
			f.onDeploy = doomed(f, "/a")
			f.onCancel = func(ctx context.Context, _ []string) error { return hang(ctx) }
		}, event.Restored, 3 * time.Minute},
		"list": {func(f *fake) { f.onList = hang }, event.Restored, 3 * time.Minute},
		"read back": {func(f *fake) {
			f.onDeploy = doomed(f, "/a")
			n := 0
			f.onSnapshot = func(ctx context.Context, _ []string) (bool, []orchestrator.Snapshot, error) {
				if n++; n == 1 {
					return false, nil, nil
				}
				return true, nil, hang(ctx)
			}
		}, event.NeedsPerson, 3 * time.Minute},
		"snapshot": {func(f *fake) {
			f.onSnapshot = func(ctx context.Context, _ []string) (bool, []orchestrator.Snapshot, error) {
				return true, nil, hang(ctx)
			}
		}, event.Refused, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, o := start(t, change("/a", "", 1))
				tc.script(f)
				began := time.Now()
				res := apply.Run(t.Context(), o)
				if res.Outcome != tc.want || time.Since(began) > tc.longer {
					t.Errorf("after %s: %+v", time.Since(began), res)
				}
			})
		})
	}
}

func TestASecondInterruptIsNotKeptWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, o := start(t, change("/a", "", 1))
		ctx, cancel := context.WithCancel(t.Context())
		f.onDeploy = func(ctx context.Context, _ orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error) {
			emit(accepted("D"))
			cancel()
			<-ctx.Done()
			return true, ctx.Err()
		}
		f.onList = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		res := apply.Run(ctx, o)
		if res.Outcome != event.Interrupted || res.AsBefore || res.Apps[0].Standing != apply.Unknown || time.Since(began) > 10*time.Second {
			t.Errorf("after %s: %+v", time.Since(began), res)
		}
	})
}
