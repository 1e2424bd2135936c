package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/registry"
)

// ApplyRequest asks for a plan to be carried out.
type ApplyRequest struct {
	Plan *plan.Plan
	Run
}

// Run is who runs an operation, and how.
type Run struct {
	Operator policy.OperatorFacts
	// Reason and Ticket are for the record.
	Reason, Ticket string
	Overrides      map[string]string
	Holder         state.Holder
	// LockTimeout is how long to wait for somebody else's lock.
	LockTimeout time.Duration
	// Link leads to the CI job; Host is where we run.
	Link, Host string
	// NotifyTimeout bounds one notification.
	NotifyTimeout time.Duration
	// Interrupt is closed by the first Ctrl-C; a cancelled context is the second.
	Interrupt <-chan struct{}
}

// ApplyResult is how an apply ended.
type ApplyResult struct {
	apply.Result
	OperationID string
	Duration    time.Duration
	// Holder is set when somebody else holds the lock.
	Holder *state.Holder
	// Quarantined are the images that were left and are known bad from now on; Held the apps that are held.
	Quarantined, Held []string
}

// Apply carries out a plan: lock, staleness and guards once more, journal, notices, deployment.
// It always returns a result; the outcome says what to exit with.
func (e *Engine) Apply(ctx context.Context, req ApplyRequest) ApplyResult {
	return e.timed(func() ApplyResult { return e.apply(ctx, req) })
}

// timed measures an operation and tells its end.
func (e *Engine) timed(run func() ApplyResult) ApplyResult {
	began := e.Now()
	res := run()
	res.Duration = e.Now().Sub(began)
	e.Emit(event.Event{
		Type: event.OperationComplete, At: e.Now(), OperationID: res.OperationID, Outcome: res.Outcome,
		ExitCode: ExitCode(res.Result), Elapsed: res.Duration, Message: "Operation ended: " + string(res.Outcome),
	})
	return res
}

// ExitCode is the exit code of DESIGN.md section 4 for how an operation ended.
func ExitCode(res apply.Result) int {
	switch res.Outcome {
	case event.Done, event.Nothing, event.Abandoned:
		if res.Unrecorded != nil {
			return 4
		}
		return 0
	case event.Refused:
		return 1
	case event.Restored:
		return 3
	case event.Locked:
		return 5
	case event.Interrupted:
		if res.RestoreErr != nil {
			return 4
		}
		return 130
	default:
		return 4
	}
}

func refused(err error) ApplyResult {
	return ApplyResult{Result: apply.Result{Outcome: event.Refused, Err: err, AsBefore: true}}
}

func (e *Engine) apply(ctx context.Context, req ApplyRequest) ApplyResult {
	p := req.Plan
	if p.Errored {
		return refused(errors.New("carry out the plan: errors stand in its way"))
	}
	if p.Empty() {
		return ApplyResult{Result: apply.Result{Outcome: event.Nothing, AsBefore: true}}
	}
	id := NewID(e.Now())
	return e.locked(ctx, p.Environment, id, req.Run, func(ctx context.Context, lock *state.Lock) ApplyResult {
		return e.applyLocked(ctx, req, id, lock)
	})
}

// locked runs under the lock of an environment. The context of do ends when the lock is lost.
func (e *Engine) locked(ctx context.Context, environment, id string, run Run, do func(context.Context, *state.Lock) ApplyResult) (res ApplyResult) {
	run.Holder.Operation = id
	waiting, stop := Until(ctx, run.Interrupt)
	lock, err := e.State.Lock(waiting, environment, run.Holder, run.LockTimeout, func(h state.Holder) {
		e.Emit(event.Event{Type: event.LockWait, At: e.Now(), Message: fmt.Sprintf("Waiting up to %s for the lock of %s, held by %s (process %d on %s)", run.LockTimeout, environment, h.Who, h.PID, h.Host)})
	})
	interrupted := waiting.Err() != nil
	stop()
	var locked *state.LockedError
	switch {
	case errors.As(err, &locked):
		return ApplyResult{Result: apply.Result{Outcome: event.Locked, Err: err, AsBefore: true}, Holder: &locked.Holder}
	case err != nil && interrupted:
		return ApplyResult{Result: apply.Result{Outcome: event.Interrupted, AsBefore: true}}
	case err != nil:
		return refused(err)
	}
	defer func() {
		if err := lock.Unlock(); err != nil {
			res.Err = errors.Join(res.Err, err)
		}
	}()
	held, release := lock.Context(ctx)
	defer release()
	return do(held, lock)
}

// Until returns a context that ends with ctx or when ch is closed.
func Until(ctx context.Context, ch <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-ch:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// applyLocked runs under the lock.
func (e *Engine) applyLocked(ctx context.Context, req ApplyRequest, id string, lock *state.Lock) ApplyResult {
	p := req.Plan
	if err := e.claimable(ctx, p); err != nil {
		return refused(err)
	}
	if res := e.recheckUntil(ctx, req); res != nil {
		return *res
	}
	header := journal.Header{
		OperationID: id, Kind: journal.Apply, Environment: p.Environment, Operator: req.Operator.User, ApprovedBy: req.Operator.ApprovedBy,
		Reason: req.Reason, Ticket: req.Ticket, Overrides: overrides(p, req.Overrides), Undoes: p.Undoes, Host: req.Host, Link: req.Link, Plan: p,
	}
	if p.Undoes != "" {
		header.Kind = journal.Undo
	}
	return e.operate(ctx, operation{header: header, journal: e.State.NewJournal(ctx, lock, header), run: req.Run})
}

// claimable says why a plan cannot be applied whatever the world is like.
func (e *Engine) claimable(ctx context.Context, p *plan.Plan) error {
	by, err := e.State.PlanClaimedBy(ctx, p.ID)
	if err != nil {
		return err
	}
	if by != "" {
		// It would be found stale as well, but this is why.
		return &AppliedError{Operation: by}
	}
	left, err := e.State.Unfinished(ctx, p.Environment)
	if err != nil {
		return err
	}
	if left != nil {
		return &UnfinishedError{Operation: left.OperationID, Environment: p.Environment}
	}
	return nil
}

// sleep waits by the clock.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// labels go on every changed app, where the orchestrator has labels.
func labels(id, reason string) map[string]string {
	l := map[string]string{"rollback.operation": id}
	if reason != "" {
		l["rollback.reason"] = reason
	}
	return l
}

// StaleError says that the world is not the one a plan was made for.
type StaleError struct {
	// Reasons are those of plan.Stale.
	Reasons []string
}

func (e *StaleError) Error() string {
	return "the plan is stale: " + strings.Join(e.Reasons, "; ") + "; make a new plan"
}

// UnfinishedError says that an operation was broken off, and is to be taken up or given up before another one.
type UnfinishedError struct{ Operation, Environment string }

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("operation %s on %s was broken off and has not ended", e.Operation, e.Environment)
}

// AppliedError says that a plan was applied before.
type AppliedError struct{ Operation string }

func (e *AppliedError) Error() string {
	return fmt.Sprintf("the plan was applied before, by operation %s, and a plan is applied at most once; make a new plan", e.Operation)
}

// recheckUntil is recheck as long as nobody interrupts it; nil when the plan holds.
func (e *Engine) recheckUntil(ctx context.Context, req ApplyRequest) *ApplyResult {
	checking, cancel := Until(ctx, req.Interrupt)
	defer cancel()
	err := e.recheck(checking, req)
	stopped := checking.Err() != nil
	select {
	case <-req.Interrupt:
		stopped = true
	default:
	}
	switch {
	case err == nil && !stopped:
		return nil
	case stopped:
		return &ApplyResult{Result: apply.Result{Outcome: event.Interrupted, AsBefore: true}}
	default:
		res := refused(err)
		return &res
	}
}

// recheck looks once more, right before anything is changed, whether the plan still holds.
func (e *Engine) recheck(ctx context.Context, req ApplyRequest) error {
	p := req.Plan
	env, err := e.Environment(p.Environment)
	if err != nil {
		return err
	}
	reasons, err := e.Stale(ctx, env, p)
	if err != nil {
		return err
	}
	bad, err := e.quarantinedSince(ctx, p)
	if err != nil {
		return err
	}
	if reasons = append(reasons, bad...); len(reasons) > 0 {
		return &StaleError{Reasons: reasons}
	}
	asked := *p // the plan stays as it was approved
	ds, err := e.guard(ctx, &asked, plan.GuardInput{Overrides: overrides(p, req.Overrides), Now: e.Now(), Operator: req.Operator})
	if err != nil {
		return err
	}
	if ds.HasErrors() {
		var failed []string
		for _, d := range ds {
			if d.Severity == diag.Error {
				failed = append(failed, d.Detail)
			}
		}
		return fmt.Errorf("check the guards once more before changing anything: %s", strings.Join(failed, " "))
	}
	return nil
}

// quarantinedSince says which images of a plan have become known bad since it was made. Those that were allowed then are in
// its diagnostics.
func (e *Engine) quarantinedSince(ctx context.Context, p *plan.Plan) ([]string, error) {
	bad, err := e.State.Quarantined(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range p.Changes {
		ref, err := plan.ParseRef(c.To.Image)
		if err != nil || c.Wave == 0 {
			continue
		}
		for _, b := range bad {
			if is(b, ref.Repository, c.To.Digest, c.To.Tag) && b.At.After(p.Timestamp) {
				out = append(out, fmt.Sprintf("%s of %s has been put into quarantine: %s", c.To.Tag, c.Repo, b.Reason))
				break
			}
		}
	}
	return out, nil
}

// overrides are those given now and those the plan was made with.
func overrides(p *plan.Plan, given map[string]string) map[string]string {
	all := map[string]string{}
	for _, g := range p.Guards {
		if g.Overridden != "" {
			all[g.Name] = g.Overridden
		}
	}
	for name, reason := range given {
		all[name] = reason
	}
	return all
}

// Stale says what has changed since a plan was made; nothing when it still holds.
func (e *Engine) Stale(ctx context.Context, env policy.Environment, p *plan.Plan) ([]string, error) {
	apps, err := e.apps(ctx, env)
	if err != nil {
		return nil, err
	}
	matches, _ := plan.Match(e.Policy.Repos, repositories(p), env.Scope, apps)
	targets, err := e.targets(ctx, p)
	if err != nil {
		return nil, err
	}
	return plan.Stale(p, plan.State{PolicyHash: e.Policy.Hash, Matches: matches, Targets: targets}), nil
}

// repositories are the plan's repos with their full names, as far as the plan needs them.
func repositories(p *plan.Plan) []point.Repo {
	var repos []point.Repo
	for _, c := range p.Changes {
		if ref, err := plan.ParseRef(c.From.Image); err == nil {
			repos = append(repos, point.Repo{Name: c.Repo, Repository: ref.Repository})
		}
	}
	return repos
}

// targets says what the tags of the plan's targets point at now.
func (e *Engine) targets(ctx context.Context, p *plan.Plan) (map[string]string, error) {
	type answer struct{ image, digest string }
	answers := make([]answer, len(p.Changes))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.Parallelism)
	for i, c := range p.Changes {
		if c.Wave == 0 {
			continue
		}
		g.Go(func() error {
			res, err := e.Registry.Resolve(gctx, registry.ResolveRequest{Repo: c.Repo, Tag: c.To.Tag, Platform: platform(e.Policy.Repos, c.Repo)})
			if err != nil {
				return fmt.Errorf("look once more for %s: %w", c.To.Image, err)
			}
			answers[i] = answer{image: c.To.Image}
			if res.Found && res.Pullable {
				answers[i].digest = res.Digest
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	targets := map[string]string{}
	for _, a := range answers {
		if a.image != "" {
			targets[a.image] = a.digest
		}
	}
	return targets, nil
}
