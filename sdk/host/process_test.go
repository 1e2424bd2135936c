package host_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// startErr starts a plugin that cannot be started.
func startErr(t *testing.T, cfg host.Config) string {
	t.Helper()
	p, err := host.Start(t.Context(), cfg)
	if err == nil {
		p.Close()
		t.Fatal("it starts")
	}
	if !strings.Contains(err.Error(), `registry plugin "world"`) {
		t.Errorf("the error does not name the plugin: %s", err)
	}
	return err.Error()
}

func TestWhatKeepsAPluginFromStartingIsSaid(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		settings []string
		edit     func(*host.Config)
		want     []string
	}{
		{
			"garbage on standard output",
			[]string{"print-first=hello \x1b[31mworld"},
			nil,
			[]string{"it wrote \"hello \uFFFD[31mworld\" to standard output", "rule P3"},
		},
		{
			"it ends at once",
			[]string{"log-first=no such library, hunter22", "die-first"},
			func(c *host.Config) { c.Redactor = nil },
			[]string{"it ended before the handshake", "exit status 7", "no such library"},
		},
		{"it hangs", []string{"hang-first"}, func(c *host.Config) { c.StartTimeout = 300 * time.Millisecond }, []string{"it has not answered within 300ms"}},
		{"it is another kind", nil, func(c *host.Config) { *c = config(schema.Notify); c.Kind = schema.Registry }, []string{"is another plugin", `notify plugin "world"`}},
		{"it has another name", []string{"name=moon"}, nil, []string{"is another plugin", `registry plugin "moon"`}},
		{"it hangs in Describe", []string{"Describe=hang"}, func(c *host.Config) { c.CallTimeout = 300 * time.Millisecond }, []string{"Describe", "no answer for 300ms"}},
		{"it crashes in Describe", []string{"Describe=crash"}, nil, []string{"Describe", "exit status 3", "about to crash"}},
		{"it panics in Describe", []string{"Describe=panic"}, nil, []string{"no such thing as Describe"}},
		{"there is no such file", nil, func(c *host.Config) { c.Path = filepath.Join(dir, "none") }, []string{"no such file"}},
		{"it is no executable", nil, func(c *host.Config) { c.Path = plain }, []string{"permission denied"}},
		{
			"another protocol version", nil,
			func(c *host.Config) { c.Path = script("v2", "echo '1|2|unix|/x|grpc|'; sleep 60") },
			[]string{"it speaks version 2 of the plugin protocol, and this program version 1"},
		},
		{
			"net/rpc", nil,
			func(c *host.Config) { c.Path = script("netrpc", "echo '1|1|unix|/x|netrpc|'; sleep 60") },
			[]string{"it speaks netrpc", "rule P4"},
		},
		{
			"a socket where nobody answers", nil,
			func(c *host.Config) {
				c.Path = script("nobody", "echo '1|1|unix|/no/such/socket|grpc|'; sleep 60")
				c.StartTimeout = 5 * time.Second
			},
			[]string{"Describe", "dial unix /no/such/socket"},
		},
		{"another checksum", nil, func(c *host.Config) { c.SHA256 = strings.Repeat("ab", 32) }, []string{"has the checksum sha256:", "sha256:abab"}},
		{"a checksum that is none", nil, func(c *host.Config) { c.SHA256 = "abc" }, []string{"is no SHA-256"}},
		{"a checksum of nothing", nil, func(c *host.Config) { c.SHA256, c.Path = strings.Repeat("ab", 32), filepath.Join(dir, "none") }, []string{"no such file"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			cfg := config(schema.Registry, tc.settings...)
			if tc.edit != nil {
				tc.edit(&cfg)
			}
			got := startErr(t, cfg)
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in:\n%s", want, got)
				}
			}
		})
	}
}

func TestAStartThatIsCancelledLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := host.Start(ctx, config(schema.Registry, "hang-first")); !strings.Contains(fmt.Sprint(err), "deadline") {
		t.Error(err)
	}
}

func TestACrashInAnyCallIsAnErrorThatNamesThePlugin(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, c := range rpcs {
		for _, how := range []string{"crash", "kill"} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				p := start(t, config(c.kind, c.name+"="+how))
				object := configure(t, p)
				err := c.call(t.Context(), object)
				want := fault.Unavailable
				if c.changing {
					want = fault.Indeterminate
				}
				if fault.CodeOf(err) != want || !errors.Is(err, host.ErrEnded) {
					t.Errorf("%s: %v", fault.CodeOf(err), err)
				}
				wants := []string{fmt.Sprintf(`%s plugin "world": %s: `, c.kind, c.name)}
				if how == "crash" {
					wants = append(wants, "exit status 3", "about to crash, with a secret: (sensitive)")
				} else {
					wants = append(wants, "signal: killed")
				}
				for _, text := range wants {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("%q is not in:\n%s", text, err)
					}
				}
				// The next call is not sent, so that even a change has certainly not happened.
				err = c.call(t.Context(), object)
				if !fault.Is(err, fault.Unavailable) || !errors.Is(err, host.ErrEnded) {
					t.Errorf("afterwards: %s: %v", fault.CodeOf(err), err)
				}
			})
		}
	}
}

func TestACrashAfterAcceptedNamesTheDeployments(t *testing.T) {
	for _, call := range []string{"Deploy", "Restore"} {
		p := start(t, config(schema.Orchestrator, call+"-accepted=wait"))
		o := configure(t, p).(orchestrator.Orchestrator)
		found, err := o.Probe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(found.Identity)
		if err != nil {
			t.Fatal(err)
		}
		killWhenAccepted := func(e orchestrator.Event) {
			if e.Accepted != nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if call == "Deploy" {
			err = o.Deploy(t.Context(), orchestrator.DeployRequest{}, killWhenAccepted)
		} else {
			err = o.Restore(t.Context(), orchestrator.RestoreRequest{}, killWhenAccepted)
		}
		f := fault.Of(err)
		if f == nil || f.Code != fault.Indeterminate {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"d1"}, f.Deployments); diff != "" {
			t.Error(diff)
		}
	}
}

func TestACrashInTheMiddleOfAListIsNoShorterList(t *testing.T) {
	p := start(t, config(schema.Registry, "tags=1000", "mid-list=kill"))
	reg := configure(t, p).(registry.Registry)
	err := reg.ListReleases(t.Context(), registry.ListRequest{}, func(registry.Item) error { return nil })
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, host.ErrEnded) {
		t.Error(err)
	}
}

func TestACrashInTheOfflineCallsIsSaid(t *testing.T) {
	p := start(t, config(schema.Notify, "ValidateConfig=crash"))
	ds := p.Notify().ValidateConfig(schema.Config{})
	if len(ds) != 1 || !strings.Contains(ds[0].Detail, "exit status 3") {
		t.Error(ds)
	}
	p = start(t, config(schema.Notify, "Configure=crash"))
	if _, err := tryConfigure(t.Context(), p); !errors.Is(err, host.ErrEnded) {
		t.Error(err)
	}
	cfg := config(schema.Notify, "Configure=hang")
	cfg.CallTimeout = 300 * time.Millisecond
	p = start(t, cfg)
	if _, err := tryConfigure(t.Context(), p); !strings.Contains(fmt.Sprint(err), "no answer for 300ms") {
		t.Error(err)
	}
}

func TestAFrozenPluginIsClosedAllTheSame(t *testing.T) {
	cfg := config(schema.Notify, "Notify=freeze")
	cfg.IdleTimeout = 300 * time.Millisecond
	p := start(t, cfg)
	if _, err := configure(t, p).(notify.Notifier).Notify(t.Context(), notify.Request{}); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	p.Close() // the test's own time limit is the judge
}

// logs collects what a logger gets, as JSON objects.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) lines(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []map[string]any
	for line := range strings.Lines(l.buf.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err, line)
		}
		delete(fields, "@timestamp")
		out = append(out, fields)
	}
	return out
}

func (l *logs) logger(level hclog.Level) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: l, JSONFormat: true, Level: level, Name: "host"})
}

func TestLogLinesKeepLevelAndNameAndLoseSecrets(t *testing.T) {
	l := &logs{}
	cfg := config(schema.Notify)
	cfg.Logger = l.logger(hclog.Info)
	p := start(t, cfg)
	configure(t, p)
	p.Close()
	want := []map[string]any{{
		"@level": "info", "@message": "configured", "@module": "host.notify.world",
		"agent": "rollback/test", "dir": "/work", "parallelism": 3.0, "token": "(sensitive)",
	}}
	if diff := cmp.Diff(want, l.lines(t)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatAnAuthorPrintsDoesNoHarm(t *testing.T) {
	l := &logs{}
	cfg := config(schema.Notify, "print=yes", "long-line=yes")
	cfg.Logger = l.logger(hclog.Debug)
	p := start(t, cfg)
	configure(t, p)
	p.Close()
	var messages []string
	for _, line := range l.lines(t) {
		messages = append(messages, fmt.Sprint(line["@message"]))
	}
	all := strings.Join(messages, "\n")
	for _, want := range []string{"the author prints", `{"@level":"warn","@message":12}`, "xxx", "the line was longer than 64 KiB"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in the log", want)
		}
	}
	if len(all) > 140<<10 { // Describe, where the line is printed, is called twice
		t.Errorf("the log has %d bytes", len(all))
	}
}

func TestAFloodIsNoHangAndIsTold(t *testing.T) {
	l := &logs{}
	cfg := config(schema.Notify, "flood=yes")
	cfg.Logger = l.logger(hclog.Debug)
	p := start(t, cfg)
	configure(t, p)
	p.Close()
	lines := l.lines(t)
	if len(lines) > 50_000 {
		t.Errorf("%d lines were forwarded", len(lines))
	}
	told := false
	for _, line := range lines {
		told = told || line["@message"] == "the plugin floods its log: lines were dropped"
	}
	if !told {
		t.Error("nobody was told")
	}
}

func TestOnlyTheAllowedEnvironmentIsHandedDown(t *testing.T) {
	cfg := config(schema.Notify)
	cfg.Environ = []string{
		"PATH=/bin", "HOME=/home/x", "LC_TIME=C", "https_proxy=http://proxy", "DOCKER_CONFIG=/d", "DCOS_CLUSTER=c",
		"AWS_SECRET_ACCESS_KEY=secret", "JENKINS_TOKEN=secret", "TMPDIR=/somewhere", "ROLLBACK_PLUGIN_DIR=/p", "LD_PRELOAD=/evil.so",
	}
	p := start(t, cfg)
	found, err := configure(t, p).(notify.Notifier).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	tempDir := ""
	for _, entry := range found.Notes {
		name, value, _ := strings.Cut(entry, "=")
		names[name] = true
		if name == "TMPDIR" {
			tempDir = value
		}
	}
	want := map[string]bool{}
	for _, name := range []string{
		"PATH", "HOME", "LC_TIME", "https_proxy", "DOCKER_CONFIG", "DCOS_CLUSTER", "TMPDIR", "ROLLBACK_PLUGIN",
		"ROLLBACK_PLUGIN_STDIN", "ROLLBACK_PLUGIN_LOG", "PLUGIN_CLIENT_CERT", "PLUGIN_MIN_PORT", "PLUGIN_MAX_PORT",
		"PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR",
	} {
		want[name] = true
	}
	delete(names, "GORACE") // of the test itself
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(tempDir); err != nil {
		t.Error(err)
	}
	p.Close()
	if _, err := os.Stat(tempDir); !os.IsNotExist(err) {
		t.Error("the temporary folder is still there:", err)
	}
}

func TestAWorkspaceWithALongPathHasAShortSocket(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("workspace/", 12))
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	configure(t, start(t, config(schema.Notify)))
}

func TestAPluginStartedByHandExplainsItself(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "serve-plugin", "notify")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Error(err)
	}
	if stdout.Len() > 0 || !strings.Contains(stderr.String(), `This is the notify plugin "world" of rollback, version 1.2.3.`) {
		t.Errorf("it printed %q and %q", stdout.String(), stderr.String())
	}
}

func TestSignalsAreTheHostsToHandle(t *testing.T) {
	p := start(t, config(schema.Notify))
	n := configure(t, p).(notify.Notifier)
	found, err := n.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(found.Identity)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Notify(t.Context(), notify.Request{}); err != nil {
			t.Error(s, err)
		}
	}
	if group, err := syscall.Getpgid(pid); err != nil || group == syscall.Getpgrp() {
		t.Error("Ctrl-C would reach the plugin", err)
	}
}

func TestAHostThatIsKilledLeavesNoOrphan(t *testing.T) {
	tempDir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "play-host")
	cmd.Env = os.Environ()
	if len(tempDir) < 50 {
		cmd.Env = append(cmd.Env, "TMPDIR="+tempDir)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(line)[0])
	if err != nil {
		t.Fatal(err, line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	begin := time.Now()
	for syscall.Kill(pid, 0) == nil && !zombie(pid) {
		if time.Since(begin) > 20*time.Second { // rule P5 says one; a busy machine may take longer
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the plugin still runs")
		}
		time.Sleep(5 * time.Millisecond) // polling, until the system says so
	}
	t.Logf("the plugin ended %s after its host", time.Since(begin).Round(time.Millisecond))
	entries, err := os.ReadDir(tempDir)
	if err != nil || len(entries) > 0 {
		t.Error("it left something behind:", entries, err)
	}
}

// zombie says whether a process has ended and waits for somebody to notice, as it may for ever in a container.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return os.IsNotExist(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

func TestClosingLeavesNoGoroutinesAndNoFiles(t *testing.T) {
	tempDir := t.TempDir()
	if len(tempDir) < 50 {
		t.Setenv("TMPDIR", tempDir)
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, kind := range []schema.Kind{schema.Registry, schema.Orchestrator, schema.Notify} {
		p, err := host.Start(t.Context(), config(kind))
		if err != nil {
			t.Fatal(err)
		}
		configure(t, p)
		p.Close()
		p.Close()
	}
	entries, err := os.ReadDir(tempDir)
	if err != nil || len(entries) > 0 {
		t.Error(entries, err)
	}
}

// BenchmarkStart measures what plugins add to the start of a command: one, and three at the same time.
func BenchmarkStart(b *testing.B) {
	kinds := []schema.Kind{schema.Registry, schema.Orchestrator, schema.Notify}
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("%d plugins", n), func(b *testing.B) {
			for b.Loop() {
				plugins := make([]*host.Plugin, n)
				var wg sync.WaitGroup
				for i := range plugins {
					wg.Go(func() {
						p, err := host.Start(b.Context(), config(kinds[i]))
						if err != nil {
							b.Error(err)
							return
						}
						plugins[i] = p
						configure(b, p)
					})
				}
				wg.Wait()
				b.StopTimer()
				for _, p := range plugins {
					if p != nil {
						p.Close()
					}
				}
				b.StartTimer()
			}
		})
	}
}
