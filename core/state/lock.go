package state

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Holder says who holds an environment.
type Holder struct {
	Operation string    `json:"operation"`
	Who       string    `json:"who"`
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Command   string    `json:"command"`
	Since     time.Time `json:"since"`
	// Heartbeat is the holder's last sign of life, Expires when it is no longer believed without another.
	Heartbeat time.Time `json:"heartbeat"`
	Expires   time.Time `json:"expires"`
	// Gone: nothing of the holder's process is to be seen; what it left is waited for until Expires.
	Gone bool `json:"gone,omitempty"`

	token string
}

// LockedError says that somebody else holds the environment.
type LockedError struct {
	Environment string
	Holder      Holder
}

// Error names the holder.
func (e *LockedError) Error() string {
	h := e.Holder
	if h.Operation == "" {
		return fmt.Sprintf("lock environment %s: held by another process", e.Environment)
	}
	s := fmt.Sprintf("lock environment %s: held by %s (%s, process %d on %s, operation %s, since %s)",
		e.Environment, h.Who, h.Command, h.PID, h.Host, h.Operation, h.Since.UTC().Format(time.RFC3339))
	if h.Gone {
		s += fmt.Sprintf("; its process does not answer, and unless it comes back the lock ends at %s", h.Expires.UTC().Format(time.RFC3339))
	}
	return s
}

// ErrLockLost is the cause with which a lock's context ends when the lock was lost.
var ErrLockLost = errors.New("the lock of the environment was lost: the state could not be reached for too long, or somebody has taken it")

// Lock is a held environment.
type Lock struct {
	store       *Store
	environment string
	holder      Holder
	life        life
	ctx         context.Context //nolint:containedctx // it is what a lock is for: it ends when the lock is lost
	lose        context.CancelCauseFunc
	stop        chan struct{}
	done        sync.WaitGroup
}

// A held lock is tried again every lockRetry, for lockPatience without a word: whoever only looks whether it is held
// has it for a moment. One whose holder has not yet said who it is, is asked for nameless.
const (
	lockRetry    = 50 * time.Millisecond
	lockPatience = 400 * time.Millisecond
	nameless     = 20 * time.Second
	// beats are how many signs of life a lease has.
	beats = 6
)

// Lock takes the environment for holder, waiting up to wait for another to let go. It returns a *LockedError when
// somebody else keeps it. onWait is called once, when waiting begins; it may be nil.
func (s *Store) Lock(ctx context.Context, environment string, holder Holder, wait time.Duration, onWait func(Holder)) (*Lock, error) {
	began := time.Now()
	var last Holder
	for told := false; ; {
		l, other, err := s.tryLock(ctx, environment, holder)
		if err != nil {
			return nil, fmt.Errorf("lock environment %s: %w", environment, err)
		}
		if l != nil {
			return l, nil
		}
		last = *other
		waited := time.Since(began)
		switch {
		case waited < lockPatience:
		case waited >= wait && (last.Operation != "" || waited >= nameless):
			return nil, &LockedError{Environment: environment, Holder: last}
		case !told && wait > lockPatience:
			told = true
			if onWait != nil {
				onWait(last)
			}
		}
		if err := pause(ctx, lockRetry); err != nil {
			return nil, fmt.Errorf("lock environment %s: %w", environment, err)
		}
	}
}

// tryLock tries once; the holder is returned when it is somebody else.
func (s *Store) tryLock(ctx context.Context, environment string, holder Holder) (*Lock, *Holder, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var alive life
	var held bool
	err := s.lasting(ctx, func(ctx context.Context) error {
		var err error
		alive, held, err = s.back.alive(ctx, s.db, environment)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if !held {
		row, err := s.holderRow(ctx, environment)
		if err != nil {
			return nil, nil, err
		}
		if row == nil {
			row = &Holder{}
		}
		return nil, row, nil
	}
	other, err := s.settle(ctx, environment, &holder)
	if err != nil || other != nil {
		return nil, other, errors.Join(err, alive.release())
	}
	l := &Lock{store: s, environment: environment, holder: holder, life: alive, stop: make(chan struct{})}
	l.ctx, l.lose = context.WithCancelCause(context.WithoutCancel(ctx))
	l.done.Add(1)
	go l.keep()
	return l, nil, nil
}

// settle writes the holder's row, unless there is one that is to be believed.
func (s *Store) settle(ctx context.Context, environment string, holder *Holder) (*Holder, error) {
	row, err := s.holderRow(ctx, environment)
	if err != nil {
		return nil, err
	}
	now, err := s.clock(ctx)
	if err != nil {
		return nil, err
	}
	if row != nil && s.back.believes(*row, now) {
		row.Gone = true
		return row, nil
	}
	holder.token = rand.Text()
	holder.Since, holder.Heartbeat, holder.Expires = now, now, now.Add(s.lease)
	_, err = s.exec(ctx, `INSERT INTO locks (environment, token, operation, who, host, pid, command, since, heartbeat, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (environment) DO UPDATE SET token = excluded.token, operation = excluded.operation, who = excluded.who,
			host = excluded.host, pid = excluded.pid, command = excluded.command, since = excluded.since,
			heartbeat = excluded.heartbeat, expires = excluded.expires`,
		environment, holder.token, holder.Operation, holder.Who, holder.Host, holder.PID, holder.Command,
		micros(holder.Since), micros(holder.Heartbeat), micros(holder.Expires))
	return nil, err
}

func (s *Store) clock(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.lasting(ctx, func(ctx context.Context) error {
		var err error
		now, err = s.back.clock(ctx, s.db, s.now())
		return err
	})
	return now, err
}

// holderRow reads who holds an environment; nil when there is no row.
func (s *Store) holderRow(ctx context.Context, environment string) (*Holder, error) {
	var h *Holder
	err := s.lasting(ctx, func(ctx context.Context) error {
		var row Holder
		var since, heartbeat, expires int64
		err := s.db.QueryRowContext(ctx, s.q("SELECT token, operation, who, host, pid, command, since, heartbeat, expires FROM locks WHERE environment = ?"), environment).
			Scan(&row.token, &row.Operation, &row.Who, &row.Host, &row.PID, &row.Command, &since, &heartbeat, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			h = nil
			return nil
		}
		row.Since, row.Heartbeat, row.Expires = instant(since), instant(heartbeat), instant(expires)
		h = &row
		return err
	})
	return h, err
}

// Holder returns who holds the environment; nil when nobody does. One whose process is known to be gone does not.
func (s *Store) Holder(ctx context.Context, environment string) (*Holder, error) {
	h, err := s.holderRow(ctx, environment)
	if err != nil {
		return nil, fmt.Errorf("read the lock of %s: %w", environment, err)
	}
	if h == nil {
		return nil, nil
	}
	living, err := s.back.living(ctx, s.db, environment)
	if err != nil {
		return nil, fmt.Errorf("see whether the lock of %s is held: %w", environment, err)
	}
	if living {
		return h, nil
	}
	now, err := s.clock(ctx)
	if err != nil {
		return nil, fmt.Errorf("see whether the lock of %s is held: %w", environment, err)
	}
	if !s.back.believes(*h, now) {
		return nil, nil
	}
	h.Gone = true
	return h, nil
}

// Unlock releases a lock that nobody uses any more, whoever held it; h is what Holder returned. A lock whose holder is
// alive, or that somebody else has taken meanwhile, is not released; then the error says so.
func (s *Store) Unlock(ctx context.Context, environment string, h Holder) error {
	living, err := s.back.living(ctx, s.db, environment)
	if err != nil {
		return fmt.Errorf("see whether the lock of %s is held: %w", environment, err)
	}
	if living {
		return fmt.Errorf("unlock environment %s: process %d on %s is alive and holds it; stop its operation with `rollback cancel %s`", environment, h.PID, h.Host, h.Operation)
	}
	n, err := s.exec(ctx, "DELETE FROM locks WHERE environment = ? AND token = ?", environment, h.token)
	if err != nil {
		return fmt.Errorf("unlock environment %s: %w", environment, err)
	}
	if n == 0 {
		return fmt.Errorf("unlock environment %s: it is no longer held by process %d on %s", environment, h.PID, h.Host)
	}
	return nil
}

// Context returns a context that ends with parent, and with the cause ErrLockLost when the lock is lost.
func (l *Lock) Context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	stop := context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })
	return ctx, func() { stop(); cancel(context.Canceled) }
}

// Unlock lets go. The row goes first, so that no reader sees a stale one beside a free lock.
func (l *Lock) Unlock() error {
	close(l.stop)
	l.done.Wait()
	ctx := context.WithoutCancel(l.ctx)
	_, err := l.store.exec(ctx, "DELETE FROM locks WHERE environment = ? AND token = ?", l.environment, l.holder.token)
	l.lose(nil)
	if err = errors.Join(err, l.life.release()); err != nil {
		return fmt.Errorf("unlock environment %s: %w", l.environment, err)
	}
	return nil
}

// keep gives signs of life until the lock is let go or lost.
func (l *Lock) keep() {
	defer l.done.Done()
	ticker := time.NewTicker(l.store.lease / beats)
	defer ticker.Stop()
	// Counted without the wall clock, which may jump.
	heard := time.Now()
	for {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
		}
		began := time.Now()
		switch lost, err := l.beat(); {
		case lost:
			l.lose(ErrLockLost)
			return
		case err == nil:
			heard = began
		case l.store.back.leased() && time.Since(heard) >= l.store.lease-2*l.store.lease/beats:
			// In good time before somebody else may take it: a beat may last as long as the wait for it.
			l.lose(fmt.Errorf("%w: %w", ErrLockLost, err))
			return
		}
	}
}

// beat gives one sign of life; lost: somebody else has the lock.
func (l *Lock) beat() (lost bool, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.store.lease/beats)
	defer cancel()
	if lost, err := l.life.check(ctx); lost || err != nil {
		return lost, err
	}
	now, err := l.store.back.clock(ctx, l.store.db, l.store.now())
	if err != nil {
		return false, err
	}
	res, err := l.store.db.ExecContext(ctx, l.store.q("UPDATE locks SET heartbeat = ?, expires = ? WHERE environment = ? AND token = ?"),
		micros(now), micros(now.Add(l.store.lease)), l.environment, l.holder.token)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return err == nil && n == 0, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
