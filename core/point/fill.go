package point

import (
	"fmt"
	"sort"
	"time"

	"github.com/rollback-project/rollback/core/policy"
)

// Fill chooses for every repo what it gets at p (DESIGN.md section 2, "Selecting"); it replaces p.Choices and p.Conflict.
// p is a point of the timeline, or one that Find made.
func (t *Timeline) Fill(p *Point) {
	p.Choices = make([]Choice, len(t.repos))
	for i := range t.repos {
		p.Choices[i] = t.choose(i, p)
	}
	t.compatible(p)
}

// choose says what the i-th repo gets at p.
func (t *Timeline) choose(i int, p *Point) Choice {
	repo, rule := &t.repos[i], t.rules[i].GapFill
	if repo.Unknown != "" {
		return Choice{Repo: repo.Name, Reason: UnknownReason, Words: "the repo could not be read: " + clean(repo.Unknown)}
	}
	s := t.seen(i)
	at := s.before(p.End)
	if at < len(s.releases) && !s.releases[at].When().Before(s.horizon) && !s.releases[at].When().Before(p.Start) {
		return t.released(s, at, p)
	}
	// From here on there is a gap, if only the releases are known far enough down to be sure.
	if s.horizon.After(p.Start) {
		return t.unread(repo, s, p)
	}
	switch rule.Rule {
	case policy.Keep:
		return Choice{Repo: repo.Name, Reason: Kept, Words: t.gap(p) + "; the policy leaves the app as it runs"}
	case policy.Fail:
		return Choice{Repo: repo.Name, Reason: Refused, Words: t.gap(p) + "; the policy refuses gaps of this repo"}
	}
	if at == len(s.releases) || s.releases[at].When().Before(s.horizon) {
		if !s.complete {
			return t.unread(repo, s, p)
		}
		return Choice{Repo: repo.Name, Reason: Missing, Words: t.gap(p) + "; " + t.nothing(i, s)}
	}
	return t.nearest(s, at, p, rule)
}

// sight is what of a repo a choice may look at.
type sight struct {
	repo     *Repo
	releases []Release
	// complete: there is nothing older than releases. Otherwise nothing is certain before horizon.
	complete bool
	horizon  time.Time
}

// seen applies gap_fill.search to the i-th repo.
func (t *Timeline) seen(i int) sight {
	repo := &t.repos[i]
	s := sight{repo: repo, releases: repo.Releases, complete: repo.Complete}
	if !repo.Complete {
		s.horizon = repo.Horizon
	}
	if t.rules[i].GapFill.Search != policy.SearchRetained {
		return s
	}
	kept := t.retained(i)
	// The retained releases are all that counts once every one of them is certain.
	if full := len(kept) == max(t.rules[i].Retention.Count, 1); full && !kept[len(kept)-1].When().Before(s.horizon) {
		s.complete, s.horizon = true, time.Time{}
	}
	s.releases = kept
	return s
}

// before returns the index of the newest release before end; len(s.releases) when there is none.
func (s sight) before(end time.Time) int {
	return sort.Search(len(s.releases), func(i int) bool { return s.releases[i].When().Before(end) })
}

func (t *Timeline) released(s sight, at int, p *Point) Choice {
	r := &s.releases[at]
	words := "released " + t.on(p) + ": " + r.Tag
	others := 0
	for j := at + 1; j < len(s.releases) && !s.releases[j].When().Before(p.Start); j++ {
		others++
	}
	if others > 0 {
		words += fmt.Sprintf(", the latest of %d", others+1)
	}
	return t.warned(s, at, Choice{Repo: s.repo.Name, Reason: Released, Release: r, Words: words})
}

func (t *Timeline) nearest(s sight, at int, p *Point, rule policy.GapFill) Choice {
	r := &s.releases[at]
	words := t.gap(p) + "; nearest earlier is " + t.name(r) + " (" + t.distance(r.When(), p) + ")"
	if rule.MaxAge > 0 && p.End.Sub(r.When()) > rule.MaxAge {
		return Choice{
			Repo: s.repo.Name, Reason: Missing,
			Words: words + ", which is older than gap_fill.max_age allows (" + span(rule.MaxAge) + ")",
		}
	}
	return t.warned(s, at, Choice{Repo: s.repo.Name, Reason: GapFilled, Release: r, Words: words})
}

// warned adds what is known against the chosen release, and the next older one that could be had.
func (t *Timeline) warned(s sight, at int, c Choice) Choice {
	bad := c.Release.Bad()
	if bad == "" {
		return c
	}
	c.Problem = c.Release.Tag + " " + bad
	if c.NextOlder = nextGood(s.releases, at, s.horizon); c.NextOlder != nil {
		c.Problem += "; the next older one is " + t.name(c.NextOlder)
		return c
	}
	if s.complete {
		c.Problem += "; there is no older one that could be had"
	} else {
		c.Problem += "; older ones were not read"
	}
	return c
}

// unread is the choice that cannot be made yet.
func (t *Timeline) unread(repo *Repo, s sight, p *Point) Choice {
	return Choice{
		Repo: repo.Name, Reason: UnknownReason, NeedsOlder: p.End,
		Words: "releases older than " + t.label(s.horizon) + " were not read, and one of them may be what runs " + t.on(p),
	}
}

// nothing explains a gap that nothing fills.
func (t *Timeline) nothing(i int, s sight) string {
	if len(t.repos[i].Releases) == 0 {
		return "the repo has no release at all"
	}
	if t.rules[i].GapFill.Search == policy.SearchRetained && len(s.releases) < len(t.repos[i].Releases) {
		return fmt.Sprintf("none of the %d retained releases is older", len(s.releases))
	}
	return "the repo's oldest release is " + t.name(&s.releases[len(s.releases)-1])
}

// nextGood returns the newest release after the at-th that is another image and has nothing against it.
func nextGood(releases []Release, at int, horizon time.Time) *Release {
	for j := at + 1; j < len(releases) && !releases[j].When().Before(horizon); j++ {
		if r := &releases[j]; r.Bad() == "" && (r.Digest == "" || r.Digest != releases[at].Digest) {
			return r
		}
	}
	return nil
}

// NextOlder returns the next older release than the given one of this repo with nothing known against it;
// nil when there is none, or none that is certain.
func (r *Repo) NextOlder(than *Release) *Release {
	for i := range r.Releases {
		if newestFirst(&r.Releases[i], than) == 0 {
			horizon := r.Horizon
			if r.Complete {
				horizon = time.Time{}
			}
			return nextGood(r.Releases, i, horizon)
		}
	}
	return nil
}
