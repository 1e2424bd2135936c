package core

import (
	"context"
	"fmt"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/sdk/registry"
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
		in.Quarantined[b.Repository+"@"+b.Digest] = b.Reason
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

// QuarantineAnswer is what is known of one image.
type QuarantineAnswer struct {
	Image string `json:"image"`
	// Bad is the record that says that it is known bad; nil when none does.
	Bad *state.BadImage `json:"bad"`
	// Holds are the apps that are held at another image of its repository.
	Holds []state.Hold `json:"holds"`
}

// Judge says of images whether a pipeline may deploy them: whether they are known bad, or apps that run their repository are held.
// An error means that nobody can tell.
func (e *Engine) Judge(ctx context.Context, environment string, images []string) ([]QuarantineAnswer, error) {
	bad, err := e.State.Quarantined(ctx)
	if err != nil {
		return nil, err
	}
	holds, err := e.holds(ctx, environment)
	if err != nil {
		return nil, err
	}
	var out []QuarantineAnswer
	for _, image := range images {
		ref, err := plan.ParseRef(image)
		if err != nil {
			return nil, fmt.Errorf("judge image %q: %w", image, err)
		}
		a := QuarantineAnswer{Image: image, Holds: []state.Hold{}}
		for _, b := range bad {
			if b.Repository == ref.Repository && (ref.Digest != "" && b.Digest == ref.Digest || ref.Digest == "" && b.Tag == ref.Tag) {
				a.Bad = &b
				break
			}
		}
		for _, h := range holds {
			if held, err := plan.ParseRef(h.Image); err == nil && held.Repository == ref.Repository && h.Image != image {
				a.Holds = append(a.Holds, h)
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// BadImage reads an image reference for quarantine: its digest is looked up where the reference has none.
func (e *Engine) BadImage(ctx context.Context, image string) (state.BadImage, error) {
	ref, err := plan.ParseRef(image)
	if err != nil {
		return state.BadImage{}, err
	}
	b := state.BadImage{Repository: ref.Repository, Digest: ref.Digest, Tag: ref.Tag}
	rule, known := plan.RuleOf(e.Policy.Repos, ref.Repository)
	if b.Digest != "" || e.Registry == nil || !known {
		return b, nil
	}
	res, err := e.Registry.Resolve(ctx, registry.ResolveRequest{Repo: rule.Name, Tag: ref.Tag, Platform: rule.Release.Platform})
	if err != nil {
		return b, fmt.Errorf("look for %s: %w", image, err)
	}
	if res.Found {
		b.Digest = res.Digest
	}
	return b, nil
}

// holds are those on record that are in force.
func (e *Engine) holds(ctx context.Context, environment string) ([]state.Hold, error) {
	return e.State.Holds(ctx, environment)
}
