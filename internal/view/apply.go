package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/internal/term"
)

// ProgressEvery is how often a line is written for an app that is still deploying.
const ProgressEvery = 10 * time.Second

// Progress writes an operation's events as plain lines, as they come. It is used from one goroutine.
type Progress struct {
	w     io.Writer
	l     Look
	quiet bool
	// live: what is under way is drawn by somebody else.
	live bool
	// last is when a line about an app was last written, and what it said.
	last map[string]progressLine
}

type progressLine struct {
	at            time.Time
	started       time.Time
	ready         int
	saidSomething bool
}

// NewProgress writes to w; quiet leaves everything out but failures and the restore.
func NewProgress(w io.Writer, l Look, quiet bool) *Progress {
	return &Progress{w: w, l: l, quiet: quiet, last: map[string]progressLine{}}
}

// NewNotes writes only what is worth a line that stays, where what is under way is drawn live.
func NewNotes(w io.Writer, l Look) *Progress {
	p := NewProgress(w, l, false)
	p.live = true
	return p
}

// Event shows one event.
func (p *Progress) Event(e event.Event) {
	switch e.Type {
	case event.LockWait:
		p.line("%s", term.Clean(e.Message))
	case event.OperationStart:
		p.note("Operation %s on %s", e.OperationID, term.Clean(e.Message))
	case event.Snapshot, event.Preflight, event.Verify, event.Gate:
		p.note("%s.", term.Clean(e.Message))
	case event.WaveStart:
		if e.Waves > 1 {
			p.note("%s", p.l.Paint.Bold(fmt.Sprintf("Wave %d of %d", e.Wave, e.Waves)))
		}
	case event.ApplyStart:
		p.last[e.App] = progressLine{at: e.At, started: e.At}
		if p.live {
			return
		}
		p.note("%s: Deploying... %s %s %s", p.l.Paint.Bold(term.Clean(e.App)), Tag(e.From), p.l.Arrow(), Tag(e.To))
	case event.ApplyProgress, event.RestoreProgress:
		if !p.live {
			p.progress(e)
		}
	case event.ApplyComplete:
		p.note("%s %s: %s after %s", p.l.Paint.Green(p.l.sym("✓", "ok")), p.l.Paint.Bold(term.Clean(e.App)), p.l.Paint.Green("Healthy"), p.since(e))
	case event.ApplyErrored:
		p.line("%s %s: %s: %s", p.l.Paint.Red(p.l.sym("✗", "X")), p.l.Paint.Bold(term.Clean(e.App)), p.l.Paint.BoldRed("Failed"), term.Clean(e.Message))
	case event.RestoreStart:
		p.last = map[string]progressLine{}
		// Why is said by the app that failed, and again at the end.
		p.line("\n%s", p.l.Paint.Yellow("Putting everything back."))
	case event.RestoreComplete:
		p.line("%s.", p.l.Paint.Green(term.Clean(e.Message)))
	}
}

func (p *Progress) progress(e event.Event) {
	last, known := p.last[e.App]
	if !known {
		last.started = e.At
	}
	verb := "Still deploying"
	if e.Type == event.RestoreProgress {
		verb = "Putting back"
	}
	// An instance more is news at once; all else can wait, or a log has more lines than anyone reads.
	news := e.Ready != last.ready || !last.saidSomething
	if !news && e.At.Sub(last.at) < ProgressEvery {
		return
	}
	last.at, last.ready, last.saidSomething = e.At, e.Ready, true
	p.last[e.App] = last
	count := ""
	if e.Total > 0 {
		count = fmt.Sprintf(" %d of %d ready", e.Ready, e.Total)
	}
	message := ""
	if e.Message != "" {
		message = ": " + term.Clean(e.Message)
	}
	p.note("%s: %s...%s [%s elapsed]%s", p.l.Paint.Bold(term.Clean(e.App)), verb, count, Seconds(e.At.Sub(last.started)), message)
}

func (p *Progress) since(e event.Event) string { return Seconds(e.At.Sub(p.last[e.App].started)) }

func (p *Progress) note(format string, args ...any) {
	if !p.quiet {
		p.line(format, args...)
	}
}

func (p *Progress) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// Seconds rounds a duration for reading: 0.4s, 8s, 2m10s.
func Seconds(d time.Duration) string {
	if d < time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// Tag is the tag of an image reference, for reading.
func Tag(image string) string {
	name, digest, _ := strings.Cut(image, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return term.Clean(name[i+1:])
	}
	if digest != "" {
		return ShortDigest(digest)
	}
	return term.Clean(image)
}

// End is what the end of an operation says beyond its result.
type End struct {
	OperationID, Environment, To string
	// Undoes is the operation that was put back; "" for an apply.
	Undoes   string
	Duration time.Duration
	// State is where the operation's record is, Recovery the file that says what a person has to do; "" when there is none.
	State, Recovery string
	// Quarantined are the images that are known bad from now on.
	Quarantined []string
	// Held are the apps that are held.
	Held []string
}

// Applied writes how an operation ended: to a person who wants to know what runs now and what to do.
func Applied(w io.Writer, l Look, res apply.Result, end End) {
	fmt.Fprintln(w)
	switch {
	case res.Outcome == event.Nothing:
		fmt.Fprintf(w, "%s Nothing was to do: every app already runs what %s asks for.\n", l.Paint.BoldGreen("Apply complete!"), term.Clean(end.To))
	case res.Outcome == event.Done:
		fmt.Fprintf(w, "%s %s is at %s: %d changed, all healthy, after %s.\n",
			l.Paint.BoldGreen("Apply complete!"), term.Clean(end.Environment), term.Clean(end.To), len(res.Apps), Seconds(end.Duration))
		afterwards(w, l, end)
	case res.Outcome == event.Abandoned:
		fmt.Fprintf(w, "%s Operation %s is on record as abandoned; nothing was changed.\n", l.Paint.Yellow("Abandoned."), term.Clean(end.OperationID))
	case res.Outcome == event.Locked, res.Outcome == event.Refused:
		fmt.Fprintf(w, "%s Nothing was changed.\n", l.Paint.BoldRed("Apply refused."))
	case res.AsBefore && res.Outcome == event.Interrupted:
		fmt.Fprintf(w, "%s Everything in %s is as before.\n", l.Paint.Yellow("Apply interrupted."), term.Clean(end.Environment))
	case res.AsBefore:
		fmt.Fprintf(w, "%s Everything in %s is as before.\n", l.Paint.BoldRed("Apply failed, and was put back."), term.Clean(end.Environment))
		standings(w, l, res, end, false)
	default:
		fmt.Fprintf(w, "%s Something in %s is not as before:\n", l.Paint.BoldRed("Apply failed. A person is needed."), term.Clean(end.Environment))
		standings(w, l, res, end, true)
	}
	if end.OperationID != "" && end.State != "" && res.Outcome != event.Nothing && res.Outcome != event.Locked {
		fmt.Fprintf(w, "%s\n", l.Paint.Dim(fmt.Sprintf("Operation %s, recorded in %s", term.Clean(end.OperationID), term.Clean(end.State))))
	}
}

// afterwards says what keeps the images that were left from coming back, and how to.
func afterwards(w io.Writer, l Look, end End) {
	if len(end.Quarantined) > 0 {
		fmt.Fprintf(w, "In quarantine, so that nobody goes back there by accident: %s.\n", term.Clean(strings.Join(end.Quarantined, ", ")))
	}
	if len(end.Held) > 0 {
		fmt.Fprintf(w, "Held until they are released, or deployed anew by their owner: %s.\n", term.Clean(strings.Join(end.Held, ", ")))
	}
	if l.Automation {
		return
	}
	if len(end.Held) > 0 {
		fmt.Fprintf(w, "To release them:\n    rollback release%s\n", l.policyFlag())
	}
	if len(end.Quarantined) > 0 {
		fmt.Fprintf(w, "A pipeline that deploys them again brings them back, unless it asks first:\n    rollback quarantine check IMAGE%s\n", l.policyFlag())
	}
	fmt.Fprintf(w, "To put this operation back:\n    rollback undo %s%s\n", term.Clean(end.OperationID), l.policyFlag())
}

// standings tells how every app stands, and with todo how to put it back.
func standings(w io.Writer, l Look, res apply.Result, end End, todo bool) {
	for _, a := range res.Apps {
		running := a.Running
		if running == "" {
			running = "what it runs is not known"
		} else {
			running = "runs " + Tag(running)
		}
		fmt.Fprintf(w, "  %-9s %s: %s", a.Standing, l.Paint.Bold(term.Clean(a.App)), running)
		if todo && a.Problem != "" {
			fmt.Fprintf(w, " (%s)", term.Clean(a.Problem))
		}
		fmt.Fprintln(w)
		if todo && a.Running != a.From {
			fmt.Fprintf(w, "            before: %s\n", term.Clean(a.From))
		}
	}
	if !todo {
		return
	}
	fmt.Fprintf(w, "\nWhen what stands in the way is out of it, put everything back:\n    %s\nBy hand: set the image of an app to the one named as \"before\". What runs now:\n    rollback status%s\n",
		ResumeCommand(l, end), l.policyFlag())
	if end.Recovery != "" {
		fmt.Fprintf(w, "The same is written in %s\n", term.Clean(end.Recovery))
	}
}

// ResumeCommand is what puts everything back.
func ResumeCommand(l Look, end End) string {
	return fmt.Sprintf("rollback resume %s --restore%s", term.Clean(end.OperationID), l.policyFlag())
}

// Recovery writes, as Markdown, what a person has to do about an operation that could not be put back: both failures, and a
// table of app, state and command.
func Recovery(w io.Writer, l Look, res apply.Result, end End) {
	fmt.Fprintf(w, "# Operation %s on %s needs a person\n\n", end.OperationID, MarkdownCell(end.Environment))
	fmt.Fprintf(w, "Written %s. It was on its way to %s.\n\n", l.Now().UTC().Format(time.RFC3339), MarkdownCell(end.To))
	if res.Err != nil {
		fmt.Fprintf(w, "- It failed: %s\n", MarkdownCell(res.Err.Error()))
	}
	if res.RestoreErr != nil {
		fmt.Fprintf(w, "- Putting back failed: %s\n", MarkdownCell(res.RestoreErr.Error()))
	}
	fmt.Fprintf(w, "\n| app | state | runs | ran before | command |\n|---|---|---|---|---|\n")
	for _, a := range res.Apps {
		running, command := a.Running, "`"+ResumeCommand(l, end)+"`"
		switch {
		case running == "":
			running = "not known"
		case running == a.From && a.Problem == "":
			command = "nothing to do"
		}
		state := string(a.Standing)
		if a.Problem != "" {
			state += ": " + a.Problem
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", MarkdownCell(a.App), MarkdownCell(state), MarkdownCell(running), MarkdownCell(a.From), command)
	}
	fmt.Fprintf(w, "\nThe command puts every app back; what is as before is left alone. By hand, set the image of an app to the one under \"ran before\".\n"+
		"When the apps have been taken care of in another way: `rollback resume %s --abandon%s`.\n", end.OperationID, l.policyFlag())
}

// MarkdownCell makes a text fit a cell of a Markdown table.
func MarkdownCell(s string) string {
	s = strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "<", "&lt;").Replace(s)
	return term.Clean(s)
}

// EventTo adds an event to the stream.
func EventTo(s *Stream, e event.Event) {
	level := "info"
	if e.Type == event.ApplyErrored || (e.Type == event.OperationComplete && e.ExitCode != 0) {
		level = "error"
	}
	fields := map[string]any{"operation_id": e.OperationID}
	if e.App != "" || e.Repo != "" {
		hook := map[string]any{"repo": e.Repo, "app": e.App, "elapsed_seconds": int(e.Elapsed.Seconds())}
		if e.From != "" || e.To != "" {
			hook["from"], hook["to"] = e.From, e.To
		}
		if e.Total > 0 {
			hook["ready"], hook["total"] = e.Ready, e.Total
		}
		fields["hook"] = hook
	}
	if e.Wave > 0 {
		fields["wave"] = e.Wave
	}
	if e.Waves > 0 {
		fields["waves"] = e.Waves
	}
	if e.DeploymentID != "" {
		fields["deployment_id"] = e.DeploymentID
	}
	if e.Diagnostic != nil {
		fields["diagnostic"] = e.Diagnostic
	}
	if e.Type == event.OperationComplete {
		fields["outcome"], fields["exit_code"] = e.Outcome, e.ExitCode
	}
	message := e.Message
	if message == "" {
		message = strings.TrimSpace(fmt.Sprintf("%s: %s", e.App, e.Type))
	}
	s.Write(level, string(e.Type), message, fields)
}

// AppResult is how one app stands at the end, in the stream.
type AppResult struct {
	Repo string `json:"repo"`
	App  string `json:"app"`
	// From and To are the plan's; Running is what was read last, "" when nothing could be.
	From    string `json:"from"`
	To      string `json:"to"`
	Running string `json:"running"`
	// Standing is pending, deploying, healthy, failed, restored or unknown.
	Standing string `json:"standing"`
	Problem  string `json:"problem,omitempty"`
}

// ResultTo ends the stream of an operation: what is where.
func ResultTo(s *Stream, res apply.Result, end End, exitCode int) {
	apps := make([]AppResult, 0, len(res.Apps))
	for _, a := range res.Apps {
		apps = append(apps, AppResult{a.Repo, a.App, a.From, a.To, a.Running, string(a.Standing), a.Problem})
	}
	level := "info"
	if exitCode != 0 {
		level = "error"
	}
	fields := map[string]any{
		"operation_id": end.OperationID, "environment": end.Environment, "to": end.To, "outcome": res.Outcome, "exit_code": exitCode,
		"as_before": res.AsBefore, "duration_seconds": end.Duration.Seconds(), "apps": apps, "quarantined": orNone(end.Quarantined), "held": orNone(end.Held),
	}
	if end.Recovery != "" {
		fields["recovery_file"] = end.Recovery
	}
	s.Write(level, "operation_result", "Operation ended: "+string(res.Outcome), fields)
}

// orNone is a list that JSON shows as one, also when it is empty.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
