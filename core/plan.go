package core

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// PlanRequest asks for a plan.
type PlanRequest struct {
	Environment policy.Environment
	// To is a WHEN (DESIGN.md section 4).
	To string
	// Only and Except limit the plan to repos, or leave some out.
	Only, Except []string
	// AllowPartial goes on although a repo could not be read.
	AllowPartial bool
	// AllowQuarantined goes to images known bad.
	AllowQuarantined bool
	// Overrides are reasons by name of an overridable guard.
	Overrides map[string]string
	Operator  policy.OperatorFacts
}

// Plan says what would change. The plan is never nil when the error is; its diagnostics say what stands in the way.
func (e *Engine) Plan(ctx context.Context, req PlanRequest) (*plan.Plan, *World, error) {
	w, err := e.Read(ctx, req.Environment)
	if err != nil {
		return nil, nil, err
	}
	found, err := e.find(ctx, w, req.To)
	if err != nil {
		return nil, w, err
	}
	now := e.Now().UTC()
	in := plan.Input{
		ID: NewID(now), Now: now, Operator: req.Operator.User, Environment: req.Environment,
		PolicyHash: e.Policy.Hash, Apply: e.Policy.Apply, Rules: w.Rules, Found: found, Repos: w.Repos,
		Matches: w.Matches, MatchDiagnostics: w.MatchDiagnostics,
		PinDigest: e.Capabilities.Has(schema.DigestReference),
		Only:      req.Only, Except: req.Except, AllowPartial: req.AllowPartial, AllowQuarantined: req.AllowQuarantined,
	}
	if err := e.config(ctx, &in); err != nil {
		return nil, w, err
	}
	in.Preflight, err = e.preflight(ctx, plan.Images(in))
	if err != nil {
		return nil, w, err
	}
	p, _ := plan.Build(in)
	p.Diagnostics = append(append(diag.Diagnostics{}, w.Timeline.Warnings...), p.Diagnostics...)
	p.Matrix = plan.NewMatrix(w.Timeline.Matrix(w.Running()), p.To)
	if _, err := e.guard(ctx, p, plan.GuardInput{Overrides: req.Overrides, Now: now, Operator: req.Operator, Preflight: in.Preflight}); err != nil {
		return nil, w, err
	}
	return p, w, nil
}

// guard judges a plan by the policy's guards and by what was done last.
func (e *Engine) guard(ctx context.Context, p *plan.Plan, in plan.GuardInput) (diag.Diagnostics, error) {
	last, err := e.State.LastTouch(ctx, p.Environment)
	if err != nil {
		return nil, err
	}
	if last != nil {
		in.Last = policy.LastFacts{Operation: last.OperationID, At: last.EndedAt, Outcome: string(last.Outcome), To: last.Plan.To, Operator: last.Operator}
	}
	in.Guards = e.Policy.Guards
	return plan.CheckGuards(p, in), nil
}

// find finds the point a WHEN means. Images that are gone are passed over by -N, so they are looked for first.
func (e *Engine) find(ctx context.Context, w *World, to string) (point.Found, error) {
	if to == "" {
		to = e.Policy.Settings.To
	}
	if to == "" {
		return point.Found{}, fmt.Errorf("choose a point: name one with --to, such as --to %s", suggestTo(w.Timeline))
	}
	tried := map[string]bool{}
	for {
		found, err := w.Timeline.Find(to, e.Now(), w.Running())
		if err != nil {
			return point.Found{}, err
		}
		marked, err := e.markGone(ctx, w, &found.Point, tried)
		if err != nil {
			return point.Found{}, err
		}
		if marked {
			if err := e.build(ctx, w); err != nil {
				return point.Found{}, err
			}
			continue
		}
		return e.deepen(ctx, w, found, to)
	}
}

// deepen reads further back as long as the point found needs older releases than have been read.
func (e *Engine) deepen(ctx context.Context, w *World, found point.Found, to string) (point.Found, error) {
	for range mostReadings {
		needs := map[string]time.Time{}
		for _, c := range found.Point.Choices {
			if !c.NeedsOlder.IsZero() {
				needs[c.Repo] = c.NeedsOlder
			}
		}
		if len(needs) == 0 {
			return found, nil
		}
		if err := e.list(ctx, w, needs); err != nil {
			return point.Found{}, err
		}
		if err := e.build(ctx, w); err != nil {
			return point.Found{}, err
		}
		var err error
		if found, err = w.Timeline.Find(to, e.Now(), w.Running()); err != nil {
			return point.Found{}, err
		}
	}
	return found, nil
}

// markGone looks whether the images of a point are still there, and marks those that are not.
// It reports whether a mark was set that was not there before.
func (e *Engine) markGone(ctx context.Context, w *World, p *point.Point, tried map[string]bool) (bool, error) {
	whys := make([]string, len(p.Choices))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.Parallelism)
	for i, c := range p.Choices {
		if c.Release == nil || c.Release.Unpullable != "" || tried[c.Repo+c.Release.Digest] {
			continue
		}
		tried[c.Repo+c.Release.Digest] = true
		g.Go(func() error {
			res, err := e.Registry.Resolve(gctx, registry.ResolveRequest{Repo: c.Repo, Digest: c.Release.Digest, Platform: platform(w.Rules, c.Repo)})
			if ctx.Err() != nil {
				return fmt.Errorf("look for %s:%s: %w", c.Repo, c.Release.Tag, ctx.Err())
			}
			if err == nil {
				whys[i] = gone(res)
			}
			// An error is not known to be gone: the pre-flight of the plan says what it makes of that.
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return false, err
	}
	marked := false
	for i, c := range p.Choices {
		for j := range w.Repos {
			if whys[i] != "" && w.Repos[j].Name == c.Repo {
				w.gone[[2]string{c.Repo, c.Release.Digest}] = whys[i]
				marked = w.Repos[j].Mark(c.Release.Digest, whys[i], "") || marked
			}
		}
	}
	return marked, nil
}

func gone(res registry.ResolveResult) string {
	switch {
	case !res.Found:
		return "its manifest is no longer in the registry"
	case !res.Pullable:
		return fmt.Sprintf("no longer complete in the registry: %v is missing", res.Missing)
	default:
		return ""
	}
}

func platform(rules []policy.Repo, repo string) string {
	for _, r := range rules {
		if r.Name == repo {
			return r.Release.Platform
		}
	}
	return ""
}

// preflight resolves images, both those to go to and those to leave, at the same time.
func (e *Engine) preflight(ctx context.Context, lookups []plan.Lookup) (map[string]plan.Check, error) {
	var mu sync.Mutex
	checks := map[string]plan.Check{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.Parallelism)
	for _, l := range lookups {
		g.Go(func() error {
			res, err := e.Registry.Resolve(gctx, l.Request)
			if gctx.Err() != nil {
				return fmt.Errorf("look for %s: %w", l.Image, gctx.Err())
			}
			check := plan.Check{Result: res}
			if err != nil {
				check = plan.Check{Unknown: err.Error()}
			}
			mu.Lock()
			defer mu.Unlock()
			checks[l.Image] = check
			return nil
		})
	}
	return checks, g.Wait()
}

func suggestTo(t *point.Timeline) string {
	if choices := t.Choices(); len(choices) > 0 {
		return choices[0]
	}
	return "2019-06-01"
}
