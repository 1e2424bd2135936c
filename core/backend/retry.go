package backend

import (
	"context"
	"errors"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Reads are tried this often, with waits that double from the first to the longest. A remote system that
// asks for more patience than the longest wait it may ask for is given up on.
const (
	tries       = 4
	firstWait   = 500 * time.Millisecond
	longestWait = 10 * time.Second
	longestAsk  = time.Minute
	// longestRead is how long a read may have been tried to be tried again: plugins try more than once themselves, and
	// who waits for a server that hangs wants to be told.
	longestRead = 20 * time.Second
)

// retry repeats reads. Only reads: of a change that failed, only the one who asked for it can know what to do.
type retry struct{ opts Options }

// do calls read until it succeeds, fails for good, or the tries are used up. ctx is looked at before each try:
// nothing is sent for someone who has gone away.
func (r retry) do(ctx context.Context, read func() (again bool, err error)) error {
	wait, began := firstWait, r.opts.Now()
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		again, err := read()
		if err == nil || !again || try == tries || r.opts.Now().Sub(began) > longestRead {
			return err
		}
		f := fault.Of(err)
		if f == nil || errors.Is(err, host.ErrEnded) || f.RetryAfter > longestAsk {
			return err
		}
		if f.Code != fault.Unavailable && f.Code != fault.RateLimited {
			return err
		}
		// Up to half as long again, so that many jobs that were turned away do not come back together.
		pause := max(wait, f.RetryAfter)
		pause += time.Duration(r.opts.Jitter() * float64(pause) / 2)
		r.opts.Logger.Debug("read is repeated", "try", try, "wait", pause, "error", err)
		if waitErr := r.opts.Wait(ctx, pause); waitErr != nil {
			return err // why it failed says more than that the wait was cut short
		}
		wait = min(2*wait, longestWait)
	}
}

// one repeats a read with one answer.
func one[T any](ctx context.Context, r retry, read func() (T, error)) (T, error) {
	var out T
	err := r.do(ctx, func() (bool, error) {
		var err error
		out, err = read()
		return true, err
	})
	return out, err
}

// many repeats a read that yields, as long as it has yielded nothing: what the caller has seen cannot be taken back.
func many[T any](ctx context.Context, r retry, yield func(T) error, read func(func(T) error) error) error {
	return r.do(ctx, func() (bool, error) {
		fresh := true
		err := read(func(v T) error {
			fresh = false
			return yield(v)
		})
		return fresh, err
	})
}

// retryingRegistry repeats all calls: a registry is only read.
type retryingRegistry struct {
	next  registry.Registry
	retry retry
}

func (r *retryingRegistry) Probe(ctx context.Context) (schema.ProbeResult, error) {
	return one(ctx, r.retry, func() (schema.ProbeResult, error) { return r.next.Probe(ctx) })
}

func (r *retryingRegistry) ListReleases(
	ctx context.Context, req registry.ListRequest, yield func(registry.Item) error,
) error {
	return many(ctx, r.retry, yield, func(yield func(registry.Item) error) error {
		return r.next.ListReleases(ctx, req, yield)
	})
}

func (r *retryingRegistry) Resolve(ctx context.Context, req registry.ResolveRequest) (registry.ResolveResult, error) {
	return one(ctx, r.retry, func() (registry.ResolveResult, error) { return r.next.Resolve(ctx, req) })
}

// everything is an orchestrator with all optional interfaces, as sdk/host makes them.
type everything interface {
	orchestrator.Orchestrator
	orchestrator.Previewer
	orchestrator.Attacher
	orchestrator.Canceler
	orchestrator.Historian
	orchestrator.HoldLifter
}

// retryingOrchestrator repeats reads; Deploy, Restore, Attach, Cancel and LiftHold go through as they are.
type retryingOrchestrator struct {
	everything
	retry retry
}

func (o *retryingOrchestrator) Probe(ctx context.Context) (schema.ProbeResult, error) {
	return one(ctx, o.retry, func() (schema.ProbeResult, error) { return o.everything.Probe(ctx) })
}

func (o *retryingOrchestrator) ListApps(
	ctx context.Context, req orchestrator.ListRequest, yield func(orchestrator.App) error,
) error {
	return many(ctx, o.retry, yield, func(yield func(orchestrator.App) error) error {
		return o.everything.ListApps(ctx, req, yield)
	})
}

func (o *retryingOrchestrator) Snapshot(ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
	return one(ctx, o.retry, func() ([]orchestrator.Snapshot, error) { return o.everything.Snapshot(ctx, apps) })
}

func (o *retryingOrchestrator) Preview(
	ctx context.Context, req orchestrator.DeployRequest,
) (orchestrator.PreviewResult, error) {
	return one(ctx, o.retry, func() (orchestrator.PreviewResult, error) { return o.everything.Preview(ctx, req) })
}

func (o *retryingOrchestrator) ListRevisions(
	ctx context.Context, app string, yield func(orchestrator.Revision) error,
) error {
	return many(ctx, o.retry, yield, func(yield func(orchestrator.Revision) error) error {
		return o.everything.ListRevisions(ctx, app, yield)
	})
}
