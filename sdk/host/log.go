package host

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"github.com/rollback-project/rollback/sdk/host/redact"
)

// maxLine is the longest log line; what goes beyond is dropped (rule P7).
const maxLine = 64 << 10

// Log lines are forwarded at this rate, in lines a second, and as many at once; beyond, they are counted.
const (
	lineRate  = 500
	lineBurst = 2000
)

// tailLines is how many of the last lines an error about a dead plugin shows.
const tailLines = 10

// forwarder takes a plugin's log lines to the host's logger: with their level, under the plugin's name,
// without secrets and control characters, and not more of them than anyone can read.
type forwarder struct {
	logger   hclog.Logger
	redactor *redact.Redactor

	mu      sync.Mutex
	limit   *rate.Limiter
	dropped int
	last    []string
}

func newForwarder(cfg Config) *forwarder {
	return &forwarder{
		logger:   cfg.Logger.Named(cfg.logName()),
		redactor: cfg.Redactor,
		limit:    rate.NewLimiter(lineRate, lineBurst),
	}
}

// read forwards a stream to its end. It never stops earlier: a plugin must not wait for us.
func (f *forwarder) read(r io.Reader) {
	reader := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := reader.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		if len(line) > 0 {
			f.line(line)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = reader.ReadSlice('\n')
		}
		if tooLong {
			f.line([]byte("[…: the line was longer than 64 KiB]"))
		}
		if err != nil {
			return
		}
	}
}

// line forwards one line.
func (f *forwarder) line(raw []byte) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.limit.Allow() {
		f.dropped++
		// The last words of a plugin that floods are still worth having.
		f.keep(string(raw[:min(len(raw), 1024)]))
		return
	}
	f.tellDropped()
	level, message, args := f.parse(raw)
	f.keep(message)
	f.logger.Log(level, message, args...)
}

// tellDropped says how many lines were left out since it last did.
func (f *forwarder) tellDropped() {
	if f.dropped > 0 {
		f.logger.Warn("the plugin floods its log: lines were dropped", "lines", f.dropped)
		f.dropped = 0
	}
}

// flush is called when the streams have ended.
func (f *forwarder) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tellDropped()
}

// parse reads a line of hclog JSON; any other line is told as it is, for those who debug.
func (f *forwarder) parse(raw []byte) (level hclog.Level, message string, args []any) {
	var fields map[string]any
	if raw[0] != '{' || json.Unmarshal(raw, &fields) != nil {
		return hclog.Debug, f.text(string(raw)), nil
	}
	text := func(key string) string { s, _ := fields[key].(string); return s }
	level = hclog.LevelFromString(text("@level"))
	if level == hclog.NoLevel || text("@message") == "" {
		return hclog.Debug, f.text(string(raw)), nil
	}
	message = f.text(text("@message"))
	names := make([]string, 0, len(fields))
	for name := range fields {
		if !slices.Contains([]string{"@level", "@message", "@timestamp", "@caller"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		args = append(args, f.text(strings.TrimPrefix(name, "@")), f.value(fields[name]))
	}
	return level, message, args
}

// value keeps numbers as they are and cleans everything that may hold text.
func (f *forwarder) value(v any) any {
	switch v := v.(type) {
	case nil, bool, float64:
		return v
	case string:
		return f.text(v)
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		return f.text(fmt.Sprint(v))
	}
	return f.text(string(encoded))
}

func (f *forwarder) text(s string) string { return printable(f.redactor.String(s)) }

// keep remembers a line for the error about a dead plugin.
func (f *forwarder) keep(line string) {
	f.last = append(f.last, line)
	if len(f.last) > tailLines {
		f.last = f.last[1:]
	}
}

// tail is the last lines, indented, without secrets.
func (f *forwarder) tail() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for _, line := range f.last {
		fmt.Fprintf(&b, "  %s\n", f.text(line))
	}
	return strings.TrimRight(b.String(), "\n")
}

// lines makes a writer for what the author prints; each line is told.
func (f *forwarder) lines(stream string) io.Writer { return &lineWriter{to: f, stream: stream} }

// lineWriter cuts what is written into lines. go-plugin writes from one goroutine.
type lineWriter struct {
	to     *forwarder
	stream string
	rest   []byte
	cut    bool // the line has been told as far as it will be
}

// Write tells every whole line, and of a long one its beginning.
func (w *lineWriter) Write(p []byte) (int, error) {
	for part := range bytes.Lines(p) {
		w.rest = append(w.rest, part[:min(len(part), maxLine-len(w.rest))]...)
		ended := part[len(part)-1] == '\n'
		if !w.cut && (ended || len(w.rest) == maxLine) {
			w.to.line(append([]byte("["+w.stream+"] "), w.rest...))
			w.cut = true
		}
		if ended {
			w.rest, w.cut = nil, false
		}
	}
	return len(p), nil
}

// printable replaces control characters, with which a text could repaint a terminal; lines and tabs stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
