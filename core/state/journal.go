package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// FencedError says that another process writes an operation's journal: it has taken the operation over, and this one
// must not go on.
type FencedError struct{ Operation string }

func (e *FencedError) Error() string {
	return fmt.Sprintf("write journal: another process has taken operation %s over", e.Operation)
}

// Journal writes the journal of one operation. It is used from one goroutine.
type Journal struct {
	store     *Store
	ctx       context.Context //nolint:containedctx // a journal is written also, and above all, when everything else is cancelled
	operation string
	writer    string
	// header is written with the first entry; nil when a process before this one has.
	header *journal.Header
	seq    int
	events int64
	noted  []event.Event
	// waiting are the entries that could not be written yet, the present one last.
	waiting []waiting
}

// ClaimedError says that a plan has been applied before: it is applied at most once.
type ClaimedError struct {
	// By is the operation that did.
	By string
}

func (e *ClaimedError) Error() string { return "the plan was applied before, by operation " + e.By }

// NewJournal begins the journal of an operation, under the lock l. With its first entry the operation is on record and
// its plan is claimed, or none of it is: a *ClaimedError says that another operation has applied the plan.
func (s *Store) NewJournal(ctx context.Context, l *Lock, h journal.Header) *Journal {
	return &Journal{store: s, ctx: context.WithoutCancel(ctx), operation: h.OperationID, writer: l.holder.token, header: &h}
}

// begin puts the operation on record and claims its plan.
func (j *Journal) begin(ctx context.Context, tx *sql.Tx, at time.Time) error {
	raw, err := json.Marshal(j.header)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, j.store.q("INSERT INTO plans (id, operation, at) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"), j.header.Plan.ID, j.operation, micros(at))
	if err != nil {
		return err
	}
	var by string
	if err := tx.QueryRowContext(ctx, j.store.q("SELECT operation FROM plans WHERE id = ?"), j.header.Plan.ID).Scan(&by); err != nil {
		return err
	}
	if by != j.operation {
		return &ClaimedError{By: by}
	}
	_, err = tx.ExecContext(ctx, j.store.q(`INSERT INTO operations (id, environment, kind, header, started_at, ended_at, outcome, cancel_by, cancel_why)
		VALUES (?, ?, ?, ?, ?, 0, '', '', '') ON CONFLICT (id) DO NOTHING`), j.operation, j.header.Environment, string(j.header.Kind), string(raw), micros(at))
	return err
}

// ContinueJournal goes on with the journal of an operation that another process has left, under the lock l.
func (s *Store) ContinueJournal(ctx context.Context, l *Lock, operation string) (*Journal, error) {
	j := &Journal{store: s, ctx: context.WithoutCancel(ctx), operation: operation, writer: l.holder.token}
	err := s.lasting(ctx, func(ctx context.Context) error {
		err := s.db.QueryRowContext(ctx, s.q("SELECT coalesce(max(seq), 0) FROM entries WHERE operation = ?"), operation).Scan(&j.seq)
		if err != nil {
			return err
		}
		return s.db.QueryRowContext(ctx, s.q("SELECT coalesce(max(seq), 0) FROM events WHERE operation = ?"), operation).Scan(&j.events)
	})
	if err != nil {
		return nil, fmt.Errorf("continue journal of operation %s: %w", operation, err)
	}
	return j, nil
}

// Record writes an entry and returns when it is durable. Seq and At are set here. Where the database does not answer it
// is tried again for as long as the store has patience. A *FencedError means that another process writes.
func (j *Journal) Record(e journal.Entry) error { return j.RecordWith(e, nil) }

// RecordWith writes an entry and the snapshots that belong to it, both or neither. An entry that could not be written is
// written before the next one, as it was: what has happened stays in order, and nothing of it is lost as long as any entry can be
// written.
func (j *Journal) RecordWith(e journal.Entry, snapshots []orchestrator.Snapshot) error {
	e.Seq, e.At = j.seq+1, j.store.now().UTC()
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	j.seq++
	j.waiting = append(j.waiting, waiting{entry: e, raw: raw, snapshots: snapshots, noted: j.noted})
	j.noted = nil
	err = j.store.tx(j.ctx, j.write)
	var fenced *FencedError
	var claimed *ClaimedError
	switch {
	case errors.As(err, &fenced), errors.As(err, &claimed):
		return err
	case err != nil:
		return fmt.Errorf("write journal to %s: %w", j.store.Where(), err)
	}
	for _, w := range j.waiting {
		j.events += int64(len(w.noted))
	}
	j.header, j.waiting = nil, nil
	return nil
}

// Note keeps an event for those who read up on the operation. It is written along with the next entry.
func (j *Journal) Note(e event.Event) { j.noted = append(j.noted, e) }

// waiting is an entry with what belongs to it, on its way into the database.
type waiting struct {
	entry     journal.Entry
	raw       []byte
	snapshots []orchestrator.Snapshot
	noted     []event.Event
}

// write writes what is waiting. It is harmless when it was done already.
func (j *Journal) write(ctx context.Context, tx *sql.Tx) error {
	if j.header != nil {
		if err := j.begin(ctx, tx, j.waiting[0].entry.At); err != nil {
			return err
		}
	}
	events := j.events
	for _, w := range j.waiting {
		if err := j.entry(ctx, tx, w, events); err != nil {
			return err
		}
		events += int64(len(w.noted))
	}
	return nil
}

func (j *Journal) entry(ctx context.Context, tx *sql.Tx, w waiting, events int64) error {
	_, err := tx.ExecContext(ctx, j.store.q("INSERT INTO entries (operation, seq, writer, at, entry) VALUES (?, ?, ?, ?, ?) ON CONFLICT (operation, seq) DO NOTHING"),
		j.operation, w.entry.Seq, j.writer, micros(w.entry.At), string(w.raw))
	if err != nil {
		return err
	}
	var writer string
	err = tx.QueryRowContext(ctx, j.store.q("SELECT writer FROM entries WHERE operation = ? AND seq = ?"), j.operation, w.entry.Seq).Scan(&writer)
	if err != nil {
		return err
	}
	if writer != j.writer {
		return &FencedError{Operation: j.operation}
	}
	for i, ev := range w.noted {
		body, err := json.Marshal(noted{Event: ev, Message: ev.Message})
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, j.store.q("INSERT INTO events (operation, seq, at, event) VALUES (?, ?, ?, ?) ON CONFLICT (operation, seq) DO NOTHING"),
			j.operation, events+int64(i)+1, micros(ev.At), string(body))
		if err != nil {
			return err
		}
	}
	for i, snap := range w.snapshots {
		if err := j.snapshot(ctx, tx, i, snap); err != nil {
			return err
		}
	}
	switch w.entry.Step {
	case journal.Ended:
		_, err = tx.ExecContext(ctx, j.store.q("UPDATE operations SET ended_at = ?, outcome = ? WHERE id = ?"), micros(w.entry.At), string(w.entry.Outcome), j.operation)
	case journal.Resumed:
		// It goes on; who asked the process before this one to stop has not asked this one.
		_, err = tx.ExecContext(ctx, j.store.q("UPDATE operations SET ended_at = 0, outcome = '', cancel_by = '', cancel_why = '' WHERE id = ?"), j.operation)
	}
	return err
}

func (j *Journal) snapshot(ctx context.Context, tx *sql.Tx, i int, snap orchestrator.Snapshot) error {
	data := []byte{}
	if j.store.key != nil {
		data = j.store.key.seal(j.operation, snap.App, snap.Data)
	}
	images, err := json.Marshal(snap.Images)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, j.store.q("INSERT INTO snapshots (operation, seq, app, fingerprint, images, data) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (operation, app) DO NOTHING"),
		j.operation, i, snap.App, snap.Fingerprint, string(images), data)
	return err
}

// noted is an event as it is kept; its text is left out of the stream's form.
type noted struct {
	event.Event
	Message string `json:"message,omitempty"`
}

// Snapshots reads the snapshots of an operation, in the order they were taken. Those that were left out, or that
// cannot be decrypted, have no Data; why is the error, beside the snapshots.
func (s *Store) Snapshots(ctx context.Context, operation string) ([]orchestrator.Snapshot, error) {
	var snapshots []orchestrator.Snapshot
	var sealed []error
	err := s.each(ctx, func(scan func(...any) error) error {
		var snap orchestrator.Snapshot
		var images string
		var data []byte
		if err := scan(&snap.App, &snap.Fingerprint, &images, &data); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(images), &snap.Images); err != nil {
			return err
		}
		switch {
		case len(data) == 0:
			sealed = append(sealed, fmt.Errorf("the snapshot of %s was left out", snap.App))
		case s.key == nil:
			sealed = append(sealed, fmt.Errorf("the snapshot of %s is sealed, and there is no key: set ROLLBACK_STATE_KEY", snap.App))
		default:
			var err error
			if snap.Data, err = s.key.open(operation, snap.App, data); err != nil {
				sealed = append(sealed, err)
			}
		}
		snapshots = append(snapshots, snap)
		return nil
	}, "SELECT app, fingerprint, images, data FROM snapshots WHERE operation = ? ORDER BY seq", operation)
	if err != nil {
		return nil, fmt.Errorf("read the snapshots of operation %s: %w", operation, err)
	}
	return snapshots, errors.Join(sealed...)
}

// Entries reads an operation's journal; none when there is no such operation.
func (s *Store) Entries(ctx context.Context, operation string) ([]journal.Entry, error) {
	var entries []journal.Entry
	err := s.each(ctx, func(scan func(...any) error) error {
		var raw string
		if err := scan(&raw); err != nil {
			return err
		}
		var e journal.Entry
		if err := json.Unmarshal([]byte(raw), &e); err != nil {
			return fmt.Errorf("entry %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
		return nil
	}, "SELECT entry FROM entries WHERE operation = ? ORDER BY seq", operation)
	if err != nil {
		return nil, fmt.Errorf("read the journal of operation %s: %w", operation, err)
	}
	return entries, nil
}

// Events reads what was told during an operation.
func (s *Store) Events(ctx context.Context, operation string) ([]event.Event, error) {
	var events []event.Event
	err := s.each(ctx, func(scan func(...any) error) error {
		var raw string
		var at int64
		if err := scan(&at, &raw); err != nil {
			return err
		}
		var n noted
		if err := json.Unmarshal([]byte(raw), &n); err != nil {
			return err
		}
		n.Event.At, n.Event.Message = instant(at), n.Message
		events = append(events, n.Event)
		return nil
	}, "SELECT at, event FROM events WHERE operation = ? ORDER BY seq", operation)
	if err != nil {
		return nil, fmt.Errorf("read the events of operation %s: %w", operation, err)
	}
	return events, nil
}
