package state_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/core/state/pgtest"
)

func makeSchema(t *testing.T, name string) {
	t.Helper()
	db, err := sql.Open("pgx", postgres.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
}

// setVersion pretends that another version of rollback made the schema.
func setVersion(t *testing.T, o state.Options, version int) {
	t.Helper()
	driver, statement := "sqlite", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)"
	source := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", " ", "%20").Replace(o.Path)
	if o.URL != "" {
		driver, source, statement = "pgx", o.URL, "INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, version); err != nil {
		t.Fatal(err)
	}
}

// server starts a PostgreSQL for one test, which may stop it.
func server(t *testing.T) *pgtest.Server {
	t.Helper()
	s, err := pgtest.Start(t.Context(), t.TempDir())
	if errors.Is(err, pgtest.ErrNoPostgres) && os.Getenv("CI") == "" {
		t.Skip("PostgreSQL is not installed: " + pgtest.Install)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func TestAServerThatIsStartedAgainIsSurvived(t *testing.T) {
	pg := server(t)
	s := open(t, state.Options{URL: pg.URL, Now: clock, Lease: time.Minute})
	lock, j := begin(t, s, "01A")
	ctx, cancel := lock.Context(t.Context())
	defer cancel()
	record(t, j, journal.Entry{Step: journal.Started})
	pg.Stop()
	recorded := make(chan error, 1)
	go func() { recorded <- j.Record(journal.Entry{Step: journal.Snapshotted}) }()
	if err := pg.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-recorded; err != nil {
		t.Fatalf("an entry written while the server was away: %v", err)
	}
	record(t, j, journal.Entry{Step: journal.Ended, Outcome: event.Done})
	if ctx.Err() != nil {
		t.Error("the lock was given up")
	}
	// Nobody else has it, although its connection was lost.
	other := open(t, state.Options{URL: pg.URL, Now: clock})
	var locked *state.LockedError
	if _, err := other.Lock(t.Context(), "prod", state.Holder{}, 0, nil); !errors.As(err, &locked) {
		t.Errorf("somebody else gets it: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
	entries, err := s.Entries(t.Context(), "01A")
	if err != nil || journal.Check(entries) != nil || len(entries) != 3 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestAServerThatStaysAwayEndsTheLock(t *testing.T) {
	pg := server(t)
	s := open(t, state.Options{URL: pg.URL, Now: clock, Lease: 300 * time.Millisecond, Patience: 100 * time.Millisecond})
	lock, j := begin(t, s, "01A")
	ctx, cancel := lock.Context(t.Context())
	defer cancel()
	pg.Stop()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, state.ErrLockLost) {
		t.Errorf("cause: %v", err)
	}
	if err := j.Record(journal.Entry{Step: journal.Started}); err == nil || strings.Contains(err.Error(), "postgres@") {
		t.Errorf("a journal that cannot be written: %v", err)
	}
	if err := lock.Unlock(); err == nil {
		t.Error("unlocked without a server")
	}
}

func TestALockThatSomebodyElseHasTakenIsLost(t *testing.T) {
	url := schema(t)
	s := open(t, state.Options{URL: url, Now: clock, Lease: 300 * time.Millisecond})
	lock, _ := begin(t, s, "01A")
	ctx, cancel := lock.Context(t.Context())
	defer cancel()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE locks SET token = 'another' WHERE operation = '01A'"); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, state.ErrLockLost) {
		t.Errorf("cause: %v", err)
	}
	_ = lock.Unlock()
}

// TestAClockThatJumpsFreesNoLock: a local lock ends with its process, whatever the clock says.
func TestAClockThatJumpsFreesNoLock(t *testing.T) {
	at := clock()
	o := state.Options{Path: filepath.Join(t.TempDir(), "state.db"), Now: func() time.Time { return at }}
	s := open(t, o)
	lock, j := begin(t, s, "01A")
	record(t, j, journal.Entry{Step: journal.Started})
	for _, jump := range []time.Duration{100 * 24 * time.Hour, -200 * 24 * time.Hour} {
		at = at.Add(jump)
		var locked *state.LockedError
		if _, err := open(t, o).Lock(t.Context(), "prod", state.Holder{}, 0, nil); !errors.As(err, &locked) {
			t.Errorf("after a jump of %s: %v", jump, err)
		}
		record(t, j, journal.Entry{Step: journal.Snapshotted})
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}

// TestAnEntryThatCouldNotBeWrittenComesBeforeTheNext: what has happened stays in order, and nothing of it is lost.
func TestAnEntryThatCouldNotBeWrittenComesBeforeTheNext(t *testing.T) {
	pg := server(t)
	s := open(t, state.Options{URL: pg.URL, Now: clock, Lease: time.Hour, Patience: 100 * time.Millisecond})
	lock, j := begin(t, s, "01A")
	record(t, j, journal.Entry{Step: journal.Started})
	pg.Stop()
	if err := j.Record(journal.Entry{Step: journal.Failing, Reason: "/a crashes"}); err == nil {
		t.Fatal("it was written without a server")
	}
	if err := pg.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	record(t, j, journal.Entry{Step: journal.Ended, Outcome: event.Restored})
	entries, err := s.Entries(t.Context(), "01A")
	if err != nil || journal.Check(entries) != nil || len(entries) != 3 || entries[1].Reason != "/a crashes" {
		t.Errorf("%+v, %v", entries, err)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}
