package state_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/core/state/pgtest"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// holdEnv makes this test's executable a process that takes a lock, says how that went, and holds it until its standard
// input ends. Its value is state.Options in JSON, as far as they can be.
const holdEnv = "ROLLBACK_TEST_HOLD"

// postgres is the server of all tests; nil where none is installed.
var postgres *pgtest.Server

func TestMain(m *testing.M) {
	if text := os.Getenv(holdEnv); text != "" {
		hold(text)
		return
	}
	dir, err := os.MkdirTemp("", "state-test-")
	if err != nil {
		panic(err)
	}
	postgres, err = pgtest.Start(context.Background(), dir)
	if err != nil && (!errors.Is(err, pgtest.ErrNoPostgres) || os.Getenv("CI") != "") {
		fmt.Fprintf(os.Stderr, "start PostgreSQL: %v; install it with %s\n", err, pgtest.Install)
		os.Exit(1)
	}
	code := m.Run()
	if postgres != nil {
		postgres.Stop()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func hold(text string) {
	var o state.Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	o.Now = time.Now
	s, err := state.Open(context.Background(), o)
	if err == nil {
		_, err = s.Lock(context.Background(), "prod", state.Holder{Who: "bob@there", Host: os.Getenv("ROLLBACK_TEST_HOST"), PID: os.Getpid(), Operation: "OP", Command: "rollback apply"}, 0, nil)
	}
	fmt.Println(err)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

func clock() time.Time { return time.Date(2019, 6, 3, 12, 0, 0, 0, time.UTC) }

func key(t *testing.T) *state.Key {
	t.Helper()
	k, err := state.ParseKey("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// each runs a test on both kinds of state, each new and empty.
func each(t *testing.T, test func(t *testing.T, o state.Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		test(t, state.Options{Path: filepath.Join(t.TempDir(), "with ? and %20", "state.db"), Now: clock, Key: key(t)})
	})
	t.Run("postgres", func(t *testing.T) { test(t, state.Options{URL: schema(t), Now: clock, Key: key(t)}) })
}

// schema is a new schema of the test server.
func schema(t *testing.T) string {
	t.Helper()
	if postgres == nil {
		t.Skip("PostgreSQL is not installed: " + pgtest.Install)
	}
	name := "s" + strings.ToLower(strings.NewReplacer("/", "_", "-", "_", " ", "_", ",", "_", "…", "_").Replace(t.Name()))
	name = fmt.Sprintf("%.40s_%d", name, time.Now().UnixNano())
	makeSchema(t, name)
	return postgres.URL + "&search_path=" + name
}

func open(t *testing.T, o state.Options) *state.Store {
	t.Helper()
	s, err := state.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// other starts a process that tries to take the lock of prod, and returns what it says.
func other(t *testing.T, o state.Options, host string) (cmd *exec.Cmd, says string) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"Path": o.Path, "URL": o.URL, "Lease": o.Lease})
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+string(raw), "ROLLBACK_TEST_HOST="+host)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the other process: %q, %v", line, err)
	}
	return cmd, strings.TrimSpace(line)
}

func TestALockIsHeldByOneProcess(t *testing.T) {
	each(t, func(t *testing.T, o state.Options) {
		s := open(t, o)
		if h, err := s.Holder(t.Context(), "prod"); h != nil || err != nil {
			t.Errorf("before: %+v, %v", h, err)
		}
		cmd, says := other(t, o, "there")
		if says != "<nil>" {
			t.Fatal(says)
		}
		_, err := s.Lock(t.Context(), "prod", state.Holder{Who: "alice"}, 0, nil)
		var locked *state.LockedError
		if !errors.As(err, &locked) || locked.Holder.Who != "bob@there" || locked.Holder.PID != cmd.Process.Pid {
			t.Fatalf("Lock: %v", err)
		}
		for _, want := range []string{"prod", "bob@there", "rollback apply", "on there", "OP", "since 2"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not name %s", err, want)
			}
		}
		h, err := s.Holder(t.Context(), "prod")
		if err != nil || h == nil || h.Who != "bob@there" || h.Gone {
			t.Fatalf("Holder: %+v, %v", h, err)
		}
		if err := s.Unlock(t.Context(), "prod", *h); err == nil || !strings.Contains(err.Error(), "rollback cancel OP") {
			t.Errorf("the lock of a living process is released: %v", err)
		}
		// Another environment is free.
		stage, err := s.Lock(t.Context(), "stage", state.Holder{}, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := stage.Unlock(); err != nil {
			t.Error(err)
		}
		// Waiting says for whom, and ends when the time is over.
		var waited []string
		_, err = s.Lock(t.Context(), "prod", state.Holder{}, 500*time.Millisecond, func(h state.Holder) { waited = append(waited, h.Who) })
		if !errors.As(err, &locked) || cmp.Diff([]string{"bob@there"}, waited) != "" {
			t.Errorf("Lock with a wait: %v, waited for %v", err, waited)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		_, err = s.Lock(cancelled, "prod", state.Holder{}, time.Hour, func(state.Holder) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Lock that is interrupted: %v", err)
		}
	})
}

func TestTheLockOfADeadProcessIsFree(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, o state.Options) {
		s := open(t, o)
		cmd, says := other(t, o, host)
		if says != "<nil>" {
			t.Fatal(says)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		// A waiter gets it as soon as the process is gone.
		lock, err := s.Lock(t.Context(), "prod", state.Holder{Who: "alice"}, time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := lock.Unlock(); err != nil {
			t.Error(err)
		}
		if h, err := s.Holder(t.Context(), "prod"); h != nil || err != nil {
			t.Errorf("after: %+v, %v", h, err)
		}
	})
}

// TestALockOfAnotherHostIsWaitedFor: of a process on another machine it cannot be told that it is dead and not merely cut off.
func TestALockOfAnotherHostIsWaitedFor(t *testing.T) {
	o := state.Options{URL: schema(t), Now: clock, Lease: 2 * time.Second}
	s := open(t, o)
	cmd, says := other(t, o, "elsewhere")
	if says != "<nil>" {
		t.Fatal(says)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	_, err := s.Lock(t.Context(), "prod", state.Holder{Who: "alice"}, 0, nil)
	var locked *state.LockedError
	if !errors.As(err, &locked) || !locked.Holder.Gone || !strings.Contains(err.Error(), "does not answer") {
		t.Fatalf("at once: %v", err)
	}
	h, err := s.Holder(t.Context(), "prod")
	if err != nil || h == nil || !h.Gone {
		t.Fatalf("Holder: %+v, %v", h, err)
	}
	lock, err := s.Lock(t.Context(), "prod", state.Holder{Who: "alice"}, time.Minute, nil)
	if err != nil {
		t.Fatalf("after its lease: %v", err)
	}
	if err := s.Unlock(t.Context(), "prod", *h); err == nil {
		t.Error("a lock that somebody else has taken meanwhile is released")
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestAStaleLockCanBeReleased(t *testing.T) {
	o := state.Options{URL: schema(t), Now: clock, Lease: time.Hour}
	s := open(t, o)
	cmd, says := other(t, o, "elsewhere")
	if says != "<nil>" {
		t.Fatal(says)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// The server notices in its own time that the connection has ended.
	h, err := s.Holder(t.Context(), "prod")
	for err == nil && h != nil && !h.Gone {
		h, err = s.Holder(t.Context(), "prod")
	}
	if err != nil || h == nil {
		t.Fatalf("Holder: %+v, %v", h, err)
	}
	if err := s.Unlock(t.Context(), "prod", *h); err != nil {
		t.Fatal(err)
	}
	lock, err := s.Lock(t.Context(), "prod", state.Holder{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}

// TestOfManyOneWins lets a hundred processes race for a lock.
func TestOfManyOneWins(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred processes")
	}
	each(t, func(t *testing.T, o state.Options) {
		open(t, o)
		const racers = 100
		said := make([]string, racers)
		var wg sync.WaitGroup
		for i := range racers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, said[i] = other(t, o, "there")
			}()
		}
		wg.Wait()
		won := 0
		for _, s := range said {
			switch {
			case s == "<nil>":
				won++
			case !strings.Contains(s, "held by bob@there (rollback apply, process "):
				t.Errorf("a loser does not name the holder: %s", s)
			}
		}
		if won != 1 {
			t.Errorf("%d of %d have the lock", won, racers)
		}
	})
}

func header(id string) journal.Header {
	return journal.Header{
		OperationID: id, Kind: journal.Apply, Environment: "prod", Operator: "alice", Reason: "it's broken", Overrides: map[string]string{"g": "because"},
		Plan: &plan.Plan{ID: "P" + id, Environment: "prod", To: "2019-06-01", Changes: []plan.Change{}},
	}
}

// begin locks prod and begins the journal of an operation.
func begin(t *testing.T, s *state.Store, id string) (*state.Lock, *state.Journal) {
	t.Helper()
	lock, err := s.Lock(t.Context(), "prod", state.Holder{Operation: id, PID: os.Getpid()}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return lock, s.NewJournal(t.Context(), lock, header(id))
}

func record(t *testing.T, j *state.Journal, entries ...journal.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := j.Record(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAJournalIsReadAsItWasWritten(t *testing.T) {
	each(t, func(t *testing.T, o state.Options) {
		s := open(t, o)
		lock, j := begin(t, s, "01A")
		defer func() { _ = lock.Unlock() }()
		if left, err := s.Unfinished(t.Context(), "prod"); err != nil || left != nil {
			t.Errorf("Unfinished before the first entry: %+v, %v", left, err)
		}
		j.Note(event.Event{Type: event.ApplyStart, At: clock(), App: "/a", Message: "deploying"})
		record(t, j, journal.Entry{Step: journal.Started}, journal.Entry{Step: journal.WaveStarting, Wave: 1})
		j.Note(event.Event{Type: event.ApplyComplete, At: clock(), App: "/a", Message: "healthy"})
		record(t, j, journal.Entry{Step: journal.Ended, Outcome: event.Done, Running: map[string]string{"/a": "a:1"}})
		want := []journal.Entry{
			{Seq: 1, At: clock(), Step: journal.Started},
			{Seq: 2, At: clock(), Step: journal.WaveStarting, Wave: 1},
			{Seq: 3, At: clock(), Step: journal.Ended, Outcome: event.Done, Running: map[string]string{"/a": "a:1"}},
		}
		got, err := s.Entries(t.Context(), "01A")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Entries (-want +got):\n%s", diff)
		}
		events, err := s.Events(t.Context(), "01A")
		if err != nil || len(events) != 2 || events[1].Message != "healthy" || !events[1].At.Equal(clock()) {
			t.Errorf("Events: %+v, %v", events, err)
		}
		op, err := s.Operation(t.Context(), "01A")
		if err != nil || op == nil || op.Outcome != event.Done || !op.EndedAt.Equal(clock()) {
			t.Fatalf("Operation: %+v, %v", op, err)
		}
		if diff := cmp.Diff(header("01A"), op.Header); diff != "" {
			t.Errorf("Header (-want +got):\n%s", diff)
		}
		if left, err := s.Unfinished(t.Context(), "prod"); left != nil || err != nil {
			t.Errorf("Unfinished: %+v, %v", left, err)
		}
		if none, err := s.Operation(t.Context(), "nope"); none != nil || err != nil {
			t.Errorf("%+v, %v", none, err)
		}
	})
}

// TestOnlyOneProcessWritesAJournal: whoever has lost its lock to another must not go on.
func TestOnlyOneProcessWritesAJournal(t *testing.T) {
	each(t, func(t *testing.T, o state.Options) {
		s := open(t, o)
		lock, j := begin(t, s, "01A")
		record(t, j, journal.Entry{Step: journal.Started})
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
		second, err := s.Lock(t.Context(), "prod", state.Holder{Operation: "01A"}, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = second.Unlock() }()
		k, err := s.ContinueJournal(t.Context(), second, "01A")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.RequestCancel(t.Context(), "01A", "bob", "wrong"); err != nil {
			t.Fatal(err)
		}
		record(t, k, journal.Entry{Step: journal.Resumed})
		var fenced *state.FencedError
		if err := j.Record(journal.Entry{Step: journal.Snapshotted}); !errors.As(err, &fenced) {
			t.Errorf("the first process goes on: %v", err)
		}
		if by, _, err := s.CancelRequested(t.Context(), "01A"); by != "" || err != nil {
			t.Errorf("who asked the first process to stop has asked the second: %q, %v", by, err)
		}
		record(t, k, journal.Entry{Step: journal.Snapshotted})
	})
}

func TestSnapshotsAreSealed(t *testing.T) {
	const secret = "hunter2-in-an-env"
	each(t, func(t *testing.T, o state.Options) {
		s := open(t, o)
		lock, j := begin(t, s, "01A")
		defer func() { _ = lock.Unlock() }()
		record(t, j, journal.Entry{Step: journal.Started})
		want := []orchestrator.Snapshot{
			{App: "/b", Fingerprint: "f1", Images: []orchestrator.ContainerImage{{Image: "b:1"}}, Data: []byte(secret)},
			{App: "/a", Fingerprint: "f2", Images: []orchestrator.ContainerImage{{Container: "x", Image: "a:1"}}, Data: []byte(secret + strings.Repeat("x", 1<<20))},
		}
		if err := j.RecordWith(journal.Entry{Step: journal.Snapshotted}, want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Snapshots(t.Context(), "01A")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%.400s", diff)
		}
		if o.Path != "" {
			raw, err := os.ReadFile(o.Path)
			if err != nil || strings.Contains(string(raw), secret) {
				t.Errorf("the file holds what the snapshot holds: %v", err)
			}
		}
		// With another key, or none, only the images are known.
		for name, change := range map[string]func(*state.Options){
			"another key": func(o *state.Options) { o.Key = anotherKey(t) },
			"no key":      func(o *state.Options) { o.Key = nil },
		} {
			p := o
			change(&p)
			got, err := open(t, p).Snapshots(t.Context(), "01A")
			if err == nil || len(got) != 2 || got[0].Data != nil || got[0].Images[0].Image != "b:1" {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		// They go when the operation has ended well.
		record(t, j, journal.Entry{Step: journal.Ended, Outcome: event.Done})
		if _, err := s.Prune(t.Context(), time.Time{}, 20); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Snapshots(t.Context(), "01A"); len(got) != 0 || err != nil {
			t.Errorf("after the end: %+v, %v", got, err)
		}
	})
}

func anotherKey(t *testing.T) *state.Key {
	t.Helper()
	k, err := state.KeyFile(filepath.Join(t.TempDir(), "a", "state.key"), true)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAPlanIsAppliedOnce(t *testing.T) {
	each(t, func(t *testing.T, o state.Options) {
		s := open(t, o)
		if by, err := s.PlanClaimedBy(t.Context(), "P1"); by != "" || err != nil {
			t.Errorf("before: %q, %v", by, err)
		}
		lock, j := begin(t, s, "01A")
		defer func() { _ = lock.Unlock() }()
		record(t, j, journal.Entry{Step: journal.Started})
		if left, err := s.Unfinished(t.Context(), "prod"); err != nil || left == nil || left.OperationID != "01A" {
			t.Errorf("Unfinished: %+v, %v", left, err)
		}
		if by, err := s.PlanClaimedBy(t.Context(), "P01A"); by != "01A" || err != nil {
			t.Errorf("after the first entry: %q, %v", by, err)
		}
		again := header("01B")
		again.Plan = header("01A").Plan
		var claimed *state.ClaimedError
		if err := s.NewJournal(t.Context(), lock, again).Record(journal.Entry{Step: journal.Started}); !errors.As(err, &claimed) || claimed.By != "01A" {
			t.Errorf("once more: %v", err)
		}
		if op, err := s.Operation(t.Context(), "01B"); op != nil || err != nil {
			t.Errorf("an operation that did not begin is on record: %+v, %v", op, err)
		}
	})
}

func TestOldOperationsAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, o state.Options) {
		at := clock()
		o.Now = func() time.Time { return at }
		s := open(t, o)
		for i := range 6 {
			lock, j := begin(t, s, fmt.Sprintf("0%d", i))
			record(t, j, journal.Entry{Step: journal.Started})
			if i != 1 {
				record(t, j, journal.Entry{Step: journal.Ended, Outcome: event.Restored})
			}
			if err := lock.Unlock(); err != nil {
				t.Fatal(err)
			}
			at = at.Add(24 * time.Hour)
		}
		n, err := s.Prune(t.Context(), at, 2)
		if err != nil || n != 3 {
			t.Errorf("%d forgotten, %v", n, err)
		}
		left, err := s.Operations(t.Context(), "prod", 0)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, o := range left {
			ids = append(ids, o.OperationID)
		}
		if diff := cmp.Diff([]string{"05", "04", "01"}, ids); diff != "" {
			t.Errorf("the newest two, and the one that is unfinished (-want +got):\n%s", diff)
		}
		if entries, err := s.Entries(t.Context(), "00"); len(entries) != 0 || err != nil {
			t.Errorf("the journal of one that was forgotten: %v, %v", entries, err)
		}
	})
}

func TestQuarantineAndHolds(t *testing.T) {
	each(t, func(t *testing.T, o state.Options) {
		s := open(t, o)
		bad := state.BadImage{Repository: "reg/a", Digest: "sha256:1", Tag: "4-master", Reason: "crashes", AddedBy: "alice", At: clock()}
		second := bad
		second.Reason = "once more"
		byTag := state.BadImage{Repository: "reg/b", Tag: "5-master", Reason: "slow", AddedBy: "bob", At: clock()}
		if err := s.Quarantine(t.Context(), []state.BadImage{bad, second, byTag}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Quarantined(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]state.BadImage{bad, byTag}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, c := range []struct {
			repository, digest, tag string
			want                    int64
		}{{"reg/a", "sha256:1", "", 1}, {"reg/a", "sha256:1", "", 0}, {"reg/b", "", "", 0}, {"reg/b", "", "5-master", 1}} {
			if n, err := s.Pardon(t.Context(), c.repository, c.digest, c.tag); n != c.want || err != nil {
				t.Errorf("%+v: %d, %v", c, n, err)
			}
		}
		h := state.Hold{Environment: "prod", App: "/a", Image: "reg/a:3", Operation: "01", Reason: "incident", HeldBy: "alice", At: clock()}
		newer := h
		newer.Operation = "02"
		if err := s.Hold(t.Context(), []state.Hold{h, newer}); err != nil {
			t.Fatal(err)
		}
		holds, err := s.Holds(t.Context(), "prod")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]state.Hold{newer}, holds); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, want := range []bool{true, false} {
			if was, err := s.Release(t.Context(), "prod", "/a"); was != want || err != nil {
				t.Errorf("Release: %v, %v", was, err)
			}
		}
	})
}

func TestCancelReachesOnlyWhatRuns(t *testing.T) {
	each(t, func(t *testing.T, o state.Options) {
		s := open(t, o)
		lock, j := begin(t, s, "01A")
		defer func() { _ = lock.Unlock() }()
		record(t, j, journal.Entry{Step: journal.Started})
		if ok, err := s.RequestCancel(t.Context(), "01A", "bob@there", "wrong point"); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		if by, why, err := s.CancelRequested(t.Context(), "01A"); by != "bob@there" || why != "wrong point" || err != nil {
			t.Errorf("%q, %q, %v", by, why, err)
		}
		record(t, j, journal.Entry{Step: journal.Ended, Outcome: event.Restored})
		for _, id := range []string{"01A", "nope"} {
			if ok, err := s.RequestCancel(t.Context(), id, "bob", ""); ok || err != nil {
				t.Errorf("%s: %v, %v", id, ok, err)
			}
		}
	})
}

func TestOnlyTheOwnerReadsTheState(t *testing.T) {
	o := state.Options{Path: filepath.Join(t.TempDir(), "state", "state.db"), Now: clock}
	s := open(t, o)
	lock, j := begin(t, s, "01A")
	record(t, j, journal.Entry{Step: journal.Started})
	anotherKeyFile := filepath.Join(filepath.Dir(o.Path), "state.key")
	if _, err := state.KeyFile(anotherKeyFile, true); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(o.Path), "*"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, f := range append(files, filepath.Dir(o.Path)) {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", filepath.Base(f), info.Mode())
		}
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestLookingMakesNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := state.OpenToRead(t.Context(), state.Options{Path: filepath.Join(dir, "sub", "state.db"), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ops, err := s.Operations(t.Context(), "", 0)
	if len(ops) != 0 || err != nil {
		t.Errorf("%v, %v", ops, err)
	}
	if h, err := s.Holder(t.Context(), "prod"); h != nil || err != nil {
		t.Errorf("%v, %v", h, err)
	}
	if files, err := os.ReadDir(dir); len(files) != 0 || err != nil {
		t.Errorf("it made %v, %v", files, err)
	}
	if !strings.HasSuffix(s.Where(), "state.db") {
		t.Error(s.Where())
	}
}

func TestAStateOfAnotherVersionOrKindIsRefused(t *testing.T) {
	each(t, func(t *testing.T, o state.Options) {
		s := open(t, o)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		setVersion(t, o, 999)
		if _, err := state.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "newer version of rollback") {
			t.Errorf("%v", err)
		}
	})
	dir := t.TempDir()
	if _, err := state.Open(t.Context(), state.Options{Path: dir, Now: clock}); err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("%v", err)
	}
	garbage := filepath.Join(dir, "state.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database. ", 300)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Open(t.Context(), state.Options{Path: garbage, Now: clock}); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("%v", err)
	}
	for _, url := range []string{"postgres://alice:hunter2@host:notaport/db", "mysql://alice:hunter2@host/db"} {
		if _, err := state.Open(t.Context(), state.Options{URL: url, Now: clock}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
	if _, err := state.Open(t.Context(), state.Options{URL: "postgres://alice:hunter2@127.0.0.1:1/db?sslmode=disable", Now: clock, Patience: time.Millisecond}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestKeys(t *testing.T) {
	for _, bad := range []string{"", "c2hvcnQ=", "not base64!", strings.Repeat("A", 100)} {
		if _, err := state.ParseKey(bad); err == nil || !strings.Contains(err.Error(), "openssl rand") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	path := filepath.Join(t.TempDir(), "state.key")
	if _, err := state.KeyFile(path, false); err == nil {
		t.Error("a key file that is not there is made")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := state.KeyFile(path, true); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := state.KeyFile(path, true); err == nil || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("%v", err)
	}
}
