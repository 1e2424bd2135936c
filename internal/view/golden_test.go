package view

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is the tests' now.
var noon = time.Date(2019, 6, 20, 12, 0, 0, 0, time.UTC)

func plainLook(width int) Look {
	return Look{Width: width, Now: func() time.Time { return noon }}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// shows are the views with everything they can show; text is put wherever text from outside is.
func shows(text string) map[string]func(io.Writer, Look) {
	p := everyAction(text)
	return map[string]func(io.Writer, Look){
		"points": func(w io.Writer, l Look) {
			Points(w, l, everyMark(text), PointsHead{"prod" + text, "master" + text, "UTC" + text})
		},
		"points-instants": func(w io.Writer, l Look) { Points(w, l, instants(), PointsHead{"prod", "master", "UTC"}) },
		"points-large":    func(w io.Writer, l Look) { Points(w, l, large(50, 30), PointsHead{"prod", "master", "UTC"}) },
		"points-empty": func(w io.Writer, l Look) {
			Points(w, l, point.Matrix{Current: -1}, PointsHead{"prod", "master", "UTC"})
		},
		"points-one":   func(w io.Writer, l Look) { Points(w, l, large(1, 1), PointsHead{"prod", "master", "UTC"}) },
		"points-names": func(w io.Writer, l Look) { Points(w, l, longNames(), PointsHead{"prod", "master", "UTC"}) },
		"preview":      func(w io.Writer, l Look) { fmt.Fprintln(w, Preview(l, everyMark(text), 1)) },
		"choices":      func(w io.Writer, l Look) { Choices(w, []string{"2019-06-12" + text, "2019-06-11"}) },
		"diagnostics":  func(w io.Writer, l Look) { Diagnostics(w, l, messages(text)) },
		"compact": func(w io.Writer, l Look) {
			l.CompactWarnings = true
			Diagnostics(w, l, messages(text)[1:])
		},
		"plan":       func(w io.Writer, l Look) { Plan(w, l, p, PlanNext{Hint: true}) },
		"plan-saved": func(w io.Writer, l Look) { Plan(w, l, p, PlanNext{Hint: true, Saved: "my plan" + text}) },
		"plan-errored": func(w io.Writer, l Look) {
			broken := *p
			broken.Errored = true
			Plan(w, l, &broken, PlanNext{Hint: true})
		},
		"plan-empty": func(w io.Writer, l Look) {
			still := *p
			still.Changes, still.Summary = p.Changes[2:], plan.Summary{Keep: 1, None: 1}
			Plan(w, l, &still, PlanNext{Hint: true})
		},
		"applied": func(w io.Writer, l Look) { everyEnd(w, l, text) },
		"progress": func(w io.Writer, l Look) {
			events(NewProgress(w, l, false).Event, text)
		},
		"notes":        func(w io.Writer, l Look) { events(NewNotes(w, l).Event, text) },
		"quiet":        func(w io.Writer, l Look) { events(NewProgress(w, l, true).Event, text) },
		"status":       func(w io.Writer, l Look) { Status(w, l, statusDoc(text)) },
		"status-empty": func(w io.Writer, l Look) { Status(w, l, StatusDoc{Environment: "prod", Branch: "master"}) },
		"validate": func(w io.Writer, l Look) {
			Validate(w, l, true, []string{"a.hcl" + text})
			Validate(w, l, true, []string{"a", "b"})
			Validate(w, l, false, nil)
		},
		"plugins":     func(w io.Writer, l Look) { pluginViews(w, l, text) },
		"conformance": func(w io.Writer, l Look) { conforms(w, l, text) },
		"explain":     func(w io.Writer, l Look) { Explain(w, l, explanation(text)) },
		"version": func(w io.Writer, _ Look) {
			Version(w, VersionDoc{Version: "1.0.0", Commit: "abc", Date: "2019-06-01T00:00:00Z", GoVersion: "go1.25", PluginProtocols: []int{1}, Platform: "linux/amd64"})
		},
		"sandbox": func(w io.Writer, l Look) { sandboxes(w, l, text) },
		"history": func(w io.Writer, l Look) {
			History(w, l, historyDoc(text))
			History(w, l, HistoryDoc{})
		},
		"operation": func(w io.Writer, l Look) { operationView(w, l, text) },
		"quarantine": func(w io.Writer, l Look) {
			Quarantine(w, l, quarantineDoc(text))
			Quarantine(w, l, QuarantineDoc{})
		},
		"recovery": func(w io.Writer, l Look) {
			Recovery(w, l, apply.Result{
				Err: errors.New("/a crashes" + text), RestoreErr: errors.New("no | way\nback" + text), Apps: everyApp(text),
			}, End{OperationID: "01OP", Environment: "prod" + text, To: "2019-06-12" + text})
		},
		"broken-off": func(w io.Writer, l Look) {
			Status(w, l, StatusDoc{
				Environment: "prod", Branch: "master", Drift: []StatusDrift{{App: "/a" + text, Left: "reg/a:1", Runs: "reg/a:3" + text}, {App: "/b", Left: "reg/b:1"}},
				Unfinished: &StatusUnfinished{Operation: "01OP" + text, Step: "wave_starting", Wave: 2, At: noon.Add(-time.Hour), Next: "continue"},
				Holds:      []StatusHold{{App: "/a" + text, Image: "reg/a:1", HeldBy: "alice" + text, Reason: "incident" + text}},
				Lock:       &StatusLock{Operation: "01OP", Who: "bob" + text, Host: "there" + text, PID: 7, Since: noon.Add(-time.Hour), Gone: true},
			})
			Status(w, l, StatusDoc{Environment: "prod", Branch: "master", Unfinished: &StatusUnfinished{Operation: "01OP", Step: "failing", At: noon, Next: "restore"}})
		},
	}
}

func TestViewsAreAsTheGoldensShow(t *testing.T) {
	looks := map[string]Look{"ascii-80": plainLook(80), "ascii-120": plainLook(120), "unicode-80": plainLook(80), "color-120": plainLook(120)}
	u, c := looks["unicode-80"], looks["color-120"]
	u.Unicode, c.Unicode, c.Paint, c.Policy = true, true, term.Paint{On: true}, "other.hcl"
	looks["unicode-80"], looks["color-120"] = u, c
	for name, show := range shows("") {
		for kind, l := range looks {
			t.Run(name+"/"+kind, func(t *testing.T) {
				var b bytes.Buffer
				show(&b, l)
				golden(t, name+"-"+kind, b.Bytes())
			})
		}
	}
}

var at = func(day int) *time.Time {
	t := time.Date(2019, 6, day, 9, 0, 0, 0, time.UTC)
	return &t
}

func everyAction(text string) *plan.Plan {
	digest := "sha256:" + text + "0123456789abcdef0123456789abcdef"
	was := plan.Image{Image: "reg/a:20-master" + text, Tag: "20-master" + text, Digest: digest, Created: at(18)}
	old := plan.Image{Image: "reg/a:12-master" + text, Tag: "12-master" + text, Created: at(12)}
	return &plan.Plan{
		Timestamp: noon, Environment: "prod" + text, To: "2019-06-12" + text,
		Asked: plan.Asked{To: "-1" + text, Date: "2019-06-12", Current: "2019-06-18" + text, Skipped: []string{"2019-06-15: bad" + text}},
		Changes: []plan.Change{
			{Repo: "a", App: "/a" + text, Container: "web" + text, Action: plan.Rollback, Reason: "released", Words: "released on that day" + text, From: was, To: old, Wave: 1, Separate: "it has readiness checks" + text, Config: []string{"env.X differs" + text}},
			{Repo: "b", App: "/b", Action: plan.Forward, Reason: "gap_filled", Words: "nearest earlier release", From: old, To: was, Wave: 2},
			{Repo: "c" + text, Action: plan.Keep, Reason: "kept", Words: "stays as it runs", From: plan.Image{Image: "reg/c" + text}},
			{Repo: "d", App: "/d", Action: plan.None, Reason: "released", From: was, To: was},
		},
		Summary: plan.Summary{Rollback: 1, Forward: 1, Keep: 1, None: 1},
		Guards: []plan.GuardResult{
			{Name: "way-back" + text, Passed: true},
			{Name: "freeze" + text, Overridden: "urgent" + text, Message: "it is Friday" + text},
			{Name: "approval", Message: "nobody approved" + text},
		},
	}
}

func matrixOf(dates ...string) point.Matrix { return point.Matrix{Dates: dates, Current: -1} }

func everyMark(text string) point.Matrix {
	m := matrixOf("2019-06-11", "2019-06-12"+text, "2019-06-18")
	m.Current = 2
	for i, k := range []point.Mark{point.MarkReleased, point.MarkGapFilled, point.MarkKept, point.MarkMissing, point.MarkUnknown, point.MarkRefused, point.MarkUnpullable, point.MarkQuarantined, "later"} {
		r := point.Row{Repo: fmt.Sprintf("repo-%d%s", i, text)}
		rel := &point.Release{Tag: fmt.Sprintf("%d-master%s", 10+i, text), Build: fmt.Sprint(10 + i)}
		c := point.Cell{Mark: k, Release: rel, Words: "words of " + string(k) + text}
		if k == point.MarkUnpullable || k == point.MarkUnknown {
			c.Problem = "problem of " + string(k) + text
		}
		ok := point.Cell{Mark: point.MarkReleased, Release: rel}
		now := ok
		now.Current = i != 0
		if i == 0 {
			r.Running = []string{"99-hotfix" + text}
		}
		r.Cells = []point.Cell{ok, c, now}
		m.Rows = append(m.Rows, r)
	}
	return m
}

func large(repos, dates int) point.Matrix {
	m := point.Matrix{Current: dates - 1}
	for d := range dates {
		m.Dates = append(m.Dates, time.Date(2018, 12, 15+d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
	}
	for r := range repos {
		row := point.Row{Repo: fmt.Sprintf("repo-%02d", r)}
		for d := range dates {
			row.Cells = append(row.Cells, point.Cell{Mark: point.MarkReleased, Current: d == dates-1, Release: &point.Release{Tag: fmt.Sprintf("%d-master", 100+d), Build: fmt.Sprint(100 + d)}})
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

func instants() point.Matrix {
	m := large(2, 6)
	for i := range m.Dates {
		m.Dates[i] = noon.Add(time.Duration(i) * time.Hour).Format(time.RFC3339)
	}
	return m
}

func longNames() point.Matrix {
	m := large(2, 3)
	m.Rows[0].Repo, m.Rows[1].Repo = "team/a-repo-with-a-name-that-is-far-too-long-for-a-column", "倉庫/後端服務"
	return m
}

func messages(text string) diag.Diagnostics {
	in := "registry \"hub\"" + text
	ds := diag.Diagnostics{
		{
			Severity: diag.Error, Summary: "Unsupported argument" + text, Detail: "An argument named \"bas\" is not expected here. Did you mean \"base\"? It is written so in every example.\n  kept as it is" + text, Address: "registry.hub" + text,
			Range:   &diag.Range{Filename: "rollback.hcl" + text, Start: diag.Pos{Line: 3}},
			Snippet: &diag.Snippet{Context: &in, Code: "\tbas = var.x" + text, StartLine: 3, HighlightStartOffset: 1, HighlightEndOffset: 4, Values: []diag.Value{{Traversal: "var.x" + text, Statement: "is 1" + text}}},
		},
		{Severity: diag.Warning, Summary: "No snippet" + text, Detail: "x", Range: &diag.Range{Filename: "a.hcl" + text, Start: diag.Pos{Line: 1}}},
		{Severity: diag.Warning, Summary: "No place" + text, Detail: "only words" + text},
	}
	for i := range 4 {
		ds = append(ds, diag.Diagnostic{Severity: diag.Warning, Summary: "Old tag" + text, Detail: fmt.Sprintf("Tag %d is old.", i), Address: "repo.a" + text})
	}
	return ds
}

func everyApp(text string) []apply.AppState {
	return []apply.AppState{
		{App: "/a" + text, From: "reg/a:2" + text, To: "reg/a:1", Running: "reg/a:1" + text, Standing: apply.Failed, Problem: "unhealthy" + text},
		{App: "/b", From: "reg/b:2", Standing: apply.Unknown},
		{App: "/c", From: "reg/c:2", Running: "reg/c@sha256:" + text + "0123456789abcdef", Standing: apply.Restored},
		{App: "/d", From: "reg/d:2", Running: "reg/d:2", Standing: apply.Pending},
	}
}

func historyOf(text string) state.Operation {
	p := everyAction(text)
	return state.Operation{
		Header: journal.Header{
			OperationID: "01OP" + text, Kind: journal.Apply, Environment: "prod" + text, Operator: "alice@here" + text, ApprovedBy: "bob" + text, Reason: "it is broken" + text,
			Ticket: "INC-7" + text, Overrides: map[string]string{"freeze" + text: "incident" + text}, Host: "here" + text, Link: "https://ci/1" + text, Plan: p,
		},
		StartedAt: noon.Add(-time.Hour), EndedAt: noon.Add(-59 * time.Minute), Outcome: event.Done,
	}
}

func historyDoc(text string) HistoryDoc {
	running, undo := historyOf(text), historyOf(text)
	running.Outcome, running.EndedAt = "", time.Time{}
	undo.Undoes, undo.Outcome, undo.ApprovedBy = "01OQ"+text, event.NeedsPerson, ""
	return HistoryDoc{Operations: []HistoryOperation{NewHistoryOperation(running), NewHistoryOperation(historyOf(text)), NewHistoryOperation(undo)}}
}

func operationView(w io.Writer, l Look, text string) {
	op := historyOf(text)
	at := op.StartedAt
	var entries []journal.Entry
	for i, e := range []journal.Entry{
		{Step: journal.Started},
		{Step: journal.Snapshotted},
		{Step: journal.WaveStarting, Wave: 1, Apps: []string{"/a" + text}},
		{Step: journal.Accepted, DeploymentID: "d"},
		{Step: journal.Resumed, By: "bob" + text},
		{Step: journal.WaveHealthy, Wave: 1},
		{Step: journal.WaveVerified, Wave: 1},
		{Step: journal.Failing, Reason: "crashes" + text},
		{Step: journal.RestoreStarting, Wave: 1, Apps: []string{"/a"}},
		{Step: journal.WaveRestored, Wave: 1},
		{Step: journal.Stopped, Reason: "interrupted" + text},
		{Step: journal.Ended, Outcome: event.NeedsPerson},
	} {
		e.At = at.Add(time.Duration(i) * time.Second)
		entries = append(entries, e)
	}
	warning := diag.Warnf("Notification not delivered", "no route%s", text)
	told := []event.Event{
		{Type: event.ApplyStart, At: at.Add(2 * time.Second), App: "/a" + text, From: "reg/a:2", To: "reg/a:1"},
		{Type: event.ApplyComplete, At: at.Add(5 * time.Second), App: "/a", Message: "healthy" + text},
		{Type: event.Diagnostic, At: at.Add(5 * time.Second), Diagnostic: &warning},
		{Type: event.WaveStart, At: at.Add(2 * time.Second), Message: "said by the journal"},
	}
	d, err := NewOperationDoc(op, entries, told)
	if err != nil {
		panic(err)
	}
	Operation(w, l, d)
}

func quarantineDoc(text string) QuarantineDoc {
	return QuarantineDoc{
		Images: []state.BadImage{
			{Repository: "reg/a" + text, Digest: "sha256:0123456789abcdef", Tag: "4-master" + text, Reason: "crashes" + text, AddedBy: "alice" + text, At: noon},
			{Repository: "reg/b", Tag: "5-master", Reason: "slow", AddedBy: "bob", At: noon},
		},
		Holds: []state.Hold{{App: "/a" + text, Image: "reg/a:3", HeldBy: "alice" + text, Reason: "incident" + text, At: noon}},
	}
}

func everyEnd(w io.Writer, l Look, text string) {
	apps := everyApp(text)[:3]
	end := End{OperationID: "01OP", Environment: "prod" + text, To: "2019-06-12" + text, Duration: 130 * time.Second, State: "state.db" + text, Recovery: "recovery.md" + text, Quarantined: []string{"reg/a:2" + text}, Held: []string{"/a" + text}}
	for _, o := range []event.Outcome{event.Nothing, event.Done, event.Refused, event.Restored, event.NeedsPerson, event.Locked, event.Interrupted, event.Abandoned} {
		Applied(w, l, apply.Result{Outcome: o, AsBefore: o != event.NeedsPerson, Apps: apps}, end)
	}
}

// events is an operation that fails and is put back.
func events(take func(event.Event), text string) {
	app := "/a" + text
	for _, e := range []event.Event{
		{Type: event.LockWait, Message: "waits for bob" + text},
		{Type: event.OperationStart, OperationID: "01OP", Message: "prod" + text},
		{Type: event.Preflight, Message: "every image is there" + text},
		{Type: event.WaveStart, Wave: 1, Waves: 2},
		{Type: event.ApplyStart, App: app, From: "reg/a:2" + text, To: "reg/a:1" + text},
		{Type: event.ApplyProgress, App: app, At: noon.Add(time.Second), Total: 2},
		{Type: event.ApplyProgress, App: app, At: noon.Add(10 * time.Second), Total: 2, Message: "too soon"},
		{Type: event.ApplyProgress, App: app, At: noon.Add(11 * time.Second), Total: 2, Message: "pulling" + text},
		{Type: event.ApplyProgress, App: app, At: noon.Add(12 * time.Second), Ready: 1, Total: 2},
		{Type: event.ApplyComplete, App: app, At: noon.Add(13 * time.Second)},
		{Type: event.ApplyErrored, App: "/b" + text, Message: "never healthy" + text},
		{Type: event.RestoreStart, Message: "Putting everything back" + text},
		{Type: event.RestoreProgress, App: app, At: noon.Add(20 * time.Second)},
		{Type: event.RestoreComplete, Message: "All is as before" + text},
		{Type: event.OperationComplete, Outcome: event.Restored, ExitCode: 3, Message: "restored" + text},
	} {
		if e.At.IsZero() {
			e.At = noon
		}
		take(e)
	}
}

func statusDoc(text string) StatusDoc {
	return StatusDoc{
		Environment: "prod" + text, Branch: "master" + text, Point: "2019-06-18" + text,
		Apps: []StatusApp{
			{Repo: "a" + text, App: "/a" + text, Image: "reg/a:1", Tag: "1-master" + text, Created: at(18), Instances: 2, Running: 2, Healthy: 2},
			{Repo: "b", App: "/b", Image: "reg/b:x" + text, Instances: 2, Running: 1, Healthy: 1, Deployments: []string{"d1" + text}},
			{Repo: "c", App: "/c", Image: "reg/c", Instances: 1, Running: 1, Healthy: -1},
			{Repo: "d", App: "/d", Image: "reg/d:1", Instances: 1, Healthy: -1},
		},
		Last: &StatusOperation{ID: "01OP" + text, At: *at(19), To: "2019-06-18" + text, Outcome: "needs_person" + text, Operator: "ann" + text, ApprovedBy: "bob" + text, Reason: "broken" + text},
		Lock: &StatusLock{Operation: "02OP" + text, Who: "eve" + text, Host: "ci" + text, PID: 7, Since: *at(20)},
	}
}

func pluginViews(w io.Writer, l Look, text string) {
	Plugins(w, l, []PluginRow{{Kind: "registry", Name: "docker" + text, Source: "built-in", Path: "x"}, {Kind: "registry", Name: "ecr", Source: "folder" + text, Path: "/p/ecr" + text, Hidden: true}})
	PluginCheck(w, l, []PluginProbe{
		{Kind: "registry", Name: "hub" + text, OK: true, System: "Hub 2" + text, Identity: "ann" + text, Notes: []string{"slow" + text}},
		{Kind: "notifier", Name: "slack", Problem: "refused" + text},
	})
}

func conforms(w io.Writer, l Look, text string) {
	r := conformance.Report{Kind: "registry", Plugin: "ecr" + text, Version: "1" + text, Results: []conformance.Result{{Name: "registry/a", Rules: []string{"R1", "R2"}, Outcome: conformance.Pass}}}
	Conformance(w, l, r)
	r.Results = append(r.Results, conformance.Result{Name: "registry/b", Outcome: conformance.Fail, Message: "found" + text, Rule: "must" + text}, conformance.Result{Name: "registry/c", Outcome: conformance.Skip, Message: "no tag" + text})
	Conformance(w, l, r)
}

func explanation(text string) point.Explanation {
	return point.Explanation{Repo: "a" + text, Point: "2019-06-12" + text, Words: "released" + text, Problem: "gone" + text, Notes: []string{"not read further" + text}, Candidates: []point.Candidate{
		{Tag: "12-master" + text, AlsoTags: []string{"v1" + text}, Digest: "sha256:" + text + "0123456789abcdef", Created: at(12), Verdict: point.Chosen, Words: "chosen" + text},
		{Tag: "11-master", Created: at(11), Words: "older"},
		{Tag: "x", Verdict: point.LeftOut, Words: "no date" + text},
	}}
}

func sandboxes(w io.Writer, l Look, text string) {
	s := Sandbox{PID: 7, Registry: "r", Marathon: "m", Slack: "s", Policy: "p.hcl", Apps: []SandboxApp{{ID: "/a" + text, Image: "r/a:1" + text, Healthy: 0, Instances: 1}, {ID: "/b", Image: "r/b:1", Healthy: 1, Instances: 1}}}
	SandboxUp(w, l, s)
	l.Automation = true
	SandboxUp(w, l, s)
	SandboxApps(w, l, s)
	SandboxMessages(w, "")
	SandboxMessages(w, "hello\n")
	SandboxFail(w, nil)
	SandboxFail(w, []string{"a:1"})
	SandboxDown(w, true)
	SandboxDown(w, false)
}
