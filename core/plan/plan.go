// Package plan says what would change to take an environment to a point:
// built from a point and the running apps, ordered into waves, checked by
// guards, and saved to a file that is applied at most once.
package plan

import (
	"slices"
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
)

// FormatVersion is the version of the plan's JSON (DESIGN.md section 5).
const FormatVersion = "1.0"

// Action is what happens to an app.
type Action string

// The actions (DESIGN.md section 2).
const (
	Rollback Action = "rollback"
	Forward  Action = "forward"
	None     Action = "none"
	Keep     Action = "keep"
)

// Image is one side of a change.
type Image struct {
	// Image is the full reference.
	Image  string `json:"image"`
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
	// Build is the tag's by the repo's pattern, of a known release with several tags the newest; "" where no tag matches it.
	Build string `json:"build,omitempty"`
	// Created is nil when unknown.
	Created *time.Time        `json:"created"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// Change is one app's from and to.
type Change struct {
	Repo      string `json:"repo"`
	App       string `json:"app"`
	Container string `json:"container,omitempty"`
	Action    Action `json:"action"`
	// Reason is released, gap_filled, kept, missing or unknown (point.Reason); Words tells it to a person.
	Reason string `json:"reason"`
	Words  string `json:"reason_text,omitempty"`
	From   Image  `json:"from"`
	// To equals From where the app stays as it is.
	To Image `json:"to"`
	// Wave counts from 1; 0 for an app that stays as it is.
	Wave int `json:"wave,omitempty"`
	// Version and Fingerprint are the app's when planned.
	Version     string `json:"version,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	// Separate says why the app gets a deployment of its own; "" when it does not.
	Separate string `json:"separate,omitempty"`
	// Config names what differs in configuration between now and then; values are masked. It is not rolled back, unless
	// Revision is set.
	Config []string `json:"config_differences,omitempty"`
	// Revision is the app's version of then, whose whole configuration is deployed (apply.config = "as_deployed").
	Revision string `json:"revision,omitempty"`
}

// Summary counts changes by action.
type Summary struct {
	Rollback int `json:"rollback"`
	Forward  int `json:"forward"`
	None     int `json:"none"`
	Keep     int `json:"keep"`
}

// GuardResult is how one guard came out.
type GuardResult struct {
	Name     string `json:"name"`
	Severity string `json:"severity"`
	Passed   bool   `json:"passed"`
	// Overridden is the reason given with --override; "" when it was not.
	Overridden string `json:"overridden,omitempty"`
	Message    string `json:"message"`
}

// Asked is what was asked and what it means: the plan's first line.
type Asked struct {
	// To is what the person said, such as -1; Date the point it means.
	To   string `json:"to"`
	Date string `json:"date"`
	// Current is the point that runs now; "" when it cannot be told.
	Current string `json:"current,omitempty"`
	// Skipped names points passed over by -N, with the reason.
	Skipped []string `json:"skipped,omitempty"`
}

// Plan is the ordered changes that take an environment to a point.
type Plan struct {
	FormatVersion string           `json:"format_version"`
	ID            string           `json:"id"`
	Timestamp     time.Time        `json:"timestamp"`
	Environment   string           `json:"environment"`
	Branch        string           `json:"branch"`
	Scope         string           `json:"scope"`
	To            string           `json:"to"`
	Asked         Asked            `json:"asked"`
	Changes       []Change         `json:"changes"`
	Summary       Summary          `json:"summary"`
	Guards        []GuardResult    `json:"guards"`
	Diagnostics   diag.Diagnostics `json:"diagnostics"`
	// PolicyHash is policy.Policy.Hash.
	PolicyHash string `json:"policy_hash"`
	// Undoes is the operation that the plan puts back; "" for one that goes to a point.
	Undoes string `json:"undoes,omitempty"`
	// Operator made the plan: user@host.
	Operator string `json:"operator,omitempty"`
	// Matrix is what the point was chosen from; nil where it was chosen otherwise, as for an undo.
	Matrix *Matrix `json:"matrix,omitempty"`
	// Applyable: no error stands in the way and something would change.
	Applyable bool `json:"applyable"`
	Errored   bool `json:"errored"`
}

// Empty reports whether nothing would change.
func (p *Plan) Empty() bool { return p.Summary.Rollback+p.Summary.Forward == 0 }

// Waves returns the changes that change something, grouped by wave in order.
func (p *Plan) Waves() [][]Change {
	var waves [][]Change
	for _, c := range p.Changes {
		if c.Wave < 1 {
			continue
		}
		for len(waves) < c.Wave {
			waves = append(waves, nil)
		}
		waves[c.Wave-1] = append(waves[c.Wave-1], c)
	}
	return waves
}

// Apps are the apps that change, each once, in the order of their waves.
func (p *Plan) Apps() []string {
	var ids []string
	for _, wave := range p.Waves() {
		for _, c := range wave {
			if !slices.Contains(ids, c.App) {
				ids = append(ids, c.App)
			}
		}
	}
	return ids
}
