// Package core is the engine: points, plan, apply. Each is a few calls of the
// rooms below it. It knows no gRPC, no command line and no terminal.
package core

import (
	"context"
	"crypto/rand"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/notice"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Options is what an engine works with.
type Options struct {
	Policy *policy.Policy
	// Registry lists releases; it is needed for everything.
	Registry registry.Registry
	// Orchestrator is nil where only points are wanted.
	Orchestrator orchestrator.Orchestrator
	// Capabilities is the orchestrator's description.
	Capabilities schema.Description
	Notifiers    []notice.Target
	State        *state.Store
	Now          func() time.Time
	// Wait waits between two tries, and errs when ctx ends; nil waits by the clock.
	Wait func(ctx context.Context, d time.Duration) error
	// Parallelism bounds how many repos are read at once; at least 1.
	Parallelism int
	// Emit takes the events of an apply.
	Emit event.Sink
	// Environ is our own environment; a small part of it is handed to the programs of blocks verify.
	Environ []string
	// Recorded is called after every entry of a journal has become durable; nil where nobody wants to know. Tests of
	// reliability break a process off there.
	Recorded func(journal.Entry)
}

// Engine does the job. Its methods are used one at a time.
type Engine struct{ Options }

// New returns an engine.
func New(o Options) *Engine {
	if o.Wait == nil {
		o.Wait = sleep
	}
	return &Engine{Options: o}
}

// NewID returns an id for a plan or an operation: a ULID, which sorts by time.
func NewID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), rand.Reader).String()
}

// Environment finds the environment with that name, or else the one with that branch; "" asks for the policy's own.
func (e *Engine) Environment(name string) (policy.Environment, error) {
	if name == "" {
		name = e.Policy.Settings.Environment
	}
	if name == "" && len(e.Policy.Environments) == 1 {
		return e.Policy.Environments[0], nil
	}
	if name == "" {
		return policy.Environment{}, fmt.Errorf("choose an environment: name one with --env, or set rollback.environment in the policy; it has %s", e.environmentNames())
	}
	found := e.Policy.FindEnvironments(name)
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return policy.Environment{}, fmt.Errorf("find environment %q: the policy has %s", name, e.environmentNames())
	default:
		names := make([]string, len(found))
		for i, f := range found {
			names[i] = f.Name
		}
		return policy.Environment{}, fmt.Errorf("find environment %q: it is the branch of several: %s; name one of them", name, strings.Join(names, ", "))
	}
}

func (e *Engine) environmentNames() string {
	if len(e.Policy.Environments) == 0 {
		return "none"
	}
	names := make([]string, len(e.Policy.Environments))
	for i, env := range e.Policy.Environments {
		names[i] = env.Name
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// apps lists the apps of an environment; none where there is no orchestrator.
func (e *Engine) apps(ctx context.Context, env policy.Environment) ([]orchestrator.App, error) {
	if e.Orchestrator == nil {
		return nil, nil
	}
	var apps []orchestrator.App
	err := e.Orchestrator.ListApps(ctx, orchestrator.ListRequest{Scope: env.Scope}, func(a orchestrator.App) error {
		apps = append(apps, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the apps of %s: %w", env.Name, err)
	}
	return apps, nil
}
