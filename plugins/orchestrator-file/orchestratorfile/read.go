package orchestratorfile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// open lets the failures of a reading call strike and reads the world.
func (s *server) open(ctx context.Context, call string, aims ...aim) (*world, script, error) {
	trouble, err := s.script(ctx, call, aims...)
	if err != nil {
		return nil, trouble, err
	}
	if err := trouble.at(ctx, beforeAccept); err != nil {
		return nil, trouble, err
	}
	w, err := s.store.read()
	return w, trouble, err
}

// Probe reads the file.
func (s *server) Probe(ctx context.Context) (schema.ProbeResult, error) {
	w, _, err := s.open(ctx, callProbe)
	if err != nil {
		return schema.ProbeResult{}, err
	}
	return schema.ProbeResult{
		System: "world file, format 1",
		Notes:  []string{fmt.Sprintf("%s has %d apps.", s.store.path, len(w.Apps))},
	}, nil
}

// ListApps yields the apps in the scope, by id.
func (s *server) ListApps(ctx context.Context, req orchestrator.ListRequest, yield func(orchestrator.App) error) error {
	w, trouble, err := s.open(ctx, callList)
	if err != nil {
		return err
	}
	now := s.now()
	for _, id := range w.ids() {
		if !inScope(id, req.Scope) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(w.app(id, now)); err != nil {
			return err
		}
		if trouble.garbage() {
			return yield(orchestrator.App{ID: id + "\x1b[2J", Running: -7}) // no images, no fingerprint
		}
	}
	return nil
}

// Preview says what Deploy would do.
func (s *server) Preview(ctx context.Context, req orchestrator.DeployRequest) (orchestrator.PreviewResult, error) {
	none := orchestrator.PreviewResult{}
	if err := checkChanges(req.Changes); err != nil {
		return none, err
	}
	w, _, err := s.open(ctx, callPreview, aimsOf(req.Changes)...)
	if err != nil {
		return none, err
	}
	var res orchestrator.PreviewResult
	if err := w.allows(req, s.now()); fault.Is(err, fault.Busy) {
		res.Diagnostics = append(res.Diagnostics, diag.Warnf("App is busy", "A deployment is under way: %v.", err))
	} else if err != nil {
		return none, err
	}
	for _, c := range req.Changes {
		a := w.Apps[c.App]
		from, _ := a.imageOf(c.Container)
		if from == c.To {
			res.Steps = append(res.Steps, fmt.Sprintf("leave %s as it is: it has %s", c.App, c.To))
			continue
		}
		step := fmt.Sprintf("replace %d instances of %s: %s becomes %s", a.wanted(), c.App, from, c.To)
		if after := dependencies(a.DependsOn, req.Changes); after != "" {
			step += ", after " + after
		}
		res.Steps = append(res.Steps, step)
	}
	return res, nil
}

func dependencies(on []string, changes []orchestrator.Change) string {
	var found []string
	for _, c := range changes {
		if slices.Contains(on, c.App) {
			found = append(found, c.App)
		}
	}
	return strings.Join(found, ", ")
}

// ListRevisions yields the present configuration and those before it.
func (s *server) ListRevisions(ctx context.Context, id string, yield func(orchestrator.Revision) error) error {
	w, _, err := s.open(ctx, callRevisions, aim{app: id})
	if err != nil {
		return err
	}
	a, ok := w.Apps[id]
	if !ok {
		return w.noApp(id)
	}
	present := revision{Version: a.Version, spec: a.spec}
	if a.Since != nil {
		present.At = *a.Since
	}
	past := slices.Clone(a.Revisions)
	slices.SortStableFunc(past, func(a, b revision) int { return b.At.Compare(a.At) })
	for _, r := range append([]revision{present}, past...) {
		if err := ctx.Err(); err != nil {
			return err
		}
		out := orchestrator.Revision{App: id, Version: r.Version, At: r.At, Images: r.images(), Config: r.flat()}
		if err := yield(out); err != nil {
			return err
		}
	}
	return nil
}
