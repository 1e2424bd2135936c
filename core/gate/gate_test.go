package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
)

// clock is a time that only waiting moves on.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waits = append(c.waits, d)
	return ctx.Err()
}

// said collects what gates say.
type listener struct{ lines []string }

func (l *listener) emit(owner, kind, message string) {
	l.lines = append(l.lines, owner+" "+kind+" "+message)
}

func options(l *listener) (Options, *clock) {
	c := &clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	o := Options{Now: c.Now, Wait: c.Wait, Environ: os.Environ()}
	if l != nil {
		o.Emit = l.emit
	}
	return o, c
}

var here = diag.Range{Filename: "policy.hcl", Start: diag.Pos{Line: 12}}

// gateOf is a gate with what a policy fills in, but for retries.
func gateOf(kind string) policy.Verify {
	return policy.Verify{Kind: kind, Interval: 2 * time.Second, Timeout: time.Minute, Retries: 1, Range: here}
}

func httpGate(url string) policy.Verify {
	v := gateOf("http")
	v.HTTP = &policy.VerifyHTTP{URL: url, Method: "GET", Status: []int{200}}
	return v
}

func check(v policy.Verify) Check { return Check{Owner: "repo backend-a", Verify: v} }

// serve answers the n-th request, counted from 0, with the n-th status, and all further ones with the last.
func serve(t *testing.T, statuses ...int) (server *httptest.Server, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := int(asked.Add(1)) - 1
		w.WriteHeader(statuses[min(n, len(statuses)-1)])
		fmt.Fprint(w, "hello")
	}))
	t.Cleanup(server.Close)
	return server, asked
}

// mentions checks that an error says all of it.
func mentions(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("there is no error; it should say %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error = %v\nit does not say %q", err, part)
		}
	}
}

func TestWhenAGateHolds(t *testing.T) {
	for _, c := range []struct {
		rule     string
		statuses []int
		must     time.Duration
		retries  int
		asked    int32
		err      []string
	}{
		{"one attempt that succeeds is enough", []int{200}, 0, 0, 1, nil},
		{"as many failures in a row as there are retries are tolerated", []int{500, 500, 200}, 0, 2, 3, nil},
		{
			"one failure more is not",
			[]int{500, 500, 500, 200},
			0, 2, 3,
			[]string{"3 attempts in 4s", "the last 3 failed"},
		},
		{"without retries the first failure is the last", []int{500, 200}, 0, 0, 1, []string{"1 attempt in 0s, the last 1 failed"}},
		{"it must hold for so long", []int{200}, 6 * time.Second, 0, 4, nil},
		{"the last wait is no longer than is left", []int{200}, 5 * time.Second, 0, 4, nil},
		{"a failure begins the time anew", []int{200, 200, 500, 200}, 4 * time.Second, 1, 6, nil},
		{
			"a failure while it must hold is one too many without retries",
			[]int{200, 200, 500, 200},
			10 * time.Second, 0, 3,
			[]string{"3 attempts in 4s, the last 1 failed"},
		},
		{
			"one that comes and goes fails in the end",
			[]int{200, 500, 200, 500, 200, 500, 200},
			10 * time.Second, 2, 6,
			[]string{"6 attempts in 10s, it stopped to hold 3 times before 10s were over"},
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			server, asked := serve(t, c.statuses...)
			v := httpGate(server.URL)
			v.For, v.Retries = c.must, c.retries
			o, _ := options(nil)
			err := Run(t.Context(), []Check{check(v)}, o)
			if c.err == nil && err != nil {
				t.Fatal(err)
			}
			if c.err != nil {
				mentions(t, err, c.err...)
			}
			if asked.Load() != c.asked {
				t.Errorf("it was asked %d times, not %d", asked.Load(), c.asked)
			}
		})
	}
}

func TestProgressIsTold(t *testing.T) {
	server, _ := serve(t, 500, 200, 200, 200)
	v := httpGate(server.URL)
	v.For = 4 * time.Second
	l := &listener{}
	o, c := options(l)
	if err := Run(t.Context(), []Check{check(v)}, o); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"repo backend-a http attempt 1 failed: GET " + server.URL + `: status 500, body "hello"`,
		"repo backend-a http GET " + server.URL + ": holds, and must for 4s",
		"repo backend-a http GET " + server.URL + ": held for 4s",
	}
	if diff := cmp.Diff(want, l.lines); diff != "" {
		t.Errorf("what was said (-want +got):\n%s", diff)
	}
	if want := []time.Duration{2 * time.Second, 2 * time.Second, 2 * time.Second}; !slices.Equal(c.waits, want) {
		t.Errorf("waits = %v", c.waits)
	}
}

func TestTheErrorNamesTheGate(t *testing.T) {
	server, _ := serve(t, 503)
	o, _ := options(nil)
	err := Run(t.Context(), []Check{check(httpGate(server.URL + "/health"))}, o)
	want := `verify "http" of repo backend-a (policy.hcl:12): GET ` + server.URL +
		`/health: expected status 200, found status 503, body "hello"; 2 attempts in 2s, the last 2 failed`
	if err == nil || err.Error() != want {
		t.Errorf("error = %v\nwant    %s", err, want)
	}
}

func TestTheFirstGateThatFailsEndsTheOthers(t *testing.T) {
	arrived := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	defer hangs.Close()
	fails := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-arrived
		w.WriteHeader(http.StatusTeapot)
	}))
	defer fails.Close()
	broken := httpGate(fails.URL)
	broken.Retries = 0
	o, _ := options(nil)
	err := Run(t.Context(), []Check{check(httpGate(hangs.URL)), {Owner: "environment prod", Verify: broken}}, o)
	mentions(t, err, "environment prod", "status 418")
}

func TestAttemptsAtOnceAreBounded(t *testing.T) {
	var now, peak atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for {
			p := peak.Load()
			if n <= p || peak.CompareAndSwap(p, n) {
				break
			}
		}
		now.Add(-1)
	}))
	defer server.Close()
	var checks []Check
	for range 20 {
		checks = append(checks, check(httpGate(server.URL)))
	}
	l := &listener{}
	o, _ := options(l)
	o.Parallel = 2
	if err := Run(t.Context(), checks, o); err != nil {
		t.Fatal(err)
	}
	if peak.Load() > 2 || len(l.lines) != 20 {
		t.Errorf("%d at once, %d lines", peak.Load(), len(l.lines))
	}
}

func TestACancelledContextEndsAllWithItsCause(t *testing.T) {
	cause := errors.New("the lock is lost")
	arrived := make(chan struct{}, 8)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	t.Run("before the first attempt", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		o, _ := options(nil)
		if err := Run(ctx, []Check{check(httpGate(server.URL))}, o); !errors.Is(err, cause) {
			t.Errorf("Run = %v", err)
		}
	})
	t.Run("during an attempt, and while others wait for their turn", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		o, _ := options(nil)
		o.Parallel = 1
		go func() {
			<-arrived
			cancel(cause)
		}()
		gates := []Check{check(httpGate(server.URL)), check(httpGate(server.URL)), check(httpGate(server.URL))}
		if err := Run(ctx, gates, o); !errors.Is(err, cause) {
			t.Errorf("Run = %v", err)
		}
	})
	t.Run("between two attempts", func(t *testing.T) {
		failing, _ := serve(t, 500)
		ctx, cancel := context.WithCancelCause(t.Context())
		o, _ := options(nil)
		o.Wait = func(ctx context.Context, _ time.Duration) error {
			cancel(cause)
			return ctx.Err()
		}
		if err := Run(ctx, []Check{check(httpGate(failing.URL))}, o); !errors.Is(err, cause) {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestTheEndOfItsTimeNamesAGateThatWasNotPassed(t *testing.T) {
	for _, c := range []struct {
		rule   string
		status int
		must   time.Duration
		want   string
	}{
		{"it failed", 503, 0, `expected status 200, found status 503, body "hello" last; the time was over after 1 attempt: `},
		{"it held", 200, time.Minute, "it held, but not for 1m0s yet; the time was over after 1 attempt: "},
	} {
		t.Run(c.rule, func(t *testing.T) {
			server, _ := serve(t, c.status)
			ctx, cancel := context.WithCancelCause(t.Context())
			o, _ := options(nil)
			o.Wait = func(ctx context.Context, _ time.Duration) error {
				cancel(context.DeadlineExceeded)
				return ctx.Err()
			}
			v := httpGate(server.URL)
			v.For = c.must
			err := Run(ctx, []Check{check(v)}, o)
			mentions(t, err, `verify "http" of repo backend-a (policy.hcl:12): GET `+server.URL, c.want)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Run = %v", err)
			}
		})
	}
	t.Run("it never had its turn", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		defer server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		o, _ := options(nil)
		mentions(t, Run(ctx, []Check{check(httpGate(server.URL))}, o), "expected status 200; the time was over after 0 attempts")
	})
}

func TestWhatCannotBeTriedFails(t *testing.T) {
	failing, _ := serve(t, 500)
	o, _ := options(nil)
	mentions(t, Run(t.Context(), []Check{check(gateOf("smoke"))}, o), `verify "smoke" of repo backend-a`, "nothing to try")
	broken := errors.New("no time")
	o.Wait = func(context.Context, time.Duration) error { return broken }
	if err := Run(t.Context(), []Check{check(httpGate(failing.URL))}, o); !errors.Is(err, broken) {
		t.Errorf("Run = %v", err)
	}
	if err := Run(t.Context(), nil, o); err != nil {
		t.Errorf("without gates: %v", err)
	}
}
