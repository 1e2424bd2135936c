package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
)

// takeUp goes on with an operation that another process has left.
func (r *run) takeUp(ctx context.Context) Result {
	p := r.Resume.Progress
	if err := r.Journal.Record(journal.Entry{Step: journal.Resumed, By: r.Resume.By}); err != nil {
		r.unfit = true
		return Result{Outcome: event.NeedsPerson, Err: err}
	}
	for _, s := range r.Resume.Snapshots {
		r.snapshots[s.App] = s
	}
	r.open = slices.Clone(p.Open)
	r.begun = slices.Clone(p.Begun)
	for _, n := range r.begun {
		r.unheardOf[n] = !slices.Contains(p.Healthy, n) && len(p.Sent[n]) == 0
	}
	next := p.Next
	if p.Outcome != "" || r.Resume.PutBack && next == journal.Continue {
		next = journal.PutBack
	}
	switch {
	case next == journal.Begin && r.Resume.PutBack, next == journal.PutBack && len(r.begun) == 0:
		return Result{Outcome: event.Restored, Err: r.cause(p), AsBefore: true}
	case next == journal.Begin:
		return r.forward(ctx, true)
	}
	if err := r.haveSnapshots(); err != nil {
		return Result{Outcome: event.NeedsPerson, Err: err}
	}
	if next == journal.Continue {
		return r.forward(ctx, false)
	}
	for _, n := range r.begun {
		r.mark(r.appsOf(n), Pending, Deploying)
	}
	cause := r.cause(p)
	if p.Next != journal.PutBack || p.Outcome != "" {
		if err := r.Journal.Record(journal.Entry{Step: journal.Failing, Reason: cause.Error(), Interrupted: p.Interrupted}); err != nil {
			cause = errors.Join(cause, err)
		}
	}
	return r.putAllBack(ctx, cause, p.Interrupted)
}

// cause is why what was broken off is put back.
func (r *run) cause(p journal.Progress) error {
	switch {
	case p.Cause != "" && p.Interrupted:
		_, more, _ := strings.Cut(p.Cause, errInterrupted.Error())
		return fmt.Errorf("%w%s", errInterrupted, more)
	case p.Cause != "":
		return errors.New(p.Cause)
	default:
		return fmt.Errorf("%s asked to put it back after it was broken off", r.Resume.By)
	}
}

// haveSnapshots makes sure that every app of the plan has a snapshot, if only of its images.
func (r *run) haveSnapshots() error {
	for _, a := range r.apps {
		if _, ok := r.snapshots[a.App]; !ok {
			return fmt.Errorf("take up operation %s: the state has no snapshot of %s, so it could not be put back; set its image to %s by hand if it runs another one", r.Header.OperationID, a.App, a.From)
		}
	}
	return nil
}

// past reports whether a wave had come as far as a step when the operation was broken off.
func (r *run) past(step journal.Step, wave int) bool {
	if r.Resume == nil {
		return false
	}
	waves := r.Resume.Progress.Healthy
	if step == journal.WaveVerified {
		waves = r.Resume.Progress.Verified
	}
	return slices.Contains(waves, wave)
}
