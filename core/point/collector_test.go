package point_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/sdk/registry"
)

// day returns an instant on a day of June 2019, at noon plus some hours.
func day(d int, hours ...int) time.Time {
	at := time.Date(2019, 6, d, 12, 0, 0, 0, time.UTC)
	for _, h := range hours {
		at = at.Add(time.Duration(h) * time.Hour)
	}
	return at
}

func pattern(t interface{ Fatal(...any) }) *registry.Pattern {
	p, err := registry.CompilePattern(registry.DefaultPattern)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// item is a release of the branch master; its digest follows from the build.
func item(build int, at time.Time) registry.Item {
	return registry.Item{Release: &registry.Release{
		Repo: "a", Tag: fmt.Sprintf("%d-master", build), Digest: fmt.Sprintf("sha256:%d", build),
		Created: at, CreatedFrom: registry.FromConfig,
	}}
}

// read feeds items, after a Listing that announces them, to a collector.
func read(t interface{ Fatal(...any) }, want point.Want, items ...registry.Item) point.Repo {
	want.Repo, want.Branch, want.Pattern = "a", "master", pattern(t)
	c := point.NewCollector(want)
	all := append([]registry.Item{{Listing: &registry.Listing{Repository: "registry/a", Tags: len(items), Matched: len(items)}}}, items...)
	for _, it := range all {
		if err := c.Yield(it); err != nil {
			return c.Finish(err)
		}
	}
	return c.Finish(nil)
}

func tags(rs []point.Release) []string {
	out := []string{}
	for _, r := range rs {
		out = append(out, r.Tag)
	}
	return out
}

func TestBuilds9And10And1042AreNumbers(t *testing.T) {
	// All of one instant, so that only the build decides; 9 > 10 > 1042 as text.
	repo := read(t, point.Want{Count: 10}, item(1042, day(1)), item(10, day(1)), item(9, day(1)))
	if diff := cmp.Diff([]string{"1042-master", "10-master", "9-master"}, tags(repo.Releases)); diff != "" {
		t.Error(diff)
	}
	if repo.Unordered {
		t.Error("1042, 10, 9 is newest build first")
	}
}

func TestPremasterIsNoReleaseOfMaster(t *testing.T) {
	premaster := registry.Item{Release: &registry.Release{Repo: "a", Tag: "12-premaster", Digest: "sha256:12", Created: day(2)}}
	repo := read(t, point.Want{Count: 10}, premaster, item(11, day(1)))
	if repo.Unknown == "" || len(repo.Releases) != 0 {
		t.Errorf("a plugin that takes 12-premaster for master was believed: %+v", repo)
	}
}

func Test1970DatesCountAsNone(t *testing.T) {
	at1970 := []time.Time{time.Unix(0, 0), time.Unix(1, 0), time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), {}, day(20)}
	var items []registry.Item
	for i, at := range at1970 {
		items = append(items, item(20-i, at))
	}
	repo := read(t, point.Want{Count: 10, NotAfter: day(10)}, append(items, item(9, day(1)))...)
	if diff := cmp.Diff([]string{"9-master"}, tags(repo.Releases)); diff != "" {
		t.Error(diff)
	}
	if len(repo.Skipped) != len(at1970) {
		t.Fatalf("%d of %d left out are reported: %+v", len(repo.Skipped), len(at1970), repo.Skipped)
	}
	for _, s := range repo.Skipped {
		if s.Reason != registry.SkipNoDate || s.Detail == "" {
			t.Errorf("%+v", s)
		}
	}
}

func TestReadingStopsAfterTheMargin(t *testing.T) {
	inOrder := func(from, to int) []registry.Item {
		var items []registry.Item
		for b := from; b >= to; b-- {
			items = append(items, item(b, day(1).Add(time.Duration(b)*time.Hour)))
		}
		return items
	}
	swapped := inOrder(20, 1)
	// 12 is dated after 20: it comes late, and counts.
	swapped[8] = item(12, day(1).Add(100*time.Hour))
	at := func(b int) time.Time { return day(1).Add(time.Duration(b) * time.Hour) }
	tests := []struct {
		name     string
		want     point.Want
		items    []registry.Item
		newest   []string
		horizon  time.Time
		complete bool
	}{
		{
			name: "margin releases in a row are too old", want: point.Want{Count: 3, Margin: 4}, items: inOrder(20, 1),
			newest: []string{"20-master", "19-master", "18-master"}, horizon: at(18),
		},
		{
			name: "a release that matters begins the row again", want: point.Want{Count: 3, Margin: 6}, items: swapped,
			newest: []string{"12-master", "20-master", "19-master"}, horizon: at(19),
		},
		{
			name: "a margin that is too small for the disorder misses it", want: point.Want{Count: 3, Margin: 3}, items: swapped,
			newest: []string{"20-master", "19-master", "18-master"}, horizon: at(18),
		},
		{
			name: "margin 0 reads everything", want: point.Want{Count: 3}, items: swapped,
			newest: []string{"12-master", "20-master", "19-master"}, complete: true,
		},
		{
			name: "a listing that ends first is complete", want: point.Want{Count: 3, Margin: 30}, items: swapped,
			newest: []string{"12-master", "20-master", "19-master"}, complete: true,
		},
		{
			name: "need reads on to the newest release before it", want: point.Want{Count: 2, Margin: 3, Need: at(10)}, items: inOrder(20, 1),
			newest: []string{"20-master", "19-master"}, horizon: at(9),
		},
		{
			name: "need that the retained releases fulfil costs nothing", want: point.Want{Count: 3, Margin: 3, Need: at(20)}, items: inOrder(20, 1),
			newest: []string{"20-master", "19-master"}, horizon: at(18),
		},
		{
			name: "need that nothing fulfils reads everything", want: point.Want{Count: 2, Margin: 3, Need: at(1)}, items: inOrder(20, 1),
			newest: []string{"20-master", "19-master"}, complete: true,
		},
		{
			name: "need before the only older release is not fulfilled by a later one", want: point.Want{Count: 1, Margin: 2, Need: at(5)}, items: inOrder(20, 2),
			newest: []string{"20-master"}, horizon: at(4),
		},
		{
			name: "a plugin that is out of order is read to the end", want: point.Want{Count: 1, Margin: 1},
			items:  []registry.Item{item(5, at(5)), item(7, at(7)), item(6, at(6)), item(4, at(4))},
			newest: []string{"7-master"}, complete: true,
		},
		{
			name: "a count below one is one", want: point.Want{Margin: 2}, items: inOrder(9, 1),
			newest: []string{"9-master"}, horizon: at(9),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repo := read(t, tt.want, tt.items...)
			if repo.Unknown != "" {
				t.Fatal(repo.Unknown)
			}
			if diff := cmp.Diff(tt.newest, tags(repo.Releases)[:len(tt.newest)]); diff != "" {
				t.Error(diff)
			}
			if repo.Complete != tt.complete || !repo.Horizon.Equal(tt.horizon) {
				t.Errorf("complete %v, horizon %v; want %v, %v", repo.Complete, repo.Horizon, tt.complete, tt.horizon)
			}
			for _, r := range repo.Releases {
				if r.Created.Before(repo.Horizon) {
					t.Errorf("%s lies behind the horizon and is told as certain", r.Tag)
				}
			}
		})
	}
}

func TestTagsOnOneDigestAreOneRelease(t *testing.T) {
	alias := func(build int, at time.Time) registry.Item {
		it := item(build, at)
		it.Release.Digest = "sha256:same"
		return it
	}
	for name, items := range map[string][]registry.Item{
		"newest build first": {alias(12, day(3)), item(11, day(2)), alias(10, day(3)), alias(9, day(3))},
		"any order":          {alias(9, day(3)), item(11, day(2)), alias(12, day(3)), alias(10, day(3))},
	} {
		t.Run(name, func(t *testing.T) {
			repo := read(t, point.Want{Count: 5}, items...)
			if diff := cmp.Diff([]string{"12-master", "11-master"}, tags(repo.Releases)); diff != "" {
				t.Fatal(diff)
			}
			if diff := cmp.Diff([]string{"10-master", "9-master"}, repo.Releases[0].AlsoTags); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAListingThatBreaksTheRulesIsUnknown(t *testing.T) {
	listing := registry.Item{Listing: &registry.Listing{Repository: "registry/a", Tags: 2, Matched: 2}}
	noDigest := item(5, day(1))
	noDigest.Release.Digest = ""
	skippedTwice := registry.Item{Skipped: &registry.Skipped{Tag: "5-master", Reason: registry.SkipNoDate}}
	tests := map[string][]registry.Item{
		"no listing first":            {item(5, day(1))},
		"nothing at all":              {},
		"two listings":                {listing, listing},
		"fewer tags than announced":   {listing, item(5, day(1))},
		"more tags than announced":    {listing, item(5, day(1)), item(4, day(1)), item(3, day(1))},
		"a tag twice":                 {listing, item(5, day(1)), item(5, day(1))},
		"a tag released and skipped":  {listing, item(5, day(1)), skippedTwice},
		"a release without a digest":  {listing, noDigest, item(4, day(1))},
		"an empty item":               {listing, {}},
		"more tags of the branch":     {{Listing: &registry.Listing{Tags: 1, Matched: 2}}},
		"a negative number of tags":   {{Listing: &registry.Listing{Tags: 1, Matched: -1}}},
		"a tag that steers terminals": {{Listing: &registry.Listing{Tags: 1, Matched: 1}}, {Skipped: &registry.Skipped{Tag: "5\x1b[2J-master"}}},
		"a tag that is no tag at all": {listing, {Skipped: &registry.Skipped{Tag: "latest"}}},
	}
	for name, items := range tests {
		t.Run(name, func(t *testing.T) {
			c := point.NewCollector(point.Want{Repo: "a", Pattern: pattern(t), Branch: "master", Count: 1})
			var err error
			for _, it := range items {
				if err = c.Yield(it); err != nil {
					break
				}
			}
			repo := c.Finish(err)
			want := point.Repo{Name: "a", Unknown: repo.Unknown}
			if diff := cmp.Diff(want, repo); diff != "" || repo.Unknown == "" {
				t.Errorf("it was believed: %s", diff)
			}
		})
	}
}

func TestAFailedListingIsUnknownAndAWrappedEnoughIsNot(t *testing.T) {
	want := point.Want{Repo: "a", Pattern: pattern(t), Branch: "master", Count: 1, Margin: 1}
	fill := func() *point.Collector {
		c := point.NewCollector(want)
		for _, it := range []registry.Item{{Listing: &registry.Listing{Tags: 9, Matched: 9}}, item(9, day(9)), item(8, day(8))} {
			if err := c.Yield(it); err != nil && !errors.Is(err, point.ErrEnough) {
				t.Fatal(err)
			}
		}
		return c
	}
	if repo := fill().Finish(errors.New("connection reset")); repo.Unknown != "connection reset" || repo.Releases != nil {
		t.Errorf("%+v", repo)
	}
	if repo := fill().Finish(fmt.Errorf("list releases: %w", point.ErrEnough)); repo.Unknown != "" || len(repo.Releases) != 1 || repo.Complete {
		t.Errorf("%+v", repo)
	}
}
