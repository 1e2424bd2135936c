package backend

import (
	"context"
	"errors"
	"testing"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// mortal answers every call with err, if there is one.
type mortal struct {
	err   error
	calls int
}

func (m *mortal) call() error {
	m.calls++
	return m.err
}

func (m *mortal) Probe(context.Context) (schema.ProbeResult, error) {
	return schema.ProbeResult{}, m.call()
}

func (m *mortal) ListApps(_ context.Context, _ orchestrator.ListRequest, yield func(orchestrator.App) error) error {
	return errors.Join(yield(orchestrator.App{ID: "/a"}), m.call())
}

func (m *mortal) Snapshot(context.Context, []string) ([]orchestrator.Snapshot, error) {
	return nil, m.call()
}

func (m *mortal) Deploy(context.Context, orchestrator.DeployRequest, func(orchestrator.Event)) error {
	return m.call()
}

func (m *mortal) Restore(context.Context, orchestrator.RestoreRequest, func(orchestrator.Event)) error {
	return m.call()
}

func (m *mortal) LiftHold(context.Context, orchestrator.LiftHoldRequest, func(orchestrator.Event)) error {
	return m.call()
}

func (m *mortal) Preview(context.Context, orchestrator.DeployRequest) (orchestrator.PreviewResult, error) {
	return orchestrator.PreviewResult{}, m.call()
}

func (m *mortal) Attach(context.Context, orchestrator.AttachRequest, func(orchestrator.Event)) error {
	return m.call()
}
func (m *mortal) Cancel(context.Context, orchestrator.CancelRequest) error { return m.call() }

func (m *mortal) ListRevisions(_ context.Context, _ string, yield func(orchestrator.Revision) error) error {
	return errors.Join(yield(orchestrator.Revision{}), m.call())
}

// dead is what a call to a plugin gives that has died before.
func dead() error { return &fault.Fault{Code: fault.Unavailable, Err: host.ErrEnded} }

func TestADeadOrchestratorPluginIsStartedAgain(t *testing.T) {
	ctx := t.Context()
	for name, call := range map[string]func(everything) error{
		"Probe":    func(o everything) error { _, err := o.Probe(ctx); return err },
		"Snapshot": func(o everything) error { _, err := o.Snapshot(ctx, nil); return err },
		"Deploy":   func(o everything) error { return o.Deploy(ctx, orchestrator.DeployRequest{}, nil) },
		"Restore":  func(o everything) error { return o.Restore(ctx, orchestrator.RestoreRequest{}, nil) },
		"Preview":  func(o everything) error { _, err := o.Preview(ctx, orchestrator.DeployRequest{}); return err },
		"Attach":   func(o everything) error { return o.Attach(ctx, orchestrator.AttachRequest{}, nil) },
		"Cancel":   func(o everything) error { return o.Cancel(ctx, orchestrator.CancelRequest{}) },
	} {
		t.Run(name, func(t *testing.T) {
			first, second := &mortal{err: dead()}, &mortal{}
			r := newReviving(first, func(context.Context) (everything, error) { return second, nil })
			if err := call(r); err != nil {
				t.Fatal(err)
			}
			if err := call(r); err != nil || first.calls != 1 || second.calls != 2 {
				t.Errorf("err = %v; %d calls of the dead one and %d of the new one", err, first.calls, second.calls)
			}
		})
	}
}

func TestAChangeThatWasLostWithThePluginIsNotRepeated(t *testing.T) {
	lost := &fault.Fault{Code: fault.Indeterminate, Err: host.ErrEnded}
	first := &mortal{err: lost}
	r := newReviving(first, func(context.Context) (everything, error) {
		t.Error("the plugin was started again for a change whose outcome is unknown")
		return nil, nil
	})
	if err := r.Deploy(t.Context(), orchestrator.DeployRequest{}, nil); !fault.Is(err, fault.Indeterminate) || first.calls != 1 {
		t.Errorf("err = %v after %d calls", err, first.calls)
	}
}

func TestAListThatHasYieldedIsNotBegunAgain(t *testing.T) {
	r := newReviving(&mortal{err: dead()}, func(context.Context) (everything, error) { return &mortal{}, nil })
	seen := 0
	err := r.ListApps(t.Context(), orchestrator.ListRequest{}, func(orchestrator.App) error { seen++; return nil })
	if !fault.Is(err, fault.Unavailable) || seen != 1 {
		t.Errorf("ListApps: %v, %d apps", err, seen)
	}
	r = newReviving(&mortal{err: dead()}, func(context.Context) (everything, error) { return &mortal{}, nil })
	err = r.ListRevisions(t.Context(), "/a", func(orchestrator.Revision) error { seen++; return nil })
	if !fault.Is(err, fault.Unavailable) || seen != 2 {
		t.Errorf("ListRevisions: %v", err)
	}
}

func TestAPluginThatDiesAgainAndAgainIsGivenUp(t *testing.T) {
	starts := 0
	r := newReviving(&mortal{err: dead()}, func(context.Context) (everything, error) {
		starts++
		return &mortal{err: dead()}, nil
	})
	for range 2 * lives {
		if err := r.Cancel(t.Context(), orchestrator.CancelRequest{}); !errors.Is(err, host.ErrEnded) {
			t.Fatal(err)
		}
	}
	if starts != lives {
		t.Errorf("started again %d times, want %d", starts, lives)
	}
	broken := newReviving(&mortal{err: dead()}, func(context.Context) (everything, error) { return nil, errors.New("no such file") })
	if err := broken.Cancel(t.Context(), orchestrator.CancelRequest{}); !errors.Is(err, host.ErrEnded) {
		t.Error(err)
	}
}
