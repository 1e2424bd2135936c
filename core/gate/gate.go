// Package gate judges a deployment that its orchestrator calls healthy: by a
// request, by a program, or by a query to Prometheus, as the policy's blocks
// verify say.
package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/fault"
)

// Check is one gate, and what it is about.
type Check struct {
	// Owner is whose gate it is: repo backend-a, or environment prod.
	Owner  string
	Verify policy.Verify
	Facts
}

// Facts are told to programs, in their environment.
type Facts struct {
	Environment, Operation, To, Repo string
	// Apps are those that have changed.
	Apps []string
}

// Options is how gates are judged.
type Options struct {
	// Say tells what happens at a gate, for people. It is called from several goroutines.
	Say func(owner string, kind policy.VerifyKind, message string)
	Now func() time.Time
	// Wait waits between two attempts, and errs when ctx ends.
	Wait func(ctx context.Context, d time.Duration) error
	// Environ is the environment that a small part of is handed to programs.
	Environ []string
}

// together is how many gates are judged at once.
const together = 16

// Run judges gates, all at the same time, until each has passed or one has failed. The error names the gate, where it stands in the
// policy, what was wanted, and what was found. When ctx ends, it ends with its cause.
func Run(ctx context.Context, checks []Check, o Options) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for _, c := range checks {
		g.Go(func() error { return judge(gctx, c, o) })
	}
	err := g.Wait()
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return cause
	}
	return err
}

// attempt asks once; the error says what was wanted and what was found.
type attempt func(ctx context.Context) error

// judge passes one gate.
func judge(ctx context.Context, c Check, o Options) error {
	v := c.Verify
	ask, close, err := open(c, o)
	if err != nil {
		return c.failed(err, 0, 0)
	}
	defer close()
	began := o.Now()
	var passing time.Time
	failures := 0
	for n := 1; ; n++ {
		err := once(ctx, v.Timeout, ask)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		now := o.Now()
		switch {
		case err != nil:
			failures++
			passing = time.Time{}
			if failures > v.Retries {
				return c.failed(err, n, now.Sub(began))
			}
			o.Say(c.Owner, v.Kind, fmt.Sprintf("not yet (attempt %d of %d in a row): %v", failures, v.Retries+1, err))
		case passing.IsZero():
			passing, failures = now, 0
		default:
			failures = 0
		}
		if err == nil && now.Sub(passing) >= v.For {
			o.Say(c.Owner, v.Kind, passed(n, v.For))
			return nil
		}
		if waitErr := o.Wait(ctx, v.Interval); waitErr != nil {
			return context.Cause(ctx)
		}
	}
}

func passed(attempts int, held time.Duration) string {
	if held > 0 {
		return fmt.Sprintf("passed, and held for %s", held)
	}
	if attempts == 1 {
		return "passed"
	}
	return fmt.Sprintf("passed at attempt %d", attempts)
}

func once(ctx context.Context, timeout time.Duration, ask attempt) error {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := ask(bounded)
	if err != nil && errors.Is(bounded.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", timeout)
	}
	return err
}

// failed says that a gate has failed, for good.
func (c Check) failed(err error, attempts int, after time.Duration) error {
	f := fault.New(fault.Unhealthy, "verify %q of %s (%s): %w", c.Verify.Kind, c.Owner, c.Verify.Range, err).On(c.Owner)
	if attempts > 0 {
		f.Message += fmt.Sprintf("; given up after %d attempts in %s", attempts, after.Round(100*time.Millisecond))
	}
	return f.WithHint("The orchestrator calls the apps healthy; this gate of the policy does not.")
}

// open makes a gate ready to be asked.
func open(c Check, o Options) (ask attempt, end func(), err error) {
	nothing := func() {}
	switch {
	case c.Verify.HTTP != nil:
		client, end := newClient()
		return func(ctx context.Context) error { return askHTTP(ctx, client, *c.Verify.HTTP) }, end, nil
	case c.Verify.Prometheus != nil:
		return openPrometheus(*c.Verify.Prometheus)
	case c.Verify.Exec != nil:
		return func(ctx context.Context) error { return askProgram(ctx, c, o.Environ) }, nothing, nil
	default:
		return nil, nothing, fmt.Errorf("it is of no kind")
	}
}
