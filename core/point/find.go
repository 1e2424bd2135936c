package point

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/policy"
)

// Running is what one app of a repo runs now.
type Running struct {
	Repo, App string
	// Tag and Digest are those of the image reference; either may be "".
	Tag, Digest string
}

// Found is what a WHEN means.
type Found struct {
	// Asked is what the person said.
	Asked string
	// Point is filled.
	Point Point
	// Current is the date of the newest point among what runs now, retained or not; "" when none of it is a known release.
	Current string
	// Skipped are points passed over by -N, newest first, each "DATE: why".
	Skipped []string
	// Notes are what a person should know of how Current was told, such as an app that runs no known release.
	Notes []string
}

// relative is a WHEN that counts points back from what runs now.
var relative = regexp.MustCompile(`^-[1-9][0-9]{0,8}$`)

// Find says which point a WHEN means (DESIGN.md section 4): a date, an RFC 3339 instant, "yesterday", "-1", "-2", ….
// now decides what yesterday is, in the timeline's zone; running what "-1" counts from.
//
// A date means its day. With points by release it means the newest point of that day.
// An instant means, with points by day, its day as it stood at that instant, releases of that very instant included;
// with points by release, the point of that instant (to the second, if it is written to the second and only one fits).
// A date or instant without a release is an error that names the nearest points.
// A word that is no WHEN at all is an error that says what is one.
func (t *Timeline) Find(when string, now time.Time, running []Running) (Found, error) {
	f := Found{Asked: when}
	current, notes := t.Current(running)
	f.Current, f.Notes = current.Date, notes
	if len(t.Points) == 0 {
		return f, errors.New("there is no restore point: none of the repos has a release that could be read")
	}
	var err error
	switch day, instant := parseDay(when), parseInstant(when); {
	case relative.MatchString(when):
		n, _ := strconv.Atoi(when[1:])
		f.Point, f.Skipped, err = t.back(n, current)
	case when == "yesterday":
		y, m, d := now.In(t.zone).Date()
		f.Point, err = t.onDay(time.Date(y, m, d-1, 0, 0, 0, 0, time.UTC))
	case !day.IsZero():
		f.Point, err = t.onDay(day)
	case !instant.IsZero():
		f.Point, err = t.at(instant, when)
	default:
		err = fmt.Errorf("%q is no date: use a day such as %s, an RFC 3339 instant, yesterday, or -1 for the point before what runs now",
			clean(when), t.Points[0].Start.In(t.zone).Format(time.DateOnly))
	}
	return f, err
}

// Current returns the newest point, without choices, among what runs now; it may be one that is not retained.
// The notes name apps whose image is no known release, which do not count. Without any known release the point is zero.
func (t *Timeline) Current(running []Running) (Point, []string) {
	var current Point
	var notes []string
	for _, run := range running {
		r := t.Lookup(run.Repo, run.Tag, run.Digest)
		if r == nil && run.Digest != "" && run.Tag != "" {
			if r = t.Lookup(run.Repo, run.Tag, ""); r != nil {
				notes = append(notes, fmt.Sprintf("%s runs %s with another digest than the tag has now; it counts as of %s",
					run.App, clean(run.Tag), t.label(r.When())))
			}
		}
		if r == nil {
			notes = append(notes, fmt.Sprintf("%s runs %s, which is no known release of %s and does not count for what is current",
				run.App, nameOf(run), run.Repo))
			continue
		}
		if p := t.around(r.When()); current.Date == "" || p.Start.After(current.Start) {
			current = p
		}
	}
	return current, notes
}

// Lookup finds a release by digest, or by tag where the digest is "". It is nil when no known release is that.
// With points from deployments it is the latest deployment of it.
func (t *Timeline) Lookup(repo, tag, digest string) *Release {
	for i := range t.repos {
		if t.repos[i].Name == repo {
			return t.repos[i].Lookup(tag, digest)
		}
	}
	return nil
}

// Lookup finds a release by digest, or by tag where the digest is ""; nil when there is none.
func (r *Repo) Lookup(tag, digest string) *Release {
	for i := range r.Releases {
		rel := &r.Releases[i]
		if digest != "" && rel.Digest != "" {
			if rel.Digest == digest {
				return rel
			}
			continue
		}
		if tag != "" && (rel.Tag == tag || slices.Contains(rel.AlsoTags, tag)) {
			return rel
		}
	}
	return nil
}

func nameOf(run Running) string {
	switch {
	case run.Tag != "":
		return clean(run.Tag)
	case run.Digest != "":
		return clean(run.Digest)
	}
	return "an image without tag"
}

// back returns the n-th point strictly older than current, not counting those that hold something bad.
func (t *Timeline) back(n int, current Point) (Point, []string, error) {
	if current.Date == "" {
		return Point{}, nil, fmt.Errorf("-%d counts back from what runs now, but no app runs a known release: name a date, such as %s", n, t.Points[0].Date)
	}
	var skipped []string
	left := n
	for _, p := range t.Points {
		if !p.Start.Before(current.Start) {
			continue
		}
		if why := bad(&p); why != "" {
			skipped = append(skipped, p.Date+": "+why)
			continue
		}
		if left--; left == 0 {
			return p, skipped, nil
		}
	}
	err := fmt.Errorf("there is no point -%d: only %s before %s, which is what runs now", n, plural(n-left, "usable point"), current.Date)
	if len(skipped) > 0 {
		err = fmt.Errorf("%w (skipped %s)", err, strings.Join(skipped, "; "))
	}
	return Point{}, skipped, err
}

// bad says what of a point must not be gone back to; "" when nothing is known against it.
func bad(p *Point) string {
	var all []string
	for _, c := range p.Choices {
		if c.Release != nil && c.Release.Bad() != "" {
			all = append(all, c.Repo+" "+c.Release.Tag+" "+c.Release.Bad())
		}
	}
	return strings.Join(all, ", ")
}

// onDay finds the point of a day, whose zone does not count; by release, the day's newest.
func (t *Timeline) onDay(day time.Time) (Point, error) {
	y, m, d := day.Date()
	start, end := dayStart(y, m, d, t.zone), dayStart(y, m, d+1, t.zone)
	for _, p := range t.Points {
		if !p.Start.Before(start) && p.Start.Before(end) {
			return p, nil
		}
	}
	return Point{}, t.noPoint("on "+day.Format(time.DateOnly), start)
}

// at finds what an instant means.
func (t *Timeline) at(instant time.Time, when string) (Point, error) {
	if t.byInstant() {
		return t.atRelease(instant, when)
	}
	p := t.day(instant)
	p.Date, p.End = instant.In(t.zone).Format(time.RFC3339Nano), instant.Add(1)
	for i := range t.repos {
		for _, r := range t.retained(i) {
			if !r.When().Before(p.Start) && r.When().Before(p.End) {
				t.Fill(&p)
				return p, nil
			}
		}
	}
	return Point{}, t.noPoint("on "+p.Date[:len(time.DateOnly)]+" up to "+p.Date, instant)
}

func (t *Timeline) atRelease(instant time.Time, when string) (Point, error) {
	var fits []Point
	for _, p := range t.Points {
		if p.Start.Equal(instant) {
			return p, nil
		}
		if !strings.Contains(when, ".") && p.Start.Truncate(time.Second).Equal(instant) {
			fits = append(fits, p)
		}
	}
	switch len(fits) {
	case 0:
		return Point{}, t.noPoint("at "+instant.In(t.zone).Format(time.RFC3339Nano), instant)
	case 1:
		return fits[0], nil
	}
	return Point{}, fmt.Errorf("%s may be %s or %s: say which, with the fraction of the second", when, fits[0].Date, fits[1].Date)
}

// mostSuggested bounds how many points an unknown date is answered with, on either side of it.
const mostSuggested = 2

// noPoint is the error for a date that no repo has; it names the nearest ones that some repo has.
func (t *Timeline) noPoint(where string, at time.Time) error {
	later := 0
	for later < len(t.Points) && t.Points[later].Start.After(at) {
		later++
	}
	near := t.Points[max(0, later-mostSuggested):min(len(t.Points), later+mostSuggested)]
	names := make([]string, len(near))
	for i, p := range near {
		names[len(near)-1-i] = p.Date
	}
	err := fmt.Errorf("no repo has a release %s; the nearest points are %s", where, strings.Join(names, ", "))
	if later == len(t.Points) {
		err = fmt.Errorf("%w (points reach back as far as retention.count releases a repo)", err)
	}
	return err
}

func (t *Timeline) byInstant() bool { return t.by == policy.ByRelease }

func parseDay(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}
	}
	return d
}

func parseInstant(s string) time.Time {
	d, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return d
}

// clean replaces control characters of text that came from outside.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
