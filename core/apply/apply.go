// Package apply carries a plan out: snapshots, wave by wave deployment,
// verification of what runs, and putting everything back when it goes wrong.
//
// Whatever happens, Run ends by saying how every app stands.
package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// Orchestrator is what an operation needs of the orchestrator.
type Orchestrator interface {
	ListApps(ctx context.Context, req orchestrator.ListRequest, yield func(orchestrator.App) error) error
	Snapshot(ctx context.Context, apps []string) ([]orchestrator.Snapshot, error)
	Deploy(ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) error
	Restore(ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) error
}

// Recorder makes a journal entry durable before it returns.
type Recorder interface {
	Record(e journal.Entry) error
	// RecordWith records an entry and the snapshots that belong to it, both or neither.
	RecordWith(e journal.Entry, snapshots []orchestrator.Snapshot) error
}

// Options is one operation.
type Options struct {
	Header       journal.Header
	Orchestrator Orchestrator
	// Canceler is nil when the orchestrator cannot cancel, Attacher when it cannot follow what another process began.
	Canceler orchestrator.Canceler
	Attacher orchestrator.Attacher
	Journal  Recorder
	Emit     event.Sink
	Now      func() time.Time
	// Wait waits between two tries to put back, and errs when ctx ends.
	Wait func(ctx context.Context, d time.Duration) error
	// Timeout bounds one wave, and the restore of one wave; 0 means none.
	Timeout time.Duration
	// Total bounds all waves together, not what is put back; 0 means none.
	Total     time.Duration
	OnFailure policy.OnFailure
	// Gates judges a wave once its apps are healthy; last is set on the last wave. nil when nothing is to be judged.
	Gates func(ctx context.Context, wave []plan.Change, last bool) error
	// Labels are put on every changed app, where the orchestrator has labels.
	Labels map[string]string
	// Hold marks every changed app as held, in the same deployment; nil does not.
	Hold *orchestrator.Hold
	// Interrupt is closed when somebody asks to stop, and restore; InterruptedBy says who, "" at the terminal.
	Interrupt     <-chan struct{}
	InterruptedBy func() string
	// Resume is set when the operation was begun by another process.
	Resume *Resume
}

// Resume is an operation that was broken off.
type Resume struct {
	// By takes it up, as user@host.
	By       string
	Progress journal.Progress
	// Snapshots are those that were kept.
	Snapshots []orchestrator.Snapshot
	// ImagesOnly: their Data was left out or cannot be read, so that only images can be put back.
	ImagesOnly bool
	// PutBack asks to put everything back although it could be finished.
	PutBack bool
}

// Result is how an operation ended.
type Result struct {
	Outcome event.Outcome
	// Err is why it failed; nil when it did not.
	Err error
	// RestoreErr is why putting back failed as well; nil when it did not.
	RestoreErr error
	// Unrecorded is why the end could not be recorded, so that the operation is unfinished on record; nil when it was.
	Unrecorded error
	// AsBefore: whatever was changed has been put back, or nothing was changed.
	AsBefore bool
	// Apps tells how every changed app stands, in the plan's order.
	Apps []AppState
}

// Standing is how an app stands.
type Standing string

// How an app may stand.
const (
	Pending   Standing = "pending"
	Deploying Standing = "deploying"
	Healthy   Standing = "healthy"
	Failed    Standing = "failed"
	Restored  Standing = "restored"
	// Unknown: it was touched, and what it runs could not be read back.
	Unknown Standing = "unknown"
)

// AppState is how one app stands.
type AppState struct {
	Repo, App string
	// From and To are the plan's references.
	From, To string
	// Running is the reference last read from the orchestrator; "" when it was not.
	Running  string
	Standing Standing
	// Problem says why it failed, for a person; "" when it did not.
	Problem string
}

// errInterrupted is the cause of a stop that a person asked for.
var errInterrupted = errors.New("interrupted")

const (
	// grace is what a plugin gets beyond the timeout it was told, before it is taken for hung.
	grace = 30 * time.Second
	// longestRead bounds reading back and cancelling: an orchestrator that hangs must not keep people waiting for word.
	longestRead = 2 * time.Minute
	// lastLook bounds reading back what runs for somebody who has asked to stop at once.
	lastLook = 5 * time.Second
)

// Run carries out the plan of o.Header, or what is left of it, under a lock that the caller holds, after the journal's first
// entry.
// A cancelled ctx is the second Ctrl-C, or a lost lock: everything stops where it is, nothing is put back,
// and the result says what is where as far as it is known.
func Run(ctx context.Context, o Options) Result {
	r := newRun(o)
	res := r.do(ctx)
	res.Apps = r.apps
	end := journal.Entry{Step: journal.Ended, Outcome: res.Outcome, Reason: reason(res), Running: map[string]string{}}
	if r.unfit {
		return res
	}
	if ctx.Err() != nil && !res.AsBefore && res.Outcome != event.Done {
		// It has not ended: somebody has to take it up.
		end = journal.Entry{Step: journal.Stopped, Reason: reason(res), Interrupted: res.Outcome == event.Interrupted}
	}
	for _, a := range r.apps {
		if a.Running != "" && end.Running != nil {
			end.Running[a.App] = a.Running
		}
	}
	if err := o.Journal.Record(end); err != nil {
		res.Unrecorded = err
	}
	return res
}

func reason(res Result) string {
	if err := errors.Join(res.Err, res.RestoreErr); err != nil {
		return err.Error()
	}
	return ""
}

// run is the state of one Run. It is used from one goroutine.
type run struct {
	Options
	apps      []AppState
	index     map[string]int
	snapshots map[string]orchestrator.Snapshot
	started   time.Time
	// open are the deployments forward that were accepted and not seen to their end.
	open []string
	// unrecorded is what kept steps of putting back from the journal.
	unrecorded []error
	// unheardOf are waves of which it is not known whether the orchestrator has taken them, and under which deployments.
	unheardOf map[int]bool
	// unfit: the journal could not be taken up, so nothing more is written to it.
	unfit bool
	// begun are the waves whose deployment may have been sent.
	begun []int
}

func newRun(o Options) *run {
	r := &run{Options: o, index: map[string]int{}, snapshots: map[string]orchestrator.Snapshot{}, unheardOf: map[int]bool{}, started: o.Now()}
	for _, wave := range o.Header.Plan.Waves() {
		for _, c := range wave {
			if i, seen := r.index[c.App]; seen {
				// One app with two changed containers is one app.
				r.apps[i].To += ", " + c.To.Image
				r.apps[i].From += ", " + c.From.Image
				continue
			}
			r.index[c.App] = len(r.apps)
			r.apps = append(r.apps, AppState{Repo: c.Repo, App: c.App, From: c.From.Image, To: c.To.Image, Standing: Pending})
		}
	}
	return r
}

func (r *run) do(ctx context.Context) Result {
	if r.Resume != nil {
		return r.takeUp(ctx)
	}
	return r.forward(ctx, true)
}

// forward takes the snapshots where they are still to be taken, and deploys the waves that are left.
func (r *run) forward(ctx context.Context, fresh bool) Result {
	if fresh {
		if err := r.begin(ctx); err != nil {
			return Result{Outcome: r.refusedOr(err), Err: err, AsBefore: true}
		}
	}
	waves := r.Header.Plan.Waves()
	for i, changes := range waves {
		err := r.wave(ctx, i+1, len(waves), changes)
		if err == nil {
			continue
		}
		if len(r.begun) == 0 {
			return Result{Outcome: r.refusedOr(err), Err: err, AsBefore: true}
		}
		return r.fail(ctx, err)
	}
	if err := r.verify(ctx, r.wanted()); err != nil {
		return r.fail(ctx, r.interruptedOr(ctx, fmt.Errorf("verify what runs: %w", err)))
	}
	return Result{Outcome: event.Done}
}

// refusedOr tells an interrupt before any change from an error before any change.
func (r *run) refusedOr(err error) event.Outcome {
	if errors.Is(err, errInterrupted) || errors.Is(err, context.Canceled) {
		return event.Interrupted
	}
	return event.Refused
}

// begin takes the snapshots, and makes sure that they are of what was planned. It changes nothing.
func (r *run) begin(ctx context.Context) error {
	soft, stop := r.soft(ctx)
	defer stop()
	ids := make([]string, len(r.apps))
	for i, a := range r.apps {
		ids[i] = a.App
	}
	snapshots, err := r.Orchestrator.Snapshot(soft, ids)
	if err != nil {
		return r.interruptedOr(ctx, fmt.Errorf("read the configuration of the apps before changing them: %w", err))
	}
	if len(snapshots) != len(ids) {
		return fmt.Errorf("read the configuration of the apps before changing them: asked for %d apps and got %d", len(ids), len(snapshots))
	}
	for _, s := range snapshots {
		r.snapshots[s.App] = s
	}
	for _, c := range r.Header.Plan.Changes {
		s, ok := r.snapshots[c.App]
		if c.Wave == 0 {
			continue
		}
		if !ok {
			return fmt.Errorf("read the configuration of app %s before changing it: the orchestrator did not return it", c.App)
		}
		if c.Fingerprint != "" && s.Fingerprint != c.Fingerprint {
			return fault.New(fault.Drifted, "app %s has changed since the plan was made: nothing was changed; make a new plan", c.App).On(c.App)
		}
	}
	r.emit(event.Event{Type: event.Snapshot, Message: fmt.Sprintf("Read the configuration of %d apps, to put back if need be", len(ids)), Total: len(ids)})
	if err := r.Journal.RecordWith(journal.Entry{Step: journal.Snapshotted, Apps: ids}, snapshots); err != nil {
		return err
	}
	return r.interruptedOr(ctx, nil)
}

// soft returns a context that ends with ctx, at the first interrupt, or when a plugin has overrun its timeout by far.
func (r *run) soft(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := time.Duration(0)
	if r.Timeout > 0 {
		limit = r.Timeout + grace
	}
	return r.within(ctx, limit)
}

// within returns a context that ends with ctx, at the first interrupt, or after a time; 0 is none.
func (r *run) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	bounded, release := context.WithCancel(ctx)
	if limit > 0 {
		bounded, release = context.WithTimeout(ctx, limit)
	}
	soft, cancel := context.WithCancelCause(bounded)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-r.Interrupt:
			cancel(errInterrupted)
		case <-soft.Done():
		}
	}()
	return soft, func() { cancel(context.Canceled); release(); <-done }
}

func (r *run) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, r.Timeout+grace)
}

// interruptedOr returns errInterrupted, with err's text, when a person asked to stop or ctx has ended; else err.
func (r *run) interruptedOr(ctx context.Context, err error) error {
	if !r.interrupted() && ctx.Err() == nil {
		return err
	}
	why := errInterrupted
	if r.InterruptedBy != nil && ctx.Err() == nil {
		if by := r.InterruptedBy(); by != "" {
			why = fmt.Errorf("%w by %s", errInterrupted, by)
		}
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		why = cause
	}
	if err == nil {
		return why
	}
	return fmt.Errorf("%w: %w", why, err)
}

func (r *run) interrupted() bool {
	select {
	case <-r.Interrupt:
		return true
	default:
		return false
	}
}

func (r *run) emit(e event.Event) {
	e.OperationID = r.Header.OperationID
	e.At = r.Now()
	if e.Elapsed == 0 {
		e.Elapsed = e.At.Sub(r.started)
	}
	r.Emit(e)
}

// mark moves the named apps from one standing to another; apps that stand otherwise stay.
func (r *run) mark(ids []string, from, to Standing) {
	for _, id := range ids {
		if a := &r.apps[r.index[id]]; a.Standing == from {
			a.Standing = to
		}
	}
}

// wanted is what each changed container is to run, by app.
func (r *run) wanted() map[string][]orchestrator.ContainerImage {
	want := map[string][]orchestrator.ContainerImage{}
	for _, wave := range r.Header.Plan.Waves() {
		for _, c := range wave {
			want[c.App] = append(want[c.App], orchestrator.ContainerImage{Container: c.Container, Image: c.To.Image})
		}
	}
	return want
}
