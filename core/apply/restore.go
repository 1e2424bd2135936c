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
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// fail ends an operation that went wrong after something may have changed.
func (r *run) fail(ctx context.Context, cause error) Result {
	interrupted := errors.Is(cause, errInterrupted)
	if ctx.Err() == nil {
		if err := r.Journal.Record(journal.Entry{Step: journal.Failing, Reason: cause.Error(), Interrupted: interrupted}); err != nil {
			// Putting back goes on: a state that cannot be written is no reason to leave the apps as they are.
			cause = errors.Join(cause, err)
		}
	}
	switch {
	case ctx.Err() != nil:
		return r.stopped(ctx, cause, nil)
	case r.OnFailure == policy.Stop && !interrupted:
		// Who asks to stop wants everything back, whatever is to be done about failures.
		return Result{Outcome: event.NeedsPerson, Err: errors.Join(cause, r.readBack(ctx))}
	}
	return r.putAllBack(ctx, cause, interrupted)
}

// stopped is the end of an operation that is left where it is: by a second Ctrl-C, or because its lock was lost.
func (r *run) stopped(ctx context.Context, cause, restoreErr error) Result {
	res := Result{Outcome: event.Interrupted, Err: cause, RestoreErr: restoreErr}
	if lost := context.Cause(ctx); !errors.Is(lost, context.Canceled) {
		res.Outcome = event.NeedsPerson
		if !errors.Is(cause, lost) {
			res.Err = errors.Join(lost, cause)
		}
	}
	res.Err = errors.Join(res.Err, r.readBack(ctx))
	return res
}

// putAllBack restores, and says how that ended.
func (r *run) putAllBack(ctx context.Context, cause error, interrupted bool) Result {
	why := cause.Error()
	if interrupted && (r.InterruptedBy == nil || r.InterruptedBy() == "") {
		// What broke off with it is no news to who has stopped it.
		why = errInterrupted.Error()
	}
	r.emit(event.Event{Type: event.RestoreStart, Message: "Putting everything back: " + why})
	err := r.restore(ctx)
	// Whether everything is as before has been read back; that it could not be recorded is told as well.
	cause = errors.Join(append([]error{cause}, r.unrecorded...)...)
	switch {
	case err == nil:
		r.emit(event.Event{Type: event.RestoreComplete, Message: "Everything is as before"})
		outcome := event.Restored
		if interrupted {
			outcome = event.Interrupted
		}
		return Result{Outcome: outcome, Err: cause, AsBefore: true}
	case ctx.Err() != nil:
		return r.stopped(ctx, cause, err)
	default:
		return Result{Outcome: event.NeedsPerson, Err: cause, RestoreErr: err}
	}
}

// restore cancels what is under way and puts the snapshots of all begun waves back, last wave first.
// It goes on after an error, so that as much as possible is put back, and returns all of them.
func (r *run) restore(ctx context.Context) error {
	var errs, cancelErrs []error
	for i := len(r.begun) - 1; i >= 0 && ctx.Err() == nil; i-- {
		// What a wave has left under way would be in the way of putting back the next.
		cancelErrs = append(cancelErrs, r.cancelOpen(ctx), r.cancelUnheard(ctx, r.begun[i]))
		errs = append(errs, r.restoreWave(ctx, r.begun[i]))
	}
	if ctx.Err() != nil {
		return errors.Join(append(cancelErrs, append(errs, ctx.Err())...)...)
	}
	errs = append(errs, r.verifyRestored(ctx))
	err := errors.Join(errs...)
	if err == nil {
		// A failed cancel followed by a good restore is a good end.
		return nil
	}
	return errors.Join(append(cancelErrs, err)...)
}

func (r *run) cancelOpen(ctx context.Context) error {
	if len(r.open) == 0 || r.Canceler == nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	err := r.Canceler.Cancel(bounded, orchestrator.CancelRequest{OperationID: r.Header.OperationID, DeploymentIDs: r.open})
	if err != nil {
		return fmt.Errorf("cancel deployment %s: %w", strings.Join(r.open, ", "), err)
	}
	r.emit(event.Event{Type: event.Log, Message: "Cancelled deployment " + strings.Join(r.open, ", ")})
	r.open = nil
	return nil
}

// cancelUnheard stops what may have been taken of a wave without a word: by the id under which it was asked for.
func (r *run) cancelUnheard(ctx context.Context, n int) error {
	if !r.unheardOf[n] || r.Canceler == nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	if err := r.Canceler.Cancel(bounded, orchestrator.CancelRequest{OperationID: r.waveID(n)}); err != nil {
		return fmt.Errorf("cancel what may be under way of wave %d: %w", n, err)
	}
	return nil
}

func (r *run) restoreWave(ctx context.Context, n int) error {
	req := orchestrator.RestoreRequest{OperationID: r.backID("r", n), Timeout: r.Timeout}
	ids := r.appsOf(n)
	for _, id := range ids {
		req.Snapshots = append(req.Snapshots, r.snapshots[id])
		// How the deployment went no longer matters; how the restore goes does.
		a := &r.apps[r.index[id]]
		a.Standing, a.Problem = Deploying, ""
	}
	r.record(journal.Entry{Step: journal.RestoreStarting, Wave: n, Apps: ids})
	if err := r.putBack(ctx, n, req); err != nil {
		for _, id := range ids {
			if a := &r.apps[r.index[id]]; a.Standing == Deploying {
				a.Standing, a.Problem = Failed, "not put back: "+err.Error()
			}
		}
		return fmt.Errorf("put back %s: %w", strings.Join(ids, ", "), err)
	}
	r.mark(ids, Deploying, Restored)
	r.record(journal.Entry{Step: journal.WaveRestored, Wave: n})
	return nil
}

// backID is the id under which a wave is put back: the same one when it is asked for again, so that what is under way is
// followed. After an operation that has ended in need of a person it is another one: what is to be followed has failed.
func (r *run) backID(kind string, n int) string {
	id := fmt.Sprintf("%s-%s%d", r.Header.OperationID, kind, n)
	if r.Resume != nil && r.Resume.Progress.Ends > 0 {
		id += fmt.Sprintf(".%d", r.Resume.Progress.Ends+1)
	}
	return id
}

// record records a step of putting back, which goes on when that is not possible.
func (r *run) record(e journal.Entry) {
	if err := r.Journal.Record(e); err != nil {
		r.unrecorded = append(r.unrecorded, err)
	}
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
		err := r.restoreOnce(ctx, n, req)
		if err == nil || try == restoreTries || ctx.Err() != nil || !mayHelp(err) {
			return err
		}
		pause := wait
		if f := fault.Of(err); f != nil && f.RetryAfter > pause {
			pause = min(f.RetryAfter, longestRead)
		}
		r.emit(event.Event{Type: event.Log, Wave: n, Message: fmt.Sprintf("Putting back is tried again in %s: %v", pause, err)})
		if waitErr := r.Wait(ctx, pause); waitErr != nil {
			return err // why it failed says more than that nobody waited for it
		}
		wait *= 2
	}
}

// restoreOnce asks once.
func (r *run) restoreOnce(ctx context.Context, n int, req orchestrator.RestoreRequest) error {
	f := follower{run: r, wave: n, accepted: journal.RestoreAccepted, progress: event.RestoreProgress, healthy: Restored}
	bounded, release := r.bounded(ctx)
	defer release()
	err := r.putBackBy(bounded, n, req, &f)
	if f.err != nil {
		r.unrecorded = append(r.unrecorded, f.err)
	}
	if err == nil && !f.completed {
		return fault.New(fault.Internal, "the orchestrator plugin ended putting back without saying that it is complete")
	}
	return err
}

// putBackBy restores snapshots. Those that were not kept, or cannot be read any more, are put back as far as can be: by
// deploying the images that ran before.
func (r *run) putBackBy(ctx context.Context, n int, req orchestrator.RestoreRequest, f *follower) error {
	if r.Resume == nil || !r.Resume.ImagesOnly {
		return r.Orchestrator.Restore(ctx, req, f.event)
	}
	deploy := orchestrator.DeployRequest{OperationID: r.backID("b", n), Timeout: req.Timeout}
	for _, c := range r.Header.Plan.Waves()[n-1] {
		deploy.Changes = append(deploy.Changes, orchestrator.Change{App: c.App, Container: c.Container, From: c.To.Image, To: c.From.Image})
	}
	return r.Orchestrator.Deploy(ctx, deploy, f.event)
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
	bounded, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	now := map[string]orchestrator.Snapshot{}
	ids := r.touched()
	snapshots, err := r.Orchestrator.Snapshot(bounded, ids)
	for _, s := range snapshots {
		now[s.App] = s
	}
	var wrong []error
	for _, id := range ids {
		if _, read := now[id]; !read || err != nil {
			// Of one app that is gone, or cannot be read, nothing follows for the others.
			s, oneErr := r.readOne(bounded, id)
			if oneErr != nil {
				a := &r.apps[r.index[id]]
				a.Standing, a.Running, a.Problem = Unknown, "", oneErr.Error()
				wrong = append(wrong, oneErr)
				continue
			}
			now[id] = s
		}
		wrong = append(wrong, r.judge(now[id]))
	}
	return errors.Join(wrong...)
}

func (r *run) readOne(ctx context.Context, id string) (orchestrator.Snapshot, error) {
	snapshots, err := r.Orchestrator.Snapshot(ctx, []string{id})
	switch {
	case err != nil:
		return orchestrator.Snapshot{}, fmt.Errorf("read back %s: %w", id, err)
	case len(snapshots) != 1 || snapshots[0].App != id:
		return orchestrator.Snapshot{}, fmt.Errorf("read back %s: the orchestrator did not return it", id)
	}
	return snapshots[0], nil
}

// judge says how a touched app stands that now is as s says.
func (r *run) judge(s orchestrator.Snapshot) error {
	a := &r.apps[r.index[s.App]]
	a.Running = images(s.Images)
	before := images(r.snapshots[s.App].Images)
	switch {
	case a.Running != before:
		a.Standing = Failed
		return fmt.Errorf("app %s runs %s instead of %s", a.App, orNothing(a.Running), before)
	case a.Standing == Failed:
		return fault.New(fault.Unhealthy, "app %s runs %s again but is not healthy: %s", a.App, a.Running, a.Problem).On(a.App)
	default:
		a.Standing, a.Problem = Restored, ""
		if was := r.snapshots[s.App].Fingerprint; was != "" && s.Fingerprint != was {
			d := diag.Warnf("Configuration is not as before", "%s runs %s again, but its configuration is not the one that it had: compare it in the orchestrator.", a.App, a.Running)
			r.emit(event.Event{Type: event.Diagnostic, App: a.App, Diagnostic: &d, Message: d.Summary})
		}
		return nil
	}
}

// readBack fills in what every touched app runs, also for somebody who has asked to stop at once.
func (r *run) readBack(ctx context.Context) error {
	if ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
		defer cancel()
		ctx = last
	}
	running, err := r.running(ctx)
	if err != nil {
		for _, id := range r.touched() {
			r.apps[r.index[id]].Standing = Unknown
		}
		return err
	}
	for i := range r.apps {
		r.apps[i].Running = images(running[r.apps[i].App])
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

func images(cs []orchestrator.ContainerImage) string {
	refs := make([]string, len(cs))
	for i, c := range cs {
		refs[i] = c.Image
	}
	return strings.Join(refs, ", ")
}
