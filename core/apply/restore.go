package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// fail ends an operation that went wrong after something may have changed.
func (r *run) fail(ctx context.Context, cause error) Result {
	journalErr := r.Journal.Record(journal.Entry{Step: journal.Failing, Reason: cause.Error()})
	if journalErr != nil {
		// Putting back goes on: a state that cannot be written is no reason to leave the apps as they are.
		cause = errors.Join(cause, journalErr)
	}
	switch {
	case ctx.Err() != nil:
		return Result{Outcome: event.Interrupted, Err: cause}
	case r.OnFailure == policy.Stop:
		if err := r.readBack(ctx); err != nil {
			cause = errors.Join(cause, err)
		}
		return Result{Outcome: event.NeedsPerson, Err: cause}
	}
	why := cause.Error()
	if errors.Is(cause, errInterrupted) {
		// What broke off with it is no news to who has stopped it.
		why = errInterrupted.Error()
	}
	r.emit(event.Event{Type: event.RestoreStart, Message: "Putting everything back: " + why})
	err := r.restore(ctx)
	switch {
	case err == nil:
		r.emit(event.Event{Type: event.RestoreComplete, Message: "Everything is as before"})
		outcome := event.Restored
		if errors.Is(cause, errInterrupted) {
			outcome = event.Interrupted
		}
		return Result{Outcome: outcome, Err: cause, AsBefore: true}
	case ctx.Err() != nil:
		return Result{Outcome: event.Interrupted, Err: cause, RestoreErr: err}
	default:
		return Result{Outcome: event.NeedsPerson, Err: cause, RestoreErr: err}
	}
}

// restore cancels what is under way and puts the snapshots of all begun waves back, last wave first.
// It goes on after an error, so that as much as possible is put back, and returns all of them.
func (r *run) restore(ctx context.Context) error {
	var errs []error
	cancelErr := r.cancelOpen(ctx)
	for i := len(r.begun) - 1; i >= 0; i-- {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		if err := r.restoreWave(ctx, r.begun[i]); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, r.verifyRestored(ctx))
	err := errors.Join(errs...)
	if err == nil {
		// A failed cancel followed by a good restore is a good end.
		return nil
	}
	return errors.Join(cancelErr, err)
}

func (r *run) cancelOpen(ctx context.Context) error {
	if len(r.open) == 0 || r.Canceler == nil {
		return nil
	}
	err := r.Canceler.Cancel(ctx, orchestrator.CancelRequest{OperationID: r.Header.OperationID, DeploymentIDs: r.open})
	if err != nil {
		return fmt.Errorf("cancel deployment %s: %w", strings.Join(r.open, ", "), err)
	}
	r.emit(event.Event{Type: event.Log, Message: "Cancelled deployment " + strings.Join(r.open, ", ")})
	r.open = nil
	return nil
}

func (r *run) restoreWave(ctx context.Context, n int) error {
	req := orchestrator.RestoreRequest{OperationID: fmt.Sprintf("%s-r%d", r.Header.OperationID, n), Timeout: r.Timeout}
	ids := r.appsOf(n)
	for _, id := range ids {
		req.Snapshots = append(req.Snapshots, r.snapshots[id])
		// How the deployment went no longer matters; how the restore goes does.
		r.apps[r.index[id]].Standing = Deploying
	}
	journalErr := r.Journal.Record(journal.Entry{Step: journal.RestoreStarting, Wave: n, Apps: ids})
	if err := r.putBack(ctx, n, req); err != nil {
		return errors.Join(fmt.Errorf("put back %s: %w", strings.Join(ids, ", "), err), journalErr)
	}
	r.open = nil
	if journalErr == nil {
		journalErr = r.Journal.Record(journal.Entry{Step: journal.WaveRestored, Wave: n})
	}
	return journalErr
}

// Putting back is tried this often, with waits that double: it is worth more patience than anything else.
const (
	restoreTries = 5
	restoreWait  = time.Second
)

// putBack asks for the restore of a wave until it is done, fails for good, or the tries are used up. It can be repeated
// although it changes things: what already is as its snapshot is left alone.
func (r *run) putBack(ctx context.Context, n int, req orchestrator.RestoreRequest) error {
	wait := restoreWait
	for try := 1; ; try++ {
		f := follower{run: r, wave: n, accepted: journal.RestoreAccepted, progress: event.RestoreProgress, healthy: Restored, cancel: func() {}}
		bounded, release := r.bounded(ctx)
		err := r.Orchestrator.Restore(bounded, req, f.event)
		release()
		if err == nil || try == restoreTries || ctx.Err() != nil || !mayHelp(err) {
			return err
		}
		r.emit(event.Event{Type: event.Log, Wave: n, Message: fmt.Sprintf("Putting back is tried again in %s: %v", wait, err)})
		if waitErr := r.Wait(ctx, wait); waitErr != nil {
			return err // why it failed says more than that nobody waited for it
		}
		wait *= 2
		// What an attempt of ours has left under way is in the way of the next.
		if cancelErr := r.cancelOpen(ctx); cancelErr != nil {
			r.emit(event.Event{Type: event.Log, Wave: n, Message: cancelErr.Error()})
		}
	}
}

// mayHelp reports whether the same restore may succeed a little later.
func mayHelp(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Unavailable, fault.Indeterminate, fault.RateLimited, fault.Busy:
		return true
	default:
		return false
	}
}

// verifyRestored compares every touched app with its snapshot.
func (r *run) verifyRestored(ctx context.Context) error {
	ids := r.touched()
	now, err := r.Orchestrator.Snapshot(ctx, ids)
	if err != nil {
		r.markTouched(Unknown)
		return fmt.Errorf("read back %s: %w", strings.Join(ids, ", "), err)
	}
	var wrong []error
	for _, s := range now {
		a := &r.apps[r.index[s.App]]
		a.Running = images(s.Images)
		before := images(r.snapshots[s.App].Images)
		switch {
		case a.Running != before:
			a.Standing = Failed
			wrong = append(wrong, fmt.Errorf("app %s runs %s instead of %s", a.App, a.Running, before))
		case a.Standing == Failed:
			wrong = append(wrong, fault.New(fault.Unhealthy, "app %s runs %s again but is not healthy: %s", a.App, a.Running, a.Problem).On(a.App))
		default:
			a.Standing = Restored
		}
	}
	return errors.Join(wrong...)
}

// readBack fills in what every touched app runs.
func (r *run) readBack(ctx context.Context) error {
	running, err := r.running(ctx)
	if err != nil {
		r.markTouched(Unknown)
		return err
	}
	for i := range r.apps {
		r.apps[i].Running = strings.Join(running[r.apps[i].App], ", ")
	}
	return nil
}

// touched are the apps of all begun waves, each once.
func (r *run) touched() []string {
	var ids []string
	for _, n := range r.begun {
		for _, id := range r.appsOf(n) {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// appsOf are the apps of a wave, each once, in the plan's order. One app may have several changed containers.
func (r *run) appsOf(wave int) []string {
	var ids []string
	for _, c := range r.Header.Plan.Waves()[wave-1] {
		if !slices.Contains(ids, c.App) {
			ids = append(ids, c.App)
		}
	}
	return ids
}

func (r *run) markTouched(s Standing) {
	for _, id := range r.touched() {
		r.apps[r.index[id]].Standing = s
	}
}

func images(cs []orchestrator.ContainerImage) string {
	refs := make([]string, len(cs))
	for i, c := range cs {
		refs[i] = c.Image
	}
	return strings.Join(refs, ", ")
}
