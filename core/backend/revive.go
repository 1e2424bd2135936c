package backend

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// lives is how often an orchestrator plugin that has died is started again.
const lives = 3

// reviving is an orchestrator whose plugin is started again after it has died: whatever was under way must be read
// back, cancelled or put back, and without a plugin nobody could. A call that was lost with the plugin is not repeated,
// unless it is certain that the orchestrator was not asked to change anything.
type reviving struct {
	// start starts the plugin once more.
	start func(ctx context.Context) (everything, error)

	mu   sync.Mutex
	now  everything
	left int
}

func newReviving(o everything, start func(ctx context.Context) (everything, error)) *reviving {
	return &reviving{start: start, now: o, left: lives}
}

func (r *reviving) current() everything {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// do makes a call, and makes it once more on a new process when the old one was dead.
func (r *reviving) do(ctx context.Context, call func(everything) error) error {
	o := r.current()
	err := call(o)
	if !errors.Is(err, host.ErrEnded) || !fault.Is(err, fault.Unavailable) {
		return err
	}
	again, startErr := r.replace(ctx, o)
	if startErr != nil {
		return errors.Join(err, startErr)
	}
	return call(again)
}

// replace starts the plugin again, unless somebody has done so since dead was seen to be dead.
func (r *reviving) replace(ctx context.Context, dead everything) (everything, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now != dead {
		return r.now, nil
	}
	if r.left == 0 {
		return nil, fmt.Errorf("start the orchestrator plugin again: it has died %d times", lives+1)
	}
	r.left--
	o, err := r.start(ctx)
	if err != nil {
		return nil, fmt.Errorf("start the orchestrator plugin again: %w", err)
	}
	r.now = o
	return o, nil
}

func (r *reviving) Probe(ctx context.Context) (res schema.ProbeResult, err error) {
	err = r.do(ctx, func(o everything) error {
		res, err = o.Probe(ctx)
		return err
	})
	return res, err
}

// ListApps is not repeated when apps were yielded already: they cannot be taken back.
func (r *reviving) ListApps(ctx context.Context, req orchestrator.ListRequest, yield func(orchestrator.App) error) error {
	fresh := true
	return r.do(ctx, func(o everything) error {
		if !fresh {
			return fault.New(fault.Unavailable, "the plugin died in the middle of its list of apps")
		}
		return o.ListApps(ctx, req, func(a orchestrator.App) error {
			fresh = false
			return yield(a)
		})
	})
}

func (r *reviving) Snapshot(ctx context.Context, apps []string) (res []orchestrator.Snapshot, err error) {
	err = r.do(ctx, func(o everything) error {
		res, err = o.Snapshot(ctx, apps)
		return err
	})
	return res, err
}

func (r *reviving) Deploy(ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) error {
	return r.do(ctx, func(o everything) error { return o.Deploy(ctx, req, emit) })
}

func (r *reviving) Restore(ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) error {
	return r.do(ctx, func(o everything) error { return o.Restore(ctx, req, emit) })
}

func (r *reviving) Preview(ctx context.Context, req orchestrator.DeployRequest) (res orchestrator.PreviewResult, err error) {
	err = r.do(ctx, func(o everything) error {
		res, err = o.Preview(ctx, req)
		return err
	})
	return res, err
}

func (r *reviving) Attach(ctx context.Context, req orchestrator.AttachRequest, emit func(orchestrator.Event)) error {
	return r.do(ctx, func(o everything) error { return o.Attach(ctx, req, emit) })
}

func (r *reviving) Cancel(ctx context.Context, req orchestrator.CancelRequest) error {
	return r.do(ctx, func(o everything) error { return o.Cancel(ctx, req) })
}

func (r *reviving) LiftHold(ctx context.Context, req orchestrator.LiftHoldRequest, emit func(orchestrator.Event)) error {
	return r.do(ctx, func(o everything) error { return o.LiftHold(ctx, req, emit) })
}

func (r *reviving) ListRevisions(ctx context.Context, app string, yield func(orchestrator.Revision) error) error {
	fresh := true
	return r.do(ctx, func(o everything) error {
		if !fresh {
			return fault.New(fault.Unavailable, "the plugin died in the middle of the history of app %s", app)
		}
		return o.ListRevisions(ctx, app, func(rev orchestrator.Revision) error {
			fresh = false
			return yield(rev)
		})
	})
}
