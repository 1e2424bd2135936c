package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// sufferEnv makes this executable the program, as suffer runs it.
const sufferEnv = "ROLLBACK_TEST_SUFFER"

func ctxOfTests() context.Context { return context.Background() }

// builds is a folder for programs that tests build; it is removed when all have ended.
var builds string

type withBuilds struct{ *testing.M }

// Run runs the tests.
func (m withBuilds) Run() int {
	dir, err := os.MkdirTemp("", "rollback-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	builds = dir
	return m.M.Run()
}

func TestMain(m *testing.M) {
	if os.Getenv(sufferEnv) != "" || len(os.Args) == 3 && os.Args[1] == "serve-plugin" {
		os.Exit(suffer(os.Args))
	}
	testscript.Main(withBuilds{m}, map[string]func(){
		"rollback": func() { os.Exit(run(os.Args)) },
	})
}

// TestScripts runs every script of testdata/script. Each begins in a folder with the shop: a policy of three services
// on the file plugins, and their world.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUp,
		Cmds:                commands(),
	})
}

// setUp copies the shop and gives the script an environment of its own.
func setUp(env *testscript.Env) error {
	env.Values[background{}] = &background{}
	env.Values[variables{}] = env
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("USER", "alice")
	// The race detector's processes wait a second at their end for reports that come late; there are hundreds of them.
	env.Setenv("GORACE", "atexit_sleep_ms=0")
	env.Setenv("LANG", "C.UTF-8")
	env.Setenv("COLUMNS", "1000")
	for _, name := range []string{"policy.hcl", "world.json"} {
		to := filepath.Join(env.WorkDir, name)
		if _, err := os.Stat(to); err == nil {
			continue // the script brings its own
		}
		raw, err := os.ReadFile(filepath.Join("testdata", "shop", name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// commands are what scripts can say beyond testscript's own words.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"set":    set,
		"unset":  unset,
		"json":   query,
		"edit":   edit,
		"await":  await,
		"exits":  exits,
		"secret": secret,

		"interrupt": interrupt,
		"terminate": terminate,
		"code":      code,
		"terminal":  terminal,
		"trouble":   trouble,
		"sandbox":   sandboxed,
		"operation": operation,
	}
}

// set FILE PATH JSON sets a value in a JSON file; the path's keys are separated by dots, "~" stands for a dot.
func set(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: set FILE PATH JSON")
	}
	var value any
	ts.Check(json.Unmarshal([]byte(args[2]), &value))
	change(ts, args[0], args[1], func(m map[string]any, key string) { m[key] = value })
}

// unset FILE PATH takes a value out of a JSON file.
func unset(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unset FILE PATH")
	}
	change(ts, args[0], args[1], func(m map[string]any, key string) {
		if _, ok := m[key]; !ok {
			ts.Fatalf("%s has no %s", args[0], args[1])
		}
		delete(m, key)
	})
}

func keys(path string) []string {
	parts := strings.Split(path, ".")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(p, "~", ".")
	}
	return parts
}

func change(ts *testscript.TestScript, file, path string, f func(m map[string]any, key string)) {
	name := ts.MkAbs(file)
	var doc map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &doc))
	at, parts := doc, keys(path)
	for _, k := range parts[:len(parts)-1] {
		next, ok := at[k].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[k] = next
		}
		at = next
	}
	f(at, parts[len(parts)-1])
	raw, err := json.MarshalIndent(doc, "", "  ")
	ts.Check(err)
	ts.Check(os.WriteFile(name, raw, 0o600))
}

// query FILE PATH WANT compares a value of a JSON document with JSON; FILE may be stdout. A number in PATH is an index.
func query(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH WANT")
	}
	var at, want any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &at))
	if err := json.Unmarshal([]byte(args[2]), &want); err != nil {
		want = args[2]
	}
	for _, k := range keys(args[1]) {
		switch v := at.(type) {
		case map[string]any:
			at = v[k]
		case []any:
			var i int
			if _, err := fmt.Sscan(k, &i); err != nil || i >= len(v) {
				at = nil
				continue
			}
			at = v[i]
		default:
			at = nil
		}
	}
	got, err := json.Marshal(at)
	ts.Check(err)
	wanted, err := json.Marshal(want)
	ts.Check(err)
	if bytes.Equal(got, wanted) == neg {
		ts.Fatalf("%s: %s is %s, want %s (negated: %v)", args[0], args[1], got, wanted, neg)
	}
}

// edit FILE REGEXP TEXT replaces every match in a file; there must be one. \n in TEXT is a line break.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE REGEXP TEXT")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	text := ts.ReadFile(args[0])
	if !re.MatchString(text) {
		ts.Fatalf("%s has nothing that matches %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(re.ReplaceAllString(text, strings.ReplaceAll(args[2], `\n`, "\n"))), 0o600))
}

var operationID = regexp.MustCompile(`"operation_id":\s*"([0-9A-Z]{26})"`)

// operation FILE sets $OPERATION to the first operation that a file of JSON names.
func operation(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: operation FILE")
	}
	m := operationID.FindStringSubmatch(ts.ReadFile(args[0]))
	if m == nil {
		ts.Fatalf("%s names no operation", args[0])
	}
	ts.Setenv("OPERATION", m[1])
}

// await FILE REGEXP waits until a file that another process writes has a match.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	name := ts.MkAbs(args[0])
	limit := time.After(time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		raw, err := os.ReadFile(name)
		if err == nil && re.Match(raw) {
			return
		}
		select {
		case <-limit:
			ts.Fatalf("%s never had a match of %s; it has:\n%s", args[0], args[1], raw)
		case <-tick.C:
		}
	}
}

// exits CODE COMMAND… runs a command of which the exit code is wanted; exec only knows zero and others.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("%s: exit code %s, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// sandboxed starts a sandbox that ends with the script, and sets REGISTRY (host:port), MARATHON and SLACK (URLs).
func sandboxed(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: sandbox [FLAG…]")
	}
	ts.Check(ts.Exec("rollback", append([]string{"sandbox", "up"}, args...)...))
	ts.Defer(func() { _ = ts.Exec("rollback", "sandbox", "down") })
	ts.Check(ts.Exec("rollback", "sandbox", "status", "--json"))
	var at struct {
		Registry, Marathon, Slack string
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &at))
	ts.Setenv("REGISTRY", at.Registry)
	ts.Setenv("MARATHON", at.Marathon)
	ts.Setenv("SLACK", at.Slack)
}

// variables is where the script's environment is kept for environ.
type variables struct{}

// environ is the script's environment as it is now.
func environ(ts *testscript.TestScript) []string {
	var all []string
	for _, v := range ts.Value(variables{}).(*testscript.Env).Vars {
		name, _, _ := strings.Cut(v, "=")
		all = append(all, name+"="+ts.Getenv(name))
	}
	return append(all, "CI="+ts.Getenv("CI"))
}

// background is where the command in the background is kept for code.
type background struct{ cmd *exec.Cmd }

// interrupt FILE REGEXP waits until a file has a match, and presses Ctrl-C for the only command in the background.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	await(ts, neg, args)
	running := ts.BackgroundCmds()
	if len(running) != 1 {
		ts.Fatalf("%d commands are in the background, want one", len(running))
	}
	ts.Value(background{}).(*background).cmd = running[0]
	ts.Check(running[0].Process.Signal(os.Interrupt))
}

// terminate FILE REGEXP is interrupt with SIGTERM, several times in a row, as a CI does that aborts a job.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	await(ts, neg, args)
	running := ts.BackgroundCmds()
	if len(running) != 1 {
		ts.Fatalf("%d commands are in the background, want one", len(running))
	}
	ts.Value(background{}).(*background).cmd = running[0]
	for range 5 {
		if err := running[0].Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			ts.Check(err)
		}
	}
}

// code CODE says how the command that was interrupted has ended; "wait" comes before it.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: code CODE")
	}
	state := ts.Value(background{}).(*background).cmd.ProcessState
	if got := strconv.Itoa(state.ExitCode()); got != args[0] {
		ts.Fatalf("it ended with %s, want exit code %s", state, args[0])
	}
}

// secret TEXT makes sure that no file below the work folder, and no output, holds a secret, but for the files named.
func secret(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: secret TEXT [FILE THAT MAY HOLD IT…]")
	}
	may := map[string]bool{}
	for _, name := range args[1:] {
		may[ts.MkAbs(name)] = true
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if strings.Contains(ts.ReadFile(stream), args[0]) {
			ts.Fatalf("%s holds the secret", stream)
		}
	}
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || may[path] {
			return err
		}
		raw, err := os.ReadFile(path)
		if err == nil && bytes.Contains(raw, []byte(args[0])) {
			return fmt.Errorf("%s holds the secret", path)
		}
		return err
	}))
}
