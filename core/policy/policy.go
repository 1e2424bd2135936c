// Package policy reads what a team wrote down about its rollbacks: HCL in, Policy out.
//
// It is the only importer of hcl. It collects every problem it can find before
// it stops, each with its place, and hands the rest of core plain values.
package policy

import (
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Policy is a whole policy, defaults filled in (DESIGN.md section 3).
type Policy struct {
	// Hash is the hex SHA-256 of all source files in the order they were read and of the variables' values
	// (sensitive ones salted by their name only, never by their value).
	Hash string
	// Dir is the folder relative paths start from.
	Dir          string
	Settings     Settings
	Environments []Environment
	Repos        []Repo
	Tag          Tag
	Release      Release
	Retention    Retention
	Points       Points
	GapFill      GapFill
	Apply        Apply
	AfterApply   AfterApply
	// Registry and Orchestrator are nil when the policy has none (the article's own calls bring theirs).
	Registry     *Backend
	Orchestrator *Backend
	Notifiers    []Notifier
	Plugins      []Plugin
	Guards       []Guard
	State        State
	// Secrets are the values of sensitive variables and attributes, to be redacted from everything that is printed.
	Secrets []string
}

// Settings is the block rollback.
type Settings struct {
	// RequiredVersion is a version constraint on the binary; "" is none.
	RequiredVersion string
	// Environment is the default of --env, To that of --to; "" is none.
	Environment, To string
	// Timezone decides what a day is; UTC when not set.
	Timezone *time.Location
}

// Environment is where services run.
type Environment struct {
	Name string
	// Branch is the name that the registry's tags use; Name when not set.
	Branch string
	// Scope is the environment's place in the orchestrator.
	Scope string
	// Verify are the gates that are judged once all apps of an operation are healthy.
	Verify []Verify
	Range  diag.Range
}

// MatchRule says how apps are found for a repo.
type MatchRule string

// The match rules (DESIGN.md section 2, "Apps of a repo").
const (
	MatchImage MatchRule = "image"
	MatchID    MatchRule = "id"
)

// Repo is one repository of the registry: one service's images. Its rules are the policy's own, overridden where the block says so.
type Repo struct {
	Name string
	// DependsOn lists repos that go back first.
	DependsOn []string
	// Apps, when not empty, wins over Match. Ids are absolute, or relative to the environment's scope.
	Apps  []string
	Match MatchRule
	// Container narrows a change to one container of an app with several; "" takes the one that runs this repo.
	Container string
	Tag       Tag
	Release   Release
	Retention Retention
	GapFill   GapFill
	// Verify are the gates that are judged once the repo's apps are healthy.
	Verify []Verify
	Range  diag.Range
}

// Tag is the block tag.
type Tag struct {
	// Pattern is an RE2 expression with the groups build and branch; see registry.CompilePattern.
	Pattern string
}

// Release is the block release.
type Release struct {
	DateFrom []registry.DateSource
	// Platform is chosen from an index; linux/amd64 when not set.
	Platform string
}

// Retention is the block retention.
type Retention struct {
	// Count is how many of the newest releases by date are kept per repo; at least 1, default 10.
	Count int
	// Margin is how many releases in a row, read newest build first, must be too old to matter before the reading
	// of a repo stops; default 10. 0 reads every tag of the branch ("scan everything").
	Margin int
}

// PointsBy is what a point is.
type PointsBy string

// PointsSource is where points come from.
type PointsSource string

// A point is a day or a release instant; points come from releases or from what the orchestrator remembers having run.
const (
	ByDay             PointsBy     = "day"
	ByRelease         PointsBy     = "release"
	SourceReleases    PointsSource = "releases"
	SourceDeployments PointsSource = "deployments"
)

// Points is the block points.
type Points struct {
	By     PointsBy
	Source PointsSource
}

// GapRule says what a repo without a release at the point gets.
type GapRule string

// Search says how far gap fill looks.
type Search string

// OnMissing says what happens when nothing is found.
type OnMissing string

// The values of the block gap_fill.
const (
	NearestEarlier GapRule   = "nearest_earlier"
	Keep           GapRule   = "keep"
	Fail           GapRule   = "fail"
	SearchAll      Search    = "all"
	SearchRetained Search    = "retained"
	MissingFail    OnMissing = "fail"
	MissingWarn    OnMissing = "warn"
)

// GapFill is the block gap_fill.
type GapFill struct {
	Rule   GapRule
	Search Search
	// MaxAge bounds how long before the point's end a fill may have been created; 0 is no bound.
	MaxAge    time.Duration
	OnMissing OnMissing
	// Compatible lets a fill step to an earlier release where what the images demand of each other
	// (label rollback.requires, package demand) would not hold otherwise.
	Compatible bool
}

// Strategy says how changes are grouped.
type Strategy string

// OnFailure says what a failed apply does.
type OnFailure string

// ConfigMode says whether configuration goes back too.
type ConfigMode string

// The values of the block apply.
const (
	Together   Strategy   = "together"
	Waves      Strategy   = "waves"
	Restore    OnFailure  = "restore"
	Stop       OnFailure  = "stop"
	Current    ConfigMode = "current"
	AsDeployed ConfigMode = "as_deployed"
)

// Apply is the block apply.
type Apply struct {
	Strategy Strategy
	// Timeout bounds one wave from its deployment to all healthy; default 15m.
	Timeout time.Duration
	// TotalTimeout bounds all waves together; 0 is no bound.
	TotalTimeout time.Duration
	// MaxParallel is how many apps of a wave change at once; 0 is all of them.
	MaxParallel  int
	OnFailure    OnFailure
	AllowForward bool
	Config       ConfigMode
}

// Severity says what a failed guard does.
type Severity string

// The severities of a guard.
const (
	SeverityError       Severity = "error"
	SeverityOverridable Severity = "overridable"
	SeverityWarning     Severity = "warning"
)

// Plugin is a block plugin: where an outside plugin's executable is.
type Plugin struct {
	Kind   schema.Kind
	Name   string
	Path   string
	SHA256 string
	Range  diag.Range
}

// Notifier is a notify block.
type Notifier struct {
	Backend
	// On lists the kinds of event it gets; empty means all.
	On []string
}
