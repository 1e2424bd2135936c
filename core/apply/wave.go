package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// wave deploys one wave, waits until it is healthy, and has it judged. What a process before this one has done of it is
// not done again.
func (r *run) wave(ctx context.Context, n, of int, changes []plan.Change) error {
	ids := r.appsOf(n)
	if r.past(journal.WaveVerified, n) {
		r.mark(ids, Pending, Healthy)
		return nil
	}
	if !r.past(journal.WaveHealthy, n) {
		if err := r.deployWave(ctx, n, of, changes); err != nil {
			return err
		}
	}
	r.mark(ids, Pending, Healthy)
	r.mark(ids, Deploying, Healthy)
	if err := r.judgeWave(ctx, n == of, changes); err != nil {
		return err
	}
	return r.Journal.Record(journal.Entry{Step: journal.WaveVerified, Wave: n})
}

// judgeWave passes a healthy wave through its verification gates.
func (r *run) judgeWave(ctx context.Context, last bool, changes []plan.Change) error {
	if err := r.interruptedOr(ctx, nil); err != nil || r.Gates == nil {
		return err
	}
	limit := time.Duration(0)
	if r.Total > 0 {
		if limit = r.Total - r.Now().Sub(r.started); limit <= 0 {
			return r.timeIsOver()
		}
	}
	soft, stop := r.within(ctx, limit)
	defer stop()
	if err := r.Gates(soft, changes, last); err != nil {
		return r.interruptedOr(ctx, err)
	}
	return nil
}

// deployWave deploys one wave and waits until it is healthy.
func (r *run) deployWave(ctx context.Context, n, of int, changes []plan.Change) error {
	soft, stop := r.soft(ctx)
	defer stop()
	if err := r.interruptedOr(ctx, nil); err != nil {
		return err
	}
	timeout, err := r.timeLeft()
	if err != nil {
		return err
	}
	ids := r.appsOf(n)
	if err := r.Journal.Record(journal.Entry{Step: journal.WaveStarting, Wave: n, Apps: ids}); err != nil {
		return err
	}
	r.emit(event.Event{Type: event.WaveStart, Wave: n, Waves: of, Total: len(ids), Message: fmt.Sprintf("Deploying %d apps", len(ids))})
	for _, id := range ids {
		// Once an app, however many of its containers change.
		a := r.apps[r.index[id]]
		r.emit(event.Event{Type: event.ApplyStart, Wave: n, Repo: a.Repo, App: a.App, From: a.From, To: a.To})
	}
	f := follower{run: r, wave: n, accepted: journal.Accepted, progress: event.ApplyProgress, healthy: Healthy, cancel: stop}
	err = r.send(soft, n, changes, timeout, &f)
	err = errors.Join(err, f.err)
	if f.acceptedAny || !nothingSent(err) {
		if !slices.Contains(r.begun, n) {
			r.begun = append(r.begun, n)
		}
		r.mark(ids, Pending, Deploying)
		r.unheard(err)
		r.unheardOf[n] = err != nil && !f.acceptedAny && len(r.open) == 0
	}
	if err == nil && !f.completed {
		err = fault.New(fault.Internal, "the orchestrator plugin ended the deployment without saying that it is complete")
	}
	if err != nil {
		return r.interruptedOr(ctx, err)
	}
	r.open = nil
	return r.Journal.Record(journal.Entry{Step: journal.WaveHealthy, Wave: n})
}

// send asks for the deployment of a wave, or follows the one that is under way already.
func (r *run) send(ctx context.Context, n int, changes []plan.Change, timeout time.Duration, f *follower) error {
	req := orchestrator.DeployRequest{OperationID: r.waveID(n), Timeout: timeout, Labels: r.Labels, Hold: r.Hold}
	for _, c := range changes {
		req.Changes = append(req.Changes, orchestrator.Change{
			App: c.App, Container: c.Container, From: c.From.Image, To: c.To.Image, ExpectedFingerprint: c.Fingerprint, Revision: c.Revision,
		})
	}
	if r.Attacher != nil && r.allSent(n) {
		attach := orchestrator.AttachRequest{OperationID: req.OperationID, DeploymentIDs: slices.Clone(r.open), Changes: req.Changes, Timeout: timeout}
		err := r.Attacher.Attach(ctx, attach, f.event)
		if !fault.Is(err, fault.NotFound) || f.acceptedAny {
			return err
		}
		// The orchestrator does not know it any more; whoever asks again under the same id deploys nothing twice.
	}
	return r.Orchestrator.Deploy(ctx, req, f.event)
}

// allSent reports whether the orchestrator has taken every app of a wave from a process before this one. Only then is it enough to
// follow: what was not sent would never come.
func (r *run) allSent(n int) bool {
	if r.Resume == nil || len(r.open) == 0 {
		return false
	}
	sent := r.Resume.Progress.Sent[n]
	return !slices.ContainsFunc(r.appsOf(n), func(id string) bool { return !slices.Contains(sent, id) })
}

func (r *run) waveID(n int) string { return fmt.Sprintf("%s-w%d", r.Header.OperationID, n) }

// timeLeft is how long a wave may take.
func (r *run) timeLeft() (time.Duration, error) {
	if r.Total <= 0 {
		return r.Timeout, nil
	}
	left := r.Total - r.Now().Sub(r.started)
	if left <= 0 {
		return 0, r.timeIsOver()
	}
	if r.Timeout > 0 && r.Timeout < left {
		return r.Timeout, nil
	}
	return left, nil
}

func (r *run) timeIsOver() error {
	return fault.New(fault.Unhealthy, "the %s for all waves together (apply.total_timeout) are over", r.Total)
}

// unheard adds deployments that no event told of, but that the plugin knows to be under way.
func (r *run) unheard(err error) {
	f := fault.Of(err)
	if f == nil || f.Code != fault.Indeterminate {
		return
	}
	for _, id := range f.Deployments {
		if !slices.Contains(r.open, id) {
			r.open = append(r.open, id)
		}
	}
}

// nothingSent reports whether err means that the orchestrator was not asked to change anything.
func nothingSent(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Invalid, fault.Unauthenticated, fault.PermissionDenied, fault.NotFound, fault.Drifted,
		fault.Busy, fault.RateLimited, fault.Unavailable, fault.Unsupported:
		return true
	default:
		return false
	}
}
