// Package state keeps what must outlive a process: the lock of an environment,
// the journal of every operation, and which plans have been applied.
package state

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/rollback-project/rollback/core/journal"
)

// Local is a state in a folder of this machine. Every file is readable by its owner only.
// One environment may be held by one process at a time; the operating system frees the lock when the process dies.
type Local struct {
	dir string
	now func() time.Time
}

// OpenLocal returns the state in dir. The folder is made when something is first written.
func OpenLocal(dir string, now func() time.Time) *Local { return &Local{dir: dir, now: now} }

// Dir is the state's folder.
func (s *Local) Dir() string { return s.dir }

// Holder says who holds a lock.
type Holder struct {
	Operation string    `json:"operation"`
	Who       string    `json:"who"`
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Since     time.Time `json:"since"`
	Command   string    `json:"command"`
}

// LockedError says that somebody else holds the environment.
type LockedError struct {
	Environment string
	Holder      Holder
}

// Error names the holder.
func (e *LockedError) Error() string {
	if e.Holder.Operation == "" {
		return fmt.Sprintf("lock environment %s: held by another process", e.Environment)
	}
	return fmt.Sprintf("lock environment %s: held by %s (%s, process %d on %s, operation %s, since %s)",
		e.Environment, e.Holder.Who, e.Holder.Command, e.Holder.PID, e.Holder.Host, e.Holder.Operation, e.Holder.Since.Format(time.RFC3339))
}

// Lock is a held environment.
type Lock struct {
	file *flock.Flock
	info string
}

// A held lock is tried again every lockRetry, for lockPatience without a word: whoever only looks whether it is held
// has it for a moment.
const (
	lockRetry    = 50 * time.Millisecond
	lockPatience = 400 * time.Millisecond
)

// Lock takes the environment for holder, waiting up to wait for another to let go.
// It returns a *LockedError when somebody else keeps it. onWait is called once, when waiting begins; it may be nil.
func (s *Local) Lock(ctx context.Context, environment string, holder Holder, wait time.Duration, onWait func(Holder)) (*Lock, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("lock environment %s: %w", environment, err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	base := filepath.Join(s.dir, fileName(environment))
	l := &Lock{file: flock.New(base+".lock", flock.SetPermissions(0o600)), info: base + ".holder.json"}
	ok, err := l.try(ctx, lockPatience)
	if err == nil && !ok && wait > lockPatience {
		if onWait != nil {
			onWait(readHolder(l.info))
		}
		ok, err = l.try(ctx, wait-lockPatience)
	}
	if err != nil {
		return nil, fmt.Errorf("lock environment %s: %w", environment, err)
	}
	if !ok {
		return nil, &LockedError{Environment: environment, Holder: readHolder(l.info)}
	}
	holder.Since = s.now()
	if err := writeFile(l.info, holder); err != nil {
		return nil, errors.Join(fmt.Errorf("record lock holder: %w", err), l.file.Unlock())
	}
	return l, nil
}

// try tries for some time.
func (l *Lock) try(ctx context.Context, patience time.Duration) (bool, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ok, err := l.file.TryLockContext(waiting, lockRetry)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return false, nil
	}
	return ok, err
}

// Unlock lets go. The holder's record goes first, so that no reader sees a stale one beside a free lock.
func (l *Lock) Unlock() error {
	rmErr := os.Remove(l.info)
	if errors.Is(rmErr, fs.ErrNotExist) {
		rmErr = nil
	}
	return errors.Join(rmErr, l.file.Unlock())
}

// Holder returns who holds the environment; nil when nobody does. A record that outlived its process is not believed.
func (s *Local) Holder(environment string) (*Holder, error) {
	base := filepath.Join(s.dir, fileName(environment))
	raw, err := os.ReadFile(base + ".holder.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lock holder: %w", err)
	}
	var h Holder
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, fmt.Errorf("read lock holder: %w", err)
	}
	probe := flock.New(base+".lock", flock.SetPermissions(0o600))
	free, err := probe.TryRLock()
	if err != nil {
		return nil, fmt.Errorf("see whether the lock is held: %w", err)
	}
	if free {
		return nil, probe.Unlock()
	}
	return &h, nil
}

func readHolder(path string) Holder {
	var h Holder
	if raw, err := os.ReadFile(path); err == nil {
		// A holder that is just being written reads as nobody in particular.
		_ = json.Unmarshal(raw, &h)
	}
	return h
}

// Journal is the open journal of one operation.
type Journal struct {
	file *os.File
	now  func() time.Time
	seq  int
}

// NewJournal begins the journal of an operation. It is an error if one exists.
func (s *Local) NewJournal(operation string) (*Journal, error) {
	dir := filepath.Join(s.dir, "operations")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, fileName(operation)+".jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("begin journal: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("begin journal: %w", err), f.Close())
	}
	return &Journal{file: f, now: s.now}, nil
}

// Record appends an entry and returns when it is on disk. Seq and At are set here.
func (j *Journal) Record(e journal.Entry) error {
	j.seq++
	e.Seq, e.At = j.seq, j.now().UTC()
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if _, err := j.file.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// Close closes the file; the entries are durable already.
func (j *Journal) Close() error { return j.file.Close() }

// Entries reads an operation's journal. A last line that was cut short by a crash is passed over:
// its step had not begun.
func (s *Local) Entries(operation string) ([]journal.Entry, error) {
	f, err := os.Open(filepath.Join(s.dir, "operations", fileName(operation)+".jsonl"))
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	var entries []journal.Entry
	r := bufio.NewReader(f)
	for {
		line, readErr := r.ReadString('\n')
		if !strings.HasSuffix(line, "\n") {
			return entries, nil
		}
		var e journal.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return entries, fmt.Errorf("read journal of operation %s, entry %d: %w", operation, len(entries)+1, err)
		}
		entries = append(entries, e)
		if readErr != nil {
			return entries, nil
		}
	}
}

// Operations lists the ids of all operations, newest first (ULIDs sort by time).
func (s *Local) Operations() ([]string, error) {
	files, err := os.ReadDir(filepath.Join(s.dir, "operations"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list operations: %w", err)
	}
	var ids []string
	for _, f := range files {
		if id, ok := strings.CutSuffix(f.Name(), ".jsonl"); ok {
			ids = append(ids, id)
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(ids)))
	return ids, nil
}

// Last returns the newest operation on the environment; ok is false when there is none.
func (s *Local) Last(environment string) (p journal.Progress, ok bool, err error) {
	ids, err := s.Operations()
	if err != nil {
		return journal.Progress{}, false, err
	}
	for _, id := range ids {
		entries, err := s.Entries(id)
		if err != nil {
			return journal.Progress{}, false, err
		}
		p := journal.Replay(entries)
		if p.Header != nil && p.Header.Environment == environment {
			return p, true, nil
		}
	}
	return journal.Progress{}, false, nil
}

// ClaimPlan marks a plan as applied by an operation; it succeeds once for a plan, whoever asks.
// The first operation's id is returned when the plan was claimed before.
func (s *Local) ClaimPlan(planID, operation string) (by string, claimed bool, err error) {
	dir := filepath.Join(s.dir, "plans")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", false, fmt.Errorf("make state folder: %w", err)
	}
	path := filepath.Join(dir, fileName(planID))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		by, err := s.PlanClaimedBy(planID)
		return by, false, err
	}
	if err != nil {
		return "", false, fmt.Errorf("claim plan: %w", err)
	}
	_, writeErr := f.WriteString(operation)
	if err := errors.Join(writeErr, f.Sync(), f.Close(), syncDir(dir)); err != nil {
		return "", false, fmt.Errorf("claim plan: %w", err)
	}
	return operation, true, nil
}

// PlanClaimedBy returns the operation that applied the plan; "" when none did.
func (s *Local) PlanClaimedBy(planID string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(s.dir, "plans", fileName(planID)))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read plan's record: %w", err)
	}
	if len(raw) == 0 {
		// Claimed by a process that died before it could write its name: still claimed.
		return "an unknown operation", nil
	}
	return string(raw), nil
}

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

// writeFile replaces path as a whole.
func writeFile(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
