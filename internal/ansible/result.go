package ansible

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/internal/cli"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

// stream is what a task needs of a stream of events (docs/json.md).
type stream struct {
	diagnostics diag.Diagnostics
	plan        *plan.Plan
	points      *point.Document
	result      *operationResult
}

// operationResult is the event of that name.
type operationResult struct {
	OperationID string           `json:"operation_id"`
	Environment string           `json:"environment"`
	To          string           `json:"to"`
	Outcome     event.Outcome    `json:"outcome"`
	AsBefore    bool             `json:"as_before"`
	Seconds     float64          `json:"duration_seconds"`
	Apps        []view.AppResult `json:"apps"`
	Recovery    string           `json:"recovery_file"`
}

// readStream reads a stream; lines that are no events are somebody else's.
func readStream(raw []byte) stream {
	var s stream
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, len(raw)+1)
	for lines.Scan() {
		var e struct {
			Type       string           `json:"type"`
			Diagnostic *diag.Diagnostic `json:"diagnostic"`
			Plan       *plan.Plan       `json:"plan"`
			Points     *point.Document  `json:"points"`
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		switch {
		case e.Type == "diagnostic" && e.Diagnostic != nil:
			s.diagnostics = append(s.diagnostics, *e.Diagnostic)
		case e.Type == "plan" && e.Plan != nil:
			s.plan = e.Plan
		case e.Type == "points" && e.Points != nil:
			s.points = e.Points
		case e.Type == "operation_result":
			var r operationResult
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				s.result = &r
			}
		}
	}
	return s
}

// result is the beginning of every result.
func (t *task) result(a answer, ds diag.Diagnostics) map[string]any {
	warnings := []string{}
	for _, d := range ds {
		if d.Severity != diag.Error {
			warnings = append(warnings, sentence(d))
		}
	}
	return map[string]any{
		"changed": false, "failed": a.code != cli.ExitDone, "rc": a.code, "warnings": warnings, "diagnostics": append(diag.Diagnostics{}, ds...),
		"msg": t.problem(a, ds),
	}
}

// problem is why a command failed, in words; "" when it did not.
func (t *task) problem(a answer, ds diag.Diagnostics) string {
	if a.code == cli.ExitDone {
		return ""
	}
	var errs, warnings []string
	for _, d := range ds {
		if d.Severity == diag.Error {
			errs = append(errs, sentence(d))
		} else {
			warnings = append(warnings, sentence(d))
		}
	}
	switch {
	case len(errs) > 0:
		return strings.Join(errs, "\n")
	case a.stderr != "":
		return a.stderr
	case len(warnings) > 0:
		// Such as a list that is not complete.
		return strings.Join(warnings, "\n")
	default:
		return errNothing.Error()
	}
}

// sentence is a diagnostic with its place and its source line.
func sentence(d diag.Diagnostic) string {
	text := d.Summary
	if d.Range != nil {
		text += fmt.Sprintf(" (%s:%d", d.Range.Filename, d.Range.Start.Line)
		if d.Snippet != nil {
			text += ": " + strings.TrimSpace(d.Snippet.Code)
		}
		text += ")"
	}
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	return text
}

func (t *task) points(ctx context.Context) map[string]any {
	a := t.arguments
	args := []string{points, "--json"}
	args = one(args, "repo", strings.Join(a.Repo, ","))
	args = one(args, "registry", a.Registry)
	if !a.Check {
		args = one(args, "dump", a.DumpPath)
	}
	got := t.call(ctx, args...)
	out := t.result(got, got.stream.diagnostics)
	doc := got.stream.points
	if doc == nil {
		return out
	}
	dates := []string{}
	rollbacks := map[string][]map[string]string{}
	for _, p := range doc.Points {
		dates = append(dates, p.Date)
		rollbacks[p.Date] = []map[string]string{}
		for _, r := range p.Releases {
			if r.Reason == point.Released {
				rollbacks[p.Date] = append(rollbacks[p.Date], map[string]string{r.Tag: r.Repo})
			}
		}
	}
	out["environment"], out["branch"], out["current"] = doc.Environment, doc.Branch, doc.Current
	out["dates"], out["points"], out["rollbacks"], out["repos"] = dates, doc.Points, rollbacks, doc.Repos
	if got.code == cli.ExitDone {
		out["msg"] = fmt.Sprintf("%s has %d points to go back to.", doc.Environment, len(dates))
	}
	return out
}

func (t *task) plan(ctx context.Context) map[string]any {
	args := append([]string{plans, "--json"}, t.choosing()...)
	if !t.arguments.Check {
		args = one(args, "out", t.arguments.PlanFile)
	}
	got := t.call(ctx, args...)
	out := t.planned(got, got.stream.plan)
	if got.code == cli.ExitDone && !bool(t.arguments.Check) && t.arguments.PlanFile != "" {
		out["plan_file"] = t.path(t.arguments.PlanFile)
	}
	return out
}

// path is where a path of the task leads.
func (t *task) path(p string) string {
	dir := t.app.WorkDir
	if c := t.arguments.Chdir; c != "" {
		if !filepath.IsAbs(c) {
			c = filepath.Join(dir, c)
		}
		dir = c
	}
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(dir, p)
}

// planned is the result of a plan.
func (t *task) planned(got answer, p *plan.Plan) map[string]any {
	out := t.result(got, got.stream.diagnostics)
	if p == nil {
		return out
	}
	out["plan"], out["would_change"], out["environment"], out["to"] = p, p.Applyable, p.Environment, p.To
	t.tell(out, p)
	if got.code == cli.ExitDone {
		out["msg"] = fmt.Sprintf("%s to %s: %d apps would change.", p.Environment, p.To, len(p.Apps()))
	}
	return out
}

// tell adds what a plan changes, and with --diff how that looks.
func (t *task) tell(out map[string]any, p *plan.Plan) {
	changes := []map[string]any{}
	var before, after strings.Builder
	for _, c := range p.Changes {
		changes = append(changes, map[string]any{
			"app": c.App, "repo": c.Repo, "action": c.Action, "from": c.From.Image, "to": c.To.Image, "from_tag": c.From.Tag, "to_tag": c.To.Tag,
			"gap_filled": c.Reason == string(point.GapFilled), "reason": c.Words, "wave": c.Wave,
		})
		if c.Wave > 0 {
			fmt.Fprintf(&before, "%s %s\n", c.App, c.From.Image)
			fmt.Fprintf(&after, "%s %s\n", c.App, c.To.Image)
		}
	}
	out["changes"] = changes
	if t.arguments.Diff && before.Len() > 0 {
		out["diff"] = []map[string]string{{
			"before": before.String(), "after": after.String(), "before_header": p.Environment + " now", "after_header": p.Environment + " at " + p.To,
		}}
	}
}

// check is apply and undo in check mode: nothing is changed, and nothing is written.
func (t *task) check(ctx context.Context) map[string]any {
	a := t.arguments
	var got answer
	var p *plan.Plan
	switch {
	case a.Command == undo:
		dir, err := os.MkdirTemp("", "rollback-check-")
		if err != nil {
			return t.result(answer{code: cli.ExitError, stderr: err.Error()}, nil)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // the system clears its temporary folder
		got = t.call(ctx, ending(slices.Concat([]string{undo, "--json", "--out=" + filepath.Join(dir, "plan")}, t.judging()), a.Operation)...)
		p = got.stream.plan
	case a.PlanFile != "":
		return t.checkSaved(ctx)
	default:
		got = t.call(ctx, slices.Concat([]string{plans, "--json"}, t.choosing())...)
		p = got.stream.plan
	}
	out := t.planned(got, p)
	out["changed"] = got.code == cli.ExitDone && p != nil && p.Applyable
	return out
}

// checkSaved looks at a saved plan, offline.
func (t *task) checkSaved(ctx context.Context) map[string]any {
	got := t.call(ctx, ending([]string{"show", "--format=json"}, t.arguments.PlanFile)...)
	var doc struct {
		plan.Plan
		Stale []string `json:"stale_reasons"`
	}
	if got.code != cli.ExitDone || json.Unmarshal(got.out, &doc) != nil {
		return t.result(got, nil)
	}
	got.stream.diagnostics = doc.Diagnostics
	if len(doc.Stale) > 0 {
		got.code, got.stderr = cli.ExitError, "The saved plan can no longer be applied: "+strings.Join(doc.Stale, "; ")
	}
	out := t.planned(got, &doc.Plan)
	out["changed"] = got.code == cli.ExitDone && !doc.Empty()
	return out
}

// operate is apply and undo.
func (t *task) operate(ctx context.Context) map[string]any {
	got := t.call(ctx, t.commandLine()...)
	out := t.result(got, got.stream.diagnostics)
	out["outcome"], out["changed_apps"], out["restored"], out["not_restored"] = event.Refused, []string{}, []string{}, []string{}
	if p := got.stream.plan; p != nil {
		out["environment"], out["to"] = p.Environment, p.To
		t.tell(out, p)
	}
	res := got.stream.result
	if res == nil {
		// The plan stood in its own way, or could not be made.
		delete(out, "diff")
		return out
	}
	changed, restored, not := stood(res.Apps)
	out["operation_id"], out["outcome"], out["duration_seconds"] = res.OperationID, res.Outcome, res.Seconds
	out["apps"], out["changed_apps"], out["restored"], out["not_restored"] = res.Apps, changed, restored, not
	out["changed"] = len(changed) > 0
	if res.Outcome == event.Done {
		out["not_restored"] = []string{}
	}
	if res.Recovery != "" {
		out["recovery_file"] = res.Recovery
	}
	if len(changed) == 0 {
		delete(out, "diff")
	}
	t.conclude(out, res, changed)
	return out
}

// stood says which apps run something else than before, which were put back, and which were touched and are not as before.
func stood(apps []view.AppResult) (changed, restored, not []string) {
	changed, restored, not = []string{}, []string{}, []string{}
	for _, a := range apps {
		switch {
		case a.Standing == "restored":
			restored = append(restored, a.App)
		case a.Standing == "pending", a.Running == a.From && a.Standing != "failed":
		default:
			if a.Running != a.From {
				changed = append(changed, a.App)
			}
			not = append(not, a.App)
		}
	}
	return changed, restored, not
}

// conclude says in a sentence how it ended.
func (t *task) conclude(out map[string]any, res *operationResult, changed []string) {
	why, _ := out["msg"].(string)
	if res.Outcome == event.Interrupted && res.AsBefore {
		why = "It was interrupted."
	}
	switch {
	case res.Outcome == event.Done:
		out["msg"] = fmt.Sprintf("%s is at %s: %d apps changed.", res.Environment, res.To, len(changed))
	case res.Outcome == event.Nothing:
		out["msg"] = fmt.Sprintf("Nothing was to do: every app already runs what %s asks for.", res.To)
	case res.Outcome == event.Refused || res.Outcome == event.Locked:
		out["msg"] = why + "\nNothing was changed."
	case res.AsBefore:
		out["msg"] = why + "\nEverything was put back."
	default:
		out["msg"] = fmt.Sprintf("%s\nA person is needed: not as before are %s. Put everything back with: rollback resume %s --restore", why, strings.Join(out["not_restored"].([]string), ", "), res.OperationID)
	}
}

// info is what runs, and what was done.
func (t *task) info(ctx context.Context) map[string]any {
	var status view.StatusDoc
	got := t.document(ctx, "status", "--json")
	out := t.result(got, got.stream.diagnostics)
	if json.Unmarshal(got.out, &status) == nil && status.Environment != "" {
		out["environment"], out["branch"], out["point"], out["apps"], out["drift"] = status.Environment, status.Branch, status.Point, orEmpty(status.Apps), orEmpty(status.Drift)
		out["unfinished"], out["holds"], out["lock"], out["last_operation"] = status.Unfinished, orEmpty(status.Holds), status.Lock, status.Last
	}
	if got.code != cli.ExitDone {
		return out
	}
	args := []string{"history", "--json"}
	if t.arguments.Limit != nil {
		args = append(args, fmt.Sprintf("--limit=%d", *t.arguments.Limit))
	}
	var history view.HistoryDoc
	past := t.document(ctx, args...)
	if past.code != cli.ExitDone || json.Unmarshal(past.out, &history) != nil {
		return t.result(past, past.stream.diagnostics)
	}
	out["history"], out["version"] = orEmpty(history.Operations), t.app.Build.Version
	out["msg"] = fmt.Sprintf("%s runs %d apps.", status.Environment, len(status.Apps))
	return out
}

// document calls a command that answers with one document, so that its diagnostics are a stream elsewhere.
func (t *task) document(ctx context.Context, args ...string) answer {
	dir, err := os.MkdirTemp("", "rollback-events-")
	if err != nil {
		return answer{code: cli.ExitError, stderr: err.Error()}
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system clears its temporary folder
	file := filepath.Join(dir, "events")
	got := t.call(ctx, append(args, "--json-into="+file)...)
	if raw, err := os.ReadFile(file); err == nil {
		got.stream = readStream(raw)
	}
	return got
}

// orEmpty is a list that JSON shows as one, also when it is empty.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
