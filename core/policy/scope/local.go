package scope

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// resolver gives locals their values in the order in which they need each other.
type resolver struct {
	scope *Scope
	exprs map[string]hcl.Expression
	names []string
	// path are the locals under way, outermost first.
	path  []string
	diags hcl.Diagnostics
}

// Locals evaluates locals. names fixes the order in which problems are found.
func (s *Scope) Locals(names []string, exprs map[string]hcl.Expression) hcl.Diagnostics {
	r := &resolver{scope: s, exprs: exprs, names: names}
	s.locals = make(map[string]cty.Value, len(names))
	for _, name := range names {
		// The name exists, whatever comes of its value.
		s.locals[name] = cty.DynamicVal
	}
	done := map[string]bool{}
	for _, name := range names {
		r.resolve(name, done)
	}
	return r.diags
}

func (r *resolver) resolve(name string, done map[string]bool) {
	for i, under := range r.path {
		if under == name {
			r.cycle(r.path[i:])
			return
		}
	}
	if done[name] {
		return
	}
	r.path = append(r.path, name)
	expr := r.exprs[name]
	for _, traversal := range expr.Variables() {
		if traversal.RootName() != "local" {
			continue
		}
		if needed, _, ok := member(traversal); ok && r.exprs[needed] != nil {
			r.resolve(needed, done)
		}
	}
	r.path = r.path[:len(r.path)-1]
	if done[name] {
		return // It is part of a cycle.
	}
	done[name] = true
	v, diags := r.scope.Evaluate(expr, r.scope.Context())
	r.diags = append(r.diags, diags...)
	if diags.HasErrors() {
		r.scope.failed = true
		v = cty.DynamicVal
	}
	r.scope.locals[name] = v
}

// cycle reports locals that need each other, once, at the first of them.
func (r *resolver) cycle(names []string) {
	shown := make([]string, 0, len(names)+1)
	for _, name := range append(names[:len(names):len(names)], names[0]) {
		shown = append(shown, "local."+name)
	}
	r.scope.failed = true
	r.diags = append(r.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Cycle in locals",
		Detail:   "These locals need each other, so that none can be known first: " + strings.Join(shown, " → ") + ".",
		Subject:  r.exprs[names[0]].Range().Ptr(),
	})
}
