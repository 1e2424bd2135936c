package gate

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// handedDown are the variables that a program gets of our own environment: what finds programs and files, and no secrets.
var handedDown = []string{"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR"}

// lastWords is how long a program that was killed may keep its output open.
const lastWords = time.Second

// askProgram runs a program; it says yes by ending with 0.
func askProgram(ctx context.Context, c Check, environ []string) error {
	v := c.Verify.Exec
	cmd := exec.CommandContext(ctx, v.Command[0], v.Command[1:]...) //nolint:gosec // the policy's author names it, and no shell reads it
	cmd.Dir = v.Dir
	cmd.Env = environment(c, environ)
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = lastWords
	ownGroup(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return fmt.Errorf("%s ended with %s%s", v.Command[0], exit.ProcessState, out.shown())
	default:
		return fmt.Errorf("run %s: %w%s", v.Command[0], err, out.shown())
	}
}

// environment is what a program sees.
func environment(c Check, environ []string) []string {
	var env []string
	for _, pair := range environ {
		if name, _, _ := strings.Cut(pair, "="); slices.Contains(handedDown, name) {
			env = append(env, pair)
		}
	}
	env = append(env,
		"ROLLBACK_ENVIRONMENT="+c.Environment, "ROLLBACK_OPERATION="+c.Operation, "ROLLBACK_TO="+c.To,
		"ROLLBACK_REPO="+c.Repo, "ROLLBACK_APPS="+strings.Join(c.Apps, " "))
	for name, value := range c.Verify.Exec.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// tail keeps the end of what a program says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const mostTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p[max(0, len(p)-mostTail):]...)
	if over := len(t.text) - mostTail; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// shown is the end of it, inside a sentence.
func (t *tail) shown() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(clean(string(t.text)))
	if text == "" {
		return ""
	}
	if runes := []rune(text); len(runes) > mostShown {
		text = "…" + string(runes[len(runes)-mostShown:])
	}
	return ": " + text
}
