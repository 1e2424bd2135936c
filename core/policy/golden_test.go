package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestDiagnosticsInJSONHaveTheShapeThatEditorsParse(t *testing.T) {
	_, _, ds := Load(LoadOptions{
		WorkDir: "testdata/golden", Paths: []string{"policy.hcl"}, Version: "0.1.0",
		Environ: []string{"TOKEN=hunter2"}, Vars: []string{"branch=release 1"},
	})
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(ds); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/golden/diagnostics.json"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
}
