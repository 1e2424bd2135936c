// Package point turns the releases of every repo into the dates one can go
// back to, and says what each repo would get. It is pure: values in, values out.
package point

import (
	"time"

	"github.com/rollback-project/rollback/sdk/registry"
)

// Release is one image of one repo for one environment. Several tags on one digest are one Release.
type Release struct {
	Repo string
	// Tag is the tag of the newest build; AlsoTags are further tags on the same digest, newest build first.
	Tag      string
	AlsoTags []string
	Build    string
	Digest   string
	Created  time.Time
	// CreatedFrom is the source of Created.
	CreatedFrom registry.DateSource
	// Deployed is when the orchestrator began to run it; set only where points come from deployments (see Deployed).
	Deployed time.Time
	Labels   map[string]string
	// Unpullable says what is missing of the image; "" as long as nothing is known to be missing.
	Unpullable string
	// Quarantined says why the image is known bad; "" when it is not.
	Quarantined string
}

// Repo is what is known of one repo's releases.
type Repo struct {
	Name string
	// Repository is the full image name without tag.
	Repository string
	// Tags counts all tags of the repo, Matched those of the branch.
	Tags, Matched int
	// Releases in total order, newest first: created, then build, then tag.
	// Where points come from deployments, When takes the place of created, and a release is there once a deployment.
	Releases []Release
	// Skipped are tags of the branch that are no usable release, newest build first.
	Skipped []registry.Skipped
	// Unordered: the plugin did not send newest builds first, so everything was read.
	Unordered bool
	// Complete: Releases reaches down to the oldest tag. Otherwise nothing is known before Horizon.
	Complete bool
	// Horizon is the oldest instant down to which Releases is certain; meaningful when not Complete.
	Horizon time.Time
	// Unknown says why the repo could not be read; "" when it was. Then nothing else is set.
	Unknown string
}

// Reason says why a repo gets what it gets at a point (DESIGN.md sections 2 and 5).
type Reason string

// The reasons.
const (
	Released  Reason = "released"
	GapFilled Reason = "gap_filled"
	Kept      Reason = "kept"
	// Missing: nothing found, and on_missing is warn, or fail (then the plan is refused).
	Missing Reason = "missing"
	// UnknownReason: the repo could not be read.
	UnknownReason Reason = "unknown"
	// Refused: the gap-fill rule is fail.
	Refused Reason = "refused"
)

// Choice is what one repo gets at one point.
type Choice struct {
	Repo   string
	Reason Reason
	// Release is nil unless Reason is Released or GapFilled.
	Release *Release
	// Words tells the reason to a person in one sentence.
	Words string
	// Problem says why Release cannot or must not be deployed (parts of it are gone, or it is quarantined)
	// and which older one could; "" when nothing is known against it. The selection stays what it is.
	Problem string
	// NextOlder is the next older release with nothing against it; set only with Problem, nil when none is known.
	NextOlder *Release
	// NeedsOlder, when not zero, says that the repo must be read further, down to the newest release before
	// this instant, before anything can be chosen. Reason is then UnknownReason.
	NeedsOlder time.Time
}

// Point is a restore point: a day or instant on which at least one repo has a retained release.
type Point struct {
	// Date is its name: 2019-06-01 for a day, RFC 3339 for a release instant.
	Date string
	// Start and End bound it; End is exclusive. For a release instant End is Start plus one nanosecond.
	Start, End time.Time
	// Choices has one element a repo, in the policy's order.
	Choices []Choice
	// Conflict says in a sentence without full stop why gap_fill.compatible found no releases whose demands of each other
	// all hold; "" when it did, or was not asked. The choices are then those by date.
	Conflict string
}

// Choice returns what a repo gets; false when the point has no such repo.
func (p *Point) Choice(repo string) (Choice, bool) {
	for _, c := range p.Choices {
		if c.Repo == repo {
			return c, true
		}
	}
	return Choice{}, false
}

// When is the instant that places the release on the timeline: Deployed if that is set, else Created.
func (r *Release) When() time.Time {
	if !r.Deployed.IsZero() {
		return r.Deployed
	}
	return r.Created
}

// Bad says why the release cannot or must not be deployed; "" when nothing is known against it.
func (r *Release) Bad() string {
	switch {
	case r.Quarantined != "":
		return "is quarantined: " + r.Quarantined
	case r.Unpullable != "":
		return "can no longer be pulled: " + r.Unpullable
	}
	return ""
}

// Mark notes what is known against a digest: what of it can no longer be pulled, or why it is known bad.
// An empty string leaves what is known. It reports whether the repo has the digest.
// Releases already handed out by Build keep what they said: build the timeline again.
func (r *Repo) Mark(digest, unpullable, quarantined string) bool {
	found := false
	for i := range r.Releases {
		rel := &r.Releases[i]
		if rel.Digest == "" || rel.Digest != digest {
			continue
		}
		found = true
		if unpullable != "" {
			rel.Unpullable = unpullable
		}
		if quarantined != "" {
			rel.Quarantined = quarantined
		}
	}
	return found
}

// newestFirst is the total order of one repo's releases: instant, then build, then tag.
func newestFirst(a, b *Release) int {
	if c := b.When().Compare(a.When()); c != 0 {
		return c
	}
	return registry.CompareTags(registry.Tag{Name: b.Tag, Build: b.Build}, registry.Tag{Name: a.Tag, Build: a.Build})
}
