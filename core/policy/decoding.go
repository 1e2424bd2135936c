package policy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/rollback-project/rollback/core/policy/source"
	"github.com/rollback-project/rollback/sdk/schema"
)

var (
	checksum    = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
	pluginLabel = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
)

// setting is one value on its way to a plugin.
type setting struct {
	value cty.Value
	at    hcl.Range
	expr  hcl.Expression
	ctx   *hcl.EvalContext
	// failed: there is no value, and it has been said why.
	failed bool
}

// given is what somebody set in a block.
type given struct {
	block hcl.Range
	get   func(name string) (setting, bool)
}

// decoding turns settings into what a plugin's schema asks for.
type decoding struct {
	secrets *source.Secrets
	diags   hcl.Diagnostics
}

func (d *decoding) problem(s setting, hide bool, summary, detail string) {
	problem := &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: s.at.Ptr(),
		Expression: s.expr, EvalContext: s.ctx,
	}
	if hide || s.expr == nil {
		problem.Expression, problem.EvalContext = nil, nil
	}
	d.diags = append(d.diags, problem)
}

// attributes returns the JSON value of each attribute by name.
func (d *decoding) attributes(attributes []schema.Attribute, from given) map[string]any {
	values := make(map[string]any, len(attributes))
	for _, a := range attributes {
		values[a.Name] = d.attribute(a, from)
	}
	return values
}

func (d *decoding) attribute(a schema.Attribute, from given) any {
	s, there := from.get(a.Name)
	if s.failed {
		return nil
	}
	if !there || s.value.IsNull() {
		switch {
		case a.Required && !there:
			d.problem(setting{at: from.block}, true, "Missing required argument",
				fmt.Sprintf("The argument %q is required, but no definition was found.", a.Name))
			return nil
		case a.Required:
			d.problem(s, a.Sensitive, "Missing required argument",
				fmt.Sprintf("The argument %q is required, but its value is null.", a.Name))
			return nil
		case a.Default == cty.NilVal || a.Default.IsNull():
			return nil
		}
		s.value = a.Default
	}
	v, ok := d.converted(a, s)
	if !ok {
		return nil
	}
	text, err := marshal(v)
	if err != nil {
		d.problem(s, a.Sensitive, "Unsuitable value type", fmt.Sprintf("The value of %q cannot be handed to a plugin.", a.Name))
		return nil
	}
	return text
}

func (d *decoding) converted(a schema.Attribute, s setting) (cty.Value, bool) {
	hide := a.Sensitive || s.value.ContainsMarked()
	d.secrets.AddMarked(s.value)
	v, _ := s.value.UnmarkDeep()
	if a.Sensitive {
		d.secrets.Add(v)
	}
	want := a.Type
	if want == cty.NilType {
		want = cty.DynamicPseudoType
	}
	v, err := convert.Convert(v, want)
	switch {
	case err != nil:
		d.problem(s, hide, "Unsuitable value type",
			fmt.Sprintf("The value of %q must be a %s: %s.", a.Name, typeName(want), err))
		return v, false
	case !v.IsWhollyKnown():
		d.problem(s, hide, "Unknown value", fmt.Sprintf("The value of %q is not known.", a.Name))
		return v, false
	}
	if len(a.OneOf) > 0 && v.Type() == cty.String && !v.IsNull() && !slices.Contains(a.OneOf, v.AsString()) {
		detail := fmt.Sprintf("The argument %q has no value %q. %s", a.Name, v.AsString(), nearest(v.AsString(), a.OneOf))
		if hide {
			detail = fmt.Sprintf("The value of the argument %q is not allowed. It must be %s.", a.Name, source.OneOf(a.OneOf))
		}
		d.problem(s, hide, "Invalid value", detail)
		return v, false
	}
	return v, true
}

// count checks how often a nested block occurs; at says where the i-th is.
func (d *decoding) count(b schema.Block, n int, at func(i int) hcl.Range) {
	switch {
	case n < b.Min && b.Min == 1:
		d.problem(setting{at: at(n)}, true, "Missing required block", fmt.Sprintf("A block %q is required.", b.Name))
	case n < b.Min:
		d.problem(setting{at: at(n)}, true, "Missing required block",
			fmt.Sprintf("At least %d blocks %q are required, but there are %d.", b.Min, b.Name, n))
	case b.Max > 0 && n > b.Max:
		d.problem(setting{at: at(b.Max)}, true, "Too many blocks",
			fmt.Sprintf("There may be %d of the blocks %q, but there are %d.", b.Max, b.Name, n))
	}
}

// shape is an object (null when absent) where a block may occur once, else a list of objects.
func shape(b schema.Block, objects []map[string]any) any {
	switch {
	case b.Max != 1 && objects == nil:
		return []any{}
	case b.Max != 1:
		return objects
	case len(objects) == 0:
		return nil
	}
	return objects[0]
}

// marshal writes a value as plain JSON; a value of any type without its type beside it, because plugins decode into
// Go types of their own.
func marshal(v cty.Value) (json.RawMessage, error) {
	return ctyjson.SimpleJSONValue{Value: v}.MarshalJSON()
}

// encode makes the configuration. The values are JSON already, so that it cannot fail.
func encode(values map[string]any) schema.Config {
	text, err := json.Marshal(values)
	if err != nil {
		return schema.Config{JSON: json.RawMessage("{}")}
	}
	return schema.Config{JSON: text}
}
