package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
)

// after makes rules of "repo: those that go before".
func after(lines ...string) []policy.Repo {
	var out []policy.Repo
	for _, l := range lines {
		name, deps, _ := strings.Cut(l, ":")
		out = append(out, policy.Repo{Name: name, DependsOn: strings.Fields(deps), Range: diag.Range{Filename: "policy.hcl"}})
	}
	return out
}

// deploys makes a plan that changes "repo" or "repo app"; a repo after a dash stays as it is.
func deploys(lines ...string) *plan.Plan {
	p := &plan.Plan{}
	for _, l := range lines {
		action := plan.Rollback
		if strings.HasPrefix(l, "-") {
			action, l = plan.None, l[1:]
		}
		repo, app, ok := strings.Cut(l, " ")
		if !ok {
			app = "/" + repo
		}
		p.Changes = append(p.Changes, plan.Change{Repo: repo, App: app, Action: action, Wave: 77})
	}
	return p
}

func waves(p *plan.Plan) string {
	var out []string
	for _, c := range p.Changes {
		out = append(out, fmt.Sprintf("%s%d", c.Repo, c.Wave))
	}
	return strings.Join(out, " ")
}

func TestOrder(t *testing.T) {
	tests := []struct {
		name     string
		strategy policy.Strategy
		rules    []policy.Repo
		plan     *plan.Plan
		want     string
		fails    []string
	}{
		{"together is one wave", policy.Together, after("a", "b: a"), deploys("b", "a", "-c"), "b1 a1 c0", nil},
		{"no strategy as well", "", after("a", "b: a"), deploys("b", "a"), "b1 a1", nil},
		{"waves by dependency", policy.Waves, after("a", "b: a", "c: b", "d: a"), deploys("a", "b", "c", "d"), "a1 b2 c3 d2", nil},
		{"by way of a repo that does not change, without a gap", policy.Waves, after("a", "b: a", "c: b"), deploys("c", "-b", "a"), "c2 b0 a1", nil},
		{"by way of a repo that has no app", policy.Waves, after("a", "b: a", "c: b"), deploys("c", "a"), "c2 a1", nil},
		{"nothing depends on what stays", policy.Waves, after("a", "b: a"), deploys("b", "-a"), "b1 a0", nil},
		{"unknown names are the policy's affair", policy.Waves, after("a: zz", "b: a"), deploys("a", "b"), "a1 b2", nil},
		{"a diamond", policy.Waves, after("top: l r", "l: base", "r: l base", "base"), deploys("top", "l", "r", "base"), "top4 l2 r3 base1", nil},
		{"a circle is an error and one wave", policy.Waves, after("a: c", "b: a", "c: b", "d: c", "e"), deploys("a", "b", "c", "d", "e"), "a1 b1 c1 d2 e1", []string{"error repo.a: Circular dependency: These repos depend on each other, so none of them can go back first: a, b, c."}},
		{"so is a repo that depends on itself", policy.Waves, after("a: a", "b: a"), deploys("a", "b"), "a1 b2", []string{"first: a."}},
		{"two circles are two errors", policy.Waves, after("a: b", "b: a", "c: d a", "d: c"), deploys("d", "c", "b", "a"), "d2 c2 b1 a1", []string{"first: a, b.", "first: c, d."}},
		{"an app of two repos changes once", policy.Waves, after("a", "b: a", "c: b"), deploys("a /pod", "b /pod", "c"), "a1 b1 c2", nil},
		{"with everything between them", policy.Waves, after("a", "b: a", "c: b"), deploys("a /pod", "b", "c /pod"), "a1 b1 c1", nil},
		{"an app of a repo that no rule names", policy.Waves, after("a", "b: a"), deploys("x /pod", "b /pod", "a"), "x2 b2 a1", nil},
		{"nothing", policy.Waves, nil, deploys(), "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ds := plan.Order(tt.plan, tt.rules, tt.strategy, 0)
			contains(t, ds, tt.fails...)
			if diff := cmp.Diff(tt.want, waves(tt.plan)); diff != "" {
				t.Error(diff)
			}
			for _, d := range ds {
				if d.Range == nil {
					t.Errorf("%s has no place", d.Detail)
				}
			}
		})
	}
}

func TestMaxParallelDividesWavesByApps(t *testing.T) {
	tests := []struct {
		name string
		most int
		plan *plan.Plan
		want string
	}{
		{"more apps than may change at once", 2, deploys("a /1", "a /2", "a /3", "b /4"), "a1 a1 a2 b3"},
		{"as many as may", 3, deploys("a /1", "a /2", "a /3", "b /4"), "a1 a1 a1 b2"},
		{"one after the other", 1, deploys("a /1", "a /2", "-a /x", "b /4"), "a1 a2 a0 b3"},
		{"an app with two containers is one app", 1, deploys("a /1", "a /1", "a /2", "b /4"), "a1 a1 a2 b3"},
		{"nothing", 1, deploys("-a /1"), "a0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan.Order(tt.plan, after("a", "b: a"), policy.Waves, tt.most)
			if diff := cmp.Diff(tt.want, waves(tt.plan)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOrderKeepsEveryDependencyAndLeavesNoGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 9).Draw(t, "repos")
		circular := rapid.Bool().Draw(t, "circles")
		var rules []policy.Repo
		p := &plan.Plan{}
		for i := range n {
			r := policy.Repo{Name: fmt.Sprint(i)}
			for j := range n {
				if (j < i || circular) && rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
					r.DependsOn = append(r.DependsOn, fmt.Sprint(j))
				}
			}
			rules = append(rules, r)
			action := rapid.SampledFrom([]plan.Action{plan.Rollback, plan.Forward, plan.None, plan.Keep}).Draw(t, "action")
			p.Changes = append(p.Changes, plan.Change{Repo: r.Name, App: "/" + r.Name, Action: action})
		}
		ds := plan.Order(p, rules, policy.Waves, 0)
		if ds.HasErrors() && !circular {
			t.Fatal(texts(ds))
		}
		reach := map[[2]int]bool{}
		for i, r := range rules {
			for _, d := range r.DependsOn {
				reach[[2]int{i, int(d[0] - '0')}] = true
			}
		}
		for k := range n {
			for i := range n {
				for j := range n {
					reach[[2]int{i, j}] = reach[[2]int{i, j}] || reach[[2]int{i, k}] && reach[[2]int{k, j}]
				}
			}
		}
		most, seen := 0, map[int]bool{}
		for i, c := range p.Changes {
			changes := c.Action == plan.Rollback || c.Action == plan.Forward
			if changes != (c.Wave > 0) {
				t.Fatalf("%+v", c)
			}
			most = max(most, c.Wave)
			seen[c.Wave] = true
			for j, d := range p.Changes {
				if !changes || d.Wave == 0 || !reach[[2]int{i, j}] {
					continue
				}
				if reach[[2]int{j, i}] && c.Wave != d.Wave || !reach[[2]int{j, i}] && c.Wave <= d.Wave {
					t.Fatalf("%s (wave %d) depends on %s (wave %d)", c.Repo, c.Wave, d.Repo, d.Wave)
				}
			}
		}
		for w := 1; w <= most; w++ {
			if !seen[w] {
				t.Fatalf("of %d waves, %d is empty", most, w)
			}
		}
		if got := len(p.Waves()); got != most {
			t.Fatalf("%d waves, %d numbers", got, most)
		}
	})
}
