package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/policies"
)

func TestEveryExampleLoadsClean(t *testing.T) {
	files, err := filepath.Glob("*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no examples: %v", err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			p, _, ds := policy.Load(policy.LoadOptions{
				Paths: []string{file}, Environ: []string{"MARATHON_URL=http://127.0.0.1:1234/"},
				Version: "0.1.0", Builtin: policies.All(),
			})
			for _, d := range ds {
				t.Error(d)
			}
			if p.Registry == nil || p.Orchestrator == nil || len(p.Environments) == 0 || len(p.Repos) == 0 {
				t.Error("it lacks what a rollback needs")
			}
			for _, g := range p.Guards {
				f := policy.Facts{Now: time.Date(2026, 11, 18, 9, 0, 0, 0, time.UTC), Plan: policy.PlanFacts{Changes: []policy.ChangeFacts{{
					Action: "rollback", To: policy.ImageFacts{Created: "2026-11-10T10:00:00Z"},
				}}}}
				if passed, message, ds := g.Evaluate(f); !passed || len(ds) > 0 {
					t.Errorf("guard %q on a small plan: %s %v", g.Name, message, ds)
				}
			}
		})
	}
}

func TestEveryExampleIsFormatted(t *testing.T) {
	files, _ := filepath.Glob("*.hcl")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		formatted, ds := policy.Format(text, file)
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(string(formatted), "\n")); diff != "" {
			t.Errorf("%s (-have +formatted):\n%s", file, diff)
		}
	}
}
