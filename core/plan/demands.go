package plan

import (
	"fmt"
	"slices"

	"github.com/rollback-project/rollback/core/demand"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
)

// demands reports images that would run side by side although one of them demands otherwise (label rollback.requires):
// those that change, and those that stay. A plan that changes nothing is not refused for what runs anyway.
func (b *builder) demands() {
	images := b.afterwards()
	changes := slices.ContainsFunc(b.Changes, func(c Change) bool { return c.changes() })
	broken := demand.Violations(images)
	for _, v := range broken {
		b.failUnless(!changes, v.By.Repo, "Demand would be broken", "%s.%s", clean(v.String()), b.remedy(v))
	}
	if len(broken) > 0 && b.Found.Point.Conflict != "" {
		b.warn("", "No releases that fit", "%s.", clean(b.Found.Point.Conflict))
	}
	for _, s := range demand.Strangers(images) {
		by := fmt.Sprintf("%s of %s", clean(s.By.Tag), s.By.Repo)
		if slices.ContainsFunc(b.Rules, func(r policy.Repo) bool { return r.Name == s.Demand.Repo }) {
			b.warn(s.By.Repo, "Demand could not be judged", "%s requires %s, and no app of %s was found.", by, s.Demand, s.Demand.Repo)
			continue
		}
		names := make([]string, len(b.Rules))
		for i, r := range b.Rules {
			names[i] = r.Name
		}
		b.warn(s.By.Repo, "Demand on an unknown repo", "%s requires %s, and the policy has no repo %q.%s",
			by, s.Demand, s.Demand.Repo, suggest(s.Demand.Repo, names))
	}
	if matters := slices.ContainsFunc(images, func(c demand.Choice) bool { return !c.Requires.Empty() }) ||
		slices.ContainsFunc(b.Rules, func(r policy.Repo) bool { return r.GapFill.Compatible }); matters {
		b.unlabelled()
	}
}

// afterwards are the images that would run, each once.
func (b *builder) afterwards() []demand.Choice {
	var out []demand.Choice
	type key struct{ repo, tag, digest string }
	seen := map[key]bool{}
	for _, c := range b.Changes {
		k := key{c.Repo, or(c.To.Tag, c.To.Image), c.To.Digest}
		if seen[k] {
			continue
		}
		seen[k] = true
		out = append(out, demand.Choice{
			Repo: c.Repo, Tag: k.tag, Build: c.To.Build, Requires: demand.Parse(c.To.Labels[demand.Label]),
		})
	}
	return out
}

// remedy says what may help against a broken demand.
func (b *builder) remedy(v demand.Violation) string {
	if v.Malformed != nil {
		return " Such a demand counts as broken: correct the label in the build, or choose another point."
	}
	for _, r := range b.Rules {
		choice, ok := b.Found.Point.Choice(r.Name)
		if ok && choice.Reason == point.GapFilled && !r.GapFill.Compatible && !b.excluded(r.Name) && (r.Name == v.By.Repo || r.Name == v.Gets.Repo) {
			return fmt.Sprintf(" Choose another point, or let the gap of %s be filled with what fits: gap_fill { compatible = true }.", r.Name)
		}
	}
	return " Choose another point."
}

// unlabelled warns of images that stay and of which nobody knows what they demand.
func (b *builder) unlabelled() {
	if b.Input.Preflight == nil {
		return
	}
	for _, c := range b.Changes {
		if c.changes() || !c.unknown() {
			continue
		}
		why := "it was not looked at"
		if check, looked := b.Input.Preflight[c.From.Image]; looked {
			why = or(check.Unknown, "it is no longer in the registry")
		}
		b.warn(c.Repo, "Demands are not known", "What %s, which %s goes on running, demands of other images is not known: %s.",
			clean(c.From.Image), clean(c.App), clean(stop(why)))
	}
}

// unknown reports that nothing is known of the image that runs but its name.
func (c *Change) unknown() bool { return c.From.Created == nil && c.From.Labels == nil }
