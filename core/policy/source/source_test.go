package source

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/diag"
)

func TestWhatIsSaidOfValues(t *testing.T) {
	long := strings.Repeat("ä", 200)
	for _, tc := range []struct {
		value cty.Value
		want  string
	}{
		{cty.StringVal("a\"b\x1b"), `is "a\"b\x1b"`},
		{cty.StringVal(long), `is "` + long[:240] + `…"`},
		{cty.NumberFloatVal(1.5), "is 1.5"},
		{cty.True, "is true"},
		{cty.NullVal(cty.String), "is null"},
		{cty.UnknownVal(cty.String), ""},
		{cty.DynamicVal, ""},
		{cty.ListValEmpty(cty.String), "is empty list of string"},
		{cty.ListVal([]cty.Value{cty.Zero}), "is list of number with 1 element"},
		{cty.TupleVal([]cty.Value{cty.Zero, cty.True}), "is tuple with 2 elements"},
		{cty.ObjectVal(map[string]cty.Value{"a": cty.Zero}), "is object with 1 attribute"},
		{cty.StringVal("x").Mark(Sensitive), "has a sensitive value"},
		{cty.ListVal([]cty.Value{cty.Zero.Mark(Sensitive)}), "is list of number with 1 element"},
	} {
		t.Run(tc.want, func(t *testing.T) {
			if got := describe(tc.value); got != tc.want {
				t.Errorf("describe = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestValuesOfAnExpressionAreNamedAsWritten(t *testing.T) {
	expr, diags := hclsyntax.ParseExpression(
		[]byte(`[var.b, var.a["k"], var.l[0], var.b, var.m[var.secret], var.missing, var.l[*].x]`), "x", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{
		"a": cty.MapVal(map[string]cty.Value{"k": cty.StringVal("hunter2")}), "b": cty.True,
		"l": cty.ListVal([]cty.Value{cty.Zero}), "m": cty.MapValEmpty(cty.String),
		"secret": cty.StringVal("hunter2").Mark(Sensitive),
	})}}
	secrets := &Secrets{}
	secrets.Add(cty.StringVal("hunter2"))
	want := []diag.Value{
		{Traversal: `var.a["k"]`, Statement: `is "(sensitive value)"`},
		{Traversal: "var.b", Statement: "is true"},
		{Traversal: "var.l", Statement: "is list of number with 1 element"},
		{Traversal: "var.l[0]", Statement: "is 0"},
		{Traversal: "var.m", Statement: "is empty map of string"},
		{Traversal: "var.secret", Statement: "has a sensitive value"},
	}
	if diff := cmp.Diff(want, NewSet(secrets).values(expr, ctx)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestSnippetsAreWholeLines(t *testing.T) {
	const text = "one = 1\r\ntwo = [\n  \"\x1bä\",\n]\nlast"
	at := func(line, start, end int) diag.Range {
		return diag.Range{Start: diag.Pos{Line: line, Byte: start}, End: diag.Pos{Line: line, Byte: end}}
	}
	for _, tc := range []struct {
		rule        string
		at          diag.Range
		code        string
		line        int
		highlighted string
	}{
		{"one line, without its end", at(1, 0, 3), "one = 1", 1, "one"},
		{"several lines", at(2, 15, 27), "two = [\n  \"?ä\",\n]", 2, "[\n  \"?ä\",\n]"},
		{"nothing becomes one character", at(1, 0, 0), "one = 1", 1, "o"},
		{"the end of the file", at(5, 32, 32), "last", 5, ""},
		{"past the end", at(5, 28, 99), "last", 5, "last"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			s := Snippet([]byte(text), tc.at)
			if s == nil {
				t.Fatal("there is none")
			}
			if s.Code != tc.code || s.StartLine != tc.line {
				t.Errorf("snippet = line %d %q, want line %d %q", s.StartLine, s.Code, tc.line, tc.code)
			}
			if got := s.Code[s.HighlightStartOffset:s.HighlightEndOffset]; got != tc.highlighted {
				t.Errorf("highlighted = %q, want %q", got, tc.highlighted)
			}
		})
	}
	for rule, r := range map[string]diag.Range{"outside": at(9, 500, 501), "backwards": at(1, 5, 2), "negative": at(0, -1, 2)} {
		if s := Snippet([]byte(text), r); s != nil {
			t.Errorf("%s: snippet = %+v", rule, s)
		}
	}
	lines := strings.Repeat("x\n", 50)
	if s := Snippet([]byte(lines), at(1, 0, len(lines))); strings.Count(s.Code, "\n") != contextLines-1 || s.HighlightEndOffset != len(s.Code) {
		t.Errorf("a long snippet = %+v", s)
	}
}

func TestSecretsInTheSourceKeepOffsetsTrue(t *testing.T) {
	secrets := &Secrets{}
	secrets.Add(cty.StringVal("hunter2"))
	set := NewSet(secrets)
	_, diags := set.Parse("x.hcl", []byte("a = \"hunter2\" + b\x01"))
	ds := set.Diagnostics(diags)
	if len(ds) == 0 || ds[0].Snippet == nil {
		t.Fatal(ds)
	}
	if ds[0].Snippet.Code != "a = \"*******\" + b?" {
		t.Errorf("code = %q", ds[0].Snippet.Code)
	}
}

func TestRedactionLeavesTheShortest(t *testing.T) {
	secrets := &Secrets{}
	secrets.Add(cty.ListVal([]cty.Value{cty.StringVal("ab"), cty.StringVal("secret"), cty.StringVal("secret-long"), cty.StringVal("")}))
	secrets.AddMarked(cty.TupleVal([]cty.Value{cty.StringVal("plain"), cty.NumberIntVal(4711).Mark(Sensitive)}))
	if got, want := secrets.Redact("ab secret-long secret plain 4711"), "ab "+Hidden+" "+Hidden+" plain "+Hidden; got != want {
		t.Errorf("Redact = %q, want %q", got, want)
	}
	var none *Secrets
	if got := none.Redact("x"); got != "x" {
		t.Errorf("Redact = %q", got)
	}
}

func TestSuggestions(t *testing.T) {
	names := []string{"environment", "repo", "points", "id"}
	for given, want := range map[string]string{
		"environmnt": "environment", "Repo": "repo", "point": "points", "": "", "x": "", "ix": "id", "completely different": "",
	} {
		if got := Nearest(given, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", given, got, want)
		}
	}
	if got := DidYouMean("repo", names); got != "" {
		t.Errorf("a name is suggested for itself: %q", got)
	}
	for want, list := range map[string][]string{"": nil, `"a"`: {"a"}, `"a" or "b"`: {"a", "b"}, `"a", "b" or "c"`: {"a", "b", "c"}} {
		if got := OneOf(list); got != want {
			t.Errorf("OneOf(%q) = %s, want %s", list, got, want)
		}
	}
}

func TestDiagnosticsAreSortedAndEachIsThereOnce(t *testing.T) {
	set := NewSet(&Secrets{})
	for _, name := range []string{"b.hcl", "a.hcl"} {
		if _, diags := set.Parse(name, []byte("x = 1\ny = 2\n")); diags.HasErrors() {
			t.Fatal(diags)
		}
	}
	at := func(file string, start int) *hcl.Diagnostic {
		pos := hcl.Pos{Line: 1, Column: 1, Byte: start}
		return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "S", Detail: file, Subject: &hcl.Range{Filename: file, Start: pos, End: pos}}
	}
	ds := set.Diagnostics(hcl.Diagnostics{
		at("values.hcl", 0), at("a.hcl", 0), at("b.hcl", 6), at("b.hcl", 0), at("b.hcl", 6),
		{Severity: hcl.DiagWarning, Summary: "S", Detail: "placeless\r\x07"},
	})
	var got []string
	for _, d := range ds {
		got = append(got, d.Detail)
	}
	want := []string{"placeless\ufffd", "b.hcl", "b.hcl", "a.hcl", "values.hcl"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if len(set.Files()) != 2 || set.File("a.hcl") == nil || set.File("c.hcl") != nil {
		t.Error("the set does not know its files")
	}
	if set.Diagnostics(nil) != nil {
		t.Error("no diagnostics are some")
	}
}
