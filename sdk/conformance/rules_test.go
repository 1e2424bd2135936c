package conformance_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/rollback-project/rollback/sdk/conformance"
)

func TestEveryRuleIsCheckedOrSaysWhyNot(t *testing.T) {
	text, err := os.ReadFile("../../docs/plugin-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	covered, exempt := conformance.Covered(), conformance.Uncheckable()
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^- \*\*([A-Z]\d+)\*\*`).FindAllSubmatch(text, -1) {
		rule := string(m[1])
		known[rule] = true
		if (covered[rule] == nil) == (exempt[rule] == "") {
			t.Errorf("rule %s: checks %v, exempt %q: it needs one of both", rule, covered[rule], exempt[rule])
		}
	}
	if len(known) < 50 {
		t.Fatalf("only %d rules found", len(known))
	}
	for rule, checks := range covered {
		if !known[rule] {
			t.Errorf("%v cite the rule %s, which there is not", checks, rule)
		}
	}
	for rule := range exempt {
		if !known[rule] {
			t.Errorf("the rule %s is exempt, and there is not", rule)
		}
	}
}
