package backend

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// flaky fails as often as told, then succeeds.
type flaky struct {
	registry.Registry
	everything
	err   error
	times int
	calls int
}

func (f *flaky) next() error {
	f.calls++
	if f.calls <= f.times {
		return f.err
	}
	return nil
}

func (f *flaky) Probe(context.Context) (schema.ProbeResult, error) {
	return schema.ProbeResult{}, f.next()
}

func (f *flaky) Resolve(context.Context, registry.ResolveRequest) (registry.ResolveResult, error) {
	return registry.ResolveResult{Found: true}, f.next()
}

func (f *flaky) ListApps(_ context.Context, _ orchestrator.ListRequest, yield func(orchestrator.App) error) error {
	if err := yield(orchestrator.App{ID: "/a"}); err != nil {
		return err
	}
	return f.next()
}

func (f *flaky) Deploy(context.Context, orchestrator.DeployRequest, func(orchestrator.Event)) error {
	return f.next()
}

// waiting is a retry that notes its waits.
func waiting(waits *[]time.Duration, err error) retry {
	o := Options{
		Wait:   func(_ context.Context, d time.Duration) error { *waits = append(*waits, d); return err },
		Jitter: func() float64 { return 0.5 },
	}
	return retry{o.withDefaults()}
}

func TestReadsAreRepeated(t *testing.T) {
	ms := func(list ...int) (out []time.Duration) {
		for _, n := range list {
			out = append(out, time.Duration(n)*time.Millisecond)
		}
		return out
	}
	unavailable := fault.New(fault.Unavailable, "no route")
	for _, tc := range []struct {
		name   string
		err    error
		times  int
		waits  []time.Duration
		failed bool
	}{
		{"not after success", nil, 0, nil, false},
		{"when unavailable", unavailable, 1, ms(625), false},
		{"with longer and longer waits", unavailable, 3, ms(625, 1250, 2500), false},
		{"but not for ever", unavailable, 4, ms(625, 1250, 2500), true},
		{"when the fault is wrapped", fmt.Errorf("ask: %w", unavailable), 1, ms(625), false},
		{"after the time that was asked for", &fault.Fault{Code: fault.RateLimited, RetryAfter: 8 * time.Second}, 1, ms(10000), false},
		{"not when too long a time is asked for", &fault.Fault{Code: fault.RateLimited, RetryAfter: time.Hour}, 1, nil, true},
		{"not when it was not found", fault.New(fault.NotFound, "gone"), 1, nil, true},
		{"not for plain errors", errors.New("odd"), 1, nil, true},
		{"not when the plugin is dead", &fault.Fault{Code: fault.Unavailable, Err: host.ErrEnded}, 1, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var waits []time.Duration
			f := &flaky{err: tc.err, times: tc.times}
			_, err := (&retryingRegistry{f, waiting(&waits, nil)}).Resolve(t.Context(), registry.ResolveRequest{})
			if (err != nil) != tc.failed {
				t.Errorf("err = %v", err)
			}
			if diff := cmp.Diff(tc.waits, waits); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAServerThatHangsIsNotAskedAgain(t *testing.T) {
	now := time.Date(2019, 6, 3, 12, 0, 0, 0, time.UTC)
	f := &flaky{err: fault.New(fault.Unavailable, "no answer in time"), times: 9}
	var waits []time.Duration
	r := waiting(&waits, nil)
	r.opts.Now = func() time.Time { return now.Add(time.Duration(f.calls) * longestRead) }
	_, err := (&retryingRegistry{f, r}).Resolve(t.Context(), registry.ResolveRequest{})
	if !fault.Is(err, fault.Unavailable) || f.calls != 2 {
		t.Errorf("err = %v after %d calls, want one more try after one of %s", err, f.calls, longestRead)
	}
}

func TestNothingIsSentForACancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := &flaky{}
	var waits []time.Duration
	_, err := (&retryingRegistry{f, waiting(&waits, nil)}).Resolve(ctx, registry.ResolveRequest{})
	if !errors.Is(err, context.Canceled) || f.calls != 0 {
		t.Errorf("err = %v after %d calls", err, f.calls)
	}
}

func TestAWaitThatIsCutShortGivesTheReasonOfTheFailure(t *testing.T) {
	f := &flaky{err: fault.New(fault.Unavailable, "no route"), times: 9}
	var waits []time.Duration
	_, err := (&retryingRegistry{f, waiting(&waits, context.Canceled)}).Resolve(t.Context(), registry.ResolveRequest{})
	if !fault.Is(err, fault.Unavailable) || f.calls != 1 {
		t.Errorf("err = %v after %d calls", err, f.calls)
	}
}

func TestAListThatHasYieldedIsNotRepeated(t *testing.T) {
	f := &flaky{err: fault.New(fault.Unavailable, "no route"), times: 9}
	var waits []time.Duration
	var seen []string
	o := &retryingOrchestrator{f, waiting(&waits, nil)}
	err := o.ListApps(t.Context(), orchestrator.ListRequest{}, func(a orchestrator.App) error {
		seen = append(seen, a.ID)
		return nil
	})
	if err == nil || len(seen) != 1 {
		t.Errorf("err = %v, seen %v", err, seen)
	}
}

func TestChangesAreNeverRepeated(t *testing.T) {
	f := &flaky{err: fault.New(fault.Unavailable, "no route"), times: 1}
	var waits []time.Duration
	var o orchestrator.Orchestrator = &retryingOrchestrator{f, waiting(&waits, nil)}
	if err := o.Deploy(t.Context(), orchestrator.DeployRequest{}, nil); err == nil || f.calls != 1 {
		t.Errorf("err = %v after %d calls", err, f.calls)
	}
}

func TestSleepEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := sleep(t.Context(), 0); err != nil {
		t.Error(err)
	}
}
