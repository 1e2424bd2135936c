package plan

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/registry"
)

// change says what becomes of one container whose repo gets a release.
func (b *builder) change(rule policy.Repo, choice point.Choice, t Target) Change {
	c := b.stay(rule.Name, t, None, string(choice.Reason), choice.Words)
	to := b.to(choice.Release, t)
	if c.From.Tag != "" && c.From.Tag == to.Tag && differ(c.From.Digest, to.Digest) {
		c.Words += fmt.Sprintf("; the tag %s has moved: the app runs %s", to.Tag, short(c.From.Digest))
	}
	if same(c.From, to) {
		return c
	}
	c.To = to
	c.Action = b.direction(rule.Name, c.From, to, t)
	c.Config = b.ConfigDifferences[t.App.ID]
	c.Revision = b.Revisions[t.App.ID]
	b.obstacles(rule, choice, c, t)
	b.preflight(rule, choice, &c)
	return c
}

// from describes what the app runs. Where its reference has no digest, Digest is what the tag points at now.
func (b *builder) from(repo string, t Target) Image {
	im := Image{Image: t.Image, Tag: t.Ref.Tag, Digest: t.Ref.Digest, Build: b.build(t.Ref.Tag)}
	for i := range b.Repos {
		if b.Repos[i].Name != repo {
			continue
		}
		if r := b.Repos[i].Lookup(im.Tag, im.Digest); r != nil {
			// Of an image with several tags, one of them perhaps no build at all, the newest build stands for it.
			im.Build = or(r.Build, im.Build)
			im.Created, im.Labels = instant(r.Created), r.Labels
			if im.Digest == "" {
				im.Digest = r.Digest
			}
			return im
		}
	}
	if c, ok := b.Preflight[t.Image]; ok && c.Result.Found {
		im.Created, im.Labels = instant(c.Result.Created), c.Result.Labels
		if im.Digest == "" {
			im.Digest = c.Result.Digest
		}
	}
	return im
}

// build is a tag's, by the pattern of the present repo; "" where the tag does not match it.
func (b *builder) build(tag string) string {
	if b.pattern == nil {
		return ""
	}
	parsed, _ := b.pattern.Parse(tag)
	return parsed.Build
}

// to describes the release as the app's image, spelled as the app spells it.
func (b *builder) to(r *point.Release, t Target) Image {
	im := Image{Tag: r.Tag, Digest: r.Digest, Build: or(r.Build, b.build(r.Tag)), Created: instant(r.Created), Labels: r.Labels}
	if im.Digest == "" {
		// Only the orchestrator remembers the image: what its tag points at now is all that can be pinned.
		if c, ok := b.Preflight[t.Ref.with(im.Tag, "")]; ok && c.Result.Found {
			im.Digest, im.Created, im.Labels = c.Result.Digest, instant(c.Result.Created), c.Result.Labels
		}
	}
	im.Image = t.Ref.with(im.Tag, "")
	if b.PinDigest || im.Tag == "" {
		im.Image = t.Ref.with(im.Tag, im.Digest)
	}
	return im
}

// same reports whether two images are one: by digest where both are known, else by tag.
func same(a, b Image) bool {
	if a.Digest != "" && b.Digest != "" {
		return a.Digest == b.Digest
	}
	return a.Tag != "" && a.Tag == b.Tag
}

func differ(a, b string) bool { return a != "" && b != "" && a != b }

// direction tells rollback from forward: by date, then by build. Where neither can be told it is a rollback, with a warning.
func (b *builder) direction(repo string, from, to Image, t Target) Action {
	order := 0
	if from.Created != nil && to.Created != nil {
		order = to.Created.Compare(*from.Created)
	}
	if order == 0 && b.pattern != nil {
		f, okF := b.pattern.Parse(from.Tag)
		g, okG := b.pattern.Parse(to.Tag)
		if okF && okG {
			order = registry.CompareBuilds(g.Build, f.Build)
		}
	}
	switch {
	case order > 0:
		return Forward
	case order == 0:
		b.warn(repo, "Direction unknown", "Whether %s is older than %s, which %s runs, cannot be told; it is taken for a rollback.",
			to.Tag, clean(from.Image), clean(t.App.ID))
	}
	return Rollback
}

// obstacles reports what stands in the way of one change, apart from its images.
func (b *builder) obstacles(rule policy.Repo, choice point.Choice, c Change, t Target) {
	app := clean(t.App.ID)
	if c.Action == Forward && !b.Apply.AllowForward {
		b.fail(rule.Name, "Change would go forward",
			"%s runs %s, which is older than %s at %s. Going forward is refused: set apply.allow_forward, or leave the repo out with --except=%s.",
			app, clean(c.From.Image), c.To.Tag, b.To, rule.Name)
	}
	if t.App.Immutable != "" {
		b.fail(rule.Name, "Image cannot be changed", "The image of %s cannot be changed: %s.", app, clean(stop(t.App.Immutable)))
	}
	if len(t.App.Deployments) > 0 {
		b.warn(rule.Name, "App is being deployed", "%s is part of a deployment under way (%s).", app, clean(some(t.App.Deployments)))
	}
	if choice.Release.Quarantined != "" {
		b.failUnless(b.AllowQuarantined, rule.Name, "Image is known bad", "%s of %s would go to %s.", app, rule.Name, clean(choice.Problem))
	}
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// short abbreviates a digest for people.
func short(digest string) string {
	algorithm, hex, ok := strings.Cut(digest, ":")
	if !ok || len(hex) <= 12 {
		return digest
	}
	return algorithm + ":" + hex[:12]
}

// stop removes a sentence's end, where it is going to be continued.
func stop(s string) string { return strings.TrimRight(s, ". ") }
