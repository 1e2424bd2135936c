package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

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
		resolved, err := e.BadImage(ctx, image)
		if err != nil {
			return nil, err
		}
		digest := resolved.Digest
		a := QuarantineAnswer{Image: image, Holds: []state.Hold{}}
		for _, b := range bad {
			if is(b, ref.Repository, digest, ref.Tag) {
				a.Bad = &b
				break
			}
		}
		for _, h := range holds {
			for at := range strings.FieldsSeq(h.Image) {
				if held, err := plan.ParseRef(at); err == nil && held.Repository == ref.Repository && at != image {
					a.Holds = append(a.Holds, h)
				}
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// is reports whether a record is of an image: by digest where both have one, else by tag.
func is(b state.BadImage, repository, digest, tag string) bool {
	if b.Repository != repository {
		return false
	}
	if b.Digest != "" && digest != "" {
		return b.Digest == digest
	}
	return b.Tag != "" && b.Tag == tag
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

// holds are those that are in force: what the orchestrator's apps are marked with, and what is on record of apps that
// still run what they were held at. An environment of "" is all of them.
func (e *Engine) holds(ctx context.Context, environment string) ([]state.Hold, error) {
	recorded, err := e.State.Holds(ctx, environment)
	if err != nil || e.Orchestrator == nil {
		return recorded, err
	}
	var holds []state.Hold
	for _, env := range e.Policy.Environments {
		if environment != "" && env.Name != environment {
			continue
		}
		apps, err := e.apps(ctx, env)
		if err != nil {
			return nil, err
		}
		for _, a := range apps {
			if h := e.holdOn(env, a, recorded); h != nil {
				holds = append(holds, *h)
			}
		}
	}
	return holds, nil
}

// holdOn is the hold of one app; nil when there is none in force.
func (e *Engine) holdOn(env policy.Environment, a orchestrator.App, recorded []state.Hold) *state.Hold {
	if a.Hold != nil {
		h := state.Hold{Environment: env.Name, App: a.ID, Image: strings.Join(a.Hold.Images, " "), Operation: a.Hold.OperationID, Reason: a.Hold.Reason}
		for _, r := range recorded {
			if r.App == a.ID && r.Operation == h.Operation {
				h.HeldBy, h.At = r.HeldBy, r.At
			}
		}
		return &h
	}
	for _, r := range recorded {
		runs := slices.ContainsFunc(a.Images, func(i orchestrator.ContainerImage) bool {
			return slices.Contains(strings.Fields(r.Image), i.Image)
		})
		// An orchestrator that marks apps knows better than the record.
		if r.App == a.ID && r.Environment == env.Name && runs && !e.Capabilities.Has(schema.Hold) {
			return &r
		}
	}
	return nil
}

// Holds lists the holds of an environment that are in force.
func (e *Engine) Holds(ctx context.Context, env policy.Environment) ([]state.Hold, error) {
	return e.holds(ctx, env.Name)
}

// LiftHolds releases apps, or all that are held with none named, and returns those that were. Where the orchestrator marks apps, it
// takes the marks off; it may replace their instances for that. It happens under the environment's lock, and not while an operation
// is unfinished: a *state.LockedError or *UnfinishedError says so.
func (e *Engine) LiftHolds(ctx context.Context, env policy.Environment, apps []string, r Run) (released []state.Hold, err error) {
	r.Holder.Operation = NewID(e.Now())
	lock, err := e.State.Lock(ctx, env.Name, r.Holder, r.LockTimeout, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	ctx, release := lock.Context(ctx)
	defer release()
	left, err := e.State.Unfinished(ctx, env.Name)
	if err != nil {
		return nil, err
	}
	if left != nil {
		return nil, &UnfinishedError{Operation: left.OperationID, Environment: env.Name}
	}
	return e.liftHolds(ctx, env, apps, r.Holder.Operation)
}

func (e *Engine) liftHolds(ctx context.Context, env policy.Environment, apps []string, operation string) ([]state.Hold, error) {
	held, err := e.holds(ctx, env.Name)
	if err != nil {
		return nil, err
	}
	if len(apps) > 0 {
		held = slices.DeleteFunc(held, func(h state.Hold) bool { return !slices.Contains(apps, h.App) })
	}
	var ids []string
	for _, h := range held {
		ids = append(ids, h.App)
	}
	for _, a := range apps {
		if !slices.Contains(ids, a) {
			return nil, fmt.Errorf("release %s: it is not held in %s", a, env.Name)
		}
	}
	lifter, ok := e.Orchestrator.(orchestrator.HoldLifter)
	if ok && e.Capabilities.Has(schema.Hold) && len(ids) > 0 {
		req := orchestrator.LiftHoldRequest{OperationID: operation, Apps: ids, Timeout: e.Policy.Apply.Timeout}
		if err := lifter.LiftHold(ctx, req, e.tellLifting); err != nil {
			return nil, fmt.Errorf("release %s: %w", strings.Join(ids, ", "), err)
		}
	}
	for _, h := range held {
		if _, err := e.State.Release(ctx, env.Name, h.App); err != nil {
			return nil, err
		}
	}
	return held, nil
}

// tellLifting passes on how the lifting of holds goes.
func (e *Engine) tellLifting(ev orchestrator.Event) {
	switch {
	case ev.Progress != nil:
		e.Emit(event.Event{Type: event.ApplyProgress, At: e.Now(), App: ev.Progress.App, Ready: ev.Progress.Ready, Total: ev.Progress.Total, Message: ev.Progress.Message})
	case ev.AppHealthy != nil:
		e.Emit(event.Event{Type: event.ApplyComplete, At: e.Now(), App: ev.AppHealthy.App, Message: "released"})
	}
}
