package policy

import (
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
)

// Guard is a condition that a plan must satisfy.
type Guard struct {
	Name     string
	Severity Severity
	Range    diag.Range

	condition condition
}

// condition is the guard's HCL.
type condition interface {
	evaluate(Facts) (passed bool, message string, ds diag.Diagnostics)
}

// Evaluate says whether the guard holds, and its error_message when not.
// A condition that cannot be evaluated counts as not passed, and comes with diagnostics that point at it.
func (g Guard) Evaluate(f Facts) (passed bool, message string, ds diag.Diagnostics) {
	return g.condition.evaluate(f)
}

// Facts is what guards see: plan, now, operator and last.
type Facts struct {
	Plan     PlanFacts
	Now      time.Time
	Operator OperatorFacts
	Last     LastFacts
}

// PlanFacts is the variable plan.
type PlanFacts struct {
	Environment string         `cty:"environment"`
	To          string         `cty:"to"`
	Changes     []ChangeFacts  `cty:"changes"`
	Summary     map[string]int `cty:"summary"`
}

// ChangeFacts is one element of plan.changes.
type ChangeFacts struct {
	Repo   string     `cty:"repo"`
	App    string     `cty:"app"`
	Action string     `cty:"action"`
	Reason string     `cty:"reason"`
	From   ImageFacts `cty:"from"`
	To     ImageFacts `cty:"to"`
}

// ImageFacts is change.from and change.to.
type ImageFacts struct {
	Image  string `cty:"image"`
	Tag    string `cty:"tag"`
	Digest string `cty:"digest"`
	// Created is RFC 3339, "" when unknown.
	Created string `cty:"created"`
	// Build is the tag's group build by the repo's pattern, of a known release with several tags the newest;
	// "" where no tag matches it.
	Build  string            `cty:"build"`
	Labels map[string]string `cty:"labels"`
}

// OperatorFacts is the variable operator.
type OperatorFacts struct {
	User       string `cty:"user"`
	ApprovedBy string `cty:"approved_by"`
}

// LastFacts is the variable last: the last operation on the environment that changed something. The zero value is
// that there was none.
type LastFacts struct {
	// Operation is its id, a ULID.
	Operation string `cty:"operation"`
	// At is when it ended, or began if it has not ended; guards see RFC 3339, "" for the zero instant.
	At time.Time `cty:"at"`
	// Outcome is how it ended (event.Outcome), To the point that it went to.
	Outcome string `cty:"outcome"`
	To      string `cty:"to"`
	// Operator is user@host.
	Operator string `cty:"operator"`
}

// NewGuard makes a Guard that no file describes, such as those that are built in. holds says whether the facts satisfy
// it, and what to say when they do not.
func NewGuard(name string, severity Severity, holds func(Facts) (passed bool, message string)) Guard {
	return Guard{Name: name, Severity: severity, condition: holding(holds)}
}

// holding is a guard in Go.
type holding func(Facts) (bool, string)

func (h holding) evaluate(f Facts) (bool, string, diag.Diagnostics) {
	passed, message := h(f)
	if passed {
		message = ""
	}
	return passed, message, nil
}
