package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/internal/view/live"
	"github.com/rollback-project/rollback/sdk/diag"
)

// operating are the flags of every command that changes an environment.
type operating struct {
	reason      string
	ticket      string
	lockTimeout time.Duration
}

func (o *operating) register(f *pflag.FlagSet) {
	f.StringVar(&o.reason, "reason", "", "why, for the record and the notifications")
	f.StringVar(&o.ticket, "ticket", "", "`ID` of the incident, for the record and the notifications")
	f.DurationVar(&o.lockTimeout, "lock-timeout", 0, "how long to wait while somebody else holds the environment")
}

// run is who runs an operation, and how.
func (s *session) run(command string, o operating, overrides []string, ints interrupts) (core.Run, error) {
	reasons, err := parseOverrides("rollback "+command, overrides)
	return core.Run{
		Operator: policy.OperatorFacts{User: s.user()}, Reason: o.reason, Ticket: o.ticket, Overrides: reasons,
		Holder:      state.Holder{Who: s.user(), Host: hostname(), PID: os.Getpid(), Command: "rollback " + command},
		LockTimeout: o.lockTimeout, Link: s.ciLink(), Host: hostname(), NotifyTimeout: notifyTimeout, Interrupt: ints.first,
	}, err
}

// ask wants the environment's name typed: scope is typed, never implied.
func (s *session) ask(ctx context.Context, environment string) error {
	out := s.app.Streams.Out
	fmt.Fprintf(out, "\n%s\n  The apps above will be changed, and put back if anything goes wrong.\n  Type the environment's name, %s, to approve; anything else cancels.\n\n  %s ",
		s.look().Paint.Bold(fmt.Sprintf("Do you want to perform these actions in environment %q?", term.Clean(environment))), term.Clean(environment), s.look().Paint.Bold("Enter a value:"))
	answer := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(s.app.Streams.In).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answer <- strings.TrimSpace(line)
	}()
	select {
	case a := <-answer:
		if a == environment {
			fmt.Fprintln(out)
			return nil
		}
		fmt.Fprintln(out, "\nApply cancelled.")
		return exit{ExitError}
	case <-ctx.Done():
		fmt.Fprintln(out, "\nApply cancelled. Nothing was changed.")
		return exit{ExitInterrupted}
	}
}

// progress is how an operation is shown while it goes on.
type progress interface {
	Event(event.Event)
}

// operate runs an operation, shows it, and says how it ended. p is the plan that it carries out; nil where that is not known yet.
func (s *session) operate(ctx context.Context, p *plan.Plan, who core.Run, run func(context.Context) core.ApplyResult) error {
	shown, done := s.progress(ctx)
	s.sink = func(e event.Event) {
		e.Message = s.redactor.String(e.Message)
		if e.Diagnostic != nil {
			d := *e.Diagnostic
			d.Detail = s.redactor.String(d.Detail)
			e.Diagnostic = &d
		}
		if s.stream != nil {
			view.EventTo(s.stream, e)
		}
		if e.Diagnostic != nil && !s.json {
			view.Diagnostics(s.app.Streams.Err, s.errLook(), diag.Diagnostics{*e.Diagnostic})
		}
		if shown != nil {
			shown.Event(e)
		}
		s.reports.event(e)
	}
	res := run(ctx)
	done()
	s.ended(res, p, who)
	if code := core.ExitCode(res.Result); code != ExitDone {
		return exit{code}
	}
	return nil
}

// progress chooses how to show progress, and returns what ends it.
func (s *session) progress(ctx context.Context) (progress, func()) {
	nothing := func() {}
	switch {
	case s.json:
		return nil, nothing
	case s.interactive() && s.app.Streams.ErrTTY && !s.quiet && s.getenv("TERM") != "dumb":
		l := live.Start(ctx, s.app.Streams.Out, s.look())
		s.app.Streams.Divert(l.Print)
		return l, func() {
			s.app.Streams.Divert(nil)
			l.Stop()
		}
	default:
		return view.NewProgress(s.app.Streams.Err, s.errLook(), s.quiet), nothing
	}
}

// ended says how it ended: why on stderr, what is where on stdout.
func (s *session) ended(res core.ApplyResult, p *plan.Plan, who core.Run) {
	if res.Outcome == "" {
		res.Outcome, res.AsBefore = event.Nothing, true
	}
	why := res.Err
	if res.Outcome == event.Interrupted && res.AsBefore {
		// Who pressed Ctrl-C knows why it ended.
		why = nil
	}
	for _, e := range []struct {
		summary string
		err     error
	}{{applySummary(res.Outcome), why}, {"Putting back failed", res.RestoreErr}, {"End not recorded", unrecorded(res)}} {
		if e.err != nil {
			s.report(diag.Diagnostics{errorDiagnostic(e.summary, e.err)})
		}
	}
	end := view.End{OperationID: res.OperationID, Duration: res.Duration, State: s.engine.State.Where(), Quarantined: res.Quarantined, Held: res.Held}
	if p != nil {
		end.Environment, end.To, end.Undoes = p.Environment, p.To, p.Undoes
	}
	if needsPerson(res.Result) {
		end.Recovery = s.writeRecovery(res, end)
	} else if res.OperationID != "" {
		s.settleRecovery(res.OperationID)
	}
	if s.stream != nil {
		view.ResultTo(s.stream, redacted(res.Result, s.redactor.String), end, core.ExitCode(res.Result))
	}
	if !s.json {
		view.Applied(s.app.Streams.Out, s.look(), res.Result, end)
	}
	s.reports.ended(s, res, who, p, end)
}

// unrecorded says what follows from an end that could not be recorded.
func unrecorded(res core.ApplyResult) error {
	if res.Unrecorded == nil {
		return nil
	}
	return fmt.Errorf("record how operation %s ended: %w. What is said below is so; but on record it is unfinished, and nothing else is applied until `rollback resume` has read the apps once more", res.OperationID, res.Unrecorded)
}

// needsPerson reports whether something is not as it was before, nor as it was planned.
func needsPerson(res apply.Result) bool {
	return res.Outcome == event.NeedsPerson || res.Outcome == event.Interrupted && !res.AsBefore
}

// settleRecovery removes what was written down of an operation that nobody needs to take care of any more.
func (s *session) settleRecovery(operation string) {
	path := s.recoveryFile(s.policy)
	raw, err := os.ReadFile(path)
	if err == nil && bytes.HasPrefix(raw, []byte("# Operation "+operation+" ")) {
		_ = os.Remove(path) // it says what is not so any more, and names its operation
	}
}

// writeRecovery writes down what a person has to do, because the terminal of a dead CI job is gone. It returns where.
func (s *session) writeRecovery(res core.ApplyResult, end view.End) string {
	var b bytes.Buffer
	view.Recovery(&b, s.look(), res.Result, end)
	path := s.recoveryFile(s.policy)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = replaceFile(path, []byte(s.redactor.String(b.String())))
	}
	if err != nil {
		s.report(diag.Diagnostics{diag.Warnf("Recovery file not written", "What is to be done could not be written to %s: %v. It stands below.", path, err)})
		return ""
	}
	return path
}

func applySummary(o event.Outcome) string {
	switch o {
	case event.Locked:
		return "Environment is locked"
	case event.Refused:
		return "Apply refused"
	case event.Interrupted:
		return "Apply interrupted"
	default:
		return "Apply failed"
	}
}
