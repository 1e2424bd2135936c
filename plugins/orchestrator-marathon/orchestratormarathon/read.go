package orchestratormarathon

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/rollout"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Probe reads the version, and the apps as far as they may be seen.
func (s *server) Probe(ctx context.Context) (schema.ProbeResult, error) {
	v, err := s.client.Version(ctx)
	if err != nil {
		return schema.ProbeResult{}, err
	}
	if _, err := s.client.Deployments(ctx); err != nil {
		return schema.ProbeResult{}, err
	}
	res := schema.ProbeResult{System: "Marathon " + v.String(), Identity: s.who}
	if v.Text == "" {
		res.Notes = append(res.Notes, "The version is inferred: /v2/info may not be read with these credentials.")
	}
	if !v.HasPatch() {
		res.Notes = append(res.Notes, "Before Marathon 1.4 an app that is deleted at the very moment of a change would be made anew.")
	}
	if v.Major == 0 && v.Minor < 16 || v.Major > 1 || v.Major == 1 && v.Minor > 11 {
		res.Notes = append(res.Notes, fmt.Sprintf("Marathon %s is none of the versions 0.16 to 1.11 that this plugin is written for.", v))
	}
	return res, nil
}

// ListApps yields apps and pods.
func (s *server) ListApps(ctx context.Context, req orchestrator.ListRequest, yield func(orchestrator.App) error) error {
	apps, err := s.client.ListApps(ctx, req.Scope)
	if err != nil {
		return err
	}
	pods, err := s.listPods(ctx, req.Scope)
	if err != nil {
		return err
	}
	all := pods
	for i := range apps {
		all = append(all, s.app(&rollout.Spec{ID: apps[i].ID, App: &apps[i]}))
	}
	slices.SortFunc(all, func(a, b orchestrator.App) int { return cmp.Compare(a.ID, b.ID) })
	for i, a := range all {
		if i > 0 && a.ID == all[i-1].ID {
			return fault.New(fault.Internal, "list the apps: %s comes twice", marathon.Printable(a.ID)).On(a.ID)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(a); err != nil {
			return err
		}
	}
	return nil
}

// app translates what is the same for apps and pods, and an app's counts.
func (s *server) app(sp *rollout.Spec) orchestrator.App {
	a := orchestrator.App{
		ID: sp.ID, Kind: sp.Kind(), Images: sp.Images(), Version: sp.Version(), Fingerprint: sp.Doc().Fingerprint(),
		Labels: sp.Labels(), Instances: sp.Instances(), Immutable: sp.Immutable(), Separate: sp.Separate(), Hold: holdOf(sp),
	}
	if sp.App != nil {
		a.Running, a.Healthy = sp.App.TasksRunning, -1
		if len(sp.App.HealthChecks) > 0 {
			a.Healthy = sp.App.TasksHealthy
		}
		for _, d := range sp.App.Deployments {
			a.Deployments = append(a.Deployments, d.ID)
		}
	}
	return a
}

// listPods reads the pods with their status; none where there are no pods.
func (s *server) listPods(ctx context.Context, scope string) ([]orchestrator.App, error) {
	pods, err := s.client.ListPods(ctx, scope)
	if err != nil || len(pods) == 0 {
		return nil, err
	}
	statuses, err := s.client.PodStatuses(ctx)
	if err != nil {
		return nil, err
	}
	deployments, err := s.client.Deployments(ctx)
	if err != nil {
		return nil, err
	}
	var all []orchestrator.App
	for i := range pods {
		a := s.app(&rollout.Spec{ID: pods[i].ID, Pod: &pods[i]})
		a.Healthy = -1
		if pods[i].Checked() {
			a.Healthy = 0
		}
		for _, st := range statuses {
			if st.ID != a.ID {
				continue
			}
			for _, in := range st.Instances {
				if in.Status == rollout.PodStable || in.Status == rollout.PodDegraded {
					a.Running++
				}
				if a.Healthy >= 0 && in.Status == rollout.PodStable {
					a.Healthy++
				}
			}
		}
		for _, d := range deployments {
			if d.Affects(a.ID) {
				a.Deployments = append(a.Deployments, d.ID)
			}
		}
		all = append(all, a)
	}
	return all, nil
}

// frozen is the data of a snapshot.
type frozen struct {
	Kind string            `json:"kind"`
	Doc  marathon.Document `json:"doc"`
}

// Snapshot returns whole definitions, as Marathon gives them.
func (s *server) Snapshot(ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
	found, err := s.specs(ctx, apps)
	if err != nil {
		return nil, err
	}
	all := make([]orchestrator.Snapshot, 0, len(apps))
	for _, id := range apps {
		sp := found[id]
		if sp == nil {
			return nil, noApp(id)
		}
		def := sp.Doc().Definition()
		def["version"] = marathon.Raw(sp.Version())
		data, err := json.Marshal(frozen{sp.Kind(), def})
		if err != nil {
			return nil, fault.New(fault.Internal, "snapshot %s: %w", id, err).On(id)
		}
		all = append(all, orchestrator.Snapshot{App: id, Fingerprint: sp.Doc().Fingerprint(), Images: sp.Images(), Data: data})
	}
	return all, nil
}

// ListRevisions yields the versions that Marathon remembers, newest first.
func (s *server) ListRevisions(ctx context.Context, id string, yield func(orchestrator.Revision) error) error {
	sp, err := s.spec(ctx, id)
	if err != nil {
		return err
	}
	if sp == nil {
		return noApp(id)
	}
	list := s.client.AppVersions
	if sp.Pod != nil {
		list = s.client.PodVersions
	}
	versions, err := list(ctx, id)
	if err != nil {
		return err
	}
	versions = slices.DeleteFunc(versions, func(v string) bool { return v == sp.Version() })
	if err := yield(revisionOf(sp)); err != nil {
		return err
	}
	for chunk := range slices.Chunk(versions, atOnce) {
		docs := make([]*rollout.Spec, len(chunk))
		g, inner := errgroup.WithContext(ctx)
		for i, v := range chunk {
			g.Go(func() error {
				var err error
				docs[i], err = s.revision(inner, sp, v)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, old := range docs {
			if old == nil {
				continue
			}
			if err := yield(revisionOf(old)); err != nil {
				return err
			}
		}
	}
	return nil
}

// atOnce is how many versions are read ahead: who looks for one rarely goes back far.
const atOnce = 4

func revisionOf(sp *rollout.Spec) orchestrator.Revision {
	return orchestrator.Revision{
		App: sp.ID, Version: sp.Version(), At: marathon.ParseTime(sp.Version()), Images: sp.Images(), Config: sp.Doc().Flatten(),
	}
}

// revision reads an old version; nil when Marathon has forgotten it in the meantime.
func (s *server) revision(ctx context.Context, sp *rollout.Spec, version string) (*rollout.Spec, error) {
	old := &rollout.Spec{ID: sp.ID}
	var err error
	if sp.Pod != nil {
		old.Pod, err = s.client.PodVersion(ctx, sp.ID, version)
	} else {
		old.App, err = s.client.AppVersion(ctx, sp.ID, version)
	}
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return old, nil
}
