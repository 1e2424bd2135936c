package point_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/registry"
)

// rel is a release of a repo, whose tag is <build>-master.
func rel(repo, build string, at time.Time) point.Release {
	return point.Release{
		Repo: repo, Tag: build + "-master", Build: build, Digest: "sha256:" + repo + build,
		Created: at, CreatedFrom: registry.FromConfig,
	}
}

// repo is a repo that was read to its oldest tag.
func repo(name string, rs ...point.Release) point.Repo {
	return point.Repo{Name: name, Repository: "registry/" + name, Releases: rs, Complete: true, Tags: len(rs), Matched: len(rs)}
}

// rule is a repo's default rules.
func rule(name string, change ...func(*policy.Repo)) policy.Repo {
	r := policy.Repo{
		Name: name, Retention: policy.Retention{Count: 10, Margin: 10},
		GapFill: policy.GapFill{Rule: policy.NearestEarlier, Search: policy.SearchAll, OnMissing: policy.MissingFail},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func fill(g policy.GapFill) func(*policy.Repo) {
	return func(r *policy.Repo) {
		if g.Search == "" {
			g.Search = policy.SearchAll
		}
		r.GapFill = g
	}
}

func keep(count int) func(*policy.Repo) {
	return func(r *policy.Repo) { r.Retention.Count = count }
}

func days(rules ...policy.Repo) point.Options {
	return point.Options{Rules: rules, By: policy.ByDay}
}

// got renders what every repo gets at a point: "a released 12-master".
func got(p point.Point) []string {
	out := []string{}
	for _, c := range p.Choices {
		s := c.Repo + " " + string(c.Reason)
		if c.Release != nil {
			s += " " + c.Release.Tag
		}
		out = append(out, s)
	}
	return out
}

func pointOf(t *testing.T, tl *point.Timeline, date string) point.Point {
	t.Helper()
	i := slices.IndexFunc(tl.Points, func(p point.Point) bool { return p.Date == date })
	if i < 0 {
		t.Fatalf("there is no point %s among %v", date, tl.Choices())
	}
	return tl.Points[i]
}

func TestTwoReleasesOfARepoOnOneDayTheLaterStands(t *testing.T) {
	tl := point.Build([]point.Repo{repo("a", rel("a", "2", day(1)), rel("a", "3", day(1, 3)), rel("a", "1", day(1, -3)))}, days(rule("a")))
	if diff := cmp.Diff([]string{"2019-06-01"}, tl.Choices()); diff != "" {
		t.Fatal(diff)
	}
	c := tl.Points[0].Choices[0]
	if c.Release.Tag != "3-master" || c.Words != "released on 2019-06-01: 3-master, the latest of 3" {
		t.Errorf("%s: %s", c.Release.Tag, c.Words)
	}
}

func TestSeveralReposWithReleasesOnOneDayWhenFillingAGap(t *testing.T) {
	// The article looks only at the first image of a day: b and c, second and third on the 3rd, would not be found.
	tl := point.Build([]point.Repo{
		repo("a", rel("a", "9", day(5)), rel("a", "8", day(3))),
		repo("b", rel("b", "7", day(3)), rel("b", "6", day(1))),
		repo("c", rel("c", "5", day(3, 1)), rel("c", "4", day(2))),
	}, days(rule("a"), rule("b"), rule("c")))
	want := []string{"a released 9-master", "b gap_filled 7-master", "c gap_filled 5-master"}
	if diff := cmp.Diff(want, got(pointOf(t, tl, "2019-06-05"))); diff != "" {
		t.Error(diff)
	}
	words := pointOf(t, tl, "2019-06-05").Choices[1].Words
	if words != "no release on 2019-06-05; nearest earlier is 7-master of 2019-06-03 (2 days before)" {
		t.Error(words)
	}
}

func TestARepoWhoseNewestTenAreAllNewerThanTheChosenDate(t *testing.T) {
	busy := repo("busy")
	for i := range 12 {
		busy.Releases = append(busy.Releases, rel("busy", string(rune('a'+i)), day(10+i)))
	}
	busy.Releases = append(busy.Releases, rel("busy", "old", day(2)))
	slow := repo("slow", rel("slow", "1", day(3)))
	gap := func(s policy.Search) *point.Timeline {
		return point.Build([]point.Repo{busy, slow}, days(rule("busy", fill(policy.GapFill{Rule: policy.NearestEarlier, Search: s})), rule("slow")))
	}
	if diff := cmp.Diff([]string{"busy gap_filled old-master", "slow released 1-master"}, got(pointOf(t, gap(policy.SearchAll), "2019-06-03"))); diff != "" {
		t.Error(diff)
	}
	retained := pointOf(t, gap(policy.SearchRetained), "2019-06-03")
	if diff := cmp.Diff([]string{"busy missing", "slow released 1-master"}, got(retained)); diff != "" {
		t.Error(diff)
	}
	if want := "no release on 2019-06-03; none of the 10 retained releases is older"; retained.Choices[0].Words != want {
		t.Error(retained.Choices[0].Words)
	}

	t.Run("and which were all that was read", func(t *testing.T) {
		short := busy
		short.Complete, short.Horizon, short.Releases = false, day(12), nil
		for _, r := range busy.Releases {
			if !r.Created.Before(day(12)) {
				short.Releases = append(short.Releases, r)
			}
		}
		tl := point.Build([]point.Repo{short, slow}, days(rule("busy"), rule("slow")))
		c := pointOf(t, tl, "2019-06-03").Choices[0]
		if c.Reason != point.UnknownReason || c.Release != nil || !c.NeedsOlder.Equal(time.Date(2019, 6, 4, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("the gap was filled across what was not read: %+v", c)
		}
		if diff := cmp.Diff([]point.Need{{Repo: "busy", Before: time.Date(2019, 6, 4, 0, 0, 0, 0, time.UTC)}}, tl.Needs); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARepoNotReadFarEnoughHasAReleaseOfTheDayBeyondRetention(t *testing.T) {
	// Not retained, but of that day: it was released then, whatever is retained.
	a := repo("a", rel("a", "3", day(9)), rel("a", "2", day(8)), rel("a", "1", day(3)))
	b := repo("b", rel("b", "1", day(3)))
	tl := point.Build([]point.Repo{a, b}, days(rule("a", keep(2), fill(policy.GapFill{Rule: policy.Keep})), rule("b")))
	if diff := cmp.Diff([]string{"a released 1-master", "b released 1-master"}, got(pointOf(t, tl, "2019-06-03"))); diff != "" {
		t.Error(diff)
	}
}

func TestDaysInAnotherZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	at := func(s string) time.Time {
		i, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	tests := []struct {
		name, at, zone, date string
		hours                float64
	}{
		{"late in UTC is tomorrow in Berlin", "2019-06-01T22:30:00Z", "Europe/Berlin", "2019-06-02", 24},
		{"UTC is the default", "2019-06-01T22:30:00Z", "", "2019-06-01", 24},
		{"the day the clocks go forward has 23 hours", "2019-03-31T10:00:00Z", "Europe/Berlin", "2019-03-31", 23},
		{"the day the clocks go back has 25 hours", "2019-10-27T00:30:00Z", "Europe/Berlin", "2019-10-27", 25},
		{"the second 02:30 of that day", "2019-10-27T01:30:00Z", "Europe/Berlin", "2019-10-27", 25},
		{"its last minute", "2019-10-27T22:59:00Z", "Europe/Berlin", "2019-10-27", 25},
		{"a day without midnight", "2018-11-04T12:00:00Z", "America/Sao_Paulo", "2018-11-04", 23},
		{"a day with two eleven o'clocks at its end", "2019-02-16T12:00:00Z", "America/Sao_Paulo", "2019-02-16", 25},
		{"the day before the one that Samoa left out", "2011-12-30T05:00:00Z", "Pacific/Apia", "2011-12-29", 24},
		{"the day after it", "2011-12-30T11:00:00Z", "Pacific/Apia", "2011-12-31", 24},
		{"a zone of half hours", "2019-06-01T18:29:00Z", "Asia/Kolkata", "2019-06-01", 24},
		{"and its next day", "2019-06-01T18:31:00Z", "Asia/Kolkata", "2019-06-02", 24},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := days(rule("a"))
			if tt.zone != "" {
				if o.Zone, err = time.LoadLocation(tt.zone); err != nil {
					t.Skip(err)
				}
			}
			p := point.Build([]point.Repo{repo("a", rel("a", "1", at(tt.at)))}, o).Points[0]
			if p.Date != tt.date || p.End.Sub(p.Start).Hours() != tt.hours {
				t.Errorf("%s with %v hours; want %s with %v", p.Date, p.End.Sub(p.Start).Hours(), tt.date, tt.hours)
			}
			if at(tt.at).Before(p.Start) || !at(tt.at).Before(p.End) {
				t.Errorf("%s is not between %s and %s", tt.at, p.Start, p.End)
			}
		})
	}
	t.Run("the later release of a day is that of the zone's day", func(t *testing.T) {
		o := days(rule("a"))
		o.Zone = berlin
		tl := point.Build([]point.Repo{repo("a", rel("a", "1", at("2019-06-01T21:59:59Z")), rel("a", "2", at("2019-06-01T22:00:00Z")))}, o)
		if diff := cmp.Diff([]string{"2019-06-02", "2019-06-01"}, tl.Choices()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"a released 1-master"}, got(tl.Points[1])); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPointsComeFromRetainedReleasesByDate(t *testing.T) {
	// Build 1 is the newest by date, whatever its number says.
	a := repo("a", rel("a", "9", day(1)), rel("a", "8", day(2)), rel("a", "1", day(3)))
	tl := point.Build([]point.Repo{a}, days(rule("a", keep(2))))
	if diff := cmp.Diff([]string{"2019-06-03", "2019-06-02"}, tl.Choices()); diff != "" {
		t.Error(diff)
	}
}

func TestPointsByRelease(t *testing.T) {
	a := repo("a", rel("a", "2", day(1, 2)), rel("a", "1", day(1)))
	b := repo("b", rel("b", "7", day(1)), rel("b", "6", day(1).Add(-90*time.Second)))
	tl := point.Build([]point.Repo{a, b}, point.Options{Rules: []policy.Repo{rule("a"), rule("b")}, By: policy.ByRelease})
	want := []string{"2019-06-01T14:00:00Z", "2019-06-01T12:00:00Z", "2019-06-01T11:58:30Z"}
	if diff := cmp.Diff(want, tl.Choices()); diff != "" {
		t.Fatal(diff)
	}
	all := [][]string{got(tl.Points[0]), got(tl.Points[1]), got(tl.Points[2])}
	if diff := cmp.Diff([][]string{
		{"a released 2-master", "b gap_filled 7-master"},
		{"a released 1-master", "b released 7-master"},
		{"a missing", "b released 6-master"},
	}, all); diff != "" {
		t.Error(diff)
	}
	if w := tl.Points[0].Choices[1].Words; w != "no release at 2019-06-01T14:00:00Z; nearest earlier is 7-master of 2019-06-01T12:00:00Z (2 hours before)" {
		t.Error(w)
	}
}

func TestGapFillRules(t *testing.T) {
	// b has a release on every day, a only on the 5th and the 1st.
	a := repo("a", rel("a", "2", day(5)), rel("a", "1", day(1)))
	b := repo("b", rel("b", "5", day(5)), rel("b", "4", day(4)), rel("b", "1", day(1)), rel("b", "0", day(1, -24)))
	unknown := point.Repo{Name: "a", Unknown: "registry answered 502"}
	incomplete := func(horizon time.Time) point.Repo {
		return point.Repo{Name: "a", Repository: "registry/a", Releases: []point.Release{rel("a", "2", day(5))}, Horizon: horizon}
	}
	tests := []struct {
		name, date  string
		a           point.Repo
		gap         policy.GapFill
		want, words string
		needs       bool
	}{
		{"nearest_earlier fills", "2019-06-04", a, policy.GapFill{Rule: policy.NearestEarlier}, "a gap_filled 1-master", "(3 days before)", false},
		{"keep leaves the app", "2019-06-04", a, policy.GapFill{Rule: policy.Keep}, "a kept", "leaves the app as it runs", false},
		{"fail refuses", "2019-06-04", a, policy.GapFill{Rule: policy.Fail}, "a refused", "refuses gaps", false},
		{"keep does not matter where there is a release", "2019-06-05", a, policy.GapFill{Rule: policy.Keep}, "a released 2-master", "released on", false},
		{"nor does fail", "2019-06-05", a, policy.GapFill{Rule: policy.Fail}, "a released 2-master", "released on", false},
		{"max_age that is not passed", "2019-06-04", a, policy.GapFill{Rule: policy.NearestEarlier, MaxAge: 84 * time.Hour}, "a gap_filled 1-master", "", false},
		{"max_age that is passed", "2019-06-04", a, policy.GapFill{Rule: policy.NearestEarlier, MaxAge: 84*time.Hour - 1}, "a missing", "older than gap_fill.max_age allows (3 days 11 hours)", false},
		{"max_age says nothing of a release of the point itself", "2019-06-05", a, policy.GapFill{Rule: policy.NearestEarlier, MaxAge: 1}, "a released 2-master", "", false},
		{"nothing earlier is missing", "2019-05-31", a, policy.GapFill{Rule: policy.NearestEarlier}, "a missing", "oldest release is 1-master of 2019-06-01", false},
		{"a repo without releases is missing", "2019-06-04", repo("a"), policy.GapFill{Rule: policy.NearestEarlier}, "a missing", "no release at all", false},
		{"nothing is filled across an unknown repo", "2019-06-04", unknown, policy.GapFill{Rule: policy.NearestEarlier}, "a unknown", "registry answered 502", false},
		{"nor kept, for nobody knows of a gap", "2019-06-04", unknown, policy.GapFill{Rule: policy.Keep}, "a unknown", "registry answered 502", false},
		{"nothing is filled across a horizon", "2019-06-04", incomplete(day(5)), policy.GapFill{Rule: policy.NearestEarlier}, "a unknown", "older than 2019-06-05 were not read", true},
		{"nor kept across one", "2019-06-04", incomplete(day(5)), policy.GapFill{Rule: policy.Keep}, "a unknown", "were not read", true},
		{"nor refused across one", "2019-06-04", incomplete(day(4, 1)), policy.GapFill{Rule: policy.Fail}, "a unknown", "were not read", true},
		{"a gap that is read to its start is kept", "2019-06-04", incomplete(day(3)), policy.GapFill{Rule: policy.Keep}, "a kept", "", false},
		{"and refused", "2019-06-04", incomplete(day(3)), policy.GapFill{Rule: policy.Fail}, "a refused", "", false},
		{"but not filled", "2019-06-04", incomplete(day(3)), policy.GapFill{Rule: policy.NearestEarlier}, "a unknown", "were not read", true},
		{"a release above the horizon is certain", "2019-06-05", incomplete(day(5)), policy.GapFill{Rule: policy.NearestEarlier}, "a released 2-master", "", false},
		{"retained needs no more than is retained", "2019-06-04", incomplete(day(5)), policy.GapFill{Rule: policy.NearestEarlier, Search: policy.SearchRetained}, "a missing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := rule("a", fill(tt.gap), keep(1))
			tl := point.Build([]point.Repo{b, tt.a}, days(r, rule("b")))
			p := pointOf(t, tl, tt.date)
			if diff := cmp.Diff(tt.want, got(p)[0]); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(p.Choices[0].Words, tt.words) {
				t.Errorf("words: %s", p.Choices[0].Words)
			}
			if needs := !p.Choices[0].NeedsOlder.IsZero(); needs != tt.needs {
				t.Errorf("needs older: %v", needs)
			}
		})
	}
}

func TestARepoThatWasNotReadIsUnknown(t *testing.T) {
	tl := point.Build([]point.Repo{repo("b", rel("b", "1", day(1))), repo("stranger", rel("stranger", "1", day(9)))}, days(rule("a"), rule("b")))
	if diff := cmp.Diff([]string{"2019-06-01"}, tl.Choices()); diff != "" {
		t.Error("a repo without a rule made a point: ", diff)
	}
	if diff := cmp.Diff([]string{"a unknown", "b released 1-master"}, got(tl.Points[0])); diff != "" {
		t.Error(diff)
	}
}

func TestABadReleaseStaysChosenAndTheNextOlderOneIsNamed(t *testing.T) {
	a := repo("a", rel("a", "5", day(5)), rel("a", "4", day(4)), rel("a", "3", day(3)), rel("a", "2", day(2)))
	if !a.Mark("sha256:a5", "layer sha256:77", "") || !a.Mark("sha256:a4", "", "crashes on start") || a.Mark("sha256:zz", "x", "") {
		t.Fatal("Mark")
	}
	tl := point.Build([]point.Repo{a}, days(rule("a")))
	c := tl.Points[0].Choices[0]
	if c.Reason != point.Released || c.Release.Tag != "5-master" || c.NextOlder == nil || c.NextOlder.Tag != "3-master" {
		t.Errorf("%+v", c)
	}
	if want := "5-master can no longer be pulled: layer sha256:77; the next older one is 3-master of 2019-06-03"; c.Problem != want {
		t.Error(c.Problem)
	}
	if want := "4-master is quarantined: crashes on start; the next older one is 3-master of 2019-06-03"; tl.Points[1].Choices[0].Problem != want {
		t.Error(tl.Points[1].Choices[0].Problem)
	}
	if next := a.NextOlder(&a.Releases[0]); next == nil || next.Tag != "3-master" {
		t.Errorf("%+v", next)
	}

	for _, r := range []string{"sha256:a3", "sha256:a2"} {
		a.Mark(r, "manifest", "")
	}
	if c := point.Build([]point.Repo{a}, days(rule("a"))).Points[0].Choices[0]; c.NextOlder != nil || !strings.HasSuffix(c.Problem, "there is no older one that could be had") {
		t.Error(c.Problem)
	}
	a.Complete, a.Horizon = false, day(5)
	if c := point.Build([]point.Repo{a}, days(rule("a", keep(1)))).Points[0].Choices[0]; !strings.HasSuffix(c.Problem, "older ones were not read") {
		t.Error(c.Problem)
	}
	if a.NextOlder(&a.Releases[0]) != nil || a.NextOlder(&point.Release{Tag: "77-master"}) != nil {
		t.Error("there is no next older one")
	}
}

func TestWarnings(t *testing.T) {
	out := repo("out", rel("out", "7", day(1)), rel("out", "6", day(2)), rel("out", "5", day(3)), rel("out", "8", day(4)))
	odd := repo("odd", rel("odd", "1", day(1)))
	odd.Tags, odd.Matched, odd.Unordered = 9, 8, true
	for _, tag := range []string{"9-master", "8-master", "7-master", "6-master", "5-master", "4-master", "3-master"} {
		odd.Skipped = append(odd.Skipped, registry.Skipped{Tag: tag, Reason: registry.SkipNoDate, Detail: "tried label and config; found 1970."})
	}
	odd.Skipped = append(odd.Skipped, registry.Skipped{Tag: "2-master", Reason: registry.SkipGone})
	empty := repo("empty")
	empty.Tags = 57
	tl := point.Build([]point.Repo{out, odd, empty, {Name: "dark", Unknown: "502"}}, days(rule("out"), rule("odd"), rule("empty"), rule("dark")))
	var have []string
	for _, d := range tl.Warnings {
		if d.Severity != "warning" {
			t.Errorf("%s", d.Severity)
		}
		have = append(have, d.Address+": "+d.Summary+": "+d.Detail)
	}
	want := []string{
		"repo.out: Build order disagrees with dates: In out, 5-master is dated 2019-06-03T12:00:00Z, later than 6-master (2019-06-02T12:00:00Z), though its build is lower. The same holds for 1 pair more. Dates decide.",
		"repo.odd: Release without a date: 7 tags of odd left out: 9-master, 8-master, 7-master, 6-master, 5-master and 2 more. For the first: tried label and config; found 1970. Set the label or annotation org.opencontainers.image.created in the build, or put a date into the tag and name it in tag.pattern and release.date_from.",
		"repo.odd: Image is gone: 1 tag of odd left out: 2-master. For the first: no further detail. Its tag is still listed, but it can no longer be pulled: see the registry's clean-up rules.",
		"repo.odd: Registry plugin sent builds out of order: The plugin did not send the newest builds of odd first, so all of them were read. The result is exact, but slow.",
		"repo.empty: Repo without releases: empty has 57 tags, 0 of the environment's branch, and none of them is a usable release.",
		"repo.dark: Repo could not be read: Of dark nothing is known: 502. Its cells are unknown; nothing is filled across them.",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

func TestDeployments(t *testing.T) {
	at := func(d, h int) time.Time { return day(d, h) }
	known := repo("a", rel("a", "2", day(1)), rel("a", "1", day(1, -24)))
	repos := point.Deployed([]point.Repo{known, {Name: "dark", Unknown: "502"}}, []point.Deployment{
		{Repo: "a", App: "/a", Tag: "2-master", At: at(3, 0)},
		{Repo: "a", App: "/a", Tag: "1-master", At: at(4, 0)},
		{Repo: "a", App: "/a", Tag: "1-master", At: at(5, 0)}, // only its configuration was changed
		{Repo: "a", App: "/a", Tag: "2-master", Digest: "sha256:a2", At: at(6, 0)},
		{Repo: "a", App: "/a-worker", Tag: "2-master", At: at(3, 1)},
		{Repo: "a", App: "/a", Tag: "77-master", At: at(7, 0)}, // no longer in the registry
		{Repo: "b", App: "/b", Tag: "9-master", At: at(7, 0)},
	}, pattern(t))
	o := days(rule("a"), rule("dark"))
	tl := point.Build(repos, o)
	var have [][]string
	for _, p := range tl.Points {
		have = append(have, append([]string{p.Date}, got(p)...))
	}
	if diff := cmp.Diff([][]string{
		{"2019-06-07", "a released 77-master", "dark unknown"},
		{"2019-06-06", "a released 2-master", "dark unknown"},
		{"2019-06-04", "a released 1-master", "dark unknown"},
		{"2019-06-03", "a released 2-master", "dark unknown"},
	}, have); diff != "" {
		t.Error(diff)
	}
	r := tl.Points[2].Choices[0].Release
	if !r.Created.Equal(day(1, -24)) || !r.Deployed.Equal(at(4, 0)) || r.Digest != "sha256:a1" {
		t.Errorf("what the registry knows is not taken over: %+v", r)
	}
	if lost := tl.Points[0].Choices[0].Release; lost.Build != "77" || lost.Digest != "" || !lost.Created.IsZero() {
		t.Errorf("%+v", lost)
	}
	if p, _ := tl.Current([]point.Running{{Repo: "a", App: "/a", Tag: "2-master"}}); p.Date != "2019-06-06" {
		t.Errorf("the latest deployment of what runs was on %s", p.Date)
	}
	if len(tl.Warnings) != 1 {
		t.Errorf("deployments in another order than builds are nothing to warn of: %v", tl.Warnings)
	}
}
