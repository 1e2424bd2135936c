package plan

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
)

// GuardInput is what guards are judged by.
type GuardInput struct {
	// Guards are the policy's, in its order.
	Guards []policy.Guard
	// Overrides are reasons by guard name (--override 'NAME=reason').
	Overrides map[string]string
	Now       time.Time
	Operator  policy.OperatorFacts
	// Last is the last operation on the environment that changed something; zero when there was none.
	Last policy.LastFacts
	// Preflight is that of Input; nil leaves the built-in guard way-back as the plan has it.
	Preflight map[string]Check
}

// CheckGuards judges the built-in guard way-back and the policy's guards, in this order. It replaces p.Guards and what an earlier
// call added to p.Diagnostics, and sets Errored and Applyable anew; so it may be called when planning and again
// before applying. It returns only its own diagnostics, whose Address is guard.NAME.
//
// Guards see what would change: plan.changes holds rollbacks and forwards, not apps that stay as they are.
func CheckGuards(p *Plan, in GuardInput) diag.Diagnostics {
	j := judge{GuardInput: in, facts: facts(p, in)}
	if in.Preflight != nil {
		j.add(wayBack(p, in.Preflight), nil)
	} else if i := slices.IndexFunc(p.Guards, func(g GuardResult) bool { return g.Name == WayBack }); i >= 0 {
		old := p.Guards[i]
		old.Overridden = ""
		j.add(old, nil)
	}
	for _, g := range in.Guards {
		passed, message, ds := g.Evaluate(j.facts)
		r := GuardResult{Name: g.Name, Severity: string(g.Severity), Passed: passed}
		if !passed {
			r.Message = message
		}
		j.guard(g, r, ds)
	}
	j.overrides()
	p.Guards = append([]GuardResult{}, j.results...)
	p.Diagnostics = slices.DeleteFunc(slices.Clone(p.Diagnostics), func(d diag.Diagnostic) bool {
		return strings.HasPrefix(d.Address, guardAddress)
	})
	p.Diagnostics = append(p.Diagnostics, j.ds...)
	if p.Diagnostics == nil {
		p.Diagnostics = diag.Diagnostics{}
	}
	p.conclude()
	return j.ds
}

// guardAddress begins the address of every diagnostic about a guard.
const guardAddress = "guard."

// judge is the state of one CheckGuards.
type judge struct {
	GuardInput
	facts   policy.Facts
	results []GuardResult
	ds      diag.Diagnostics
}

// guard adds one of the policy's guards, with what its evaluation said.
func (j *judge) guard(g policy.Guard, r GuardResult, ds diag.Diagnostics) {
	for _, d := range ds {
		d.Address = guardAddress + g.Name
		if g.Severity != policy.SeverityError && !r.Passed {
			// A guard that cannot be evaluated is a guard that does not hold: it weighs what it weighs.
			d.Severity = diag.Warning
		}
		j.ds = append(j.ds, d)
	}
	var at *diag.Range
	if g.Range.Filename != "" {
		at = &g.Range
	}
	j.add(r, at)
}

// add records a result and says what it means.
func (j *judge) add(r GuardResult, at *diag.Range) {
	reason, overridden := j.Overrides[r.Name]
	message := or(r.Message, "The condition does not hold.")
	var d diag.Diagnostic
	switch {
	case r.Passed:
		j.results = append(j.results, r)
		return
	case policy.Severity(r.Severity) == policy.SeverityWarning:
		d = diag.Warnf("Guard does not hold", "%s: %s", r.Name, clean(message))
	case policy.Severity(r.Severity) == policy.SeverityOverridable && overridden && strings.TrimSpace(reason) != "":
		r.Overridden = reason
		d = diag.Warnf("Guard overridden", "%s: %s Overridden: %s", r.Name, clean(message), clean(reason))
	case policy.Severity(r.Severity) == policy.SeverityOverridable:
		d = diag.Errorf("Guard does not hold", "%s: %s If it has to be, give a reason: --override '%s=REASON'", r.Name, clean(message), r.Name)
	default:
		d = diag.Errorf("Guard does not hold", "%s: %s", r.Name, clean(message))
	}
	d.Address, d.Range = guardAddress+r.Name, at
	j.results = append(j.results, r)
	j.ds = append(j.ds, d)
}

// overrides reports those that could not be used. One that was not needed does no harm.
func (j *judge) overrides() {
	names := []string{WayBack}
	severity := map[string]policy.Severity{WayBack: policy.SeverityOverridable}
	for _, g := range j.Guards {
		names = append(names, g.Name)
		severity[g.Name] = g.Severity
	}
	for _, name := range slices.Sorted(maps.Keys(j.Overrides)) {
		var d diag.Diagnostic
		switch s, known := severity[name]; {
		case !known:
			d = diag.Errorf("Unknown guard", "There is no guard %q to override.%s", clean(name), suggest(name, names))
		case s == policy.SeverityError:
			d = diag.Errorf("Guard cannot be overridden", "The severity of %s is error, not overridable.", name)
		case strings.TrimSpace(j.Overrides[name]) == "":
			d = diag.Errorf("Override without a reason", "Say why %s is overridden: --override '%s=REASON'", name, name)
		default:
			continue
		}
		d.Address = guardAddress + clean(name)
		j.ds = append(j.ds, d)
	}
}

// facts is the plan as guards see it.
func facts(p *Plan, in GuardInput) policy.Facts {
	f := policy.Facts{Now: in.Now, Operator: in.Operator, Last: in.Last, Plan: policy.PlanFacts{
		Environment: p.Environment, To: p.To, Changes: []policy.ChangeFacts{},
		Summary: map[string]int{
			string(Rollback): p.Summary.Rollback, string(Forward): p.Summary.Forward,
			string(None): p.Summary.None, string(Keep): p.Summary.Keep,
		},
	}}
	for _, c := range p.Changes {
		if c.changes() {
			f.Plan.Changes = append(f.Plan.Changes, policy.ChangeFacts{
				Repo: c.Repo, App: c.App, Action: string(c.Action), Reason: c.Reason, From: imageFacts(c.From), To: imageFacts(c.To),
			})
		}
	}
	return f
}

func imageFacts(im Image) policy.ImageFacts {
	f := policy.ImageFacts{Image: im.Image, Tag: im.Tag, Digest: im.Digest, Build: im.Build, Labels: im.Labels}
	if f.Labels == nil {
		f.Labels = map[string]string{}
	}
	if im.Created != nil {
		f.Created = im.Created.UTC().Format(time.RFC3339)
	}
	return f
}
