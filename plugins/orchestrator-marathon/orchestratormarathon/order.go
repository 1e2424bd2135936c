package orchestratormarathon

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/rollout"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// order is one app's part of a change that is asked for.
type order struct {
	app string
	pod bool
	doc marathon.Document
	// arrived reports whether an app, as it is read back, has got it.
	arrived func(*rollout.Spec) bool
}

// readBackFor is how long a change whose answer was lost is looked for.
const readBackFor = 15 * time.Second

// order asks for changes: together in one deployment, and each of alone in one of its own. create lets apps that are
// missing be made anew.
func (s *server) order(ctx context.Context, c *chase, together, alone []order, create bool) error {
	batches := [][]order{}
	if len(together) > 0 {
		batches = append(batches, together)
	}
	for _, o := range alone {
		batches = append(batches, []order{o})
	}
	for _, batch := range batches {
		if err := s.orderBatch(ctx, c, batch, create); err != nil {
			return c.partly(err)
		}
	}
	return nil
}

// orderBatch asks for one deployment and tells that it was accepted.
func (s *server) orderBatch(ctx context.Context, c *chase, batch []order, create bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var apps []string
	var docs []marathon.Document
	for _, o := range batch {
		apps = append(apps, o.app)
		docs = append(docs, o.doc)
	}
	var acc marathon.Accepted
	var err error
	if batch[0].pod {
		acc, err = s.client.UpdatePod(ctx, docs[0])
	} else {
		acc, err = s.client.Update(ctx, docs, create)
	}
	if err == nil && acc.Deployment == "" {
		err = fault.New(fault.Indeterminate, "change %s: Marathon does not say which deployment that is", strings.Join(apps, ", "))
	}
	if fault.Is(err, fault.Indeterminate) {
		s.log.Warn("the answer to a change was lost; reading back", "apps", len(apps), "error", err.Error())
		acc, err = s.readBack(ctx, batch, acc, err)
	}
	if err != nil {
		return s.nameHolders(ctx, err, apps)
	}
	c.acceptNow(orchestrator.Accepted{DeploymentID: acc.Deployment, Apps: apps}, acc.Version)
	return nil
}

// readBack finds out whether a change was made whose answer was lost. Not to see it proves nothing, since Marathon may
// still be busy with it: then the cause, which is Indeterminate, stays.
func (s *server) readBack(ctx context.Context, batch []order, acc marathon.Accepted, cause error) (marathon.Accepted, error) {
	var ids []string
	for _, o := range batch {
		ids = append(ids, o.app)
	}
	until := s.now().Add(readBackFor)
	for ctx.Err() == nil {
		now, err := s.specs(ctx, ids)
		if err != nil {
			s.log.Warn("reading back failed", "error", err.Error())
		}
		version, ok := arrived(batch, now)
		if err == nil && ok {
			running, err := s.client.Deployments(ctx)
			if err == nil {
				return marathon.Accepted{Version: version, Deployment: deploymentOf(running, version, acc.Deployment)}, nil
			}
		}
		if !s.now().Before(until) {
			break
		}
		if s.pause(ctx, s.poll, nil) != nil {
			break
		}
	}
	f := fault.Of(cause)
	if acc.Deployment != "" {
		f.Deployments = []string{acc.Deployment}
	}
	if ctx.Err() != nil {
		return marathon.Accepted{}, f
	}
	f.Hint = "The change was not seen within " + readBackFor.String() + ", and may still come: look at the apps before anything else is done."
	return marathon.Accepted{}, f
}

// arrived reports whether every app of a batch has got its change, and the version that it gave them.
func arrived(batch []order, now map[string]*rollout.Spec) (version string, ok bool) {
	for _, o := range batch {
		sp := now[o.app]
		if sp == nil || !o.arrived(sp) {
			return "", false
		}
		version = max(version, sp.Configured())
	}
	return version, true
}

// nameHolders completes a Busy whose answer names no deployment.
func (s *server) nameHolders(ctx context.Context, err error, apps []string) error {
	f := fault.Of(err)
	if f == nil || f.Code != fault.Busy || len(f.Deployments) > 0 {
		return err
	}
	running, readErr := s.client.Deployments(ctx)
	if readErr != nil {
		return err
	}
	for _, d := range running {
		for _, id := range apps {
			if d.Affects(id) {
				f.Deployments = append(f.Deployments, d.ID)
				break
			}
		}
	}
	if len(f.Deployments) == 0 && strings.Contains(f.Message, "Max number") {
		for _, d := range running {
			f.Deployments = append(f.Deployments, d.ID)
		}
	}
	return f
}

// partly makes of a refusal after something was accepted what it is: a change that was made by half.
func (c *chase) partly(err error) error {
	if len(c.accepted) == 0 {
		return err
	}
	f := fault.Of(err)
	if f == nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		f = fault.New(fault.Indeterminate, "%w", err)
	}
	g := *f
	g.Message += "; other apps of this change were accepted before"
	g.Code = fault.Indeterminate
	g.Deployments = c.deploymentIDs()
	return &g
}
