package orchestratormarathon

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/rollout"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// Attach follows deployments again, or judges by what the apps are now.
func (s *server) Attach(ctx context.Context, req orchestrator.AttachRequest, emit func(orchestrator.Event)) error {
	if len(req.Changes) == 0 {
		return fault.New(fault.Invalid, "attach: no changes are named to judge the deployment by")
	}
	goals, err := goalsOf(req.Changes)
	if err != nil {
		return err
	}
	for i := range goals {
		goals[i].fingerprint = ""
	}
	now, err := s.specs(ctx, appsOf(goals))
	if err != nil {
		return err
	}
	running, err := s.client.Deployments(ctx)
	if err != nil {
		return err
	}
	ids := req.DeploymentIDs
	if len(ids) == 0 {
		ids = s.ownDeployments(req.OperationID, now, running)
	}
	if len(ids) == 0 {
		return fault.New(fault.NotFound, "attach: nothing was accepted for operation %s", req.OperationID)
	}
	c := s.newChase(req.OperationID, goals, req.Timeout, emit)
	for _, id := range ids {
		c.accept(orchestrator.Accepted{DeploymentID: id, Apps: s.affected(id, req, goals, running)})
	}
	for _, t := range c.targets {
		t.Deployed = true
	}
	return s.follow(ctx, c)
}

// affected are the apps of a deployment, as far as that can be told by now.
func (s *server) affected(id string, req orchestrator.AttachRequest, goals []goal, running []marathon.Deployment) []string {
	for _, a := range s.memory.of(req.OperationID) {
		if a.DeploymentID == id {
			return a.Apps
		}
	}
	for _, d := range running {
		if !is(d, id) {
			continue
		}
		return slices.DeleteFunc(appsOf(goals), func(app string) bool { return !d.Affects(app) })
	}
	if len(req.DeploymentIDs) <= 1 {
		return appsOf(goals)
	}
	return nil
}

// is reports whether a deployment has a name that we gave it: its id, or the version that it makes.
func is(d marathon.Deployment, id string) bool { return d.ID == id || byVersion+d.Version == id }

// ownDeployments are those that an operation began, as this process remembers or the apps' labels tell.
func (s *server) ownDeployments(operation string, now map[string]*rollout.Spec, running []marathon.Deployment) []string {
	var ids []string
	for _, a := range s.memory.of(operation) {
		ids = append(ids, a.DeploymentID)
	}
	if len(ids) > 0 || operation == "" {
		return ids
	}
	for _, id := range idsOf(now) {
		if sp := now[id]; sp.Labels()[labelOperation] == operation {
			ids = append(ids, deploymentOf(running, sp.Configured(), ""))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// stopFor is how long a stopped deployment may stay listed, and how long one that was just accepted may be missing.
const stopFor = 30 * time.Second

// Cancel stops deployments where they are, and waits until they are gone.
func (s *server) Cancel(ctx context.Context, req orchestrator.CancelRequest) error {
	ids := req.DeploymentIDs
	running, err := s.client.Deployments(ctx)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		if ids, err = s.ofOperation(ctx, req.OperationID, running); err != nil {
			return err
		}
	}
	until := s.now().Add(stopFor)
	asked := map[string]bool{}
	for {
		open, err := s.stop(ctx, ids, running, asked)
		if err != nil {
			return err
		}
		if len(open) == 0 {
			return nil
		}
		if !s.now().Before(until) {
			f := fault.New(fault.Indeterminate, "stop deployment %s: it is still there after %s", strings.Join(open, ", "), stopFor)
			f.Deployments = open
			return f
		}
		if err := s.pause(ctx, s.poll, nil); err != nil {
			return err
		}
		again, err := s.client.Deployments(ctx)
		switch {
		case err == nil:
			running = again
		case !fault.Is(err, fault.Unavailable) || !s.now().Before(until):
			return err
		}
	}
}

// ofOperation are the deployments under way that an operation began.
func (s *server) ofOperation(ctx context.Context, operation string, running []marathon.Deployment) ([]string, error) {
	affected := map[string]bool{}
	for _, d := range running {
		for _, id := range append(slices.Clone(d.AffectedApps), d.AffectedPods...) {
			affected[id] = true
		}
	}
	if len(affected) == 0 {
		return s.ownDeployments(operation, nil, running), nil
	}
	now, err := s.specs(ctx, idsOf(affected))
	if err != nil {
		return nil, err
	}
	return s.ownDeployments(operation, now, running), nil
}

// stop asks for the end of each deployment that is listed, or that may be too new to be. It returns those that are open.
func (s *server) stop(ctx context.Context, ids []string, running []marathon.Deployment, asked map[string]bool) ([]string, error) {
	var open []string
	for _, id := range ids {
		i := slices.IndexFunc(running, func(d marathon.Deployment) bool { return is(d, id) })
		if i < 0 && !s.memory.young(id) {
			continue
		}
		name := id
		if i >= 0 {
			name = running[i].ID
			s.memory.seen(id)
		}
		open = append(open, id)
		if asked[name] {
			continue
		}
		err := s.client.Stop(ctx, name)
		switch {
		case fault.Is(err, fault.NotFound) && i >= 0:
			// It has ended since the list was read.
		case fault.Is(err, fault.NotFound):
			if s.over(ctx, id) {
				s.memory.seen(id)
			}
		case fault.Is(err, fault.Indeterminate):
			// Stopping it twice does no harm; whether it is gone, the list says.
		case err != nil:
			return nil, err
		default:
			asked[name] = true
			s.memory.seen(id)
		}
	}
	return open, nil
}

// over reports whether a deployment of this process that is not listed can be told to have done its work.
func (s *server) over(ctx context.Context, id string) bool {
	for _, a := range s.memory.all() {
		if a.DeploymentID != id {
			continue
		}
		now, err := s.specs(ctx, a.Apps)
		if err != nil {
			return false
		}
		for _, sp := range now {
			if sp.Mixed() {
				return false
			}
		}
		return true
	}
	return true
}
