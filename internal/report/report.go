// Package report writes what people keep or read elsewhere: a plan for a review, and what became of it, as a page (HTML), as a
// comment (Markdown) or as test results (JUnit). Each is one self-contained document.
package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

// Operation is what became of a plan.
type Operation struct {
	// Plan is nil when none could be made; then Diagnostics say why.
	Plan *plan.Plan
	// Result is how it ended. Its errors, and all texts here, hold no secrets any more.
	Result apply.Result
	// ID is "" when nothing was begun.
	ID       string
	ExitCode int
	// Command is what was called, such as apply.
	Command     string
	Environment string
	// Began and Duration are of the whole, the wait for the lock included.
	Began                                              time.Time
	Duration                                           time.Duration
	Operator, ApprovedBy, Reason, Ticket, Link, Record string
	// Quarantined are the images that are known bad from now on, Held the apps that are held.
	Quarantined, Held []string
	// Recovery is the file that says what a person has to do, Next the command that puts everything back; "" when neither is needed.
	Recovery, Next string
	// Events are those of the operation, oldest first.
	Events      []event.Event
	Diagnostics diag.Diagnostics
}

// verdict is how it ended in a few words, and whether that is well.
func (o Operation) verdict() (words string, class verdictClass) {
	switch o.Result.Outcome {
	case event.Done:
		if o.Result.Unrecorded != nil {
			return "Done, but that could not be recorded", fair
		}
		return "Done: every app runs what was planned", good
	case event.Nothing:
		return "Nothing was to do", good
	case event.Restored:
		return "Failed, and everything was put back", bad
	case event.Locked:
		return "Refused: somebody else holds the environment", bad
	case event.Abandoned:
		return "Abandoned", fair
	case event.Interrupted:
		if o.Result.AsBefore {
			return "Interrupted, and everything is as before", fair
		}
		return "Interrupted: a person is needed", bad
	case event.NeedsPerson:
		return "Failed: a person is needed", bad
	default:
		return "Refused, and nothing was changed", bad
	}
}

// verdictClass says how to colour a verdict.
type verdictClass string

const (
	good verdictClass = "good"
	fair verdictClass = "fair"
	bad  verdictClass = "bad"
)

// failures are the errors that it ended with, each in a sentence.
func (o Operation) failures() []string {
	var out []string
	if o.Result.Err != nil {
		out = append(out, o.Result.Err.Error())
	}
	if o.Result.RestoreErr != nil {
		out = append(out, "Putting back failed: "+o.Result.RestoreErr.Error())
	}
	if o.Result.Unrecorded != nil {
		out = append(out, "The end could not be recorded: "+o.Result.Unrecorded.Error())
	}
	return out
}

// problems are the failures, and the errors that were said before.
func (o Operation) problems() []string {
	out := o.failures()
	for _, d := range o.Diagnostics {
		if d.Severity == diag.Error {
			out = append(out, d.Summary+": "+d.Detail)
		}
	}
	return out
}

// span is when an app was worked on, from the operation's start; to is 0 as long as it has not ended.
type span struct{ from, to time.Duration }

// appTimes is what the events tell of one app.
type appTimes struct {
	deploy, restore span
	// healthy: it ran what was planned, whatever became of it afterwards.
	healthy bool
}

// times reads from the events when each app was worked on.
func (o Operation) times() map[string]*appTimes {
	out := map[string]*appTimes{}
	restoring := false
	for _, e := range o.Events {
		at := max(e.At.Sub(o.Began), 0)
		if e.Type == event.RestoreStart {
			restoring = true
			for _, t := range out {
				t.restore.from = at
			}
		}
		t := out[e.App]
		if t == nil {
			if e.Type == event.ApplyStart {
				out[e.App] = &appTimes{deploy: span{from: at}}
			}
			continue
		}
		switch {
		case !restoring && (e.Type == event.ApplyComplete || e.Type == event.ApplyErrored):
			t.deploy.to, t.healthy = at, e.Type == event.ApplyComplete
		case restoring && e.Type == event.RestoreProgress && e.Message == "healthy":
			t.restore.to = at
		}
	}
	for _, t := range out {
		if t.deploy.to == 0 {
			t.deploy.to = o.Duration
			if t.restore.from > 0 {
				t.deploy.to = t.restore.from
			}
		}
		if t.restore.from > 0 && t.restore.to == 0 {
			t.restore.to = o.Duration
		}
	}
	return out
}

// label is what people call an image.
func label(i plan.Image) string {
	if i.Tag != "" {
		return i.Tag
	}
	if i.Digest != "" {
		return view.ShortDigest(i.Digest)
	}
	return view.Tag(i.Image)
}

// facts is a plan's summary in words.
func facts(s plan.Summary) string {
	return fmt.Sprintf("%d to roll back, %d to move forward, %d kept, %d unchanged", s.Rollback, s.Forward, s.Keep, s.None)
}

// clock shows an instant for people everywhere.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// joined lists names.
func joined(names []string) string { return strings.Join(names, ", ") }
