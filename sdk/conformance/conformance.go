// Package conformance checks that a plugin keeps the rules of docs/plugin-protocol.md.
//
// It runs on the Go interfaces of a plugin: on a value in the same process, or
// on any executable in any language through sdk/host. A check whose subject the
// fixture does not describe is skipped, and says what is missing. A fake counts
// only if it passes the same suite as what it stands for.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Target starts the plugin that is checked; exactly one of the exported fields is set. Each call gives a new plugin that
// has not been configured – a new process, where there are processes – whose log lines go to log as far as they do not
// go to the logger of Configure, and a function that ends it, which is called once.
type Target struct {
	Registry     func(ctx context.Context, log hclog.Logger) (registry.Plugin, func(), error)
	Orchestrator func(ctx context.Context, log hclog.Logger) (orchestrator.Plugin, func(), error)
	Notify       func(ctx context.Context, log hclog.Logger) (notify.Plugin, func(), error)
	// redacted: sdk/host has taken the secrets out of what is heard, and left its mark.
	redacted bool
}

// OfRegistry makes a target of a function that returns a plugin in this process.
func OfRegistry(plugin func() registry.Plugin) Target {
	return Target{Registry: func(context.Context, hclog.Logger) (registry.Plugin, func(), error) { return plugin(), func() {}, nil }}
}

// OfOrchestrator makes a target of a function that returns a plugin in this process.
func OfOrchestrator(plugin func() orchestrator.Plugin) Target {
	return Target{Orchestrator: func(context.Context, hclog.Logger) (orchestrator.Plugin, func(), error) {
		return plugin(), func() {}, nil
	}}
}

// OfNotify makes a target of a function that returns a plugin in this process.
func OfNotify(plugin func() notify.Plugin) Target {
	return Target{Notify: func(context.Context, hclog.Logger) (notify.Plugin, func(), error) { return plugin(), func() {}, nil }}
}

func (t Target) kind() schema.Kind {
	switch {
	case t.Registry != nil:
		return schema.Registry
	case t.Orchestrator != nil:
		return schema.Orchestrator
	default:
		return schema.Notify
	}
}

// Outcome is how a check ended.
type Outcome string

// The outcomes.
const (
	Pass Outcome = "pass"
	Fail Outcome = "fail"
	Skip Outcome = "skip"
)

// Result is how one check ended.
type Result struct {
	// Name is unique in the suite, such as registry/branch-is-whole.
	Name string `json:"name"`
	// Rules are numbers of docs/plugin-protocol.md, such as R3.
	Rules   []string `json:"rules"`
	Outcome Outcome  `json:"outcome"`
	// Message says what was found (Fail) or what is missing (Skip).
	Message string `json:"message,omitempty"`
	// Rule explains the rule that is broken, and what breaking it leads to; empty unless Fail.
	Rule     string        `json:"rule,omitempty"`
	Duration time.Duration `json:"duration_ns"`
}

// Report is what a run found.
type Report struct {
	Kind schema.Kind `json:"kind"`
	// Plugin and Version are the plugin's own words.
	Plugin  string   `json:"plugin"`
	Version string   `json:"version"`
	Results []Result `json:"results"`
}

// Passed reports whether nothing failed and anything passed.
func (r Report) Passed() bool { return r.Count(Fail) == 0 && r.Count(Pass) > 0 }

// Count returns how many checks ended so.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, x := range r.Results {
		if x.Outcome == o {
			n++
		}
	}
	return n
}

// check is one check of the suite.
type check struct {
	name  string
	rules []string
	// why explains the rule to somebody whose plugin breaks it.
	why string
	run func(ctx context.Context, s *session) error
}

// skipped is the error of a check that cannot be made.
type skipped string

func (s skipped) Error() string { return string(s) }

// skip ends a check without a verdict.
func skip(format string, args ...any) error { return skipped(fmt.Sprintf(format, args...)) }

// Run makes all checks for the target's kind, one after the other, and never panics for the plugin's sake.
// A cancelled ctx skips what is left.
func Run(ctx context.Context, target Target, fixture Fixture) Report {
	return runChecks(ctx, target, fixture, checksFor(target.kind()))
}

func runChecks(ctx context.Context, target Target, fixture Fixture, checks []check) Report {
	s := &suite{target: target, fixture: fixture}
	report := Report{Kind: target.kind()}
	if d, err := s.describe(ctx); err == nil {
		report.Plugin, report.Version = clean(d.Name), clean(d.Version)
		s.description = d
	}
	for _, c := range checks {
		report.Results = append(report.Results, s.run(ctx, c))
	}
	return report
}

// run makes one check, with a time limit and against panics.
func (s *suite) run(ctx context.Context, c check) Result {
	res := Result{Name: c.name, Rules: c.rules, Outcome: Pass}
	began := time.Now()
	err := ctx.Err()
	if err == nil {
		err = s.attempt(ctx, c)
	} else {
		err = skip("the run was ended: %v", err)
	}
	res.Duration = time.Since(began)
	var why skipped
	switch {
	case errors.As(err, &why):
		res.Outcome, res.Message = Skip, string(why)
	case err != nil:
		res.Outcome, res.Message, res.Rule = Fail, s.redact(clean(err.Error())), c.why
	}
	return res
}

func (s *suite) attempt(ctx context.Context, c check) error {
	limit := 10 * s.fixture.patience()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan error, 1)
	sess := &session{suite: s}
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("the plugin panicked: %v\n%s", r, debug.Stack())
			}
		}()
		err := c.run(ctx, sess)
		sess.settle(ctx)
		sess.close()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select { // it may end itself now
	case err := <-done:
		if err == nil {
			return fmt.Errorf("the check took longer than %s", limit)
		}
		return err
	case <-time.After(grace):
		return fmt.Errorf("a call did not end %s after it was cancelled; it is left behind", grace)
	}
}

// grace is how long a cancelled call may take (P18).
const grace = 2 * time.Second

// clean replaces control characters, so that a plugin cannot write to the terminal through the report.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if (r < ' ' && r != '\n') || (r >= 0x7f && r < 0xa0) {
			return '\ufffd'
		}
		return r
	}, text)
}

func checksFor(kind schema.Kind) []check {
	switch kind {
	case schema.Registry:
		return slices.Concat(pluginChecks(), listingChecks(), releaseChecks(), resolveChecks(), closingChecks())
	case schema.Orchestrator:
		return slices.Concat(pluginChecks(), appChecks(), deployChecks(), failureChecks(), optionalChecks(), holdChecks(), closingChecks())
	default:
		return slices.Concat(pluginChecks(), notifyChecks(), closingChecks())
	}
}
