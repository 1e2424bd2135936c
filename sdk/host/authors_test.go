package host_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/schema"
)

func TestThePluginOfTheAuthorsGuideWorks(t *testing.T) {
	guide, err := os.ReadFile("../../docs/plugin-authors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(guide), "```go\n// Command rollback-notify-log")
	code, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("the guide has no plugin")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("// Command rollback-notify-log"+code), 0o600); err != nil {
		t.Fatal(err)
	}
	// An overlay shows the compiler a package in this module that is not there.
	here, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(here, "examples", "rollback-notify-log", "main.go"): source},
	})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	executable := filepath.Join(dir, "rollback-notify-log")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlayFile, "-o", executable, "./examples/rollback-notify-log")
	build.Dir = here
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s", err, out)
	}

	p := start(t, host.Config{
		Kind: schema.Notify, Name: "log", Path: executable, Environ: os.Environ(),
		StartTimeout: time.Minute, CallTimeout: time.Minute,
	})
	if ds := p.Notify().ValidateConfig(schema.Config{JSON: []byte(`{"path":null}`)}); len(ds) != 1 || ds[0].Path.String() != "path" {
		t.Error(ds)
	}
	n, err := p.Notify().Configure(t.Context(), schema.Config{JSON: []byte(`{"path":"out.log"}`)}, schema.Runtime{WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	_, err = n.Notify(t.Context(), notify.Request{
		Kind: notify.Succeeded, Environment: "prod", Message: "All is well.", At: time.Unix(0, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "out.log"))
	if err != nil || string(got) != "1970-01-01T00:00:00Z prod succeeded: All is well.\n" {
		t.Errorf("%q, %v", got, err)
	}
}
