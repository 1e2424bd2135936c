package apply_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// fake is an orchestrator whose deployments are over at once. What it cannot do well is scripted, call by call.
type fake struct {
	t *testing.T
	// runs are the images by app and container.
	runs map[string]map[string]string
	// calls are the calls that were made, and the journal's entries between them.
	calls []string
	// onDeploy, onRestore and onSnapshot take the place of a call when they return true.
	onDeploy   func(ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error)
	onRestore  func(ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) (bool, error)
	onSnapshot func(ctx context.Context, apps []string) (bool, []orchestrator.Snapshot, error)
	onList     func(ctx context.Context) error
	onCancel   func(ctx context.Context, ids []string) error
	// onEntry may refuse to record.
	onEntry func(journal.Entry) error
	onEvent func(event.Event)
	events  []event.Event
	waits   []time.Duration
}

func (f *fake) say(format string, args ...any) {
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

func (f *fake) images(app string) []orchestrator.ContainerImage {
	var out []orchestrator.ContainerImage
	for c, image := range f.runs[app] {
		out = append(out, orchestrator.ContainerImage{Container: c, Image: image})
	}
	slices.SortFunc(out, func(a, b orchestrator.ContainerImage) int { return strings.Compare(a.Container, b.Container) })
	return out
}

func (f *fake) ListApps(ctx context.Context, _ orchestrator.ListRequest, yield func(orchestrator.App) error) error {
	if f.onList != nil {
		if err := f.onList(ctx); err != nil {
			return err
		}
	}
	for id := range f.runs {
		if err := yield(orchestrator.App{ID: id, Images: f.images(id)}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Snapshot(ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
	f.say("snapshot %s", strings.Join(apps, " "))
	if f.onSnapshot != nil {
		if instead, s, err := f.onSnapshot(ctx, apps); instead {
			return s, err
		}
	}
	var out []orchestrator.Snapshot
	for _, id := range apps {
		if f.runs[id] == nil {
			return nil, fault.New(fault.NotFound, "there is no app %s", id)
		}
		out = append(out, orchestrator.Snapshot{App: id, Images: f.images(id), Fingerprint: "f-" + id})
	}
	return out, nil
}

func (f *fake) Deploy(ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) error {
	f.say("deploy %s", req.OperationID)
	if f.onDeploy != nil {
		if instead, err := f.onDeploy(ctx, req, emit); instead {
			return err
		}
	}
	emit(accepted("D-" + req.OperationID))
	for _, c := range req.Changes {
		f.runs[c.App][c.Container] = c.To
	}
	for _, id := range idsOf(req.Changes) {
		emit(orchestrator.Event{Progress: &orchestrator.Progress{App: id, Ready: 1, Total: 2}})
		emit(orchestrator.Event{AppHealthy: &orchestrator.AppHealthy{App: id, Image: f.images(id)[0].Image}})
	}
	emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
	return nil
}

func (f *fake) Restore(ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) error {
	f.say("restore %s", req.OperationID)
	if f.onRestore != nil {
		if instead, err := f.onRestore(ctx, req, emit); instead {
			return err
		}
	}
	emit(accepted("R-" + req.OperationID))
	for _, s := range req.Snapshots {
		for _, c := range s.Images {
			f.runs[s.App][c.Container] = c.Image
		}
		emit(orchestrator.Event{AppHealthy: &orchestrator.AppHealthy{App: s.App}})
	}
	emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
	return nil
}

func (f *fake) Cancel(ctx context.Context, req orchestrator.CancelRequest) error {
	f.say("cancel %s", strings.Join(req.DeploymentIDs, " "))
	if f.onCancel != nil {
		return f.onCancel(ctx, req.DeploymentIDs)
	}
	return nil
}

func (f *fake) Record(e journal.Entry) error {
	f.say("journal %s", e.Step)
	if f.onEntry != nil {
		return f.onEntry(e)
	}
	return nil
}

func (f *fake) emit(e event.Event) {
	f.events = append(f.events, e)
	if f.onEvent != nil {
		f.onEvent(e)
	}
}

func (f *fake) wait(ctx context.Context, d time.Duration) error {
	f.waits = append(f.waits, d)
	return ctx.Err()
}

func idsOf(changes []orchestrator.Change) []string {
	var ids []string
	for _, c := range changes {
		if !slices.Contains(ids, c.App) {
			ids = append(ids, c.App)
		}
	}
	return ids
}

func accepted(id string) orchestrator.Event {
	return orchestrator.Event{Accepted: &orchestrator.Accepted{DeploymentID: id, Apps: []string{"/a"}}}
}

// change takes a container of an app from old to new.
func change(app, container string, wave int) plan.Change {
	return plan.Change{
		Repo: strings.Trim(app, "/") + container, App: app, Container: container, Action: plan.Rollback, Wave: wave, Fingerprint: "f-" + app,
		From: plan.Image{Image: "old" + app + container, Tag: "2"}, To: plan.Image{Image: "new" + app + container, Tag: "1"},
	}
}

// start is an operation with a fake that runs what the changes leave.
func start(t *testing.T, changes ...plan.Change) (*fake, apply.Options) {
	f := &fake{t: t, runs: map[string]map[string]string{}}
	for _, c := range changes {
		if f.runs[c.App] == nil {
			f.runs[c.App] = map[string]string{}
		}
		f.runs[c.App][c.Container] = c.From.Image
	}
	return f, apply.Options{
		Header:       journal.Header{OperationID: "OP", Environment: "prod", Plan: &plan.Plan{Environment: "prod", Scope: "/", Changes: changes}},
		Orchestrator: f, Canceler: f, Journal: f, Emit: f.emit, Now: time.Now, Wait: f.wait, Timeout: time.Minute, OnFailure: "restore",
	}
}

// standings are how the apps stand.
func standings(res apply.Result) map[string]apply.Standing {
	out := map[string]apply.Standing{}
	for _, a := range res.Apps {
		out[a.App] = a.Standing
	}
	return out
}

// doomed lets the app's deployment fail after it was accepted.
func doomed(f *fake, app string) func(context.Context, orchestrator.DeployRequest, func(orchestrator.Event)) (bool, error) {
	return func(_ context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) (bool, error) {
		if !slices.Contains(idsOf(req.Changes), app) {
			return false, nil
		}
		emit(accepted("D-" + req.OperationID))
		for _, c := range req.Changes {
			f.runs[c.App][c.Container] = c.To
		}
		why := fault.New(fault.Doomed, "%s crashes", app)
		emit(orchestrator.Event{AppFailed: &orchestrator.AppFailed{App: app, Fault: why}})
		return true, why
	}
}

// RecordWith keeps the entry; the snapshots are those that Snapshot gave.
func (f *fake) RecordWith(e journal.Entry, _ []orchestrator.Snapshot) error { return f.Record(e) }
