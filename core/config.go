package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// config finds out, for every app that would change, what its configuration was when it last ran the image it goes to, and
// what has changed since: that is named, and goes back only with apply.config = "as_deployed".
func (e *Engine) config(ctx context.Context, in *plan.Input) error {
	historian, ok := e.Orchestrator.(orchestrator.Historian)
	if !ok || !e.Capabilities.Has(schema.History) {
		return e.withoutHistory(in)
	}
	p, _ := plan.Build(*in)
	in.ConfigDifferences, in.Revisions = map[string][]string{}, map[string]string{}
	var mu sync.Mutex
	var unknown []string
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.Parallelism)
	for _, wave := range p.Waves() {
		for _, c := range wave {
			g.Go(func() error {
				now, then, err := revisions(gctx, historian, c)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				if then == nil {
					unknown = append(unknown, c.App)
					return nil
				}
				in.ConfigDifferences[c.App] = differences(now.Config, then.Config)
				if e.Policy.Apply.Config == policy.AsDeployed && e.Capabilities.Has(schema.Revision) {
					in.Revisions[c.App] = then.Version
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	slices.Sort(unknown)
	for _, app := range slices.Compact(unknown) {
		if e.Policy.Apply.Config == policy.AsDeployed {
			in.Warnings = append(in.Warnings, diag.Warnf("Configuration of then not known",
				"The orchestrator does not remember that %s has run the image it goes to: only its image goes back, and its configuration stays as it is.", app))
		}
	}
	return nil
}

// withoutHistory: an orchestrator that remembers nothing cannot give back what was deployed.
func (e *Engine) withoutHistory(in *plan.Input) error {
	if e.Policy.Apply.Config == policy.AsDeployed {
		in.Warnings = append(in.Warnings, diag.Warnf("Configuration of then not known",
			`apply.config is "as_deployed", and this orchestrator does not remember configurations: only images go back.`))
	}
	return nil
}

// errFound ends a listing of revisions early.
var errFound = errors.New("found")

// revisions are the present configuration of a change's app and the newest one with the image that it goes to; then is nil when
// that is not remembered.
func revisions(ctx context.Context, h orchestrator.Historian, c plan.Change) (now, then *orchestrator.Revision, err error) {
	err = h.ListRevisions(ctx, c.App, func(r orchestrator.Revision) error {
		if now == nil {
			now = &r
			return nil
		}
		for _, i := range r.Images {
			if (c.Container == "" || i.Container == c.Container) && sameImage(i.Image, c.To) {
				then = &r
				return errFound
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return nil, nil, fmt.Errorf("read the history of app %s: %w", c.App, err)
	}
	return now, then, nil
}

// sameImage reports whether a reference that once ran is the image of a plan: by digest where it has one, else by tag.
func sameImage(reference string, to plan.Image) bool {
	ref, err := plan.ParseRef(reference)
	if err != nil {
		return false
	}
	if ref.Digest != "" {
		return ref.Digest == to.Digest
	}
	want, err := plan.ParseRef(to.Image)
	return err == nil && ref.Tag != "" && ref.Tag == to.Tag && ref.Repository == want.Repository
}

// plainKeys are parts of configuration whose values are no secrets, and say more than that they differ.
var plainKeys = []string{"mem", "cpus", "disk", "instances", "gpus"}

// differences says what of a configuration has changed between then and now, seen from now: by its first key, values masked.
// What follows from the image, and the marks of operations, are left out.
func differences(now, then map[string]string) []string {
	type count struct{ added, removed, changed int }
	groups := map[string]*count{}
	keys := maps.Clone(now)
	maps.Copy(keys, then)
	var out []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		a, was := then[key]
		b, is := now[key]
		if was && is && a == b || unimportant(key) {
			continue
		}
		group, _, _ := strings.Cut(key, ".")
		if slices.Contains(plainKeys, group) {
			out = append(out, fmt.Sprintf("%s %s → %s", group, or(b), or(a)))
			continue
		}
		if groups[group] == nil {
			groups[group] = &count{}
		}
		switch {
		case !was:
			groups[group].removed++
		case !is:
			groups[group].added++
		default:
			groups[group].changed++
		}
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		c, text := groups[group], group
		for _, part := range []struct {
			sign string
			n    int
		}{{"+", c.added}, {"-", c.removed}, {"~", c.changed}} {
			if part.n > 0 {
				text += fmt.Sprintf(" %s%d", part.sign, part.n)
			}
		}
		out = append(out, text)
	}
	return out
}

// unimportant are keys that say what the plan says anyway, or when something was done.
func unimportant(key string) bool {
	return strings.HasPrefix(key, "image") || strings.Contains(key, ".image") || strings.HasPrefix(key, "labels.rollback.") ||
		strings.HasPrefix(key, "version") || key == "id"
}

func or(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
