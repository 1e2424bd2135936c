// Package term knows the three streams of a process and what they are
// connected to: a terminal or not, how wide, with colour, with Unicode.
package term

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/mattn/go-isatty"
	xterm "golang.org/x/term"
)

// DefaultWidth is used where there is no terminal to ask, in columns.
const DefaultWidth = 80

// Streams is stdin, stdout and stderr, and what is known of them.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTTY, OutTTY and ErrTTY say whether the stream is a terminal.
	InTTY, OutTTY, ErrTTY bool
	// Getenv reads the environment.
	Getenv func(string) string

	out *os.File
	err *diverter
}

// diverter is stderr, unless somebody draws on the terminal who must be asked to show what is said.
type diverter struct {
	mu   sync.Mutex
	to   io.Writer
	show func(string)
}

func (d *diverter) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.show == nil {
		return d.to.Write(p)
	}
	d.show(string(p))
	return len(p), nil
}

// Divert hands to show what is written to Err from now on; nil writes it to stderr again.
func (s *Streams) Divert(show func(string)) {
	s.err.mu.Lock()
	defer s.err.mu.Unlock()
	s.err.show = show
}

// New looks at the three files.
func New(in, out, err *os.File, getenv func(string) string) *Streams {
	d := &diverter{to: err}
	return &Streams{
		In: in, Out: out, Err: d,
		InTTY: isTerminal(in), OutTTY: isTerminal(out), ErrTTY: isTerminal(err),
		Getenv: getenv, out: out, err: d,
	}
}

// Test returns streams that are buffers and no terminals; the environment is env.
func Test(stdin string, env map[string]string) (s *Streams, out, err *bytes.Buffer) {
	s, out, err = Capture(func(k string) string { return env[k] })
	s.In = strings.NewReader(stdin)
	return s, out, err
}

// Capture returns streams of which nobody sees anything: stdin is empty, and what is written is kept.
func Capture(getenv func(string) string) (s *Streams, out, err *bytes.Buffer) {
	out, err = &bytes.Buffer{}, &bytes.Buffer{}
	d := &diverter{to: err}
	return &Streams{In: strings.NewReader(""), Out: out, Err: d, Getenv: getenv, err: d}, out, err
}

func isTerminal(f *os.File) bool {
	return isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd())
}

// Width is the number of columns to write in: that of the terminal, else $COLUMNS, else DefaultWidth.
func (s *Streams) Width() int {
	if s.out != nil && s.OutTTY {
		if w, _, err := xterm.GetSize(int(s.out.Fd())); err == nil && w > 0 {
			return w
		}
	}
	if w, err := strconv.Atoi(s.Getenv("COLUMNS")); err == nil && w > 0 {
		return w
	}
	return DefaultWidth
}

// Unicode reports whether characters beyond ASCII may be written, by the locale as POSIX reads it.
func (s *Streams) Unicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToUpper(s.Getenv(name)); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// ColorMode is the value of --color.
type ColorMode string

// The colour modes.
const (
	ColorAuto   ColorMode = "auto"
	ColorAlways ColorMode = "always"
	ColorNever  ColorMode = "never"
)

// Color decides whether to write colour to a stream that is a terminal or not:
// the flag first, then NO_COLOR and FORCE_COLOR, then CI and TERM=dumb, then whether it is a terminal. A CI's log may look
// like a terminal, and still be kept as a file.
func (s *Streams) Color(mode ColorMode, tty bool) bool {
	switch {
	case mode == ColorAlways:
		return true
	case mode == ColorNever, s.Getenv("NO_COLOR") != "":
		return false
	case s.Getenv("FORCE_COLOR") != "" && s.Getenv("FORCE_COLOR") != "0":
		return true
	default:
		return tty && s.Getenv("CI") == "" && s.Getenv("TERM") != "dumb"
	}
}

// Automation reports whether hints on what to type next should be left out: in CI nobody types.
func (s *Streams) Automation() bool {
	return s.Getenv("CI") != "" || s.Getenv("ROLLBACK_IN_AUTOMATION") != ""
}

// Paint colours text, or leaves it as it is.
type Paint struct{ On bool }

func (p Paint) sgr(code, s string) string {
	if !p.On || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Bold is for names. It and the colours have one meaning each, throughout.
func (p Paint) Bold(s string) string { return p.sgr("1", s) }

// Invert is for what is chosen.
func (p Paint) Invert(s string) string { return p.sgr("7", s) }

// Dim is for what matters least.
func (p Paint) Dim(s string) string { return p.sgr("2", s) }

// Red is for errors and what is broken.
func (p Paint) Red(s string) string { return p.sgr("31", s) }

// Green is for what is well.
func (p Paint) Green(s string) string { return p.sgr("32", s) }

// Yellow is for warnings and what changes.
func (p Paint) Yellow(s string) string { return p.sgr("33", s) }

// Cyan is for what was asked.
func (p Paint) Cyan(s string) string { return p.sgr("36", s) }

// BoldGreen is for a good end.
func (p Paint) BoldGreen(s string) string { return p.sgr("1;32", s) }

// BoldRed is for a bad end.
func (p Paint) BoldRed(s string) string { return p.sgr("1;31", s) }

// Clean replaces control characters, so that quoted text cannot steer the terminal.
// Newlines and tabs become spaces as well: quoted text is one line.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case r < 0x20, r == 0x7f, 0x80 <= r && r < 0xa0, r == '\u2028', r == '\u2029', 0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069:
			return '\ufffd'
		default:
			return r
		}
	}, s)
}
