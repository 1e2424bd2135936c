package point

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/registry"
)

// Verdict is what became of a tag at a point.
type Verdict string

// The verdicts.
const (
	// Chosen: the repo gets it.
	Chosen Verdict = "chosen"
	// Alias: another tag on the digest that was chosen.
	Alias Verdict = "same_image"
	// TooNew: released after the point.
	TooNew Verdict = "after_the_point"
	// Older: a newer release at or before the point came first.
	Older Verdict = "older_than_the_choice"
	// TooOld: it would be next, but gap_fill.max_age bars it.
	TooOld Verdict = "beyond_max_age"
	// NotRetained: gap_fill.search looks at retained releases only.
	NotRetained Verdict = "not_retained"
	// Incompatible: it would be next, but demands of images would be broken (gap_fill.compatible).
	Incompatible Verdict = "incompatible"
	// NotFilled: it would be next, but the gap-fill rule leaves or refuses gaps, or not enough was read to be sure.
	NotFilled Verdict = "not_filled"
	// LeftOut: the tag is no usable release.
	LeftOut Verdict = "left_out"
)

// Candidate is one tag and why it won or lost.
type Candidate struct {
	Tag string `json:"tag"`
	// AlsoTags are further tags on the same digest.
	AlsoTags []string `json:"also_tags,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	// Created is nil where the tag has no usable date.
	Created *time.Time `json:"created"`
	// CreatedFrom is the source of Created; "" where there is none.
	CreatedFrom registry.DateSource `json:"created_from,omitempty"`
	Verdict     Verdict             `json:"verdict"`
	// Words tells the verdict to a person.
	Words string `json:"reason_text"`
}

// Explanation is every tag considered for one repo at one point.
type Explanation struct {
	Repo  string `json:"repo"`
	Point string `json:"point"`
	// Reason and Words are the choice's.
	Reason Reason `json:"reason"`
	Words  string `json:"reason_text"`
	// Problem is the choice's.
	Problem string `json:"problem,omitempty"`
	// Candidates are in total order, newest first; those left out come last.
	Candidates []Candidate `json:"candidates"`
	// Notes say what was not looked at, and why.
	Notes []string `json:"notes"`
}

// Explain tells for one repo at one point why each tag won or lost. It is false when no rule names the repo.
func (t *Timeline) Explain(repo string, p Point) (Explanation, bool) {
	i := slices.IndexFunc(t.repos, func(r Repo) bool { return r.Name == repo })
	if i < 0 {
		return Explanation{}, false
	}
	t.Fill(&p)
	c := p.Choices[i]
	e := Explanation{Repo: repo, Point: p.Date, Reason: c.Reason, Words: c.Words, Problem: c.Problem, Candidates: []Candidate{}, Notes: t.notes(i)}
	s := t.seen(i)
	next := s.before(p.End)
	for j := range t.repos[i].Releases {
		r := &t.repos[i].Releases[j]
		v, words := t.verdict(i, j, next, len(s.releases), c, &p)
		if b := r.Bad(); b != "" {
			words += "; it " + b
		}
		e.Candidates = append(e.Candidates, Candidate{
			Tag: r.Tag, AlsoTags: r.AlsoTags, Digest: r.Digest, Created: instantOrNil(r.Created),
			CreatedFrom: r.CreatedFrom, Verdict: v, Words: words,
		})
	}
	for _, s := range t.repos[i].Skipped {
		e.Candidates = append(e.Candidates, Candidate{
			Tag: s.Tag, Digest: s.Digest, Verdict: LeftOut,
			Words: "no usable release (" + strings.ReplaceAll(string(s.Reason), "_", " ") + "): " + clean(trimStop(s.Detail)),
		})
	}
	return e, true
}

// verdict judges the j-th release of the i-th repo, where next is the newest one before the point's end
// and searched is how many the rule may look at.
func (t *Timeline) verdict(i, j, next, searched int, c Choice, p *Point) (Verdict, string) {
	r := &t.repos[i].Releases[j]
	switch {
	case !r.When().Before(p.End):
		return TooNew, "released " + t.label(r.When()) + ", after the point"
	case j >= searched:
		return NotRetained, "older than the retained releases, which are all that gap_fill.search looks at"
	case j >= next && c.Release != nil && newestFirst(r, c.Release) < 0:
		return Incompatible, "passed over, because demands of the chosen images would be broken"
	case j > next && c.Release != nil && newestFirst(r, c.Release) == 0:
		return Chosen, c.Words
	case j > next && c.Release != nil && r.Digest != "" && r.Digest == c.Release.Digest:
		return Alias, "the chosen image, deployed earlier as well"
	case j > next && c.Release != nil:
		return Older, "older than " + t.name(c.Release)
	case j > next:
		return Older, "older than " + t.name(&t.repos[i].Releases[next])
	case c.Release != nil:
		return Chosen, c.Words
	case c.Reason == Missing:
		return TooOld, c.Words
	}
	return NotFilled, c.Words
}

// notes say what Explain cannot show.
func (t *Timeline) notes(i int) []string {
	r := &t.repos[i]
	notes := []string{}
	if r.Unknown != "" {
		return append(notes, "The repo could not be read: "+clean(trimStop(r.Unknown))+".")
	}
	notes = append(notes, fmt.Sprintf("%s in the repo, %d of the branch.", plural(r.Tags, "tag"), r.Matched))
	if !r.Complete {
		notes = append(notes, "Releases older than "+t.label(r.Horizon)+" were not read: enough newer ones are known.")
	}
	return notes
}

func instantOrNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}
