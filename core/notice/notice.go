// Package notice turns what the engine does into messages for notifier
// plugins. It never fails an operation: a notifier that cannot be reached is a warning.
package notice

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/notify"
)

// Notifier is the one call that is needed of a notifier.
type Notifier interface {
	Notify(ctx context.Context, req notify.Request) (notify.Result, error)
}

// Target is one notifier of the policy.
type Target struct {
	// Name is the label of its block.
	Name     string
	Notifier Notifier
	// On lists the kinds it wants; empty means all.
	On []string
}

// Options is what every message of an operation says.
type Options struct {
	Header journal.Header
	// Link leads to the CI job; Host is where the operation runs.
	Link, Host string
	Now        func() time.Time
	// Timeout bounds one message; a notifier that hangs must not hold up an operation.
	Timeout time.Duration
	// Warn is told of every message that could not be delivered, once per target and kind.
	Warn func(diag.Diagnostic)
}

// Teller tells all targets about one operation. It is used from one goroutine.
type Teller struct {
	Options
	targets []target
	started time.Time
	states  map[string]string
}

type target struct {
	Target
	thread string
	// failed: a target that did not answer is tried again only for the end of the operation.
	failed bool
}

// New returns a Teller. The operation starts now.
func New(targets []Target, o Options) *Teller {
	t := &Teller{Options: o, started: o.Now(), states: map[string]string{}}
	for _, tg := range targets {
		t.targets = append(t.targets, target{Target: tg})
	}
	return t
}

// Started tells before anything is changed.
func (t *Teller) Started(ctx context.Context) {
	message := fmt.Sprintf("Rolling %s back to %s.", t.Header.Environment, t.Header.Plan.To)
	for _, name := range slices.Sorted(maps.Keys(t.Header.Overrides)) {
		message += fmt.Sprintf(" Guard %s overridden: %s.", name, t.Header.Overrides[name])
	}
	t.tell(ctx, notify.Started, message)
}

// Event keeps the states of the apps, and tells of an app that has become healthy or failed.
func (t *Teller) Event(ctx context.Context, e event.Event) {
	switch e.Type {
	case event.ApplyStart:
		t.states[e.App] = string(apply.Deploying)
	case event.ApplyComplete:
		t.states[e.App] = string(apply.Healthy)
		t.tell(ctx, notify.Progress, fmt.Sprintf("%s is healthy.", e.App))
	case event.ApplyErrored:
		t.states[e.App] = string(apply.Failed)
		t.tell(ctx, notify.Progress, fmt.Sprintf("%s failed: %s", e.App, e.Message))
	case event.RestoreStart:
		t.tell(ctx, notify.Failed, e.Message)
	}
}

// Ended tells how the operation ended; after says what follows from it, and may be "".
func (t *Teller) Ended(ctx context.Context, res apply.Result, after string) {
	for _, a := range res.Apps {
		t.states[a.App] = string(a.Standing)
	}
	kind, message := ending(res)
	if after != "" {
		message += " " + after
	}
	t.tell(ctx, kind, message)
}

func ending(res apply.Result) (notify.Kind, string) {
	switch {
	case res.Outcome == event.Done:
		return notify.Succeeded, "Every app runs what was planned and is healthy."
	case res.Outcome == event.Interrupted && res.AsBefore:
		return notify.Interrupted, "Stopped by a person. Everything is as before."
	case res.Outcome == event.Interrupted:
		return notify.Interrupted, "Stopped by a person before it was finished. A person has to look: " + cause(res)
	case res.Outcome == event.Restored:
		return notify.Restored, "It failed, and everything is as before: " + cause(res)
	case res.AsBefore:
		return notify.Restored, "It was refused before anything was changed: " + cause(res)
	default:
		return notify.NeedsPerson, "It failed, and something is not as before: " + cause(res)
	}
}

func cause(res apply.Result) string {
	switch {
	case res.Err != nil && res.RestoreErr != nil:
		return fmt.Sprintf("%v. Putting back failed as well: %v", res.Err, res.RestoreErr)
	case res.Err != nil:
		return res.Err.Error()
	default:
		return "no reason is known"
	}
}

func (t *Teller) tell(ctx context.Context, kind notify.Kind, message string) {
	if len(t.targets) == 0 {
		return
	}
	req := t.request(kind, message)
	for i := range t.targets {
		tg := &t.targets[i]
		if len(tg.On) > 0 && !slices.Contains(tg.On, string(kind)) {
			continue
		}
		if tg.failed && (kind == notify.Progress || kind == notify.Failed) {
			continue
		}
		req.Thread = tg.thread
		bounded, cancel := context.WithTimeout(ctx, t.Timeout)
		res, err := tg.Notifier.Notify(bounded, req)
		cancel()
		tg.failed = err != nil
		if err != nil {
			d := diag.Warnf("Notification not delivered", "notify %q was not told that the operation is %s: %v. The operation goes on without it.", tg.Name, kind, err)
			d.Address = "notify." + tg.Name
			t.Warn(d)
			continue
		}
		if res.Thread != "" {
			tg.thread = res.Thread
		}
	}
}

func (t *Teller) request(kind notify.Kind, message string) notify.Request {
	h := t.Header
	req := notify.Request{
		Kind: kind, OperationID: h.OperationID, Environment: h.Environment, Point: h.Plan.To,
		Operator: h.Operator, Approver: h.ApprovedBy, Reason: h.Reason, Ticket: h.Ticket,
		Link: t.Link, Host: t.Host, Message: message, At: t.Now(), StartedAt: t.started,
	}
	if kind == notify.Started || kind == notify.Progress {
		req.StopHint = fmt.Sprintf("To stop it and put everything back: press Ctrl-C where it runs (%s), or from any machine: rollback cancel %s", t.Host, h.OperationID)
	}
	for _, c := range h.Plan.Changes {
		if c.Action == plan.Keep {
			req.Kept = append(req.Kept, fmt.Sprintf("%s: %s", c.Repo, c.Words))
			continue
		}
		if c.Action == plan.None {
			continue
		}
		state := t.states[c.App]
		if state == "" {
			state = string(apply.Pending)
		}
		req.Changes = append(req.Changes, notify.Change{
			Repo: c.Repo, App: c.App, Action: string(c.Action), FromTag: label(c.From), ToTag: label(c.To), Reason: c.Words, State: state,
		})
	}
	return req
}

// label is what people call an image: its tag, else a short digest.
func label(i plan.Image) string {
	const short = len("sha256:") + 12
	if i.Tag == "" && len(i.Digest) > short {
		return i.Digest[:short]
	}
	return i.Tag
}
