package journal

import (
	"fmt"
	"slices"
	"strings"
)

// Step is what an entry announces or records.
type Step string

// The steps, in the order of an apply (DESIGN.md section 7). What each means stands in the table Machine.
const (
	Started         Step = "started"
	Snapshotted     Step = "snapshotted"
	WaveStarting    Step = "wave_starting"
	Accepted        Step = "accepted"
	WaveHealthy     Step = "wave_healthy"
	WaveVerified    Step = "wave_verified"
	Failing         Step = "failing"
	RestoreStarting Step = "restore_starting"
	RestoreAccepted Step = "restore_accepted"
	WaveRestored    Step = "wave_restored"
	Stopped         Step = "stopped"
	Resumed         Step = "resumed"
	Ended           Step = "ended"
)

// Next is what is left to do of an operation.
type Next string

// What may be left to do.
const (
	// Begin: nothing has been changed; snapshots are still to be taken.
	Begin Next = "begin"
	// Continue: waves are left to deploy, to follow or to verify.
	Continue Next = "continue"
	// PutBack: what was touched is to be put back.
	PutBack Next = "restore"
	// Nothing: it has ended.
	Nothing Next = "nothing"
)

// Row is a step of an operation.
type Row struct {
	Step Step
	// Means says what has happened, or is about to.
	Means string
	// After are the steps that it may follow; nil for the first.
	After []Step
	// Resume says what resume does when the operation was broken off after this step; Next is the same for a program,
	// "" for a step that leaves what is to do as it was.
	Resume string
	Next   Next
}

// deploying are the steps on the way forward, restoring those on the way back.
var (
	deploying = []Step{WaveStarting, Accepted, WaveHealthy, WaveVerified}
	restoring = []Step{RestoreStarting, RestoreAccepted, WaveRestored}
)

// Machine is the state machine of an operation: every step, what it may follow, and what resume makes of it.
// An entry is durable before what it announces is done.
func Machine() []Row {
	forward := append([]Step{Started, Snapshotted, Resumed}, deploying...)
	back := append([]Step{Failing, Resumed, Stopped}, restoring...)
	return []Row{
		{Started, "the plan, the operator and the approver are recorded", nil, "takes the snapshots and goes on", Begin},
		{Snapshotted, "every app's configuration has been read and is kept", []Step{Started, Resumed}, "deploys the first wave", Continue},
		{WaveStarting, "a wave is about to be sent: from here on apps may have changed", []Step{Snapshotted, WaveVerified, Resumed}, "asks for the wave again under the same operation id, which deploys nothing twice", Continue},
		{Accepted, "the orchestrator has taken a deployment", []Step{WaveStarting, Accepted, Resumed}, "attaches to the deployment and follows it", Continue},
		{WaveHealthy, "every app of the wave is healthy", []Step{WaveStarting, Accepted, Resumed}, "passes the wave's verification gates again", Continue},
		{WaveVerified, "the wave's verification gates have passed", []Step{WaveHealthy, Resumed}, "deploys the next wave, or reads back what runs and ends", Continue},
		{Failing, "something failed, or somebody asked to stop: what follows is putting back", slices.Concat(forward, back), "cancels what is under way and puts everything back", PutBack},
		{RestoreStarting, "a wave's snapshots are about to be put back", back, "puts them back again: what is as its snapshot is left alone", PutBack},
		{RestoreAccepted, "the orchestrator has taken a deployment that puts apps back", back, "puts them back again", PutBack},
		{WaveRestored, "every app of the wave is as its snapshot", back, "puts the waves before it back, and reads back", PutBack},
		{Stopped, "stopped at once, by a second Ctrl-C or because the lock was lost: nothing was put back", slices.Concat(forward, back), "puts everything back", PutBack},
		{Resumed, "somebody has taken the operation up again", slices.Concat(forward, back, []Step{Ended}), "goes on where it was", ""},
		{Ended, "the outcome is recorded", slices.Concat(forward, back), "nothing; an operation that needs a person is put back once more", Nothing},
	}
}

// Check says where entries do not follow the machine; nil when they do.
func Check(entries []Entry) error {
	after := map[Step][]Step{}
	for _, row := range Machine() {
		after[row.Step] = row.After
	}
	for i, e := range entries {
		switch {
		case e.Seq != i+1:
			return fmt.Errorf("entry %d has the number %d", i+1, e.Seq)
		case i == 0 && e.Step != Started:
			return fmt.Errorf("the first entry is %s, not %s", e.Step, Started)
		case i > 0 && !slices.Contains(after[e.Step], entries[i-1].Step):
			return fmt.Errorf("entry %d, %s, follows %s", i+1, e.Step, entries[i-1].Step)
		}
	}
	return nil
}

// Diagram draws the machine for Mermaid.
func Diagram() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    [*] --> started\n")
	for _, row := range Machine() {
		if row.Step == Resumed {
			continue // It leads from everywhere to where it was.
		}
		for _, from := range row.After {
			// What may happen at any step would hide the rest: it stands in the table.
			if from == Resumed || from == Stopped || row.Step == Stopped || (row.Step == Failing || row.Step == Ended) && !usual(from, row.Step) {
				continue
			}
			fmt.Fprintf(&b, "    %s --> %s\n", from, row.Step)
		}
	}
	b.WriteString("    ended --> [*]\n")
	return b.String()
}

// usual leaves out of the drawing what is rare.
func usual(from, to Step) bool {
	if to == Failing {
		return slices.Contains(deploying, from)
	}
	return from == WaveVerified || from == WaveRestored || from == Failing
}
