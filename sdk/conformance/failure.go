package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// failureChecks are about deployments that do not become healthy.
func failureChecks() []check {
	return []check{
		{"orchestrator/unhealthy-ends-by-timeout", []string{"O13", "O26"}, "An app that never becomes healthy fails at the time limit, as UNHEALTHY, and never counts as done.", unhealthyEnds},
		{"orchestrator/failure-is-not-undone", []string{"O13"}, "Putting back is the host's to ask for: it knows the order, and has the snapshots.", failureNotUndone},
		{"orchestrator/doomed-ends-at-once", []string{"O26"}, "Waiting fifteen minutes for an image that does not exist is fifteen minutes of outage.", doomedEnds},
		{"orchestrator/busy-app-is-refused", []string{"O17", "P28"}, "Another deployment is never pushed aside, and is named.", busyRefused},
		{"orchestrator/app-names-its-deployments", []string{"O5"}, "Before it changes anything the host sees who else is at work.", namesDeployments},
		{"orchestrator/cancel-stops", []string{"O21", "P23"}, "Cancel returns when the deployment has stopped; one that has ended is no fault.", cancelStops},
		{"orchestrator/attach-to-running", []string{"O20", "P23"}, "After a crash the host follows what its predecessor started.", attachRunning},
	}
}

// bad is a change of an app that is never to become healthy.
func (w *world) bad(what string, pick func(AppFixture) string) (orchestrator.Change, error) {
	for i, a := range w.Apps {
		if to := pick(a); to != "" {
			return w.changeTo(i, to), nil
		}
	}
	return orchestrator.Change{}, skip("the fixture names no %s image", what)
}

func unhealthy(a AppFixture) string { return a.Unhealthy }

func doomed(a AppFixture) string { return a.Doomed }

// deployBad deploys what never becomes healthy, with a time limit.
func (s *session) deployBad(ctx context.Context, limit time.Duration, what string, pick func(AppFixture) string) (*world, orchestrator.DeployRequest, *stream, error) {
	none := orchestrator.DeployRequest{}
	w, err := s.world(ctx)
	if err != nil {
		return nil, none, nil, err
	}
	c, err := w.bad(what, pick)
	if err != nil {
		return nil, none, nil, err
	}
	req := s.operation(limit, c)
	st, err := s.deploy(ctx, w, req, nil)
	return w, req, st, err
}

// failedAs asks that a stream ended by the failure of its app.
func (st *stream) failedAs(app string, code fault.Code) error {
	if st.completed() {
		return errors.New("the call sent Completed")
	}
	f := st.failed()[app]
	if f == nil {
		return fmt.Errorf("AppFailed of %s is missing; the call returned %w", app, want(st.err, code))
	}
	if f.Code != code {
		return fmt.Errorf("app %s failed as %s (%s); expected %s", app, f.Code, f.Message, code)
	}
	return want(st.err, code)
}

func unhealthyEnds(ctx context.Context, s *session) error {
	began := time.Now()
	_, req, st, err := s.deployBad(ctx, s.fixture.brief(), "unhealthy", unhealthy)
	if err != nil {
		return err
	}
	if took := time.Since(began); took > s.fixture.brief()+s.fixture.patience() {
		return fmt.Errorf("a deploy with a time limit of %s took %s", s.fixture.brief(), took)
	}
	if err := st.failedAs(req.Changes[0].App, fault.Unhealthy); err != nil {
		return err
	}
	return st.grammar(map[string]bool{req.Changes[0].App: true})
}

func failureNotUndone(ctx context.Context, s *session) error {
	w, req, st, err := s.deployBad(ctx, s.fixture.brief(), "unhealthy", unhealthy)
	if err != nil {
		return err
	}
	if st.err == nil || len(st.accepted()) == 0 {
		return skip("the deploy did not fail after it was accepted")
	}
	c := req.Changes[0]
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	if got := image(after[c.App], c.Container); got != c.To {
		return fmt.Errorf("app %s has %s again: the plugin put it back by itself", c.App, got)
	}
	return nil
}

func doomedEnds(ctx context.Context, s *session) error {
	began := time.Now()
	_, req, st, err := s.deployBad(ctx, 5*s.fixture.patience(), "doomed", doomed)
	if err != nil {
		return err
	}
	if took := time.Since(began); took > s.fixture.patience() {
		return fmt.Errorf("what is hopeless took %s to fail", took)
	}
	return st.failedAs(req.Changes[0].App, fault.Doomed)
}

// hold leaves an app held by a deployment of another operation.
func (s *session) hold(ctx context.Context) (*world, orchestrator.DeployRequest, *stream, error) {
	w, req, st, err := s.deployBad(ctx, s.fixture.brief(), "unhealthy", unhealthy)
	if err != nil {
		return nil, req, nil, err
	}
	if len(st.accepted()) == 0 {
		return nil, req, nil, skip("the deploy was not accepted: %v", st.err)
	}
	w.apps, err = s.look(ctx, w.Orchestrator, w.Scope)
	return w, req, st, err
}

func busyRefused(ctx context.Context, s *session) error {
	w, req, _, err := s.hold(ctx)
	if err != nil {
		return err
	}
	app := req.Changes[0].App
	if len(w.apps[app].Deployments) == 0 {
		return skip("a deployment that is not healthy does not hold its app here")
	}
	i := slices.IndexFunc(w.Apps, func(f AppFixture) bool { return f.ID == app })
	c, err := w.change(i)
	if err != nil {
		return err
	}
	st, err := s.deploy(ctx, w, s.operation(s.fixture.patience(), c), nil)
	if err != nil {
		return err
	}
	if err := want(st.err, fault.Busy); err != nil {
		return err
	}
	if len(fault.Of(st.err).Deployments) == 0 {
		return errors.New("the fault BUSY does not name the deployments in the way")
	}
	return s.unchanged(ctx, w)
}

func namesDeployments(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	c, err := w.bad("unhealthy", unhealthy)
	if err != nil {
		return err
	}
	var during []string
	var problem error
	st, err := s.deploy(ctx, w, s.operation(s.fixture.brief(), c), func(e orchestrator.Event) {
		if e.Accepted == nil {
			return
		}
		other, err := s.look(ctx, w.Orchestrator, w.Scope)
		if err != nil {
			problem = err
		}
		during = other[c.App].Deployments
	})
	if err != nil {
		return err
	}
	if problem != nil {
		return problem
	}
	for _, id := range st.ids() {
		if !slices.Contains(during, id) {
			return fmt.Errorf("deployment %s is under way, and app %s names %q", id, c.App, during)
		}
	}
	return nil
}

func cancelStops(ctx context.Context, s *session) error {
	if !s.description.Has(schema.Cancel) {
		return skip("the plugin does not declare cancel")
	}
	w, req, st, err := s.hold(ctx)
	if err != nil {
		return err
	}
	c, ok := w.Orchestrator.(orchestrator.Canceler)
	if !ok {
		return skip("cancel is not implemented")
	}
	for _, when := range []string{"a running", "a cancelled"} {
		err := c.Cancel(ctx, orchestrator.CancelRequest{OperationID: req.OperationID, DeploymentIDs: st.ids()})
		if s.hear(err) != nil {
			return fmt.Errorf("cancel %s deployment: %w", when, err)
		}
	}
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	app := req.Changes[0].App
	for _, id := range st.ids() {
		if slices.Contains(after[app].Deployments, id) {
			return fmt.Errorf("app %s is still under deployment %s", app, id)
		}
	}
	return nil
}

func attachRunning(ctx context.Context, s *session) error {
	if !s.description.Has(schema.Attach) {
		return skip("the plugin does not declare attach")
	}
	_, req, st, err := s.hold(ctx)
	if err != nil {
		return err
	}
	attached, err := s.attach(ctx, orchestrator.AttachRequest{
		OperationID: req.OperationID, DeploymentIDs: st.ids(), Changes: req.Changes, Timeout: s.fixture.brief(),
	})
	if err != nil {
		return err
	}
	if len(attached.accepted()) != len(st.accepted()) {
		return fmt.Errorf("attach repeated Accepted for %q; deploy had %q", attached.ids(), st.ids())
	}
	return attached.failedAs(req.Changes[0].App, fault.Unhealthy)
}

// attach follows from another process.
func (s *session) attach(ctx context.Context, req orchestrator.AttachRequest) (*stream, error) {
	other, err := s.world(ctx)
	if err != nil {
		return nil, err
	}
	a, ok := other.Orchestrator.(orchestrator.Attacher)
	if !ok {
		return nil, skip("attach is not implemented")
	}
	return s.collect(func(emit func(orchestrator.Event)) error { return a.Attach(ctx, req, emit) }, nil), nil
}
