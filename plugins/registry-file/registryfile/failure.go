package registryfile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
)

// The calls that a failure may be scripted for.
const (
	callProbe   = "probe"
	callList    = "list"
	callResolve = "resolve"
)

// The scripted failures that are no faults.
const (
	// doSlow waits Delay before the call, and before each item of a listing.
	doSlow = "slow"
	// doHang answers only when the caller gives up.
	doHang = "hang"
	// doCrash ends the process.
	doCrash = "crash"
	// doTruncated ends a listing after AfterItems with an error, as a careful plugin does.
	doTruncated = "truncated"
	// doShort ends a listing after AfterItems as if it were complete: a lie, for testing the host.
	doShort = "short"
)

var (
	callNames = []string{"", callProbe, callList, callResolve}
	doNames   = []string{
		doSlow, doHang, doCrash, doTruncated, doShort,
		string(fault.Unauthenticated), string(fault.PermissionDenied), string(fault.NotFound),
		string(fault.RateLimited), string(fault.Unavailable), string(fault.Internal),
	}
)

// failure is a scripted breakdown.
type failure struct {
	// Repo limits it to one repo; "" means every one.
	Repo string `json:"repo"`
	// Call limits it to one call: probe, list or resolve; "" means every one.
	Call string `json:"call"`
	// Do says what happens: a fault's code, or one of the words above.
	Do string `json:"do"`
	// AfterItems lets a listing yield so many items first.
	AfterItems int `json:"after_items"`
	// Times limits it to the first so many calls of a plugin's life; 0 means always.
	Times int `json:"times"`
	// Delay is how long slow waits, such as 200ms.
	Delay string `json:"delay"`
	// RetryAfter is what rate_limited asks for, such as 30s.
	RetryAfter string `json:"retry_after"`
	Message    string `json:"message"`
}

func (f failure) check() error {
	if !slices.Contains(callNames, f.Call) {
		return fmt.Errorf("call %q is none of %s", f.Call, strings.Join(callNames[1:], ", "))
	}
	if !slices.Contains(doNames, f.Do) {
		return fmt.Errorf("do %q is none of %s", f.Do, strings.Join(doNames, ", "))
	}
	if f.AfterItems < 0 || f.Times < 0 {
		return fmt.Errorf("after_items and times cannot be negative")
	}
	for _, d := range []string{f.Delay, f.RetryAfter} {
		if _, err := duration(d); err != nil {
			return err
		}
	}
	return nil
}

func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration, such as 200ms or 30s", text)
	}
	return d, nil
}

// breakdown is the failures that strike one call. It lives as long as the call, and so may hold its context.
type breakdown struct {
	wait   func(time.Duration) error
	gone   <-chan struct{}
	reason func() error
	crash  func()
	what   string
	strike []failure
}

// breakdown finds the failures for a call and counts it.
func (s *server) breakdown(ctx context.Context, w *world, call, repo string) breakdown {
	b := breakdown{
		wait:   func(d time.Duration) error { return pause(ctx, d) },
		gone:   ctx.Done(),
		reason: ctx.Err,
		crash:  s.crash,
		what:   strings.TrimSpace(call + " " + repo),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range w.Registry.Failures {
		if (f.Repo != "" && f.Repo != repo) || (f.Call != "" && f.Call != call) {
			continue
		}
		key := fmt.Sprintf("%d %+v", i, f)
		if f.Times > 0 && s.calls[key] >= f.Times {
			continue
		}
		s.calls[key]++
		b.strike = append(b.strike, f)
	}
	return b
}

// before strikes when the call begins.
func (b breakdown) before() error {
	for _, f := range b.strike {
		if f.AfterItems > 0 || f.Do == doTruncated || f.Do == doShort {
			continue
		}
		if err := b.hit(f); err != nil {
			return err
		}
	}
	return nil
}

// during strikes before item n of total. end ends the listing without an error.
func (b breakdown) during(n, total int) (end bool, err error) {
	for _, f := range b.strike {
		switch {
		case f.Do == doSlow:
			err = b.hit(f)
		case n < f.AfterItems:
		case f.Do == doShort:
			return true, nil
		case f.Do == doTruncated:
			err = fault.New(fault.Unavailable, "%s: the listing was cut short after %d of %d tags", b.what, n, total)
		case f.AfterItems > 0:
			err = b.hit(f)
		}
		if err != nil {
			return true, err
		}
	}
	return false, nil
}

func (b breakdown) hit(f failure) error {
	switch f.Do {
	case doSlow:
		d, _ := duration(f.Delay) // checked when the file was read
		return b.wait(d)
	case doHang:
		<-b.gone
		return b.reason()
	case doCrash:
		b.crash()
		return fault.New(fault.Indeterminate, "%s: the plugin crashed as scripted", b.what)
	}
	message := f.Message
	if message == "" {
		message = "scripted failure"
	}
	out := fault.New(fault.Code(f.Do), "%s: %s", b.what, message)
	if f.Do == string(fault.RateLimited) {
		out.RetryAfter, _ = duration(f.RetryAfter) // checked when the file was read
	}
	return out
}
