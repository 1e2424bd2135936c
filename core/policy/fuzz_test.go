package policy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/schema"
)

// seeds adds all fixtures.
func seeds(f *testing.F) {
	f.Helper()
	for _, pattern := range []string{"testdata/invalid/*.hcl", "testdata/valid/*/*.hcl", "testdata/golden/*.hcl"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
}

// FuzzLoad: whatever a file holds, loading ends, the diagnostics can be written as JSON, and what has none works.
func FuzzLoad(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		l := newLoader(LoadOptions{Paths: []string{"policy.hcl"}, WorkDir: t.TempDir(), Builtin: builtin})
		l.readFile = func(string) ([]byte, error) { return nil, os.ErrNotExist }
		file := &policyFile{chain: []string{"policy.hcl"}}
		file.File, l.diags = l.sources.Parse("policy.hcl", src)
		l.files = append(l.files, file)
		if !l.diags.HasErrors() {
			l.understand()
		}
		ds := l.sources.Diagnostics(l.diags)
		for _, d := range ds {
			if d.Summary == "" || d.Snippet != nil && (d.Snippet.HighlightStartOffset > d.Snippet.HighlightEndOffset || d.Snippet.HighlightEndOffset > len(d.Snippet.Code)) {
				t.Errorf("diagnostic = %+v %+v", d, d.Snippet)
			}
		}
		if _, err := json.Marshal(ds); err != nil {
			t.Fatal(err)
		}
		if ds.HasErrors() {
			return
		}
		for _, g := range l.policy.Guards {
			g.Evaluate(plan())
		}
		for _, r := range l.policy.Repos {
			for _, v := range r.Verify {
				if v.Prometheus != nil {
					_, _ = v.Prometheus.Holds(0)
				}
			}
		}
		if l.policy.Registry != nil {
			l.policy.Registry.Decode(marathonLike)
		}
	})
}

// FuzzFormat: formatting twice changes nothing more, and never changes what can be read.
func FuzzFormat(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		once, ds := Format(src, "x.hcl")
		if ds.HasErrors() {
			if !bytes.Equal(src, once) {
				t.Error("a text that cannot be read was changed")
			}
			return
		}
		twice, ds := Format(once, "x.hcl")
		if ds.HasErrors() || !bytes.Equal(once, twice) {
			t.Errorf("formatting again changes\n%q to\n%q; %v", once, twice, ds)
		}
	})
}

// FuzzVariable: whatever is given for a variable, it is a value of its type or a diagnostic that does not repeat it.
func FuzzVariable(f *testing.F) {
	for _, seed := range []string{"", "x", "1", "true", "null", `["a"]`, `{a = "b"}`, `{a = [}`, "${x}", "[1,2", "\x00", "tolist(1)"} {
		for i := range declarations {
			f.Add(seed, i)
		}
	}
	f.Fuzz(func(t *testing.T, value string, which int) {
		if which < 0 || which >= len(declarations) {
			return
		}
		l := newLoader(LoadOptions{Paths: []string{"policy.hcl"}, Vars: []string{"v=" + value}})
		file := &policyFile{chain: []string{"policy.hcl"}}
		file.File, l.diags = l.sources.Parse("policy.hcl",
			[]byte("variable \"v\" {\n  type = "+declarations[which]+"\n}\nregistry \"x\" { v = var.v }\n"))
		l.files = append(l.files, file)
		l.understand()
		ds := l.sources.Diagnostics(l.diags)
		if ds.HasErrors() {
			return
		}
		cfg, ds := l.policy.Registry.Decode(schema.Schema{Attributes: []schema.Attribute{{Name: "v", Type: cty.DynamicPseudoType}}})
		if ds.HasErrors() || !json.Valid(cfg.JSON) {
			t.Errorf("Decode = %s, %v", cfg.JSON, ds)
		}
	})
}

var declarations = []string{"string", "number", "bool", "any", "list(string)", "set(number)", "map(any)", "object({a = optional(string, \"x\")})"}
