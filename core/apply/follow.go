package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// follower turns the events of one Deploy or Restore into journal entries, standings and events for the world.
type follower struct {
	*run
	wave     int
	accepted journal.Step
	progress event.Type
	// healthy is what a healthy app stands as.
	healthy Standing
	// cancel ends the following when the journal cannot be written any more; nil when it goes on all the same.
	// It waits for the watcher of the interrupt only, never for the orchestrator.
	cancel func()

	acceptedAny, completed bool
	err                    error
}

func (f *follower) event(e orchestrator.Event) {
	switch {
	case e.Accepted != nil:
		f.acceptedAny = true
		if f.accepted == journal.Accepted && !slices.Contains(f.open, e.Accepted.DeploymentID) {
			f.open = append(f.open, e.Accepted.DeploymentID)
		}
		if err := f.Journal.Record(journal.Entry{Step: f.accepted, Wave: f.wave, DeploymentID: e.Accepted.DeploymentID, Apps: e.Accepted.Apps}); err != nil && f.err == nil {
			f.err = err
			if f.cancel != nil {
				f.cancel()
			}
		}
		f.emit(event.Event{
			Type: event.Log, Wave: f.wave, DeploymentID: e.Accepted.DeploymentID,
			Message: fmt.Sprintf("Deployment %s accepted for %s", e.Accepted.DeploymentID, strings.Join(e.Accepted.Apps, ", ")),
		})
	case e.Progress != nil:
		f.emitApp(e.Progress.App, event.Event{Type: f.progress, Ready: e.Progress.Ready, Total: e.Progress.Total, Message: e.Progress.Message})
	case e.AppHealthy != nil:
		f.standing(e.AppHealthy.App, f.healthy, e.AppHealthy.Image, "")
		done := event.ApplyComplete
		if f.healthy == Restored {
			done = event.RestoreProgress
		}
		f.emitApp(e.AppHealthy.App, event.Event{Type: done, Message: "healthy"})
	case e.AppFailed != nil:
		problem := "no reason was given"
		if e.AppFailed.Fault != nil {
			problem = e.AppFailed.Fault.Error()
		}
		f.standing(e.AppFailed.App, Failed, "", problem)
		f.emitApp(e.AppFailed.App, event.Event{Type: event.ApplyErrored, Message: problem})
	case e.Diagnostic != nil:
		f.emit(event.Event{Type: event.Diagnostic, Diagnostic: e.Diagnostic, Message: e.Diagnostic.Summary})
	case e.Log != nil:
		f.emit(event.Event{Type: event.Log, App: e.Log.App, Message: e.Log.Message})
	case e.Completed != nil:
		f.completed = true
	}
}

func (f *follower) standing(app string, s Standing, running, problem string) {
	i, ok := f.index[app]
	if !ok {
		return
	}
	f.apps[i].Standing = s
	if running != "" {
		f.apps[i].Running = running
	}
	if problem != "" {
		f.apps[i].Problem = problem
	}
}

func (f *follower) emitApp(app string, e event.Event) {
	i, ok := f.index[app]
	if !ok {
		// What a plugin says of an app that is not in the plan counts for nothing, but is not kept back.
		f.emit(event.Event{Type: event.Log, Wave: f.wave, App: app, Message: "not in the plan: " + e.Message})
		return
	}
	e.App, e.Wave = app, f.wave
	e.Repo, e.From, e.To = f.apps[i].Repo, f.apps[i].From, f.apps[i].To
	f.emit(e)
}

// verify reads back what the apps run and compares it with what they should.
func (r *run) verify(ctx context.Context, want map[string][]orchestrator.ContainerImage) error {
	running, err := r.running(ctx)
	if err != nil {
		return err
	}
	var wrong []string
	for id, wanted := range want {
		a := &r.apps[r.index[id]]
		a.Running = images(running[id])
		for _, w := range wanted {
			if runs(running[id], w) {
				continue
			}
			a.Standing, a.Problem = Failed, fmt.Sprintf("runs %s instead of %s", orNothing(a.Running), w.Image)
			wrong = append(wrong, fmt.Sprintf("app %s %s", id, a.Problem))
		}
	}
	if len(wrong) > 0 {
		sort.Strings(wrong)
		return errors.New(strings.Join(wrong, "; "))
	}
	r.emit(event.Event{Type: event.Verify, Total: len(want), Message: fmt.Sprintf("Read back %d apps: each runs the image that was planned", len(want))})
	return nil
}

// runs reports whether the wanted image runs in the wanted container. A change of a container without a name is of the
// only one there is.
func runs(have []orchestrator.ContainerImage, want orchestrator.ContainerImage) bool {
	return slices.ContainsFunc(have, func(h orchestrator.ContainerImage) bool {
		return h.Image == want.Image && (want.Container == "" || h.Container == want.Container)
	})
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// running returns the images of every app in the plan's scope.
func (r *run) running(ctx context.Context) (map[string][]orchestrator.ContainerImage, error) {
	bounded, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	running := map[string][]orchestrator.ContainerImage{}
	err := r.Orchestrator.ListApps(bounded, orchestrator.ListRequest{Scope: r.Header.Plan.Scope}, func(a orchestrator.App) error {
		running[a.ID] = a.Images
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the apps of %s: %w", r.Header.Plan.Environment, err)
	}
	return running, nil
}
