package report

import (
	"bytes"
	_ "embed" // for the page and its style
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

//go:embed page.html.tmpl
var pageText string

//go:embed page.css
var style string

// page is what the template shows. What is empty has no section.
type page struct {
	Title, Heading, Lead string
	Style                template.CSS
	Verdict              string
	VerdictClass         verdictClass
	Facts                []fact
	Problems             []string
	Next, Recovery       string
	Messages             []message
	Picture              *picture
	Changes, Still       []change
	Apps                 []app
	Guards               []plan.GuardResult
	Timeline             *timeline
	Foot                 string
}

type fact struct {
	Name, Text string
	// Link is where the text leads; "" for none.
	Link string
}

type message struct{ Severity, Summary, Detail, Where string }

type change struct {
	App, Repo, From, To, FromImage, ToImage, Why string
	Sign, Action                                 string
	Wave                                         int
	Config                                       string
	Age                                          string
}

// app is how one app stands at the end.
type app struct{ App, Standing, Runs, Before, Problem string }

// PointsPage writes the points one can go back to as a page.
func PointsPage(w io.Writer, m point.Matrix, head view.PointsHead, now time.Time) error {
	matrix := plan.NewMatrix(m, "")
	return write(w, page{
		Title: fmt.Sprintf("Restore points of %s", term.Clean(head.Environment)), Heading: term.Clean(head.Environment),
		Lead:    fmt.Sprintf("Restore points of branch %s; days are those of %s.", term.Clean(head.Branch), term.Clean(head.Timezone)),
		Picture: draw(matrix, "now"), Foot: "Read at " + clock(now),
	})
}

// PlanPage writes a plan as a page.
func PlanPage(w io.Writer, p *plan.Plan) error {
	out := page{Title: fmt.Sprintf("Plan: %s to %s", term.Clean(p.Environment), term.Clean(p.To))}
	out.plan(p, "now")
	switch {
	case p.Errored:
		out.Verdict, out.VerdictClass = "Cannot be applied", bad
	case p.Empty():
		out.Verdict, out.VerdictClass = "Nothing would change", good
	default:
		out.Verdict, out.VerdictClass = "Can be applied", good
	}
	out.Messages = messages(p.Diagnostics)
	return write(w, out)
}

// OperationPage writes what became of a plan as a page.
func OperationPage(w io.Writer, o Operation) error {
	out := page{Title: fmt.Sprintf("Rollback of %s", term.Clean(o.Environment)), Heading: term.Clean(o.Environment), Foot: "Ended " + clock(o.Began.Add(o.Duration))}
	if o.Environment == "" {
		// It ended before anybody knew which.
		out.Title, out.Heading = "Rollback", "Rollback"
	}
	if o.Plan != nil {
		out.plan(o.Plan, "before")
		out.Title = fmt.Sprintf("Rollback of %s to %s", term.Clean(o.Plan.Environment), term.Clean(o.Plan.To))
	}
	out.Verdict, out.VerdictClass = o.verdict()
	out.Problems, out.Next, out.Recovery = o.failures(), o.Next, o.Recovery
	out.Messages = messages(o.Diagnostics)
	out.Facts = append(operationFacts(o), out.Facts...)
	out.Timeline = newTimeline(o)
	for _, a := range o.Result.Apps {
		runs := view.Tag(a.Running)
		if a.Running == "" {
			runs = "not known"
		}
		out.Apps = append(out.Apps, app{App: term.Clean(a.App), Standing: string(a.Standing), Runs: runs, Before: view.Tag(a.From), Problem: term.Clean(a.Problem)})
	}
	return write(w, out)
}

func operationFacts(o Operation) []fact {
	facts := []fact{{Name: "operation", Text: o.ID}, {Name: "began", Text: clock(o.Began)}, {Name: "took", Text: view.Seconds(o.Duration)}, {Name: "exit code", Text: fmt.Sprint(o.ExitCode)}}
	for _, f := range []fact{
		{"operator", o.Operator, ""},
		{"approved by", o.ApprovedBy, ""},
		{"reason", o.Reason, ""},
		{"ticket", o.Ticket, ""},
		{"job", o.Link, o.Link},
		{"in quarantine", joined(o.Quarantined), ""},
		{"held", joined(o.Held), ""},
		{"recorded in", o.Record, ""},
	} {
		if f.Text != "" {
			facts = append(facts, fact{f.Name, term.Clean(f.Text), f.Link})
		}
	}
	if o.ID == "" {
		facts = facts[1:]
	}
	if o.Result.Outcome == event.Nothing {
		facts = nil
	}
	return facts
}

// plan adds what a plan is about.
func (out *page) plan(p *plan.Plan, now string) {
	out.Heading = fmt.Sprintf("%s → %s", term.Clean(p.Environment), term.Clean(p.To))
	out.Lead = facts(p.Summary) + "."
	if p.Undoes != "" {
		out.Lead = fmt.Sprintf("Undoes operation %s. %s", term.Clean(p.Undoes), out.Lead)
	}
	for _, f := range []fact{
		{"asked for", p.Asked.To, ""},
		{"runs now", p.Asked.Current, ""},
		{"skipped", joined(p.Asked.Skipped), ""},
		{"plan", p.ID, ""},
		{"made by", p.Operator, ""},
		{"made at", clock(p.Timestamp), ""},
		{"branch", p.Branch, ""},
	} {
		if f.Text != "" {
			out.Facts = append(out.Facts, fact{f.Name, term.Clean(f.Text), ""})
		}
	}
	out.Picture = draw(p.Matrix, now)
	out.Guards = p.Guards
	for _, c := range p.Changes {
		shown := newChange(c, p.Timestamp)
		if c.Wave > 0 {
			out.Changes = append(out.Changes, shown)
		} else {
			out.Still = append(out.Still, shown)
		}
	}
	if out.Foot == "" {
		out.Foot = "Plan " + term.Clean(p.ID)
	}
}

func newChange(c plan.Change, now time.Time) change {
	out := change{
		App: term.Clean(c.App), Repo: term.Clean(c.Repo), From: label(c.From), To: label(c.To), FromImage: term.Clean(c.From.Image), ToImage: term.Clean(c.To.Image),
		Why: term.Clean(c.Words), Sign: actionMark(c), Action: string(c.Action), Wave: c.Wave, Config: term.Clean(joined(c.Config)),
	}
	if c.Container != "" {
		out.App += " (" + term.Clean(c.Container) + ")"
	}
	if c.To.Created != nil {
		out.Age = view.Age(*c.To.Created, now)
	}
	if c.Config != nil && c.Revision == "" {
		out.Config += " (not rolled back)"
	}
	return out
}

func messages(ds diag.Diagnostics) []message {
	out := make([]message, 0, len(ds))
	for _, d := range ds {
		m := message{Severity: string(d.Severity), Summary: term.Clean(d.Summary), Detail: strings.TrimSpace(d.Detail)}
		if d.Range != nil {
			m.Where = fmt.Sprintf("%s:%d", term.Clean(d.Range.Filename), d.Range.Start.Line)
		}
		out = append(out, m)
	}
	return out
}

// write fills the template.
func write(w io.Writer, p page) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	p.Style = template.CSS(style) //nolint:gosec // it is our own file
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	if _, err := io.WriteString(w, legal(b.String())); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}
