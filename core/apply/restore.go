package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	r.emit(event.Event{Type: event.RestoreStart, Message: "Putting everything back: " + cause.Error()})
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
	var ids []string
	for _, c := range r.Header.Plan.Waves()[n-1] {
		if len(ids) > 0 && ids[len(ids)-1] == c.App {
			continue
		}
		req.Snapshots = append(req.Snapshots, r.snapshots[c.App])
		ids = append(ids, c.App)
		// How the deployment went no longer matters; how the restore goes does.
		r.apps[r.index[c.App]].Standing = Deploying
	}
	journalErr := r.Journal.Record(journal.Entry{Step: journal.RestoreStarting, Wave: n, Apps: ids})
	f := follower{run: r, wave: n, accepted: journal.RestoreAccepted, progress: event.RestoreProgress, healthy: Restored, cancel: func() {}}
	bounded, release := r.bounded(ctx)
	defer release()
	if err := r.Orchestrator.Restore(bounded, req, f.event); err != nil {
		return errors.Join(fmt.Errorf("put back %s: %w", strings.Join(ids, ", "), err), journalErr)
	}
	r.open = nil
	if journalErr == nil {
		journalErr = r.Journal.Record(journal.Entry{Step: journal.WaveRestored, Wave: n})
	}
	return journalErr
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

func (r *run) touched() []string {
	var ids []string
	for _, n := range r.begun {
		for _, c := range r.Header.Plan.Waves()[n-1] {
			if len(ids) == 0 || ids[len(ids)-1] != c.App {
				ids = append(ids, c.App)
			}
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
