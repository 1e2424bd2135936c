// Package conformancetest runs the conformance suite inside a Go test.
package conformancetest

import (
	"testing"

	"github.com/rollback-project/rollback/sdk/conformance"
)

// Run makes every check a subtest, named after the check: it fails with the rules that are broken, and is skipped with
// what the fixture lacks.
func Run(t *testing.T, target conformance.Target, fixture conformance.Fixture) {
	t.Helper()
	report := conformance.Run(t.Context(), target, fixture)
	for _, res := range report.Results {
		t.Run(res.Name, func(t *testing.T) {
			switch res.Outcome {
			case conformance.Fail:
				t.Errorf("%v: %s\n%s", res.Rules, res.Message, res.Rule)
			case conformance.Skip:
				t.Skip(res.Message)
			case conformance.Pass:
			}
		})
	}
	if report.Count(conformance.Pass) == 0 {
		t.Error("not one check passed")
	}
}
