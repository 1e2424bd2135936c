package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// deployChecks are about changes that succeed, or are refused.
func deployChecks() []check {
	return []check{
		{"orchestrator/deploy-changes-the-image", []string{"O9", "O12", "O4"}, "Healthy means: read back, it runs the wanted image; and the fingerprint says that it changed.", deployChanges},
		{"orchestrator/deploy-changes-nothing-else", []string{"O9"}, "A rollback changes images, not the number of instances, and no other app.", deployNothingElse},
		{"orchestrator/events-in-order", []string{"O10", "O11", "O13"}, "The host acts on each event: before Accepted it may give up, afterwards it must put back.", eventsInOrder},
		{"orchestrator/completed-means-success", []string{"O14"}, "The call succeeds exactly when Completed was sent, else one of both is believed wrongly.", completedMeansSuccess},
		{"orchestrator/labels-are-added", []string{"O9"}, "Labels say which operation changed an app; those of others stay.", labelsAdded},
		{"orchestrator/nothing-to-do", []string{"O15"}, "An app that is as wanted is not restarted.", nothingToDo},
		{"orchestrator/operation-is-carried-out-once", []string{"O16"}, "After a lost answer the host asks again; a second deployment would restart everything.", carriedOutOnce},
		{"orchestrator/drifted-changes-nothing", []string{"O8", "O11", "O23"}, "Somebody else has changed an app since the plan: nothing of the set may be changed.", driftedChangesNothing},
		{"orchestrator/restore-puts-back", []string{"O7", "O18"}, "What restore does not put back, a person must, at night.", restorePutsBack},
		{"orchestrator/restore-leaves-alone", []string{"O18", "O15"}, "An app that is as its snapshot is not restarted.", restoreLeavesAlone},
		{"orchestrator/cancel-ends-the-following-only", []string{"O25", "P18"}, "A host that goes away must not stop a deployment half-way.", cancelEndsFollowing},
	}
}

// succeed is an error unless a call ended well.
func (st *stream) succeed(what string) error {
	if st.err != nil {
		return fmt.Errorf("%s: %w", what, st.err)
	}
	return nil
}

// deployOne gives the first app another image, without time limit but patience.
func (s *session) deployOne(ctx context.Context) (*world, orchestrator.DeployRequest, *stream, error) {
	w, err := s.world(ctx)
	if err != nil {
		return nil, orchestrator.DeployRequest{}, nil, err
	}
	c, err := w.change(0)
	if err != nil {
		return nil, orchestrator.DeployRequest{}, nil, err
	}
	req := s.operation(s.fixture.patience(), c)
	st, err := s.deploy(ctx, w, req, nil)
	return w, req, st, err
}

func deployChanges(ctx context.Context, s *session) error {
	w, req, st, err := s.deployOne(ctx)
	if err != nil {
		return err
	}
	if err := st.succeed("deploy"); err != nil {
		return err
	}
	c := req.Changes[0]
	if got := st.healthy()[c.App]; got != c.To {
		return fmt.Errorf("app %s: healthy with image %q; asked for %s", c.App, got, c.To)
	}
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	a := after[c.App]
	if got := image(a, c.Container); got != c.To {
		return fmt.Errorf("app %s runs %q after the deploy of %s", c.App, got, c.To)
	}
	if a.Healthy >= 0 && a.Healthy < a.Instances {
		return fmt.Errorf("app %s was called healthy, with %d of %d instances", c.App, a.Healthy, a.Instances)
	}
	if a.Fingerprint == w.apps[c.App].Fingerprint {
		return fmt.Errorf("app %s has another image and the same fingerprint", c.App)
	}
	return nil
}

func deployNothingElse(ctx context.Context, s *session) error {
	w, req, st, err := s.deployOne(ctx)
	if err != nil {
		return err
	}
	if st.err != nil {
		return skip("the deploy did not succeed: %v", st.err)
	}
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	for id, before := range w.apps {
		now, ok := after[id]
		if !ok {
			return fmt.Errorf("app %s is gone", id)
		}
		if id != req.Changes[0].App && now.Fingerprint != before.Fingerprint {
			return fmt.Errorf("app %s was changed too", id)
		}
		if now.Instances != before.Instances || len(now.Images) != len(before.Images) {
			return fmt.Errorf("app %s has %d instances and %d containers; it had %d and %d", id, now.Instances, len(now.Images), before.Instances, len(before.Images))
		}
	}
	return nil
}

func eventsInOrder(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	var changes []orchestrator.Change
	apps := map[string]bool{}
	for i := range w.Apps[:2] {
		c, err := w.change(i)
		if err != nil {
			return err
		}
		changes = append(changes, c)
		apps[c.App] = true
	}
	st, err := s.deploy(ctx, w, s.operation(s.fixture.patience(), changes...), nil)
	if err != nil {
		return err
	}
	if err := st.grammar(apps); err != nil {
		return err
	}
	if st.err == nil && len(st.accepted()) == 0 {
		return errors.New("something was changed without Accepted")
	}
	return nil
}

func completedMeansSuccess(ctx context.Context, s *session) error {
	_, _, st, err := s.deployOne(ctx)
	if err != nil {
		return err
	}
	if st.completed() != (st.err == nil) {
		return fmt.Errorf("sent Completed: %v; the call returned %v", st.completed(), st.err) //nolint:errorlint // nil is shown too
	}
	return nil
}

func labelsAdded(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	c, err := w.change(0)
	if err != nil {
		return err
	}
	req := s.operation(s.fixture.patience(), c)
	req.Labels = map[string]string{"rollback-conformance": "1"}
	st, err := s.deploy(ctx, w, req, nil)
	if err != nil {
		return err
	}
	if st.err != nil {
		return skip("the deploy did not succeed: %v", st.err)
	}
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	for k, v := range w.apps[c.App].Labels {
		if after[c.App].Labels[k] != v {
			return fmt.Errorf("app %s has lost its label %s", c.App, k)
		}
	}
	if len(after[c.App].Labels) > 0 && after[c.App].Labels["rollback-conformance"] != "1" {
		return fmt.Errorf("app %s has labels, but not the one of the request", c.App)
	}
	return nil
}

func nothingToDo(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	f := w.Apps[0]
	c := w.changeTo(0, image(w.apps[f.ID], f.Container))
	st, err := s.deploy(ctx, w, s.operation(s.fixture.patience(), c), nil)
	if err != nil {
		return err
	}
	if err := st.succeed("deploy of what is there already"); err != nil {
		return err
	}
	if len(st.accepted()) > 0 {
		return fmt.Errorf("deployment %q was started although nothing was to be done", st.ids())
	}
	if _, ok := st.healthy()[f.ID]; !ok {
		return fmt.Errorf("AppHealthy of %s is missing", f.ID)
	}
	return nil
}

func carriedOutOnce(ctx context.Context, s *session) error {
	w, req, st, err := s.deployOne(ctx)
	if err != nil {
		return err
	}
	if st.err != nil {
		return skip("the deploy did not succeed: %v", st.err)
	}
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	again := s.collect(func(emit func(orchestrator.Event)) error { return w.Deploy(ctx, req, emit) }, nil)
	if err := again.succeed("deploy again with the same operation_id"); err != nil {
		return err
	}
	if d := cmp.Diff(st.ids(), again.ids()); d != "" {
		return fmt.Errorf("the deployments of the repeated operation are others (-first +again):\n%s", d)
	}
	app := req.Changes[0].App
	last, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	if last[app].Version != after[app].Version {
		return fmt.Errorf("app %s went from version %s to %s: it was deployed twice", app, after[app].Version, last[app].Version)
	}
	return nil
}

func driftedChangesNothing(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	first, err := w.change(0)
	if err != nil {
		return err
	}
	second, err := w.change(1)
	if err != nil {
		return err
	}
	second.ExpectedFingerprint = "not-the-fingerprint"
	st, err := s.deploy(ctx, w, s.operation(s.fixture.patience(), first, second), nil)
	if err != nil {
		return err
	}
	if err := want(st.err, fault.Drifted); err != nil {
		return err
	}
	if len(st.accepted()) > 0 {
		return errors.New("a deployment was accepted")
	}
	return s.unchanged(ctx, w)
}

// unchanged is an error when an app is not as it was when the check began.
func (s *session) unchanged(ctx context.Context, w *world) error {
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	for id, before := range w.apps {
		if now := after[id]; now.Fingerprint != before.Fingerprint || !cmp.Equal(now.Images, before.Images) {
			return fmt.Errorf("app %s was changed: from %v to %v", id, before.Images, now.Images)
		}
	}
	return nil
}

func restorePutsBack(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	id := w.Apps[0].ID
	snaps, err := w.Snapshot(ctx, []string{id})
	if s.hear(err) != nil {
		return fmt.Errorf("snapshot %s: %w", id, err)
	}
	c, err := w.change(0)
	if err != nil {
		return err
	}
	req := s.operation(s.fixture.patience(), c)
	req.Labels = map[string]string{"rollback-conformance": "2"}
	if _, err := s.deploy(ctx, w, req, nil); err != nil {
		return err
	}
	other, err := s.world(ctx) // another process
	if err != nil {
		return err
	}
	st := s.collect(func(emit func(orchestrator.Event)) error {
		return other.Restore(ctx, orchestrator.RestoreRequest{OperationID: req.OperationID + "-restore", Snapshots: snaps, Timeout: s.fixture.patience()}, emit)
	}, nil)
	if err := st.succeed("restore in another process"); err != nil {
		return err
	}
	if err := st.grammar(map[string]bool{id: true}); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if !st.completed() {
		return errors.New("restore succeeded without Completed")
	}
	return s.unchanged(ctx, w)
}

func restoreLeavesAlone(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	id := w.Apps[0].ID
	snaps, err := w.Snapshot(ctx, []string{id})
	if s.hear(err) != nil {
		return fmt.Errorf("snapshot %s: %w", id, err)
	}
	req := orchestrator.RestoreRequest{OperationID: s.operation(0).OperationID, Snapshots: snaps, Timeout: s.fixture.patience()}
	st := s.collect(func(emit func(orchestrator.Event)) error { return w.Restore(ctx, req, emit) }, nil)
	if err := st.succeed("restore of what is there already"); err != nil {
		return err
	}
	if len(st.accepted()) > 0 {
		return fmt.Errorf("deployment %q was started although nothing was to be done", st.ids())
	}
	after, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	if after[id].Version != w.apps[id].Version {
		return fmt.Errorf("app %s went from version %s to %s", id, w.apps[id].Version, after[id].Version)
	}
	return nil
}

func cancelEndsFollowing(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	c, err := w.change(0)
	if err != nil {
		return err
	}
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	var st *stream
	var problem error
	var cancelled time.Time
	late := promptly(s.fixture.patience()+grace, "a cancelled deploy", func() {
		st, problem = s.deploy(short, w, s.operation(s.fixture.patience(), c), func(e orchestrator.Event) {
			if e.Accepted != nil {
				cancelled = time.Now()
				cancel()
			}
		})
	})
	if late != nil {
		return late
	}
	if problem != nil {
		return problem
	}
	if cancelled.IsZero() {
		return skip("the deploy was not accepted: %v", st.err)
	}
	if took := time.Since(cancelled); took > grace {
		return fmt.Errorf("the cancelled deploy took %s to end", took)
	}
	return s.awaitImage(ctx, w, c)
}

// awaitImage looks until an app has its image, healthy.
func (s *session) awaitImage(ctx context.Context, w *world, c orchestrator.Change) error {
	deadline := time.Now().Add(s.fixture.patience())
	for {
		apps, err := s.look(ctx, w.Orchestrator, w.Scope)
		if err != nil {
			return err
		}
		a := apps[c.App]
		if image(a, c.Container) == c.To && len(a.Deployments) == 0 && (a.Healthy < 0 || a.Healthy >= a.Instances) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("app %s did not become healthy with %s: it has %v, %d of %d healthy, deployments %q",
				c.App, c.To, a.Images, a.Healthy, a.Instances, slices.Clone(a.Deployments))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
