package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is the tests' now.
var noon = time.Date(2019, 6, 20, 12, 0, 0, 0, time.UTC)

// samplePlan has everything a plan can show; text is put wherever text from outside is.
func samplePlan(text string) *plan.Plan {
	created := noon.AddDate(0, 0, -8)
	image := func(repo, tag string) plan.Image {
		return plan.Image{Image: "reg.example.com/" + repo + ":" + tag + text, Tag: tag + text, Created: &created}
	}
	where := diag.Range{Filename: "policy.hcl" + text, Start: diag.Pos{Line: 7, Column: 1}, End: diag.Pos{Line: 7, Column: 2}}
	return &plan.Plan{
		ID: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Timestamp: noon, Environment: "prod" + text, Branch: "master" + text, To: "2019-06-12", Operator: "alice@host" + text,
		Asked: plan.Asked{To: "-1", Date: "2019-06-12", Current: "2019-06-14", Skipped: []string{"2019-06-13: known bad" + text}},
		Changes: []plan.Change{
			{Repo: "a" + text, App: "/ds/prod/a" + text, Action: plan.Rollback, Reason: "released", Words: "released on 2019-06-12" + text, From: image("a", "12-master"), To: image("a", "11-master"), Wave: 1, Config: []string{"env.LEVEL" + text}},
			{Repo: "a" + text, App: "/ds/prod/a" + text, Container: "sidecar" + text, Action: plan.Rollback, Reason: "released", From: image("a", "12-master"), To: image("a", "11-master"), Wave: 1},
			{Repo: "b", App: "/ds/prod/b", Action: plan.Rollback, Reason: "gap_filled", Words: "no release on 2019-06-12", From: image("b", "9-master"), To: image("b", "8-master"), Wave: 2},
			{Repo: "c", App: "/ds/prod/c", Action: plan.Forward, Reason: "released", From: image("c", "1-master"), To: image("c", "2-master"), Wave: 2},
			{Repo: "d", App: "/ds/prod/d", Action: plan.Keep, Reason: "missing", Words: "nothing to go back to" + text, From: image("d", "3-master"), To: image("d", "3-master")},
			{Repo: "e", Action: plan.None, Reason: "released", From: image("e", "3-master"), To: image("e", "3-master")},
		},
		Summary: plan.Summary{Rollback: 2, Forward: 1, Keep: 1, None: 1},
		Guards: []plan.GuardResult{
			{Name: "fine" + text, Passed: true},
			{Name: "waived", Severity: "error", Overridden: "incident" + text, Message: "too old"},
			{Name: "closed", Severity: "error", Message: "Not on a Friday" + text},
			{Name: "hint", Severity: "warning", Message: "rather not"},
		},
		Diagnostics: diag.Diagnostics{
			{Severity: diag.Warning, Summary: "Many" + text, Detail: "first\nsecond" + text, Range: &where},
			{Severity: diag.Error, Summary: "Refused" + text, Detail: "a guard says no" + text},
		},
		Matrix: plan.NewMatrix(sampleMatrix(text), "2019-06-12"), Applyable: true,
	}
}

// sampleMatrix has every mark.
func sampleMatrix(text string) point.Matrix {
	cell := func(m point.Mark, tag string, current bool) point.Cell {
		c := point.Cell{Mark: m, Current: current, Words: "because" + text}
		if tag != "" {
			c.Release = &point.Release{Tag: tag + text}
		}
		return c
	}
	return point.Matrix{
		Dates: []string{"2019-06-11" + text, "2019-06-12", "2019-06-14"}, Current: 2,
		Rows: []point.Row{
			{Repo: "a" + text, Cells: []point.Cell{cell(point.MarkReleased, "10-master", false), cell(point.MarkReleased, "11-master", false), cell(point.MarkReleased, "12-master", true)}},
			{Repo: "b", Cells: []point.Cell{cell(point.MarkReleased, "8-master", false), cell(point.MarkGapFilled, "8-master", false), cell(point.MarkReleased, "9-master", true)}},
			{Repo: "c", Cells: []point.Cell{cell(point.MarkMissing, "", false), cell(point.MarkReleased, "2-master", false), cell(point.MarkUnknown, "", false)}},
			{Repo: "d", Cells: []point.Cell{cell(point.MarkKept, "", false), cell(point.MarkRefused, "", false), cell(point.MarkUnpullable, "3-master", false)}},
			{Repo: "a-repository-with-a-name-that-is-long", Cells: []point.Cell{cell(point.MarkQuarantined, "1-master", false), cell("later", "2-master", false), cell(point.MarkReleased, "20190614-1234567-feature", true)}},
		},
	}
}

// sampleOperation is one that has put everything back, or with another outcome.
func sampleOperation(text string, outcome event.Outcome) Operation {
	at := func(s float64) time.Time { return noon.Add(time.Duration(s * float64(time.Second))) }
	o := Operation{
		Plan: samplePlan(text), ID: "01BX5ZZKBKACTAV9WEVGEMMVRY", Command: "apply", Environment: "prod" + text, Began: noon, Duration: 12 * time.Second,
		Operator: "alice@host" + text, ApprovedBy: "bob" + text, Reason: "checkout is broken" + text, Ticket: "INC-1" + text, Link: "https://ci.example.com/job/1", Record: "/var/state.db",
		Events: []event.Event{
			{Type: event.OperationStart, At: at(0.2), Message: "prod"},
			{Type: event.WaveStart, At: at(0.5), Wave: 1, Waves: 2, Message: "Deploying 1 apps"},
			{Type: event.ApplyStart, At: at(0.5), App: "/ds/prod/a" + text, From: "reg.example.com/a:12-master", To: "reg.example.com/a:11-master"},
			{Type: event.Log, At: at(1), Message: "noise"},
			{Type: event.ApplyComplete, At: at(4), App: "/ds/prod/a" + text, Message: "healthy"},
			{Type: event.WaveStart, At: at(4.5), Wave: 2, Waves: 2, Message: "Deploying 2 apps"},
			{Type: event.ApplyStart, At: at(4.5), App: "/ds/prod/b", From: "reg.example.com/b:9-master", To: "reg.example.com/b:8-master"},
		},
		Result: apply.Result{Outcome: outcome, AsBefore: true, Apps: []apply.AppState{
			{Repo: "a" + text, App: "/ds/prod/a" + text, From: "reg.example.com/a:12-master", To: "reg.example.com/a:11-master", Running: "reg.example.com/a:11-master", Standing: apply.Healthy},
			{Repo: "b", App: "/ds/prod/b", From: "reg.example.com/b:9-master", To: "reg.example.com/b:8-master", Running: "reg.example.com/b:8-master", Standing: apply.Healthy},
			{Repo: "c", App: "/ds/prod/c", From: "reg.example.com/c:1-master", To: "reg.example.com/c:2-master", Running: "reg.example.com/c:2-master", Standing: apply.Healthy},
		}},
		Quarantined: []string{"reg.example.com/a:12-master" + text}, Held: []string{"/ds/prod/a" + text},
	}
	apps := o.Result.Apps
	o.ExitCode = core.ExitCode(o.Result)
	switch outcome {
	case event.Restored:
		o.Result.Err = errors.New("/ds/prod/b crashes" + text)
		o.Events = append(
			o.Events,
			event.Event{Type: event.ApplyErrored, At: at(8), App: "/ds/prod/b", Message: "crashes" + text},
			event.Event{Type: event.RestoreStart, At: at(8.1), Message: "Putting everything back"},
			event.Event{Type: event.RestoreProgress, At: at(10), App: "/ds/prod/a" + text, Message: "healthy"},
			event.Event{Type: event.RestoreComplete, At: at(11), Message: "Everything is as before"},
		)
		apps[0].Standing, apps[0].Running = apply.Restored, apps[0].From
		apps[1].Standing, apps[1].Running, apps[1].Problem = apply.Restored, apps[1].From, "crashes"+text
		apps[2].Standing, apps[2].Running = apply.Pending, apps[2].From
	case event.NeedsPerson:
		o.Result.AsBefore, o.Result.Err, o.Result.RestoreErr = false, errors.New("/ds/prod/b crashes"), errors.New("Marathon does not answer"+text)
		o.Recovery, o.Next = "/var/recovery.md"+text, "rollback resume 01BX5ZZKBKACTAV9WEVGEMMVRY --restore"
		apps[0].Standing, apps[0].Running = apply.Unknown, ""
		apps[1].Standing, apps[1].Problem = apply.Failed, "crashes"+text
		apps[2].Standing = apply.Pending
	case event.Nothing:
		o.ID, o.Events, o.Result.Apps = "", nil, nil
	case event.Refused:
		o.ID, o.Events, o.Result.Apps, o.Plan = "", nil, nil, nil
		o.Diagnostics = diag.Diagnostics{diag.Errorf("Invalid policy", "there is no such block%s", text)}
	}
	return o
}

// documents are all that can be written; text is put wherever text from outside is.
func documents(text string) map[string]func(io.Writer) error {
	out := map[string]func(io.Writer) error{
		"points.html": func(w io.Writer) error {
			return PointsPage(w, sampleMatrix(text), view.PointsHead{Environment: "prod" + text, Branch: "master" + text, Timezone: "UTC" + text}, noon)
		},
		"points-none.html": func(w io.Writer) error {
			return PointsPage(w, point.Matrix{Current: -1}, view.PointsHead{Environment: "prod", Branch: "master", Timezone: "UTC"}, noon)
		},
		"plan.html": func(w io.Writer) error { return PlanPage(w, samplePlan(text)) },
		"plan-errored.html": func(w io.Writer) error {
			p := samplePlan(text)
			p.Errored, p.Matrix, p.Undoes = true, nil, "01BX5ZZKBKACTAV9WEVGEMMVRY"+text
			return PlanPage(w, p)
		},
		"plan.xml": func(w io.Writer) error { return PlanJUnit(w, samplePlan(text)) },
		"plan.md":  func(w io.Writer) error { return PlanMarkdown(w, samplePlan(text)) },
	}
	for _, outcome := range []event.Outcome{event.Done, event.Nothing, event.Restored, event.NeedsPerson, event.Refused, event.Interrupted, event.Locked, event.Abandoned} {
		for ending, write := range map[string]func(io.Writer, Operation) error{".html": OperationPage, ".xml": OperationJUnit, ".md": OperationMarkdown} {
			out[string(outcome)+ending] = func(w io.Writer) error { return write(w, sampleOperation(text, outcome)) }
		}
	}
	return out
}

func render(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDocumentsAreAsTheGoldensShow(t *testing.T) {
	for name, write := range documents("") {
		got := render(t, write)
		if strings.HasSuffix(name, ".html") {
			// The style is in a file of its own.
			got = strings.Replace(got, style, "…", 1)
		}
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// hostile is a text that would break out of HTML, XML, CDATA, Markdown and a terminal.
const hostile = "<script>alert(1)</script>\"'&amp;]]><img src=x onerror=alert(2)>\x1b[31m\x00|`$(id)`\n\u202e"

var (
	elements = regexp.MustCompile(`<([a-zA-Z0-9]+)`)
	escapes  = regexp.MustCompile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]")
)

// TestNothingFromOutsideIsMarkup: what names and messages hold is shown, never interpreted.
func TestNothingFromOutsideIsMarkup(t *testing.T) {
	plain := documents("")
	for name, write := range documents(hostile) {
		got := render(t, write)
		if bad := escapes.FindString(got); bad != "" {
			t.Errorf("%s holds the control character %q", name, bad)
		}
		if strings.HasSuffix(name, ".md") {
			if strings.Contains(got, "<script") || strings.Contains(got, "<img") {
				t.Errorf("%s has elements from outside", name)
			}
			continue
		}
		known := map[string]bool{}
		for _, e := range elements.FindAllStringSubmatch(render(t, plain[name]), -1) {
			known[e[1]] = true
		}
		for _, e := range elements.FindAllStringSubmatch(cdata.ReplaceAllString(got, ""), -1) {
			if !known[e[1]] {
				t.Errorf("%s has the element %s from outside", name, e[1])
			}
		}
	}
	o := sampleOperation("", event.Done)
	o.Link = "javascript:alert(1)"
	if got := render(t, func(w io.Writer) error { return OperationPage(w, o) }); strings.Contains(got, `href="javascript`) {
		t.Error("a link can run a script")
	}
}

var cdata = regexp.MustCompile(`(?s)<!\[CDATA\[.*?\]\]>`)

var reference = regexp.MustCompile(`(?:src|href|url\(|@import|action)[="(]+([^")> ]*)`)

// TestAPageNeedsNothingElse: it can be archived and mailed.
func TestAPageNeedsNothingElse(t *testing.T) {
	for name, write := range documents("") {
		if !strings.HasSuffix(name, ".html") {
			continue
		}
		for _, m := range reference.FindAllStringSubmatch(render(t, write), -1) {
			if to := m[1]; to != "data:," && to != "#head" && to != "https://ci.example.com/job/1" {
				t.Errorf("%s refers to %q", name, to)
			}
		}
	}
}

// TestResultsAreJUnit reads the results back, and counts.
func TestResultsAreJUnit(t *testing.T) {
	type counts struct{ Tests, Failures, Errors, Skipped int }
	for name, want := range map[string]counts{
		"plan.xml": {Tests: 10, Failures: 1, Errors: 1, Skipped: 3},
		"done.xml": {Tests: 5, Skipped: 2}, "nothing_to_do.xml": {Tests: 5, Skipped: 5},
		"restored.xml":     {Tests: 6, Failures: 2, Errors: 1, Skipped: 3},
		"needs_person.xml": {Tests: 6, Failures: 2, Errors: 1, Skipped: 3},
		"refused.xml":      {Tests: 1, Errors: 1},
	} {
		for _, text := range []string{"", hostile} {
			raw := render(t, documents(text)[name])
			var got junit.Testsuites
			if err := xml.Unmarshal([]byte(raw), &got); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, raw)
			}
			if diff := cmp.Diff(want, counts{got.Tests, got.Failures, got.Errors, got.Skipped}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			seen := map[string]bool{}
			for _, c := range got.Suites[0].Testcases {
				if seen[c.Classname+c.Name] || c.Name == "" || c.Classname == "" {
					t.Errorf("%s: the case %s %s has no name of its own", name, c.Classname, c.Name)
				}
				seen[c.Classname+c.Name] = true
			}
		}
	}
}

// TestAnEndThatIsNotOnRecordIsNoSuccess: the next operation is refused until somebody has looked.
func TestAnEndThatIsNotOnRecordIsNoSuccess(t *testing.T) {
	o := sampleOperation("", event.Done)
	o.Result.Unrecorded = errors.New("the disk is full")
	for name, write := range map[string]func(io.Writer, Operation) error{"page": OperationPage, "JUnit": OperationJUnit, "Markdown": OperationMarkdown} {
		got := render(t, func(w io.Writer) error { return write(w, o) })
		if !strings.Contains(got, "could not be recorded") || !strings.Contains(got, "the disk is full") {
			t.Errorf("%s says nothing of it", name)
		}
	}
}

// TestAPageOfALargePlanCanBeRead: 500 apps at 60 points.
func TestAPageOfALargePlanCanBeRead(t *testing.T) {
	p := &plan.Plan{Environment: "prod", To: "2019-06-30", Matrix: &plan.Matrix{Current: 59, Target: 3}}
	for i := range plan.MostColumns {
		p.Matrix.Dates = append(p.Matrix.Dates, noon.AddDate(0, 0, i).Format(time.DateOnly))
	}
	for i := range 500 {
		row := plan.MatrixRow{Repo: fmt.Sprintf("service-%d", i)}
		for j := range plan.MostColumns {
			row.Cells = append(row.Cells, plan.MatrixCell{Mark: point.MarkReleased, Tag: fmt.Sprintf("%d-master", j), Current: j == 59})
		}
		p.Matrix.Rows = append(p.Matrix.Rows, row)
		p.Changes = append(p.Changes, plan.Change{Repo: row.Repo, App: "/ds/prod/" + row.Repo, Action: plan.Rollback, Wave: 1})
	}
	got := render(t, func(w io.Writer) error { return PlanPage(w, p) })
	if mib := float64(len(got)) / (1 << 20); mib > 16 {
		t.Errorf("the page has %.1f MiB", mib)
	}
}
