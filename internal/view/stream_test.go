package view

import (
	"os"
	"strings"
	"testing"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
)

// TestTheStreamIsDocumented: docs/json.md names every type of line, and every outcome and standing.
func TestTheStreamIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	words := []string{"version", "points", "planned_change", "change_summary", "plan", "operation_result"}
	for _, e := range event.Types() {
		words = append(words, string(e))
	}
	for _, o := range []event.Outcome{event.Done, event.Nothing, event.Refused, event.Locked, event.Restored, event.Interrupted, event.NeedsPerson, event.Abandoned} {
		words = append(words, string(o))
	}
	for _, s := range []apply.Standing{apply.Pending, apply.Deploying, apply.Healthy, apply.Failed, apply.Restored, apply.Unknown} {
		words = append(words, string(s))
	}
	for _, w := range words {
		if !strings.Contains(string(raw), "`"+w+"`") {
			t.Errorf("docs/json.md says nothing of %s", w)
		}
	}
}
