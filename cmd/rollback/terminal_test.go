//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// terminal CODE FILE COMMAND… runs a command in a terminal of 80 by 24, does what FILE says, and wants the exit code.
// Each line of FILE is "await REGEXP", "type TEXT" (with Return), "press KEY" or "size COLUMNS ROWS". What was on
// the terminal, without escape sequences, becomes stdout.
func terminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: terminal CODE FILE COMMAND…")
	}
	path, err := exec.LookPath(args[2])
	ts.Check(err)
	cmd := exec.Command(path, args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(environ(ts), "TERM=xterm-256color")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	ts.Check(err)
	defer tty.Close()
	shown := &screen{grown: make(chan struct{}, 1)}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		// On Linux the end of the terminal is an error; all that was written has been read then.
		_, _ = io.Copy(shown, tty)
	}()
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if line = strings.TrimSpace(line); line != "" {
			act(ts, tty, shown, line)
		}
	}
	watchdog := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	watchdog.Stop()
	<-drained
	_, _ = ts.Stdout().Write(shown.text())
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		ts.Fatalf("%v", err)
	}
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s; the terminal showed:\n%s", got, args[0], shown.text())
	}
}

// pressed are the keys' bytes, as a terminal sends them.
var pressed = map[string]string{
	"left": "\x1b[D", "right": "\x1b[C", "home": "\x1b[H", "end": "\x1b[F", "enter": "\r", "escape": "\x1b", "q": "q", "ctrl-c": "\x03",
}

func act(ts *testscript.TestScript, tty *os.File, shown *screen, line string) {
	verb, what, _ := strings.Cut(line, " ")
	switch verb {
	case "await":
		if !shown.await(regexp.MustCompile(what)) {
			ts.Fatalf("the terminal never showed %s; it showed:\n%s", what, shown.text())
		}
	case "type":
		_, err := tty.WriteString(what + "\r")
		ts.Check(err)
	case "press":
		key, ok := pressed[what]
		if !ok {
			ts.Fatalf("there is no key %q", what)
		}
		_, err := tty.WriteString(key)
		ts.Check(err)
	case "size":
		columns, rows, _ := strings.Cut(what, " ")
		w, err := strconv.ParseUint(columns, 10, 16)
		ts.Check(err)
		h, err := strconv.ParseUint(rows, 10, 16)
		ts.Check(err)
		ts.Check(pty.Setsize(tty, &pty.Winsize{Rows: uint16(h), Cols: uint16(w)}))
	default:
		ts.Fatalf("%q is nothing to do at a terminal", line)
	}
}

// screen collects what a terminal was told to show.
type screen struct {
	mu    sync.Mutex
	raw   bytes.Buffer
	from  int // what await has seen
	grown chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.grown <- struct{}{}:
	default:
	}
	return s.raw.Write(p)
}

// sequence is an escape sequence: of colours, of the cursor, or of modes.
var sequence = regexp.MustCompile(`\x1b(\[[0-9;?<=>$]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>78])`)

func (s *screen) text() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.ReplaceAll(sequence.ReplaceAll(s.raw.Bytes(), nil), []byte("\r\n"), []byte("\n"))
}

// await waits until something new matches; false after a minute.
func (s *screen) await(re *regexp.Regexp) bool {
	limit := time.After(time.Minute)
	for {
		text := s.text()
		if m := re.FindIndex(text[min(s.from, len(text)):]); m != nil {
			s.from += m[1]
			return true
		}
		select {
		case <-s.grown:
		case <-limit:
			return false
		}
	}
}
