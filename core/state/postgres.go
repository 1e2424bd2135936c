package state

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// postgres is a state that a team shares. A lock's sign of life is an advisory lock of a session (PostgreSQL manual,
// 13.3.5), which ends with its connection. A connection may be lost while its process lives on; so the row in the table
// locks is believed until it expires, by the server's clock.
type postgres struct{ name string }

// connectTimeout bounds one attempt to reach the server, unless the URL says otherwise.
const connectTimeout = 10 * time.Second

func openPostgres(raw string) (*sql.DB, backing, error) {
	config, err := pgx.ParseConfig(raw)
	if err != nil {
		// pgx's own message may quote the URL.
		return nil, nil, errors.New("open state \"postgres\": its url is no connection string of PostgreSQL; write postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "rollback"
	}
	db := stdlib.OpenDB(*config)
	const connections = 4
	db.SetMaxOpenConns(connections)
	return db, &postgres{name: "postgres://" + net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))) + "/" + config.Database}, nil
}

func (b *postgres) where() string          { return b.name }
func (b *postgres) dialect() goose.Dialect { return goose.DialectPostgres }
func (b *postgres) numbered() bool         { return true }

func (b *postgres) migrating(_ context.Context, _ *sql.DB, run func(...goose.ProviderOption) error) error {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	return run(goose.WithSessionLocker(locker))
}

func (b *postgres) clock(ctx context.Context, db *sql.DB, _ time.Time) (time.Time, error) {
	var now time.Time
	err := db.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&now)
	return now, err
}

// believes: the holder may have lost its connection only. That it is gone is certain when it ran on this machine and does
// not any more, and when it has not been heard of for long enough.
func (b *postgres) believes(h Holder, now time.Time) bool {
	if host, err := os.Hostname(); err == nil && host == h.Host && !running(h.PID) {
		return false
	}
	return now.Before(h.Expires)
}

func (b *postgres) leased() bool { return true }

func (b *postgres) halfWritten(error) bool { return false }

func (b *postgres) heal(context.Context) error { return nil }

// passing reports whether the server may be there again soon: connections lost or refused, a server that starts or
// stops, and transactions that lost against another one.
func (b *postgres) passing(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch {
		case strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "57P"), strings.HasPrefix(pg.Code, "40"), pg.Code == "53300":
			return true
		default:
			return false
		}
	}
	var network net.Error
	var connecting *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connecting) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, sql.ErrConnDone) ||
		pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed")
}

// advisory is the number of an environment's advisory lock; it is one of the whole database.
func advisory(environment string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "rollback environment %s", environment)
	return int64(h.Sum64())
}

func (b *postgres) alive(ctx context.Context, db *sql.DB, environment string) (life, bool, error) {
	l := &sessionLife{db: db, key: advisory(environment)}
	held, err := l.take(ctx)
	if err != nil || !held {
		return nil, false, err
	}
	return l, true, nil
}

func (b *postgres) living(ctx context.Context, db *sql.DB, environment string) (bool, error) {
	var held bool
	key := uint64(advisory(environment))
	err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND classid::bigint = $1 AND objid::bigint = $2)`, int64(key>>32), int64(key&0xffffffff)).Scan(&held)
	return held, err
}

// sessionLife is an advisory lock on a connection of its own.
type sessionLife struct {
	db  *sql.DB
	key int64

	mu   sync.Mutex
	conn *sql.Conn
}

func (l *sessionLife) take(ctx context.Context) (bool, error) {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return false, err
	}
	var held bool
	if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", l.key).Scan(&held); err != nil || !held {
		_ = conn.Close() // it holds nothing
		return false, err
	}
	l.conn = conn
	return true, nil
}

func (l *sessionLife) check(ctx context.Context) (lost bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		var one int
		if err := l.conn.QueryRowContext(ctx, "SELECT 1").Scan(&one); err == nil {
			return false, nil
		}
		l.drop()
	}
	held, err := l.take(ctx)
	if err == nil && !held {
		// Whoever only looks whether the lock is free has it for a moment: the row says whose it is.
		err = errors.New("take the lock's session again: another session has it just now")
	}
	return false, err
}

func (l *sessionLife) release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.drop()
	}
	return nil
}

// drop ends the connection itself: one that went back to the pool would keep its advisory lock.
func (l *sessionLife) drop() {
	// ErrBadConn is what makes database/sql end a connection; that it is returned is how.
	_ = l.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = l.conn.Close()
	l.conn = nil
}
