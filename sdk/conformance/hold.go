package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// holdChecks are about marking apps, and about deploying what once was.
func holdChecks() []check {
	return []check{
		{"orchestrator/hold", []string{"O28", "P23"}, "A pipeline that asks must learn that an app is held, until it is released or deployed anew.", holds},
		{"orchestrator/deploy-revision", []string{"O29", "P23"}, "An image of then may need the configuration of then.", deploysRevision},
		{"orchestrator/unknown-revision", []string{"O29", "P23"}, "What is not remembered must not be guessed.", unknownRevision},
	}
}

func holds(ctx context.Context, s *session) error {
	if !s.description.Has(schema.Hold) {
		return skip("the plugin does not declare hold")
	}
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	lifter, ok := w.Orchestrator.(orchestrator.HoldLifter)
	if !ok {
		return skip("LiftHold is not implemented")
	}
	c, err := w.change(0)
	if err != nil {
		return err
	}
	req := s.operation(s.fixture.patience(), c)
	req.Hold = &orchestrator.Hold{OperationID: req.OperationID, Reason: "an incident"}
	st, err := s.deploy(ctx, w, req, nil)
	if err != nil {
		return err
	}
	if st.err != nil {
		return skip("the deploy did not succeed: %v", st.err)
	}
	if err := s.held(ctx, w, c.App, &orchestrator.Hold{OperationID: req.OperationID, Reason: "an incident", Images: []string{c.To}}); err != nil {
		return fmt.Errorf("after a deploy with a hold: %w", err)
	}
	lift := orchestrator.LiftHoldRequest{OperationID: s.operation(0).OperationID, Apps: []string{c.App}, Timeout: s.fixture.patience()}
	lifted := s.collect(func(emit func(orchestrator.Event)) error { return lifter.LiftHold(ctx, lift, emit) }, nil)
	if err := errors.Join(lifted.grammar(map[string]bool{c.App: true}), lifted.succeed("lift a hold")); err != nil {
		return err
	}
	if err := s.held(ctx, w, c.App, nil); err != nil {
		return fmt.Errorf("after it was lifted: %w", err)
	}
	return s.holdEndsWithAnotherImage(ctx, w.Apps[0])
}

// holdEndsWithAnotherImage: whoever deploys another image without a word of holding has lifted the hold.
func (s *session) holdEndsWithAnotherImage(ctx context.Context, f AppFixture) error {
	for _, hold := range []bool{true, false} {
		w, err := s.world(ctx)
		if err != nil {
			return err
		}
		c, err := w.change(0)
		if err != nil {
			return err
		}
		req := s.operation(s.fixture.patience(), c)
		if hold {
			req.Hold = &orchestrator.Hold{OperationID: req.OperationID, Reason: "an incident"}
		}
		st, err := s.deploy(ctx, w, req, nil)
		if err != nil {
			return err
		}
		if err := st.succeed("deploy"); err != nil {
			return err
		}
		if hold {
			continue
		}
		if err := s.held(ctx, w, f.ID, nil); err != nil {
			return fmt.Errorf("after another image was deployed: %w", err)
		}
	}
	return nil
}

// held compares the hold of an app.
func (s *session) held(ctx context.Context, w *world, app string, want *orchestrator.Hold) error {
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, after[app].Hold); diff != "" {
		return fmt.Errorf("the hold of app %s (-wanted +listed):\n%s", app, diff)
	}
	return nil
}

func deploysRevision(ctx context.Context, s *session) error {
	if !s.description.Has(schema.Revision) || !s.description.Has(schema.History) {
		return skip("the plugin does not declare revision and history")
	}
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	h, ok := w.Orchestrator.(orchestrator.Historian)
	if !ok {
		return skip("history is not implemented")
	}
	c, err := w.change(0)
	if err != nil {
		return err
	}
	// Something besides the image is another: a label, where there are labels.
	req := s.operation(s.fixture.patience(), c)
	req.Labels = map[string]string{"conformance": "later"}
	st, err := s.deploy(ctx, w, req, nil)
	if err != nil {
		return err
	}
	if st.err != nil {
		return skip("the deploy did not succeed: %v", st.err)
	}
	f, was := w.Apps[0], c.From
	old, err := s.revisionOf(ctx, h, f, was)
	if err != nil {
		return err
	}
	if old == nil {
		return errors.New("what ran before the deploy is no revision")
	}
	if w, err = s.world(ctx); err != nil {
		return err
	}
	c = w.changeTo(0, was)
	c.Revision = old.Version
	st, err = s.deploy(ctx, w, s.operation(s.fixture.patience(), c), nil)
	if err != nil {
		return err
	}
	if err := st.succeed("deploy of a revision"); err != nil {
		return err
	}
	now, err := s.revisionOf(ctx, h, f, was)
	if err != nil {
		return err
	}
	if now == nil {
		return errors.New("the app has no revision with the image that was deployed")
	}
	if diff := cmp.Diff(configuration(old.Config), configuration(now.Config)); diff != "" {
		return fmt.Errorf("the configuration is not that of the revision (-revision +now):\n%s", diff)
	}
	return nil
}

// revisionOf is the newest revision of an app with an image; nil when there is none.
func (s *session) revisionOf(ctx context.Context, h orchestrator.Historian, f AppFixture, image string) (*orchestrator.Revision, error) {
	var found *orchestrator.Revision
	err := h.ListRevisions(ctx, f.ID, func(r orchestrator.Revision) error {
		runs := slices.ContainsFunc(r.Images, func(i orchestrator.ContainerImage) bool {
			return i.Container == f.Container && i.Image == image
		})
		if runs && found == nil {
			found = &r
		}
		return nil
	})
	if s.hear(err) != nil {
		return nil, fmt.Errorf("list revisions of %s: %w", f.ID, err)
	}
	return found, nil
}

// configuration is what of a configuration must be the same: not the marks of operations, nor what follows from the present.
func configuration(config map[string]string) map[string]string {
	out := maps.Clone(config)
	maps.DeleteFunc(out, func(key, _ string) bool {
		return strings.Contains(key, "rollback.") || strings.HasPrefix(key, "version") || strings.Contains(key, "instances")
	})
	return out
}

func unknownRevision(ctx context.Context, s *session) error {
	if !s.description.Has(schema.Revision) {
		return skip("the plugin does not declare revision")
	}
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	c, err := w.change(0)
	if err != nil {
		return err
	}
	c.Revision = "1970-01-01T00:00:00.000Z"
	st, err := s.deploy(ctx, w, s.operation(s.fixture.patience(), c), nil)
	if err != nil {
		return err
	}
	if len(st.accepted()) > 0 {
		return errors.New("a deployment was started for a revision that does not exist")
	}
	if err := want(st.err, fault.NotFound); err != nil {
		return err
	}
	return s.unchanged(ctx, w)
}
