package view

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/internal/term"
)

// HistoryDoc is `history --json`.
type HistoryDoc struct {
	FormatVersion string             `json:"format_version"`
	Operations    []HistoryOperation `json:"operations"`
}

// HistoryOperation is one operation of the past, or of the present.
type HistoryOperation struct {
	ID          string    `json:"operation_id"`
	Kind        string    `json:"kind"`
	Environment string    `json:"environment"`
	To          string    `json:"to"`
	StartedAt   time.Time `json:"started_at"`
	// EndedAt is nil, and Outcome unfinished, as long as it has not ended.
	EndedAt    *time.Time        `json:"ended_at"`
	Seconds    float64           `json:"duration_seconds"`
	Outcome    string            `json:"outcome"`
	Apps       int               `json:"apps"`
	Operator   string            `json:"operator"`
	ApprovedBy string            `json:"approved_by"`
	Reason     string            `json:"reason"`
	Ticket     string            `json:"ticket"`
	Overrides  map[string]string `json:"overrides"`
	Undoes     string            `json:"undoes,omitempty"`
	Host       string            `json:"host"`
	Link       string            `json:"link,omitempty"`
}

// NewHistoryOperation describes one operation.
func NewHistoryOperation(o state.Operation) HistoryOperation {
	h := HistoryOperation{
		ID: o.OperationID, Kind: string(o.Kind), Environment: o.Environment, To: o.Plan.To, StartedAt: o.StartedAt,
		Outcome: string(o.Outcome), Apps: len(o.Plan.Apps()), Operator: o.Operator, ApprovedBy: o.ApprovedBy,
		Reason: o.Reason, Ticket: o.Ticket, Overrides: o.Overrides, Undoes: o.Undoes, Host: o.Host, Link: o.Link,
	}
	if h.Overrides == nil {
		h.Overrides = map[string]string{}
	}
	if o.Outcome == "" {
		h.Outcome = "unfinished"
		return h
	}
	h.EndedAt, h.Seconds = &o.EndedAt, o.EndedAt.Sub(o.StartedAt).Seconds()
	return h
}

// History lists operations, newest first.
func History(w io.Writer, l Look, d HistoryDoc) {
	if len(d.Operations) == 0 {
		fmt.Fprintln(w, "No operation is on record.")
		return
	}
	rows := [][]string{{}}
	for _, h := range []string{"OPERATION", "WHEN", "ENVIRONMENT", "TO", "OUTCOME", "APPS", "TOOK", "BY", "REASON"} {
		rows[0] = append(rows[0], l.Paint.Dim(h))
	}
	for _, o := range d.Operations {
		took, to := "", o.To
		if o.EndedAt != nil {
			took = Seconds(o.EndedAt.Sub(o.StartedAt))
		}
		if o.Undoes != "" {
			to = "undo " + o.Undoes
		}
		by := o.Operator
		if o.ApprovedBy != "" {
			by += ", approved by " + o.ApprovedBy
		}
		rows = append(rows, []string{
			term.Clean(o.ID), o.StartedAt.UTC().Format("2006-01-02 15:04"), term.Clean(o.Environment), l.Paint.Bold(term.Clean(to)),
			l.outcome(o.Outcome), fmt.Sprint(o.Apps), took, term.Clean(by), term.Clean(o.Reason),
		})
	}
	writeTable(w, "", rows)
}

// OperationDoc is `history show --json`: one operation with its plan and all that was recorded.
type OperationDoc struct {
	FormatVersion string           `json:"format_version"`
	Operation     HistoryOperation `json:"operation"`
	Plan          json.RawMessage  `json:"plan"`
	Journal       []journal.Entry  `json:"journal"`
	Timeline      []TimelineLine   `json:"timeline"`
}

// TimelineLine is one thing that happened.
type TimelineLine struct {
	At time.Time `json:"at"`
	// Seconds since the operation began.
	Seconds float64 `json:"seconds"`
	Type    string  `json:"type"`
	App     string  `json:"app,omitempty"`
	Text    string  `json:"text"`
}

// NewOperationDoc tells one operation as a story: its journal and its events in the order of time.
func NewOperationDoc(o state.Operation, entries []journal.Entry, events []event.Event) (OperationDoc, error) {
	raw, err := json.Marshal(o.Plan)
	if err != nil {
		return OperationDoc{}, fmt.Errorf("write plan: %w", err)
	}
	d := OperationDoc{FormatVersion: "1.0", Operation: NewHistoryOperation(o), Plan: raw, Journal: entries, Timeline: []TimelineLine{}}
	add := func(at time.Time, kind, app, text string) {
		d.Timeline = append(d.Timeline, TimelineLine{At: at, Seconds: at.Sub(o.StartedAt).Seconds(), Type: kind, App: app, Text: text})
	}
	for _, e := range entries {
		if text := entryText(e); text != "" {
			add(e.At, string(e.Step), "", text)
		}
	}
	for _, e := range events {
		switch e.Type {
		case event.ApplyStart:
			add(e.At, string(e.Type), e.App, fmt.Sprintf("%s to %s", Tag(e.From), Tag(e.To)))
		case event.RestoreStart, event.WaveStart, event.OperationStart:
			// The journal says so.
		case event.Diagnostic:
			if e.Diagnostic != nil {
				add(e.At, string(e.Type), "", e.Diagnostic.Summary+": "+e.Diagnostic.Detail)
			}
		default:
			add(e.At, string(e.Type), e.App, e.Message)
		}
	}
	slices.SortStableFunc(d.Timeline, func(a, b TimelineLine) int { return a.At.Compare(b.At) })
	return d, nil
}

// entryText says what an entry of the journal means; "" for one that an event says better.
func entryText(e journal.Entry) string {
	switch e.Step {
	case journal.Started:
		return "Begun"
	case journal.WaveStarting:
		return fmt.Sprintf("Wave %d: deploying %s", e.Wave, strings.Join(e.Apps, ", "))
	case journal.WaveHealthy:
		return fmt.Sprintf("Wave %d: every app is healthy", e.Wave)
	case journal.Failing:
		return "Failed: " + e.Reason
	case journal.Stopped:
		return "Stopped at once: " + e.Reason
	case journal.RestoreStarting:
		return fmt.Sprintf("Wave %d: putting back %s", e.Wave, strings.Join(e.Apps, ", "))
	case journal.WaveRestored:
		return fmt.Sprintf("Wave %d: everything is back", e.Wave)
	case journal.Resumed:
		return "Taken up by " + e.By
	case journal.Ended:
		return "Ended: " + strings.ReplaceAll(string(e.Outcome), "_", " ")
	default:
		return ""
	}
}

// Operation tells one operation: who asked, who approved, what happened when.
func Operation(w io.Writer, l Look, d OperationDoc) {
	o := d.Operation
	fmt.Fprintf(w, "%s %s\n\n", l.Paint.Bold("Operation"), l.Paint.Bold(term.Clean(o.ID)))
	rows := [][]string{
		{"environment", term.Clean(o.Environment)},
		{"to", term.Clean(o.To)},
		{"outcome", l.outcome(o.Outcome)},
		{"began", o.StartedAt.UTC().Format(time.RFC3339)},
	}
	if o.EndedAt != nil {
		rows = append(rows, []string{"took", Seconds(o.EndedAt.Sub(o.StartedAt))})
	}
	rows = append(rows, []string{"operator", term.Clean(o.Operator)})
	for _, r := range [][2]string{{"approved by", o.ApprovedBy}, {"reason", o.Reason}, {"ticket", o.Ticket}, {"undoes", o.Undoes}, {"host", o.Host}, {"link", o.Link}} {
		if r[1] != "" {
			rows = append(rows, []string{r[0], term.Clean(r[1])})
		}
	}
	for _, name := range sortedKeys(o.Overrides) {
		rows = append(rows, []string{"overridden", term.Clean(name + ": " + o.Overrides[name])})
	}
	for i := range rows {
		rows[i][0] = l.Paint.Dim(rows[i][0])
	}
	writeTable(w, "  ", rows)
	fmt.Fprintf(w, "\n%s\n", l.Paint.Bold("Timeline"))
	var lines [][]string
	for _, t := range d.Timeline {
		text := term.Clean(t.Text)
		if t.App != "" {
			text = l.Paint.Bold(term.Clean(t.App)) + ": " + text
		}
		lines = append(lines, []string{l.Paint.Dim(t.At.UTC().Format("15:04:05")), l.Paint.Dim("+" + Seconds(t.At.Sub(o.StartedAt))), text})
	}
	writeTable(w, "  ", lines)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// QuarantineDoc is `quarantine list --json`.
type QuarantineDoc struct {
	FormatVersion string           `json:"format_version"`
	Images        []state.BadImage `json:"images"`
	Holds         []state.Hold     `json:"holds"`
}

// Quarantine lists the images known bad, and the apps that are held.
func Quarantine(w io.Writer, l Look, d QuarantineDoc) {
	if len(d.Images)+len(d.Holds) == 0 {
		fmt.Fprintln(w, "No image is in quarantine, and no app is held.")
		return
	}
	rows := [][]string{{l.Paint.Dim("IMAGE"), l.Paint.Dim("DIGEST"), l.Paint.Dim("SINCE"), l.Paint.Dim("BY"), l.Paint.Dim("REASON")}}
	for _, b := range d.Images {
		rows = append(rows, []string{
			l.Paint.Bold(term.Clean(b.Repository + ":" + b.Tag)), ShortDigest(b.Digest), b.At.UTC().Format("2006-01-02 15:04"), term.Clean(b.AddedBy), term.Clean(b.Reason),
		})
	}
	if len(d.Images) > 0 {
		writeTable(w, "", rows)
	}
	for _, h := range d.Holds {
		fmt.Fprintf(w, "%s %s at %s, since %s, by %s: %s\n", l.Paint.Yellow("Held:"), l.Paint.Bold(term.Clean(h.App)), Tag(h.Image), h.At.UTC().Format("2006-01-02 15:04"), term.Clean(h.HeldBy), term.Clean(h.Reason))
	}
}
