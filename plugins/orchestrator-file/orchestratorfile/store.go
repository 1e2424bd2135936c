package orchestratorfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/rollback-project/rollback/sdk/fault"
)

// store is the world file. Readers need no lock, as the file is only ever replaced whole;
// writers hold one, so that several processes can share a world.
type store struct{ path string }

// lockPatience is how long a writer waits for the others; each holds the lock for a few milliseconds.
const lockPatience = 10 * time.Second

// errUnchanged makes change leave the file as it is, and is no error.
var errUnchanged = errors.New("unchanged")

func (s store) read() (*world, error) {
	data, err := os.ReadFile(s.path)
	if err != nil {
		return nil, s.unreadable(err)
	}
	w, err := parse(data)
	if err != nil {
		return nil, s.unreadable(err)
	}
	return w, nil
}

func (s store) unreadable(err error) error {
	return fault.New(fault.Unavailable, "read the world file %s: %w", s.path, err).
		WithHint(`Check the attribute path of the block orchestrator "file".`)
}

// change reads the world, lets f change it and writes it, all under the lock.
// An error of f leaves the file as it was and is returned.
func (s store) change(ctx context.Context, f func(*world) error) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	w, err := s.read()
	if err != nil {
		return err
	}
	if err := f(w); err != nil {
		if errors.Is(err, errUnchanged) {
			return nil
		}
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.write(w); err != nil {
		return fault.New(fault.Unavailable, "write the world file %s: %w", s.path, err)
	}
	return nil
}

func (s store) lock(ctx context.Context) (func(), error) {
	if _, err := os.Stat(s.path); err != nil {
		return nil, s.unreadable(err) // rather than leave a lock file beside nothing
	}
	waiting, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	l := flock.New(s.path + ".lock")
	if _, err := l.TryLockContext(waiting, 2*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fault.New(fault.Unavailable, "lock the world file %s: %w", s.path, err)
	}
	return func() { _ = l.Close() }, nil
}

// write replaces the file whole: whoever reads sees the old world or the new one, also after a power cut.
func (s store) write(w *world) error {
	data, err := w.encode()
	if err != nil {
		return err
	}
	target, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	dir := filepath.Dir(target)
	tmp, err := os.CreateTemp(dir, filepath.Base(target)+".tmp-*")
	if err != nil {
		return err
	}
	if err := fill(tmp, data, info.Mode().Perm()); err != nil {
		_ = os.Remove(tmp.Name())
		return err
	}
	if err := os.Rename(tmp.Name(), target); err != nil {
		_ = os.Remove(tmp.Name())
		return err
	}
	return syncFolder(dir)
}

func fill(f *os.File, data []byte, mode os.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return nil
}

// syncFolder makes a rename durable, where the system can.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // not every system can; the rename itself has happened
	return d.Close()
}
