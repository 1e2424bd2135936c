package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/internal/report"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

// planFormats are how a plan can be shown.
var planFormats = []string{"text", "json", "markdown", "html", "junit"}

const planFormatsMean = "text, json, markdown (for a comment on a pull request), html (a page) or junit (test results)"

// checkFormat refuses a format that there is not.
func checkFormat(cmd, format string, formats []string) error {
	if slices.Contains(formats, format) {
		return nil
	}
	last := len(formats) - 1
	return usageError{err: fmt.Errorf("--format is %q: it must be %s or %s", format, strings.Join(formats[:last], ", "), formats[last]), cmd: cmd}
}

// writePlan writes a plan in one of the formats that are documents of their own. It says false for the others.
func writePlan(w io.Writer, format string, p *plan.Plan) (bool, error) {
	switch format {
	case "markdown":
		return true, report.PlanMarkdown(w, p)
	case "html":
		return true, report.PlanPage(w, p)
	case "junit":
		return true, report.PlanJUnit(w, p)
	default:
		return false, nil
	}
}

// reporting are the flags of the commands that change an environment, for documents about what became of it.
type reporting struct {
	files  []string
	format string
}

func (r *reporting) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&r.files, "report", nil, "also write what became of it to `FILE`, by its ending a page (.html), test results in JUnit's form (.xml) or Markdown (.md); also when it fails; may be repeated")
	f.StringVar(&r.format, "format", "text", "text, or junit: test results on stdout, one test case an app, and the text on stderr")
	completeWords(cmd, "format", "text", "junit")
}

// writers are the documents by a file's ending.
var writers = map[string]func(io.Writer, report.Operation) error{
	".html": report.OperationPage, ".xml": report.OperationJUnit, ".md": report.OperationMarkdown,
}

// reports writes the documents about one operation, once.
type reports struct {
	g       *global
	command string
	files   []string
	// results gets JUnit; nil unless it was asked for.
	results io.Writer
	began   time.Time
	written bool

	events      []event.Event
	diagnostics diag.Diagnostics
	plan        *plan.Plan
}

// reporting runs a command, and writes the documents about it that were asked for, however it ends.
func (g *global) reporting(cmd *cobra.Command, r reporting, run func() error) error {
	var err error
	if g.reports, err = g.newReports(cmd, r); err != nil {
		return err
	}
	return g.reports.finish(run())
}

// newReports refuses what could not be written, before anything is done.
func (g *global) newReports(cmd *cobra.Command, r reporting) (*reports, error) {
	bad := func(format string, args ...any) error {
		return usageError{err: fmt.Errorf(format, args...), cmd: cmd.CommandPath()}
	}
	if err := checkFormat(cmd.CommandPath(), r.format, []string{"text", "junit"}); err != nil {
		return nil, err
	}
	out := &reports{g: g, command: cmd.Name(), began: g.app.Now()}
	for _, file := range r.files {
		if writers[strings.ToLower(filepath.Ext(file))] == nil {
			return nil, bad("--report %q: its ending must be .html, .xml or .md", file)
		}
		path := g.path(file)
		if st, err := os.Stat(filepath.Dir(path)); err != nil || !st.IsDir() {
			return nil, bad("--report %q: there is no folder %s", file, filepath.Dir(path))
		}
		out.files = append(out.files, path)
	}
	if r.format != "junit" {
		return out, nil
	}
	if g.json {
		return nil, bad("--json and --format=junit exclude each other: both are for stdout")
	}
	out.results = g.app.Streams.Out
	// What people read goes where it does not mix with the results.
	app, streams := *g.app, *g.app.Streams
	streams.Out, streams.OutTTY = streams.Err, false
	app.Streams = &streams
	g.app = &app
	return out, nil
}

// event remembers what the documents tell. Progress is left out but for its end.
func (r *reports) event(e event.Event) {
	if e.Type == event.ApplyProgress || e.Type == event.RestoreProgress && e.Message != "healthy" {
		return
	}
	r.events = append(r.events, e)
}

// saw remembers what was said, planned what was planned. Where nothing is changed r is nil.
func (r *reports) saw(ds diag.Diagnostics) {
	if r != nil {
		r.diagnostics = append(r.diagnostics, ds...)
	}
}

func (r *reports) planned(p *plan.Plan) {
	if r != nil {
		r.plan = p
	}
}

func (r *reports) wanted() bool { return len(r.files) > 0 || r.results != nil }

// ended writes the documents about an operation that has ended.
func (r *reports) ended(s *session, res core.ApplyResult, who core.Run, p *plan.Plan, end view.End) {
	if r.written || !r.wanted() || r.idle(res.Outcome) {
		return
	}
	o := report.Operation{
		Plan: p, ID: res.OperationID, ExitCode: core.ExitCode(res.Result), Command: r.command, Environment: end.Environment,
		Began: r.began, Duration: s.app.Now().Sub(r.began), Operator: s.user(), Link: s.ciLink(), Record: end.State,
		Quarantined: res.Quarantined, Held: res.Held, Recovery: end.Recovery, Events: r.events,
		Result: redacted(res.Result, s.redactor.String), Diagnostics: warnings(r.diagnostics),
		ApprovedBy: who.Operator.ApprovedBy, Reason: who.Reason, Ticket: who.Ticket,
	}
	if needsPerson(res.Result) {
		o.Next = view.ResumeCommand(s.look(), end)
	}
	r.write(o, s.redactor.String)
}

// idle reports that there is nothing to tell: resume has found nothing to take up. What was written about that operation
// before is left as it is.
func (r *reports) idle(outcome event.Outcome) bool {
	return r.command == "resume" && outcome == event.Refused
}

// warnings leaves errors out: those of an operation that was begun are in its result.
func warnings(ds diag.Diagnostics) diag.Diagnostics {
	return slices.DeleteFunc(slices.Clone(ds), func(d diag.Diagnostic) bool { return d.Severity == diag.Error })
}

// finish writes the documents where nothing was begun: they say why.
func (r *reports) finish(err error) error {
	if r.written || !r.wanted() || err == nil || r.idle(event.Refused) {
		return err
	}
	o := report.Operation{
		Command: r.command, Environment: r.g.env, Began: r.began, Duration: r.g.app.Now().Sub(r.began), Operator: r.g.user(), Link: r.g.ciLink(),
		Result: apply.Result{Outcome: event.Refused, AsBefore: true}, ExitCode: ExitError, Diagnostics: r.diagnostics, Plan: r.plan,
	}
	if o.Plan != nil {
		o.Environment = o.Plan.Environment
	}
	var code exit
	switch {
	case !errors.As(err, &code):
		o.Result.Err = err
	case code.code == ExitInterrupted:
		o.Result.Outcome, o.ExitCode = event.Interrupted, code.code
	}
	r.write(o, func(s string) string { return s })
	return err
}

// write writes every document. One that cannot be written changes nothing about how the operation has ended.
func (r *reports) write(o report.Operation, redact func(string) string) {
	r.written = true
	complain := func(err error) {
		view.Diagnostics(r.g.app.Streams.Err, r.g.errLook(), diag.Diagnostics{diag.Warnf("Report not written", "%v. It says nothing about how the operation ended.", err)})
	}
	for _, path := range r.files {
		var b bytes.Buffer
		err := writers[strings.ToLower(filepath.Ext(path))](&b, o)
		if err == nil {
			err = replaceFile(path, []byte(redact(b.String())))
		}
		if err != nil {
			complain(err)
		} else if !r.g.json {
			fmt.Fprintf(r.g.app.Streams.Err, "Report: %s\n", term.Clean(path))
		}
	}
	if r.results != nil {
		var b bytes.Buffer
		err := report.OperationJUnit(&b, o)
		if err == nil {
			_, err = io.WriteString(r.results, redact(b.String()))
		}
		if err != nil {
			complain(err)
		}
	}
}

// redacted is a result without secrets.
func redacted(res apply.Result, redact func(string) string) apply.Result {
	for _, err := range []*error{&res.Err, &res.RestoreErr, &res.Unrecorded} {
		if *err != nil {
			*err = errors.New(redact((*err).Error()))
		}
	}
	res.Apps = slices.Clone(res.Apps)
	for i := range res.Apps {
		res.Apps[i].Problem = redact(res.Apps[i].Problem)
	}
	return res
}
