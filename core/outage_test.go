package core_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/core/state/pgtest"
)

// onPostgres opens the shop with a PostgreSQL of its own as its state.
func onPostgres(t *testing.T, o state.Options) (*shop, *pgtest.Server) {
	t.Helper()
	pg, err := pgtest.Start(t.Context(), t.TempDir())
	if errors.Is(err, pgtest.ErrNoPostgres) && os.Getenv("CI") == "" {
		t.Skip("PostgreSQL is not installed: " + pgtest.Install)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.Stop)
	s := open(t, usual+`apply { strategy = "waves" }`, world())
	o.URL = pg.URL
	s.State = s.openState(o)
	return s, pg
}

// TestAnApplySurvivesThatItsDatabaseIsStartedAgain restarts PostgreSQL at every kind of event.
func TestAnApplySurvivesThatItsDatabaseIsStartedAgain(t *testing.T) {
	for _, at := range []event.Type{event.Snapshot, event.WaveStart, event.ApplyStart, event.ApplyComplete, event.Verify} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			s, pg := onPostgres(t, state.Options{})
			p := s.plan("-1")
			again := make(chan error, 1)
			started := false
			s.on = func(e event.Event) {
				if e.Type != at || started {
					return
				}
				started = true
				pg.Stop()
				go func() { again <- pg.StartAgain(context.Background()) }()
			}
			res := s.apply(t.Context(), p, nil)
			if !started {
				t.Fatalf("there was no %s: %+v", at, res.Result)
			}
			if err := <-again; err != nil {
				t.Fatal(err)
			}
			if res.Outcome != event.Done || res.Err != nil {
				t.Fatalf("%+v", res.Result)
			}
			if diff := cmp.Diff(after(), s.runs()); diff != "" {
				t.Errorf("what runs (-want +got):\n%s", diff)
			}
			s.wellKept(res.OperationID)
			if h, err := s.State.Holder(t.Context(), "prod"); h != nil || err != nil {
				t.Errorf("the lock is held: %+v, %v", h, err)
			}
		})
	}
}

// TestAnApplyWhoseDatabaseStaysAwayEndsInAClearState: the lock is lost, so nobody may go on; what is where is said, and when the
// database is back the operation is put back.
func TestAnApplyWhoseDatabaseStaysAwayEndsInAClearState(t *testing.T) {
	s, pg := onPostgres(t, state.Options{Lease: time.Second, Patience: 200 * time.Millisecond})
	p := s.plan("-1")
	s.fail(object{"app": "/ds/prod/c", "tag": "2-master", "do": "stuck"})
	stopped := false
	s.on = func(e event.Event) {
		if e.Type == event.ApplyComplete && !stopped {
			stopped = true
			pg.Stop()
		}
	}
	res := s.apply(t.Context(), p, nil)
	if core.ExitCode(res.Result) != 4 && res.Outcome != event.Restored {
		t.Errorf("outcome %s: %+v", res.Outcome, res.Result)
	}
	for _, a := range res.Apps {
		if a.Standing == "" {
			t.Errorf("%s: nothing is said of it", a.App)
		}
	}
	if res.Err == nil || !strings.Contains(res.Err.Error(), "127.0.0.1") && !errors.Is(res.Err, state.ErrLockLost) {
		t.Errorf("why: %v", res.Err)
	}
	if err := pg.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.on = nil
	s.fail()
	// The process that has lost its lock is gone; on this machine that is certain at once for another one.
	back := s.Resume(t.Context(), core.ResumeRequest{Environment: s.Policy.Environments[0], PutBack: true, Run: run(nil)})
	if !back.AsBefore {
		t.Errorf("put back: %+v", back.Result)
	}
	if diff := cmp.Diff(before(), s.runs()); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}
}

// TestOnlyImagesGoBackWithoutSnapshots: a policy that leaves snapshots out, or a key that is lost, leaves images to put back.
func TestOnlyImagesGoBackWithoutSnapshots(t *testing.T) {
	s := open(t, usual, world())
	p := s.plan("-1")
	s.fail(object{"app": "/ds/prod/c", "tag": "2-master", "do": "doomed", "message": "exit status 1"}, object{"call": "restore", "do": "permission_denied", "times": 1})
	res := s.apply(t.Context(), p, nil)
	if res.Outcome != event.NeedsPerson {
		t.Fatalf("%+v", res.Result)
	}
	key, err := state.ParseKey("YW5vdGhlciBrZXkgb2YgMzIgYnl0ZXMgaGVyZSE9PT0=")
	if err != nil {
		t.Fatal(err)
	}
	o := state.Options{Path: s.dir + "/state.db", Key: key, Now: func() time.Time { return now }}
	if s.State, err = state.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	defer s.State.Close()
	s.fail()
	back := s.Resume(t.Context(), core.ResumeRequest{Environment: s.Policy.Environments[0], Operation: res.OperationID, PutBack: true, Run: run(nil)})
	if !back.AsBefore {
		t.Errorf("%+v", back.Result)
	}
	if diff := cmp.Diff(before(), s.runs()); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}
}
