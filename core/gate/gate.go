// Package gate judges whether what has been deployed works: the blocks verify
// of a policy, each tried until it holds for as long as it must, or has failed
// too often.
//
// It decides nothing about the operation: whoever calls Run does.
package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/core/policy"
)

// Check is one gate of one owner.
type Check struct {
	// Owner is whose gate it is, for messages: "repo backend-a" or "environment prod".
	Owner  string
	Verify policy.Verify
	Facts  Facts
}

// Facts is what a gate's program is told about the operation, in environment variables.
type Facts struct {
	// Environment is the name of the policy's environment, Operation the id of the operation.
	Environment, Operation string
	// To is the point that the environment goes to.
	To string
	// Repo is the owner's name; "" for a gate of an environment.
	Repo string
	// Apps are the ids of the apps that the gate is about.
	Apps []string
	// Images are the references that they run now, by app.
	Images map[string]string
}

// Options is what Run needs besides the gates.
type Options struct {
	// Emit is told how gates get on, a line at a time: about each failed attempt, when a gate begins to hold, and when
	// it is passed. It is never called from two goroutines at once, nor after Run has returned. It may be nil.
	Emit func(owner, kind, message string)
	// Now is the clock.
	Now func() time.Time
	// Wait waits between two attempts, and errs when ctx ends. It is called from several goroutines at once.
	Wait func(ctx context.Context, d time.Duration) error
	// Environ is our environment (os.Environ), of which programs get a little.
	Environ []string
	// Secrets are taken out of everything that is said (policy.Policy.Secrets).
	Secrets []string
	// Parallel is how many attempts run at once; 0 is 8.
	Parallel int
}

// errOverdue is the cause of the end of an attempt that took too long.
var errOverdue = errors.New("the attempt took too long")

const defaultParallel = 8

// Run judges all gates, side by side, and returns nil once every one of them holds. The first that has definitely
// failed ends the others, and its error names the gate, its owner and its place, what was expected and what was found.
// When ctx ends, Run ends whatever is under way and returns ctx's cause as it is; only the end of its time,
// context.DeadlineExceeded, is wrapped, to name a gate that was not passed by then.
func Run(ctx context.Context, checks []Check, o Options) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	j := &judge{Options: o, client: newClient(), turns: make(chan struct{}, o.Parallel), said: said(o.Secrets)}
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range checks {
		group.Go(func() error { return j.judge(ctx, c) })
	}
	return group.Wait()
}

// judge judges the gates of one Run.
type judge struct {
	Options
	client *http.Client
	// turns has room for the attempts that may run at once.
	turns chan struct{}
	said  said

	mu sync.Mutex // One word at a time.
}

// probe is how a gate looks at the world.
type probe interface {
	// subject is what is looked at, expected what it must be like.
	subject() string
	expected() string
	// try makes one attempt. Its error is what was found instead, cleaned and cut.
	try(ctx context.Context) error
}

func (j *judge) probe(c Check) (probe, error) {
	v := c.Verify
	switch {
	case v.HTTP != nil:
		return &request{VerifyHTTP: v.HTTP, client: j.client, said: j.said}, nil
	case v.Exec != nil:
		return &program{VerifyExec: v.Exec, environ: environment(j.Environ, v.Exec.Env, c.Facts), said: j.said}, nil
	case v.Prometheus != nil:
		return &query{VerifyPrometheus: v.Prometheus, client: j.client, said: j.said}, nil
	}
	return nil, fmt.Errorf("%s: there is nothing to try", c.name())
}

// record is how a gate has got on.
type record struct {
	began    time.Time
	attempts int
	// row counts the failed attempts since the last that succeeded.
	row int
	// broken counts how often it held and then failed.
	broken int
	// holds: the last attempt succeeded, and so did all since since.
	holds bool
	since time.Time
	// last is what the last attempt found; nil when it succeeded, or there was none.
	last error
}

// judge tries one gate until it holds or has failed.
func (j *judge) judge(ctx context.Context, c Check) error {
	p, err := j.probe(c)
	if err != nil {
		return err
	}
	v, r := c.Verify, record{began: j.Now()}
	for {
		found := j.attempt(ctx, p, v.Timeout)
		if ctx.Err() != nil {
			return j.stopped(ctx, c, p, r)
		}
		now, wait := j.Now(), v.Interval
		r.attempts++
		r.last = found
		if found != nil {
			if r.fails(v.Retries) {
				return j.failed(c, p, r, now, found)
			}
			j.emit(c, fmt.Sprintf("attempt %d failed: %s: %s", r.attempts, p.subject(), found))
		} else {
			left := r.succeeds(now, v.For)
			if left <= 0 {
				j.emit(c, passed(p, v.For))
				return nil
			}
			if r.since.Equal(now) {
				j.emit(c, fmt.Sprintf("%s: holds, and must for %s", p.subject(), v.For))
			}
			wait = min(wait, left)
		}
		if err := j.Wait(ctx, wait); err != nil {
			if ctx.Err() != nil {
				return j.stopped(ctx, c, p, r)
			}
			return fmt.Errorf("wait for the next attempt of %s: %w", c.name(), err)
		}
	}
}

// fails counts a failed attempt, and reports whether it was one too many.
func (r *record) fails(tolerated int) bool {
	r.row++
	if r.holds {
		r.broken++
	}
	r.holds = false
	return r.row > tolerated || r.broken > tolerated
}

// succeeds counts an attempt that succeeded, and returns how much longer it must go on like this.
func (r *record) succeeds(now time.Time, must time.Duration) time.Duration {
	r.row = 0
	if !r.holds {
		r.holds, r.since = true, now
	}
	return must - now.Sub(r.since)
}

// attempt makes one attempt when it is its turn.
func (j *judge) attempt(ctx context.Context, p probe, timeout time.Duration) error {
	select {
	case j.turns <- struct{}{}:
		defer func() { <-j.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errOverdue)
	defer cancel()
	err := p.try(ctx)
	if err != nil && overdue(ctx) {
		return fmt.Errorf("%w, after %s", err, timeout)
	}
	return err
}

// overdue reports whether an attempt was ended because it took too long.
func overdue(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errOverdue) }

func (j *judge) emit(c Check, message string) {
	if j.Emit == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.Emit(c.Owner, c.Verify.Kind, j.said.whole(message))
}

func passed(p probe, must time.Duration) string {
	if must > 0 {
		return fmt.Sprintf("%s: held for %s", p.subject(), must)
	}
	return p.subject() + ": holds"
}

// failed is the error of a gate that has definitely failed.
func (j *judge) failed(c Check, p probe, r record, now time.Time, found error) error {
	how := fmt.Sprintf("the last %d failed", r.row)
	if r.row <= c.Verify.Retries {
		how = fmt.Sprintf("it stopped to hold %d times before %s were over", r.broken, c.Verify.For)
	}
	return errors.New(j.said.whole(fmt.Sprintf("%s: %s: expected %s, found %s; %s in %s, %s",
		c.name(), p.subject(), p.expected(), found, r.count(), now.Sub(r.began).Round(time.Millisecond), how)))
}

// stopped is the error of a gate that was not passed when ctx ended.
func (j *judge) stopped(ctx context.Context, c Check, p probe, r record) error {
	cause := context.Cause(ctx)
	if !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	how := "it held, but not for " + c.Verify.For.String() + " yet"
	if r.last != nil {
		how = fmt.Sprintf("expected %s, found %s last", p.expected(), r.last)
	} else if !r.holds {
		how = "expected " + p.expected()
	}
	return fmt.Errorf("%s: %w", j.said.whole(fmt.Sprintf("%s: %s: %s; the time was over after %s", c.name(), p.subject(), how, r.count())), cause)
}

// name says which gate it is, and where it is written.
func (c Check) name() string {
	return fmt.Sprintf("verify %q of %s (%s)", c.Verify.Kind, c.Owner, c.Verify.Range)
}

func (r record) count() string {
	if r.attempts == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", r.attempts)
}
