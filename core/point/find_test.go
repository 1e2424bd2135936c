package point_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
)

// story is two repos: a released on the 1st, 3rd and 5th, b on the 1st, 4th and 6th.
func story() []point.Repo {
	return []point.Repo{
		repo("a", rel("a", "5", day(5)), rel("a", "3", day(3)), rel("a", "1", day(1))),
		repo("b", rel("b", "6", day(6)), rel("b", "4", day(4)), rel("b", "1", day(1))),
	}
}

func runs(a, b string) []point.Running {
	return []point.Running{{Repo: "a", App: "/a", Tag: a}, {Repo: "b", App: "/b", Tag: b}}
}

func TestFindByDay(t *testing.T) {
	now := time.Date(2019, 6, 5, 1, 0, 0, 0, time.UTC)
	tests := []struct {
		name, when string
		running    []point.Running
		date       string
		got        []string
		fails      string
	}{
		{name: "a date", when: "2019-06-03", date: "2019-06-03", got: []string{"a released 3-master", "b gap_filled 1-master"}},
		{name: "yesterday", when: "yesterday", date: "2019-06-04", got: []string{"a gap_filled 3-master", "b released 4-master"}},
		{name: "a date that no repo has", when: "2019-06-02", fails: "no repo has a release on 2019-06-02; the nearest points are 2019-06-01, 2019-06-03, 2019-06-04"},
		{name: "a date before all points", when: "2018-01-01", fails: "the nearest points are 2019-06-01, 2019-06-03 (points reach back as far as retention.count releases a repo)"},
		{name: "a date after all points", when: "2020-01-01", fails: "the nearest points are 2019-06-05, 2019-06-06"},
		{name: "an instant after the day's release is the day", when: "2019-06-03T18:00:00Z", date: "2019-06-03T18:00:00Z", got: []string{"a released 3-master", "b gap_filled 1-master"}},
		{name: "the very instant of a release has it", when: "2019-06-03T14:00:00+02:00", date: "2019-06-03T12:00:00Z", got: []string{"a released 3-master", "b gap_filled 1-master"}},
		{name: "an instant before the day's release is a date that no repo has", when: "2019-06-03T11:59:59Z", fails: "no repo has a release on 2019-06-03 up to 2019-06-03T11:59:59Z"},
		{name: "an instant of a day without release", when: "2019-06-02T11:00:00Z", fails: "no repo has a release on 2019-06-02 up to"},
		{name: "the point before what runs", when: "-1", running: runs("5-master", "6-master"), date: "2019-06-05", got: []string{"a released 5-master", "b gap_filled 4-master"}},
		{name: "the one before that", when: "-2", running: runs("5-master", "6-master"), date: "2019-06-04"},
		{name: "what runs is the newest of all apps", when: "-1", running: runs("5-master", "1-master"), date: "2019-06-04"},
		{name: "after a rollback it counts from there", when: "-1", running: runs("3-master", "1-master"), date: "2019-06-01"},
		{name: "too far back", when: "-9", running: runs("5-master", "6-master"), fails: "there is no point -9: only 4 usable points before 2019-06-06"},
		{name: "nothing before what runs", when: "-1", running: runs("1-master", "1-master"), fails: "there is no point -1: only 0 usable points before 2019-06-01"},
		{name: "nothing known runs", when: "-1", running: runs("hotfix", ""), fails: "no app runs a known release: name a date, such as 2019-06-06"},
		{name: "nothing runs", when: "-1", fails: "no app runs a known release"},
		{name: "zero is no count", when: "-0", fails: "is no date"},
		{name: "a plus neither", when: "+1", fails: "is no date"},
		{name: "a day that no calendar has", when: "2019-02-30", fails: "is no date"},
		{name: "nonsense has no control characters in its answer", when: "\x1b[31mred", fails: "\"\uFFFD[31mred\" is no date"},
		{name: "nothing", when: "", fails: "is no date: use a day such as 2019-06-06"},
		{name: "a count beyond all numbers", when: "-99999999999999999999", fails: "is no date"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tl := point.Build(story(), days(rule("a"), rule("b")))
			f, err := tl.Find(tt.when, now, tt.running)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("error %v, want %q", err, tt.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.Point.Date != tt.date || f.Asked != tt.when {
				t.Errorf("%s means %s, want %s", f.Asked, f.Point.Date, tt.date)
			}
			if tt.got != nil {
				if diff := cmp.Diff(tt.got, got(f.Point)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestAnInstantDoesNotSeeTheRestOfItsDay(t *testing.T) {
	a := repo("a", rel("a", "3", day(3, 5)), rel("a", "2", day(3)), rel("a", "1", day(1)))
	b := repo("b", rel("b", "9", day(3, 1)), rel("b", "8", day(2)))
	tl := point.Build([]point.Repo{a, b}, days(rule("a"), rule("b")))
	f, err := tl.Find("2019-06-03T12:30:00Z", day(9), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a released 2-master", "b gap_filled 8-master"}, got(f.Point)); diff != "" {
		t.Error(diff)
	}
	if w := f.Point.Choices[1].Words; w != "no release on 2019-06-03 up to 2019-06-03T12:30:00Z; nearest earlier is 8-master of 2019-06-02 (1 day before)" {
		t.Error(w)
	}
}

func TestFindByRelease(t *testing.T) {
	half := day(3).Add(500 * time.Millisecond)
	a := repo("a", rel("a", "5", day(5)), rel("a", "4", half), rel("a", "3", day(2)), rel("a", "2", day(2).Add(time.Millisecond)), rel("a", "1", day(2).Add(2*time.Millisecond)))
	tl := point.Build([]point.Repo{a}, point.Options{Rules: []policy.Repo{rule("a")}, By: policy.ByRelease})
	for when, want := range map[string]string{
		"2019-06-05T12:00:00Z":      "2019-06-05T12:00:00Z",
		"2019-06-05T14:00:00+02:00": "2019-06-05T12:00:00Z",
		"2019-06-03T12:00:00Z":      "2019-06-03T12:00:00.5Z", // written to the second, and only one fits
		"2019-06-03T12:00:00.5Z":    "2019-06-03T12:00:00.5Z",
		"2019-06-02":                "2019-06-02T12:00:00.002Z", // the newest of the day
		"2019-06-02T12:00:00Z":      "2019-06-02T12:00:00Z",
	} {
		f, err := tl.Find(when, day(9), nil)
		if err != nil || f.Point.Date != want {
			t.Errorf("%s means %q (%v), want %s", when, f.Point.Date, err, want)
		}
	}
	for when, want := range map[string]string{
		"2019-06-03T12:00:00.4Z": "no repo has a release at 2019-06-03T12:00:00.4Z; the nearest points are 2019-06-02T12:00:00.001Z, 2019-06-02T12:00:00.002Z, 2019-06-03T12:00:00.5Z, 2019-06-05T12:00:00Z",
		"2019-06-04":             "no repo has a release on 2019-06-04",
	} {
		if _, err := tl.Find(when, day(9), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", when, err)
		}
	}
	a.Releases = a.Releases[3:]
	tl = point.Build([]point.Repo{a}, point.Options{Rules: []policy.Repo{rule("a")}, By: policy.ByRelease})
	if _, err := tl.Find("2019-06-02T12:00:00Z", day(9), nil); err == nil || !strings.Contains(err.Error(), "say which") {
		t.Errorf("two fit: %v", err)
	}
}

func TestMinusOneSkipsWhatIsBadAndSaysSo(t *testing.T) {
	repos := story()
	repos[0].Mark("sha256:a5", "", "lost orders")
	repos[1].Mark("sha256:b4", "manifest", "")
	tl := point.Build(repos, days(rule("a"), rule("b")))
	f, err := tl.Find("-1", day(9), runs("5-master", "6-master"))
	if err != nil {
		t.Fatal(err)
	}
	want := point.Found{Asked: "-1", Point: f.Point, Current: "2019-06-06", Skipped: []string{
		"2019-06-05: a 5-master is quarantined: lost orders, b 4-master can no longer be pulled: manifest",
		"2019-06-04: b 4-master can no longer be pulled: manifest",
	}}
	if diff := cmp.Diff(want, f); diff != "" || f.Point.Date != "2019-06-03" {
		t.Error(f.Point.Date, diff)
	}
	if _, err := tl.Find("-3", day(9), runs("5-master", "6-master")); err == nil || !strings.Contains(err.Error(), "only 2 usable points before 2019-06-06, which is what runs now (skipped 2019-06-05: ") {
		t.Error(err)
	}
}

func TestCurrentToleratesWhatItDoesNotKnowAndSaysSo(t *testing.T) {
	tl := point.Build(story(), days(rule("a", keep(1)), rule("b")))
	tests := []struct {
		name    string
		running []point.Running
		date    string
		notes   []string
	}{
		{name: "a release that is no longer retained counts", running: []point.Running{{Repo: "a", App: "/a", Tag: "3-master"}}, date: "2019-06-03"},
		{name: "by digest, whatever the tag", running: []point.Running{{Repo: "a", App: "/a", Tag: "nightly", Digest: "sha256:a3"}}, date: "2019-06-03"},
		{
			name: "an unknown digest of a known tag", running: []point.Running{{Repo: "a", App: "/a", Tag: "3-master", Digest: "sha256:ff"}}, date: "2019-06-03",
			notes: []string{"/a runs 3-master with another digest than the tag has now; it counts as of 2019-06-03"},
		},
		{
			name: "an unknown tag does not count", running: []point.Running{{Repo: "a", App: "/a", Tag: "hot\x1bfix"}, {Repo: "b", App: "/b", Tag: "1-master"}}, date: "2019-06-01",
			notes: []string{"/a runs hot\uFFFDfix, which is no known release of a and does not count for what is current"},
		},
		{
			name: "nor an unknown digest, or nothing", running: []point.Running{{Repo: "a", App: "/a", Digest: "sha256:ff"}, {Repo: "zz", App: "/z"}},
			notes: []string{
				"/a runs sha256:ff, which is no known release of a and does not count for what is current",
				"/z runs an image without tag, which is no known release of zz and does not count for what is current",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, notes := tl.Current(tt.running)
			if p.Date != tt.date {
				t.Errorf("current is %q, want %q", p.Date, tt.date)
			}
			if diff := cmp.Diff(tt.notes, notes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithoutPointsThereIsNothingToFind(t *testing.T) {
	tl := point.Build([]point.Repo{{Name: "a", Unknown: "502"}}, days(rule("a")))
	if _, err := tl.Find("2019-06-01", day(1), nil); err == nil || !strings.Contains(err.Error(), "no restore point") {
		t.Error(err)
	}
}

func TestYesterdayIsACalendarDayInTheZone(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	// On the 1st of April, 23 hours and a bit after the clocks went forward; in UTC it is still March 31st.
	a := repo("a", rel("a", "1", time.Date(2019, 3, 31, 0, 30, 0, 0, zone)))
	tl := point.Build([]point.Repo{a}, point.Options{Rules: []policy.Repo{rule("a")}, Zone: zone})
	f, err := tl.Find("yesterday", time.Date(2019, 4, 1, 0, 15, 0, 0, zone), nil)
	if err != nil || f.Point.Date != "2019-03-31" {
		t.Errorf("%s, %v", f.Point.Date, err)
	}
}
