package conformance

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// optionalChecks are about abilities that a plugin may declare, on deployments that succeed.
func optionalChecks() []check {
	return []check{
		{"orchestrator/capabilities-are-implemented", []string{"P23"}, "What is declared is called, in the middle of an operation.", capabilitiesImplemented},
		{"orchestrator/preview-changes-nothing", []string{"O19", "P23"}, "A preview is asked for before anybody has agreed to anything.", previewChangesNothing},
		{"orchestrator/attach-to-ended", []string{"O20", "P23"}, "After a crash the deployment may have ended long ago; it is judged by what its apps are now.", attachEnded},
		{"orchestrator/revisions-newest-first", []string{"O22", "P23"}, "Restore points may be made of what ran, and when.", revisionsNewestFirst},
		{"orchestrator/atomic-set-is-one-deployment", []string{"O23", "P23"}, "All or nothing, in one deployment: that is what was declared.", atomicSet},
		{"orchestrator/digest-reference", []string{"O24", "P23"}, "A plan pins digests where it may; what is read back must be what was asked.", digestReference},
	}
}

func capabilitiesImplemented(ctx context.Context, s *session) error {
	o, _, err := s.orchestrator(ctx)
	if err != nil {
		return err
	}
	_, preview := o.(orchestrator.Previewer)
	_, attach := o.(orchestrator.Attacher)
	_, cancel := o.(orchestrator.Canceler)
	_, history := o.(orchestrator.Historian)
	_, hold := o.(orchestrator.HoldLifter)
	var problems []error
	for _, c := range []struct {
		capability  schema.Capability
		implemented bool
	}{{schema.Preview, preview}, {schema.Attach, attach}, {schema.Cancel, cancel}, {schema.History, history}, {schema.Hold, hold}} {
		if s.description.Has(c.capability) && !c.implemented {
			problems = append(problems, fmt.Errorf("%s is declared and not implemented", c.capability))
		}
	}
	return errors.Join(problems...)
}

func previewChangesNothing(ctx context.Context, s *session) error {
	if !s.description.Has(schema.Preview) {
		return skip("the plugin does not declare preview")
	}
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	p, ok := w.Orchestrator.(orchestrator.Previewer)
	if !ok {
		return skip("preview is not implemented")
	}
	c, err := w.change(0)
	if err != nil {
		return err
	}
	if err := s.keep(ctx, w); err != nil {
		return err
	}
	res, err := p.Preview(ctx, s.operation(s.fixture.patience(), c))
	if s.hear(err) != nil {
		return fmt.Errorf("preview: %w", err)
	}
	if len(res.Steps) == 0 {
		return errors.New("the preview of a change has no steps")
	}
	return s.unchanged(ctx, w)
}

func attachEnded(ctx context.Context, s *session) error {
	if !s.description.Has(schema.Attach) {
		return skip("the plugin does not declare attach")
	}
	_, req, st, err := s.deployOne(ctx)
	if err != nil {
		return err
	}
	if st.err != nil {
		return skip("the deploy did not succeed: %v", st.err)
	}
	follow := orchestrator.AttachRequest{OperationID: req.OperationID, DeploymentIDs: st.ids(), Changes: req.Changes, Timeout: s.fixture.patience()}
	attached, err := s.attach(ctx, follow)
	if err != nil {
		return err
	}
	if err := attached.succeed("attach to a deployment that has succeeded"); err != nil {
		return err
	}
	if !attached.completed() || attached.healthy()[req.Changes[0].App] == "" {
		return errors.New("attach succeeded without AppHealthy and Completed")
	}
	// Judged by what the apps are now: not by what the deployment once was.
	follow.Changes = []orchestrator.Change{req.Changes[0]}
	follow.Changes[0].To = req.Changes[0].From
	follow.Timeout = s.fixture.brief()
	if attached, err = s.attach(ctx, follow); err != nil {
		return err
	}
	if attached.err == nil || attached.completed() {
		return errors.New("attach calls a deployment done whose app does not have the image it was to make true")
	}
	return nil
}

func revisionsNewestFirst(ctx context.Context, s *session) error {
	if !s.description.Has(schema.History) {
		return skip("the plugin does not declare history")
	}
	w, req, st, err := s.deployOne(ctx)
	if err != nil {
		return err
	}
	if st.err != nil {
		return skip("the deploy did not succeed: %v", st.err)
	}
	h, ok := w.Orchestrator.(orchestrator.Historian)
	if !ok {
		return skip("history is not implemented")
	}
	app := req.Changes[0].App
	var all []orchestrator.Revision
	err = h.ListRevisions(ctx, app, func(r orchestrator.Revision) error {
		all = append(all, r)
		return nil
	})
	if s.hear(err) != nil {
		return fmt.Errorf("list revisions of %s: %w", app, err)
	}
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	if len(all) == 0 || !cmp.Equal(all[0].Images, after[app].Images) {
		return fmt.Errorf("the first of %d revisions is not what the app runs now", len(all))
	}
	for n, r := range all {
		if r.App != app {
			return fmt.Errorf("revision %s is of app %s; asked for %s", r.Version, r.App, app)
		}
		if n > 0 && r.At.After(all[n-1].At) {
			return fmt.Errorf("revision %s of %s comes after %s of %s", r.Version, r.At, all[n-1].Version, all[n-1].At)
		}
	}
	if w.MissingApp == "" {
		return nil
	}
	err = h.ListRevisions(ctx, w.MissingApp, func(orchestrator.Revision) error { return nil })
	return want(s.hear(err), fault.NotFound)
}

func atomicSet(ctx context.Context, s *session) error {
	if !s.description.Has(schema.AtomicSet) {
		return skip("the plugin does not declare atomic_set")
	}
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	var changes []orchestrator.Change
	for i := range w.Apps[:2] {
		c, err := w.change(i)
		if err != nil {
			return err
		}
		changes = append(changes, c)
	}
	st, err := s.deploy(ctx, w, s.operation(s.fixture.patience(), changes...), nil)
	if err != nil {
		return err
	}
	if len(st.accepted()) != 1 {
		return fmt.Errorf("%d deployments were accepted for one set", len(st.accepted()))
	}
	return nil
}

func digestReference(ctx context.Context, s *session) error {
	if !s.description.Has(schema.DigestReference) {
		return skip("the plugin does not declare digest_reference")
	}
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	c, err := w.bad("digest", func(a AppFixture) string { return a.Digest })
	if err != nil {
		return err
	}
	st, err := s.deploy(ctx, w, s.operation(s.fixture.patience(), c), nil)
	if err != nil {
		return err
	}
	if err := st.succeed("deploy with a digest"); err != nil {
		return err
	}
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	if got := image(after[c.App], c.Container); got != c.To {
		return fmt.Errorf("app %s has %s; asked for %s", c.App, got, c.To)
	}
	return nil
}
