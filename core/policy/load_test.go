package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// folder writes files, named as in a txtar archive, and returns their folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loadText loads a policy of one file.
func loadText(t *testing.T, text string, opts LoadOptions) (*Policy, *Sources, diag.Diagnostics) {
	t.Helper()
	opts.WorkDir = folder(t, map[string]string{"policy.hcl": text})
	return Load(opts)
}

// clean loads a policy that must have no diagnostics.
func clean(t *testing.T, text string, opts LoadOptions) *Policy {
	t.Helper()
	p, _, ds := loadText(t, text, opts)
	for _, d := range ds {
		t.Fatal(d)
	}
	return p
}

// texts are diagnostics in short.
func texts(ds diag.Diagnostics) []string {
	var out []string
	for _, d := range ds {
		out = append(out, d.Error())
	}
	return out
}

var ignorePlaces = cmp.Options{
	cmpopts.IgnoreFields(Policy{}, "Hash", "Dir"),
	cmpopts.IgnoreTypes(diag.Range{}),
	cmpopts.IgnoreUnexported(Backend{}, Guard{}),
	cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
}

func TestThePolicyOfTheDesignIsUnderstoodWhole(t *testing.T) {
	p, sources, ds := Load(LoadOptions{
		WorkDir: "testdata/valid/design", Version: "0.1.0", Environ: []string{"SLACK_CALLBACK=https://hooks.example.com/x"},
	})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	gapFill := GapFill{Rule: NearestEarlier, Search: SearchAll, MaxAge: 720 * time.Hour, OnMissing: MissingFail}
	keep := gapFill
	keep.Rule = Keep
	tag := Tag{Pattern: registry.DefaultPattern}
	release := Release{
		DateFrom: []registry.DateSource{registry.FromAnnotation, registry.FromLabel, registry.FromConfig, registry.FromTag},
		Platform: "linux/amd64",
	}
	retention := Retention{Count: 10, Margin: 10}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	want := &Policy{
		Settings:     Settings{RequiredVersion: ">= 0.1", Environment: "prod", To: "2019-06-01", Timezone: berlin},
		Environments: []Environment{{Name: "prod", Branch: "master", Scope: "/ds/prod"}, {Name: "stage", Branch: "stage", Scope: "/ds/stage"}},
		Repos: []Repo{
			{Name: "backend-a", Match: MatchImage, Tag: tag, Release: release, Retention: retention, GapFill: gapFill},
			{Name: "frontend", DependsOn: []string{"backend-a"}, Match: MatchImage, Tag: tag, Release: release, Retention: retention, GapFill: keep},
		},
		Tag: tag, Release: release, Retention: retention, GapFill: gapFill,
		Points:       Points{By: ByDay, Source: SourceReleases},
		Apply:        Apply{Strategy: Together, Timeout: 15 * time.Minute, OnFailure: Restore, Config: Current},
		Registry:     &Backend{Kind: schema.Registry, Name: "docker"},
		Orchestrator: &Backend{Kind: schema.Orchestrator, Name: "marathon"},
		Notifiers:    []Notifier{{Backend: Backend{Kind: schema.Notify, Name: "slack"}, On: []string{"started", "succeeded", "failed", "restored"}}},
		Plugins:      []Plugin{{Kind: schema.Notify, Name: "pager", Path: "./bin/rollback-notify-pager", SHA256: strings.Repeat("ab", 32)}},
		Guards:       []Guard{{Name: "not too many", Severity: SeverityError}, {Name: "freeze", Severity: SeverityOverridable}},
		State:        State{Kind: StateLocal, Path: ".rollback/state.db", Snapshots: SnapshotsSealed, Keep: DefaultStateKeep},
		AfterApply:   AfterApply{Hold: HoldNone, Quarantine: true},
		Secrets:      []string{"https://hooks.example.com/x"},
	}
	if diff := cmp.Diff(want, p, ignorePlaces); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	files := []string{"policy.hcl", filepath.Join("policies", "freeze-window.hcl")}
	if diff := cmp.Diff(files, sources.Files()); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestAnEmptyPolicyIsTheDefaults(t *testing.T) {
	p := clean(t, "", LoadOptions{})
	if diff := cmp.Diff(Defaults(), p, ignorePlaces, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
}

func TestARepoOverridesOnlyWhatItSays(t *testing.T) {
	p := clean(t, `
retention { count = 5 }
gap_fill {
  max_age    = "48h"
  on_missing = "warn"
  compatible = true
}
release { platform = "linux/arm64" }
repo "a" {
  apps      = ["one", "/two"]
  match     = "id"
  container = "main"
  retention { margin = 0 }
  gap_fill {
    search     = "retained"
    compatible = false
  }
  tag { pattern = "v(?P<build>\\d+)-(?P<branch>\\w+)" }
  release { date_from = ["tag"] }
}
repo "b" { apps = null }
`, LoadOptions{})
	p.AddRepo("c")
	common := Repo{
		Match: MatchImage, Tag: Tag{registry.DefaultPattern}, Release: Release{Defaults().Release.DateFrom, "linux/arm64"},
		Retention: Retention{5, 10}, GapFill: GapFill{NearestEarlier, SearchAll, 48 * time.Hour, MissingWarn, true},
	}
	b, c := common, common
	b.Name, c.Name = "b", "c"
	want := []Repo{{
		Name: "a", Apps: []string{"one", "/two"}, Match: MatchID, Container: "main", Tag: Tag{`v(?P<build>\d+)-(?P<branch>\w+)`},
		Release: Release{[]registry.DateSource{registry.FromTag}, "linux/arm64"}, Retention: Retention{5, 0},
		GapFill: GapFill{NearestEarlier, SearchRetained, 48 * time.Hour, MissingWarn, false},
	}, b, c}
	if diff := cmp.Diff(want, p.Repos, ignorePlaces); diff != "" {
		t.Errorf("repos (-want +got):\n%s", diff)
	}
}

func TestWhichFilesAreRead(t *testing.T) {
	repo := func(name string) string { return "repo \"" + name + "\" {}\n" }
	files := map[string]string{
		"one/policy.hcl":              repo("policy"),
		"one/other.hcl":               repo("other"),
		"many/b.hcl":                  repo("b"),
		"many/a.hcl":                  repo("a"),
		"many/.rollback.lock.hcl":     "nonsense",
		"many/~draft.hcl":             "nonsense",
		"many/a.hcl~":                 "nonsense",
		"many/#a.hcl#":                "nonsense",
		"many/notes.txt":              "nonsense",
		"many/below/c.hcl":            repo("c"),
		"include/policy.hcl":          "include = [\"../many\", \"below/x.hcl\", \"builtin:ready\"]\n" + repo("top"),
		"include/below/x.hcl":         "include = [\"y.hcl\", \"../../many/a.hcl\"]\n" + repo("x"),
		"include/below/y.hcl":         "\ufeff" + repo("y"),
		"empty/readme.txt":            "",
		"includes-empty/policy.hcl":   "include = [\"../empty\"]\n",
		"builtin-of-files/policy.hcl": "include = [\"builtin:bad\"]\n",
		"longer-cycle/a.hcl":          "include = [\"b.hcl\"]\n",
		"longer-cycle/b.hcl":          "include = [\"./a.hcl\"]\n",
		"nothing-builtin/policy.hcl":  "include = [\"builtin:x\"]\n",
		"misspelt/polcy.hcl":          "",
		"absolute/policy.hcl":         repo("absolute"),
		"folder-of-that/policy.hcl/x": "",
	}
	dir := folder(t, files)
	for _, tc := range []struct {
		rule     string
		dir      string
		paths    []string
		repos    []string
		problems []string
	}{
		{rule: "policy.hcl alone, where there is one", dir: "one", repos: []string{"policy"}},
		{rule: "all files of the folder, where there is none", dir: "many", repos: []string{"a", "b"}},
		{rule: "all files of a folder that was named", dir: ".", paths: []string{"one"}, repos: []string{"other", "policy"}},
		{rule: "several paths", dir: ".", paths: []string{"many/b.hcl", "one/policy.hcl", "many/../many/b.hcl"}, repos: []string{"b", "policy"}},
		{rule: "an absolute path", dir: ".", paths: []string{filepath.Join(dir, "absolute", "policy.hcl")}, repos: []string{"absolute"}},
		{rule: "includes are relative to the file, each is read once", dir: ".", paths: []string{"include"}, repos: []string{"top", "a", "b", "x", "y", "ready"}},
		{rule: "an empty folder", dir: "empty", problems: []string{"No policy found: There is no policy.hcl"}},
		{rule: "a missing file, with a suggestion", dir: "misspelt", paths: []string{"policy.hcl"}, problems: []string{`Cannot read the policy: Read policy.hcl: no such file or directory. Did you mean "polcy.hcl"?`}},
		{rule: "an included folder without policies", dir: "includes-empty", problems: []string{"policy.hcl:1: Cannot include: The folder ../empty has no file *.hcl."}},
		{rule: "a built-in policy includes no files", dir: "builtin-of-files", problems: []string{"builtin:bad:1: Cannot include: A policy that comes with the binary"}},
		{rule: "a cycle of two", dir: "longer-cycle", paths: []string{"a.hcl"}, problems: []string{"b.hcl:1: Cycle of includes: These files include each other: a.hcl → b.hcl → a.hcl."}},
		{rule: "an unknown built-in policy", dir: "nothing-builtin", problems: []string{`policy.hcl:1: Cannot include: No policy named "x" comes with this binary. There are "bad" or "ready".`}},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			p, _, ds := Load(LoadOptions{
				WorkDir: filepath.Join(dir, tc.dir), Paths: tc.paths,
				Builtin: map[string][]byte{"ready": []byte(repo("ready")), "bad": []byte(`include = ["x.hcl"]`)},
			})
			var repos []string
			for _, r := range p.Repos {
				repos = append(repos, r.Name)
			}
			if diff := cmp.Diff(tc.repos, repos); diff != "" {
				t.Errorf("repos (-want +got):\n%s", diff)
			}
			prefixes(t, tc.problems, texts(ds))
		})
	}
}

// prefixes compares the beginnings of texts.
func prefixes(t *testing.T, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("there are %d diagnostics, want %d: %q", len(got), len(want), got)
		return
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("diagnostic = %q, want it to begin with %q", got[i], want[i])
		}
	}
}

func TestDirIsWhereThePolicyIs(t *testing.T) {
	dir := folder(t, map[string]string{"a/policy.hcl": ""})
	for _, tc := range []struct{ path, want string }{
		{"a", filepath.Join(dir, "a")},
		{"a/policy.hcl", filepath.Join(dir, "a")},
	} {
		p, _, _ := Load(LoadOptions{WorkDir: dir, Paths: []string{tc.path}})
		if p.Dir != tc.want {
			t.Errorf("Dir of %s = %q, want %q", tc.path, p.Dir, tc.want)
		}
	}
}

func TestOnlyTheVersionIsReportedWhenTheBinaryIsTooOld(t *testing.T) {
	const text = `
rollback { required_version = ">= 2.0, < 3" }
block_of_version_2 {}
`
	_, _, ds := loadText(t, text, LoadOptions{Version: "1.9.9"})
	prefixes(t, []string{"policy.hcl:2: Unsupported version of rollback: This is rollback 1.9.9"}, texts(ds))
	for _, version := range []string{"2.0.0", "2.1.0-rc1", "", "devel"} {
		_, _, ds := loadText(t, text, LoadOptions{Version: version})
		prefixes(t, []string{"policy.hcl:3: Unsupported block type"}, texts(ds))
	}
}

func TestEnvironmentsAreFoundByNameAndByBranch(t *testing.T) {
	p := clean(t, `
environment "prod" {
  branch = "master"
  scope  = "/eu"
}
environment "prod-us" {
  branch = "master"
  scope  = "/us"
}
environment "stage" { scope = "/stage" }
`, LoadOptions{})
	for asked, want := range map[string][]string{
		"prod": {"prod"}, "master": {"prod", "prod-us"}, "stage": {"stage"}, "nothing": nil,
	} {
		var got []string
		for _, e := range p.FindEnvironments(asked) {
			got = append(got, e.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("FindEnvironments(%q) (-want +got):\n%s", asked, diff)
		}
	}
}

func TestTheHashKnowsEveryFileAndValueButNoSecret(t *testing.T) {
	const text = `
variable "plain" { default = "a" }
variable "secret" {
  sensitive = true
  default   = env("SECRET")
}
`
	hash := func(files map[string]string, opts LoadOptions) string {
		opts.WorkDir = folder(t, files)
		p, _, ds := Load(opts)
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		if len(p.Hash) != 64 {
			t.Fatalf("Hash = %q", p.Hash)
		}
		return p.Hash
	}
	base := hash(map[string]string{"policy.hcl": text}, LoadOptions{})
	for rule, same := range map[string]string{
		"the same again in another folder": hash(map[string]string{"policy.hcl": text}, LoadOptions{}),
		"named by its path":                hash(map[string]string{"policy.hcl": text}, LoadOptions{Paths: []string{"policy.hcl"}}),
		"another secret":                   hash(map[string]string{"policy.hcl": text}, LoadOptions{Environ: []string{"SECRET=x"}}),
		"the default given":                hash(map[string]string{"policy.hcl": text}, LoadOptions{Vars: []string{"plain=a"}}),
	} {
		if same != base {
			t.Errorf("%s: the hash differs", rule)
		}
	}
	for rule, other := range map[string]string{
		"another text":  hash(map[string]string{"policy.hcl": text + "\n"}, LoadOptions{}),
		"another name":  hash(map[string]string{"p.hcl": text}, LoadOptions{}),
		"another value": hash(map[string]string{"policy.hcl": text}, LoadOptions{Vars: []string{"plain=b"}}),
	} {
		if other == base {
			t.Errorf("%s: the hash is the same", rule)
		}
	}
}

func TestSourcesShowLines(t *testing.T) {
	p, sources, _ := loadText(t, "\nrepo \"a\" {\n}\n", LoadOptions{})
	context := `repo "a"`
	want := &diag.Snippet{Context: &context, Code: `repo "a" {`, StartLine: 2, HighlightEndOffset: 8, Values: []diag.Value{}}
	if diff := cmp.Diff(want, sources.Snippet(p.Repos[0].Range)); diff != "" {
		t.Errorf("Snippet (-want +got):\n%s", diff)
	}
	ds := sources.Annotate(diag.Diagnostics{{Summary: "x", Range: &p.Repos[0].Range}, {Summary: "y"}})
	if diff := cmp.Diff(want, ds[0].Snippet); diff != "" || ds[1].Snippet != nil {
		t.Errorf("Annotate (-want +got):\n%s", diff)
	}
	if s := sources.Snippet(diag.Range{Filename: "other.hcl"}); s != nil {
		t.Errorf("Snippet of an unknown file = %v", s)
	}
	if s := Snippet([]byte("a\nb\n"), diag.Range{Start: diag.Pos{Line: 2, Byte: 2}, End: diag.Pos{Line: 2, Byte: 3}}); s == nil || s.Code != "b" || s.StartLine != 2 {
		t.Errorf("Snippet = %+v", s)
	}
}
