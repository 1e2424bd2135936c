package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/rollback-project/rollback/core/policy"
)

// programVariable makes the test's own executable one of the programs that gates run.
const programVariable = "GATE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if name := os.Getenv(programVariable); name != "" {
		os.Exit(programs[name]())
	}
	goleak.VerifyTestMain(m)
}

// programs are what gates run, by name; each returns its exit code.
var programs = map[string]func() int{
	"fine": func() int { return 0 },
	"bad": func() int {
		fmt.Println("checking")
		fmt.Fprintln(os.Stderr, "\x1b[31mno answer from\tthe shop", os.Getenv("TOKEN"))
		return 3
	},
	"silent": func() int { return 1 },
	"flood": func() int {
		for range 4000 {
			fmt.Println(strings.Repeat("z", 100))
		}
		fmt.Print("the end")
		return 4
	},
	"hang": func() int {
		fmt.Println("waiting")
		return block()
	},
	"report": func() int {
		dir, _ := os.Getwd()
		text := strings.Join(append(os.Environ(), "args="+strings.Join(os.Args[1:], "|"), "dir="+dir), "\n")
		if os.WriteFile(os.Getenv("REPORT"), []byte(text), 0o600) != nil {
			return 9
		}
		return 0
	},
	// parent leaves a child behind that holds on to its output, family hangs together with it.
	"parent": beget,
	"family": func() int { return max(beget(), block()) },
}

// beget starts a child that hangs, and that keeps a connection to the test open for as long as it lives.
func beget() int {
	conn, err := net.Dial("tcp", os.Getenv("LISTENER"))
	if err != nil {
		return 9
	}
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		return 9
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), programVariable+"=hang")
	child.Stdin, child.Stdout = file, os.Stdout
	if child.Start() != nil {
		return 9
	}
	return 0
}

// block waits for good.
func block() int {
	<-time.After(time.Hour)
	return 0
}

func execGate(t *testing.T, name string, args ...string) policy.Verify {
	t.Helper()
	v := gateOf("exec")
	v.Exec = &policy.VerifyExec{
		Command: append([]string{os.Args[0]}, args...),
		// Without GOCOVERDIR a program built for coverage complains, in its output.
		Env: map[string]string{programVariable: name, "GOCOVERDIR": t.TempDir()},
		Dir: t.TempDir(),
	}
	return v
}

func TestPrograms(t *testing.T) {
	self := filepath.Base(os.Args[0])
	for _, c := range []struct {
		rule, program string
		change        func(v *policy.Verify)
		want          []string
	}{
		{"exit code 0 is fine", "fine", nil, nil},
		{
			"another is not, and the output says why", "bad", func(v *policy.Verify) { v.Exec.Env["TOKEN"] = "hunter2-hunter2" },
			[]string{
				`verify "exec" of repo backend-a (policy.hcl:12): ` + self + ": expected exit code 0, found exit code 3, output \"checking \ufffd[31mno answer from the shop (sensitive value)\"; 1 attempt in 0s",
			},
		},
		{"a silent one", "silent", nil, []string{"exit code 1, no output"}},
		{"of much output the end is kept", "flood", nil, []string{`exit code 4, output "…`, `zzz the end"`}},
		{
			"one that hangs is killed", "hang", func(v *policy.Verify) { v.Timeout = 500 * time.Millisecond },
			[]string{"found that it did not end and was killed", "after 500ms"},
		},
		{
			"one that is not there", "fine", func(v *policy.Verify) { v.Exec.Command = []string{"rollback-no-such-program"} },
			[]string{"rollback-no-such-program: expected", "found that it cannot be started", "not found"},
		},
		{
			"a path that is not there", "fine", func(v *policy.Verify) { v.Exec.Command = []string{filepath.Join(v.Exec.Dir, "smoke.sh")} },
			[]string{"smoke.sh: expected", "no such file"},
		},
		{
			"one that is no program", "fine", func(v *policy.Verify) { v.Exec.Command = []string{v.Exec.Dir} },
			[]string{"cannot be started", "permission denied"},
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			v := execGate(t, c.program)
			if c.change != nil {
				c.change(&v)
			}
			o, _ := options(nil)
			o.Secrets = []string{"hunter2-hunter2"}
			err := Run(t.Context(), []Check{once(v)}, o)
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			mentions(t, err, c.want...)
			if len([]rune(err.Error())) > 700 {
				t.Errorf("the error is long: %v", err)
			}
		})
	}
}

func TestAProgramIsToldWhatItIsAbout(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report")
	v := execGate(t, "report", "-x", "", "a b", "$HOME;true")
	v.Exec.Env["REPORT"] = report
	o, _ := options(nil)
	o.Environ = []string{"PATH=/bin", "HOME=/home/carol", "LC_ALL=C", "AWS_SECRET_ACCESS_KEY=x", "ROLLBACK_STATE_KEY=y", "ROLLBACK_TO=z"}
	c := once(v)
	c.Facts = Facts{
		Environment: "prod", Operation: "01J0", To: "2019-06-01", Repo: "backend-a", Apps: []string{"/ds/a", "/ds/b"},
		Images: map[string]string{"/ds/b": "r/b:1", "/ds/a": "r/a:1"},
	}
	if err := Run(t.Context(), []Check{c}, o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(v.Exec.Dir)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(string(text), "\n")
	got = slices.DeleteFunc(got, func(line string) bool {
		// exec sets PWD beside Dir; the other is execGate's.
		return strings.HasPrefix(line, "PWD=") || strings.HasPrefix(line, "GOCOVERDIR=")
	})
	want := []string{
		"PATH=/bin", "HOME=/home/carol", "LC_ALL=C",
		programVariable + "=report", "REPORT=" + report,
		"ROLLBACK_ENVIRONMENT=prod", "ROLLBACK_OPERATION=01J0", "ROLLBACK_TO=2019-06-01", "ROLLBACK_REPO=backend-a",
		"ROLLBACK_APPS=/ds/a /ds/b", "ROLLBACK_IMAGES=/ds/a=r/a:1 /ds/b=r/b:1",
		"args=-x||a b|$HOME;true", "dir=" + dir,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the program saw (-want +got):\n%s", diff)
	}
}

// family listens for the child of a program. The function that it returns waits until there is one, and returns a
// channel that is closed when it has ended.
func family(t *testing.T, v policy.Verify) func() <-chan struct{} {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	v.Exec.Env["LISTENER"] = listener.Addr().String()
	return func() <-chan struct{} {
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer conn.Close()
			_, _ = io.Copy(io.Discard, conn)
		}()
		return ended
	}
}

func TestACancelledContextKillsTheProgramAndItsChildren(t *testing.T) {
	cause := errors.New("second Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	v := execGate(t, "family")
	begun := family(t, v)
	o, _ := options(nil)
	done := make(chan error)
	go func() { done <- Run(ctx, []Check{check(v)}, o) }()
	ended := begun()
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Errorf("Run = %v", err)
	}
	<-ended
}

func TestWhatAProgramLeavesBehindIsEnded(t *testing.T) {
	v := execGate(t, "parent")
	begun := family(t, v)
	o, _ := options(nil)
	if err := Run(t.Context(), []Check{once(v)}, o); err != nil {
		t.Fatal(err)
	}
	<-begun()
}

func TestTheHalfOfASecretIsNotShown(t *testing.T) {
	s := said{"hunter2-hunter2"}
	out := &tail{}
	_, _ = out.Write([]byte(strings.Repeat("x", longestTail) + "hunter2-hunter2"))
	_, _ = out.Write([]byte(strings.Repeat(" ", longestTail-9) + "y"))
	if got := s.end(string(out.kept), out.cut); got != "y" {
		t.Errorf("end = %q", got)
	}
}
