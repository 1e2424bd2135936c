package point_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/registry"
)

// instants are few, so that days and instants coincide often.
var instants = rapid.Custom(func(t *rapid.T) time.Time {
	return day(1).Add(time.Duration(rapid.IntRange(0, 24*14).Draw(t, "hour")) * time.Hour)
})

// drawRepo draws a repo that was read to its oldest tag.
func drawRepo(t *rapid.T, name string) point.Repo {
	r := repo(name)
	for i := range rapid.IntRange(0, 14).Draw(t, name) {
		r.Releases = append(r.Releases, rel(name, fmt.Sprint(i+1), instants.Draw(t, "at")))
	}
	slices.SortFunc(r.Releases, func(a, b point.Release) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return registry.CompareBuilds(b.Build, a.Build)
	})
	if rapid.IntRange(0, 9).Draw(t, "bad") == 0 && len(r.Releases) > 0 {
		r.Mark(r.Releases[0].Digest, "gone", "")
	}
	return r
}

// drawRule draws a repo's rules.
func drawRule(t *rapid.T, name string) policy.Repo {
	return rule(name, keep(rapid.IntRange(1, 5).Draw(t, "count")), fill(policy.GapFill{
		Rule:   rapid.SampledFrom([]policy.GapRule{policy.NearestEarlier, policy.NearestEarlier, policy.Keep, policy.Fail}).Draw(t, "rule"),
		Search: rapid.SampledFrom([]policy.Search{policy.SearchAll, policy.SearchRetained}).Draw(t, "search"),
		MaxAge: time.Duration(rapid.SampledFrom([]int{0, 0, 30, 100}).Draw(t, "max age")) * time.Hour,
	}))
}

// draw draws an environment.
func draw(t *rapid.T) ([]point.Repo, point.Options) {
	o := point.Options{By: rapid.SampledFrom([]policy.PointsBy{policy.ByDay, policy.ByDay, policy.ByRelease}).Draw(t, "by")}
	o.Zone = rapid.SampledFrom([]*time.Location{nil, time.FixedZone("west", -11*3600), time.FixedZone("east", 14*3600)}).Draw(t, "zone")
	var repos []point.Repo
	for i := range rapid.IntRange(1, 4).Draw(t, "repos") {
		name := string(rune('a' + i))
		o.Rules = append(o.Rules, drawRule(t, name))
		r := drawRepo(t, name)
		if rapid.IntRange(0, 9).Draw(t, "unknown") == 0 {
			r = point.Repo{Name: name, Unknown: "502"}
		}
		repos = append(repos, r)
	}
	return repos, o
}

// cut forgets what a repo has before an instant.
func cut(r point.Repo, horizon time.Time) point.Repo {
	r.Complete, r.Horizon = false, horizon
	r.Releases = slices.DeleteFunc(slices.Clone(r.Releases), func(r point.Release) bool { return r.Created.Before(horizon) })
	return r
}

func TestNoSelectedReleaseIsNewerThanItsPointNorIsThereANewerOneBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		repos, o := draw(t)
		for _, p := range point.Build(repos, o).Points {
			for i, c := range p.Choices {
				if c.Release == nil {
					continue
				}
				if !c.Release.Created.Before(p.End) {
					t.Fatalf("%s: %s of %s is newer", p.Date, c.Release.Tag, c.Release.Created)
				}
				if (c.Reason == point.Released) == c.Release.Created.Before(p.Start) {
					t.Fatalf("%s: %s of %s has reason %s", p.Date, c.Release.Tag, c.Release.Created, c.Reason)
				}
				for _, r := range repos[i].Releases {
					if r.Created.Before(p.End) && r.Created.After(c.Release.Created) {
						t.Fatalf("%s: %s lies between %s and the point", p.Date, r.Tag, c.Release.Tag)
					}
				}
			}
		}
	})
}

func TestEveryRepoIsSelectedKeptOrReported(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		repos, o := draw(t)
		tl := point.Build(repos, o)
		doc := tl.Document("prod", "master", nil)
		for i, p := range tl.Points {
			if len(p.Choices) != len(o.Rules) || len(doc.Points[i].Releases)+len(doc.Points[i].Missing) != len(o.Rules) {
				t.Fatalf("%s: %d choices for %d repos", p.Date, len(p.Choices), len(o.Rules))
			}
			released := 0
			for j, c := range p.Choices {
				if c.Repo != o.Rules[j].Name || c.Words == "" {
					t.Fatalf("%s: %+v", p.Date, c)
				}
				if (c.Release != nil) != (c.Reason == point.Released || c.Reason == point.GapFilled) {
					t.Fatalf("%s: reason %s, release %v", p.Date, c.Reason, c.Release)
				}
				if c.Reason == point.Released {
					released++
				}
			}
			if released == 0 {
				t.Fatalf("%s: nothing was released at this point", p.Date)
			}
		}
	})
}

func TestTheOrderOfInputNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		repos, o := draw(t)
		render := func(repos []point.Repo) string {
			tl := point.Build(repos, o)
			out, err := json.Marshal(tl.Document("prod", "master", nil))
			if err != nil {
				t.Fatal(err)
			}
			return string(out) + fmt.Sprint(tl.Needs)
		}
		shuffled := rapid.Permutation(repos).Draw(t, "repos")
		for i := range shuffled {
			shuffled[i].Releases = rapid.Permutation(shuffled[i].Releases).Draw(t, "releases")
		}
		if diff := cmp.Diff(render(repos), render(shuffled)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestNotKnowingNeverChangesASelection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		repos, o := draw(t)
		whole := point.Build(repos, o)
		less := slices.Clone(repos)
		i := rapid.IntRange(0, len(repos)-1).Draw(t, "which")
		if rapid.Bool().Draw(t, "read in part") && repos[i].Unknown == "" {
			// As far as it is retained, it was read: that is what a Collector promises.
			n := min(o.Rules[i].Retention.Count, len(repos[i].Releases))
			if n == o.Rules[i].Retention.Count {
				edge := repos[i].Releases[n-1].Created
				less[i] = cut(repos[i], edge.Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "further"))*time.Hour))
			}
		} else {
			less[i] = point.Repo{Name: repos[i].Name, Unknown: "dropped"}
		}
		partial := point.Build(less, o)
		for _, p := range partial.Points {
			at := slices.IndexFunc(whole.Points, func(q point.Point) bool { return q.Date == p.Date })
			if at < 0 {
				t.Fatalf("knowing less made the point %s", p.Date)
			}
			for j, c := range p.Choices {
				full := whole.Points[at].Choices[j]
				same := c.Reason == full.Reason && (c.Release == nil) == (full.Release == nil) && (c.Release == nil || c.Release.Tag == full.Release.Tag)
				if !same && c.Reason != point.UnknownReason {
					t.Fatalf("%s %s: %s instead of %s", p.Date, c.Repo, got(p)[j], got(whole.Points[at])[j])
				}
			}
		}
		// And what the needs ask for is enough: reading that far makes every point what it is.
		for _, n := range partial.Needs {
			j := slices.IndexFunc(repos, func(r point.Repo) bool { return r.Name == n.Repo })
			k := slices.IndexFunc(repos[j].Releases, func(r point.Release) bool { return r.Created.Before(n.Before) })
			less[j] = repos[j]
			if k >= 0 {
				less[j] = cut(repos[j], repos[j].Releases[k].Created)
			}
		}
		if again := point.Build(less, o); len(again.Needs) > 0 {
			t.Fatalf("after reading on, more is needed: %v", again.Needs)
		}
	})
}

// drawListing draws a listing whose builds are out of date order by less than margin, newest build first.
func drawListing(t *rapid.T, margin int) []registry.Item {
	type keyed struct {
		build int
		key   float64
	}
	n := rapid.IntRange(0, 60).Draw(t, "tags")
	var all []keyed
	for i := range n {
		shift := 0
		if margin > 1 && rapid.IntRange(0, 4).Draw(t, "shifted") == 0 {
			shift = rapid.IntRange(0, margin-1).Draw(t, "by")
		}
		all = append(all, keyed{build: n - i, key: float64(i + shift)})
	}
	byDate := slices.Clone(all)
	slices.SortStableFunc(byDate, func(a, b keyed) int { return int(a.key - b.key) })
	at := map[int]time.Time{}
	for i, k := range byDate {
		at[k.build] = day(25).Add(-time.Duration(i) * time.Hour)
	}
	items := make([]registry.Item, n)
	for i, k := range all {
		items[i] = item(k.build, at[k.build])
		if rapid.IntRange(0, 15).Draw(t, "skipped") == 0 {
			tag := items[i].Release.Tag
			items[i] = registry.Item{Skipped: &registry.Skipped{Tag: tag, Reason: registry.SkipNotImage}}
		}
	}
	return items
}

func TestStoppingAtTheMarginFindsWhatReadingAllFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := point.Want{Count: rapid.IntRange(1, 12).Draw(t, "count"), Margin: rapid.IntRange(1, 8).Draw(t, "margin")}
		if rapid.Bool().Draw(t, "with need") {
			want.Need = day(25).Add(-time.Duration(rapid.IntRange(-2, 70).Draw(t, "need")) * time.Hour)
		}
		items := drawListing(t, want.Margin)
		some := read(t, want, items...)
		want.Margin = 0
		all := read(t, want, items...)
		if some.Unknown != "" || !all.Complete {
			t.Fatalf("%+v", some)
		}
		sure := slices.DeleteFunc(slices.Clone(all.Releases), func(r point.Release) bool { return r.Created.Before(some.Horizon) })
		if diff := cmp.Diff(tags(sure), tags(some.Releases)); diff != "" {
			t.Fatal("what is told as certain is not: ", diff)
		}
		if n := min(want.Count, len(all.Releases)); len(some.Releases) < n {
			t.Fatalf("%d releases of %d to be retained", len(some.Releases), n)
		}
		if !want.Need.IsZero() && !some.Complete && !some.Releases[len(some.Releases)-1].Created.Before(want.Need) {
			t.Fatalf("nothing before %s was read", want.Need)
		}
	})
}

func TestAListingCutShortIsUnknownOrTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := point.Want{Count: rapid.IntRange(1, 5).Draw(t, "count"), Margin: rapid.IntRange(0, 4).Draw(t, "margin")}
		want.Repo, want.Branch, want.Pattern = "a", "master", pattern(t)
		items := drawListing(t, max(want.Margin, 1))
		whole := read(t, want, items...)
		if len(items) == 0 {
			return
		}
		c := point.NewCollector(want)
		var err error
		announced := registry.Item{Listing: &registry.Listing{Repository: "registry/a", Tags: len(items), Matched: len(items)}}
		for _, it := range append([]registry.Item{announced}, items[:rapid.IntRange(0, len(items)-1).Draw(t, "cut")]...) {
			if err = c.Yield(it); err != nil {
				break
			}
		}
		if r := c.Finish(err); r.Unknown == "" {
			if diff := cmp.Diff(whole, r); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestReadingEverythingTheOrderOfTheStreamNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := drawListing(t, 5)
		for i := range items {
			if r := items[i].Release; r != nil && rapid.IntRange(0, 5).Draw(t, "alias") == 0 {
				r.Digest = "sha256:same"
			}
		}
		want := point.Want{Count: 3}
		a, b := read(t, want, items...), read(t, want, rapid.Permutation(items).Draw(t, "order")...)
		b.Unordered = a.Unordered
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestMinusNIsOlderThanWhatRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		repos, o := draw(t)
		tl := point.Build(repos, o)
		var running []point.Running
		for _, r := range repos {
			if len(r.Releases) > 0 {
				running = append(running, point.Running{Repo: r.Name, App: "/" + r.Name, Tag: rapid.SampledFrom(r.Releases).Draw(t, "runs").Tag})
			}
		}
		n := rapid.IntRange(1, 4).Draw(t, "n")
		f, err := tl.Find(fmt.Sprintf("-%d", n), day(20), running)
		if err != nil {
			return
		}
		current, _ := tl.Current(running)
		if !f.Point.Start.Before(current.Start) {
			t.Fatalf("%s is not older than %s", f.Point.Date, current.Date)
		}
		between := 0
		for _, p := range tl.Points {
			if p.Start.Before(current.Start) && p.Start.After(f.Point.Start) {
				between++
			}
		}
		if between != n-1+len(f.Skipped) {
			t.Fatalf("%d points between, %d skipped, asked for -%d", between, len(f.Skipped), n)
		}
		for _, c := range f.Point.Choices {
			if c.Problem != "" {
				t.Fatalf("it holds something bad: %s", c.Problem)
			}
		}
	})
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"2019-06-03", "-1", "-2", "yesterday", "2019-06-03T12:00:00Z", "2019-06-03T12:00:00.5+02:00", "9999-12-31", "0000-01-01T00:00:00Z", "", "-"} {
		f.Add(s, true)
	}
	running := runs("5-master", "6-master")
	byDay := point.Build(story(), days(rule("a"), rule("b")))
	byRelease := point.Build(story(), point.Options{Rules: []policy.Repo{rule("a"), rule("b")}, By: policy.ByRelease})
	f.Fuzz(func(t *testing.T, when string, day bool) {
		tl := byRelease
		if day {
			tl = byDay
		}
		found, err := tl.Find(when, time.Date(2019, 6, 5, 0, 0, 0, 0, time.UTC), running)
		if (err == nil) != (len(found.Point.Choices) == 2) {
			t.Fatalf("%q: %v, %+v", when, err, found)
		}
		if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Fatalf("%q: the error has control characters: %q", when, err)
		}
		for _, c := range found.Point.Choices {
			if c.Release != nil && !c.Release.Created.Before(found.Point.End) {
				t.Fatalf("%q: %s is newer than %s", when, c.Release.Tag, found.Point.Date)
			}
		}
	})
}

func FuzzCollector(f *testing.F) {
	f.Add("12-master", "11-master", "sha256:a", "sha256:b", int64(1559390400), int64(1559300000), 2)
	f.Add("12-premaster", "", "", "", int64(0), int64(-1), 0)
	f.Fuzz(func(t *testing.T, tagA, tagB, digestA, digestB string, atA, atB int64, matched int) {
		c := point.NewCollector(point.Want{Repo: "a", Pattern: pattern(t), Branch: "master", Count: 1, Margin: 1})
		err := c.Yield(registry.Item{Listing: &registry.Listing{Tags: matched, Matched: matched}})
		for _, r := range []registry.Release{{Tag: tagA, Digest: digestA, Created: time.Unix(atA, 0)}, {Tag: tagB, Digest: digestB, Created: time.Unix(atB, 0)}} {
			if err == nil {
				err = c.Yield(registry.Item{Release: &r})
			}
		}
		repo := c.Finish(err)
		for _, r := range repo.Releases {
			if !strings.HasSuffix(r.Tag, "-master") || r.Digest == "" || r.Created.Year() < 1980 || repo.Unknown != "" {
				t.Fatalf("%+v", repo)
			}
		}
	})
}

// many are 50 repos of 1,000 releases, an hour or so apart.
func many() ([]point.Repo, point.Options) {
	o := point.Options{By: policy.ByDay}
	var repos []point.Repo
	for i := range 50 {
		name := fmt.Sprintf("service-%02d", i)
		r := repo(name)
		for j := 1000; j > 0; j-- {
			r.Releases = append(r.Releases, rel(name, fmt.Sprint(j), day(1).Add(time.Duration(j*97+i)*time.Minute)))
		}
		repos = append(repos, r)
		o.Rules = append(o.Rules, rule(name))
	}
	return repos, o
}

func BenchmarkTimelineOf50ReposWith1000Releases(b *testing.B) {
	for _, count := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("retention=%d", count), func(b *testing.B) {
			repos, o := many()
			for i := range o.Rules {
				o.Rules[i].Retention.Count = count
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = len(point.Build(repos, o).Points)
			}
			b.ReportMetric(float64(n), "points")
		})
	}
}

func BenchmarkCollector100000Tags(b *testing.B) {
	items := make([]registry.Item, 100_000)
	for i := range items {
		items[i] = item(len(items)-i, day(1).Add(-time.Duration(i)*time.Minute))
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := read(b, point.Want{Count: 10}, items...); r.Unknown != "" {
			b.Fatal(r.Unknown)
		}
	}
}
