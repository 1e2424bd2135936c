package policy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rollback-project/rollback/core/policy/function"
)

const reference = "../../docs/policy.md"

// readyMade are the policies that the binary brings along, read from their folder: it lies on a floor above.
func readyMade(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../../policies/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".hcl")] = text
	}
	return all
}

var fenced = regexp.MustCompile("(?s)```hcl\n(.*?)```")

func TestExamplesInTheReferenceLoadCleanAndAreFormatted(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	blocks := fenced.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 10 {
		t.Fatalf("there are only %d examples", len(blocks))
	}
	for _, block := range blocks {
		title, _, _ := strings.Cut(block[1], "\n")
		t.Run(title, func(t *testing.T) {
			clean(t, block[1], LoadOptions{Version: "0.1.0", Builtin: readyMade(t)})
			formatted, ds := Format([]byte(block[1]), "example.hcl")
			if len(ds) > 0 || string(formatted) != block[1] {
				t.Errorf("formatted it is\n%s\n%v", formatted, ds)
			}
		})
	}
}

func TestTheReferenceNamesEverything(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range rootSchema.Blocks {
		if !regexp.MustCompile(`(?m)^## (.*\W)?` + b.Type + `\b`).Match(text) {
			t.Errorf("there is no section on %q", b.Type)
		}
	}
	table := function.Table(function.Host{})
	for name := range function.Guards(nil) {
		table[name] = function.Guards(nil)[name]
	}
	for name := range table {
		if !strings.Contains(string(text), "`"+name+"`") && !strings.Contains(string(text), "`"+name+"(") {
			t.Errorf("the function %s is not mentioned", name)
		}
	}
	for name := range readyMade(t) {
		if !strings.Contains(string(text), "`builtin:"+name+"`") {
			t.Errorf("the ready-made policy %s is not mentioned", name)
		}
	}
}
