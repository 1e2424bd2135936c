package core

import (
	"context"
	"fmt"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/sdk/schema"
)

// UndoRequest asks for the way back of an operation.
type UndoRequest struct {
	Environment policy.Environment
	// Operation is its id; "" takes the last one on the environment that left something changed.
	Operation        string
	AllowQuarantined bool
	Only, Except     []string
	Overrides        map[string]string
	Operator         policy.OperatorFacts
}

// PlanUndo plans the way back of an operation: every app that still runs what the operation gave it gets what it ran before.
// The plan is applied like any other. The operation is returned beside it.
func (e *Engine) PlanUndo(ctx context.Context, req UndoRequest) (*plan.Plan, *state.Operation, error) {
	op, err := e.undoable(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	apps, err := e.apps(ctx, req.Environment)
	if err != nil {
		return nil, op, err
	}
	bad, err := e.State.Quarantined(ctx)
	if err != nil {
		return nil, op, err
	}
	now := e.Now().UTC()
	in := plan.UndoInput{
		ID: NewID(now), Now: now, Operator: req.Operator.User, PolicyHash: e.Policy.Hash, Undoes: op.OperationID, Of: op.Plan, Apps: apps,
		Rules: e.Policy.Repos, PinDigest: e.Capabilities.Has(schema.DigestReference), Only: req.Only, Except: req.Except,
		AllowQuarantined: req.AllowQuarantined, Quarantined: map[string]string{},
	}
	for _, b := range bad {
		if b.Digest != "" {
			in.Quarantined[b.Repository+"@"+b.Digest] = b.Reason
		} else {
			in.Quarantined[b.Repository+":"+b.Tag] = b.Reason
		}
	}
	if in.Preflight, err = e.preflight(ctx, plan.UndoImages(in)); err != nil {
		return nil, op, err
	}
	p := plan.Undo(in)
	_, err = e.guard(ctx, p, plan.GuardInput{Overrides: req.Overrides, Now: now, Operator: req.Operator, Preflight: in.Preflight})
	if err != nil {
		return nil, op, err
	}
	return p, op, nil
}

// undoable finds the operation to put back.
func (e *Engine) undoable(ctx context.Context, req UndoRequest) (*state.Operation, error) {
	if req.Operation == "" {
		op, err := e.State.LastChange(ctx, req.Environment.Name)
		if err == nil && op == nil {
			err = fmt.Errorf("undo: no operation of this state has changed %s", req.Environment.Name)
		}
		return op, err
	}
	op, err := e.State.Operation(ctx, req.Operation)
	switch {
	case err != nil:
		return nil, err
	case op == nil:
		return nil, fmt.Errorf("undo operation %s: there is no operation of that id; see `rollback history`", req.Operation)
	case op.Environment != req.Environment.Name:
		return nil, fmt.Errorf("undo operation %s: it was on %s, not on %s; name its environment with --env", op.OperationID, op.Environment, req.Environment.Name)
	case op.Outcome == "":
		return nil, &UnfinishedError{Operation: op.OperationID, Environment: op.Environment}
	case op.Outcome != event.Done && op.Outcome != event.NeedsPerson && op.Outcome != event.Abandoned:
		return nil, fmt.Errorf("undo operation %s: it left everything as it was (%s), so there is nothing to put back", op.OperationID, op.Outcome)
	default:
		return op, nil
	}
}

// Drift is what an app runs that the last operation did not leave there.
type Drift struct {
	Repo, App string
	// Left is what the operation left running, Runs what runs now; "" when the app is gone.
	Left, Runs string
}

// Drifts compares what runs with what the last operation on the environment left: somebody has deployed since. It is nil when
// there was no operation.
func (e *Engine) Drifts(ctx context.Context, w *World) ([]Drift, *state.Operation, error) {
	op, err := e.State.LastChange(ctx, w.Environment.Name)
	if err != nil || op == nil {
		return nil, nil, err
	}
	now := map[[2]string]string{}
	for _, m := range w.Matches {
		for _, t := range m.Targets {
			now[[2]string{t.App.ID, t.Container}] = t.Image
		}
	}
	drifts := []Drift{}
	for _, c := range op.Plan.Changes {
		runs := now[[2]string{c.App, c.Container}]
		if c.Wave == 0 || op.Outcome != event.Done || runs == c.To.Image {
			continue
		}
		drifts = append(drifts, Drift{Repo: c.Repo, App: c.App, Left: c.To.Image, Runs: runs})
	}
	return drifts, op, nil
}
