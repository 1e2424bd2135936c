package backend_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	"go.uber.org/goleak"

	"github.com/rollback-project/rollback/core/backend"
	"github.com/rollback-project/rollback/core/backend/pluginlock"
	"github.com/rollback-project/rollback/sdk"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// TestMain lets the test binary play the plugins: built in, or as a file rollback-<kind>-<name>.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "serve-plugin" {
		play(os.Args[2])
		return
	}
	if name, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "rollback-"); ok {
		play(name)
		return
	}
	goleak.VerifyTestMain(m)
}

func play(name string) {
	kind, name, _ := strings.Cut(name, "-")
	switch schema.Kind(kind) {
	case schema.Registry:
		sdk.ServeRegistry(plugin[registry.Registry]{schema.Registry, name, world{}})
	case schema.Orchestrator:
		sdk.ServeOrchestrator(plugin[orchestrator.Orchestrator]{schema.Orchestrator, name, fleet{}})
	case schema.Notify:
		sdk.ServeNotify(plugin[notify.Notifier]{schema.Notify, name, bell{}})
	}
}

type plugin[T any] struct {
	kind   schema.Kind
	name   string
	object T
}

func (p plugin[T]) Describe() schema.Description {
	return schema.Description{Kind: p.kind, Name: p.name, Version: "1.0.0", Schema: schema.Schema{
		Attributes: []schema.Attribute{{Name: "address", Type: cty.String}},
	}}
}

func (p plugin[T]) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	var values struct{ Address string }
	if err := cfg.Decode(&values); err != nil || values.Address == "bad" {
		return diag.Diagnostics{diag.Errorf("Bad address", "The address is bad.").At("address")}
	}
	return nil
}

func (p plugin[T]) Configure(_ context.Context, cfg schema.Config, _ schema.Runtime) (T, error) {
	if strings.Contains(string(cfg.JSON), "refuse") {
		return p.object, fault.New(fault.Invalid, "refused")
	}
	return p.object, nil
}

type prober struct{}

func (prober) Probe(context.Context) (schema.ProbeResult, error) {
	return schema.ProbeResult{System: "test"}, nil
}

type world struct{ prober }

func (world) ListReleases(_ context.Context, _ registry.ListRequest, yield func(registry.Item) error) error {
	return yield(registry.Item{Listing: &registry.Listing{Repository: "r"}})
}

func (world) Resolve(context.Context, registry.ResolveRequest) (registry.ResolveResult, error) {
	return registry.ResolveResult{Found: true}, nil
}

type fleet struct{ prober }

func (fleet) ListApps(_ context.Context, _ orchestrator.ListRequest, yield func(orchestrator.App) error) error {
	return yield(orchestrator.App{ID: "/a"})
}

func (fleet) Snapshot(context.Context, []string) ([]orchestrator.Snapshot, error) { return nil, nil }

func (fleet) Deploy(_ context.Context, _ orchestrator.DeployRequest, emit func(orchestrator.Event)) error {
	emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
	return nil
}

func (fleet) Restore(_ context.Context, _ orchestrator.RestoreRequest, emit func(orchestrator.Event)) error {
	emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
	return nil
}

type bell struct{ prober }

func (bell) Notify(_ context.Context, r notify.Request) (notify.Result, error) {
	return notify.Result{Thread: r.Thread + "!"}, nil
}

// block is a policy block with one attribute.
type block struct{ address string }

func (b block) Decode(s schema.Schema) (schema.Config, diag.Diagnostics) {
	if len(s.Attributes) != 1 {
		return schema.Config{}, diag.Diagnostics{diag.Errorf("Odd schema", "It has %d attributes.", len(s.Attributes))}
	}
	js, err := json.Marshal(map[string]string{"address": b.address})
	if err != nil {
		panic(err)
	}
	return schema.Config{JSON: js}, nil
}

func (b block) Locate(ds diag.Diagnostics) diag.Diagnostics {
	for i := range ds {
		ds[i].Range = &diag.Range{Filename: "policy.hcl", Start: diag.Pos{Line: 1 + len(ds[i].Path)}}
	}
	return ds
}

func (b block) Secrets() []string { return nil }

var builtins = []backend.Builtin{
	{Kind: schema.Registry, Name: "world"},
	{Kind: schema.Orchestrator, Name: "fleet"},
	{Kind: schema.Notify, Name: "bell"},
}

func options(t *testing.T) backend.Options {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return backend.Options{
		Builtins: builtins, SelfPath: self, WorkDir: dir, LockFile: filepath.Join(dir, pluginlock.Name),
		StartTimeout: time.Minute,
	}
}

// install puts a copy of this test binary into a folder, under the name of a plugin, and returns its checksum.
func install(t *testing.T, path string) string {
	t.Helper()
	self, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, hash), self); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// texts renders diagnostics in lines.
func texts(ds diag.Diagnostics) []string {
	var out []string
	for _, d := range ds {
		where := ""
		if d.Range != nil {
			where = d.Range.String() + " "
		}
		out = append(out, fmt.Sprintf("%s%s: %s: %s", where, d.Severity, d.Summary, d.Detail))
	}
	return out
}

func want(kind schema.Kind, name, address string) backend.Want {
	return backend.Want{Kind: kind, Name: name, Block: block{address}}
}

func TestOpenGivesEachKindItsInterface(t *testing.T) {
	set, ds := backend.Open(t.Context(), options(t), []backend.Want{
		want(schema.Notify, "bell", "one"), want(schema.Registry, "world", ""),
		want(schema.Orchestrator, "fleet", ""), want(schema.Notify, "bell", "two"),
	})
	if len(ds) > 0 {
		t.Fatal(texts(ds))
	}
	defer set.Close()
	if _, err := set.Registry().Resolve(t.Context(), registry.ResolveRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := set.Orchestrator().Snapshot(t.Context(), nil); err != nil {
		t.Error(err)
	}
	for _, n := range set.Notifiers() {
		told, err := n.Notify(t.Context(), notify.Request{Thread: "x"})
		if err != nil || told.Thread != "x!" {
			t.Error(told, err)
		}
	}
	if diff := cmp.Diff([]int{0, 3}, []int{set.Notifiers()[0].Index, set.Notifiers()[1].Index}); diff != "" {
		t.Error(diff)
	}
	if got := set.Description(schema.Orchestrator).Name; got != "fleet" {
		t.Error(got)
	}
}

func TestOnlyWhatIsWantedRuns(t *testing.T) {
	set, ds := backend.Open(t.Context(), options(t), []backend.Want{want(schema.Registry, "world", "")})
	if len(ds) > 0 {
		t.Fatal(texts(ds))
	}
	defer set.Close()
	if set.Orchestrator() != nil || set.Notifiers() != nil || len(set.Descriptions()) != 1 {
		t.Error("something else runs")
	}
}

func TestAllProblemsAreReportedAtOnceAndAtTheirPlace(t *testing.T) {
	set, ds := backend.Open(t.Context(), options(t), []backend.Want{
		want(schema.Registry, "wrold", ""), want(schema.Orchestrator, "fleet", "bad"), want(schema.Notify, "fleet", ""),
	})
	if set != nil {
		t.Error("there is a set")
	}
	wants := []string{
		`policy.hcl:1 error: Unknown plugin: There is no registry plugin "wrold". Did you mean "world"? Available: world. ` +
			`An outside plugin is a file rollback-registry-wrold that a plugin block of the policy names.`,
		`policy.hcl:1 error: Unknown plugin: There is no notify plugin "fleet". "fleet" is of the kind orchestrator. Available: bell. ` +
			`An outside plugin is a file rollback-notify-fleet that a plugin block of the policy names.`,
		`policy.hcl:2 error: Bad address: The address is bad.`,
	}
	if diff := cmp.Diff(wants, texts(ds)); diff != "" {
		t.Error(diff)
	}
}

func TestAPluginThatRefusesItsConfigurationIsNamed(t *testing.T) {
	_, ds := backend.Open(t.Context(), options(t), []backend.Want{want(schema.Notify, "bell", "refuse")})
	wants := []string{`policy.hcl:1 error: Plugin cannot be configured: The notify plugin "bell": refused.`}
	if diff := cmp.Diff(wants, texts(ds)); diff != "" {
		t.Error(diff)
	}
}

func TestCheckAndDescribeLeaveNothingRunning(t *testing.T) { // goleak watches
	opts := options(t)
	if ds := backend.Check(t.Context(), opts, []backend.Want{want(schema.Notify, "bell", "bad")}); len(ds) != 1 {
		t.Error(texts(ds))
	}
	ds, problems := backend.Describe(t.Context(), opts, []backend.Want{{Kind: schema.Notify, Name: "nobody"}, {Kind: schema.Registry, Name: "world"}})
	if len(problems) != 1 || ds[0].Name != "" || ds[1].Name != "world" {
		t.Error(ds, texts(problems))
	}
}

func TestAnOutsidePluginRunsOnlyWithItsChecksum(t *testing.T) {
	opts := options(t)
	path := filepath.Join(opts.WorkDir, "bin", "rollback-notify-pager")
	sum := install(t, path)
	w := want(schema.Notify, "pager", "")
	w.Path = "./bin/rollback-notify-pager"

	_, ds := backend.Open(t.Context(), opts, []backend.Want{w})
	if len(ds) != 1 || ds[0].Summary != "Plugin is not locked" {
		t.Fatal(texts(ds))
	}

	w.SHA256 = strings.Repeat("00", 32)
	_, ds = backend.Open(t.Context(), opts, []backend.Want{w})
	if len(ds) != 1 || !strings.Contains(ds[0].Detail, "expected sha256:0000") || !strings.Contains(ds[0].Detail, "found    sha256:"+sum) {
		t.Fatal(texts(ds))
	}

	w.SHA256 = sum
	set, ds := backend.Open(t.Context(), opts, []backend.Want{w})
	if len(ds) > 0 {
		t.Fatal(texts(ds))
	}
	set.Close()
}

func TestLockIsTrustOnFirstUse(t *testing.T) {
	opts := options(t)
	opts.Dirs = []string{filepath.Join(opts.WorkDir, "plugins")}
	path := filepath.Join(opts.Dirs[0], "rollback-notify-pager")
	sum := install(t, path)
	other := strings.Repeat("ab", 32)
	manifest := other + "  rollback-notify-pager_plan9_mips\n" + sum + " *rollback-notify-pager_" + pluginlock.Platform() + "\n"
	if err := os.WriteFile(filepath.Join(opts.Dirs[0], "checksums"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	w := want(schema.Notify, "pager", "")

	_, ds := backend.Lock(t.Context(), opts, []backend.Want{w}, true)
	if len(ds) != 1 || ds[0].Summary != "Lock file is out of date" {
		t.Fatal("readonly:", texts(ds))
	}
	if _, err := os.Stat(opts.LockFile); !os.IsNotExist(err) {
		t.Error("readonly has written a lock file")
	}

	locked, ds := backend.Lock(t.Context(), opts, []backend.Want{w, want(schema.Registry, "world", "")}, false)
	if len(ds) > 0 || len(locked) != 1 || !locked[0].Changed {
		t.Fatal(texts(ds), locked)
	}
	file, ds := pluginlock.Read(opts.LockFile)
	if len(ds) > 0 {
		t.Fatal(texts(ds))
	}
	wants := pluginlock.File{Plugins: []pluginlock.Plugin{{
		Kind: schema.Notify, Name: "pager", Version: "1.0.0",
		Hashes: map[string]string{pluginlock.Platform(): "sha256:" + sum, "plan9_mips": "sha256:" + other},
	}}}
	if diff := cmp.Diff(wants, file); diff != "" {
		t.Error(diff)
	}

	set, ds := backend.Open(t.Context(), opts, []backend.Want{w})
	if len(ds) > 0 {
		t.Fatal(texts(ds))
	}
	set.Close()
	locked, ds = backend.Lock(t.Context(), opts, []backend.Want{w}, true)
	if len(ds) > 0 || locked[0].Changed {
		t.Error("an unchanged plugin is locked again:", texts(ds))
	}

	if err := os.WriteFile(path, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, ds = backend.Open(t.Context(), opts, []backend.Want{w})
	if len(ds) != 1 || ds[0].Summary != "Plugin has another checksum" || !strings.Contains(ds[0].Detail, opts.LockFile) {
		t.Error(texts(ds))
	}
}

func TestAFileNeverSilentlyReplacesABuiltin(t *testing.T) {
	opts := options(t)
	opts.UserDir = filepath.Join(opts.WorkDir, "user")
	install(t, filepath.Join(opts.UserDir, "rollback-registry-world"))
	set, ds := backend.Open(t.Context(), opts, []backend.Want{want(schema.Registry, "world", "")})
	if len(ds) != 1 || ds[0].Severity != diag.Warning || ds[0].Summary != "Plugin file is not used" {
		t.Fatal(texts(ds))
	}
	set.Close()
	set, ds = backend.Open(t.Context(), opts, []backend.Want{want(schema.Notify, "bell", "")})
	if len(ds) > 0 {
		t.Fatal("a command that does not use the plugin need not hear of it:", texts(ds))
	}
	set.Close()
}

func TestFindLooksInOrder(t *testing.T) {
	opts := options(t)
	dir, user := filepath.Join(opts.WorkDir, "dir"), filepath.Join(opts.WorkDir, "user")
	opts.Dirs, opts.UserDir = []string{dir, ""}, user
	for _, path := range []string{
		filepath.Join(dir, "rollback-notify-pager"), filepath.Join(user, "rollback-notify-pager"),
		filepath.Join(user, "rollback-notify-horn"),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"rollback-notify-data", "rollback-other-x", "rollback-notify-UP", "rollback-notify-", "readme"} {
		if err := os.WriteFile(filepath.Join(user, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(user)
	found, ds := backend.Find(opts, []backend.Want{{Kind: schema.Registry, Name: "world", Path: "mine"}})
	var got []string
	for _, f := range found {
		rel, err := filepath.Rel(opts.WorkDir, f.Path)
		if err != nil || f.Source == backend.FromSelf {
			rel = "self"
		}
		got = append(got, fmt.Sprintf("%s %s %s %s hidden=%v", f.Kind, f.Name, f.Source, rel, f.Hidden))
	}
	wants := []string{
		"notify bell built-in self hidden=false",
		"notify horn user user/rollback-notify-horn hidden=false",
		"notify pager plugin-dir dir/rollback-notify-pager hidden=false",
		"notify pager user user/rollback-notify-pager hidden=true",
		"orchestrator fleet built-in self hidden=false",
		"registry world policy mine hidden=false",
		"registry world built-in self hidden=true",
	}
	if diff := cmp.Diff(wants, got); diff != "" {
		t.Error(diff)
	}
	if len(ds) != 1 || ds[0].Summary != "Current directory is no plugin folder" {
		t.Error(texts(ds))
	}
}

func TestTheCurrentDirectoryIsNoPluginFolderHoweverItIsWritten(t *testing.T) {
	opts := options(t)
	dir := filepath.Join(opts.WorkDir, "here")
	install(t, filepath.Join(dir, "rollback-notify-pager"))
	t.Chdir(dir)
	opts.Dirs = []string{".", "./", dir, dir + "/../here"}
	found, ds := backend.Find(opts, nil)
	if len(ds) != 4 || len(found) != len(builtins) {
		t.Error(found, texts(ds))
	}
}

func TestUserDirFollowsXDG(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"data home", map[string]string{"XDG_DATA_HOME": "/data", "HOME": "/home/x"}, "/data/rollback/plugins"},
		{"home", map[string]string{"HOME": "/home/x"}, "/home/x/.local/share/rollback/plugins"},
		{"a relative data home is ignored", map[string]string{"XDG_DATA_HOME": "data", "HOME": "/home/x"}, "/home/x/.local/share/rollback/plugins"},
		{"no home", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := backend.UserDir(func(name string) string { return tc.env[name] }); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
