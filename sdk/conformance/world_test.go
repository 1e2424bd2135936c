package conformance_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/conformance/conformancetest"
	"github.com/rollback-project/rollback/sdk/registry"
)

var aDigest = "sha256:" + strings.Repeat("a", 64)

// world is what the reference plugins are checked on.
var world = `{
  "format_version": "1",
  "registry": {
    "address": "r.example.com",
    "repos": {
      "a": {"tags": {
        "9-master": {"created": "2019-06-01T10:00:00Z", "digest": "` + aDigest + `"},
        "10-master": {"annotations": {"org.opencontainers.image.created": "2019-06-02T10:00:00Z"}, "labels": {"revision": "4f2c"}},
        "11-master": {"kind": "index", "created": "2019-06-03T10:00:00Z", "platforms": ["linux/amd64", "linux/arm64"]},
        "12-master": {"created": "2019-06-04T10:00:00Z", "missing": ["layer sha256:1"]},
        "13-master": {"created": "1970-01-01T00:00:00Z"},
        "14-master": {"kind": "artifact"},
        "15-premaster": {"created": "2019-06-04T10:00:00Z"},
        "latest": {}
      }},
      "empty": {}
    }
  },
  "orchestrator": {
    "apps": {
      "/ds/prod/a": {"image": "r/a:2-master", "instances": 2, "labels": {"owner": "team-a"}, "env": {"MODE": "x"}},
      "/ds/prod/b": {"image": "r/b:2-master"},
      "/ds/prod2/a": {"image": "r/a:2-master"}
    },
    "failures": [
      {"app": "/ds/prod/a", "tag": "666-master", "do": "unhealthy"},
      {"app": "/ds/prod/a", "tag": "667-master", "do": "doomed"}
    ]
  }
}`

// secret is the value of a setting that none of the plugins has; a broken one is given it.
const secret = "hush-hush-hush"

func config(t *testing.T, values map[string]any) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fixture makes a world and describes it.
func fixture(t *testing.T, tick string) conformance.Fixture {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "world.json"), []byte(world), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(day int) *time.Time {
		d := time.Date(2019, 6, day, 10, 0, 0, 0, time.UTC)
		return &d
	}
	return conformance.Fixture{
		Config:      config(t, map[string]any{"path": "world.json", "tick": tick, "token": secret}),
		Unreachable: config(t, map[string]any{"path": "no/such/world.json", "tick": tick, "token": secret}),
		WorkDir:     dir,
		Brief:       "30ms",
		Registry: &conformance.RegistryFixture{
			Repo: "a", Branch: "master", MissingRepo: "no-such-repo", EmptyRepo: "empty",
			IndexTag: "11-master", BrokenTag: "12-master", ForeignRepository: "elsewhere.example.com/a",
			Items: []conformance.Item{
				{Tag: "14-master", Skip: registry.SkipNotImage},
				{Tag: "13-master", Skip: registry.SkipNoDate},
				{Tag: "12-master", Created: at(4), CreatedFrom: registry.FromConfig},
				{Tag: "11-master", Created: at(3)},
				{Tag: "10-master", Created: at(2), CreatedFrom: registry.FromAnnotation, Labels: map[string]string{"revision": "4f2c"}},
				{Tag: "9-master", Created: at(1), Digest: aDigest},
			},
		},
		Orchestrator: &conformance.OrchestratorFixture{
			Scope: "/ds/prod", MissingApp: "/ds/prod/no-such-app",
			Apps: []conformance.AppFixture{
				{
					ID: "/ds/prod/a", Good: []string{"r/a:1-master", "r/a:2-master"},
					Unhealthy: "r/a:666-master", Doomed: "r/a:667-master", Digest: "r/a:1-master@" + aDigest,
				},
				{ID: "/ds/prod/b", Good: []string{"r/b:1-master", "r/b:2-master"}},
			},
		},
	}
}

func withInvalid(t *testing.T, f conformance.Fixture, values map[string]any, paths ...string) conformance.Fixture {
	t.Helper()
	f.Invalid = []conformance.InvalidConfig{{Config: config(t, values), Paths: paths}}
	return f
}

func registryFixture(t *testing.T) conformance.Fixture {
	t.Helper()
	return withInvalid(t, fixture(t, "2ms"), map[string]any{"path": ""}, "path")
}

func orchestratorFixture(t *testing.T) conformance.Fixture {
	t.Helper()
	return withInvalid(t, fixture(t, "2ms"), map[string]any{"path": "", "tick": "soon"}, "path", "tick")
}

func notifyFixture(t *testing.T) conformance.Fixture {
	t.Helper()
	return withInvalid(t, fixture(t, "2ms"), map[string]any{"path": ""}, "path")
}

func TestTheReferencePluginsPass(t *testing.T) {
	t.Run("registry", func(t *testing.T) {
		conformancetest.Run(t, conformance.OfRegistry(registryfile.Plugin), registryFixture(t))
	})
	t.Run("orchestrator", func(t *testing.T) {
		conformancetest.Run(t, conformance.OfOrchestrator(orchestratorfile.Plugin), orchestratorFixture(t))
	})
	t.Run("notify", func(t *testing.T) {
		conformancetest.Run(t, conformance.OfNotify(notifyfile.Plugin), notifyFixture(t))
	})
}

func TestAnEmptyFixtureSkipsAndFailsNothing(t *testing.T) {
	for name, target := range map[string]conformance.Target{
		"registry":     conformance.OfRegistry(registryfile.Plugin),
		"orchestrator": conformance.OfOrchestrator(orchestratorfile.Plugin),
		"notify":       conformance.OfNotify(notifyfile.Plugin),
	} {
		report := conformance.Run(t.Context(), target, conformance.Fixture{})
		for _, res := range report.Results {
			if res.Outcome == conformance.Fail || (res.Outcome == conformance.Skip && res.Message == "") {
				t.Errorf("%s: %+v", name, res)
			}
		}
		if report.Plugin != "file" || !report.Passed() {
			t.Errorf("%s: plugin %q, passed %v", name, report.Plugin, report.Passed())
		}
	}
}

func TestParseFixtureRefusesWhatItDoesNotKnow(t *testing.T) {
	full := fixture(t, "2ms")
	data, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conformance.ParseFixture(data); err != nil {
		t.Error(err)
	}
	for _, text := range []string{`{"registri":{}}`, `{"brief":"soon"}`, `[]`, fmt.Sprintf(`{"patience":%q}`, "-1s")} {
		if _, err := conformance.ParseFixture([]byte(text)); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}

func FuzzParseFixture(f *testing.F) {
	f.Add([]byte(`{"config":{"path":"x"},"brief":"1s"}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = conformance.ParseFixture(data) // it only must not panic
	})
}
