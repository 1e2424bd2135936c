package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	sqlite3 "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// sqlite is a state in a file of this machine. A lock's sign of life is a lock of the operating system on a file
// beside it, which ends with its process however that ends; so nothing depends on a clock.
type sqlite struct{ path string }

// openSQLite opens the file; "" is a state in memory. It is made, for its owner only, unless it is only to be read.
func openSQLite(path string, toRead bool) (*sql.DB, backing, error) {
	b := &sqlite{path: path}
	if toRead {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || path == "" {
			db, err := sql.Open("sqlite", "file::memory:?_pragma=foreign_keys(1)")
			if err != nil {
				return nil, nil, fmt.Errorf("open state %s: %w", path, err)
			}
			// Every connection would have a memory of its own.
			db.SetMaxOpenConns(1)
			return db, b, nil
		}
	} else if err := b.make(); err != nil {
		return nil, nil, err
	}
	pragmas := url.Values{"_pragma": {"busy_timeout(10000)", "foreign_keys(1)", "synchronous(EXTRA)"}, "_txlock": {"immediate"}}
	if toRead {
		pragmas.Set("mode", "ro")
	}
	// The path is escaped as a URI's: a name with a question mark or a percent sign is a name.
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()+"?"+pragmas.Encode())
	if err != nil {
		return nil, nil, fmt.Errorf("open state %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, b, nil
}

// make makes folder and file; SQLite's own files beside it get the file's permissions.
func (b *sqlite) make() error {
	if info, err := os.Stat(b.path); err == nil && info.IsDir() {
		return fmt.Errorf("open state %s: it is a folder, and the state is a file: name one in the block state", b.path)
	}
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return fmt.Errorf("make the state's folder: %w", err)
	}
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open state: %w", err)
	}
	return f.Close()
}

func (b *sqlite) where() string          { return b.path }
func (b *sqlite) dialect() goose.Dialect { return goose.DialectSQLite3 }
func (b *sqlite) numbered() bool         { return false }

// waitForMigration is how long another process may take to bring the schema up to date.
const waitForMigration = time.Minute

func (b *sqlite) migrating(ctx context.Context, _ *sql.DB, run func(...goose.ProviderOption) error) error {
	ctx, cancel := context.WithTimeout(ctx, waitForMigration)
	defer cancel()
	one := flock.New(b.path+".migration.lock", flock.SetPermissions(0o600))
	if _, err := one.TryLockContext(ctx, lockRetry); err != nil {
		return fmt.Errorf("wait for another process that brings its schema up to date: %w", err)
	}
	return errors.Join(run(), one.Unlock())
}

func (b *sqlite) clock(_ context.Context, _ *sql.DB, local time.Time) (time.Time, error) {
	return local, nil
}

// believes: the operating system says that the process is gone.
func (b *sqlite) believes(Holder, time.Time) bool { return false }

// leased: the file lock is held whatever can be written.
func (b *sqlite) leased() bool { return false }

// halfWritten: the file's journal is to be rolled back, and was opened to read only.
func (b *sqlite) halfWritten(err error) bool {
	var e *sqlite3.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlitelib.SQLITE_READONLY
}

// heal lets SQLite roll its journal back.
func (b *sqlite) heal(ctx context.Context) error {
	db, _, err := openSQLite(b.path, false)
	if err != nil {
		return err
	}
	var n int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n)
	return errors.Join(err, db.Close())
}

// passing: another process is writing just now.
func (b *sqlite) passing(err error) bool {
	var e *sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlitelib.SQLITE_BUSY, sqlitelib.SQLITE_LOCKED:
		return true
	default:
		return false
	}
}

func (b *sqlite) lockFile(environment string) string {
	return b.path + "." + fileName(environment) + ".lock"
}

func (b *sqlite) alive(_ context.Context, _ *sql.DB, environment string) (life, bool, error) {
	file := flock.New(b.lockFile(environment), flock.SetPermissions(0o600))
	held, err := file.TryLock()
	if err != nil || !held {
		return nil, false, err
	}
	return fileLife{file}, true, nil
}

func (b *sqlite) living(_ context.Context, _ *sql.DB, environment string) (bool, error) {
	path := b.lockFile(environment)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	// Shared, and for a moment only: whoever wants the lock has patience for that.
	probe := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := probe.TryRLock()
	if err != nil || !free {
		return !free && err == nil, err
	}
	return false, probe.Unlock()
}

// fileLife ends with its process, and with nothing else.
type fileLife struct{ file *flock.Flock }

func (l fileLife) check(context.Context) (bool, error) { return false, nil }
func (l fileLife) release() error                      { return l.file.Unlock() }

// fileName makes any name safe for a file, one to one.
func fileName(name string) string {
	var b strings.Builder
	for _, r := range []byte(name) {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
			b.WriteByte(r)
		default:
			fmt.Fprintf(&b, "%%%02x", r)
		}
	}
	return b.String()
}
