package gate

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/policy"
)

// program is a gate of kind exec.
type program struct {
	*policy.VerifyExec
	environ []string
	said    said
}

// lingering is how long a program's output is waited for once it has ended or was killed: children of its own may
// hold on to it.
const lingering = time.Second

// subject names the program only: arguments may be secrets.
func (p *program) subject() string { return p.said.start(filepath.Base(p.Command[0])) }

func (p *program) expected() string { return "exit code 0" }

func (p *program) try(ctx context.Context) error {
	out := &tail{}
	cmd := exec.CommandContext(ctx, p.Command[0], p.Command[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = p.Dir, p.environ, lingering
	cmd.Stdout, cmd.Stderr = out, out
	separate(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("that it cannot be started: %s", p.said.start(err.Error()))
	}
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		// It has ended, and left something behind that would go on writing.
		endGroup(cmd)
		if cmd.ProcessState.Success() && ctx.Err() == nil {
			return nil
		}
	}
	switch {
	case err == nil:
		return nil
	case overdue(ctx):
		return fmt.Errorf("that it did not end and was killed%s", p.output(out))
	case cmd.ProcessState.ExitCode() >= 0:
		return fmt.Errorf("exit code %d%s", cmd.ProcessState.ExitCode(), p.output(out))
	}
	return fmt.Errorf("%s%s", cmd.ProcessState, p.output(out))
}

func (p *program) output(out *tail) string {
	text := p.said.end(string(out.kept), out.cut)
	if text == "" {
		return ", no output"
	}
	return fmt.Sprintf(", output %q", text)
}

// longestTail is how many bytes are kept of a program's output.
const longestTail = 16 << 10

// tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	cut  bool
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > longestTail {
		p, t.cut = p[len(p)-longestTail:], true
	}
	if over := len(t.kept) + len(p) - longestTail; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
	t.kept = append(t.kept, p...)
	return n, nil
}

// handedDown are the variables of our environment that a program gets. None of them is a credential: what else a
// program needs, the policy gives it.
var handedDown = []string{
	"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

// handedDownWindows is what a process needs there to start at all.
var handedDownWindows = []string{
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA",
}

// environment is what a program gets: a little of ours, what the policy gives it, and what the operation is about.
func environment(ours []string, given map[string]string, f Facts) []string {
	var out []string
	for _, entry := range ours {
		name, _, _ := strings.Cut(entry, "=")
		ok := slices.Contains(handedDown, name) || strings.HasPrefix(name, "LC_")
		if runtime.GOOS == "windows" {
			upper := strings.ToUpper(name)
			ok = ok || slices.Contains(handedDown, upper) || slices.Contains(handedDownWindows, upper)
		}
		if ok {
			out = append(out, entry)
		}
	}
	for name, value := range given {
		out = append(out, name+"="+value)
	}
	slices.Sort(out[len(out)-len(given):])
	images := make([]string, 0, len(f.Images))
	for app, image := range f.Images {
		images = append(images, app+"="+image)
	}
	slices.Sort(images)
	return append(out,
		"ROLLBACK_ENVIRONMENT="+f.Environment,
		"ROLLBACK_OPERATION="+f.Operation,
		"ROLLBACK_TO="+f.To,
		"ROLLBACK_REPO="+f.Repo,
		"ROLLBACK_APPS="+strings.Join(f.Apps, " "),
		"ROLLBACK_IMAGES="+strings.Join(images, " "))
}
