package plan

import (
	"slices"
	"time"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/registry"
)

// Excluded is the Reason of a change that --only or --except left out.
const Excluded = "excluded"

// Input is all that a plan is made of.
type Input struct {
	// ID is a ULID, by which the state knows whether the plan has been applied.
	ID          string
	Now         time.Time
	Operator    string
	Environment policy.Environment
	PolicyHash  string
	Apply       policy.Apply
	// Rules are the policy's repos, in its order.
	Rules []policy.Repo
	// Found is the point to go to; its choices are filled.
	Found point.Found
	// Repos are those the point was made from.
	Repos []point.Repo
	// Matches and MatchDiagnostics are Match's results.
	Matches          []Matched
	MatchDiagnostics diag.Diagnostics
	// PinDigest: the orchestrator takes repo:tag@digest.
	PinDigest bool
	// Only and Except name repos; at most one of them is used. All other repos are left as they are.
	Only, Except []string
	// AllowPartial leaves repos that could not be read as they are, with a warning.
	AllowPartial bool
	// AllowQuarantined goes to images known bad, with a warning.
	AllowQuarantined bool
	// Preflight is what was found of each of Images, by image. nil: nobody looked, nothing is judged.
	// An image that is not in it counts as one that could not be looked at.
	Preflight map[string]Check
	// ConfigDifferences are, by app, what differs in configuration between now and then; values are masked.
	ConfigDifferences map[string][]string
	// Warnings are what could not be found out beforehand.
	Warnings diag.Diagnostics
	// Revisions are, by app, the version whose whole configuration goes back as well.
	Revisions map[string]string
}

// Build makes the plan that takes an environment to a point (DESIGN.md section 2). Changes are in the policy's order
// of repos, then by app. The plan is never nil and says what it could find out even when there are errors; the
// diagnostics are also its Diagnostics. Guards are not among them: see CheckGuards.
func Build(in Input) (*Plan, diag.Diagnostics) {
	b := builder{Input: in, Plan: &Plan{
		FormatVersion: FormatVersion,
		ID:            in.ID,
		Timestamp:     in.Now.UTC(),
		Environment:   in.Environment.Name,
		Branch:        in.Environment.Branch,
		Scope:         in.Environment.Scope,
		To:            in.Found.Point.Date,
		Asked:         Asked{To: in.Found.Asked, Date: in.Found.Point.Date, Current: in.Found.Current, Skipped: in.Found.Skipped},
		Changes:       []Change{},
		Guards:        []GuardResult{},
		PolicyHash:    in.PolicyHash,
		Operator:      in.Operator,
	}}
	b.ds = append(b.ds, in.Warnings...)
	for _, note := range in.Found.Notes {
		b.warn("", "What runs is in doubt", "%s.", note)
	}
	b.selection()
	for _, rule := range in.Rules {
		b.repo(rule)
	}
	b.demands()
	b.ds = append(b.ds, Order(b.Plan, in.Rules, in.Apply.Strategy, in.Apply.MaxParallel)...)
	b.Diagnostics = append(diag.Diagnostics{}, b.ds...)
	b.conclude()
	return b.Plan, b.ds
}

// conclude derives summary, Errored and Applyable from changes and diagnostics.
func (p *Plan) conclude() {
	p.Summary = Summary{}
	for _, c := range p.Changes {
		switch c.Action {
		case Rollback:
			p.Summary.Rollback++
		case Forward:
			p.Summary.Forward++
		case None:
			p.Summary.None++
		case Keep:
			p.Summary.Keep++
		}
	}
	p.Errored = p.Diagnostics.HasErrors()
	p.Applyable = !p.Errored && !p.Empty()
}

// builder is the state of one Build.
type builder struct {
	Input
	*Plan
	ds diag.Diagnostics
	// pattern of the present repo; nil when it cannot be compiled.
	pattern *registry.Pattern
}

func (b *builder) fail(repo, summary, format string, args ...any) {
	b.say(repo, diag.Errorf(summary, format, args...))
}

func (b *builder) warn(repo, summary, format string, args ...any) {
	b.say(repo, diag.Warnf(summary, format, args...))
}

// failUnless is an error that a flag turns into a warning.
func (b *builder) failUnless(allowed bool, repo, summary, format string, args ...any) {
	if allowed {
		b.warn(repo, summary, format, args...)
		return
	}
	b.fail(repo, summary, format, args...)
}

func (b *builder) say(repo string, d diag.Diagnostic) {
	if repo != "" {
		d.Address = "repo." + repo
	}
	for _, told := range b.ds {
		if told.Severity == d.Severity && told.Address == d.Address && told.Summary == d.Summary && told.Detail == d.Detail {
			// The same image, of another app of the repo.
			return
		}
	}
	b.ds = append(b.ds, d)
}

// selection checks Only and Except.
func (b *builder) selection() {
	if len(b.Only) == 0 && len(b.Except) == 0 {
		return
	}
	if len(b.Only) > 0 && len(b.Except) > 0 {
		b.fail("", "Conflicting options", "--only and --except exclude each other: name the repos to change, or those to leave, not both.")
	}
	names := make([]string, len(b.Rules))
	for i, r := range b.Rules {
		names[i] = r.Name
	}
	for _, n := range slices.Concat(b.Only, b.Except) {
		if !slices.Contains(names, n) {
			b.fail("", "Unknown repo", "The policy has no repo %q.%s It has: %s.", clean(n), suggest(n, names), some(names))
		}
	}
	b.warn("", "Only a part of the environment goes back",
		"With --only or --except some repos stay as they are. What runs afterwards was never released together: "+
			"use it in exceptional situations, when the rest cannot or must not go back.")
}

func (b *builder) excluded(repo string) bool {
	return len(b.Only) > 0 && !slices.Contains(b.Only, repo) || slices.Contains(b.Except, repo)
}

// repo adds the changes of one repo.
func (b *builder) repo(rule policy.Repo) {
	b.pattern, _ = registry.CompilePattern(rule.Tag.Pattern)
	var targets []Target
	for _, m := range b.Matches {
		if m.Repo == rule.Name {
			targets = m.Targets
		}
	}
	if b.excluded(rule.Name) {
		for _, t := range targets {
			c := b.stay(rule.Name, t, Keep, Excluded, "left out by --only or --except")
			b.Changes = append(b.Changes, c)
		}
		return
	}
	b.matchProblems(rule.Name)
	choice, ok := b.Found.Point.Choice(rule.Name)
	if !ok {
		choice = point.Choice{Repo: rule.Name, Reason: point.UnknownReason, Words: "the repo was not looked at"}
	}
	if choice.Release == nil {
		b.noRelease(rule, choice)
		for _, t := range targets {
			b.Changes = append(b.Changes, b.stay(rule.Name, t, Keep, string(choice.Reason), choice.Words))
		}
		return
	}
	for _, t := range targets {
		b.Changes = append(b.Changes, b.change(rule, choice, t))
	}
}

// matchProblems takes over what Match said of a repo.
func (b *builder) matchProblems(repo string) {
	for _, d := range b.MatchDiagnostics {
		if d.Address == "repo."+repo {
			b.ds = append(b.ds, d)
		}
	}
}

// noRelease reports a repo that gets no release.
func (b *builder) noRelease(rule policy.Repo, c point.Choice) {
	switch c.Reason {
	case point.Kept:
	case point.Missing:
		b.failUnless(rule.GapFill.OnMissing == policy.MissingWarn, rule.Name, "No release to go back to",
			"%s gets nothing at %s: %s. Its apps stay as they are, which may not fit the rest.", rule.Name, b.To, c.Words)
	case point.Refused:
		b.fail(rule.Name, "Gap refused", "%s: %s. Choose another point, or change the repo's gap_fill.rule.", rule.Name, c.Words)
	default:
		b.failUnless(b.AllowPartial, rule.Name, "Repo could not be judged",
			"What %s would get at %s is unknown: %s. Its apps are left as they are only with --allow-partial.", rule.Name, b.To, clean(c.Words))
	}
}

// stay is a change that leaves the app as it is.
func (b *builder) stay(repo string, t Target, a Action, reason, words string) Change {
	from := b.from(repo, t)
	return Change{
		Repo: repo, App: t.App.ID, Container: t.Container, Action: a, Reason: reason, Words: words,
		From: from, To: from, Version: t.App.Version, Fingerprint: t.App.Fingerprint, Separate: t.App.Separate,
	}
}
