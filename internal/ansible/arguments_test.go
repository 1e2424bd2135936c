package ansible

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArgumentsKeepTheirTypesOrComeAsTexts(t *testing.T) {
	limit := number(3)
	for name, tc := range map[string]struct {
		given string
		want  Arguments
	}{
		"a playbook": {
			`{"command":"apply","policy":["a.hcl","b dir"],"to":-1,"repo":["x","y"],"allow_partial":true,"vars":{"n":1,"s":"t","l":["a"],"b":false},"overrides":{"age":"incident"},"_ansible_check_mode":false,"_ansible_diff":true,"_ansible_no_log":false}`,
			Arguments{
				Command: "apply", Policy: words{"a.hcl", "b dir"}, To: "-1", Repo: list{"x", "y"}, AllowPartial: true,
				Vars: values{"n": "1", "s": "t", "l": `["a"]`, "b": "false"}, Overrides: map[string]string{"age": "incident"}, Diff: true,
			},
		},
		"an ad-hoc call": {
			`{"command":"apply","policy":"a,b.hcl","date":"2019-06-01","repo":"x, y,","allow_partial":"yes","allow_quarantined":"off"}`,
			Arguments{Command: "apply", Policy: words{"a,b.hcl"}, To: "2019-06-01", Repo: list{"x", "y"}, AllowPartial: true},
		},
		"null and idle are none": {
			`{"command":"points","policy":null,"to":null,"only":[],"allow_partial":false,"slack":"","limit":null,"operation":""}`,
			Arguments{Command: "points"},
		},
		"a number as digits": {`{"command":"info","limit":"3"}`, Arguments{Command: "info", Limit: &limit}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode([]byte(tc.given))
			if err != nil {
				t.Fatal(err)
			}
			if got.Only != nil && len(got.Only) == 0 {
				got.Only = nil
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestArgumentsThatMakeNoSenseAreRefused(t *testing.T) {
	for given, want := range map[string]string{
		``:                      "no JSON object",
		`[]`:                    "no JSON object",
		`{}`:                    "argument command is missing",
		`{"command":"aply"}`:    `did you mean "apply"?`,
		`{"command":"destroy"}`: "it is one of points, plan, apply, undo, info",
		`{"comand":"apply"}`:    `no argument "comand"; did you mean "command"?`,
		`{"command":["apply"]}`: "argument command",
		`{"command":"apply","allow_partial":"perhaps"}`: "neither true nor false",
		`{"command":"info","limit":"many"}`:             "no whole number",
		`{"command":"plan","to":"a","date":"b"}`:        "the same argument",
		`{"command":"apply","to":"a","plan_file":"b"}`:  "exclude each other",
		`{"command":"points","to":"2019-06-01"}`:        "argument to is not for points, but for plan, apply",
		`{"command":"plan","reason":"x"}`:               "argument reason is not for plan",
		`{"command":"apply","vars":["a=b"]}`:            "vars",
		`{"command":"apply","policy":{"a":1}}`:          "policy",
	} {
		_, err := decode([]byte(given))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", given, err, want)
		}
	}
}

// TestNoValueIsTakenForAFlag: each stands behind a =, or behind --.
func TestNoValueIsTakenForAFlag(t *testing.T) {
	const odd = "--restore $(touch x)\n'\""
	a, err := decode([]byte(`{"command":"apply"}`))
	if err != nil {
		t.Fatal(err)
	}
	a.Policy, a.Chdir, a.Env, a.VarFiles, a.Vars = words{odd}, odd, odd, words{odd}, values{"x": odd}
	a.To, a.Repo, a.Registry, a.Only, a.Except, a.Overrides, a.ApprovedBy = odd, list{odd}, odd, list{odd}, list{odd}, map[string]string{"g": odd}, odd
	a.Reason, a.Ticket, a.LockTimeout, a.Report, a.User, a.DumpPath, a.Slack, a.Password = odd, odd, odd, words{odd}, odd, odd, "secret", "secret"
	for _, command := range []string{apply, undo} {
		for _, file := range []string{"", odd} {
			a.Command, a.PlanFile, a.Operation = command, file, file
			task := &task{arguments: a}
			args := append(task.commandLine(), task.common()...)
			flags := args[1:]
			if file != "" {
				i := len(task.commandLine()) - 2
				if args[i] != "--" || args[i+1] != odd {
					t.Errorf("%s: %q does not end with -- and the file", command, task.commandLine())
				}
				flags = append(append([]string{}, args[1:i]...), args[i+2:]...)
			}
			for _, f := range flags {
				if name, _, ok := strings.Cut(f, "="); !ok && strings.Contains(f, " ") || strings.Contains(name, " ") {
					t.Errorf("%s: %q stands alone", command, f)
				}
				if strings.Contains(f, "secret") {
					t.Errorf("%s: %q holds a secret", command, f)
				}
			}
		}
	}
}

func TestACallOfAnsibleIsRecognised(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	task := file("args", `{"command":"info","_ansible_module_name":"rollback"}`)
	for _, tc := range []struct {
		args []string
		want bool
	}{
		{[]string{task}, true},
		{[]string{Command, "-"}, true},
		{[]string{Command, "anything"}, true},
		{[]string{Command}, false},
		{[]string{file("plan", `{"format_version":"1.0"}`)}, false},
		{[]string{file("text", `plan`)}, false},
		{[]string{"plan"}, false},
		{[]string{dir}, false},
		{[]string{task, "more"}, false},
		{[]string{"--" + task}, false},
		{nil, false},
	} {
		if _, got := Called(tc.args); got != tc.want {
			t.Errorf("Called(%q) is %v", tc.args, got)
		}
	}
}

// FuzzArguments: whatever a task gives is understood or refused, and what is understood makes a command line in which no
// value stands alone.
func FuzzArguments(f *testing.F) {
	f.Add([]byte(`{"command":"apply","to":-1,"vars":{"a":[1,{"b":null}]},"limit":"3","policy":["x"]}`))
	f.Add([]byte(`{"command":"undo","operation":"--x","_ansible_check_mode":"yes"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := decode(raw)
		if err != nil {
			return
		}
		task := &task{arguments: a}
		for _, arg := range append(task.common(), task.choosing()...) {
			if !strings.HasPrefix(arg, "--") {
				t.Errorf("%q stands alone", arg)
			}
		}
	})
}
