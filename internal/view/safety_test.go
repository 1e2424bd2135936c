package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
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

func TestMatrixNeverWrapsHoweverLongATagIs(t *testing.T) {
	for _, width := range []int{40, 80, 120} {
		m := longNames()
		for _, r := range m.Rows {
			for i := range r.Cells {
				r.Cells[i].Release.Tag, r.Cells[i].Release.Build = strings.Repeat("a-long-tag-", 11), ""
			}
		}
		var b bytes.Buffer
		Points(&b, plainLook(width), m, PointsHead{"prod", "master", "UTC"})
		for _, line := range strings.Split(b.String(), "\n") {
			if strings.HasPrefix(line, "team/") && ansi.StringWidth(line) > width {
				t.Errorf("%d columns in %d: %s", ansi.StringWidth(line), width, line)
			}
		}
	}
}

func TestPointsSaysHowManyAreNotShown(t *testing.T) {
	for _, c := range []struct {
		dates int
		want  string
	}{
		{10, "10 points, 2 repos.\n"},
		{11, "11 points, 2 repos.\n1 older point not shown, for want of width. All of them: --format choices, or json.\n"},
		{12, "12 points, 2 repos.\n2 older points not shown, for want of width. All of them: --format choices, or json.\n"},
	} {
		var b bytes.Buffer
		Points(&b, plainLook(80), large(2, c.dates), PointsHead{"prod", "master", "UTC"})
		if !strings.HasSuffix(b.String(), "\n\n"+c.want) {
			t.Errorf("%d dates: %s", c.dates, b.String())
		}
	}
}
