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
	Labels      map[string]string
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
	// Releases in total order, newest first: created, then build, then tag.
	Releases []Release
	// Skipped are tags of the branch that are no usable release.
	Skipped []registry.Skipped
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
}

// Point is a restore point.
type Point struct {
	// Date is its name: 2019-06-01 for a day, RFC 3339 for a release instant.
	Date string
	// Start and End bound it; End is exclusive. For a release instant End is Start plus one nanosecond.
	Start, End time.Time
	// Choices has one element a repo, in the policy's order.
	Choices []Choice
}

// Warning is something a person should know about the timeline.
type Warning struct {
	Repo, Summary, Detail string
}
