// Package event is what the engine tells the world while it works: one stream
// that live view, JSON stream, report and notices all feed on.
package event

import (
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
)

// Type is the kind of an event; the words are those of the JSON stream (conventions.md section 4.6).
type Type string

// The types, in the order in which they may first occur.
const (
	LockWait          Type = "lock_wait"
	OperationStart    Type = "operation_start"
	Preflight         Type = "preflight"
	Snapshot          Type = "snapshot"
	WaveStart         Type = "wave_start"
	ApplyStart        Type = "apply_start"
	ApplyProgress     Type = "apply_progress"
	ApplyComplete     Type = "apply_complete"
	ApplyErrored      Type = "apply_errored"
	Verify            Type = "verify"
	Gate              Type = "gate"
	RestoreStart      Type = "restore_start"
	RestoreProgress   Type = "restore_progress"
	RestoreComplete   Type = "restore_complete"
	Diagnostic        Type = "diagnostic"
	Log               Type = "log"
	OperationComplete Type = "operation_complete"
)

// Event is one message. Fields that do not concern its type are zero.
type Event struct {
	Type Type      `json:"type"`
	At   time.Time `json:"-"`
	// OperationID is set on every event from OperationStart on.
	OperationID string `json:"operation_id,omitempty"`
	// Message is the text for a person.
	Message string `json:"-"`
	// Wave and Waves count from 1.
	Wave  int    `json:"wave,omitempty"`
	Waves int    `json:"waves,omitempty"`
	Repo  string `json:"repo,omitempty"`
	App   string `json:"app,omitempty"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	// Ready of Total instances are healthy.
	Ready int `json:"ready,omitempty"`
	Total int `json:"total,omitempty"`
	// Elapsed since the app's (or operation's) start.
	Elapsed      time.Duration    `json:"-"`
	DeploymentID string           `json:"deployment_id,omitempty"`
	Diagnostic   *diag.Diagnostic `json:"diagnostic,omitempty"`
	// Outcome and ExitCode are set on OperationComplete.
	Outcome  Outcome `json:"outcome,omitempty"`
	ExitCode int     `json:"exit_code,omitempty"`
}

// Outcome is how an operation ended.
type Outcome string

// The outcomes, with the exit codes of DESIGN.md section 4.
const (
	// Done: every app runs what was planned (0).
	Done Outcome = "done"
	// Nothing was to do (0).
	Nothing Outcome = "nothing_to_do"
	// Refused: an error before anything changed (1).
	Refused Outcome = "refused"
	// Restored: failed, and everything is as before (3).
	Restored Outcome = "restored"
	// NeedsPerson: failed, and something is not as before (4).
	NeedsPerson Outcome = "needs_person"
	// Locked: somebody else holds the environment (5).
	Locked Outcome = "locked"
	// Interrupted by a person (130); the message says what is where.
	Interrupted Outcome = "interrupted"
	// Abandoned: broken off, and left as it was by somebody who has taken care of the apps (0).
	Abandoned Outcome = "abandoned"
)

// Sink takes events. It is called from one goroutine at a time, in order, and must not block for long.
type Sink func(Event)

// Types are all types, in the order in which they may first occur.
func Types() []Type {
	return []Type{
		LockWait, OperationStart, Preflight, Snapshot, WaveStart, ApplyStart, ApplyProgress, ApplyComplete, ApplyErrored, Verify, Gate,
		RestoreStart, RestoreProgress, RestoreComplete, Diagnostic, Log, OperationComplete,
	}
}
