package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
)

// errorDiagnostic turns an error into a message: what failed and why is its text; what to do comes from the fault.
func errorDiagnostic(summary string, err error) diag.Diagnostic {
	var d diag.Diagnostic
	if errors.As(err, &d) {
		return d
	}
	var stale *core.StaleError
	if errors.As(err, &stale) {
		return diag.Errorf("Plan is stale", "The plan was made for a world that is not this one any more:\n  - %s\n\nNothing was changed. Make a new plan, and have it reviewed.", strings.Join(stale.Reasons, "\n  - "))
	}
	var left *core.UnfinishedError
	if errors.As(err, &left) {
		return diag.Errorf("Operation unfinished", "Operation %s on %s was broken off and has not ended; until it is taken up, nothing else is applied. Nothing was changed.\n\n"+
			"Finish it:               rollback resume\nPut everything back:     rollback resume --restore\nLeave the apps as is:    rollback resume --abandon", left.Operation, left.Environment)
	}
	text := err.Error()
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	if f := fault.Of(err); f != nil {
		if hint := first(f.Hint, usualHints[f.Code]); hint != "" && !strings.Contains(text, hint) {
			text += "\n\n" + hint
		}
	}
	return diag.Errorf(summary, "%s", text)
}

// usualHints say what to do where a plugin does not.
var usualHints = map[fault.Code]string{
	fault.Busy:    "Wait until that deployment has ended, or end it in the orchestrator; then make a new plan.",
	fault.Drifted: "Somebody has changed it since: make a new plan.",
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// interrupted reports whether an error is that of a cancelled command.
func interrupted(err error) bool { return errors.Is(err, context.Canceled) }
