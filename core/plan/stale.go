package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/core/demand"
)

// State is the world as it is when a saved plan is to be applied.
type State struct {
	PolicyHash string
	// Matches is what Match finds now, under the same policy.
	Matches []Matched
	// Targets are the digests that the tags of the images to go to point at now, by Image of Change.To; "" for a tag that is gone.
	// A target that is not in it was not looked at, and counts as changed.
	Targets map[string]string
}

// Stale says what has changed since the plan was made (DESIGN.md section 2, "Stale"), one sentence without full stop
// a change; nothing when the plan still fits. Repos that --only or --except left out do not matter,
// unless images of the plan make demands: those were judged with what ran beside them.
func Stale(p *Plan, now State) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, clean(fmt.Sprintf(format, args...))) }
	if p.PolicyHash != now.PolicyHash {
		add("the policy was changed: its hash was %s and is %s", brief(p.PolicyHash), brief(now.PolicyHash))
	}
	present := now.targets()
	planned, left := map[key]bool{}, map[string]bool{}
	told := map[string]bool{}
	demanding := slices.ContainsFunc(p.Changes, func(c Change) bool { return !demand.Parse(c.To.Labels[demand.Label]).Empty() })
	for _, c := range p.Changes {
		if c.Reason == Excluded {
			left[c.Repo] = true
			if t, ok := present[key{c.Repo, c.App, c.Container}]; ok && demanding && t.Image != c.From.Image {
				was, is := tell(c.From.Image, t.Image)
				add("app %s, which was left out, ran %s and runs %s, and images of the plan make demands", name(c.App, c.Container), was, is)
			}
			continue
		}
		k := key{c.Repo, c.App, c.Container}
		planned[k] = true
		t, ok := present[k]
		switch {
		case !ok:
			add("app %s no longer runs %s", name(c.App, c.Container), c.Repo)
		case t.Image != c.From.Image:
			was, is := tell(c.From.Image, t.Image)
			add("app %s ran %s and runs %s", name(c.App, c.Container), was, is)
		case told[c.App]:
		case t.App.Version != c.Version:
			told[c.App] = true
			add("app %s had version %s and has %s", c.App, or(c.Version, "none"), or(t.App.Version, "none"))
		case t.App.Fingerprint != c.Fingerprint:
			told[c.App] = true
			add("the configuration of app %s was changed: its fingerprint was %s and is %s", c.App, brief(c.Fingerprint), brief(t.App.Fingerprint))
		}
		if digest, looked := now.Targets[c.To.Image]; c.changes() && c.To.Digest != "" {
			switch {
			case !looked:
				add("what tag %s of %s is now was not looked at", c.To.Tag, c.Repo)
			case digest == "":
				add("tag %s of %s is gone from the registry, or what it needs is", c.To.Tag, c.Repo)
			case digest != c.To.Digest:
				add("tag %s of %s was %s and is %s", c.To.Tag, c.Repo, short(c.To.Digest), short(digest))
			}
		}
	}
	if p.Undoes != "" {
		return out // It is about the apps that the operation changed, and no others.
	}
	for _, m := range now.Matches {
		for _, t := range m.Targets {
			if !planned[key{m.Repo, t.App.ID, t.Container}] && !left[m.Repo] {
				add("app %s runs %s now, and is not in the plan", name(t.App.ID, t.Container), m.Repo)
			}
		}
	}
	return out
}

// key is one container of one app of a repo.
type key struct{ repo, app, container string }

// targets are the containers that run the repos now.
func (s State) targets() map[key]Target {
	present := map[key]Target{}
	for _, m := range s.Matches {
		for _, t := range m.Targets {
			present[key{m.Repo, t.App.ID, t.Container}] = t
		}
	}
	return present
}

// tell leaves the digests of two references out, unless the difference is in them.
func tell(was, is string) (string, string) {
	a, _, _ := strings.Cut(was, "@")
	b, _, _ := strings.Cut(is, "@")
	if a == b {
		return was, is
	}
	return a, b
}

func name(app, container string) string {
	if container == "" {
		return app
	}
	return app + " (container " + container + ")"
}

// brief abbreviates a hash for people.
func brief(hash string) string {
	if hash == "" {
		return "none"
	}
	return hash[:min(len(hash), 12)]
}

// Document is the JSON of `show --format json`: the plan, with what stands in the way of it now.
type Document struct {
	Plan
	// StaleReasons are those of Stale, and that it has been applied; empty when nothing is known to have changed.
	StaleReasons []string `json:"stale_reasons"`
}

// NewDocument makes the document of a saved plan. A plan with a stale reason is not applyable.
func NewDocument(p *Plan, stale []string) Document {
	d := Document{Plan: *p, StaleReasons: append([]string{}, stale...)}
	d.Applyable = p.Applyable && len(stale) == 0
	return d
}
