// Package notify is what a notifier plugin implements: it tells people what
// an operation does. It formats; it decides nothing.
package notify

import (
	"context"
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Plugin is a notifier plugin before it is configured.
type Plugin interface {
	// Describe answers offline and at once; always the same.
	Describe() schema.Description
	// ValidateConfig reports all problems of cfg at once, offline. Diagnostics carry paths.
	ValidateConfig(cfg schema.Config) diag.Diagnostics
	// Configure is called once, with a configuration that passed ValidateConfig. It reaches nobody.
	Configure(ctx context.Context, cfg schema.Config, rt schema.Runtime) (Notifier, error)
}

// Notifier is a configured notifier plugin. The host calls Notify for one operation from one goroutine, in order.
type Notifier interface {
	// Probe checks what can be checked without telling anybody.
	Probe(ctx context.Context) (schema.ProbeResult, error)
	// Notify tells. The returned thread handle is opaque, and comes back with the operation's next event;
	// "" when the plugin has no threads.
	Notify(ctx context.Context, req Request) (Result, error)
}

// Kind is what has happened.
type Kind string

// The kinds of event.
const (
	// Started: posted before anything is changed.
	Started Kind = "started"
	// Progress: an app became healthy or a wave began.
	Progress Kind = "progress"
	// Succeeded: every app runs what was planned.
	Succeeded Kind = "succeeded"
	// Failed: the apply failed; Restored or NeedsPerson follows.
	Failed Kind = "failed"
	// Restored: everything is as before.
	Restored Kind = "restored"
	// NeedsPerson: something is not as before and could not be put back.
	NeedsPerson Kind = "needs_person"
	// Interrupted: stopped by a person or a signal.
	Interrupted Kind = "interrupted"
)

// Request is one event of an operation.
type Request struct {
	Kind        Kind
	OperationID string
	Environment string
	// Point is the date asked for, as text.
	Point string
	// Operator did it, Approver allowed it; either may be "".
	Operator, Approver string
	Reason, Ticket     string
	// Link leads to the CI job or report; "" when there is none.
	Link string
	// Host is where the operation runs.
	Host    string
	Changes []Change
	// Kept names repos that stay as they are, with the reason.
	Kept []string
	// Message is one or two sentences for a person: what happened and, on failure, why and what to do.
	Message string
	// StopHint says how to stop or undo the operation.
	StopHint string
	// At is the instant of the event; StartedAt that of the operation.
	At, StartedAt time.Time
	// Thread is what an earlier Notify of this operation returned.
	Thread string
}

// Change is one app's change, for reading.
type Change struct {
	Repo, App string
	// Action is rollback, forward, none or keep.
	Action string
	// FromTag and ToTag are tags (or short digests where there is no tag).
	FromTag, ToTag string
	Reason         string
	// State is pending, deploying, healthy, failed, restored or unknown.
	State string
}

// Result of a Notify.
type Result struct {
	// Thread is the handle for the operation's next event.
	Thread string
	// Link leads to the message, where known.
	Link string
}
