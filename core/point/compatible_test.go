package point_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollback-project/rollback/core/demand"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
)

// compatible lets a repo's fill step back.
func compatible(change ...func(*policy.GapFill)) func(*policy.Repo) {
	return func(r *policy.Repo) {
		r.GapFill.Compatible = true
		for _, c := range change {
			c(&r.GapFill)
		}
	}
}

// wants is a release with demands.
func wants(repo, build string, at time.Time, requires string) point.Release {
	r := rel(repo, build, at)
	r.Digest = "sha256:" + repo + build
	if requires != "" {
		r.Labels = map[string]string{demand.Label: requires}
	}
	return r
}

func TestCompatibleFills(t *testing.T) {
	// On the 5th only frontend was released.
	front := func(requires string) point.Repo {
		return repo("frontend", wants("frontend", "9", day(5), requires))
	}
	back := repo("backend", wants("backend", "4", day(4), ""), wants("backend", "3", day(3), ""), wants("backend", "2", day(2), ""), wants("backend", "1", day(1), ""))
	partly := back
	partly.Releases, partly.Complete, partly.Horizon = back.Releases[:2], false, day(3)
	tests := []struct {
		name     string
		repos    []point.Repo
		rules    []policy.Repo
		want     []string
		words    string
		conflict string
		needs    []point.Need
	}{
		{
			name: "demands that hold change nothing", repos: []point.Repo{front("backend>=4"), back},
			rules: []policy.Repo{rule("frontend"), rule("backend", compatible())}, want: []string{"9-master", "4-master"},
			words: "no release on 2019-06-05; nearest earlier is 4-master of 2019-06-04 (1 day before)",
		},
		{
			name: "the nearest one that fits, with what was passed over and why", repos: []point.Repo{front("backend<4"), back},
			rules: []policy.Repo{rule("frontend"), rule("backend", compatible())}, want: []string{"9-master", "3-master"},
			words: "no release on 2019-06-05; nearest earlier is 4-master of 2019-06-04, passed over because 9-master of frontend requires backend<4, and backend would be 4-master; the nearest that fits is 3-master of 2019-06-03 (2 days before)",
		},
		{
			name: "further ones are counted", repos: []point.Repo{front("backend<=1"), back},
			rules: []policy.Repo{rule("frontend"), rule("backend", compatible())}, want: []string{"9-master", "1-master"},
			words: "no release on 2019-06-05; nearest earlier is 4-master of 2019-06-04, passed over because 9-master of frontend requires backend<=1, and backend would be 4-master, and so are 2 more; the nearest that fits is 1-master of 2019-06-01 (4 days before)",
		},
		{
			name: "only where the policy says so", repos: []point.Repo{front("backend<4"), back, repo("other", wants("other", "1", day(1), ""))},
			rules: []policy.Repo{rule("frontend"), rule("backend"), rule("other", compatible())}, want: []string{"9-master", "4-master", "1-master"},
			words:    "no release on 2019-06-05; nearest earlier is 4-master of 2019-06-04 (1 day before)",
			conflict: "gap_fill.compatible found nothing that satisfies every demand among 1 release of other",
		},
		{
			name: "what was released is not replaced", repos: []point.Repo{front("backend<9"), repo("backend", wants("backend", "9", day(5), ""), wants("backend", "1", day(1), ""))},
			rules: []policy.Repo{rule("frontend", compatible()), rule("backend", compatible())}, want: []string{"9-master", "9-master"},
			words:    "released on 2019-06-05: 9-master",
			conflict: "gap_fill.compatible lets only a repo step back whose gap is filled, and there is none at this point",
		},
		{
			name: "nothing fits", repos: []point.Repo{front("backend<1"), back},
			rules: []policy.Repo{rule("frontend"), rule("backend", compatible())}, want: []string{"9-master", "4-master"},
			words:    "no release on 2019-06-05; nearest earlier is 4-master of 2019-06-04 (1 day before)",
			conflict: "gap_fill.compatible found nothing that satisfies every demand among 4 releases of backend",
		},
		{
			name: "a demand that cannot be read is one that is broken", repos: []point.Repo{front("backend"), back},
			rules: []policy.Repo{rule("frontend"), rule("backend", compatible())}, want: []string{"9-master", "4-master"},
			words:    "no release on 2019-06-05; nearest earlier is 4-master of 2019-06-04 (1 day before)",
			conflict: "gap_fill.compatible found nothing that satisfies every demand among 4 releases of backend",
		},
		{
			name: "not further than max_age", repos: []point.Repo{front("backend<3"), back},
			rules: []policy.Repo{rule("frontend"), rule("backend", compatible(func(g *policy.GapFill) { g.MaxAge = 72 * time.Hour }))}, want: []string{"9-master", "4-master"},
			words:    "no release on 2019-06-05; nearest earlier is 4-master of 2019-06-04 (1 day before)",
			conflict: "gap_fill.compatible found nothing that satisfies every demand among 2 releases of backend",
		},
		{
			name: "older releases are asked for", repos: []point.Repo{front("backend<3"), partly},
			rules: []policy.Repo{rule("frontend"), rule("backend", compatible())}, want: []string{"9-master", ""},
			words: "releases older than 2019-06-03 were not read, and one of them may be needed, for 9-master of frontend requires backend<3, and backend would be 4-master",
			needs: []point.Need{{Repo: "backend", Before: day(1)}},
		},
		{
			name: "unless they would be too old", repos: []point.Repo{front("backend<3"), partly},
			rules: []policy.Repo{rule("frontend"), rule("backend", compatible(func(g *policy.GapFill) { g.MaxAge = 60 * time.Hour }))}, want: []string{"9-master", "4-master"},
			words:    "no release on 2019-06-05; nearest earlier is 4-master of 2019-06-04 (1 day before)",
			conflict: "gap_fill.compatible found nothing that satisfies every demand among 2 releases of backend",
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tl := point.Build(tc.repos, point.Options{Rules: tc.rules})
			p := pointOf(t, tl, "2019-06-05")
			var tags []string
			for _, c := range p.Choices {
				tag := ""
				if c.Release != nil {
					tag = c.Release.Tag
				}
				tags = append(tags, tag)
			}
			if diff := cmp.Diff(tc.want, tags); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.words, p.Choices[1].Words); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.conflict, p.Conflict); diff != "" {
				t.Error(diff)
			}
			for _, n := range tc.needs {
				if !slices.ContainsFunc(tl.Needs, func(m point.Need) bool { return m.Repo == n.Repo && !m.Before.After(n.Before.AddDate(0, 0, 1)) }) {
					t.Errorf("needs = %v, want %v", tl.Needs, n)
				}
			}
		})
	}
}

func TestExplainNamesWhatWasPassedOver(t *testing.T) {
	tl := point.Build([]point.Repo{
		repo("frontend", wants("frontend", "9", day(5), "backend<3")),
		repo("backend", wants("backend", "4", day(4), ""), wants("backend", "3", day(3), ""), wants("backend", "2", day(2), ""), wants("backend", "1", day(1), "")),
	}, point.Options{Rules: []policy.Repo{rule("frontend"), rule("backend", compatible())}})
	e, _ := tl.Explain("backend", pointOf(t, tl, "2019-06-05"))
	var got []string
	for _, c := range e.Candidates {
		got = append(got, c.Tag+" "+string(c.Verdict))
	}
	want := []string{"4-master incompatible", "3-master incompatible", "2-master chosen", "1-master older_than_the_choice"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestASearchThatIsTooLongIsGivenUp(t *testing.T) {
	// Each of 17 pairs can be mended in two ways, so that there are 2^17 states and more.
	o := point.Options{Rules: []policy.Repo{rule("z")}}
	repos := []point.Repo{repo("z", wants("z", "1", day(9), ""))}
	for i := range 17 {
		p, q := fmt.Sprintf("p%02d", i), fmt.Sprintf("q%02d", i)
		repos = append(repos, repo(p, wants(p, "9", day(5), q+"<9"), wants(p, "5", day(3), "")), repo(q, wants(q, "9", day(5), ""), wants(q, "5", day(3), "")))
		o.Rules = append(o.Rules, rule(p, compatible(), keep(1)), rule(q, compatible(), keep(1)))
	}
	tl := point.Build(repos, o)
	want := "gap_fill.compatible gave up after 100000 combinations of earlier releases, none of which satisfies every demand"
	if got := tl.Points[0].Conflict; got != want {
		t.Errorf("conflict = %q", got)
	}
	for _, c := range tl.Points[0].Choices[1:] {
		if c.Release == nil || c.Release.Tag != "9-master" {
			t.Errorf("%s: the choice by date is lost: %+v", c.Repo, c)
		}
	}
}

// malformed is true once in a while.
var malformed = append(make([]bool, 30), true)

// drawDemands draws repos that demand of each other: one was released at the point, of the others most were not.
func drawDemands(t *rapid.T) ([]point.Repo, point.Options) {
	names := []string{"a", "b", "c", "d"}[:rapid.SampledFrom([]int{2, 3, 4}).Draw(t, "repos")]
	var repos []point.Repo
	var o point.Options
	for i, name := range names {
		r := repo(name)
		for j := range rapid.SampledFrom([]int{1, 2, 3, 4, 5, 6}).Draw(t, name) {
			var all []string
			for range rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(t, "demands") {
				op := rapid.SampledFrom([]string{"<", "<=", ">=", ">", "!=", "!=", "="}).Draw(t, "op")
				all = append(all, fmt.Sprint(rapid.SampledFrom(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name && j%2 == 0 })).Draw(t, "of"), op, rapid.SampledFrom([]int{0, 2, 3, 4, 5, 6}).Draw(t, "build")))
			}
			if rapid.SampledFrom(malformed).Draw(t, "malformed") {
				all = append(all, "?")
			}
			r.Releases = append(r.Releases, wants(name, fmt.Sprint(7-j), day(20-j-2*min(i, 1)), strings.Join(all, ",")))
		}
		repos = append(repos, r)
		o.Rules = append(o.Rules, rule(name, keep(1), fill(policy.GapFill{
			Rule: policy.NearestEarlier, Search: policy.SearchAll, Compatible: rapid.SampledFrom([]bool{true, true, true, false}).Draw(t, "compatible"),
			MaxAge: time.Duration(rapid.SampledFrom([]int{0, 0, 0, 5}).Draw(t, "max age")) * 24 * time.Hour,
		})))
	}
	return repos, o
}

// bruteForce tries every combination of releases that the rules allow, for the vector of steps with the smallest sum and,
// among those, the one that is first; nil when none fits.
func bruteForce(repos []point.Repo, rules []policy.Repo, byDate *point.Point) []int {
	var best []int
	sum := func(v []int) int {
		n := 0
		for _, k := range v {
			n += k
		}
		return n
	}
	var try func(v []int, chosen []demand.Choice)
	try = func(v []int, chosen []demand.Choice) {
		i := len(v)
		if i == len(repos) {
			if len(demand.Violations(chosen)) == 0 && (best == nil || sum(v) < sum(best)) {
				best = slices.Clone(v)
			}
			return
		}
		c := byDate.Choices[i]
		if c.Release == nil {
			try(append(v, 0), chosen)
			return
		}
		first := slices.IndexFunc(repos[i].Releases, func(r point.Release) bool { return r.Tag == c.Release.Tag })
		for j := first; j < len(repos[i].Releases); j++ {
			r := repos[i].Releases[j]
			g := rules[i].GapFill
			if j > first && (c.Reason != point.GapFilled || !g.Compatible || g.MaxAge > 0 && byDate.End.Sub(r.Created) > g.MaxAge) {
				break
			}
			try(append(slices.Clone(v), j-first), append(slices.Clone(chosen), demand.Choice{
				Repo: r.Repo, Tag: r.Tag, Build: r.Build, Requires: demand.Parse(r.Labels[demand.Label]),
			}))
		}
	}
	try(nil, nil)
	return best
}

func plainly(rules []policy.Repo) []policy.Repo {
	out := slices.Clone(rules)
	for i := range out {
		out[i].GapFill.Compatible = false
	}
	return out
}

func TestTheSearchFindsWhatTryingEverythingFinds(t *testing.T) {
	stepped, conflicts := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		repos, o := drawDemands(t)
		byDate := point.Build(repos, point.Options{Rules: plainly(o.Rules)})
		for n, p := range point.Build(repos, o).Points {
			plain := &byDate.Points[n]
			want := bruteForce(repos, o.Rules, plain)
			var chosen []demand.Choice
			for i, c := range p.Choices {
				if c.Release == nil {
					continue
				}
				d := plain.Choices[i].Release
				steps := 0
				for _, r := range repos[i].Releases {
					if r.Created.Before(d.Created) && !r.Created.Before(c.Release.Created) {
						steps++
					}
				}
				if c.Release.Created.After(d.Created) {
					t.Fatalf("%s: %s is newer than %s", p.Date, c.Release.Tag, d.Tag)
				}
				if expected := append(want, make([]int, len(repos))...)[i]; steps != expected {
					t.Fatalf("%s: %s stepped back %d times, want %v", p.Date, c.Repo, steps, want)
				}
				if steps > 0 {
					stepped++
				}
				chosen = append(chosen, demand.Choice{Repo: c.Repo, Tag: c.Release.Tag, Build: c.Release.Build, Requires: demand.Parse(c.Release.Labels[demand.Label])})
			}
			broken := demand.Violations(chosen)
			anyCompatible := slices.ContainsFunc(o.Rules, func(r policy.Repo) bool { return r.GapFill.Compatible })
			if anyCompatible && (len(broken) > 0) != (p.Conflict != "") || (want == nil) != (len(broken) > 0) {
				t.Fatalf("%s: %v, conflict %q, want %v", p.Date, broken, p.Conflict, want)
			}
			if p.Conflict != "" {
				conflicts++
			}
		}
	})
	t.Logf("%d steps back, %d conflicts", stepped, conflicts)
	if stepped == 0 || conflicts == 0 {
		t.Error("nothing was searched for")
	}
}

func TestReadingWhatIsNeededFindsWhatReadingEverythingFinds(t *testing.T) {
	rounds := 0
	rapid.Check(t, func(t *rapid.T) {
		repos, o := drawDemands(t)
		whole := point.Build(repos, o)
		some := slices.Clone(repos)
		for i := range some {
			some[i] = cut(repos[i], repos[i].Releases[0].Created)
		}
		tl := point.Build(some, o)
		for n := 0; len(tl.Needs) > 0; n++ {
			if n > 10 {
				t.Fatalf("it never ends: %v", tl.Needs)
			}
			rounds++
			for _, need := range tl.Needs {
				j := slices.IndexFunc(repos, func(r point.Repo) bool { return r.Name == need.Repo })
				k := slices.IndexFunc(repos[j].Releases, func(r point.Release) bool { return r.Created.Before(need.Before) })
				some[j] = repos[j]
				if k >= 0 {
					some[j] = cut(repos[j], repos[j].Releases[k].Created)
				}
			}
			tl = point.Build(some, o)
		}
		for i, p := range tl.Points {
			if diff := cmp.Diff(got(whole.Points[i]), got(p)); diff != "" {
				t.Fatal(p.Date, diff)
			}
		}
	})
	t.Logf("%d rounds", rounds)
}
