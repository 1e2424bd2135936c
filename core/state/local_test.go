package state_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/state"
)

// holdEnv makes this test's executable a process that holds a lock until its standard input ends.
const holdEnv = "ROLLBACK_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		hold(dir)
		return
	}
	os.Exit(m.Run())
}

func hold(dir string) {
	_, err := open(dir).Lock(context.Background(), "prod", state.Holder{Who: "bob@there", Host: "there", PID: os.Getpid(), Operation: "OP", Command: "rollback apply"}, 0, nil)
	fmt.Println(err)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

func clock() time.Time { return time.Date(2019, 6, 3, 12, 0, 0, 0, time.UTC) }

func open(dir string) *state.Local { return state.OpenLocal(dir, clock) }

// other starts a process that holds the lock of prod.
func other(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
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
	if err != nil || line != "<nil>\n" {
		t.Fatalf("the other process: %q, %v", line, err)
	}
	return cmd
}

func TestALockIsHeldByOneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(dir)
	if h, err := s.Holder("prod"); h != nil || err != nil {
		t.Errorf("before: %+v, %v", h, err)
	}
	cmd := other(t, dir)
	_, err := s.Lock(t.Context(), "prod", state.Holder{Who: "alice"}, 0, nil)
	var locked *state.LockedError
	if !errors.As(err, &locked) || locked.Holder.Who != "bob@there" || locked.Holder.PID != cmd.Process.Pid {
		t.Fatalf("Lock: %v", err)
	}
	for _, want := range []string{"prod", "bob@there", "rollback apply", "on there", "OP", "2019-06-03T12:00:00Z"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if h, err := s.Holder("prod"); err != nil || h == nil || h.Who != "bob@there" {
		t.Errorf("Holder: %+v, %v", h, err)
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
	if _, err = s.Lock(cancelled, "prod", state.Holder{}, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock after the end: %v", err)
	}
}

func TestTheLockOfADeadProcessIsFree(t *testing.T) {
	dir := t.TempDir()
	cmd := other(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// A waiter gets it as soon as the process is gone.
	lock, err := open(dir).Lock(t.Context(), "prod", state.Holder{Who: "alice"}, time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
	if h, err := open(dir).Holder("prod"); h != nil || err != nil {
		t.Errorf("after: %+v, %v", h, err)
	}
}

func TestADeadProcessIsNotNamedAsTheHolder(t *testing.T) {
	dir := t.TempDir()
	cmd := other(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if h, err := open(dir).Holder("prod"); h != nil || err != nil {
		t.Errorf("the record outlived its process, and is believed: %+v, %v", h, err)
	}
}

func TestAJournalIsReadAsItWasWritten(t *testing.T) {
	s := open(t.TempDir())
	j, err := s.NewJournal("01A")
	if err != nil {
		t.Fatal(err)
	}
	header := journal.Header{OperationID: "01A", Environment: "prod", Operator: "alice"}
	for _, e := range []journal.Entry{{Step: journal.Started, Header: &header}, {Step: journal.WaveStarting, Wave: 1}, {Step: journal.Ended, Outcome: event.Done}} {
		if err := j.Record(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	want := []journal.Entry{
		{Seq: 1, At: clock(), Step: journal.Started, Header: &header},
		{Seq: 2, At: clock(), Step: journal.WaveStarting, Wave: 1},
		{Seq: 3, At: clock(), Step: journal.Ended, Outcome: event.Done},
	}
	got, err := s.Entries("01A")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Entries (-want +got):\n%s", diff)
	}
	if _, err := s.NewJournal("01A"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second journal of one operation: %v", err)
	}
	if err := j.Record(journal.Entry{}); err == nil {
		t.Error("Record after Close: no error")
	}
	last, ok, err := s.Last("prod")
	if err != nil || !ok || last.Outcome != event.Done {
		t.Errorf("Last: %+v, %v, %v", last, ok, err)
	}
	if _, ok, err := s.Last("stage"); ok || err != nil {
		t.Errorf("Last of another environment: %v, %v", ok, err)
	}
}

func TestOnlyTheOwnerReadsTheState(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(dir)
	lock, err := s.Lock(t.Context(), "prod", state.Holder{}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	j, err := s.NewJournal("01A")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, _, err := s.ClaimPlan("P", "01A"); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %s", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAJournalThatWasCutShort(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "operations", "01A.jsonl")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		entries int
		failed  bool
	}{
		"":                                  {0, false},
		`{"seq":1,"step":"started"`:         {0, false},
		`{"seq":1,"step":"started"}` + "\n": {1, false},
		`{"seq":1,"step":"started"}` + "\n" + `{"seq":2`:                {1, false},
		`{"seq":1,"step":"started"}` + "\n" + "garbage\n" + "{}\n":      {1, true},
		`{"seq":1,"step":"started"}` + "\n" + `{"seq":2,"st` + "\x00\n": {1, true},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := open(dir).Entries("01A")
		if len(got) != want.entries || (err != nil) != want.failed {
			t.Errorf("%q: %d entries, %v; want %d, failed %v", text, len(got), err, want.entries, want.failed)
		}
		if _, _, err := open(dir).Last("prod"); (err != nil) != want.failed {
			t.Errorf("%q: Last: %v", text, err)
		}
	}
	if _, err := open(dir).Entries("01B"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an operation that never was: %v", err)
	}
}

func TestAPlanIsClaimedOnce(t *testing.T) {
	s := open(t.TempDir())
	if by, err := s.PlanClaimedBy("../P"); by != "" || err != nil {
		t.Errorf("before: %q, %v", by, err)
	}
	if by, ok, err := s.ClaimPlan("../P", "01A"); by != "01A" || !ok || err != nil {
		t.Errorf("first: %q, %v, %v", by, ok, err)
	}
	if by, ok, err := s.ClaimPlan("../P", "01B"); by != "01A" || ok || err != nil {
		t.Errorf("second: %q, %v, %v", by, ok, err)
	}
	// A name that says "one folder up" is a name.
	entries, err := os.ReadDir(filepath.Join(s.Dir(), "plans"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("plans: %v, %v", entries, err)
	}
	// Whoever claimed it and died before it could say so has claimed it.
	if err := os.Truncate(filepath.Join(s.Dir(), "plans", entries[0].Name()), 0); err != nil {
		t.Fatal(err)
	}
	if by, ok, err := s.ClaimPlan("../P", "01C"); by == "" || ok || err != nil {
		t.Errorf("claimed by a dead process: %q, %v, %v", by, ok, err)
	}
}

func TestTheNewestOperationsComeFirst(t *testing.T) {
	s := open(t.TempDir())
	if ids, err := s.Operations(); len(ids) != 0 || err != nil {
		t.Errorf("none: %v, %v", ids, err)
	}
	for _, id := range []string{"01B", "01A", "01C"} {
		j, err := s.NewJournal(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.Dir(), "operations", "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ids, err := s.Operations()
	if diff := cmp.Diff([]string{"01C", "01B", "01A"}, ids); diff != "" || err != nil {
		t.Errorf("Operations (-want +got):\n%s%v", diff, err)
	}
}

func TestAStateThatIsNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(file)
	for name, do := range map[string]func() error{
		"Lock":          func() error { _, err := s.Lock(t.Context(), "prod", state.Holder{}, 0, nil); return err },
		"Holder":        func() error { _, err := s.Holder("prod"); return err },
		"NewJournal":    func() error { _, err := s.NewJournal("01A"); return err },
		"Operations":    func() error { _, err := s.Operations(); return err },
		"Last":          func() error { _, _, err := s.Last("prod"); return err },
		"ClaimPlan":     func() error { _, _, err := s.ClaimPlan("P", "01A"); return err },
		"PlanClaimedBy": func() error { _, err := s.PlanClaimedBy("P"); return err },
	} {
		if err := do(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
