package plan

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/registry"
)

// WayBack is the built-in guard that fires when an image that the plan leaves could not be put back.
const WayBack = "way-back"

// Check is what was found of one image.
type Check struct {
	Result registry.ResolveResult
	// Unknown says why nobody can tell; "" when Result counts.
	Unknown string
}

// Lookup is one image that pre-flight has to look at.
type Lookup struct {
	// Image is the key of Input.Preflight.
	Image   string
	Request registry.ResolveRequest
	// Leaving: the plan goes away from it. Otherwise it goes there, or leaves it running.
	Leaving bool
}

// Images lists what pre-flight has to look at, each image once, in the plan's order: those that the plan goes to, those
// that it leaves (DESIGN.md section 2, "Two-way pre-flight"), and those that go on running although no known release is them,
// for what they demand of others. in.Preflight is not used.
func Images(in Input) []Lookup {
	in.Preflight = nil
	p, _ := Build(in)
	platform := map[string]string{}
	for _, r := range in.Rules {
		platform[r.Name] = r.Release.Platform
	}
	var out []Lookup
	seen := map[string]bool{}
	add := func(c Change, im Image, digest string, leaving bool) {
		if seen[im.Image] {
			return
		}
		seen[im.Image] = true
		out = append(out, Lookup{Image: im.Image, Leaving: leaving, Request: registry.ResolveRequest{
			Repo: c.Repo, Tag: im.Tag, Digest: digest, Platform: platform[c.Repo],
		}})
	}
	for _, c := range p.Changes {
		// What the app runs is what its reference says, not what the tag points at by now.
		ref, err := ParseRef(c.From.Image)
		switch {
		case c.changes():
			add(c, c.To, c.To.Digest, false)
			if err == nil {
				add(c, c.From, ref.Digest, true)
			}
		case c.unknown() && err == nil:
			add(c, c.From, ref.Digest, false)
		}
	}
	return out
}

// preflight judges the image that a change goes to.
func (b *builder) preflight(rule policy.Repo, choice point.Choice, c *Change) {
	why := choice.Release.Unpullable
	if b.Input.Preflight != nil {
		check, looked := b.Input.Preflight[c.To.Image]
		if !looked && choice.Release.Digest == "" {
			// Its digest came from looking at the tag.
			check, looked = b.Input.Preflight[strings.TrimSuffix(c.To.Image, "@"+c.To.Digest)]
		}
		switch {
		case !looked || check.Unknown != "":
			b.fail(rule.Name, "Image could not be checked", "Whether %s can still be pulled is unknown: %s.", c.To.Image, clean(stop(or(check.Unknown, "it was not looked at"))))
			return
		case check.Result.Found && check.Result.Pullable:
			why = ""
			b.moved(rule, c, check.Result)
		case check.Result.Found:
			why = "parts of it are gone"
			if len(check.Result.Missing) > 0 {
				why += ": " + some(check.Result.Missing)
			}
		default:
			why = "it is no longer in the registry"
		}
	}
	if why == "" {
		return
	}
	detail := "None of the older releases that are known could take its place."
	for i := range b.Repos {
		if b.Repos[i].Name != rule.Name {
			continue
		}
		if next := b.Repos[i].NextOlder(choice.Release); next != nil {
			detail = fmt.Sprintf("The next older release is %s of %s.", next.Tag, next.When().UTC().Format(time.DateOnly))
		}
	}
	b.fail(rule.Name, "Image is gone", "%s of %s cannot be pulled: %s. %s", c.To.Tag, rule.Name, clean(stop(why)), detail)
}

// moved reports a tag that no longer points at the digest that was chosen.
func (b *builder) moved(rule policy.Repo, c *Change, r registry.ResolveResult) {
	if !r.TagMoved {
		return
	}
	pinned := strings.Contains(c.To.Image, "@")
	b.failUnless(pinned, rule.Name, "Tag has moved",
		"%s of %s no longer points at %s, which was chosen. An orchestrator that takes digests gets the image that was chosen; with the tag alone it would be another one.",
		c.To.Tag, rule.Name, short(c.To.Digest))
}

// wayBack is the built-in guard: every image that is left can be put back.
func wayBack(p *Plan, checks map[string]Check) GuardResult {
	g := GuardResult{Name: WayBack, Severity: string(policy.SeverityOverridable), Passed: true}
	var gone []string
	for _, c := range p.Changes {
		if !c.changes() {
			continue
		}
		check, looked := checks[c.From.Image]
		var why string
		switch {
		case !looked || check.Unknown != "":
			why = "could not be checked: " + stop(or(check.Unknown, "it was not looked at"))
		case !check.Result.Found:
			why = "is no longer in the registry"
		case !check.Result.Pullable:
			why = "lacks " + or(some(check.Result.Missing), "parts")
		default:
			continue
		}
		gone = append(gone, clean(fmt.Sprintf("%s runs %s, which %s", c.App, c.From.Image, why)))
	}
	if len(gone) > 0 {
		g.Passed = false
		g.Message = "A failed rollback could not be put back: " + some(gone) + "."
	}
	return g
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
