package registryfile_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

const world = `{
  "format_version": "1",
  "registry": {
    "address": "r.example.com",
    "repos": {
      "a": {"tags": {
        "9-master": {"created": "2019-06-01T10:00:00Z"},
        "10-master": {"created": "2019-06-02T10:00:00Z", "missing": ["layer sha256:1"]},
        "11-premaster": {"created": "2019-06-02T10:00:00Z"},
        "11-master": {"annotations": {"org.opencontainers.image.created": "2019-06-03T10:00:00Z"}, "created": "2019-01-01T00:00:00Z"},
        "12-master": {"labels": {"org.opencontainers.image.created": "2019-06-04T10:00:00Z"}},
        "13-master": {"created": "1970-01-01T00:00:00Z"},
        "14-master": {"created": "2999-01-01T00:00:00Z"},
        "15-master": {"kind": "artifact"},
        "16-master": {"kind": "index", "platforms": ["linux/arm64"]},
        "17-master": {"missing": ["manifest"]},
        "18-master": {"missing": ["config"]},
        "19-master": {"kind": "unknown"},
        "20-master": {"kind": "schema1", "created": "2019-06-05T10:00:00Z"},
        "latest": {}
      }},
      "empty": {}
    },
    "failures": [%s]
  }
}`

func open(t *testing.T, failures string) registry.Registry {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "world.json"), fmt.Appendf(nil, world, failures), 0o600); err != nil {
		t.Fatal(err)
	}
	p := registryfile.New(registryfile.Options{Crash: func() {}})
	r, err := p.Configure(t.Context(), schema.Config{JSON: json.RawMessage(`{"path":"world.json"}`)}, schema.Runtime{WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func list(t *testing.T, r registry.Registry, repo string) ([]string, error) {
	t.Helper()
	var got []string
	err := r.ListReleases(t.Context(), registry.ListRequest{
		Repo: repo, Pattern: registry.DefaultPattern, Branch: "master", Platform: "linux/amd64",
		DateFrom: []registry.DateSource{registry.FromAnnotation, registry.FromLabel, registry.FromConfig, registry.FromTag},
		NotAfter: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}, func(i registry.Item) error {
		switch {
		case i.Listing != nil:
			got = append(got, fmt.Sprintf("%s %d/%d", i.Listing.Repository, i.Listing.Matched, i.Listing.Tags))
		case i.Release != nil:
			got = append(got, fmt.Sprintf("%s %s %s", i.Release.Tag, i.Release.Created.Format(time.DateOnly), i.Release.CreatedFrom))
		case i.Skipped != nil:
			got = append(got, fmt.Sprintf("%s %s", i.Skipped.Tag, i.Skipped.Reason))
		}
		return nil
	})
	return got, err
}

func TestListReleasesDatesAndSkips(t *testing.T) {
	got, err := list(t, open(t, ""), "a")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"r.example.com/a 12/14",
		"20-master 2019-06-05 config",
		"19-master unsupported",
		"18-master gone",
		"17-master gone",
		"16-master no_platform",
		"15-master not_image",
		"14-master no_date",
		"13-master no_date",
		"12-master 2019-06-04 label",
		"11-master 2019-06-03 annotation",
		"10-master 2019-06-02 config",
		"9-master 2019-06-01 config",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestScriptedFailures(t *testing.T) {
	cases := []struct {
		name, repo, failures string
		code                 fault.Code
		items                int
	}{
		{"an empty repo is a listing of nothing", "empty", "", "", 1},
		{"an unknown repo", "b", "", fault.NotFound, 0},
		{"unavailable", "a", `{"repo":"a","do":"unavailable"}`, fault.Unavailable, 0},
		{"another repo's failure", "a", `{"repo":"b","do":"unavailable"}`, "", 13},
		{"another call's failure", "a", `{"call":"resolve","do":"unavailable"}`, "", 13},
		{"cut short, and says so", "a", `{"do":"truncated","after_items":3}`, fault.Unavailable, 4},
		{"cut short, and does not say so", "a", `{"do":"short","after_items":3}`, "", 4},
		{"a fault in the middle", "a", `{"do":"rate_limited","after_items":2}`, fault.RateLimited, 3},
		{"a crash", "a", `{"do":"crash"}`, fault.Indeterminate, 0},
		{"a misspelt word", "a", `{"do":"krash"}`, fault.Unavailable, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := list(t, open(t, c.failures), c.repo)
			if fault.CodeOf(err) != c.code || len(got) != c.items {
				t.Errorf("got %d items and %v", len(got), err)
			}
		})
	}
}

func TestAFailureEndsAfterItsTimes(t *testing.T) {
	r := open(t, `{"do":"unavailable","times":2}`)
	for i, want := range []fault.Code{fault.Unavailable, fault.Unavailable, "", ""} {
		if _, err := list(t, r, "a"); fault.CodeOf(err) != want {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func FuzzAnyFileIsReadOrRefused(f *testing.F) {
	f.Add(fmt.Appendf(nil, world, ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "world.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := registryfile.Plugin().Configure(t.Context(), schema.Config{JSON: json.RawMessage(`{"path":"world.json"}`)}, schema.Runtime{WorkDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Probe(t.Context()); err != nil && fault.Of(err) == nil {
			t.Errorf("%v is no fault", err)
		}
	})
}
