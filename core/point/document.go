package point

import (
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/registry"
)

// FormatVersion is the version of the points' JSON (DESIGN.md section 5).
const FormatVersion = "1.0"

// Document is the JSON of `points --format json`; its schema is docs/schema/points.schema.json.
type Document struct {
	FormatVersion string `json:"format_version"`
	Environment   string `json:"environment"`
	Branch        string `json:"branch"`
	Timezone      string `json:"timezone"`
	// Current is the date of the point that runs now; absent when that is not known.
	Current string          `json:"current,omitempty"`
	Repos   []string        `json:"repos"`
	Points  []DocumentPoint `json:"points"`
	// Warnings are the timeline's.
	Warnings diag.Diagnostics `json:"warnings"`
}

// DocumentPoint is one point.
type DocumentPoint struct {
	Date string `json:"date"`
	// Releases are the repos that get one, in the policy's order.
	Releases []DocumentRelease `json:"releases"`
	// Missing are the repos that get none, each with its reason.
	Missing []DocumentMissing `json:"missing"`
}

// DocumentRelease is what a repo gets.
type DocumentRelease struct {
	Repo   string `json:"repo"`
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
	// Created is nil only where points come from deployments and the registry no longer knows the image.
	Created     *time.Time          `json:"created"`
	CreatedFrom registry.DateSource `json:"created_from,omitempty"`
	// Deployed is set only where points come from deployments.
	Deployed *time.Time `json:"deployed,omitempty"`
	AlsoTags []string   `json:"also_tags,omitempty"`
	Reason   Reason     `json:"reason"`
	Words    string     `json:"reason_text,omitempty"`
	// Unpullable and Quarantined say what is known against it.
	Unpullable  string `json:"unpullable,omitempty"`
	Quarantined string `json:"quarantined,omitempty"`
	// Current: one of the repo's apps runs it now.
	Current bool `json:"current,omitempty"`
}

// DocumentMissing is a repo that gets no release.
type DocumentMissing struct {
	Repo string `json:"repo"`
	// Reason is kept, missing, unknown or refused.
	Reason Reason `json:"reason"`
	Words  string `json:"reason_text,omitempty"`
}

// Document renders the timeline. running may be nil.
func (t *Timeline) Document(environment, branch string, running []Running) Document {
	current, _ := t.Current(running)
	d := Document{
		FormatVersion: FormatVersion, Environment: environment, Branch: branch, Timezone: t.zone.String(),
		Current: current.Date, Repos: make([]string, len(t.repos)), Points: make([]DocumentPoint, len(t.Points)),
		Warnings: append(diag.Diagnostics{}, t.Warnings...),
	}
	runs := map[string][]*Release{}
	for i := range t.repos {
		d.Repos[i] = t.repos[i].Name
	}
	for _, run := range running {
		if r := t.Lookup(run.Repo, run.Tag, run.Digest); r != nil {
			runs[run.Repo] = append(runs[run.Repo], r)
		}
	}
	for i := range t.Points {
		d.Points[i] = documentPoint(&t.Points[i], runs)
	}
	return d
}

func documentPoint(p *Point, runs map[string][]*Release) DocumentPoint {
	out := DocumentPoint{Date: p.Date, Releases: []DocumentRelease{}, Missing: []DocumentMissing{}}
	for _, c := range p.Choices {
		r := c.Release
		if r == nil {
			out.Missing = append(out.Missing, DocumentMissing{Repo: c.Repo, Reason: c.Reason, Words: c.Words})
			continue
		}
		current := false
		for _, run := range runs[c.Repo] {
			current = current || newestFirst(run, r) == 0
		}
		out.Releases = append(out.Releases, DocumentRelease{
			Repo: c.Repo, Tag: r.Tag, Digest: r.Digest, Created: instantOrNil(r.Created), CreatedFrom: r.CreatedFrom,
			Deployed: instantOrNil(r.Deployed), AlsoTags: r.AlsoTags, Reason: c.Reason, Words: c.Words,
			Unpullable: r.Unpullable, Quarantined: r.Quarantined, Current: current,
		})
	}
	return out
}

// Choices are the dates of `points --format choices`, newest first.
func (t *Timeline) Choices() []string {
	out := make([]string, len(t.Points))
	for i := range t.Points {
		out[i] = t.Points[i].Date
	}
	return out
}
