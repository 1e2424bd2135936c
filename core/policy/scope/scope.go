// Package scope gives the names in a policy their values: variables from the
// command line, files and the environment, and locals in whatever order they
// were written.
package scope

import (
	"fmt"
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/rollback-project/rollback/core/policy/source"
)

// Scope is what expressions of a policy may refer to.
type Scope struct {
	variables map[string]cty.Value
	locals    map[string]cty.Value
	functions map[string]function.Function
	// failed: some value is missing because of a problem that has been reported.
	failed bool
}

// Context is for the evaluation of expressions.
func (s *Scope) Context() *hcl.EvalContext { return s.With(nil, nil) }

// With is Context with further variables and functions.
func (s *Scope) With(roots map[string]cty.Value, functions map[string]function.Function) *hcl.EvalContext {
	ctx := &hcl.EvalContext{
		Variables: map[string]cty.Value{"var": object(s.variables), "local": object(s.locals)},
		Functions: s.functions,
	}
	maps.Copy(ctx.Variables, roots)
	if len(functions) > 0 {
		ctx.Functions = maps.Clone(s.functions)
		maps.Copy(ctx.Functions, functions)
	}
	return ctx
}

// Failed reports whether a variable or local has no value because of a problem that has been reported: a value that
// is not known is then no problem of its own.
func (s *Scope) Failed() bool { return s.failed }

func object(values map[string]cty.Value) cty.Value {
	if len(values) == 0 {
		return cty.EmptyObjectVal
	}
	return cty.ObjectVal(values)
}

// Evaluate evaluates an expression in ctx, which comes from Context or With.
// References to variables and locals that do not exist are said by name, with what was probably meant.
func (s *Scope) Evaluate(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if whole := wholes(expr); whole != nil {
		return cty.DynamicVal, whole
	}
	v, diags := expr.Value(ctx)
	if !diags.HasErrors() {
		return v, diags
	}
	// What hcl says about the same place is the same problem in other words.
	undeclared := s.undeclared(expr, ctx)
	said := map[*hcl.Diagnostic]bool{}
	out := diags[:0:0]
	for _, d := range diags {
		if better := about(d, undeclared); better != nil {
			d = better
		}
		if !said[d] {
			said[d] = true
			out = append(out, d)
		}
	}
	return v, out
}

// about returns the reference that d points into; nil when there is none.
func about(d *hcl.Diagnostic, references hcl.Diagnostics) *hcl.Diagnostic {
	if d.Subject == nil {
		return nil
	}
	for _, reference := range references {
		if reference.Context.ContainsOffset(d.Subject.Start.Byte) {
			return reference
		}
	}
	return nil
}

// wholes reports references to all variables or locals at once: what they hold depends on the order of evaluation.
func wholes(expr hcl.Expression) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, traversal := range expr.Variables() {
		root := traversal.RootName()
		if _, _, ok := member(traversal); ok || root != "var" && root != "local" {
			continue
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Invalid reference",
			Detail:   fmt.Sprintf("%q must be followed by a name: %s.NAME.", root, root),
			Subject:  traversal.SourceRange().Ptr(),
		})
	}
	return diags
}

// member is the name behind var or local, as in var.name or var["name"].
func member(traversal hcl.Traversal) (name string, at hcl.Range, ok bool) {
	if len(traversal) < 2 {
		return "", hcl.Range{}, false
	}
	switch step := traversal[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, step.SrcRange, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), step.SrcRange, true
		}
	}
	return "", hcl.Range{}, false
}

// undeclared are the references of expr to variables and locals that do not exist.
// Their Context is the whole reference.
func (s *Scope) undeclared(expr hcl.Expression, ctx *hcl.EvalContext) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, traversal := range expr.Variables() {
		name, at, ok := member(traversal)
		if !ok {
			continue
		}
		var known map[string]cty.Value
		var summary, kind, declare string
		switch traversal.RootName() {
		case "var":
			known, summary, kind = s.variables, "Reference to undeclared variable", "variable"
			declare = `variable "` + name + `" {}`
		case "local":
			known, summary, kind = s.locals, "Reference to undeclared local", "local"
			declare = "locals { " + name + " = … }"
		default:
			continue
		}
		if _, ok := known[name]; ok {
			continue
		}
		detail := "There is no " + kind + ` named "` + name + `".`
		if hint := source.DidYouMean(name, source.Sorted(known)); hint != "" {
			detail += hint
		} else {
			detail += " Declare it with: " + declare
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity:    hcl.DiagError,
			Summary:     summary,
			Detail:      detail,
			Subject:     at.Ptr(),
			Context:     traversal.SourceRange().Ptr(),
			Expression:  expr,
			EvalContext: ctx,
		})
	}
	return diags
}
