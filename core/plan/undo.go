package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
)

// Undone is the Reason of a change that puts an operation back.
const Undone = "undone"

// UndoInput is all that the way back of an operation is made of.
type UndoInput struct {
	ID         string
	Now        time.Time
	Operator   string
	PolicyHash string
	// Undoes is the operation's id, and Of the plan that it carried out.
	Undoes string
	Of     *Plan
	// Apps are those of the environment's scope, as they are now.
	Apps []orchestrator.App
	// Rules are the policy's repos.
	Rules []policy.Repo
	// PinDigest: the orchestrator takes repo:tag@digest.
	PinDigest bool
	// Only and Except name repos; at most one of them is used.
	Only, Except []string
	// AllowQuarantined goes to images known bad, with a warning.
	AllowQuarantined bool
	// Quarantined says of images, as repository@digest, or repository:tag where the digest is not known, why they are known bad.
	Quarantined map[string]string
	// Preflight is what was found of each of UndoImages; nil: nobody looked.
	Preflight map[string]Check
}

// Undo makes the plan that puts an operation back: each app that runs what the operation gave it gets what it ran before,
// in the reverse order of waves. An app that already runs that stays as it is; one that somebody has changed since is an
// error, because what they did would be lost. Guards are not judged here: see CheckGuards.
func Undo(in UndoInput) *Plan {
	u := undoer{UndoInput: in, apps: map[string]orchestrator.App{}}
	for _, a := range in.Apps {
		u.apps[a.ID] = a
	}
	of := in.Of
	u.b = builder{
		Input: Input{Only: in.Only, Except: in.Except, Rules: in.Rules, Preflight: in.Preflight},
		Plan: &Plan{
			FormatVersion: FormatVersion, ID: in.ID, Timestamp: in.Now.UTC(), Environment: of.Environment, Branch: of.Branch, Scope: of.Scope,
			To:    "what ran before operation " + in.Undoes,
			Asked: Asked{To: "undo " + in.Undoes, Date: in.Now.UTC().Format(time.DateOnly), Current: of.To}, Changes: []Change{},
			Guards: []GuardResult{}, PolicyHash: in.PolicyHash, Operator: in.Operator, Undoes: in.Undoes,
		},
	}
	u.b.selection()
	if of.Undoes != "" {
		u.b.warn("", "Undo of an undo", "Operation %s was itself the way back of operation %s: undoing it brings back what that one had rolled out.", in.Undoes, of.Undoes)
	}
	last := len(of.Waves())
	for _, c := range of.Changes {
		if c.Wave > 0 {
			u.b.Changes = append(u.b.Changes, u.change(c, last))
		}
	}
	u.close()
	u.b.Diagnostics = append(diag.Diagnostics{}, u.b.ds...)
	u.b.conclude()
	return u.b.Plan
}

// undoer is the state of one Undo.
type undoer struct {
	UndoInput
	b    builder
	apps map[string]orchestrator.App
}

// change is the way back of one change.
func (u *undoer) change(was Change, last int) Change {
	c := Change{Repo: was.Repo, App: was.App, Container: was.Container, Action: Keep, Reason: Undone, From: was.To, To: was.To}
	app, there := u.apps[was.App]
	runs := ""
	for _, im := range app.Images {
		if im.Container == was.Container || was.Container == "" && len(app.Images) == 1 {
			runs = im.Image
		}
	}
	c.Version, c.Fingerprint, c.Separate = app.Version, app.Fingerprint, app.Separate
	switch {
	case u.b.excluded(was.Repo):
		c.Reason, c.Words = Excluded, "left out by --only or --except"
	case !there || runs == "":
		c.Words = "it is gone"
		u.b.fail(was.Repo, "App is gone", "%s, which operation %s changed, is not there any more. Leave its repo out with --except=%s.", clean(was.App), u.Undoes, was.Repo)
	case runs == was.From.Image || pinned(runs, was.From):
		c.Action, c.From, c.To, c.Words = None, was.From, was.From, "already as before"
	case runs != was.To.Image:
		c.From = Image{Image: runs}
		c.To, c.Words = c.From, "changed since"
		u.b.fail(was.Repo, "App has changed since", "%s runs %s, which operation %s did not leave there: somebody has deployed since, and that would be lost. Leave its repo out with --except=%s.",
			clean(was.App), clean(runs), u.Undoes, was.Repo)
	default:
		u.back(&c, was, last)
	}
	return c
}

// pinned reports whether a reference is that of an image, but with its digest: what an undo leaves behind where the tag alone
// ran before.
func pinned(runs string, of Image) bool {
	ref, err := ParseRef(of.Image)
	return err == nil && of.Digest != "" && runs == ref.with(ref.Tag, of.Digest)
}

// back fills in a change that puts an app back.
func (u *undoer) back(c *Change, was Change, last int) {
	c.Action, c.Wave, c.To = Forward, last-was.Wave+1, was.From
	if was.Action == Forward {
		c.Action = Rollback
	}
	c.Words = "as before operation " + u.Undoes
	if was.Revision != "" {
		// Its configuration was taken along, and so it comes back.
		c.Revision = was.Version
	}
	ref, err := ParseRef(was.From.Image)
	if err != nil {
		return
	}
	if ref.Digest == "" && was.From.Digest != "" && u.PinDigest {
		c.To.Image = ref.with(ref.Tag, was.From.Digest)
	}
	if app := u.apps[was.App]; app.Immutable != "" {
		u.b.fail(was.Repo, "Image cannot be changed", "The image of %s cannot be changed: %s.", clean(was.App), clean(stop(app.Immutable)))
	}
	why, bad := u.Quarantined[ref.Repository+"@"+was.From.Digest]
	if !bad {
		why, bad = u.Quarantined[ref.Repository+":"+was.From.Tag]
	}
	if bad {
		u.b.failUnless(u.AllowQuarantined, was.Repo, "Image is known bad", "%s would get %s again, which is in quarantine: %s. If it has to be, say --allow-quarantined.",
			clean(was.App), clean(was.From.Tag), clean(why))
	}
	u.look(c)
}

// look judges whether the image to go back to is still there, and still the one that ran.
func (u *undoer) look(c *Change) {
	if u.Preflight == nil {
		return
	}
	check, looked := u.Preflight[c.To.Image]
	r := check.Result
	switch {
	case !looked || check.Unknown != "":
		u.b.fail(c.Repo, "Image could not be checked", "Whether %s can still be pulled is unknown: %s.", c.To.Image, clean(stop(or(check.Unknown, "it was not looked at"))))
	case !r.Found || !r.Pullable:
		u.b.fail(c.Repo, "Image is gone", "%s ran %s before, and it can no longer be pulled.", clean(c.App), clean(c.To.Image))
	case c.To.Digest != "" && r.Digest != c.To.Digest:
		u.b.fail(c.Repo, "Tag has moved", "%s ran %s when it was %s; by now that tag is another image, and this orchestrator takes tags only.", clean(c.App), clean(c.To.Image), short(c.To.Digest))
	}
}

// close takes gaps out of the order of waves.
func (u *undoer) close() {
	var used []int
	for _, c := range u.b.Changes {
		if c.Wave > 0 && !slices.Contains(used, c.Wave) {
			used = append(used, c.Wave)
		}
	}
	slices.Sort(used)
	for i := range u.b.Changes {
		if c := &u.b.Changes[i]; c.Wave > 0 {
			c.Wave = 1 + slices.Index(used, c.Wave)
		}
	}
}

// UndoImages lists what pre-flight has to look at for an undo, as Images does for a plan.
func UndoImages(in UndoInput) []Lookup {
	in.Preflight = nil
	p := Undo(in)
	var out []Lookup
	for _, c := range p.Changes {
		if !c.changes() {
			continue
		}
		for _, im := range []Image{c.To, c.From} {
			ref, err := ParseRef(im.Image)
			seen := slices.ContainsFunc(out, func(l Lookup) bool { return l.Image == im.Image })
			if err != nil || seen {
				continue
			}
			rule, _ := RuleOf(in.Rules, ref.Repository)
			out = append(out, Lookup{Image: im.Image, Leaving: im.Image == c.From.Image, Request: registry.ResolveRequest{
				Repo: c.Repo, Tag: im.Tag, Digest: ref.Digest, Platform: rule.Release.Platform,
			}})
		}
	}
	return out
}

// RuleOf finds the policy's repo that a full repository name belongs to.
func RuleOf(rules []policy.Repo, repository string) (policy.Repo, bool) {
	for _, r := range rules {
		if path(repository) == r.Name || strings.HasSuffix(repository, "/"+r.Name) {
			return r, true
		}
	}
	return policy.Repo{}, false
}
