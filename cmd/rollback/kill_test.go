//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/internal/cli"
)

// The variables by which a test tells the program what to suffer.
const (
	// killCore is the entry of the journal, counted from 1, after which the program kills itself.
	killCore = "ROLLBACK_TEST_KILL_CORE"
	// killPlugin is N:NAME: after the Nth entry the plugin NAME is killed.
	killPlugin = "ROLLBACK_TEST_KILL_PLUGIN"
	// fileLimit is how large a file may become, in bytes: what a full disk is like.
	fileLimit = "ROLLBACK_TEST_FILE_LIMIT"
)

// suffer is run as a test wants it: killed at some step, or on a disk that is full.
func suffer(args []string) int {
	if len(args) == 3 && args[1] == "serve-plugin" {
		return run(args)
	}
	app, err := newApp()
	if err != nil {
		panic(err)
	}
	at, _ := strconv.Atoi(os.Getenv(killCore))
	when, plugin, _ := strings.Cut(os.Getenv(killPlugin), ":")
	plugAt, _ := strconv.Atoi(when)
	limit, _ := strconv.Atoi(os.Getenv(fileLimit))
	var seen atomic.Int64
	app.Recorded = func(journal.Entry) {
		n := int(seen.Add(1))
		if n == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		if n == plugAt {
			killChildren(plugin)
		}
		if n == 1 && limit > 0 {
			signal.Ignore(syscall.SIGXFSZ)
			fill := uint64(limit)
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: fill, Max: fill}); err != nil {
				panic(err)
			}
		}
	}
	return cli.Run(ctxOfTests(), app, args[1:])
}

// killChildren kills the processes of this one that serve a plugin.
func killChildren(plugin string) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		stat, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		cmd, err := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
		if err != nil || !strings.Contains(string(cmd), "serve-plugin\x00"+plugin) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// trialProgram is what trials run: this executable, built without the race detector. There are hundreds of processes, and
// the scripts and core's chaos look for races in the same code.
var trialProgram = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil || !raced {
		return self, err
	}
	program := filepath.Join(builds, "rollback.trial")
	out, err := exec.Command("go", "test", "-c", "-o", program, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the program for trials: %w: %s", err, out)
	}
	return program, nil
})

// trial is a shop in a folder of its own.
type trial struct {
	t   *testing.T
	dir string
}

func newTrial(t *testing.T, policy string) trial {
	t.Helper()
	tr := trial{t, t.TempDir()}
	for _, name := range []string{"policy.hcl", "world.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "shop", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "policy.hcl" {
			raw = append(bytes.ReplaceAll(raw, []byte("10ms"), []byte("2ms")), policy...)
		}
		if err := os.WriteFile(filepath.Join(tr.dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// fail scripts what goes wrong in the world.
func (tr trial) fail(failures string) {
	tr.t.Helper()
	w := tr.world()
	w["orchestrator"].(map[string]any)["failures"] = json.RawMessage(failures)
	raw, err := json.Marshal(w)
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tr.dir, "world.json"), raw, 0o600); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr trial) world() map[string]any {
	tr.t.Helper()
	raw, err := os.ReadFile(filepath.Join(tr.dir, "world.json"))
	if err != nil {
		tr.t.Fatal(err)
	}
	var w map[string]any
	if err := json.Unmarshal(raw, &w); err != nil {
		tr.t.Fatal(err)
	}
	return w
}

// runs are the tags that the apps run.
func (tr trial) runs() map[string]string {
	tr.t.Helper()
	tags := map[string]string{}
	for id, a := range tr.world()["orchestrator"].(map[string]any)["apps"].(map[string]any) {
		image, _, _ := strings.Cut(a.(map[string]any)["image"].(string), "@")
		tags[filepath.Base(id)] = image[strings.LastIndexByte(image, ':')+1:]
	}
	return tags
}

// rollback runs a command, and returns its exit code; -1 when it was killed.
func (tr trial) rollback(environ []string, args ...string) (code int, out string) {
	tr.t.Helper()
	program, err := trialProgram()
	if err != nil {
		tr.t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = tr.dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + tr.dir, "USER=alice", sufferEnv + "=1", "GORACE=atexit_sleep_ms=0", "CI=1", "TMPDIR=" + os.TempDir(),
	}, environ...)
	raw, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tr.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(raw)
}

// settled checks what must hold whatever has happened: nobody holds the lock, no operation is unfinished, and every journal
// follows the state machine.
func (tr trial) settled() {
	tr.t.Helper()
	s, err := state.OpenToRead(tr.t.Context(), state.Options{Path: filepath.Join(tr.dir, ".rollback", "state.db"), Now: time.Now})
	if err != nil {
		tr.t.Fatal(err)
	}
	defer s.Close()
	if h, err := s.Holder(tr.t.Context(), "prod"); h != nil || err != nil {
		tr.t.Errorf("the lock is held: %+v, %v", h, err)
	}
	if o, err := s.Unfinished(tr.t.Context(), "prod"); o != nil || err != nil {
		tr.t.Errorf("unfinished: %+v, %v", o, err)
	}
	all, err := s.Operations(tr.t.Context(), "prod", 0)
	if err != nil {
		tr.t.Fatal(err)
	}
	for _, o := range all {
		entries, err := s.Entries(tr.t.Context(), o.OperationID)
		if err != nil {
			tr.t.Fatal(err)
		}
		if err := journal.Check(entries); err != nil {
			tr.t.Errorf("journal of %s: %v", o.OperationID, err)
		}
	}
	tr.once()
}

// once checks that no wave was deployed twice.
func (tr trial) once() {
	tr.t.Helper()
	deployments, _ := tr.world()["orchestrator"].(map[string]any)["deployments"].([]any)
	seen := map[string]int{}
	for _, d := range deployments {
		m, _ := d.(map[string]any)
		if id, _ := m["operation_id"].(string); id != "" {
			seen[id+fmt.Sprint(m["restores"])]++
		}
	}
	for id, n := range seen {
		if n > 1 {
			tr.t.Errorf("%s was deployed %d times", id, n)
		}
	}
}

var (
	shopBefore = map[string]string{"backend-a": "12-master", "backend-b": "13-master", "frontend": "22-master"}
	shopAfter  = map[string]string{"backend-a": "10-master", "backend-b": "11-master", "frontend": "21-master"}
)

const (
	inWaves = "\napply { strategy = \"waves\" }\n"
	crashes = `[{"app":"/ds/prod/shop/frontend","tag":"21-master","do":"doomed","message":"exit status 1"}]`
)

// TestKilledAfterEveryStep kills the program after each entry of its journal in turn, takes the operation up again, and
// compares the end with that of an operation that nobody disturbs.
func TestKilledAfterEveryStep(t *testing.T) {
	for _, c := range []struct {
		name, policy, failures string
		code                   int
		runs                   map[string]string
		steps                  int
	}{
		{"all goes well", inWaves, `[]`, 0, shopAfter, 11},
		{"the second wave fails", inWaves, crashes, 3, shopBefore, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			undisturbed := newTrial(t, c.policy)
			undisturbed.fail(c.failures)
			if code, out := undisturbed.rollback(nil, "apply", "--to", "-1", "--auto-approve"); code != c.code {
				t.Fatalf("undisturbed: exit code %d\n%s", code, out)
			}
			if diff := cmp.Diff(c.runs, undisturbed.runs()); diff != "" {
				t.Fatalf("undisturbed (-want +got):\n%s", diff)
			}
			for step := 1; step <= c.steps; step++ {
				t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
					t.Parallel()
					tr := newTrial(t, c.policy)
					tr.fail(c.failures)
					if code, out := tr.rollback([]string{killCore + "=" + fmt.Sprint(step)}, "apply", "--to", "-1", "--auto-approve"); code != -1 {
						t.Fatalf("it was not killed: exit code %d\n%s", code, out)
					}
					if step == c.steps {
						// It had ended: nothing is left to take up.
						tr.settled()
						if diff := cmp.Diff(c.runs, tr.runs()); diff != "" {
							t.Errorf("(-want +got):\n%s", diff)
						}
						return
					}
					code, out := tr.rollback(nil, "resume")
					if code != c.code {
						t.Errorf("resume: exit code %d, want %d\n%s", code, c.code, out)
					}
					if diff := cmp.Diff(c.runs, tr.runs()); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
					tr.settled()
				})
			}
			if code, out := newTrial(t, c.policy).rollback([]string{killCore + "=" + fmt.Sprint(c.steps+1)}, "apply", "--to", "-1", "--auto-approve"); code == -1 && c.failures == `[]` {
				t.Errorf("there are more than %d steps\n%s", c.steps, out)
			}
		})
	}
}

// TestKilledAgainAndAgain kills the program that takes an operation up, too.
func TestKilledAgainAndAgain(t *testing.T) {
	tr := newTrial(t, inWaves)
	// Resumed, about to send, accepted: the fourth entry is progress.
	kill := []string{killCore + "=4"}
	args := []string{"apply", "--to", "-1", "--auto-approve"}
	kills := 0
	for ; kills < 30; kills++ {
		code, out := tr.rollback(kill, args...)
		if code == 0 {
			break
		}
		if code != -1 {
			t.Fatalf("exit code %d\n%s", code, out)
		}
		args = []string{"resume"}
	}
	if diff := cmp.Diff(shopAfter, tr.runs()); diff != "" {
		t.Errorf("after %d kills (-want +got):\n%s", kills, diff)
	}
	tr.settled()
}

// TestAPluginKilledAfterEveryStep kills each plugin after each entry of the journal. Either all is done, or all is as before.
func TestAPluginKilledAfterEveryStep(t *testing.T) {
	for _, plugin := range []string{"orchestrator-file", "notify-file", "registry-file"} {
		for step := 1; step <= 11; step++ {
			t.Run(fmt.Sprint(plugin, " at step ", step), func(t *testing.T) {
				t.Parallel()
				tr := newTrial(t, inWaves)
				code, out := tr.rollback([]string{killPlugin + "=" + fmt.Sprint(step) + ":" + plugin}, "apply", "--to", "-1", "--auto-approve")
				want := map[int]map[string]string{0: shopAfter, 1: shopBefore, 3: shopBefore}[code]
				if want == nil || code != 0 && plugin != "orchestrator-file" {
					t.Fatalf("exit code %d\n%s", code, out)
				}
				if diff := cmp.Diff(want, tr.runs()); diff != "" {
					t.Errorf("exit code %d, but (-want +got):\n%s\n%s", code, diff, out)
				}
				tr.settled()
			})
		}
	}
}

// TestAFullDisk lets the journal's disk be full after the first entry, at several sizes.
func TestAFullDisk(t *testing.T) {
	tr := newTrial(t, inWaves)
	if code, out := tr.rollback(nil, "apply", "--to", "-1", "--auto-approve"); code != 0 {
		t.Fatal(out)
	}
	info, err := os.Stat(filepath.Join(tr.dir, ".rollback", "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	codes := map[int]int{}
	for limit := info.Size() - 8*4096; limit <= info.Size(); limit += 4096 {
		tr := newTrial(t, inWaves)
		code, out := tr.rollback([]string{fileLimit + "=" + fmt.Sprint(limit)}, "apply", "--to", "-1", "--auto-approve")
		codes[code]++
		if code != 0 {
			if diff := cmp.Diff(shopBefore, tr.runs()); diff != "" {
				t.Errorf("limit %d, exit code %d (-want +got):\n%s\n%s", limit, code, diff, out)
			}
		}
		// There is room again.
		if code, out := tr.rollback(nil, "resume"); code != 0 && code != 3 && !strings.Contains(out, "is unfinished") {
			t.Errorf("limit %d: resume: exit code %d\n%s", limit, code, out)
		}
		tr.settled()
		if got := tr.runs(); !maps.Equal(got, shopBefore) && !maps.Equal(got, shopAfter) {
			t.Errorf("limit %d: half done: %v", limit, got)
		}
	}
	if codes[0] == 9 {
		t.Error("the disk was never full")
	}
	t.Logf("exit codes: %v", codes)
}

// TestAStateThatCannotBeWritten is refused before anything is changed.
func TestAStateThatCannotBeWritten(t *testing.T) {
	tr := newTrial(t, "\nstate \"local\" { path = \"/proc/rollback/state.db\" }\n")
	code, out := tr.rollback(nil, "apply", "--to", "-1", "--auto-approve")
	if code != 1 || !strings.Contains(out, "State not usable") || !strings.Contains(out, "/proc/rollback") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if diff := cmp.Diff(shopBefore, tr.runs()); diff != "" {
		t.Error(diff)
	}
}

// TestOfAHundredAppliesOneWins lets a hundred processes apply while one is at it: exactly one changes something, and the
// others end with 5 and name it. They come a few at a time, since each brings three plugins; core/state races a hundred
// at once for the lock itself.
func TestOfAHundredAppliesOneWins(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred processes")
	}
	tr := newTrial(t, "")
	tr.fail(`[{"app":"/ds/prod/shop/frontend","tag":"21-master","do":"stuck"}]`)
	if code, out := tr.rollback(nil, "plan", "--to", "-1", "--out", "p.plan"); code != 0 {
		t.Fatal(out)
	}
	const racers, together = 100, 6
	type end struct {
		code int
		out  string
	}
	ends := make(chan end, racers)
	slots := make(chan struct{}, together)
	for range racers {
		go func() {
			slots <- struct{}{}
			code, out := tr.rollback(nil, "apply", "p.plan")
			ends <- end{code, out}
			<-slots
		}()
	}
	locked := 0
	for locked < racers-1 {
		e := <-ends
		if e.code != 5 || !strings.Contains(e.out, "held by alice@") || !strings.Contains(e.out, "rollback apply, process ") {
			t.Fatalf("exit code %d\n%s", e.code, e.out)
		}
		locked++
	}
	if code, out := tr.rollback(nil, "cancel"); code != 0 {
		t.Errorf("cancel: exit code %d\n%s", code, out)
	}
	if winner := <-ends; winner.code != 130 {
		t.Errorf("the winner: exit code %d\n%s", winner.code, winner.out)
	}
	if diff := cmp.Diff(shopBefore, tr.runs()); diff != "" {
		t.Error(diff)
	}
	tr.settled()
}
