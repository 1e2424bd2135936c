package scope

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/rollback-project/rollback/core/policy/source"
)

// given converts a value from outside to the variable's type. Its diagnostics never repeat the value.
func (s *Scope) given(v *variable, g Given) (cty.Value, hcl.Diagnostics) {
	got := g.Value
	if g.Text != nil {
		var diags hcl.Diagnostics
		if got, diags = v.parse(g); diags.HasErrors() {
			return cty.DynamicVal, diags
		}
	}
	got, err := v.convert(got)
	if err != nil {
		return cty.DynamicVal, v.unsuitable(g, fmt.Sprintf("it does not fit the type %s: %s",
			typeexpr.TypeString(v.constraint), err))
	}
	return got, nil
}

// parse reads a text as Terraform does: for strings, numbers and bools, and where no type is declared, it is the
// value; for everything else it is an expression.
func (v *variable) parse(g Given) (cty.Value, hcl.Diagnostics) {
	if v.constraint.IsPrimitiveType() || v.constraint == cty.DynamicPseudoType {
		return cty.StringVal(*g.Text), nil
	}
	expr, diags := hclsyntax.ParseExpression([]byte(*g.Text), "value of "+v.name, hcl.InitialPos)
	if !diags.HasErrors() {
		var got cty.Value
		if got, diags = expr.Value(nil); !diags.HasErrors() {
			return got, nil
		}
	}
	why := make([]string, 0, len(diags))
	for _, d := range diags {
		why = append(why, fmt.Sprintf("%s (column %d)", strings.ToLower(d.Summary[:1])+d.Summary[1:], d.Subject.Start.Column))
	}
	return cty.DynamicVal, v.unsuitable(g, fmt.Sprintf("it must be an expression of type %s, such as %s: %s",
		typeexpr.TypeString(v.constraint), sample(v.constraint), strings.Join(why, "; ")))
}

// sample is an expression of a type, to show how one is written.
func sample(t cty.Type) string {
	switch {
	case t.IsMapType() || t.IsObjectType():
		return `{name = "value"}`
	case t == cty.List(cty.Number) || t == cty.Set(cty.Number):
		return `[1, 2]`
	}
	return `["a", "b"]`
}

func (v *variable) unsuitable(g Given, why string) hcl.Diagnostics {
	d := &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Invalid value for variable",
		Detail:   fmt.Sprintf("The value of %q from %s cannot be used: %s.", v.name, g.From, strings.TrimSuffix(why, ".")),
		Subject:  v.at.Ptr(),
	}
	if g.Range != nil {
		d.Subject = g.Range
	}
	return hcl.Diagnostics{d}
}

// validate checks the validation blocks of one variable, when all variables have values.
func (s *Scope) validate(v *variable) hcl.Diagnostics {
	var diags hcl.Diagnostics
	if !s.variables[v.name].IsWhollyKnown() {
		return nil // It has been reported why.
	}
	for _, content := range v.validations {
		diags = append(diags, s.check(v, content)...)
	}
	return diags
}

func (s *Scope) check(v *variable, content *hcl.BodyContent) hcl.Diagnostics {
	ctx := s.Context()
	condition := content.Attributes["condition"]
	result, diags := s.Evaluate(condition.Expr, ctx)
	message, more := Message(s, content.Attributes["error_message"], ctx)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return diags
	}
	passed, problem := Verdict(result)
	problem = strings.TrimSpace(problem)
	switch {
	case passed || problem == "" && !result.IsWhollyKnown():
		return diags
	case problem != "":
		return append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid variable validation result", Detail: problem,
			Subject: condition.Expr.Range().Ptr(), Expression: condition.Expr, EvalContext: ctx,
		})
	}
	return append(diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Invalid value for variable",
		Detail: fmt.Sprintf("%s\n\nThis was checked by the validation rule at %s:%d.", message,
			condition.Range.Filename, condition.Range.Start.Line),
		Subject: v.at.Ptr(), Expression: condition.Expr, EvalContext: ctx,
	})
}

// Verdict reads the result of a condition. problem says why it is none; it is "" when the condition holds, when it
// does not, and when that is not known.
func Verdict(result cty.Value) (passed bool, problem string) {
	result, _ = result.UnmarkDeep()
	if !result.IsKnown() && (result.Type() == cty.DynamicPseudoType || result.Type() == cty.Bool) {
		return false, ""
	}
	if result.IsNull() {
		return false, "The condition is null. It must be true or false."
	}
	converted, err := convert.Convert(result, cty.Bool)
	if err != nil {
		return false, fmt.Sprintf("The condition is a %s. It must be true or false.", result.Type().FriendlyName())
	}
	if !converted.IsKnown() {
		return false, ""
	}
	return converted.True(), ""
}

// Message evaluates an error_message. One that would show a sensitive value shows that it does instead.
func Message(s *Scope, attr *hcl.Attribute, ctx *hcl.EvalContext) (string, hcl.Diagnostics) {
	v, diags := s.Evaluate(attr.Expr, ctx)
	if diags.HasErrors() || !v.IsWhollyKnown() {
		return "", diags
	}
	if v.ContainsMarked() {
		return "The error message is not shown because it refers to sensitive values.", diags
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil || text.IsNull() {
		return "", append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Unsuitable value type",
			Detail:   "The error_message must be a string.",
			Subject:  attr.Expr.Range().Ptr(), Expression: attr.Expr, EvalContext: ctx,
		})
	}
	return text.AsString(), diags
}

// Undeclared says that a value was given for a variable that the policy does not have.
// On the command line that is an error; a file may serve several policies.
func Undeclared(name string, g Given, known []string) *hcl.Diagnostic {
	d := &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Value for undeclared variable",
		Detail: fmt.Sprintf("The policy has no variable %q, for which %s gives a value.%s", name, g.From,
			source.DidYouMean(name, known)),
		Subject: g.Range,
	}
	if g.Range != nil {
		d.Severity = hcl.DiagWarning
	}
	return d
}
