package orchestratorfile

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// The labels that mark a hold.
const (
	labelHold       = "rollback.hold"
	labelHoldReason = "rollback.hold-reason"
	labelHoldImage  = "rollback.hold-image"
)

// holding returns a copy that is held at its images; with nil, one that is not held.
func (s spec) holding(h *orchestrator.Hold) spec {
	if h == nil && s.Labels[labelHold] == "" {
		return s
	}
	labels := maps.Clone(s.Labels)
	for _, name := range []string{labelHold, labelHoldReason, labelHoldImage} {
		delete(labels, name)
	}
	if len(labels) == 0 {
		labels = nil
	}
	s.Labels = labels
	if h == nil {
		return s
	}
	return s.withLabels(map[string]string{labelHold: h.OperationID, labelHoldReason: h.Reason, labelHoldImage: strings.Join(s.refs(), " ")})
}

// hold is the one that is in force; nil when the app runs other images by now.
func (s spec) hold() *orchestrator.Hold {
	operation, at := s.Labels[labelHold], strings.Join(s.refs(), " ")
	if operation == "" || s.Labels[labelHoldImage] != at {
		return nil
	}
	return &orchestrator.Hold{OperationID: operation, Reason: s.Labels[labelHoldReason], Images: s.refs()}
}

func (s spec) refs() []string {
	var refs []string
	for _, c := range s.images() {
		refs = append(refs, c.Image)
	}
	return refs
}

// LiftHold takes the marks off again, in one deployment.
func (s *server) LiftHold(ctx context.Context, req orchestrator.LiftHoldRequest, emit func(orchestrator.Event)) error {
	if len(req.Apps) == 0 {
		return fault.New(fault.Invalid, "lift hold: there are no apps")
	}
	var aims []aim
	for _, id := range req.Apps {
		aims = append(aims, aim{app: id})
	}
	trouble, err := s.script(ctx, callLiftHold, aims...)
	if err != nil {
		return err
	}
	if err := trouble.at(ctx, beforeAccept); err != nil {
		return err
	}
	p := pursuit{timeout: req.Timeout, trouble: trouble}
	var d *deployment
	err = s.store.change(ctx, func(w *world) error {
		if d = w.ofOperation(req.OperationID, false); d == nil {
			d = w.newDeployment(req.OperationID, false, s.now(), s.tick)
		}
		p.goals = nil
		for _, id := range req.Apps {
			a, ok := w.Apps[id]
			if !ok {
				return w.noApp(id)
			}
			p.goals = append(p.goals, goal{app: id, images: a.images()})
			if a.Labels[labelHold] == "" {
				continue
			}
			if err := w.busy(id, s.now(), func(*deployment) bool { return true }); err != nil {
				return err
			}
			a.become(a.holding(nil), s.now())
			a.Deployment = d.ID
			part := part{App: id, Total: a.wanted()}
			for _, c := range a.images() {
				part.Containers = append(part.Containers, container{Name: c.Container, Image: c.Image})
			}
			d.Parts = append(d.Parts, part)
		}
		switch {
		case slices.Contains(w.Deployments, d):
			return errUnchanged
		case len(d.Parts) == 0:
			d = nil
			return errUnchanged
		}
		w.Deployments = append(w.Deployments, d)
		return nil
	})
	if err != nil {
		return err
	}
	p.accept(d)
	return s.pursue(ctx, p, emit)
}

// asDeployed is the configuration of a revision, with the number of instances that is wanted now: how many there are is
// a matter of load, not of the release.
func (a *app) asDeployed(version string) (spec, bool) {
	if version == "" || version == a.Version {
		return a.spec, true
	}
	i := slices.IndexFunc(a.Revisions, func(r revision) bool { return r.Version == version })
	if i < 0 {
		return spec{}, false
	}
	s := a.Revisions[i].spec
	s.Instances = a.Instances
	return s, true
}
