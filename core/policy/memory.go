package policy

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/core/policy/source"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/schema"
)

// NewBackend makes a Backend that no file describes, from the values of its attributes. A nested block is an object
// where it may occur once, else a list of objects. Its diagnostics have an address and no range.
func NewBackend(kind schema.Kind, name string, values map[string]cty.Value) Backend {
	return Backend{Kind: kind, Name: name, body: &remembered{kind: kind, name: name, values: values, secrets: &source.Secrets{}}}
}

// remembered is the body of a block that no file has.
type remembered struct {
	kind    schema.Kind
	name    string
	values  map[string]cty.Value
	secrets *source.Secrets
}

func (r *remembered) texts() []string { return r.secrets.All() }

func (r *remembered) decode(s schema.Schema) (schema.Config, diag.Diagnostics) {
	d := &decoding{secrets: r.secrets}
	r.unknown(d, r.values, names(s.Attributes, s.Blocks))
	values := d.attributes(s.Attributes, plainValues(r.values))
	for _, block := range s.Blocks {
		var objects []map[string]any
		for _, v := range blockValues(r.values[block.Name]) {
			inner := v.AsValueMap()
			r.unknown(d, inner, names(block.Attributes, nil))
			objects = append(objects, d.attributes(block.Attributes, plainValues(inner)))
		}
		d.count(block, len(objects), func(int) hcl.Range { return hcl.Range{} })
		values[block.Name] = shape(block, objects)
	}
	var out diag.Diagnostics
	for _, problem := range d.diags {
		out = append(out, diag.Errorf(problem.Summary, "%s", r.secrets.Redact(problem.Detail)))
	}
	return encode(values), r.locate(out)
}

func plainValues(values map[string]cty.Value) given {
	return given{get: func(name string) (setting, bool) {
		v, ok := values[name]
		return setting{value: v}, ok
	}}
}

// blockValues are the objects that stand for nested blocks.
func blockValues(v cty.Value) []cty.Value {
	if v == cty.NilVal || v.IsNull() {
		return nil
	}
	v, _ = v.Unmark()
	if v.Type().IsObjectType() || v.Type().IsMapType() {
		return []cty.Value{v}
	}
	if !v.CanIterateElements() {
		return nil
	}
	return slices.DeleteFunc(v.AsValueSlice(), func(v cty.Value) bool {
		return v.IsNull() || !v.Type().IsObjectType() && !v.Type().IsMapType()
	})
}

func names(attributes []schema.Attribute, blocks []schema.Block) []string {
	var out []string
	for _, a := range attributes {
		out = append(out, a.Name)
	}
	for _, b := range blocks {
		out = append(out, b.Name)
	}
	return out
}

func (r *remembered) unknown(d *decoding, values map[string]cty.Value, known []string) {
	for _, name := range source.Sorted(values) {
		if !slices.Contains(known, name) {
			d.problem(setting{}, true, "Unsupported argument",
				fmt.Sprintf("An argument named %s is not expected here.%s", strconv.Quote(name), source.DidYouMean(name, known)))
		}
	}
}

func (r *remembered) locate(ds diag.Diagnostics) diag.Diagnostics {
	out := make(diag.Diagnostics, len(ds))
	for i, d := range ds {
		if d.Address == "" {
			d.Address = string(r.kind) + "." + r.name
			if len(d.Path) > 0 {
				d.Address += "." + d.Path.String()
			}
		}
		d.Detail = source.NewSet(r.secrets).Clean(d.Detail)
		out[i] = d
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
