package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/gate"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/notice"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// operation is what is carried out under the lock.
type operation struct {
	header  journal.Header
	journal *state.Journal
	run     Run
	// resume is nil for an operation that begins.
	resume *apply.Resume
}

// operate carries an operation out, or what is left of it, and tells of it.
func (e *Engine) operate(ctx context.Context, op operation) ApplyResult {
	h, j := op.header, recorder{op.journal, e.Recorded}
	if op.resume == nil {
		// Before anybody is told: what cannot be recorded does not begin.
		err := j.Record(journal.Entry{Step: journal.Started, Apps: h.Plan.Apps()})
		var claimed *state.ClaimedError
		switch {
		case errors.As(err, &claimed):
			return refused(&AppliedError{Operation: claimed.By})
		case err != nil:
			return refused(err)
		}
	}
	teller := notice.New(e.Notifiers, notice.Options{
		Header: h, Link: op.run.Link, Host: op.run.Host, Now: e.Now, Timeout: op.run.NotifyTimeout,
		Warn: func(d diag.Diagnostic) {
			e.Emit(event.Event{Type: event.Diagnostic, At: e.Now(), OperationID: h.OperationID, Diagnostic: &d, Message: d.Summary})
		},
	})
	e.Emit(event.Event{Type: event.OperationStart, At: e.Now(), OperationID: h.OperationID, Message: h.Environment, To: h.Plan.To})
	teller.Started(ctx)
	emit := func(ev event.Event) {
		e.Emit(ev)
		if memorable(ev.Type) {
			op.journal.Note(ev)
		}
		teller.Event(ctx, ev)
	}
	w := e.watchForCancel(ctx, op)
	o := apply.Options{
		Header: h, Orchestrator: e.Orchestrator, Journal: j, Emit: emit, Now: e.Now, Wait: e.Wait,
		Timeout: e.Policy.Apply.Timeout, Total: e.Policy.Apply.TotalTimeout, OnFailure: e.Policy.Apply.OnFailure,
		Gates:     e.gates(h, emit),
		Hold:      e.hold(h),
		Interrupt: w.stop, InterruptedBy: w.by, Labels: labels(h.OperationID, h.Reason), Resume: op.resume,
	}
	if e.Capabilities.Has(schema.Cancel) {
		o.Canceler, _ = e.Orchestrator.(orchestrator.Canceler)
	}
	if e.Capabilities.Has(schema.Attach) {
		o.Attacher, _ = e.Orchestrator.(orchestrator.Attacher)
	}
	res := ApplyResult{Result: apply.Run(ctx, o), OperationID: h.OperationID}
	w.end()
	// A second Ctrl-C has ended ctx; people are told all the same, each within its own timeout, and records are kept.
	last := context.WithoutCancel(ctx)
	e.afterwards(last, h, &res)
	teller.Ended(last, res.Result, follows(res))
	return res
}

// gates judges waves by the policy's blocks verify; nil when there are none.
func (e *Engine) gates(h journal.Header, emit event.Sink) func(context.Context, []plan.Change, bool) error {
	say := func(owner, kind, message string) {
		emit(event.Event{Type: event.Gate, At: e.Now(), OperationID: h.OperationID, Message: fmt.Sprintf("verify %q of %s: %s", kind, owner, message)})
	}
	return func(ctx context.Context, wave []plan.Change, last bool) error {
		checks := e.checks(h, wave, last)
		if len(checks) == 0 {
			return nil
		}
		return gate.Run(ctx, checks, gate.Options{Emit: say, Now: e.Now, Wait: e.Wait, Environ: e.Environ, Secrets: e.Policy.Secrets})
	}
}

// checks are the gates of a wave: those of its repos and, after the last wave, those of the environment.
func (e *Engine) checks(h journal.Header, wave []plan.Change, last bool) []gate.Check {
	facts := func(repo string, changes []plan.Change) gate.Facts {
		f := gate.Facts{Environment: h.Environment, Operation: h.OperationID, To: h.Plan.To, Repo: repo, Images: map[string]string{}}
		for _, c := range changes {
			if c.Wave == 0 || repo != "" && c.Repo != repo {
				continue
			}
			if f.Images[c.App] == "" {
				f.Apps = append(f.Apps, c.App)
			}
			f.Images[c.App] = c.To.Image
		}
		return f
	}
	var checks []gate.Check
	add := func(owner string, all []policy.Verify, f gate.Facts) {
		for _, v := range all {
			if len(f.Apps) > 0 {
				checks = append(checks, gate.Check{Owner: owner, Verify: v, Facts: f})
			}
		}
	}
	for _, r := range e.Policy.Repos {
		add("repo "+r.Name, r.Verify, facts(r.Name, wave))
	}
	for _, env := range e.Policy.Environments {
		if env.Name == h.Environment && last {
			add("environment "+env.Name, env.Verify, facts("", h.Plan.Changes))
		}
	}
	return checks
}

// recorder tells of what has become durable.
type recorder struct {
	*state.Journal
	recorded func(journal.Entry)
}

func (r recorder) Record(e journal.Entry) error { return r.RecordWith(e, nil) }

func (r recorder) RecordWith(e journal.Entry, snapshots []orchestrator.Snapshot) error {
	err := r.Journal.RecordWith(e, snapshots)
	if err == nil && r.recorded != nil {
		r.recorded(e)
	}
	return err
}

// memorable are the events that are kept for those who read up on an operation. How far an app is from one second to the
// next is not.
func memorable(t event.Type) bool {
	switch t {
	case event.ApplyProgress, event.RestoreProgress, event.OperationComplete:
		return false
	default:
		return true
	}
}

// afterwards keeps what follows from how an operation ended. That it could not be kept does not undo what was done.
func (e *Engine) afterwards(ctx context.Context, h journal.Header, res *ApplyResult) {
	if res.Outcome == event.Done && h.Kind == journal.Apply && e.Policy.AfterApply.Quarantine {
		bad := left(h, e.Now())
		if err := e.State.Quarantine(ctx, bad); err != nil {
			e.warn("Images not recorded as bad", err)
		}
		for _, b := range bad {
			res.Quarantined = append(res.Quarantined, b.Repository+":"+b.Tag)
		}
	}
	if res.Outcome == event.Done && h.Kind == journal.Apply && e.Policy.AfterApply.Hold == policy.HoldUntilReleased {
		e.keepHolds(ctx, h, res)
	}
	const alwaysKept = 20
	if _, err := e.State.Prune(ctx, e.Now().Add(-e.Policy.State.Keep), alwaysKept); err != nil {
		e.warn("Old operations not forgotten", err)
	}
}

func (e *Engine) warn(summary string, err error) {
	d := diag.Warnf(summary, "%s.", err)
	e.Emit(event.Event{Type: event.Diagnostic, At: e.Now(), Diagnostic: &d, Message: summary})
}

// follows says what would bring back what was left, for those who are told that an operation has ended.
func follows(res ApplyResult) string {
	var all []string
	if len(res.Quarantined) > 0 {
		all = append(all, fmt.Sprintf("In quarantine: %s. A pipeline that deploys them again brings them back, unless it asks first: rollback quarantine check.", strings.Join(res.Quarantined, ", ")))
	}
	if len(res.Held) > 0 {
		all = append(all, fmt.Sprintf("Held until rollback release: %s.", strings.Join(res.Held, ", ")))
	}
	if res.Outcome == event.NeedsPerson {
		all = append(all, fmt.Sprintf("To put everything back: rollback resume %s --restore", res.OperationID))
	}
	return strings.Join(all, " ")
}

// hold is the mark that an apply puts on the apps it changes; nil when the policy does not want one.
func (e *Engine) hold(h journal.Header) *orchestrator.Hold {
	if e.Policy.AfterApply.Hold != policy.HoldUntilReleased || h.Kind != journal.Apply || !e.Capabilities.Has(schema.Hold) {
		return nil
	}
	return &orchestrator.Hold{OperationID: h.OperationID, Reason: why(h)}
}

// why is the reason of an operation, for those who meet what it has left.
func why(h journal.Header) string {
	if h.Reason != "" {
		return h.Reason
	}
	return fmt.Sprintf("%s was rolled back to %s", h.Environment, h.Plan.To)
}

// keepHolds records which apps are held, for those who ask without an orchestrator that marks them.
func (e *Engine) keepHolds(ctx context.Context, h journal.Header, res *ApplyResult) {
	var holds []state.Hold
	for _, app := range h.Plan.Apps() {
		var images []string
		for _, c := range h.Plan.Changes {
			if c.App == app && c.Wave > 0 {
				images = append(images, c.To.Image)
			}
		}
		holds = append(holds, state.Hold{
			Environment: h.Environment, App: app, Image: strings.Join(images, " "), Operation: h.OperationID, Reason: why(h), HeldBy: h.Operator, At: e.Now(),
		})
		res.Held = append(res.Held, app)
	}
	if err := e.State.Hold(ctx, holds); err != nil {
		e.warn("Holds not recorded", err)
	}
}

// left are the images that an operation has rolled away from.
func left(h journal.Header, now time.Time) []state.BadImage {
	var bad []state.BadImage
	seen := map[string]bool{}
	for _, c := range h.Plan.Changes {
		ref, err := plan.ParseRef(c.From.Image)
		if err != nil || c.Action != plan.Rollback || seen[c.From.Image] {
			continue
		}
		seen[c.From.Image] = true
		bad = append(bad, state.BadImage{
			Repository: ref.Repository, Digest: c.From.Digest, Tag: c.From.Tag, Reason: why(h), Operation: h.OperationID, AddedBy: h.Operator, At: now,
		})
	}
	return bad
}

// watch asks the state, while an operation runs, whether somebody wants it to stop.
type watch struct {
	// stop is closed when somebody does, here or elsewhere.
	stop chan struct{}
	end  func()

	mu  sync.Mutex
	who string
}

// cancelPoll is how often the state is asked.
const cancelPoll = time.Second

func (e *Engine) watchForCancel(ctx context.Context, op operation) *watch {
	w := &watch{stop: make(chan struct{})}
	watching, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	w.end = func() { cancel(); <-done }
	go func() {
		defer close(done)
		ticker := time.NewTicker(cancelPoll)
		defer ticker.Stop()
		for {
			select {
			case <-op.run.Interrupt:
				close(w.stop)
				return
			case <-watching.Done():
				return
			case <-ticker.C:
			}
			// A state that does not answer is the lock's affair.
			if by, reason, err := e.State.CancelRequested(watching, op.header.OperationID); err == nil && by != "" {
				if reason != "" {
					by += ": " + reason
				}
				w.mu.Lock()
				w.who = by
				w.mu.Unlock()
				close(w.stop)
				return
			}
		}
	}()
	return w
}

// by says who, elsewhere, has asked to stop; "" when it was here.
func (w *watch) by() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.who
}

// ResumeRequest asks to take up an operation that was broken off.
type ResumeRequest struct {
	Environment policy.Environment
	// Operation is its id; "" takes the environment's only unfinished one.
	Operation string
	// PutBack asks to put everything back, also where it could be finished; Abandon to leave everything as it is.
	PutBack, Abandon bool
	Run
}

// NothingToResumeError says that there is nothing to take up.
type NothingToResumeError struct{ Environment, Operation, Outcome string }

func (e *NothingToResumeError) Error() string {
	switch {
	case e.Outcome != "":
		return fmt.Sprintf("resume operation %s: it has ended: %s", e.Operation, e.Outcome)
	case e.Operation != "":
		return fmt.Sprintf("resume operation %s: there is no operation of that id", e.Operation)
	default:
		return fmt.Sprintf("resume: no operation on %s is unfinished", e.Environment)
	}
}

// FindResumable returns the operation that a request means, and how far it came.
func (e *Engine) FindResumable(ctx context.Context, environment, id string) (*state.Operation, journal.Progress, error) {
	var op *state.Operation
	var err error
	if id != "" {
		op, err = e.State.Operation(ctx, id)
	} else {
		op, err = e.State.Unfinished(ctx, environment)
	}
	if err != nil {
		return nil, journal.Progress{}, err
	}
	if op == nil {
		return nil, journal.Progress{}, &NothingToResumeError{Environment: environment, Operation: id}
	}
	entries, err := e.State.Entries(ctx, op.OperationID)
	if err != nil {
		return nil, journal.Progress{}, err
	}
	if op.Environment != environment {
		return nil, journal.Progress{}, fmt.Errorf("resume operation %s: it is of %s, not of %s; name its environment with --env, and its policy with -f", op.OperationID, op.Environment, environment)
	}
	p := journal.Replay(entries)
	if !p.Resumable() {
		return nil, p, &NothingToResumeError{Environment: op.Environment, Operation: op.OperationID, Outcome: string(p.Outcome)}
	}
	return op, p, e.stillLast(ctx, op, p)
}

// stillLast refuses to put back once more what an operation has left that had ended in need of a person, when somebody has done
// something since: it would be lost.
func (e *Engine) stillLast(ctx context.Context, op *state.Operation, p journal.Progress) error {
	if p.Outcome != event.NeedsPerson {
		return nil
	}
	newest, err := e.State.Operations(ctx, op.Environment, 1)
	if err != nil {
		return err
	}
	if len(newest) > 0 && newest[0].OperationID != op.OperationID && newest[0].Outcome != event.Refused {
		return fmt.Errorf("resume operation %s: operation %s has changed %s since, and that would be lost; see `rollback history`, and `rollback undo` for its way back",
			op.OperationID, newest[0].OperationID, op.Environment)
	}
	if e.Orchestrator == nil {
		return nil
	}
	env, err := e.Environment(op.Environment)
	if err != nil {
		return err
	}
	apps, err := e.apps(ctx, env)
	if err != nil {
		return err
	}
	for _, a := range apps {
		var runs []string
		for _, i := range a.Images {
			runs = append(runs, i.Image)
		}
		left, known := p.Running[a.ID]
		if now := strings.Join(runs, ", "); known && now != left && !before(op.Plan, a.ID, now) {
			return fmt.Errorf("resume operation %s: somebody has changed %s since: it ran %s and runs %s, and that would be lost; set its image by hand, and then record that with `rollback resume %s --abandon`",
				op.OperationID, a.ID, left, now, op.OperationID)
		}
	}
	return nil
}

// before reports whether an app runs what it ran before a plan.
func before(p *plan.Plan, app, runs string) bool {
	var images []string
	for _, c := range p.Changes {
		if c.App == app {
			images = append(images, c.From.Image)
		}
	}
	return strings.Join(images, ", ") == runs
}

// Resume takes up an operation that was broken off: it finishes it, or puts everything back when it was failing already.
func (e *Engine) Resume(ctx context.Context, req ResumeRequest) ApplyResult {
	return e.timed(func() ApplyResult {
		op, _, err := e.FindResumable(ctx, req.Environment.Name, req.Operation)
		if err != nil && !req.Abandon {
			return refused(err)
		}
		if op == nil {
			return refused(err)
		}
		res := e.locked(ctx, op.Environment, op.OperationID, req.Run, func(ctx context.Context, lock *state.Lock) ApplyResult {
			return e.resumeLocked(ctx, req, op.OperationID, lock)
		})
		if res.Outcome == event.Interrupted && res.OperationID == "" {
			// It is not as before: it is as it was left.
			return refused(fmt.Errorf("resume operation %s: stopped while it was waited for; it is as it was left", op.OperationID))
		}
		return res
	})
}

func (e *Engine) resumeLocked(ctx context.Context, req ResumeRequest, id string, lock *state.Lock) ApplyResult {
	// It may have gone on, or ended, while the lock was waited for.
	op, progress, err := e.FindResumable(ctx, req.Environment.Name, id)
	if op == nil || err != nil && !req.Abandon {
		return refused(err)
	}
	if op.Plan.PolicyHash != e.Policy.Hash {
		e.warn("Policy has changed", fmt.Errorf("the policy is not the one that operation %s began with: its timeouts, gates and plugins count from here on", id))
	}
	j, err := e.State.ContinueJournal(ctx, lock, id)
	if err != nil {
		return refused(err)
	}
	by := req.Operator.User
	if req.Abandon {
		return e.abandon(j, id, by)
	}
	snapshots, sealed := e.State.Snapshots(ctx, id)
	if sealed != nil && len(snapshots) == 0 {
		return refused(sealed)
	}
	if sealed != nil {
		e.warn("Only images can be put back", sealed)
	}
	return e.operate(ctx, operation{header: op.Header, journal: j, run: req.Run, resume: &apply.Resume{
		By: by, Progress: progress, Snapshots: snapshots, ImagesOnly: sealed != nil, PutBack: req.PutBack,
	}})
}

// abandon records that somebody takes care of what an operation has left.
func (e *Engine) abandon(j *state.Journal, id, by string) ApplyResult {
	err := errors.Join(
		j.Record(journal.Entry{Step: journal.Resumed, By: by}),
		j.Record(journal.Entry{Step: journal.Ended, Outcome: event.Abandoned, Reason: "abandoned by " + by}))
	res := apply.Result{Outcome: event.Abandoned, Err: err}
	if err != nil {
		res.Outcome = event.Refused
	}
	return ApplyResult{Result: res, OperationID: id}
}
