// Package view shows what commands have found: one type a command, with a form
// for people and a form for programs. Views never call the engine, and compute nothing.
package view

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rollback-project/rollback/internal/term"
)

// Look says how to write for people.
type Look struct {
	Paint term.Paint
	// Unicode allows characters beyond ASCII.
	Unicode bool
	// Width is in columns.
	Width int
	// Automation leaves out hints on what to type next.
	Automation bool
	// CompactWarnings shows warnings in two lines each, as long as there is no error.
	CompactWarnings bool
	// Policy is what a hint should say after -f; "" when the default file is used.
	Policy string
	Now    func() time.Time
}

// sym returns the Unicode form of a symbol, or its ASCII form.
func (l Look) sym(unicode, ascii string) string {
	if l.Unicode {
		return unicode
	}
	return ascii
}

// Arrow leads from what is to what will be.
func (l Look) Arrow() string { return l.sym("→", "->") }

// WriteJSON writes v as one indented JSON document.
func WriteJSON(w io.Writer, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	if _, err := w.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// Stream is the machine-readable stream of events: one JSON object a line, in the shape of Terraform's
// (conventions.md section 4.6). It may be used from several goroutines.
type Stream struct {
	mu  sync.Mutex
	w   io.Writer
	now func() time.Time
	err error
}

// StreamVersion is the version of the stream's format.
const StreamVersion = "1.0"

// NewStream begins a stream: its first line says which version of the tool and of the format it is.
func NewStream(w io.Writer, version string, now func() time.Time) *Stream {
	s := &Stream{w: w, now: now}
	s.Write("info", "version", "rollback "+version, map[string]any{"rollback": version, "ui": StreamVersion})
	return s
}

// Write adds one line. level is info, warn or error. A write that fails is remembered, see Err.
func (s *Stream) Write(level, kind, message string, fields map[string]any) {
	line := map[string]any{
		"@level": level, "@message": message, "@module": "rollback.ui",
		"@timestamp": s.now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"), "type": kind,
	}
	for k, v := range fields {
		line[k] = v
	}
	raw, err := json.Marshal(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		_, err = s.w.Write(append(raw, '\n'))
	}
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("write JSON stream: %w", err)
	}
}

// Err returns the first failure to write.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
