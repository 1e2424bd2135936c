package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// clockSkew is how far in the future a registry's date may lie (DESIGN.md section 2).
const clockSkew = 24 * time.Hour

// World is what was read of registry and orchestrator for one environment.
type World struct {
	Environment policy.Environment
	// Rules are the repos of the policy that were asked for.
	Rules    []policy.Repo
	Repos    []point.Repo
	Timeline *point.Timeline
	Matches  []plan.Matched
	// MatchDiagnostics says which repos have no app, and what was seen instead.
	MatchDiagnostics diag.Diagnostics
	// gone says of images, by repo and digest, why they can no longer be pulled; bad are those in quarantine.
	gone map[[2]string]string
	bad  []state.BadImage
}

// Running is what the environment's apps run.
func (w *World) Running() []point.Running { return plan.Runs(w.Matches) }

// Read reads every repo and every app of an environment, at the same time.
// A repo that cannot be read is in the world as unknown, with the reason; it is not left out.
func (e *Engine) Read(ctx context.Context, env policy.Environment) (*World, error) {
	w := &World{Environment: env, Rules: e.Policy.Repos, Repos: make([]point.Repo, len(e.Policy.Repos)), gone: map[[2]string]string{}}
	if len(w.Rules) == 0 {
		return nil, errors.New(`read the registry: the policy names no repo; add a block such as repo "backend-a" {}`)
	}
	var apps []orchestrator.App
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		var err error
		apps, err = e.apps(gctx, env)
		return err
	})
	g.Go(func() error { return e.list(gctx, w, nil) })
	g.Go(func() error {
		var err error
		w.bad, err = e.State.Quarantined(gctx)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if e.Policy.Points.Source == policy.SourceDeployments {
		if err := e.history(ctx, w, apps); err != nil {
			return nil, err
		}
	}
	if err := e.build(ctx, w); err != nil {
		return nil, err
	}
	if e.Orchestrator != nil {
		w.Matches, w.MatchDiagnostics = plan.Match(w.Rules, w.Repos, env.Scope, apps)
	}
	return w, nil
}

// list reads the repos, or only those in needs, into w.Repos. It is an error when none of them could be read: then it is
// not a repo that has a problem.
func (e *Engine) list(ctx context.Context, w *World, needs map[string]time.Time) error {
	g, gctx := errgroup.WithContext(ctx)
	failures := make([]error, len(w.Rules))
	g.SetLimit(e.Parallelism)
	for i, rule := range w.Rules {
		need, wanted := needs[rule.Name]
		if needs != nil && !wanted {
			continue
		}
		g.Go(func() error {
			repo, failure, err := e.listRepo(gctx, rule, w.Environment.Branch, need)
			if err != nil {
				return err
			}
			w.Repos[i], failures[i] = repo, failure
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if slices.Contains(failures, nil) {
		return nil
	}
	if len(failures) == 1 {
		return failures[0]
	}
	return fmt.Errorf("none of the %d repos could be read: %w", len(failures), failures[0])
}

// listRepo reads one repo. Why it could not be read is failure, and in the repo; only a request that cannot be made,
// or a cancelled one, is an error.
func (e *Engine) listRepo(ctx context.Context, rule policy.Repo, branch string, need time.Time) (repo point.Repo, failure, err error) {
	pattern, err := registry.CompilePattern(rule.Tag.Pattern)
	if err != nil {
		return point.Repo{}, nil, fmt.Errorf("read repo %s: %w", rule.Name, err)
	}
	req := registry.ListRequest{
		Repo: rule.Name, Pattern: rule.Tag.Pattern, Branch: branch,
		DateFrom: rule.Release.DateFrom, Platform: rule.Release.Platform, NotAfter: e.Now().Add(clockSkew),
	}
	c := point.NewCollector(point.Want{
		Repo: rule.Name, Pattern: pattern, Branch: branch,
		Count: rule.Retention.Count, Margin: rule.Retention.Margin, Need: need, NotAfter: req.NotAfter,
	})
	failure = e.Registry.ListReleases(ctx, req, c.Yield)
	if ctx.Err() != nil {
		return point.Repo{}, nil, fmt.Errorf("read repo %s: %w", rule.Name, ctx.Err())
	}
	repo = c.Finish(failure)
	if repo.Unknown == "" {
		// The host stops a listing when it has enough.
		return repo, nil, nil
	}
	if f := fault.Of(failure); f != nil && f.Hint != "" {
		repo.Unknown = strings.TrimSuffix(repo.Unknown, ".") + ". " + f.Hint
	}
	if failure == nil {
		failure = fmt.Errorf("list %s: %s", rule.Name, repo.Unknown)
	}
	return repo, failure, nil
}

// mostReadings bounds how often a repo is read further back. A compatible fill goes twice as far back each time,
// so that this is the whole of any registry.
const mostReadings = 24

// build makes the timeline, and reads further back as long as a gap fill needs it.
func (e *Engine) build(ctx context.Context, w *World) error {
	opts := point.Options{Rules: w.Rules, By: e.Policy.Points.By, Zone: e.Policy.Settings.Timezone}
	for range mostReadings {
		w.mark()
		w.Timeline = point.Build(w.Repos, opts)
		if len(w.Timeline.Needs) == 0 {
			return nil
		}
		needs := map[string]time.Time{}
		for _, n := range w.Timeline.Needs {
			needs[n.Repo] = n.Before
		}
		if err := e.list(ctx, w, needs); err != nil {
			return err
		}
	}
	// What is needed still stays unknown, and says so.
	w.mark()
	w.Timeline = point.Build(w.Repos, opts)
	return nil
}

// mark tells the repos what is known against their images, whenever they have been read.
func (w *World) mark() {
	for i := range w.Repos {
		r := &w.Repos[i]
		for key, why := range w.gone {
			if key[0] == r.Name {
				r.Mark(key[1], why, "")
			}
		}
		for _, b := range w.bad {
			if b.Repository != r.Repository {
				continue
			}
			digest := b.Digest
			if known := r.Lookup(b.Tag, ""); digest == "" && known != nil {
				digest = known.Digest
			}
			r.Mark(digest, "", b.Reason)
		}
	}
}

// history replaces the dates of releases by those of their deployments (points.source = deployments).
func (e *Engine) history(ctx context.Context, w *World, apps []orchestrator.App) error {
	historian, ok := e.Orchestrator.(orchestrator.Historian)
	if !ok || !e.Capabilities.Has(schema.History) {
		return fmt.Errorf(`read the deployments of %s: points.source is "deployments", and the orchestrator plugin remembers none; use "releases"`, w.Environment.Name)
	}
	matches, _ := plan.Match(w.Rules, w.Repos, w.Environment.Scope, apps)
	var deployed []point.Deployment
	for _, m := range matches {
		for _, t := range m.Targets {
			err := historian.ListRevisions(ctx, t.App.ID, func(r orchestrator.Revision) error {
				for _, image := range r.Images {
					ref, err := plan.ParseRef(image.Image)
					if err != nil || ref.Repository != t.Ref.Repository {
						continue
					}
					deployed = append(deployed, point.Deployment{Repo: m.Repo, App: t.App.ID, Tag: ref.Tag, Digest: ref.Digest, At: r.At})
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("read the history of app %s: %w", t.App.ID, err)
			}
		}
	}
	pattern, err := registry.CompilePattern(e.Policy.Tag.Pattern)
	if err != nil {
		return fmt.Errorf("read the deployments of %s: %w", w.Environment.Name, err)
	}
	w.Repos = point.Deployed(w.Repos, deployed, pattern)
	return nil
}
