package point

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollback-project/rollback/sdk/registry"
)

// ErrEnough is what Collector.Yield returns when the host needs no more of a listing.
// It stops ListReleases; Collector.Finish takes it for a good end.
var ErrEnough = errors.New("enough releases have been read")

// notBefore is the last instant of which no image has really been made:
// reproducible builds write 1970 or 1980 (DESIGN.md section 2).
var notBefore = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Want says what a reading of one repo must make certain.
type Want struct {
	Repo string
	// Pattern and Branch say which tags are releases; they are those of the ListRequest.
	Pattern *registry.Pattern
	Branch  string
	// Count newest releases by date must be certain (retention.count), at least 1.
	Count int
	// Margin is how many releases in a row must be too old to matter before the reading stops
	// (retention.margin); 0 reads everything. See docs/decisions/0010-reading-stops-after-a-margin.md.
	Margin int
	// Need, when not zero, also asks for the newest release before this instant: the End of a point.
	Need time.Time
	// NotAfter is the latest instant accepted as a date (ListRequest.NotAfter); zero accepts all.
	NotAfter time.Time
}

// Collector takes the items of one listing and says when there are enough of them.
// It is used from one goroutine, for one listing.
type Collector struct {
	want    Want
	listing *registry.Listing
	byTag   map[string]bool
	// releases is in total order, newest first; byDigest finds them.
	releases []*Release
	byDigest map[string]*Release
	skipped  []registry.Skipped
	// last is the tag read last; unordered is set when the stream was not newest build first.
	last      registry.Tag
	unordered bool
	// run counts the releases read last that are all older than the horizon.
	run int
}

// NewCollector begins a collection. A Count below 1 counts as 1, a negative Margin as 0.
func NewCollector(want Want) *Collector {
	want.Count = max(want.Count, 1)
	want.Margin = max(want.Margin, 0)
	return &Collector{want: want, byTag: map[string]bool{}, byDigest: map[string]*Release{}}
}

// Yield takes the next item: the callback of Registry.ListReleases.
// It returns ErrEnough when no further item can matter, and another error when the item
// breaks the rules of ListReleases (then nothing of the listing may be used).
func (c *Collector) Yield(item registry.Item) error {
	switch {
	case item.Listing != nil:
		return c.begin(*item.Listing)
	case c.listing == nil:
		return errors.New("the listing does not begin with what is going to follow")
	case item.Release != nil:
		return c.addRelease(*item.Release)
	case item.Skipped != nil:
		return c.addSkipped(*item.Skipped)
	default:
		return errors.New("the listing has an empty item")
	}
}

func (c *Collector) begin(l registry.Listing) error {
	if c.listing != nil {
		return errors.New("the listing begins twice")
	}
	if l.Matched < 0 || l.Tags < l.Matched {
		return fmt.Errorf("the listing announces %d tags of the branch among %d", l.Matched, l.Tags)
	}
	c.listing = &l
	return nil
}

// enter checks a tag and notes its place in the stream.
func (c *Collector) enter(name string) (registry.Tag, error) {
	tag, ok := c.want.Pattern.Parse(name)
	if !ok || tag.Branch != c.want.Branch || clean(name) != name {
		return tag, fmt.Errorf("the listing has the tag %q, which is none of branch %q", name, c.want.Branch)
	}
	if c.byTag[name] {
		return tag, fmt.Errorf("the listing has the tag %q twice", name)
	}
	if len(c.byTag) == c.listing.Matched {
		return tag, fmt.Errorf("the listing announced %d tags and has more, such as %q", c.listing.Matched, name)
	}
	if len(c.byTag) > 0 && registry.CompareTags(c.last, tag) < 0 {
		// Whoever relies on an order that is not kept may stop too early: read everything instead.
		c.unordered = true
	}
	c.byTag[name] = true
	c.last = tag
	return tag, nil
}

func (c *Collector) addSkipped(s registry.Skipped) error {
	if _, err := c.enter(s.Tag); err != nil {
		return err
	}
	c.skipped = append(c.skipped, s)
	return nil
}

func (c *Collector) addRelease(in registry.Release) error {
	tag, err := c.enter(in.Tag)
	if err != nil {
		return err
	}
	if in.Digest == "" {
		return fmt.Errorf("the listing has the tag %q without a digest", in.Tag)
	}
	if why := implausible(in.Created, c.want.NotAfter); why != "" {
		c.skipped = append(c.skipped, registry.Skipped{Tag: in.Tag, Digest: in.Digest, Reason: registry.SkipNoDate, Detail: why})
		return nil
	}
	if known := c.byDigest[in.Digest]; known != nil {
		c.merge(known, tag, in)
		return nil
	}
	r := &Release{
		Repo: c.want.Repo, Tag: in.Tag, Build: tag.Build, Digest: in.Digest,
		Created: in.Created, CreatedFrom: in.CreatedFrom, Labels: in.Labels,
	}
	c.byDigest[in.Digest] = r
	c.insert(r)
	return c.count(r)
}

// merge adds one more tag to a release. The tag of the newest build stands for it, whatever came first.
func (c *Collector) merge(r *Release, tag registry.Tag, in registry.Release) {
	if registry.CompareTags(tag, registry.Tag{Name: r.Tag, Build: r.Build}) < 0 {
		r.AlsoTags = append(r.AlsoTags, in.Tag)
		return
	}
	r.AlsoTags = append(r.AlsoTags, r.Tag)
	r.Tag, r.Build = in.Tag, tag.Build
	r.Created, r.CreatedFrom, r.Labels = in.Created, in.CreatedFrom, in.Labels
	i := slices.Index(c.releases, r)
	c.releases = slices.Delete(c.releases, i, i+1)
	c.insert(r)
}

func (c *Collector) insert(r *Release) {
	i, _ := slices.BinarySearchFunc(c.releases, r, newestFirst)
	c.releases = slices.Insert(c.releases, i, r)
}

// count decides whether the listing has been read far enough after r came.
func (c *Collector) count(r *Release) error {
	edge := c.edge()
	if edge == nil {
		return nil
	}
	if newestFirst(r, edge) > 0 {
		c.run++
	} else {
		c.run = 0
	}
	if c.want.Margin > 0 && !c.unordered && c.run >= c.want.Margin {
		return ErrEnough
	}
	return nil
}

// edge is the oldest release that matters: the older of the last one that is retained and of
// the one that Need asks for. It is nil as long as one of them has not been read.
func (c *Collector) edge() *Release {
	n := c.want.Count
	if !c.want.Need.IsZero() {
		n = max(n, 1+older(c.releases, c.want.Need))
	}
	if n > len(c.releases) {
		return nil
	}
	return c.releases[n-1]
}

// older returns the index of the newest release before t.
func older(rs []*Release, t time.Time) int {
	i, _ := slices.BinarySearchFunc(rs, t, func(r *Release, t time.Time) int {
		if r.Created.Before(t) {
			return 1
		}
		return -1
	})
	return i
}

// Finish ends the collection with what ListReleases returned: nil, ErrEnough (possibly wrapped), or why it failed.
// A listing that failed, or is not what it announced, gives a Repo that is Unknown; it never gives a shorter one.
func (c *Collector) Finish(err error) Repo {
	enough := errors.Is(err, ErrEnough)
	switch {
	case err != nil && !enough:
		return Repo{Name: c.want.Repo, Unknown: err.Error()}
	case c.listing == nil:
		return Repo{Name: c.want.Repo, Unknown: "the registry's listing was empty: it did not even say how many tags there are"}
	case !enough && len(c.byTag) != c.listing.Matched:
		return Repo{Name: c.want.Repo, Unknown: fmt.Sprintf("the registry announced %d tags of the branch and sent %d", c.listing.Matched, len(c.byTag))}
	}
	repo := Repo{
		Name: c.want.Repo, Repository: c.listing.Repository, Complete: !enough,
		Tags: c.listing.Tags, Matched: c.listing.Matched, Skipped: c.skipped, Unordered: c.unordered,
	}
	known := c.releases
	if enough {
		edge := c.edge()
		repo.Horizon = edge.Created
		// What lies behind the edge is not certain, so it is not told.
		known = known[:1+slices.Index(known, edge)]
	}
	for _, r := range known {
		slices.SortFunc(r.AlsoTags, func(a, b string) int { return registry.CompareTags(c.parse(b), c.parse(a)) })
		repo.Releases = append(repo.Releases, *r)
	}
	slices.SortFunc(repo.Skipped, func(a, b registry.Skipped) int {
		return registry.CompareTags(c.parse(b.Tag), c.parse(a.Tag))
	})
	return repo
}

func (c *Collector) parse(name string) registry.Tag {
	tag, _ := c.want.Pattern.Parse(name)
	return tag
}

// implausible says why an instant cannot be when an image was made; "" when it can.
func implausible(created, notAfter time.Time) string {
	switch {
	case created.IsZero():
		return "it has no date"
	case !created.After(notBefore):
		return fmt.Sprintf("its date is %s, which reproducible builds write; it counts as none", created.UTC().Format(time.RFC3339))
	case !notAfter.IsZero() && created.After(notAfter):
		return fmt.Sprintf("its date is %s, which is in the future; it counts as none", created.UTC().Format(time.RFC3339))
	}
	return ""
}
