package orchestratorfile

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
	callProbe     = "probe"
	callList      = "list_apps"
	callSnapshot  = "snapshot"
	callPreview   = "preview"
	callDeploy    = "deploy"
	callAttach    = "attach"
	callRestore   = "restore"
	callCancel    = "cancel"
	callLiftHold  = "lift_hold"
	callRevisions = "list_revisions"
)

// The points of a call at which a failure may strike.
const (
	// beforeAccept: nothing has been changed.
	beforeAccept = "before_accept"
	// unanswered: the deployment is accepted, and the host has not heard of it.
	unanswered = "unanswered"
	// afterAccept: the host has been told.
	afterAccept = "after_accept"
	// during: the first progress has been reported.
	during = "during"
	// afterDone: everything is healthy, and the host has not heard of it.
	afterDone = "after_done"
)

// The scripted failures that are neither faults nor fates.
const (
	doCrash   = "crash"
	doHang    = "hang"
	doSlow    = "slow"
	doGarbage = "garbage"
	// doDrift: somebody else changes the app just before.
	doDrift = "drift"
	// doSlowStart: the app becomes healthy, but an instance takes Factor ticks.
	doSlowStart = "slow_start"
)

var (
	callNames = []string{
		callProbe, callList, callSnapshot, callPreview, callDeploy, callAttach, callRestore, callCancel, callLiftHold, callRevisions,
	}
	pointNames = []string{beforeAccept, unanswered, afterAccept, during, afterDone}
	fateNames  = []string{fateUnhealthy, fateDoomed, fateStuck, fateOverwritten, doSlowStart}
	doNames    = slices.Concat(fateNames, []string{
		doCrash, doHang, doSlow, doGarbage, doDrift,
		string(fault.Unauthenticated), string(fault.PermissionDenied), string(fault.NotFound), string(fault.Busy),
		string(fault.RateLimited), string(fault.Unavailable), string(fault.Indeterminate), string(fault.Internal),
	})
)

// failure is a scripted breakdown.
type failure struct {
	// Call is what it strikes; "" means deploy and restore.
	Call string `json:"call,omitempty"`
	// App and Tag limit it to one app, and to changes to images with one tag.
	App string `json:"app,omitempty"`
	Tag string `json:"tag,omitempty"`
	// Do says what happens: a fate of the app, a fault's code, or one of the words above.
	Do string `json:"do"`
	// At is the point where it happens; "" means before_accept, and for indeterminate unanswered.
	At string `json:"at,omitempty"`
	// Nth is the call it begins with, from 1; Times how many it strikes.
	// Without both it strikes always, with Nth alone once.
	Nth   int `json:"nth,omitempty"`
	Times int `json:"times,omitempty"`
	// Delay is how long slow takes, RetryAfter what rate_limited asks for.
	Delay      string `json:"delay,omitempty"`
	RetryAfter string `json:"retry_after,omitempty"`
	// Factor is how much slower slow_start is; 0 means 10.
	Factor int `json:"factor,omitempty"`
	// Image is what an overwritten app gets.
	Image   string `json:"image,omitempty"`
	Message string `json:"message,omitempty"`
	// Seen counts the calls that it was considered for. The plugin writes it.
	Seen int `json:"seen,omitempty"`
}

func (f *failure) check() error {
	if f.Call != "" && !slices.Contains(callNames, f.Call) {
		return fmt.Errorf("call %q is none of %s", f.Call, strings.Join(callNames, ", "))
	}
	if !slices.Contains(doNames, f.Do) {
		return fmt.Errorf("do %q is none of %s", f.Do, strings.Join(doNames, ", "))
	}
	if f.At != "" && !slices.Contains(pointNames, f.At) {
		return fmt.Errorf("at %q is none of %s", f.At, strings.Join(pointNames, ", "))
	}
	if f.Do == fateOverwritten && f.Image == "" {
		return fmt.Errorf("overwritten needs an image")
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

// aim is an app, and the image it is to get where there is one.
type aim struct{ app, image string }

func (f *failure) concerns(call string, aims []aim) bool {
	if f.Call != call && (f.Call != "" || (call != callDeploy && call != callRestore)) {
		return false
	}
	if f.App == "" && f.Tag == "" {
		return true
	}
	return slices.ContainsFunc(aims, func(a aim) bool { return f.hits(a) })
}

func (f *failure) hits(a aim) bool {
	return (f.App == "" || f.App == a.app) && (f.Tag == "" || f.Tag == tagOf(a.image))
}

// strikes says whether the call just counted is one of those meant.
func (f *failure) strikes() bool {
	times := f.Times
	if times == 0 {
		if f.Nth == 0 {
			return true
		}
		times = 1
	}
	first := max(f.Nth, 1)
	return f.Seen >= first && f.Seen < first+times
}

func (f *failure) point() string {
	switch {
	case f.At != "":
		return f.At
	case f.Do == string(fault.Indeterminate):
		return unanswered
	}
	return beforeAccept
}

// tagOf returns the tag of an image reference, "" when it has none.
func tagOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	return tag
}

// script is the failures that strike one call.
type script struct {
	call    string
	strikes []*failure
	crash   func()
}

// script finds the failures that strike a call, and counts it for them.
func (s *server) script(ctx context.Context, call string, aims ...aim) (script, error) {
	found := script{call: call, crash: s.crash}
	if err := ctx.Err(); err != nil {
		return found, err
	}
	w, err := s.store.read()
	if err != nil {
		return found, err
	}
	if !slices.ContainsFunc(w.Failures, func(f *failure) bool { return f.concerns(call, aims) }) {
		return found, nil
	}
	err = s.store.change(ctx, func(w *world) error {
		for _, f := range w.Failures {
			if f.concerns(call, aims) {
				f.Seen++
				if f.strikes() {
					found.strikes = append(found.strikes, f)
				}
			}
		}
		return nil
	})
	return found, err
}

// at lets the failures of a point strike.
func (c script) at(ctx context.Context, point string) error {
	for _, f := range c.strikes {
		if f.point() != point || slices.Contains(fateNames, f.Do) || f.Do == doGarbage || f.Do == doDrift {
			continue
		}
		if err := c.hit(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (c script) hit(ctx context.Context, f *failure) error {
	switch f.Do {
	case doCrash:
		c.crash()
		return fault.New(fault.Indeterminate, "%s: the plugin crashed as scripted", c.call)
	case doHang:
		<-ctx.Done()
		return ctx.Err()
	case doSlow:
		d, _ := duration(f.Delay) // checked when the file was read
		return pause(ctx, d)
	}
	message := f.Message
	if message == "" {
		message = "scripted failure"
	}
	out := fault.New(fault.Code(f.Do), "%s: %s", c.call, message)
	if f.App != "" {
		out = out.On(f.App)
	}
	if f.Do == string(fault.Busy) {
		out.Deployments = []string{"somebody-elses"}
	}
	out.RetryAfter, _ = duration(f.RetryAfter) // checked when the file was read
	return out
}

// garbage says whether the call is to answer nonsense.
func (c script) garbage() bool {
	return slices.ContainsFunc(c.strikes, func(f *failure) bool { return f.Do == doGarbage })
}

// drifting are the apps that somebody else is to change just before.
func (c script) drifting(aims []aim) []string {
	var apps []string
	for _, f := range c.strikes {
		for _, a := range aims {
			if f.Do == doDrift && f.hits(a) {
				apps = append(apps, a.app)
			}
		}
	}
	return apps
}

// fate gives a part of a deployment the fate that is scripted for it.
func (c script) fate(p part, image string) part {
	for _, f := range c.strikes {
		if !slices.Contains(fateNames, f.Do) || !f.hits(aim{p.App, image}) {
			continue
		}
		p.Message, p.Image = f.Message, f.Image
		if f.Do == doSlowStart {
			p.Slow = f.Factor
			if p.Slow == 0 {
				p.Slow = 10
			}
			continue
		}
		p.Fate = f.Do
	}
	return p
}
