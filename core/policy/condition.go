package policy

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/core/policy/function"
	"github.com/rollback-project/rollback/core/policy/scope"
	"github.com/rollback-project/rollback/core/policy/source"
	"github.com/rollback-project/rollback/sdk/diag"
)

// reservedGuards are built in, and no policy can have its own of that name.
var reservedGuards = map[string]string{
	"way-back": "it fires when an image that is running now could not be put back",
}

// guard reads a block guard and tries it out on plans whose values are not known.
func (l *loader) guard(b *block) {
	l.guardLabel(b)
	g := Guard{Name: b.Labels[0], Severity: SeverityError, Range: source.Range(b.DefRange)}
	a := l.open(b.Body, []string{"condition", "error_message", "severity"}, nil)
	oneOf(a, "severity", &g.Severity, SeverityError, SeverityOverridable, SeverityWarning)
	complete := a.require("condition", b.DefRange)
	if !a.require("error_message", b.DefRange) || !complete {
		return
	}
	c := &expression{loader: l, condition: a.list["condition"], message: a.list["error_message"]}
	g.condition = c
	l.diags = append(l.diags, c.check()...)
	l.policy.Guards = append(l.policy.Guards, g)
}

func (l *loader) guardLabel(b *block) {
	name := b.Labels[0]
	if why, ok := reservedGuards[name]; ok {
		l.problem(b.LabelRanges[0], "Reserved name", fmt.Sprintf("The guard %q is built in: %s. Choose another name.", name, why))
	}
	if !guardName(name) {
		l.problem(b.LabelRanges[0], "Invalid name", fmt.Sprintf(
			"%q cannot be the name of a guard: it stands in --override 'NAME=reason', so it must not be empty, begin or end"+
				" with a blank, or contain = or control characters.", name))
	}
}

func guardName(name string) bool {
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == '=' {
			return false
		}
	}
	return name != "" && name[0] != ' ' && name[len(name)-1] != ' '
}

// expression is a guard in a file.
type expression struct {
	loader    *loader
	condition *hcl.Attribute
	message   *hcl.Attribute
}

func (e *expression) evaluate(f Facts) (bool, string, diag.Diagnostics) {
	now := f.Now.UTC()
	ctx := e.loader.scope.With(roots(f), function.Guards(&now))
	result, diags := e.loader.scope.Evaluate(e.condition.Expr, ctx)
	passed := false
	if !diags.HasErrors() {
		var problem string
		passed, problem = scope.Verdict(result)
		if problem == "" && !result.IsWhollyKnown() {
			problem = "The result of the condition cannot be known."
		}
		if problem != "" {
			diags = append(diags, e.unsuitable(problem, ctx))
		}
	}
	if passed {
		return true, "", e.convert(diags)
	}
	message, more := scope.Message(e.loader.scope, e.message, ctx)
	diags = append(diags, more...)
	return false, e.loader.secrets.Redact(message), e.convert(diags)
}

func (e *expression) unsuitable(problem string, ctx *hcl.EvalContext) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Unsuitable result of a guard", Detail: problem,
		Subject: e.condition.Expr.Range().Ptr(), Expression: e.condition.Expr, EvalContext: ctx,
	}
}

func (e *expression) convert(diags hcl.Diagnostics) diag.Diagnostics {
	return e.loader.sources.Diagnostics(diags)
}

// manyChanges is more than a guard would pick out of a plan by number.
const manyChanges = 64

// check tries condition and message on plans with nothing known but their shape: names that do not exist, wrong types
// and calls that cannot work come to light without a plan. One plan has many changes and one has a single one; only
// what is wrong with both is wrong.
func (e *expression) check() hcl.Diagnostics {
	few, many := e.try(1), e.try(manyChanges)
	var diags hcl.Diagnostics
	for _, d := range many {
		if contains(few, d) && !contains(diags, d) {
			diags = append(diags, d)
		}
	}
	return diags
}

// contains compares diagnostics by place and kind; details may count elements.
func contains(list hcl.Diagnostics, d *hcl.Diagnostic) bool {
	for _, have := range list {
		if have.Summary == d.Summary && *have.Subject == *d.Subject {
			return true
		}
	}
	return false
}

func (e *expression) try(changes int) hcl.Diagnostics {
	var noTime *time.Time
	ctx := e.loader.scope.With(unknownRoots(changes), function.Guards(noTime))
	result, diags := e.loader.scope.Evaluate(e.condition.Expr, ctx)
	_, more := scope.Message(e.loader.scope, e.message, ctx)
	explain(more)
	if !diags.HasErrors() {
		if _, problem := scope.Verdict(result); problem != "" {
			more = append(more, e.unsuitable(problem, ctx))
		}
	}
	explain(diags)
	return append(diags, more...)
}

// explain says more about the names of guards than hcl can.
func explain(diags hcl.Diagnostics) {
	for _, d := range diags {
		for _, traversal := range references(d) {
			if traversal.RootName() == "change" && d.Subject != nil && *d.Subject == traversal[0].SourceRange() {
				d.Detail = `"change" is only there inside a for-expression that names it: ` +
					`[for change in plan.changes : change.app if …].`
			}
		}
		hint(d)
	}
}

func references(d *hcl.Diagnostic) []hcl.Traversal {
	if d.Expression == nil {
		return nil
	}
	return d.Expression.Variables()
}

// hint suggests an attribute that the facts do have.
func hint(d *hcl.Diagnostic) {
	if d.Subject == nil || d.Expression == nil || d.EvalContext == nil {
		return
	}
	for _, traversal := range references(d) {
		for n := 1; n < len(traversal); n++ {
			step, ok := traversal[n].(hcl.TraverseAttr)
			if !ok || !step.SrcRange.Overlaps(*d.Subject) {
				continue
			}
			parent, diags := traversal[:n].TraverseAbs(d.EvalContext)
			if diags.HasErrors() || !parent.Type().IsObjectType() || parent.Type().HasAttribute(step.Name) {
				continue
			}
			known := source.Sorted(parent.Type().AttributeTypes())
			d.Detail = fmt.Sprintf("There is no attribute %q here. It must be %s.%s", step.Name, source.OneOf(known),
				source.DidYouMean(step.Name, known))
			return
		}
	}
}

// roots are the variables of a guard.
func roots(f Facts) map[string]cty.Value {
	changes := make([]cty.Value, 0, len(f.Plan.Changes))
	for _, c := range f.Plan.Changes {
		changes = append(changes, cty.ObjectVal(map[string]cty.Value{
			"repo":   cty.StringVal(c.Repo),
			"app":    cty.StringVal(c.App),
			"action": cty.StringVal(c.Action),
			"reason": cty.StringVal(c.Reason),
			"from":   image(c.From),
			"to":     image(c.To),
		}))
	}
	summary := map[string]cty.Value{}
	for _, action := range actions {
		summary[action] = cty.NumberIntVal(int64(f.Plan.Summary[action]))
	}
	list := cty.ListValEmpty(changeType)
	if len(changes) > 0 {
		list = cty.ListVal(changes)
	}
	return map[string]cty.Value{
		"plan": cty.ObjectVal(map[string]cty.Value{
			"environment": cty.StringVal(f.Plan.Environment),
			"to":          cty.StringVal(f.Plan.To),
			"changes":     list,
			"summary":     cty.ObjectVal(summary),
		}),
		"now": cty.StringVal(f.Now.UTC().Format(time.RFC3339)),
		"operator": cty.ObjectVal(map[string]cty.Value{
			"user":        cty.StringVal(f.Operator.User),
			"approved_by": cty.StringVal(f.Operator.ApprovedBy),
		}),
		"last": last(f.Last),
	}
}

func last(l LastFacts) cty.Value {
	at := ""
	if !l.At.IsZero() {
		at = l.At.UTC().Format(time.RFC3339)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"operation": cty.StringVal(l.Operation),
		"at":        cty.StringVal(at),
		"outcome":   cty.StringVal(l.Outcome),
		"to":        cty.StringVal(l.To),
		"operator":  cty.StringVal(l.Operator),
	})
}

// actions are the keys of plan.summary.
var actions = []string{"rollback", "forward", "none", "keep"}

func image(i ImageFacts) cty.Value {
	labels := make(map[string]cty.Value, len(i.Labels))
	for name, value := range i.Labels {
		labels[name] = cty.StringVal(value)
	}
	all := cty.MapValEmpty(cty.String)
	if len(labels) > 0 {
		all = cty.MapVal(labels)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"image":   cty.StringVal(i.Image),
		"tag":     cty.StringVal(i.Tag),
		"digest":  cty.StringVal(i.Digest),
		"created": cty.StringVal(i.Created),
		"build":   cty.StringVal(i.Build),
		"labels":  all,
	})
}

var (
	imageType = cty.Object(map[string]cty.Type{
		"image": cty.String, "tag": cty.String, "digest": cty.String, "created": cty.String, "build": cty.String,
		"labels": cty.Map(cty.String),
	})
	changeType = cty.Object(map[string]cty.Type{
		"repo": cty.String, "app": cty.String, "action": cty.String, "reason": cty.String,
		"from": imageType, "to": imageType,
	})
)

// unknownRoots are the variables of a guard when there is no plan yet.
func unknownRoots(changes int) map[string]cty.Value {
	text := cty.UnknownVal(cty.String).RefineNotNull()
	images := cty.ObjectVal(map[string]cty.Value{
		"image": text, "tag": text, "digest": text, "created": text, "build": text,
		"labels": cty.UnknownVal(cty.Map(cty.String)).RefineNotNull(),
	})
	change := cty.ObjectVal(map[string]cty.Value{
		"repo": text, "app": text, "action": text, "reason": text, "from": images, "to": images,
	})
	list := make([]cty.Value, changes)
	for i := range list {
		list[i] = change
	}
	summary := map[string]cty.Value{}
	for _, action := range actions {
		summary[action] = cty.UnknownVal(cty.Number).RefineNotNull()
	}
	return map[string]cty.Value{
		"plan": cty.ObjectVal(map[string]cty.Value{
			"environment": text, "to": text, "changes": cty.ListVal(list), "summary": cty.ObjectVal(summary),
		}),
		"now":      text,
		"operator": cty.ObjectVal(map[string]cty.Value{"user": text, "approved_by": text}),
		"last": cty.ObjectVal(map[string]cty.Value{
			"operation": text, "at": text, "outcome": text, "to": text, "operator": text,
		}),
	}
}
