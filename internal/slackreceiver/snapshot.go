package slackreceiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Open returns a receiver that keeps its messages in a file too, and starts with those that are there. The file is
// replaced as a whole at each change, and readable by its owner only.
func Open(path string, options ...Option) (*Receiver, error) {
	r := New(options...)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read the Slack receiver's messages: %w", err)
	default:
		if err := json.Unmarshal(raw, &r.messages); err != nil {
			return nil, fmt.Errorf("read the Slack receiver's messages in %s: %w", path, err)
		}
		for _, m := range r.messages {
			if n, err := strconv.ParseInt(strings.Replace(m.TS, ".", "", 1), 10, 64); err == nil {
				r.last = max(r.last, n)
			}
		}
	}
	r.snapshot = path
	return r, nil
}

// Err is why the last change could not be written to the file; nil if it was, or if there is none.
func (r *Receiver) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// save writes the file. The messages stay in memory whatever becomes of it, so a failure stops nothing.
func (r *Receiver) save() {
	if r.snapshot == "" {
		return
	}
	r.failed = r.write()
}

func (r *Receiver) write() error {
	raw, err := json.Marshal(r.messages)
	if err != nil {
		return fmt.Errorf("write the Slack receiver's messages: %w", err)
	}
	tmp := r.snapshot + ".new"
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return fmt.Errorf("write the Slack receiver's messages: %w", err)
	}
	if err := os.Rename(tmp, r.snapshot); err != nil {
		return fmt.Errorf("write the Slack receiver's messages: %w", err)
	}
	return nil
}
