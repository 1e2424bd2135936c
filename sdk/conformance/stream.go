package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// stream is what Deploy, Restore or Attach said.
type stream struct {
	events []orchestrator.Event
	err    error
	// parallel: emit was called from two goroutines at once.
	parallel atomic.Bool
	busy     atomic.Int32
}

// collect runs a call and keeps its events; each is shown to watch as well, if there is one.
func (s *session) collect(call func(emit func(orchestrator.Event)) error, watch func(orchestrator.Event)) *stream {
	out := &stream{}
	out.err = s.hear(call(func(e orchestrator.Event) {
		if out.busy.Add(1) > 1 {
			out.parallel.Store(true)
		}
		out.events = append(out.events, e)
		s.hearEvent(e)
		out.busy.Add(-1)
		if watch != nil {
			watch(e)
		}
	}))
	return out
}

// hearEvent keeps what an event says.
func (s *session) hearEvent(e orchestrator.Event) {
	switch {
	case e.Log != nil:
		fmt.Fprintln(s, e.Log.Message)
	case e.Diagnostic != nil:
		fmt.Fprintln(s, e.Diagnostic.Summary, e.Diagnostic.Detail)
	case e.Progress != nil:
		fmt.Fprintln(s, e.Progress.Message)
	case e.AppFailed != nil && e.AppFailed.Fault != nil:
		_ = s.hear(e.AppFailed.Fault)
	}
}

func (st *stream) accepted() []orchestrator.Accepted {
	var all []orchestrator.Accepted
	for _, e := range st.events {
		if e.Accepted != nil {
			all = append(all, *e.Accepted)
		}
	}
	return all
}

func (st *stream) ids() []string {
	var all []string
	for _, a := range st.accepted() {
		all = append(all, a.DeploymentID)
	}
	return all
}

func (st *stream) completed() bool {
	for _, e := range st.events {
		if e.Completed != nil {
			return true
		}
	}
	return false
}

// healthy are the images of the apps that became healthy.
func (st *stream) healthy() map[string]string {
	all := map[string]string{}
	for _, e := range st.events {
		if e.AppHealthy != nil {
			all[e.AppHealthy.App] = e.AppHealthy.Image
		}
	}
	return all
}

func (st *stream) failed() map[string]*fault.Fault {
	all := map[string]*fault.Fault{}
	for _, e := range st.events {
		if e.AppFailed != nil {
			all[e.AppFailed.App] = e.AppFailed.Fault
		}
	}
	return all
}

// grammar runs the events through the state machine of O10 to O14 and says where they first leave it.
func (st *stream) grammar(apps map[string]bool) error {
	if st.parallel.Load() {
		return errors.New("emit was called from two goroutines at once")
	}
	g := grammar{apps: apps, deployments: map[string]bool{}, verdict: map[string]string{}}
	for n, e := range st.events {
		if err := g.step(e); err != nil {
			return fmt.Errorf("event %d of %d: %w", n+1, len(st.events), err)
		}
	}
	return nil
}

// grammar is the state of an event stream.
type grammar struct {
	apps        map[string]bool
	deployments map[string]bool
	// verdict is healthy or failed, by app.
	verdict map[string]string
	// following: something other than Accepted, Log and Diagnostic has come.
	following, done bool
}

func (g *grammar) step(e orchestrator.Event) error {
	if n := contents(e); n != 1 {
		return fmt.Errorf("has %d contents instead of one", n)
	}
	if g.done {
		return errors.New("comes after Completed")
	}
	switch { // Log and Diagnostic come at any time
	case e.Accepted != nil:
		return g.accept(*e.Accepted)
	case e.Progress != nil:
		g.following = true
		if p := e.Progress; !g.apps[p.App] || p.Ready < 0 || p.Ready > p.Total {
			return fmt.Errorf("progress of app %q, %d of %d, makes no sense", p.App, p.Ready, p.Total)
		}
	case e.AppHealthy != nil:
		return g.judge(e.AppHealthy.App, "healthy")
	case e.AppFailed != nil:
		if e.AppFailed.Fault == nil {
			return fmt.Errorf("app %s failed without a fault", e.AppFailed.App)
		}
		return g.judge(e.AppFailed.App, "failed")
	case e.Completed != nil:
		g.done = true
		for app := range g.apps {
			if g.verdict[app] != "healthy" {
				return fmt.Errorf("completed, but app %s is %q", app, g.verdict[app])
			}
		}
	}
	return nil
}

func (g *grammar) accept(a orchestrator.Accepted) error {
	switch {
	case g.following:
		return errors.New("accepted after the following began")
	case a.DeploymentID == "":
		return errors.New("accepted a deployment without an id")
	case g.deployments[a.DeploymentID]:
		return fmt.Errorf("accepted deployment %s twice", a.DeploymentID)
	}
	g.deployments[a.DeploymentID] = true
	return nil
}

func (g *grammar) judge(app, verdict string) error {
	g.following = true
	if !g.apps[app] {
		return fmt.Errorf("app %q, which is none of those asked for, is %s", app, verdict)
	}
	if before := g.verdict[app]; before != "" {
		return fmt.Errorf("app %s is %s after it was %s", app, verdict, before)
	}
	g.verdict[app] = verdict
	return nil
}

func contents(e orchestrator.Event) int {
	n := 0
	for _, set := range []bool{
		e.Accepted != nil, e.Progress != nil, e.Log != nil, e.Diagnostic != nil,
		e.AppHealthy != nil, e.AppFailed != nil, e.Completed != nil,
	} {
		if set {
			n++
		}
	}
	return n
}

// world is the orchestrator as one check sees it.
type world struct {
	orchestrator.Orchestrator
	*OrchestratorFixture
	// apps are those of the fixture, as they were when the check began.
	apps map[string]orchestrator.App
}

// world configures the plugin and looks at the fixture's apps.
func (s *session) world(ctx context.Context) (*world, error) {
	o, f, err := s.orchestrator(ctx)
	if err != nil {
		return nil, err
	}
	w := &world{Orchestrator: o, OrchestratorFixture: f}
	if w.apps, err = s.look(ctx, o, f.Scope); err != nil {
		return nil, err
	}
	for _, a := range f.Apps {
		if _, ok := w.apps[a.ID]; !ok {
			return nil, fmt.Errorf("app %s of the fixture is not listed", a.ID)
		}
	}
	return w, nil
}

// look lists a scope.
func (s *session) look(ctx context.Context, o orchestrator.Orchestrator, scope string) (map[string]orchestrator.App, error) {
	all := map[string]orchestrator.App{}
	err := o.ListApps(ctx, orchestrator.ListRequest{Scope: scope}, func(a orchestrator.App) error {
		all[a.ID] = a
		return nil
	})
	if s.hear(err) != nil {
		return nil, fmt.Errorf("list apps of %q: %w", scope, err)
	}
	return all, nil
}

// image is that of a container of an app.
func image(a orchestrator.App, container string) string {
	for _, c := range a.Images {
		if c.Container == container {
			return c.Image
		}
	}
	return ""
}

// change gives an app another of its good images.
func (w *world) change(i int) (orchestrator.Change, error) {
	f := w.Apps[i]
	now := w.apps[f.ID]
	for _, to := range f.Good {
		if to != image(now, f.Container) {
			return w.changeTo(i, to), nil
		}
	}
	return orchestrator.Change{}, skip("the fixture has no second good image for app %s", f.ID)
}

func (w *world) changeTo(i int, to string) orchestrator.Change {
	f := w.Apps[i]
	now := w.apps[f.ID]
	return orchestrator.Change{App: f.ID, Container: f.Container, From: image(now, f.Container), To: to, ExpectedFingerprint: now.Fingerprint}
}

// operation gives a request an id of its own.
func (s *session) operation(timeout time.Duration, changes ...orchestrator.Change) orchestrator.DeployRequest {
	s.operations++
	return orchestrator.DeployRequest{
		OperationID: fmt.Sprintf("conformance-%d-%d", time.Now().UnixNano(), s.operations),
		Changes:     changes,
		Timeout:     timeout,
	}
}

// deploy changes apps, after a snapshot of them all, which the end of the check puts back.
func (s *session) deploy(ctx context.Context, w *world, req orchestrator.DeployRequest, watch func(orchestrator.Event)) (*stream, error) {
	if err := s.keep(ctx, w); err != nil {
		return nil, err
	}
	return s.collect(func(emit func(orchestrator.Event)) error { return w.Deploy(ctx, req, emit) }, watch), nil
}

func (s *session) keep(ctx context.Context, w *world) error {
	s.changed = true
	if s.original != nil {
		return nil
	}
	var ids []string
	for _, a := range w.Apps {
		ids = append(ids, a.ID)
	}
	all, err := w.Snapshot(ctx, ids)
	if s.hear(err) != nil {
		return fmt.Errorf("snapshot before the first change: %w", err)
	}
	s.original = all
	return nil
}

// settle stops what a check left under way and puts its changes back. What goes wrong here is other checks' to find.
func (s *session) settle(ctx context.Context) {
	if !s.changed || s.original == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.fixture.patience())
	defer cancel()
	w, err := s.world(ctx)
	if err != nil {
		return
	}
	if c, ok := w.Orchestrator.(orchestrator.Canceler); ok && s.description.Has(schema.Cancel) {
		var ids []string
		for _, a := range w.apps {
			ids = append(ids, a.Deployments...)
		}
		_ = s.hear(c.Cancel(ctx, orchestrator.CancelRequest{DeploymentIDs: ids}))
	}
	req := orchestrator.RestoreRequest{OperationID: s.operation(0).OperationID, Snapshots: s.original, Timeout: s.fixture.patience()}
	_ = s.hear(w.Restore(ctx, req, func(orchestrator.Event) {}))
}
