// Package ansible is the program as a module of Ansible: a task's arguments in, one JSON result out. The modules of the
// collection hand their arguments to it, and where there is no Python Ansible runs the program itself (a binary module).
package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/rollback-project/rollback/internal/cli"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/sdk/host/redact"
)

// Command is the word by which the collection's modules call the program.
const Command = "ansible-module"

// mostArguments bounds what is read of arguments, in bytes.
const mostArguments = 16 << 20

// Called says whether a command line (without the program's name) is a call as a module, and where its arguments are: by
// the word Command and a file, or "-" for standard input; or, as Ansible calls a binary module, by nothing but a file with
// a JSON object that says so.
func Called(args []string) (file string, ok bool) {
	if len(args) == 2 && args[0] == Command {
		return args[1], true
	}
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return "", false
	}
	raw, err := read(nil, args[0])
	if err != nil {
		return "", false
	}
	var task struct {
		Module *string `json:"_ansible_module_name"`
	}
	return args[0], json.Unmarshal(raw, &task) == nil && task.Module != nil
}

// read reads arguments, "-" is standard input.
func read(in io.Reader, file string) ([]byte, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read the arguments: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, mostArguments+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the arguments: %w", err)
	case len(raw) > mostArguments:
		return nil, fmt.Errorf("read the arguments: they are longer than %d bytes", mostArguments)
	}
	return raw, nil
}

// Run carries out a task and writes its result to the app's stdout, as one JSON object. Its exit code is 0 whenever the
// arguments could be understood: that a task failed is in the result.
func Run(ctx context.Context, app *cli.App, file string) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	code := cli.ExitDone
	var res map[string]any
	secrets := redact.New()
	raw, err := read(app.Streams.In, file)
	var a Arguments
	if err == nil {
		a, err = decode(raw)
	}
	if err != nil {
		code, res = cli.ExitError, map[string]any{"failed": true, "changed": false, "msg": err.Error(), "rc": cli.ExitError, "warnings": []string{}, "diagnostics": []any{}}
	} else {
		secrets = redact.New(append(slices.Collect(maps.Values(a.SecretVars)), a.Password, a.Slack)...)
		patient := *app
		patient.Interrupts = once(ctx, app.Interrupts)
		t := &task{app: &patient, arguments: a}
		res = t.run(ctx)
	}
	if err := write(app.Streams.Out, res, secrets); err != nil {
		fmt.Fprintf(app.Streams.Err, "Error: %s\n", err)
		return cli.ExitError
	}
	return code
}

// once hands every signal on as one that asks to stop, and never as one that asks to leave things as they are: Ansible, and
// the CI that it runs in, send several to a task that they abort.
func once(ctx context.Context, signals <-chan os.Signal) <-chan os.Signal {
	out := make(chan os.Signal, 1)
	go func() {
		for {
			select {
			case <-signals:
				select {
				case out <- syscall.SIGTERM:
				default:
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// write writes a result without the secrets that the task has given.
func write(w io.Writer, res map[string]any, secrets *redact.Redactor) error {
	raw, err := json.Marshal(res)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	var plain any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&plain); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if raw, err = json.Marshal(without(plain, secrets)); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if _, err := w.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// without takes secrets out of every text of a JSON value.
func without(v any, secrets *redact.Redactor) any {
	switch v := v.(type) {
	case string:
		return secrets.String(v)
	case []any:
		for i := range v {
			v[i] = without(v[i], secrets)
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[secrets.String(k)] = without(x, secrets)
		}
		return out
	default:
		return v
	}
}

// task is one call.
type task struct {
	app       *cli.App
	arguments Arguments
}

func (t *task) run(ctx context.Context) map[string]any {
	switch a := t.arguments; {
	case a.Command == points:
		return t.points(ctx)
	case a.Command == info:
		return t.info(ctx)
	case a.Command == plans:
		return t.plan(ctx)
	case bool(a.Check):
		return t.check(ctx)
	default:
		return t.operate(ctx)
	}
}

// answer is what a command line has said.
type answer struct {
	code int
	// out is stdout, and stream what stands in the stream of events: stdout or, with into, a file.
	out    []byte
	stream stream
	stderr string
}

// call runs a command line in this process: no other one sees it, nor the secrets in its environment, and no shell reads it.
func (t *task) call(ctx context.Context, args ...string) answer {
	extra := t.environment()
	app := *t.app
	getenv := func(name string) string {
		if v, ok := extra[name]; ok {
			return v
		}
		return t.app.Streams.Getenv(name)
	}
	streams, out, errs := term.Capture(getenv)
	app.Streams = streams
	app.Environ = slices.Clone(t.app.Environ)
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		app.Environ = append(app.Environ, name+"="+extra[name])
	}
	code := cli.Run(ctx, &app, append(args[:1:1], append(t.common(), args[1:]...)...))
	return answer{code: code, out: out.Bytes(), stream: readStream(out.Bytes()), stderr: strings.TrimSpace(errs.String())}
}

// environment is what a task adds to the environment of the command: above all its secrets.
func (t *task) environment() map[string]string {
	a := t.arguments
	env := map[string]string{"ROLLBACK_IN_AUTOMATION": "1", "NO_COLOR": "1"}
	if a.Slack != "" {
		env["ROLLBACK_SLACK_URL"] = a.Slack
	}
	if a.Password != "" {
		env["ROLLBACK_PASSWORD"] = a.Password
	}
	return env
}

// common are the flags of every command. Values stand behind a =, so that none is taken for a flag.
func (t *task) common() []string {
	a := t.arguments
	var out []string
	out = each(out, "file", a.Policy)
	out = one(out, "chdir", a.Chdir)
	out = one(out, "env", a.Env)
	out = each(out, "var-file", a.VarFiles)
	// This command line is no process's, and the secret ones among them are taken out of whatever is answered.
	for _, vars := range []values{a.Vars, a.SecretVars} {
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			out = append(out, "--var="+name+"="+vars[name])
		}
	}
	return out
}

func one(out []string, flag, value string) []string {
	if value == "" {
		return out
	}
	return append(out, "--"+flag+"="+value)
}

func each(out []string, flag string, values []string) []string {
	for _, v := range values {
		out = append(out, "--"+flag+"="+v)
	}
	return out
}

// choosing are the flags that decide what a plan holds.
func (t *task) choosing() []string {
	a := t.arguments
	out := one(nil, "to", string(a.To))
	out = one(out, "repo", strings.Join(a.Repo, ","))
	out = one(out, "registry", a.Registry)
	if a.AllowPartial {
		out = append(out, "--allow-partial")
	}
	return append(out, t.judging()...)
}

// judging are the flags that a plan to a point and one that undoes share.
func (t *task) judging() []string {
	a := t.arguments
	var out []string
	out = each(out, "only", a.Only)
	out = each(out, "except", a.Except)
	for _, name := range slices.Sorted(maps.Keys(a.Overrides)) {
		out = append(out, "--override="+name+"="+a.Overrides[name])
	}
	if a.AllowQuarantined {
		out = append(out, "--allow-quarantined")
	}
	return one(out, "approved-by", a.ApprovedBy)
}

// operating are the flags of what changes an environment.
func (t *task) operating() []string {
	a := t.arguments
	out := one(nil, "reason", a.Reason)
	out = one(out, "ticket", string(a.Ticket))
	out = one(out, "lock-timeout", a.LockTimeout)
	return each(out, "report", a.Report)
}

// commandLine is the command line of apply or undo.
func (t *task) commandLine() []string {
	a := t.arguments
	if a.Command == undo {
		return ending(slices.Concat([]string{undo, "--json", "--auto-approve"}, t.judging(), t.operating()), a.Operation)
	}
	out := slices.Concat([]string{apply, "--json"}, t.operating(), one(nil, "user", a.User), one(nil, "dump", a.DumpPath))
	if a.PlanFile != "" {
		return ending(append(out, one(nil, "approved-by", a.ApprovedBy)...), a.PlanFile)
	}
	return slices.Concat(out, []string{"--auto-approve"}, t.choosing())
}

// ending adds an argument that is no flag, whatever it begins with.
func ending(out []string, last string) []string {
	if last == "" {
		return out
	}
	return append(out, "--", last)
}

// errNothing is said where a command has failed without a word.
var errNothing = errors.New("rollback has failed and said nothing")
