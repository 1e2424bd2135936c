package scope

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/rollback-project/rollback/core/policy/source"
)

// Declaration is one block variable. Several with one name are laid over each other: what a later one sets wins.
type Declaration struct {
	Name    string
	Content *hcl.BodyContent
	Range   hcl.Range
}

// Schema is the body of a block variable.
var Schema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{
		{Name: "type"},
		{Name: "default"},
		{Name: "description"},
		{Name: "sensitive"},
		{Name: "nullable"},
	},
	Blocks: []hcl.BlockHeaderSchema{{Type: "validation"}},
}

// validationSchema is the body of a block validation.
var validationSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
	{Name: "condition", Required: true},
	{Name: "error_message", Required: true},
}}

// variable is a declaration understood.
type variable struct {
	name        string
	at          hcl.Range
	constraint  cty.Type
	defaults    *typeexpr.Defaults
	fallback    *hcl.Attribute
	sensitive   bool
	nullable    bool
	validations []*hcl.BodyContent
}

// Given is a value from outside.
type Given struct {
	// Text is to be read by the variable's type; when it is not set, Value is the value.
	Text  *string
	Value cty.Value
	// From says where it comes from, as in: --var.
	From string
	// Range is the place in a file of values; nil elsewhere.
	Range *hcl.Range
}

// New gives variables their values: from given, or else from their defaults.
// Declarations of one name stand together in each element, the outermost last. What is sensitive goes to secrets.
func New(
	declared [][]Declaration, given map[string]Given, functions map[string]function.Function, secrets *source.Secrets,
) (*Scope, []Value, hcl.Diagnostics) {
	s := &Scope{variables: map[string]cty.Value{}, functions: functions}
	var values []Value
	var diags hcl.Diagnostics
	var all []*variable
	for _, declarations := range declared {
		v, more := s.declare(declarations)
		diags = append(diags, more...)
		got, more := s.value(v, given)
		if v.sensitive {
			more = hide(more)
			secrets.Add(got)
			got = got.Mark(source.Sensitive)
		}
		secrets.AddMarked(got)
		diags = append(diags, more...)
		if more.HasErrors() {
			s.failed = true
			got = cty.UnknownVal(v.constraint)
		}
		s.variables[v.name] = got
		values = append(values, Value{Name: v.name, Value: got, Sensitive: v.sensitive})
		all = append(all, v)
	}
	for _, v := range all {
		diags = append(diags, s.validate(v)...)
	}
	return s, values, diags
}

// Value is what a variable has become.
type Value struct {
	Name      string
	Value     cty.Value
	Sensitive bool
}

// hide takes the expressions out of diagnostics about a sensitive variable.
func hide(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		d.Expression, d.EvalContext = nil, nil
	}
	return diags
}

// declare reads the blocks of one variable.
func (s *Scope) declare(declarations []Declaration) (*variable, hcl.Diagnostics) {
	first := declarations[0]
	v := &variable{name: first.Name, at: first.Range, constraint: cty.DynamicPseudoType, nullable: true}
	var diags hcl.Diagnostics
	for _, d := range declarations {
		v.at = d.Range
		attrs := d.Content.Attributes
		if attr := attrs["type"]; attr != nil {
			t, defaults, more := typeexpr.TypeConstraintWithDefaults(attr.Expr)
			diags = append(diags, more...)
			if !more.HasErrors() {
				v.constraint, v.defaults = t, defaults
			}
		}
		if attr := attrs["default"]; attr != nil {
			v.fallback = attr
		}
		diags = append(diags, s.boolean(attrs["sensitive"], &v.sensitive)...)
		diags = append(diags, s.boolean(attrs["nullable"], &v.nullable)...)
		if attr := attrs["description"]; attr != nil {
			_, more := s.constant(attr, cty.String)
			diags = append(diags, more...)
		}
		for _, block := range d.Content.Blocks {
			content, more := block.Body.Content(validationSchema)
			diags = append(diags, more...)
			if !more.HasErrors() {
				v.validations = append(v.validations, content)
			}
		}
	}
	return v, diags
}

func (s *Scope) boolean(attr *hcl.Attribute, into *bool) hcl.Diagnostics {
	if attr == nil {
		return nil
	}
	v, diags := s.constant(attr, cty.Bool)
	if !diags.HasErrors() {
		*into = v.True()
	}
	return diags
}

// constant reads an attribute that must be a literal: it is needed before anything has a value.
func (s *Scope) constant(attr *hcl.Attribute, want cty.Type) (cty.Value, hcl.Diagnostics) {
	v, diags := attr.Expr.Value(nil)
	if diags.HasErrors() {
		return v, diags
	}
	converted, err := convert.Convert(v, want)
	if err != nil || converted.IsNull() {
		return v, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Unsuitable value type",
			Detail:   fmt.Sprintf("The attribute %q must be a %s.", attr.Name, want.FriendlyName()),
			Subject:  attr.Expr.Range().Ptr(),
		}}
	}
	return converted, nil
}

// value finds what a variable is, converted to its type.
func (s *Scope) value(v *variable, given map[string]Given) (cty.Value, hcl.Diagnostics) {
	if g, ok := given[v.name]; ok {
		got, diags := s.given(v, g)
		if diags.HasErrors() || !got.IsNull() || v.nullable {
			return got, diags
		}
		// As in Terraform, a null for a variable that cannot be null asks for the default.
	}
	if v.fallback == nil {
		return cty.DynamicVal, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "No value for required variable",
			Detail: fmt.Sprintf("The variable %q has no default. Set it with --var '%s=…', in a file given with --var-file,"+
				" or with the environment variable ROLLBACK_VAR_%s.", v.name, v.name, v.name),
			Subject: v.at.Ptr(),
		}}
	}
	// Other variables have no value yet: a default can only be made of functions.
	ctx := &hcl.EvalContext{Functions: s.functions}
	got, diags := v.fallback.Expr.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	got, err := v.convert(got)
	switch {
	case err != nil:
		return cty.DynamicVal, append(diags, &hcl.Diagnostic{
			Severity:    hcl.DiagError,
			Summary:     "Invalid default value for variable",
			Detail:      fmt.Sprintf("The default of %q does not fit its type %s: %s.", v.name, typeexpr.TypeString(v.constraint), err),
			Subject:     v.fallback.Expr.Range().Ptr(),
			Expression:  v.fallback.Expr,
			EvalContext: ctx,
		})
	case got.IsNull() && !v.nullable:
		return cty.DynamicVal, append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Invalid default value for variable",
			Detail: fmt.Sprintf("The default of %q is null, but the variable has nullable = false. Set it with --var '%s=…'"+
				" or the environment variable ROLLBACK_VAR_%s.", v.name, v.name, v.name),
			Subject: v.fallback.Expr.Range().Ptr(),
		})
	}
	return got, diags
}

func (v *variable) convert(got cty.Value) (cty.Value, error) {
	if v.defaults != nil && !got.IsNull() {
		got = v.defaults.Apply(got)
	}
	return convert.Convert(got, v.constraint)
}
