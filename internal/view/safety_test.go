package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/plan"
)

func TestTextFromOutsideNeverSteersTheTerminal(t *testing.T) {
	for name, show := range shows("\x1b]0;evil\a\r\nEVIL\u202e\u2066") {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			show(&b, plainLook(80))
			out := b.String()
			if i := strings.IndexAny(out, "\x1b\a\r\u202e\u2066"); i >= 0 {
				t.Errorf("raw character at %d: %q", i, out[max(i-80, 0):min(i+20, len(out))])
			}
			if strings.Contains(out, "\nEVIL") && name != "diagnostics" { // a detail may have lines
				t.Error("text from outside began a line")
			}
		})
	}
}

func TestPlanCountsWordsAreAnInterface(t *testing.T) {
	change := []plan.Change{{Action: plan.Rollback}}
	for _, c := range []struct {
		name, want string
		p          plan.Plan
	}{
		{"rollback", "Plan: 3 to roll back, 1 kept, 2 unchanged.", plan.Plan{Changes: change, Summary: plan.Summary{Rollback: 3, Keep: 1, None: 2}}},
		{"forward is named only when there is one", "Plan: 3 to roll back, 4 to move forward, 0 kept, 0 unchanged.", plan.Plan{Changes: change, Summary: plan.Summary{Rollback: 3, Forward: 4}}},
		{"nothing", "No changes. Everything stays as it runs: 1 kept, 2 unchanged.", plan.Plan{Summary: plan.Summary{Keep: 1, None: 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, PlanCounts(Look{}, &c.p)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStreamHasEveryTypeOfEvent(t *testing.T) {
	var b bytes.Buffer
	s := NewStream(&b, "1.0.0", plainLook(80).Now)
	PlanTo(s, everyAction(""))
	events(func(e event.Event) { EventTo(s, e) }, "")
	d := messages("")[0]
	EventTo(s, event.Event{Type: "diagnostic", OperationID: "01OP", DeploymentID: "d1", Diagnostic: &d})
	EventTo(s, event.Event{Type: "snapshot", Message: "kept"})
	EventTo(s, event.Event{Type: "verify", Message: "verified"})
	EventTo(s, event.Event{Type: "log", Message: "said"})
	DiagnosticsTo(s, messages(""))
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	golden(t, "stream", b.Bytes())
}
