package orchestratormarathon

import (
	"context"
	"slices"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/rollout"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// goal is what an app is to run in the end.
type goal struct {
	app    string
	images []orchestrator.ContainerImage
	// fingerprint is the expected one; "" skips the check.
	fingerprint string
	// revision is the version whose configuration is deployed; "" is the present one.
	revision string
}

// goalsOf gathers the changes of each app, and refuses what makes no sense whatever Marathon has.
func goalsOf(changes []orchestrator.Change) ([]goal, error) {
	var all []goal
	for _, c := range changes {
		if c.App == "" || c.To == "" {
			return nil, fault.New(fault.Invalid, "deploy: a change lacks its app or its image").On(c.App)
		}
		i := slices.IndexFunc(all, func(g goal) bool { return g.app == c.App })
		if i < 0 {
			all = append(all, goal{app: c.App})
			i = len(all) - 1
		}
		g := &all[i]
		if slices.ContainsFunc(g.images, func(have orchestrator.ContainerImage) bool { return have.Container == c.Container }) {
			return nil, fault.New(fault.Invalid, "deploy: app %s occurs twice", c.App).On(c.App)
		}
		g.images = append(g.images, orchestrator.ContainerImage{Container: c.Container, Image: c.To})
		if c.Revision != "" {
			g.revision = c.Revision
		}
		if c.ExpectedFingerprint != "" {
			g.fingerprint = c.ExpectedFingerprint
		}
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Invalid, "deploy: there are no changes")
	}
	return all, nil
}

func appsOf(goals []goal) []string {
	var ids []string
	for _, g := range goals {
		ids = append(ids, g.app)
	}
	return ids
}

// Deploy changes images: those of apps in one deployment, all or none, then those of each pod.
func (s *server) Deploy(ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) error {
	goals, err := goalsOf(req.Changes)
	if err != nil {
		return err
	}
	now, err := s.specs(ctx, appsOf(goals))
	if err != nil {
		return err
	}
	c := s.newChase(req.OperationID, goals, req.Timeout, emit)
	left, err := s.takeUp(ctx, c, req.OperationID, goals, now)
	if err != nil {
		return err
	}
	wanted, err := allowed(left, now)
	if err != nil {
		return err
	}
	then, err := s.then(ctx, wanted, now)
	if err != nil {
		return err
	}
	if err := s.write(ctx, c, wanted, now, then, req); err != nil {
		return err
	}
	return s.follow(ctx, c)
}

// takeUp finds out whether the operation was accepted before. It returns the goals that are still to be asked for.
func (s *server) takeUp(ctx context.Context, c *chase, operation string, goals []goal, now map[string]*rollout.Spec) ([]goal, error) {
	if operation == "" {
		return goals, nil
	}
	known := s.memory.of(operation)
	versions := map[string][]string{}
	var left []goal
	for _, g := range goals {
		sp := now[g.app]
		inMemory := slices.ContainsFunc(known, func(a orchestrator.Accepted) bool { return slices.Contains(a.Apps, g.app) })
		labelled := sp != nil && sp.Labels()[labelOperation] == operation
		switch {
		case !inMemory && !labelled:
			left = append(left, g)
		case sp != nil && !sp.Runs(g.images):
			return nil, fault.New(fault.Drifted, "operation %s was accepted before, but app %s has %s by now, not %s; nothing was changed",
				operation, g.app, rollout.Words(sp.Images()), rollout.Words(g.images)).On(g.app)
		case !inMemory:
			versions[sp.Configured()] = append(versions[sp.Configured()], g.app)
		}
	}
	for _, a := range known {
		c.accept(a)
	}
	if len(versions) > 0 {
		running, err := s.client.Deployments(ctx)
		if err != nil {
			return nil, err
		}
		for _, v := range idsOf(versions) {
			c.accept(orchestrator.Accepted{DeploymentID: deploymentOf(running, v, ""), Apps: versions[v]})
		}
	}
	if len(c.accepted) > 0 {
		// The apps of the set were taken together: one that is not as wanted was changed since.
		for _, g := range left {
			if sp := now[g.app]; sp != nil && sp.App != nil && !sp.Runs(g.images) && sharedDeployment(c.accepted, now) {
				return nil, fault.New(fault.Drifted, "operation %s was accepted before, but app %s runs %s by now; nothing was changed",
					operation, g.app, rollout.Words(sp.Images())).On(g.app)
			}
		}
	}
	return left, nil
}

// sharedDeployment reports whether a deployment of apps, which share one, was accepted.
func sharedDeployment(accepted []orchestrator.Accepted, now map[string]*rollout.Spec) bool {
	for _, a := range accepted {
		for _, id := range a.Apps {
			if sp := now[id]; sp != nil && sp.App != nil {
				return true
			}
		}
	}
	return false
}

// byVersion begins the name of a deployment that has no other any more: Marathon forgets ids.
const byVersion = "version:"

// deploymentOf is the id of the deployment that made a version: a listed one, or otherwise.
func deploymentOf(running []marathon.Deployment, version, otherwise string) string {
	for _, d := range running {
		if d.Version == version {
			return d.ID
		}
	}
	if otherwise != "" {
		return otherwise
	}
	return byVersion + version
}

// allowed refuses what Marathon's present state does not permit, and leaves out what is there already.
func allowed(goals []goal, now map[string]*rollout.Spec) ([]goal, error) {
	var wanted []goal
	for _, g := range goals {
		sp := now[g.app]
		if sp == nil {
			return nil, noApp(g.app)
		}
		if sp.Runs(g.images) {
			continue
		}
		if why := sp.Immutable(); why != "" {
			return nil, fault.New(fault.Unsupported, "the image of app %s cannot be changed: %s", g.app, why).On(g.app)
		}
		for _, want := range g.images {
			if _, ok := sp.Image(want.Container); !ok {
				return nil, fault.New(fault.NotFound, "app %s has no container %q with an image", g.app, marathon.Printable(want.Container)).On(g.app)
			}
		}
		wanted = append(wanted, g)
	}
	for _, g := range goals {
		if have := now[g.app].Doc().Fingerprint(); g.fingerprint != "" && have != g.fingerprint {
			return nil, fault.New(fault.Drifted, "app %s is not as planned: somebody has changed its configuration since; nothing was changed", g.app).
				On(g.app).WithHint("Plan again.")
		}
	}
	return wanted, nil
}

// write asks for the changes: one deployment for all apps, then one for each pod.
func (s *server) write(ctx context.Context, c *chase, goals []goal, now, then map[string]*rollout.Spec, req orchestrator.DeployRequest) error {
	var together []order
	var alone []order
	for _, g := range goals {
		sp := now[g.app]
		labels := marks(req, g.images)
		o := order{app: g.app, arrived: func(sp *rollout.Spec) bool {
			return sp.Runs(g.images) && (labels[labelOperation] == "" || sp.Labels()[labelOperation] == labels[labelOperation])
		}}
		var err error
		if sp.Pod != nil {
			images := map[string]string{}
			for _, i := range g.images {
				images[i.Container] = i.Image
			}
			o.pod = true
			base := sp.Pod
			if old := then[g.app]; old != nil {
				base = old.Pod
			}
			if o.doc, err = base.WithImages(images, labels); err == nil && sp.Pod.Doc.Has("scaling") {
				o.doc["scaling"] = sp.Pod.Doc["scaling"]
			}
			alone = append(alone, o)
		} else {
			if old := then[g.app]; old != nil {
				o.doc, err = s.asDeployed(ctx, c, old, sp, g.images[0].Image, labels)
			} else {
				o.doc, err = sp.App.WithImage(g.images[0].Image, labels)
			}
			together = append(together, o)
		}
		if err != nil {
			return fault.New(fault.Internal, "change app %s: %w", g.app, err).On(g.app)
		}
	}
	return s.order(ctx, c, together, alone, false)
}
