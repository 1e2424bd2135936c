package policy

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/rollback-project/rollback/core/policy/function"
	"github.com/rollback-project/rollback/core/policy/scope"
	"github.com/rollback-project/rollback/core/policy/source"
)

// variablePrefix marks environment variables that set variables of the policy.
const variablePrefix = "ROLLBACK_VAR_"

// resolveNames gives variables and locals their values.
func (l *loader) resolveNames() {
	declared := l.declarations()
	var names []string
	for _, d := range declared {
		names = append(names, d[0].Name)
	}
	given := l.given(names)
	functions := function.Table(l.host())
	var diags hcl.Diagnostics
	l.scope, l.values, diags = scope.New(declared, given, functions, l.secrets)
	l.diags = append(l.diags, diags...)
	l.locals()
}

// declarations groups the variable blocks by name. A file that includes another may lay a block of its own over one
// of the included file: ready-made policies are set up that way.
func (l *loader) declarations() [][]scope.Declaration {
	type declaration struct {
		scope.Declaration
		file *policyFile
	}
	var order []string
	byName := map[string][]declaration{}
	for _, b := range l.blocks["variable"] {
		name := b.Labels[0]
		content, diags := b.Body.Content(scope.Schema)
		l.diags = append(l.diags, diags...)
		if !hclsyntax.ValidIdentifier(name) {
			l.problem(b.LabelRanges[0], "Invalid variable name", fmt.Sprintf(
				"%q is no identifier: only letters, digits, - and _ may be used, and the first is a letter.", name))
			continue
		}
		d := declaration{scope.Declaration{Name: name, Content: content, Range: b.DefRange}, b.file}
		for _, other := range byName[name] {
			if other.file.depth == d.file.depth {
				l.problem(b.DefRange, "Duplicate name", fmt.Sprintf("There is a variable %q already at %s.", name, place(other.Range)))
			}
		}
		if byName[name] == nil {
			order = append(order, name)
		}
		byName[name] = append(byName[name], d)
	}
	var out [][]scope.Declaration
	for _, name := range order {
		all := byName[name]
		slices.SortStableFunc(all, func(a, b declaration) int { return cmp.Compare(b.file.depth, a.file.depth) })
		var plain []scope.Declaration
		for _, d := range all {
			plain = append(plain, d.Declaration)
		}
		out = append(out, plain)
	}
	return out
}

// given gathers values from outside; the command line wins, the environment comes last.
func (l *loader) given(known []string) map[string]scope.Given {
	given := map[string]scope.Given{}
	for _, name := range known {
		if text, ok := l.environ[variablePrefix+name]; ok {
			given[name] = scope.Given{Text: &text, From: "the environment variable " + variablePrefix + name}
		}
	}
	for _, file := range l.opts.VarFiles {
		l.valuesFile(file, known, given)
	}
	for _, assignment := range l.opts.Vars {
		name, text, ok := strings.Cut(assignment, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			// The text is not repeated: it may be a password whose name was forgotten.
			l.placeless("Invalid --var option", "A value is given as --var 'name=value': a variable's name, =, and its value.")
			continue
		}
		g := scope.Given{Text: &text, From: "--var"}
		if !slices.Contains(known, name) {
			l.diags = append(l.diags, scope.Undeclared(name, g, known))
			continue
		}
		given[name] = g
	}
	return given
}

func (l *loader) valuesFile(name string, known []string, given map[string]scope.Given) {
	src, err := l.readFile(l.path(name))
	if err != nil {
		l.placeless("Cannot read a file of values", fmt.Sprintf("Read %s, given with --var-file: %s.", name, reason(err)))
		return
	}
	file, diags := l.sources.ParseValues(name, src)
	if !diags.HasErrors() {
		var attrs hcl.Attributes
		attrs, diags = file.Body.JustAttributes()
		for _, attr := range inOrder(attrs) {
			v, more := attr.Expr.Value(nil)
			diags = append(diags, withoutExpression(more)...)
			g := scope.Given{Value: v, From: filepath.Base(name), Range: attr.NameRange.Ptr()}
			switch {
			case more.HasErrors():
			case !slices.Contains(known, attr.Name):
				diags = append(diags, scope.Undeclared(attr.Name, g, known))
			default:
				given[attr.Name] = g
			}
		}
	}
	l.diags = append(l.diags, diags...)
}

// withoutExpression keeps diagnostics from quoting values.
func withoutExpression(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		d.Expression, d.EvalContext = nil, nil
	}
	return diags
}

// inOrder are attributes in the order in which they were written.
func inOrder(attrs hcl.Attributes) []*hcl.Attribute {
	list := make([]*hcl.Attribute, 0, len(attrs))
	for _, attr := range attrs {
		list = append(list, attr)
	}
	slices.SortFunc(list, func(a, b *hcl.Attribute) int { return a.Range.Start.Byte - b.Range.Start.Byte })
	return list
}

// locals gathers the blocks locals and evaluates them.
func (l *loader) locals() {
	var names []string
	exprs := map[string]hcl.Expression{}
	for _, b := range l.blocks["locals"] {
		attrs, diags := b.Body.JustAttributes()
		l.diags = append(l.diags, diags...)
		for _, attr := range inOrder(attrs) {
			if first := exprs[attr.Name]; first != nil {
				l.problem(attr.NameRange, "Duplicate name", fmt.Sprintf("There is a local %q already at %s.",
					attr.Name, place(first.Range())))
				continue
			}
			names = append(names, attr.Name)
			exprs[attr.Name] = attr.Expr
		}
	}
	l.diags = append(l.diags, l.scope.Locals(names, exprs)...)
}

// nearest is a sentence that suggests one of the allowed words, and lists them.
func nearest(given string, allowed []string) string {
	return fmt.Sprintf("It must be %s.%s", source.OneOf(allowed), source.DidYouMean(given, allowed))
}
