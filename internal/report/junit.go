package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/sdk/diag"
)

// PlanJUnit writes a plan as test results, in the form that Jenkins, GitLab and others read: one test case an app, passed
// when it can be changed and skipped when it stays as it is, one a guard, and one that fails for each error.
func PlanJUnit(w io.Writer, p *plan.Plan) error {
	s := suite("rollback plan of "+p.Environment+" to "+p.To, p.Timestamp, 0)
	for _, c := range once(p.Changes) {
		tc := junit.Testcase{Name: caseName(c), Classname: class(p.Environment, c.Repo)}
		said := fmt.Sprintf("%s: %s -> %s (%s)", c.Action, label(c.From), label(c.To), c.Words)
		if c.Wave == 0 {
			tc.Skipped = &junit.Result{Message: oneLine(said)}
		} else {
			tc.SystemOut = &junit.Output{Data: legal(said)}
		}
		s.AddTestcase(tc)
	}
	for _, g := range p.Guards {
		tc := junit.Testcase{Name: oneLine("guard " + g.Name), Classname: class(p.Environment, "guards")}
		switch {
		case g.Passed:
		case g.Overridden != "":
			tc.Skipped = &junit.Result{Message: oneLine("overridden: " + g.Overridden)}
		case g.Severity == string(diag.Error):
			tc.Failure = &junit.Result{Message: oneLine(g.Message), Type: "guard", Data: legal(g.Message)}
		default:
			tc.SystemOut = &junit.Output{Data: legal(g.Message)}
		}
		s.AddTestcase(tc)
	}
	addErrors(&s, p.Environment, p.Diagnostics)
	return writeXML(w, s)
}

// OperationJUnit writes what became of a plan as test results: one test case an app, which passes when the app runs what was
// planned, and is skipped when it was to stay as it is. When the operation failed, one more says why.
func OperationJUnit(w io.Writer, o Operation) error {
	name := "rollback " + o.Command
	if o.Environment != "" {
		name += " of " + o.Environment
	}
	if o.Plan != nil {
		name += " to " + o.Plan.To
	}
	s := suite(name, o.Began, o.Duration)
	for _, f := range operationFacts(o) {
		s.AddProperty(legal(f.Name), legal(f.Text))
	}
	verdict, class_ := o.verdict()
	s.AddProperty("outcome", string(o.Result.Outcome))
	stood := map[string]apply.AppState{}
	for _, a := range o.Result.Apps {
		stood[a.App] = a
	}
	times := o.times()
	if o.Plan != nil {
		for _, c := range once(o.Plan.Changes) {
			a, touched := stood[c.App]
			tc := operationCase(o, c, a, touched)
			if t, ok := times[c.App]; ok {
				tc.Time = seconds(t.deploy.to - t.deploy.from + t.restore.to - t.restore.from)
			}
			s.AddTestcase(tc)
		}
	}
	if class_ != good {
		text := strings.Join(append([]string{verdict}, o.problems()...), "\n")
		s.AddTestcase(junit.Testcase{
			Name: oneLine("rollback " + o.Command), Classname: class(o.Environment, "operation"), Time: seconds(o.Duration),
			Error: &junit.Result{Message: oneLine(text), Type: string(o.Result.Outcome), Data: legal(text)},
		})
	}
	return writeXML(w, s)
}

// operationCase is one app of an operation.
func operationCase(o Operation, c plan.Change, a apply.AppState, touched bool) junit.Testcase {
	tc := junit.Testcase{Name: caseName(c), Classname: class(o.Environment, c.Repo)}
	way := fmt.Sprintf("%s -> %s", label(c.From), label(c.To))
	switch {
	case c.Wave == 0:
		tc.Skipped = &junit.Result{Message: oneLine(fmt.Sprintf("stays at %s: %s", label(c.From), c.Words))}
	case o.Result.Outcome == event.Done:
		tc.SystemOut = &junit.Output{Data: legal(way)}
	case !touched || a.Standing == apply.Pending:
		tc.Skipped = &junit.Result{Message: oneLine(way + ": not begun, as before")}
	case a.Standing == apply.Restored:
		problem := a.Problem
		if problem == "" {
			problem = "another app failed"
		}
		tc.Failure = &junit.Result{Message: oneLine("put back to " + label(c.From) + ": " + problem), Type: string(a.Standing), Data: legal(way + "\n" + problem)}
	default:
		tc.Failure = &junit.Result{Message: oneLine(string(a.Standing) + ": " + a.Problem), Type: string(a.Standing), Data: legal(way + "\n" + a.Problem)}
	}
	return tc
}

func suite(name string, at time.Time, took time.Duration) junit.Testsuite {
	s := junit.Testsuite{Name: oneLine(name), Time: seconds(took)}
	s.SetTimestamp(at.UTC())
	return s
}

// once is one change an app, however many of its containers change; one that changes something, if there is one.
func once(changes []plan.Change) []plan.Change {
	var out []plan.Change
	at := map[string]int{}
	for _, c := range changes {
		i, seen := at[c.App]
		switch {
		case c.App == "" || !seen:
			at[c.App] = len(out)
			out = append(out, c)
		case out[i].Wave == 0:
			out[i] = c
		}
	}
	return out
}

// caseName is the app, or the repo that runs nowhere.
func caseName(c plan.Change) string {
	name := c.App
	if name == "" {
		name = "repo " + c.Repo
	}
	return oneLine(name)
}

// class groups the cases by environment and repo: what reads them takes dots for folders.
func class(environment, repo string) string {
	name := "rollback"
	for _, part := range []string{environment, repo} {
		if part != "" {
			name += "." + strings.ReplaceAll(part, ".", "_")
		}
	}
	return oneLine(name)
}

// addErrors adds a case that fails for each error.
func addErrors(s *junit.Testsuite, environment string, ds diag.Diagnostics) {
	for _, d := range ds {
		if d.Severity == diag.Error {
			s.AddTestcase(junit.Testcase{
				Name: oneLine(d.Summary), Classname: class(environment, "plan"),
				Error: &junit.Result{Message: oneLine(d.Detail), Type: "diagnostic", Data: legal(d.Detail)},
			})
		}
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", max(d, 0).Seconds()) }

// oneLine is a text for an attribute.
func oneLine(s string) string { return strings.Join(strings.Fields(legal(s)), " ") }

// legal replaces what would steer a terminal, and the characters that XML 1.0 cannot hold, not even escaped (section 2.2).
func legal(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			if r == 0xfffe || r == 0xffff {
				return '\ufffd'
			}
			return r
		}, term.Clean(line))
	}
	return strings.Join(lines, "\n")
}

func writeXML(w io.Writer, s junit.Testsuite) error {
	var all junit.Testsuites
	all.Time = s.Time
	all.AddSuite(s)
	if _, err := io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	if err := all.WriteXML(w); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	return nil
}
