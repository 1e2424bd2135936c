package plan_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

func saved(t *testing.T, p *plan.Plan) (string, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rollback.plan")
	if err := plan.Save(path, p); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

func TestAPlanComesBackAsItWasSaved(t *testing.T) {
	p := full(t)
	path, content := saved(t, p)
	again, err := plan.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o600 {
		t.Errorf("mode %o", mode)
	}
	golden(t, "saved.plan", content)
	if err := plan.Save(path, p); err != nil {
		t.Error("over an earlier file: ", err)
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestEveryChangedByteIsRefused(t *testing.T) {
	p, _ := one(registryHost + "/a:5-master").build(t)
	path, content := saved(t, p)
	for i := range content {
		bad := bytes.Clone(content)
		bad[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Load(path); err == nil {
			t.Fatalf("byte %d of %d, %q, may be %q", i, len(content), content[i], bad[i])
		}
	}
	for name, bad := range map[string][]byte{
		"cut": content[:len(content)-1], "longer": append(bytes.Clone(content), '\n'), "empty": {}, "only a line": content[:bytes.IndexByte(content, '\n')+1],
		"line ends of Windows": bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n")),
	} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Load(path); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	p := full(t)
	_, content := saved(t, p)
	edited := func(edit func(*plan.Plan)) []byte {
		q := *p
		q.Changes = append([]plan.Change{}, p.Changes...)
		edit(&q)
		_, c := saved(t, &q)
		return c
	}
	tests := map[string]struct {
		content []byte
		want    string
	}{
		"a JSON":                {[]byte(`{"format_version":"1.0"}` + "\n"), "this is no plan file"},
		"a later version":       {bytes.Replace(content, []byte("rollback-plan 1 "), []byte("rollback-plan 2 "), 1), "the file has version 2, and this program knows none later than 1"},
		"no version":            {bytes.Replace(content, []byte("rollback-plan 1 "), []byte("rollback-plan x "), 1), "this is no plan file"},
		"edited":                {bytes.Replace(content, []byte("prod"), []byte("test"), 1), "it was changed or damaged"},
		"a later format":        {edited(func(q *plan.Plan) { q.FormatVersion = "2.0" }), `the plan's format "2.0" is not known`},
		"an unknown action":     {edited(func(q *plan.Plan) { q.Changes[0].Action = "revert" }), `unknown action "revert"`},
		"a change without wave": {edited(func(q *plan.Plan) { q.Changes[0].Wave = 0 }), "the wave of /ds/prod/a is 0"},
		"a wave out of reach":   {edited(func(q *plan.Plan) { q.Changes[0].Wave = 1 << 40 }), "the wave of /ds/prod/a is"},
		"a wave of nothing":     {edited(func(q *plan.Plan) { q.Changes[1].Wave = 1 }), "stays as it is but has a wave"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "x.plan")
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := plan.Load(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "read plan "+path+": ") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if _, err := plan.Load(filepath.Join(dir, "none")); err == nil || !strings.HasPrefix(err.Error(), "read plan: open ") {
		t.Error(err)
	}
	if _, err := plan.Load(dir); err == nil {
		t.Error("a folder was read")
	}
}

func TestSaveSaysWhatIsWrongAndLeavesTheOldFile(t *testing.T) {
	p := full(t)
	path, content := saved(t, p)
	bad := *p
	bad.ID = "7"
	if err := plan.Save(path, &bad); err == nil || !strings.Contains(err.Error(), `save plan: the plan's id "7" is no ULID`) {
		t.Error(err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
		t.Error("the old file is gone")
	}
	if err := plan.Save(filepath.Join(t.TempDir(), "none", "x"), p); err == nil || !strings.HasPrefix(err.Error(), "save plan: ") {
		t.Error(err)
	}
	dir := filepath.Join(t.TempDir(), "taken")
	if err := os.MkdirAll(filepath.Join(dir, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := plan.Save(dir, p); err == nil {
		t.Error("a folder was replaced")
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

func FuzzLoad(f *testing.F) {
	good, err := os.ReadFile(filepath.Join("testdata", "saved.plan"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("rollback-plan 1 sha256:\n{}"))
	f.Add([]byte("rollback-plan 999999999999999999999 x\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := plan.Load(path)
		if err != nil {
			return
		}
		p.Waves()
		if err := plan.Save(path, p); err != nil {
			t.Fatalf("what was read cannot be saved: %v", err)
		}
	})
}

// state is the world in which full was planned.
func state(t *testing.T, p *plan.Plan) plan.State {
	t.Helper()
	s := plan.State{PolicyHash: p.PolicyHash, Targets: map[string]string{}}
	for _, c := range p.Changes {
		ref, err := plan.ParseRef(c.From.Image)
		if err != nil {
			t.Fatal(err)
		}
		s.Matches = append(s.Matches, plan.Matched{Repo: c.Repo, Targets: []plan.Target{{
			App: orchestrator.App{ID: c.App, Version: c.Version, Fingerprint: c.Fingerprint}, Container: c.Container, Image: c.From.Image, Ref: ref,
		}}})
		if c.Action == plan.Rollback {
			s.Targets[c.To.Image] = c.To.Digest
		}
	}
	return s
}

func TestStale(t *testing.T) {
	target := registryHost + "/a:3-master@" + digest("3")
	tests := []struct {
		name string
		edit func(*plan.Plan, *plan.State)
		want []string
	}{
		{"nothing has changed", func(*plan.Plan, *plan.State) {}, nil},
		{"the policy", func(_ *plan.Plan, s *plan.State) { s.PolicyHash = "0123456789abcdef" }, []string{"the policy was changed: its hash was abc123 and is 0123456789ab"}},
		{"no policy", func(_ *plan.Plan, s *plan.State) { s.PolicyHash = "" }, []string{"the policy was changed: its hash was abc123 and is none"}},
		{"an app's version", func(_ *plan.Plan, s *plan.State) { s.Matches[0].Targets[0].App.Version = "v2" }, []string{"app /ds/prod/a had version v1 and has v2"}},
		{"an app's fingerprint", func(_ *plan.Plan, s *plan.State) { s.Matches[0].Targets[0].App.Fingerprint = "" }, []string{"the configuration of app /ds/prod/a was changed: its fingerprint was f1 and is none"}},
		{"an app's image", func(_ *plan.Plan, s *plan.State) { s.Matches[0].Targets[0].Image = "x:1" }, []string{"app /ds/prod/a ran registry.example.com:5000/a:5-master and runs x:1"}},
		{"an app's digest", func(_ *plan.Plan, s *plan.State) {
			s.Matches[0].Targets[0].Image = registryHost + "/a:5-master@" + digest("5")
		}, []string{"app /ds/prod/a ran registry.example.com:5000/a:5-master and runs registry.example.com:5000/a:5-master@" + digest("5")}},
		{"an app that stays, too", func(_ *plan.Plan, s *plan.State) { s.Matches[3].Targets[0].App.Version = "v2" }, []string{"app /ds/prod/c had version v1 and has v2"}},
		{"an app has gone", func(_ *plan.Plan, s *plan.State) { s.Matches[2].Targets = nil }, []string{"app /ds/prod/b (container main) no longer runs b"}},
		{"an app has come", func(_ *plan.Plan, s *plan.State) {
			s.Matches[0].Targets = append(s.Matches[0].Targets, plan.Target{App: orchestrator.App{ID: "/ds/prod/new\x1b"}})
		}, []string{"app /ds/prod/new\uFFFD runs a now, and is not in the plan"}},
		{"a target's tag has moved", func(_ *plan.Plan, s *plan.State) { s.Targets[target] = digest("9") }, []string{"tag 3-master of a was sha256:000000000000 and is sha256:000000000000"}},
		{"a target has gone", func(_ *plan.Plan, s *plan.State) { s.Targets[target] = "" }, []string{"tag 3-master of a is gone from the registry, or what it needs is"}},
		{"a target was not looked at", func(_ *plan.Plan, s *plan.State) { delete(s.Targets, target) }, []string{"what tag 3-master of a is now was not looked at"}},
		{"what was left out does not matter", func(p *plan.Plan, s *plan.State) {
			p.Changes[3].Reason = plan.Excluded
			s.Matches[3].Targets[0].App.Version = "v2"
			s.Matches[3].Targets = append(s.Matches[3].Targets, plan.Target{App: orchestrator.App{ID: "/new"}})
		}, nil},
		{"everything is told", func(_ *plan.Plan, s *plan.State) { *s = plan.State{} }, []string{
			"the policy was changed: its hash was abc123 and is none",
			"app /ds/prod/a no longer runs a",
			"what tag 3-master of a is now was not looked at",
			"app /ds/prod/a-batch no longer runs a",
			"app /ds/prod/b (container main) no longer runs b",
			"what tag 2-master of b is now was not looked at",
			"app /ds/prod/c no longer runs c",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := full(t)
			s := state(t, p)
			tt.edit(p, &s)
			if diff := cmp.Diff(tt.want, plan.Stale(p, s)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("an app with two containers is told once", func(t *testing.T) {
		p := full(t)
		second := p.Changes[0]
		second.Container = "side"
		p.Changes = append(p.Changes, second)
		s := state(t, p)
		for i := range s.Matches {
			s.Matches[i].Targets[0].App.Version = "v2"
		}
		if have := plan.Stale(p, s); len(have) != 4 {
			t.Errorf("%q", have)
		}
	})
}

func TestShowDocument(t *testing.T) {
	p := full(t)
	if !p.Applyable {
		t.Fatal("not applyable")
	}
	for _, stale := range [][]string{nil, {"it has been applied"}} {
		have, err := json.Marshal(plan.NewDocument(p, stale))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, have); err != nil {
			t.Error(err)
		}
		var d map[string]any
		if err := json.Unmarshal(have, &d); err != nil {
			t.Fatal(err)
		}
		if d["applyable"] != (stale == nil) || len(d["stale_reasons"].([]any)) != len(stale) || d["id"] != planID {
			t.Errorf("%s", have)
		}
	}
	if !p.Applyable {
		t.Error("the plan itself was changed")
	}
}
