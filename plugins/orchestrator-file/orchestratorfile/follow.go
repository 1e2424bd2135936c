package orchestratorfile

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// goal is what an app is to run in the end.
type goal struct {
	app    string
	images []orchestrator.ContainerImage
}

func goalsOf(changes []orchestrator.Change) []goal {
	var all []goal
	for _, c := range changes {
		want := orchestrator.ContainerImage{Container: c.Container, Image: c.To}
		i := slices.IndexFunc(all, func(g goal) bool { return g.app == c.App })
		if i < 0 {
			all = append(all, goal{app: c.App})
			i = len(all) - 1
		}
		all[i].images = append(all[i].images, want)
	}
	return all
}

// pursuit is the following of deployments.
type pursuit struct {
	accepted []orchestrator.Accepted
	goals    []goal
	timeout  time.Duration
	trouble  script
}

// accept adds a deployment, if there is one, to what is to be told.
func (p *pursuit) accept(d *deployment) {
	if d != nil {
		p.accepted = append(p.accepted, orchestrator.Accepted{DeploymentID: d.ID, Apps: d.apps()})
	}
}

// pursue tells what was accepted and follows it to its end.
func (s *server) pursue(ctx context.Context, p pursuit, emit func(orchestrator.Event)) error {
	if err := p.trouble.at(ctx, unanswered); err != nil {
		return p.lost(err)
	}
	for _, a := range p.accepted {
		s.log.Debug("deployment accepted", "deployment", a.DeploymentID, "apps", strings.Join(a.Apps, ","))
		emit(orchestrator.Event{Accepted: &a})
	}
	if err := p.trouble.at(ctx, afterAccept); err != nil {
		return p.lost(err)
	}
	err := s.follow(ctx, p, emit)
	if err != nil {
		return err
	}
	if err := s.overwrite(ctx, p); err != nil {
		return p.lost(err)
	}
	if err := p.trouble.at(ctx, afterDone); err != nil {
		return p.lost(err)
	}
	emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
	return nil
}

// lost names the deployments in an error that leaves open what became of them.
func (p pursuit) lost(err error) error {
	if f := fault.Of(err); f != nil && f.Code == fault.Indeterminate {
		for _, a := range p.accepted {
			f.Deployments = append(f.Deployments, a.DeploymentID)
		}
	}
	return err
}

// follow looks once a tick until every app is healthy, one has failed, or time is up.
func (s *server) follow(ctx context.Context, p pursuit, emit func(orchestrator.Event)) error {
	began := s.now()
	told := map[string]orchestrator.Progress{}
	done := map[string]bool{}
	for {
		w, err := s.store.read()
		if err != nil {
			return p.lost(fault.New(fault.Indeterminate, "follow deployments: %w", err))
		}
		now := s.now()
		late := p.timeout > 0 && now.Sub(began) >= p.timeout
		var failed *fault.Fault
		for _, g := range p.goals {
			if done[g.app] {
				continue
			}
			state, f := w.judge(g, now)
			if f == nil && !state.healthy && late {
				f = fault.New(fault.Unhealthy, "app %s was not healthy within %s: %s", g.app, p.timeout, state.message).On(g.app)
			}
			switch {
			case f != nil:
				emit(orchestrator.Event{AppFailed: &orchestrator.AppFailed{App: g.app, Fault: f}})
				if failed == nil {
					failed = f
				}
			case state.healthy:
				done[g.app] = true
				image, _ := w.Apps[g.app].imageOf(g.images[0].Container)
				emit(orchestrator.Event{AppHealthy: &orchestrator.AppHealthy{App: g.app, Image: image}})
			default:
				news := orchestrator.Progress{App: g.app, Ready: state.ready, Total: state.total, Message: state.message}
				if told[g.app] != news {
					told[g.app] = news
					emit(orchestrator.Event{Progress: &news})
				}
			}
		}
		if failed != nil {
			return failed
		}
		if err := p.trouble.at(ctx, during); err != nil {
			return p.lost(err)
		}
		if len(done) == len(p.goals) {
			return nil
		}
		if err := pause(ctx, s.nextLook(p.timeout, now.Sub(began))); err != nil {
			return err
		}
	}
}

// nextLook is a tick, or what is left of the time limit.
func (s *server) nextLook(timeout, spent time.Duration) time.Duration {
	if timeout <= 0 {
		return s.tick
	}
	return max(min(s.tick, timeout-spent), time.Millisecond)
}

// judge says how far an app is on its way to a goal, or why it will never get there.
func (w *world) judge(g goal, now time.Time) (progress, *fault.Fault) {
	a, ok := w.Apps[g.app]
	if !ok {
		return progress{}, fault.New(fault.NotFound, "app %s is no longer there", g.app).On(g.app)
	}
	for _, want := range g.images {
		if have, _ := a.imageOf(want.Container); have != want.Image {
			return progress{}, fault.New(fault.Drifted, "app %s runs %s, not %s: somebody else has changed it", g.app, have, want.Image).On(g.app)
		}
	}
	state := w.progressOf(g.app, now)
	if state.doomed {
		return state, fault.New(fault.Doomed, "app %s will not start: %s", g.app, state.message).On(g.app)
	}
	if d := w.deployment(a.Deployment); d != nil && d.State != stateRunning && !state.healthy {
		return state, fault.New(fault.Unhealthy, "deployment %s was %s before app %s was healthy", d.ID, d.State, g.app).On(g.app)
	}
	return state, nil
}

// overwrite lets somebody else change the apps for which that is scripted.
func (s *server) overwrite(ctx context.Context, p pursuit) error {
	if p.accepted == nil {
		return nil
	}
	return s.store.change(ctx, func(w *world) error {
		changed := errUnchanged
		for _, acc := range p.accepted {
			d := w.deployment(acc.DeploymentID)
			if d == nil {
				continue
			}
			for i, part := range d.Parts {
				a := w.Apps[part.App]
				if part.Fate != fateOverwritten || part.Image == "" || a == nil {
					continue
				}
				a.become(a.withImage(part.Containers[0].Name, part.Image), s.now())
				d.Parts[i].Image = "" // once
				changed = nil
			}
		}
		return changed
	})
}

// Attach follows deployments again, or, when all have ended, judges by what the apps are now.
func (s *server) Attach(ctx context.Context, req orchestrator.AttachRequest, emit func(orchestrator.Event)) error {
	trouble, err := s.script(ctx, callAttach, aimsOf(req.Changes)...)
	if err != nil {
		return err
	}
	if err := trouble.at(ctx, beforeAccept); err != nil {
		return err
	}
	if trouble.garbage() {
		return emitGarbage(emit)
	}
	w, err := s.store.read()
	if err != nil {
		return err
	}
	p := pursuit{goals: goalsOf(req.Changes), timeout: req.Timeout, trouble: trouble}
	ids := req.DeploymentIDs
	if len(ids) == 0 {
		d := w.ofOperation(req.OperationID, false)
		if d == nil {
			d = w.ofOperation(req.OperationID, true)
		}
		if d == nil {
			return fault.New(fault.NotFound, "attach: nothing was accepted for operation %s", req.OperationID)
		}
		ids = []string{d.ID}
	}
	for _, id := range ids {
		acc := orchestrator.Accepted{DeploymentID: id}
		if d := w.deployment(id); d != nil {
			acc.Apps = d.apps()
			if len(req.Changes) == 0 {
				p.goals = append(p.goals, d.goals()...)
			}
		}
		p.accepted = append(p.accepted, acc)
	}
	if len(p.goals) == 0 {
		return fault.New(fault.NotFound, "attach: deployment %s is not known, and no changes are named to judge it by", strings.Join(ids, ", "))
	}
	return s.pursue(ctx, p, emit)
}

func aimsOf(changes []orchestrator.Change) []aim {
	var all []aim
	for _, c := range changes {
		all = append(all, aim{c.App, c.To})
	}
	return all
}

// goals are what the deployment was to make true.
func (d *deployment) goals() []goal {
	var all []goal
	for _, p := range d.Parts {
		g := goal{app: p.App}
		for _, c := range p.Containers {
			g.images = append(g.images, orchestrator.ContainerImage{Container: c.Name, Image: c.Image})
		}
		if g.images != nil {
			all = append(all, g)
		}
	}
	return all
}

// Cancel stops deployments where they are.
func (s *server) Cancel(ctx context.Context, req orchestrator.CancelRequest) error {
	trouble, err := s.script(ctx, callCancel)
	if err != nil {
		return err
	}
	if err := trouble.at(ctx, beforeAccept); err != nil {
		return err
	}
	return s.store.change(ctx, func(w *world) error {
		now := s.now()
		changed := errUnchanged
		for _, d := range w.Deployments {
			named := slices.Contains(req.DeploymentIDs, d.ID)
			if len(req.DeploymentIDs) == 0 {
				named = req.OperationID != "" && d.OperationID == req.OperationID
			}
			if named && !d.ended(now) {
				d.stop(stateCancelled, now)
				changed = nil
			}
		}
		return changed
	})
}

// emitGarbage breaks the grammar of events: a scripted failure.
func emitGarbage(emit func(orchestrator.Event)) error {
	emit(orchestrator.Event{AppHealthy: &orchestrator.AppHealthy{App: "no-such-app\x1b[2J", Image: "\x00"}})
	emit(orchestrator.Event{})
	emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
	emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
	return errors.New("\x1b[31mgarbage\x1b[0m")
}
