package source

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/diag"
)

// Diagnostics turns hcl's diagnostics into the project's, sorted by place.
func (s *Set) Diagnostics(in hcl.Diagnostics) diag.Diagnostics {
	out := make(diag.Diagnostics, 0, len(in))
	for _, d := range in {
		out = append(out, s.diagnostic(d))
	}
	if len(out) == 0 {
		return nil
	}
	return s.Sort(out)
}

func (s *Set) diagnostic(in *hcl.Diagnostic) diag.Diagnostic {
	d := diag.Diagnostic{
		Severity: diag.Error,
		Summary:  s.Clean(in.Summary),
		Detail:   s.Clean(in.Detail),
	}
	if in.Severity == hcl.DiagWarning {
		d.Severity = diag.Warning
	}
	if concernsSecret(in) && mayQuote(in) {
		d.Detail = "The reason is not shown because sensitive values are involved."
	}
	if in.Subject == nil {
		return d
	}
	d.Address = s.Address(*in.Subject)
	r := Range(*in.Subject)
	d.Range = &r
	d.Snippet = s.snippet(*in.Subject, in.Context)
	if d.Snippet != nil && in.Expression != nil && in.EvalContext != nil {
		d.Snippet.Values = s.values(in.Expression, in.EvalContext)
	}
	return d
}

// Clean hides secrets and takes the fangs out of control characters.
func (s *Set) Clean(text string) string { return printable(s.secrets.Redact(text)) }

// printable replaces control characters, other than the line break and the tab, by a visible sign.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return '\ufffd'
		}
		return r
	}, text)
}

// printableInPlace is printable without a change of length, so that offsets stay true.
func printableInPlace(code []byte) string {
	var b strings.Builder
	for len(code) > 0 {
		r, size := utf8.DecodeRune(code)
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == '\r':
			b.WriteByte(' ')
		case r == utf8.RuneError && size == 1, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			b.WriteString(strings.Repeat("?", size))
		default:
			b.Write(code[:size])
		}
		code = code[size:]
	}
	return b.String()
}

// Range converts a range of hcl.
func Range(r hcl.Range) diag.Range {
	return diag.Range{
		Filename: r.Filename,
		Start:    diag.Pos{Line: r.Start.Line, Column: r.Start.Column, Byte: r.Start.Byte},
		End:      diag.Pos{Line: r.End.Line, Column: r.End.Column, Byte: r.End.Byte},
	}
}

// Address names the object that stands at r, such as repo.backend-a, var.url or apply; "" at top level.
func (s *Set) Address(r hcl.Range) string {
	f := s.byName[r.Filename]
	if f == nil || f.HCL == nil {
		return ""
	}
	body, ok := f.HCL.Body.(*hclsyntax.Body)
	if !ok {
		return ""
	}
	for _, block := range body.Blocks {
		if !block.Range().ContainsOffset(r.Start.Byte) {
			continue
		}
		switch {
		case block.Type == "variable" && len(block.Labels) == 1:
			return "var." + printable(block.Labels[0])
		case block.Type == "locals":
			for name, attr := range block.Body.Attributes {
				if attr.SrcRange.ContainsOffset(r.Start.Byte) {
					return "local." + name
				}
			}
		}
		return printable(strings.Join(append([]string{block.Type}, block.Labels...), "."))
	}
	return ""
}

// concernsSecret reports whether a sensitive value takes part in the expression that the diagnostic is about.
func concernsSecret(d *hcl.Diagnostic) bool {
	if d.Expression == nil || d.EvalContext == nil {
		return false
	}
	for _, traversal := range d.Expression.Variables() {
		if v, ok := lookup(traversal, d.EvalContext); ok && v.ContainsMarked() {
			return true
		}
	}
	node, ok := d.Expression.(hclsyntax.Node)
	if !ok {
		return false
	}
	found := false
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		found = found || ok && call.Name == "sensitive"
		return nil
	})
	return found
}

// mayQuote reports whether a diagnostic's detail may repeat a value: functions put their arguments into their
// errors, and hcl puts quotation marks around what it repeats.
func mayQuote(d *hcl.Diagnostic) bool {
	if _, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
		return true
	}
	return strings.Contains(d.Detail, `"`)
}

// lookup finds what a traversal stands for, or the longest part of it that stands for something.
func lookup(traversal hcl.Traversal, ctx *hcl.EvalContext) (cty.Value, bool) {
	for n := len(traversal); n > 0; n-- {
		v, diags := traversal[:n].TraverseAbs(ctx)
		if !diags.HasErrors() {
			return v, true
		}
	}
	return cty.NilVal, false
}

// values says what the references in an expression stood for, sorted by name.
func (s *Set) values(expr hcl.Expression, ctx *hcl.EvalContext) []diag.Value {
	values := []diag.Value{}
	for _, traversal := range expr.Variables() {
		v, diags := traversal.TraverseAbs(ctx)
		if diags.HasErrors() {
			continue
		}
		statement := s.Clean(describe(v))
		name := printable(traversalText(traversal))
		if statement == "" || slices.ContainsFunc(values, func(v diag.Value) bool { return v.Traversal == name }) {
			continue
		}
		values = append(values, diag.Value{Traversal: name, Statement: statement})
	}
	slices.SortFunc(values, func(a, b diag.Value) int { return strings.Compare(a.Traversal, b.Traversal) })
	return values
}
