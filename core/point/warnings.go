package point

import (
	"fmt"
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/registry"
)

// mostNamed bounds how many tags one warning names.
const mostNamed = 5

// warnings are what a person should know of one repo, one a kind.
func warnings(r *Repo, zone *time.Location) diag.Diagnostics {
	var ds diag.Diagnostics
	add := func(summary, format string, args ...any) {
		d := diag.Warnf(summary, format, args...)
		d.Address = "repo." + r.Name
		ds = append(ds, d)
	}
	if r.Unknown != "" {
		add("Repo could not be read", "Of %s nothing is known: %s. Its cells are unknown; nothing is filled across them.", r.Name, clean(trimStop(r.Unknown)))
		return ds
	}
	if len(r.Releases) == 0 {
		add("Repo without releases", "%s has %s, %d of the environment's branch, and none of them is a usable release.",
			r.Name, plural(r.Tags, "tag"), r.Matched)
	}
	for _, reason := range skipReasons {
		skipped(r, reason.reason, func(n int, names, detail string) {
			add(reason.summary, "%s of %s left out: %s. %s: %s. %s", plural(n, "tag"), r.Name, names, "For the first", detail, reason.fix)
		})
	}
	disagreement(r, zone, add)
	if r.Unordered {
		add("Registry plugin sent builds out of order",
			"The plugin did not send the newest builds of %s first, so all of them were read. The result is exact, but slow.", r.Name)
	}
	return ds
}

// skipReasons is what each reason to leave a tag out is called, and what helps.
var skipReasons = []struct {
	reason       registry.SkipReason
	summary, fix string
}{
	{
		registry.SkipNoDate, "Release without a date",
		"Set the label or annotation org.opencontainers.image.created in the build, or put a date into the tag and name it in tag.pattern and release.date_from.",
	},
	{registry.SkipNotImage, "Tag is not an image", "If such tags are to be there, narrow tag.pattern so that it does not match them."},
	{registry.SkipNoPlatform, "Image lacks the platform", "Build the image for the platform, or name another one in release.platform."},
	{registry.SkipGone, "Image is gone", "Its tag is still listed, but it can no longer be pulled: see the registry's clean-up rules."},
	{registry.SkipUnsupported, "Image of an unknown kind", "Build and push it again with a current tool."},
}

// skipped gathers the tags left out for one reason.
func skipped(r *Repo, reason registry.SkipReason, tell func(n int, names, detail string)) {
	var names []string
	detail := ""
	for _, s := range r.Skipped {
		if s.Reason != reason {
			continue
		}
		if len(names) == 0 {
			detail = clean(trimStop(s.Detail))
		}
		names = append(names, s.Tag)
	}
	if len(names) > 0 {
		tell(len(names), some(names, mostNamed), detail)
	}
}

func trimStop(s string) string {
	if s == "" {
		return "no further detail"
	}
	for len(s) > 0 && s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}

// disagreement warns of a build that is dated before a lower one.
func disagreement(r *Repo, zone *time.Location, add func(summary, format string, args ...any)) {
	n := 0
	var newer, older *Release
	for i := 1; i < len(r.Releases); i++ {
		a, b := &r.Releases[i-1], &r.Releases[i]
		if !a.Deployed.IsZero() || registry.CompareBuilds(a.Build, b.Build) >= 0 {
			continue
		}
		if n == 0 {
			newer, older = a, b
		}
		n++
	}
	if n == 0 {
		return
	}
	more := ""
	if n > 1 {
		more = fmt.Sprintf(" The same holds for %s more.", plural(n-1, "pair"))
	}
	add("Build order disagrees with dates",
		"In %s, %s is dated %s, later than %s (%s), though its build is lower.%s Dates decide.", r.Name,
		newer.Tag, stamp(newer, zone), older.Tag, stamp(older, zone), more)
}

func stamp(r *Release, zone *time.Location) string { return r.Created.In(zone).Format(time.RFC3339) }
