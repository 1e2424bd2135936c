package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/core/policy/source"
)

// check looks at what blocks say about each other.
func (l *loader) check() {
	l.checkDefaultEnvironment()
	l.checkEnvironments()
	l.checkCycles()
}

func (l *loader) checkDefaultEnvironment() {
	p := l.policy
	name := p.Settings.Environment
	if name == "" || len(p.FindEnvironments(name)) > 0 {
		return
	}
	a := attributes{l: l}
	if b := l.only("rollback"); b != nil {
		content, _, _ := b.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "environment"}}})
		a.list = content.Attributes
	}
	r, ok := a.read("environment", cty.String)
	if !ok {
		return
	}
	if len(p.Environments) == 0 {
		r.problem(r.at(), "Unknown environment", fmt.Sprintf(
			"The policy has no environments. Add one with: environment %q { scope = … }", name))
		return
	}
	names := p.environmentNames()
	r.problem(r.at(), "Unknown environment", fmt.Sprintf("There is no environment %q.%s It must be %s.",
		name, source.DidYouMean(name, names), source.OneOf(names)))
}

func (p *Policy) environmentNames() []string {
	var names []string
	for _, e := range p.Environments {
		names = append(names, e.Name)
	}
	return names
}

// FindEnvironments returns the environments that --env may mean: the one of that name, or else those of that branch
// (the article names the environment by its branch). More than one is for the caller to refuse.
func (p *Policy) FindEnvironments(nameOrBranch string) []Environment {
	var byBranch []Environment
	for _, e := range p.Environments {
		if e.Name == nameOrBranch {
			return []Environment{e}
		}
		if e.Branch == nameOrBranch {
			byBranch = append(byBranch, e)
		}
	}
	return byBranch
}

// checkEnvironments looks for environments that would change each other's apps.
func (l *loader) checkEnvironments() {
	all := l.policy.Environments
	for i, later := range all {
		at := l.blocks["environment"][i].DefRange
		for _, e := range all[:i] {
			if e.Name == later.Name {
				continue // This has been reported.
			}
			a, b := trimScope(e.Scope), trimScope(later.Scope)
			switch {
			case a == b && a != "":
				l.problem(at, "Duplicate scope", fmt.Sprintf(
					"The environments %q (%s) and %q have the same scope %q: a rollback of one would change the other.",
					e.Name, e.Range, later.Name, later.Scope))
			case a != "" && strings.HasPrefix(b, a+"/"), b != "" && strings.HasPrefix(a, b+"/"):
				l.warn(at, "Overlapping scopes", fmt.Sprintf(
					"The scope %q of environment %q (%s) and the scope %q of environment %q contain one another: a rollback of"+
						" the outer one would change apps of the inner one.", e.Scope, e.Name, e.Range, later.Scope, later.Name))
			}
			if e.Branch == later.Name && later.Branch != later.Name || later.Branch == e.Name && e.Branch != e.Name {
				l.warn(at, "Ambiguous environment name", fmt.Sprintf(
					"One of the environments %q and %q has the other's name as its branch. Where an environment is asked for,"+
						" the name wins.", e.Name, later.Name))
			}
		}
	}
}

func trimScope(scope string) string {
	if scope == "" {
		return ""
	}
	return "/" + strings.Trim(scope, "/")
}

// checkCycles reports repos that depend on each other, each cycle once, at the block of its first repo.
func (l *loader) checkCycles() {
	repos := map[string]Repo{}
	for _, r := range l.policy.Repos {
		if _, ok := repos[r.Name]; !ok {
			repos[r.Name] = r
		}
	}
	const (
		untouched = iota
		underWay
		done
	)
	state := map[string]int{}
	var path []string
	var visit func(name string)
	visit = func(name string) {
		switch state[name] {
		case done:
			return
		case underWay:
			l.cycle(path[slices.Index(path, name):])
			return
		}
		state[name] = underWay
		path = append(path, name)
		for _, next := range repos[name].DependsOn {
			visit(next)
		}
		path = path[:len(path)-1]
		state[name] = done
	}
	for _, r := range l.policy.Repos {
		visit(r.Name)
	}
}

func (l *loader) cycle(names []string) {
	shown := strings.Join(append(slices.Clone(names), names[0]), " → ")
	for _, b := range l.blocks["repo"] {
		if b.Labels[0] == names[0] {
			l.problem(b.DefRange, "Cycle in depends_on", fmt.Sprintf(
				"These repos wait for each other, so that none can go back first: %s.", shown))
			return
		}
	}
}
