// Package journal is the record of one operation, written ahead: an entry is
// durable before the step it announces is taken. Replaying the entries tells
// how far an operation came. It is pure; package state stores the entries.
package journal

import (
	"time"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
)

// Step is what an entry announces or records.
type Step string

// The steps, in the order of an apply (DESIGN.md section 7).
const (
	// Started carries the plan, the operator and the approver.
	Started Step = "started"
	// Snapshotted: every app's configuration has been read; nothing has been changed yet.
	Snapshotted Step = "snapshotted"
	// WaveStarting: the wave's deployment is about to be sent. From here on things may have changed.
	WaveStarting Step = "wave_starting"
	// Accepted: the orchestrator took a deployment.
	Accepted Step = "accepted"
	// WaveHealthy: every app of the wave is healthy.
	WaveHealthy Step = "wave_healthy"
	// Failing: a step failed; what follows is cancel and restore, or stop.
	Failing Step = "failing"
	// RestoreStarting: the wave's snapshots are about to be put back.
	RestoreStarting Step = "restore_starting"
	// RestoreAccepted: the orchestrator took a deployment that puts apps back.
	RestoreAccepted Step = "restore_accepted"
	// WaveRestored: every app of the wave is as its snapshot.
	WaveRestored Step = "wave_restored"
	// Ended carries the outcome. No entry follows.
	Ended Step = "ended"
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
	// Header is set on Started.
	Header *Header `json:"header,omitempty"`
	// Outcome is set on Ended.
	Outcome event.Outcome `json:"outcome,omitempty"`
}

// Header says what an operation is.
type Header struct {
	OperationID string     `json:"operation_id"`
	Environment string     `json:"environment"`
	Operator    string     `json:"operator"`
	ApprovedBy  string     `json:"approved_by,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Ticket      string     `json:"ticket,omitempty"`
	Plan        *plan.Plan `json:"plan"`
}

// Progress is what the entries of one operation amount to.
type Progress struct {
	Header *Header
	// Touched lists the waves that may have changed something, in the order they were begun.
	Touched []int
	// Deployments are those accepted and not followed to their end.
	Deployments []string
	// Restored lists the waves put back.
	Restored []int
	Failing  bool
	// Outcome is "" while the operation has not ended.
	Outcome   event.Outcome
	StartedAt time.Time
	EndedAt   time.Time
}

// Replay reads entries in order. Entries of an unknown step are passed over: a newer version wrote them.
func Replay(entries []Entry) Progress {
	var p Progress
	for _, e := range entries {
		switch e.Step {
		case Started:
			p.Header, p.StartedAt = e.Header, e.At
		case WaveStarting:
			p.Touched = append(p.Touched, e.Wave)
		case Accepted, RestoreAccepted:
			p.Deployments = append(p.Deployments, e.DeploymentID)
		case WaveHealthy:
			p.Deployments = nil
		case Failing:
			p.Failing = true
		case WaveRestored:
			p.Restored = append(p.Restored, e.Wave)
			p.Deployments = nil
		case Ended:
			p.Outcome, p.EndedAt = e.Outcome, e.At
		case Snapshotted, RestoreStarting:
		}
	}
	return p
}
