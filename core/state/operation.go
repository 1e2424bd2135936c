package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
)

// Operation is what the state has of one operation.
type Operation struct {
	journal.Header
	StartedAt time.Time
	// EndedAt is zero, and Outcome "", as long as it has not ended.
	EndedAt time.Time
	Outcome event.Outcome
	// CancelBy says who wants it to stop; "" when nobody does.
	CancelBy, CancelReason string
}

const operationColumns = "header, started_at, ended_at, outcome, cancel_by, cancel_why"

func readOperation(scan func(...any) error) (Operation, error) {
	var o Operation
	var header, outcome string
	var started, ended int64
	if err := scan(&header, &started, &ended, &outcome, &o.CancelBy, &o.CancelReason); err != nil {
		return o, err
	}
	o.StartedAt, o.EndedAt, o.Outcome = instant(started), instant(ended), event.Outcome(outcome)
	return o, json.Unmarshal([]byte(header), &o.Header)
}

// Operations lists the operations on an environment, or on all with "", newest first; at most limit, or all with 0.
func (s *Store) Operations(ctx context.Context, environment string, limit int) ([]Operation, error) {
	if limit <= 0 {
		limit = 1 << 30
	}
	var all []Operation
	err := s.each(ctx, func(scan func(...any) error) error {
		o, err := readOperation(scan)
		all = append(all, o)
		return err
	}, "SELECT "+operationColumns+" FROM operations WHERE environment = ? OR ? = '' ORDER BY started_at DESC, id DESC LIMIT ?", environment, environment, limit)
	if err != nil {
		return nil, fmt.Errorf("list operations: %w", err)
	}
	return all, nil
}

// Operation returns one operation; nil when there is none of that id.
func (s *Store) Operation(ctx context.Context, id string) (*Operation, error) {
	var o Operation
	err := s.lasting(ctx, func(ctx context.Context) error {
		var err error
		o, err = readOperation(s.db.QueryRowContext(ctx, s.q("SELECT "+operationColumns+" FROM operations WHERE id = ?"), id).Scan)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read operation %s: %w", id, err)
	}
	return &o, nil
}

// Unfinished returns the newest operation on the environment that has not ended; nil when there is none.
func (s *Store) Unfinished(ctx context.Context, environment string) (*Operation, error) {
	var o *Operation
	err := s.each(ctx, func(scan func(...any) error) error {
		one, err := readOperation(scan)
		o = &one
		return err
	}, "SELECT "+operationColumns+" FROM operations WHERE environment = ? AND outcome = '' ORDER BY started_at DESC, id DESC LIMIT 1", environment)
	if err != nil {
		return nil, fmt.Errorf("look for an unfinished operation on %s: %w", environment, err)
	}
	return o, nil
}

// LastChange returns the newest operation on the environment that has left something changed, or may have; nil when there is none.
func (s *Store) LastChange(ctx context.Context, environment string) (*Operation, error) {
	return s.last(ctx, environment, event.Done, event.NeedsPerson, event.Abandoned)
}

// LastTouch returns the newest operation on the environment that has ended and was not refused: it has changed something, if only
// to put it back, or was stopped; nil when there is none.
func (s *Store) LastTouch(ctx context.Context, environment string) (*Operation, error) {
	return s.last(ctx, environment, event.Done, event.NeedsPerson, event.Abandoned, event.Restored, event.Interrupted)
}

func (s *Store) last(ctx context.Context, environment string, outcomes ...event.Outcome) (*Operation, error) {
	args := []any{environment}
	for _, o := range outcomes {
		args = append(args, string(o))
	}
	var op *Operation
	err := s.each(ctx, func(scan func(...any) error) error {
		one, err := readOperation(scan)
		op = &one
		return err
	}, "SELECT "+operationColumns+" FROM operations WHERE environment = ? AND outcome IN (?"+strings.Repeat(", ?", len(outcomes)-1)+") ORDER BY started_at DESC, id DESC LIMIT 1", args...)
	if err != nil {
		return nil, fmt.Errorf("look for the last operation on %s: %w", environment, err)
	}
	return op, nil
}

// RequestCancel asks a running operation to stop and put everything back. ok is false when there is no such operation,
// or it has ended.
func (s *Store) RequestCancel(ctx context.Context, operation, by, reason string) (ok bool, err error) {
	n, err := s.exec(ctx, "UPDATE operations SET cancel_by = ?, cancel_why = ? WHERE id = ? AND outcome = ''", by, reason, operation)
	if err != nil {
		return false, fmt.Errorf("ask operation %s to stop: %w", operation, err)
	}
	return n > 0, nil
}

// CancelRequested says who has asked an operation to stop; "" when nobody has.
func (s *Store) CancelRequested(ctx context.Context, operation string) (by, reason string, err error) {
	err = s.db.QueryRowContext(ctx, s.q("SELECT cancel_by, cancel_why FROM operations WHERE id = ?"), operation).Scan(&by, &reason)
	return by, reason, err
}

// Prune forgets operations that ended before the instant, with journal, events and snapshots, but always keeps the
// newest keep of each environment; and the snapshots of those that have ended well, which nothing needs any more. That a plan has been
// applied is not forgotten.
func (s *Store) Prune(ctx context.Context, before time.Time, keep int) (int64, error) {
	if _, err := s.exec(ctx, "DELETE FROM snapshots WHERE operation IN (SELECT id FROM operations WHERE outcome IN (?, ?, ?, ?, ?))",
		string(event.Done), string(event.Restored), string(event.Refused), string(event.Interrupted), string(event.Abandoned)); err != nil {
		return 0, fmt.Errorf("forget old snapshots: %w", err)
	}
	n, err := s.exec(ctx, `DELETE FROM operations WHERE outcome <> '' AND ended_at < ? AND id NOT IN (
		SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY environment ORDER BY started_at DESC, id DESC) AS place FROM operations) AS placed WHERE place <= ?)`,
		micros(before), keep)
	if err != nil {
		return 0, fmt.Errorf("forget old operations: %w", err)
	}
	return n, nil
}

// PlanClaimedBy returns the operation that applied the plan; "" when none did.
func (s *Store) PlanClaimedBy(ctx context.Context, planID string) (by string, err error) {
	err = s.lasting(ctx, func(ctx context.Context) error {
		return s.db.QueryRowContext(ctx, s.q("SELECT operation FROM plans WHERE id = ?"), planID).Scan(&by)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read plan's record: %w", err)
	}
	return by, nil
}
