package plan

import (
	"slices"
	"strings"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
)

// Order gives every change that changes something its wave (DESIGN.md section 3, apply.strategy): one for all,
// or, with waves, each repo after all repos that it depends on, also by way of repos that do not change.
// An app whose containers belong to several repos changes once, so those repos share a wave.
// Repos that depend on each other in a circle are an error at their block, and share a wave as well.
// With maxParallel, a wave of more apps is several, one after the other. Waves count from 1 without gaps.
func Order(p *Plan, rules []policy.Repo, strategy policy.Strategy, maxParallel int) diag.Diagnostics {
	if strategy != policy.Waves {
		for i := range p.Changes {
			p.Changes[i].Wave = 0
			if p.Changes[i].changes() {
				p.Changes[i].Wave = 1
			}
		}
		return nil
	}
	g := newGraph(rules)
	ds := g.circles(rules)
	repoOf := map[string]string{}
	for _, c := range p.Changes {
		if !c.changes() {
			continue
		}
		if other, ok := repoOf[c.App]; ok && other != c.Repo {
			g.join(c.Repo, other)
		}
		repoOf[c.App] = c.Repo
	}
	depth := g.depths()
	var used []int
	for _, c := range p.Changes {
		if c.changes() && !slices.Contains(used, depth[c.Repo]) {
			used = append(used, depth[c.Repo])
		}
	}
	slices.Sort(used)
	for i := range p.Changes {
		c := &p.Changes[i]
		c.Wave = 0
		if c.changes() {
			c.Wave = 1 + slices.Index(used, depth[c.Repo])
		}
	}
	if maxParallel > 0 {
		p.divide(maxParallel)
	}
	return ds
}

// divide makes several waves of each that has more apps than most.
func (p *Plan) divide(most int) {
	before := 0
	waves := map[string]int{}
	for n := 1; n <= len(p.Waves()); n++ {
		apps := 0
		for _, c := range p.Changes {
			if _, placed := waves[c.App]; c.Wave == n && !placed {
				waves[c.App] = before + 1 + apps/most
				apps++
			}
		}
		before += (apps + most - 1) / most
	}
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Wave > 0 {
			c.Wave = waves[c.App]
		}
	}
}

// graph says which repo goes back after which.
type graph struct {
	names []string
	after map[string][]string
}

func newGraph(rules []policy.Repo) *graph {
	g := &graph{after: map[string][]string{}}
	for _, r := range rules {
		g.names = append(g.names, r.Name)
	}
	for _, r := range rules {
		for _, d := range r.DependsOn {
			if slices.Contains(g.names, d) {
				g.after[r.Name] = append(g.after[r.Name], d)
			}
		}
	}
	return g
}

// join makes two repos one for the purpose of order.
func (g *graph) join(a, b string) {
	for _, n := range []string{a, b} {
		if !slices.Contains(g.names, n) {
			g.names = append(g.names, n)
		}
	}
	g.after[a] = append(g.after[a], b)
	g.after[b] = append(g.after[b], a)
}

// reach returns everything that from goes after, from itself only if it is part of a circle.
func (g *graph) reach(from string) map[string]bool {
	seen := map[string]bool{}
	todo := slices.Clone(g.after[from])
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[n] {
			seen[n] = true
			todo = append(todo, g.after[n]...)
		}
	}
	return seen
}

// circles reports each circle once, at the first of its repos in the policy's order.
func (g *graph) circles(rules []policy.Repo) diag.Diagnostics {
	var ds diag.Diagnostics
	told := map[string]bool{}
	for _, r := range rules {
		mine := g.reach(r.Name)
		if told[r.Name] || !mine[r.Name] {
			continue
		}
		var circle []string
		for _, n := range g.names {
			if mine[n] && g.reach(n)[r.Name] {
				circle = append(circle, n)
				told[n] = true
			}
		}
		d := diag.Errorf("Circular dependency", "These repos depend on each other, so none of them can go back first: %s.", strings.Join(circle, ", "))
		d.Address = "repo." + r.Name
		if r.Range.Filename != "" {
			rng := r.Range
			d.Range = &rng
		}
		ds = append(ds, d)
	}
	return ds
}

// depths returns for each repo how many repos, one after the other, go back before it.
// Repos that reach each other count as one.
func (g *graph) depths() map[string]int {
	reach := map[string]map[string]bool{}
	for _, n := range g.names {
		reach[n] = g.reach(n)
	}
	depth := map[string]int{}
	// Depths only grow, and circles count as one, so this comes to an end.
	for again := true; again; {
		again = false
		for _, n := range g.names {
			for d := range reach[n] {
				least := depth[d]
				if !reach[d][n] {
					least++
				}
				if depth[n] < least {
					depth[n], again = least, true
				}
			}
		}
	}
	return depth
}

// changes reports whether the app is deployed.
func (c *Change) changes() bool { return c.Action == Rollback || c.Action == Forward }
