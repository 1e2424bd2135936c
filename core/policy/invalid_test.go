package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rollback-project/rollback/sdk/diag"
)

// expected are the comments in fixtures that say what is wrong on their line.
var expected = regexp.MustCompile(`# (ERROR|WARNING): ([^#\n]*)`)

// builtin stands for the policies that come with the binary.
var builtin = map[string][]byte{"max-changes": []byte(`variable "max_changes" { default = 20 }
guard "max-changes" {
  condition     = length(plan.changes) <= var.max_changes
  error_message = "Too many."
}
`)}

// TestInvalidPolicies holds every diagnostic against the comment on its line, and every comment against a diagnostic.
func TestInvalidPolicies(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			type expectation struct {
				severity, summary, detail string
				line                      int
			}
			var want []expectation
			for i, line := range strings.Split(string(src), "\n") {
				for _, m := range expected.FindAllStringSubmatch(line, -1) {
					summary, detail, _ := strings.Cut(strings.TrimSpace(m[2]), ": ")
					want = append(want, expectation{strings.ToLower(m[1]), summary, detail, i + 1})
				}
			}
			_, _, ds := Load(LoadOptions{
				WorkDir: "testdata/invalid", Paths: []string{name}, Version: "0.1.0", Builtin: builtin,
			})
			for _, d := range ds {
				if d.Range == nil || d.Snippet == nil {
					t.Errorf("%v has no place", d)
					continue
				}
				i := slices.IndexFunc(want, func(w expectation) bool {
					return w.line == d.Range.Start.Line && w.severity == string(d.Severity) && w.summary == d.Summary &&
						strings.Contains(d.Detail, w.detail)
				})
				if i < 0 {
					t.Errorf("not expected: %s %v", d.Severity, d)
					continue
				}
				want = slices.Delete(want, i, i+1)
			}
			for _, w := range want {
				t.Errorf("missing: %s", fmt.Sprintf("%s:%d: %s: %s: …%s…", name, w.line, w.severity, w.summary, w.detail))
			}
			if !slices.IsSortedFunc(ds, func(a, b diag.Diagnostic) int { return a.Range.Start.Byte - b.Range.Start.Byte }) {
				t.Error("diagnostics are not sorted by place")
			}
		})
	}
}
