// Package journal is the record of one operation, written ahead: an entry is
// durable before the step it announces is taken. Replaying the entries tells
// how far an operation came. It is pure; package state stores the entries.
package journal

import (
	"slices"
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
)

// Entry is one record.
type Entry struct {
	// Seq counts from 1 without gaps.
	Seq  int       `json:"seq"`
	At   time.Time `json:"at"`
	Step Step      `json:"step"`
	// Wave counts from 1; 0 where the step concerns no wave.
	Wave         int      `json:"wave,omitempty"`
	DeploymentID string   `json:"deployment_id,omitempty"`
	Apps         []string `json:"apps,omitempty"`
	// Reason is why an operation is failing, or what its end means, for a person. It never contains secrets.
	Reason string `json:"reason,omitempty"`
	// Interrupted is set on Failing when it was a person who asked to stop.
	Interrupted bool `json:"interrupted,omitempty"`
	// By is set on Resumed: who took the operation up, as user@host.
	By string `json:"by,omitempty"`
	// Outcome is set on Ended.
	Outcome event.Outcome `json:"outcome,omitempty"`
	// Running is set on Ended: what every changed app was last seen to run, by app.
	Running map[string]string `json:"running,omitempty"`
}

// Kind is what an operation was asked to do.
type Kind string

// The kinds.
const (
	Apply Kind = "apply"
	Undo  Kind = "undo"
)

// Header says what an operation is.
type Header struct {
	OperationID string `json:"operation_id"`
	Kind        Kind   `json:"kind"`
	Environment string `json:"environment"`
	Operator    string `json:"operator"`
	ApprovedBy  string `json:"approved_by,omitempty"`
	Reason      string `json:"reason,omitempty"`
	Ticket      string `json:"ticket,omitempty"`
	// Overrides are the reasons given for guards that were overridden, by guard.
	Overrides map[string]string `json:"overrides,omitempty"`
	// Undoes is the operation that an undo puts back.
	Undoes string `json:"undoes,omitempty"`
	// Host is where it began; Link leads to the CI job.
	Host string     `json:"host,omitempty"`
	Link string     `json:"link,omitempty"`
	Plan *plan.Plan `json:"plan"`
}

// Progress is what the entries of one operation amount to.
type Progress struct {
	// Next is what is left to do.
	Next Next
	// Begun lists the waves that may have changed something, in the order they were begun.
	Begun []int
	// Verified lists the waves that are done with.
	Verified []int
	// Healthy lists the waves whose apps were all healthy.
	Healthy []int
	// Open are the deployments forward that were accepted and not seen to their end. Those that put back are not among
	// them: they are never cancelled, but followed when they are asked for again.
	Open []string
	// Sent lists, by wave, the apps of which a deployment was accepted.
	Sent map[int][]string
	// Restored lists the waves put back.
	Restored []int
	// Cause is why it is failing; "" as long as it is not. Interrupted: because a person asked to stop.
	Cause       string
	Interrupted bool
	// Outcome is "" while the operation has not ended.
	Outcome event.Outcome
	// Ends counts how often it has ended: one that needed a person may be taken up again.
	Ends int
	// Running is what was last seen to run when it ended.
	Running map[string]string
	// Last is the newest entry; the zero Entry when there is none.
	Last Entry
}

// Replay reads entries in order. Entries of an unknown step are passed over: a newer version wrote them.
func Replay(entries []Entry) Progress {
	next := map[Step]Next{}
	for _, row := range Machine() {
		next[row.Step] = row.Next
	}
	p := Progress{Next: Begin}
	for _, e := range entries {
		p.Last = e
		switch e.Step {
		case WaveStarting:
			if !slices.Contains(p.Begun, e.Wave) {
				p.Begun = append(p.Begun, e.Wave)
			}
		case Accepted:
			if !slices.Contains(p.Open, e.DeploymentID) {
				p.Open = append(p.Open, e.DeploymentID)
			}
			if p.Sent == nil {
				p.Sent = map[int][]string{}
			}
			p.Sent[e.Wave] = append(p.Sent[e.Wave], e.Apps...)
		case WaveHealthy:
			p.Open, p.Healthy = nil, append(p.Healthy, e.Wave)
		case WaveVerified:
			p.Verified = append(p.Verified, e.Wave)
		case Failing, Stopped:
			if p.Cause == "" {
				p.Cause, p.Interrupted = e.Reason, e.Interrupted
			}
		case WaveRestored:
			p.Open, p.Restored = nil, append(p.Restored, e.Wave)
		case Resumed:
			if p.Outcome != "" {
				// It needed a person, who wants it put back once more: whatever was put back may have been changed since.
				p.Outcome, p.Restored, p.Next = "", nil, PutBack
			}
		case Ended:
			p.Outcome, p.Running = e.Outcome, e.Running
			p.Ends++
			if p.Cause == "" {
				p.Cause = e.Reason
			}
		case Started, Snapshotted, RestoreStarting, RestoreAccepted:
		}
		if n := next[e.Step]; n != "" {
			p.Next = n
		}
	}
	return p
}

// Resumable reports whether there is anything that resume could do.
func (p Progress) Resumable() bool {
	return p.Next != Nothing || p.Outcome == event.NeedsPerson
}
