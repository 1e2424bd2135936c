package point

import (
	"slices"
	"sort"
	"time"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
)

// Options are the rules by which points are formed and filled.
type Options struct {
	// Rules are the policy's repos; their order is that of every result. Each brings its retention and gap-fill rule.
	Rules []policy.Repo
	// By says whether a point is a day or a release instant; a day when empty.
	By policy.PointsBy
	// Zone decides what a day is; UTC when nil.
	Zone *time.Location
}

// Timeline is the restore points of an environment. It holds on to the releases it was built from.
type Timeline struct {
	// Points, newest first.
	Points []Point
	// Warnings are what a person should know: repos that could not be read, releases left out,
	// build orders that disagree with dates. One a repo and kind; Address is repo.NAME.
	Warnings diag.Diagnostics
	// Needs are the repos that must be read further before every point is complete, in the policy's order.
	Needs []Need

	by    policy.PointsBy
	zone  *time.Location
	rules []policy.Repo
	repos []Repo
}

// Need says that a repo must be read down to its newest release before an instant (Want.Need).
type Need struct {
	Repo   string
	Before time.Time
}

// Build forms the points of the retained releases and chooses for every repo at every point
// (DESIGN.md section 2, "Retention", "Points", "Selecting"). A rule whose repo is not among repos counts as unknown;
// repos without a rule are left out. The order of repos, and of the releases in them, does not matter.
func Build(repos []Repo, o Options) *Timeline {
	t := &Timeline{by: o.By, zone: o.Zone, rules: o.Rules}
	if t.zone == nil {
		t.zone = time.UTC
	}
	if t.by == "" {
		t.by = policy.ByDay
	}
	t.repos = make([]Repo, len(o.Rules))
	for i, rule := range o.Rules {
		t.repos[i] = take(repos, rule.Name)
		t.Warnings = append(t.Warnings, warnings(&t.repos[i], t.zone)...)
	}
	t.Points = t.form()
	for i := range t.Points {
		t.Fill(&t.Points[i])
	}
	t.Needs = needs(t.Points, o.Rules)
	return t
}

// take finds a repo and puts its releases in order, leaving the caller's slice alone.
func take(repos []Repo, name string) Repo {
	for _, r := range repos {
		if r.Name != name {
			continue
		}
		if r.Unknown != "" {
			return Repo{Name: name, Unknown: r.Unknown}
		}
		r.Releases = slices.Clone(r.Releases)
		byOrder := func(a, b Release) int { return newestFirst(&a, &b) }
		if !slices.IsSortedFunc(r.Releases, byOrder) {
			slices.SortFunc(r.Releases, byOrder)
		}
		return r
	}
	return Repo{Name: name, Unknown: "it was not read"}
}

// form makes the points, without choices, newest first.
func (t *Timeline) form() []Point {
	var points []Point
	seen := map[int64]bool{}
	for i := range t.repos {
		for _, r := range t.retained(i) {
			p := t.around(r.When())
			// Two days cannot begin at one instant, so the start is a name.
			if key := p.Start.UnixNano(); !seen[key] {
				seen[key] = true
				points = append(points, p)
			}
		}
	}
	slices.SortFunc(points, func(a, b Point) int { return b.Start.Compare(a.Start) })
	return points
}

// retained are the newest releases of the i-th repo that form points.
func (t *Timeline) retained(i int) []Release {
	rs := t.repos[i].Releases
	return rs[:min(len(rs), max(t.rules[i].Retention.Count, 1))]
}

// around returns the point, without choices, that an instant belongs to.
func (t *Timeline) around(at time.Time) Point {
	if t.by == policy.ByRelease {
		return t.instant(at)
	}
	return t.day(at)
}

// instant is the point of one release instant.
func (t *Timeline) instant(at time.Time) Point {
	return Point{Date: at.In(t.zone).Format(time.RFC3339Nano), Start: at, End: at.Add(1)}
}

// day is the calendar day of an instant. It begins with the first instant that bears its date,
// which is not always midnight: there are zones that skip it.
func (t *Timeline) day(at time.Time) Point {
	y, m, d := at.In(t.zone).Date()
	return Point{
		Date:  at.In(t.zone).Format(time.DateOnly),
		Start: dayStart(y, m, d, t.zone),
		End:   dayStart(y, m, d+1, t.zone),
	}
}

// dayStart returns the first instant in a zone whose date is not before the given one.
// The day may lie outside its month, as in time.Date.
func dayStart(y int, m time.Month, d int, zone *time.Location) time.Time {
	want := dateOf(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
	midnight := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if dateOf(midnight) == want && dateOf(midnight.Add(-1)) < want {
		return midnight
	}
	// The clocks were changed around midnight, or the whole day was left out. No zone is 40 hours away from UTC.
	begin := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Add(-40 * time.Hour)
	i := sort.Search(int(80*time.Hour/time.Second), func(i int) bool {
		return dateOf(begin.Add(time.Duration(i)*time.Second).In(zone)) >= want
	})
	return begin.Add(time.Duration(i) * time.Second).In(zone)
}

// dateOf returns the date of t in its own zone as a number that orders as dates do.
func dateOf(t time.Time) int {
	y, m, d := t.Date()
	return y*10000 + int(m)*100 + d
}

// needs gathers, per repo, the furthest that any choice asks to read.
func needs(points []Point, rules []policy.Repo) []Need {
	furthest := map[string]time.Time{}
	for _, p := range points {
		for _, c := range p.Choices {
			if c.NeedsOlder.IsZero() {
				continue
			}
			if at, ok := furthest[c.Repo]; !ok || c.NeedsOlder.Before(at) {
				furthest[c.Repo] = c.NeedsOlder
			}
		}
	}
	var out []Need
	for _, r := range rules {
		if at, ok := furthest[r.Name]; ok {
			out = append(out, Need{Repo: r.Name, Before: at})
		}
	}
	return out
}
