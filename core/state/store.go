// Package state keeps what must outlive a process: who holds an environment,
// the journal and the snapshots of every operation, which plans have been
// applied, and which images are known bad. It is SQL: SQLite in a file, or
// PostgreSQL for a team, with one schema.
package state

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options says where the state is and how it is kept.
type Options struct {
	// Path is the SQLite file; used when URL is "".
	Path string
	// URL is a PostgreSQL connection string. It may hold a password, and is never printed.
	URL string
	// Key encrypts snapshots; nil keeps them without their data.
	Key *Key
	// MustExist, for OpenToRead: a state that does not exist is an error, not an empty one.
	MustExist bool
	// Now is the clock.
	Now func() time.Time
	// Lease is how long a lock is believed without a sign of life; 0 means a minute.
	Lease time.Duration
	// Patience is how long a write is tried again while the database does not answer; 0 means 30 seconds.
	Patience time.Duration
}

const (
	defaultLease    = time.Minute
	defaultPatience = 30 * time.Second
)

// Store is an open state. It may be used from several goroutines and, with the same database, from many machines.
type Store struct {
	db       *sql.DB
	back     backing
	now      func() time.Time
	key      *Key
	lease    time.Duration
	patience time.Duration
}

// backing is what SQLite and PostgreSQL do differently.
type backing interface {
	// where names the database for people, without secrets.
	where() string
	// dialect is goose's word.
	dialect() goose.Dialect
	// migrating runs the migrations, so that no two processes do it at once.
	migrating(ctx context.Context, db *sql.DB, run func(...goose.ProviderOption) error) error
	// alive takes the sign of life of an environment's holder, which ends with its process. held is false when somebody
	// else has it.
	alive(ctx context.Context, db *sql.DB, environment string) (life life, held bool, err error)
	// living reports whether somebody has it.
	living(ctx context.Context, db *sql.DB, environment string) (bool, error)
	// believes reports whether a row of the table locks whose sign of life has gone is to be waited for all the same.
	believes(h Holder, now time.Time) bool
	// clock is the time that expiry is counted in.
	clock(ctx context.Context, db *sql.DB, local time.Time) (time.Time, error)
	// leased: a holder that cannot give signs of life may have been taken for gone, and must stop.
	leased() bool
	// passing reports whether an error may go away by itself.
	passing(err error) bool
	// halfWritten reports whether an error of reading says that heal is needed.
	halfWritten(err error) bool
	// heal brings a state back to what it was before a write that was broken off.
	heal(ctx context.Context) error
	// numbered: placeholders are $1, $2 … instead of question marks.
	numbered() bool
}

// life is a sign of life that is held.
type life interface {
	// check reports whether it is still held, and takes it again where the connection was lost. lost: somebody else has it.
	check(ctx context.Context) (lost bool, err error)
	release() error
}

// Open opens the state for work, and makes or migrates it where need be. A state made by a newer version is an error.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := open(o, false)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open state %s: %w", s.back.where(), err), s.db.Close())
	}
	return s, nil
}

// OpenToRead opens the state for looking only: nothing is made, migrated or locked. A state that does not exist yet reads as empty.
func OpenToRead(ctx context.Context, o Options) (*Store, error) {
	s, err := open(o, true)
	if err != nil {
		return nil, err
	}
	if err := s.readable(ctx, o.MustExist); err != nil {
		return nil, errors.Join(fmt.Errorf("open state %s: %w", s.back.where(), err), s.db.Close())
	}
	return s, nil
}

func open(o Options, toRead bool) (*Store, error) {
	s := &Store{now: o.Now, key: o.Key, lease: o.Lease, patience: o.Patience}
	if s.lease <= 0 {
		s.lease = defaultLease
	}
	if s.patience <= 0 {
		s.patience = defaultPatience
	}
	var err error
	if o.URL != "" {
		s.db, s.back, err = openPostgres(o.URL)
	} else {
		s.db, s.back, err = openSQLite(o.Path, toRead)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the database. What was written is safe already.
func (s *Store) Close() error { return s.db.Close() }

// Where names the database for people, without secrets.
func (s *Store) Where() string { return s.back.where() }

// provider knows the migrations.
func (s *Store) provider(more ...goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(s.back.dialect(), s.db, files, append(more, goose.WithDisableGlobalRegistry(true))...)
}

// migrate brings the schema up to date.
func (s *Store) migrate(ctx context.Context) error {
	pending, err := s.pending(ctx)
	if err != nil || !pending {
		return err
	}
	return s.back.migrating(ctx, s.db, func(more ...goose.ProviderOption) error {
		p, err := s.provider(more...)
		if err != nil {
			return err
		}
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("bring its schema up to date: %w", err)
		}
		return nil
	})
}

// pending reports whether migrations are missing, with as few questions as possible: it is asked by every command.
func (s *Store) pending(ctx context.Context) (bool, error) {
	have, err := s.version(ctx)
	if err != nil {
		return false, err
	}
	want, err := s.newest()
	if err != nil {
		return false, err
	}
	if have > want {
		return false, fmt.Errorf("it was made by a newer version of rollback (its schema is %d, this version knows %d): use that version", have, want)
	}
	return have < want, nil
}

func (s *Store) newest() (int64, error) {
	p, err := s.provider()
	if err != nil {
		return 0, err
	}
	sources := p.ListSources()
	return sources[len(sources)-1].Version, nil
}

// version is that of the schema; 0 when there is none.
func (s *Store) version(ctx context.Context) (int64, error) {
	var version sql.NullInt64
	err := s.db.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&version)
	if err == nil {
		return version.Int64, nil
	}
	if strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "42P01") {
		return 0, nil
	}
	return 0, err
}

// readable makes a state that does not exist an empty one in memory, and refuses one that this version cannot read.
func (s *Store) readable(ctx context.Context, mustExist bool) error {
	pending, err := s.pending(ctx)
	if err != nil && s.back.halfWritten(err) {
		// A process was killed while it wrote: only who may write can bring the file back to what it was.
		if err = s.back.heal(ctx); err == nil {
			pending, err = s.pending(ctx)
		}
	}
	if err != nil || !pending {
		return err
	}
	if have, err := s.version(ctx); err != nil || have > 0 {
		return errors.Join(err, errors.New("it was made by an older version of rollback, and is brought up to date by the next apply"))
	}
	if mustExist {
		return errors.New("there is no state yet: nothing was ever applied with it, or it is another one that is meant")
	}
	empty, _, err := openSQLite("", true)
	if err != nil {
		return err
	}
	old := s.db
	was := s.back
	s.db, s.back = empty, &emptyBacking{sqlite: sqlite{}, name: was.where()}
	p, err := s.provider()
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return errors.Join(err, old.Close())
}

// emptyBacking is a state in memory that stands for one that does not exist yet.
type emptyBacking struct {
	sqlite
	name string
}

func (e *emptyBacking) where() string { return e.name }

func (e *emptyBacking) living(context.Context, *sql.DB, string) (bool, error) { return false, nil }

// q writes a statement in the database's own way.
func (s *Store) q(statement string) string {
	if !s.back.numbered() {
		return statement
	}
	var b strings.Builder
	n := 0
	for _, r := range statement {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
	}
	return b.String()
}

// exec changes something, and returns how many rows.
func (s *Store) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	var n int64
	err := s.lasting(ctx, func(ctx context.Context) error {
		res, err := s.db.ExecContext(ctx, s.q(statement), args...)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// tx does several things or none.
func (s *Store) tx(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	return s.lasting(ctx, func(ctx context.Context) error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := do(ctx, tx); err != nil {
			// The first error says why; a connection that is gone cannot be rolled back and need not be.
			_ = tx.Rollback()
			return err
		}
		return tx.Commit()
	})
}

// each calls row for every row.
func (s *Store) each(ctx context.Context, row func(scan func(...any) error) error, statement string, args ...any) error {
	rows, err := s.db.QueryContext(ctx, s.q(statement), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what was read is checked by Err
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
