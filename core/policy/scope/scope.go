// Package scope gives the names in a policy their values: variables from the
// command line, files and the environment, and locals in whatever order they
// were written.
package scope

import (
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

// undeclared are the references of expr to variables and locals that do not exist.
// Their Context is the whole reference.
func (s *Scope) undeclared(expr hcl.Expression, ctx *hcl.EvalContext) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, traversal := range expr.Variables() {
		if len(traversal) < 2 {
			continue
		}
		step, ok := traversal[1].(hcl.TraverseAttr)
		if !ok {
			continue
		}
		var known map[string]cty.Value
		var summary, kind, declare string
		switch traversal.RootName() {
		case "var":
			known, summary, kind = s.variables, "Reference to undeclared variable", "variable"
			declare = `variable "` + step.Name + `" {}`
		case "local":
			known, summary, kind = s.locals, "Reference to undeclared local", "local"
			declare = "locals { " + step.Name + " = … }"
		default:
			continue
		}
		if _, ok := known[step.Name]; ok {
			continue
		}
		detail := "There is no " + kind + ` named "` + step.Name + `".`
		if hint := source.DidYouMean(step.Name, source.Sorted(known)); hint != "" {
			detail += hint
		} else {
			detail += " Declare it with: " + declare
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity:    hcl.DiagError,
			Summary:     summary,
			Detail:      detail,
			Subject:     step.SrcRange.Ptr(),
			Context:     traversal.SourceRange().Ptr(),
			Expression:  expr,
			EvalContext: ctx,
		})
	}
	return diags
}
