package orchestratorfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

const docs = "../../../docs/"

func worldSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(docs + "schema/world.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("world.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("world.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate checks a world against the schema.
func validate(t *testing.T, s *jsonschema.Schema, world []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(world))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func TestTheDocumentsWorldsAreOfTheSchemaAndCanBeRead(t *testing.T) {
	text, err := os.ReadFile(docs + "file-plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	s := worldSchema(t)
	parts := strings.Split(string(text), "```json world\n")[1:]
	if len(parts) < 3 {
		t.Fatalf("only %d worlds found", len(parts))
	}
	for _, p := range parts {
		world, _, _ := strings.Cut(p, "```")
		if err := validate(t, s, []byte(world)); err != nil {
			t.Errorf("%v in\n%s", err, world)
		}
		path := filepath.Join(t.TempDir(), "world.json")
		if err := os.WriteFile(path, []byte(world), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := reopen(t, path).Probe(t.Context()); err != nil {
			t.Errorf("%v in\n%s", err, world)
		}
	}
}

func TestWhatThePluginWritesIsOfTheSchema(t *testing.T) {
	o, path := open(t, `{"app":"/ds/prod/a","do":"overwritten","image":"r/a:9-master"},{"call":"probe","do":"unavailable","nth":3}`)
	if _, err := o.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, err := o.Snapshot(t.Context(), []string{"/ds/prod/a"})
	if err != nil {
		t.Fatal(err)
	}
	req := request("op", "1-master", "1-master")
	if err := o.Deploy(t.Context(), req, func(orchestrator.Event) {}); err != nil {
		t.Fatal(err)
	}
	if got := images(t, o)["/ds/prod/a"]; got != "r/a:9-master" {
		t.Errorf("somebody else's image is %s", got)
	}
	err = o.Restore(t.Context(), orchestrator.RestoreRequest{OperationID: "op", Snapshots: before}, func(orchestrator.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, worldSchema(t), data); err != nil {
		t.Errorf("%v in\n%s", err, data)
	}
}

func TestADriftedAppIsLeftAlone(t *testing.T) {
	o, _ := open(t, `{"app":"/ds/prod/a","do":"drift"}`)
	req := request("op", "1-master", "1-master")
	err := o.ListApps(t.Context(), orchestrator.ListRequest{Scope: "/ds/prod/a"}, func(a orchestrator.App) error {
		req.Changes[0].ExpectedFingerprint = a.Fingerprint
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := o.Deploy(t.Context(), req, record(&got)); !fault.Is(err, fault.Drifted) {
		t.Error(err)
	}
	if d := cmp.Diff([]string(nil), got); d != "" {
		t.Error(d)
	}
}

func TestADeploymentGoesOnWithoutItsProcess(t *testing.T) {
	o, path := open(t, `{"do":"crash","at":"after_accept"}`)
	var got []string
	if err := o.Deploy(t.Context(), request("op", "1-master"), record(&got)); !fault.Is(err, fault.Indeterminate) {
		t.Fatal(err)
	}
	got = nil
	another := reopen(t, path).(orchestrator.Attacher)
	req := orchestrator.AttachRequest{OperationID: "op", Timeout: time.Minute}
	if err := another.Attach(t.Context(), req, record(&got)); err != nil {
		t.Fatal(err)
	}
	want := []string{"accepted deployment-1[/ds/prod/a]", "healthy /ds/prod/a r/a:1-master", "completed"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzAnyFileIsReadOrRefused(f *testing.F) {
	f.Add([]byte(twoApps))
	f.Add([]byte(`{"format_version":"1","orchestrator":{"apps":{"a":null}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "world.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		err := reopen(t, path).ListApps(t.Context(), orchestrator.ListRequest{}, func(orchestrator.App) error { return nil })
		if err != nil && fault.Of(err) == nil {
			t.Errorf("%v is no fault", err)
		}
	})
}
