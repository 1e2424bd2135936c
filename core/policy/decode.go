package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"

	"github.com/rollback-project/rollback/core/policy/function"
	"github.com/rollback-project/rollback/core/policy/source"
	"github.com/rollback-project/rollback/sdk/registry"
)

const defaultPattern = registry.DefaultPattern

func defaultDateFrom() []registry.DateSource {
	return []registry.DateSource{registry.FromAnnotation, registry.FromLabel, registry.FromConfig, registry.FromTag}
}

// decode reads every block but variables and locals.
func (l *loader) decode() {
	p := l.policy
	l.settings()
	l.rules(l.sole("tag", "release", "retention", "gap_fill"), &p.Tag, &p.Release, &p.Retention, &p.GapFill)
	l.points()
	l.apply()
	l.afterApply()
	l.state()
	for _, b := range l.blocks["environment"] {
		p.Environments = append(p.Environments, l.environmentBlock(b))
	}
	for _, b := range l.blocks["repo"] {
		p.Repos = append(p.Repos, l.repo(b))
	}
	l.backends()
	for _, b := range l.blocks["plugin"] {
		l.plugin(b)
	}
	for _, b := range l.blocks["guard"] {
		l.guard(b)
	}
}

// sole are the blocks of types that occur once.
func (l *loader) sole(kinds ...string) hcl.Blocks {
	var out hcl.Blocks
	for _, kind := range kinds {
		if b := l.only(kind); b != nil {
			out = append(out, b.Block)
		}
	}
	return out
}

// tooOld reports that the policy asks for another version of the binary. What it says beyond that may be in words
// which this binary does not know yet, so nothing else is reported then.
func (l *loader) tooOld() bool {
	b := l.only("rollback")
	if b == nil {
		return false
	}
	content, _, _ := b.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "required_version"}}})
	attr := content.Attributes["required_version"]
	if attr == nil {
		return false
	}
	v, diags := attr.Expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type().FriendlyName() != "string" {
		l.problem(attr.Expr.Range(), "Invalid version constraint",
			`The attribute "required_version" must be a literal string such as ">= 0.1": it is read before anything else.`)
		return false
	}
	constraints, err := version.NewConstraint(v.AsString())
	if err != nil {
		l.problem(attr.Expr.Range(), "Invalid version constraint",
			fmt.Sprintf("%q is no version constraint. Write one such as \">= 0.1\" or \"~> 0.3, != 0.3.1\".", v.AsString()))
		return false
	}
	l.policy.Settings.RequiredVersion = v.AsString()
	have, err := version.NewVersion(l.opts.Version)
	if err != nil || constraints.Check(have.Core()) {
		return false
	}
	l.diags = nil
	l.problem(attr.Expr.Range(), "Unsupported version of rollback", fmt.Sprintf(
		"This is rollback %s, but the policy asks for %s. Install a version that fits, or change the constraint.",
		l.opts.Version, v.AsString()))
	return true
}

func (l *loader) settings() {
	b := l.only("rollback")
	if b == nil {
		return
	}
	s := &l.policy.Settings
	a := l.open(b.Body, []string{"required_version", "environment", "to", "timezone"}, nil)
	a.text("environment", &s.Environment)
	if r, ok := a.text("to", &s.To); ok && !validWhen(s.To) {
		r.problem(r.at(), "Invalid point in time", fmt.Sprintf(
			`%q names no point. Write a day ("2019-06-01"), an instant ("2019-06-01T10:00:00Z"), "yesterday", or "-1" for the point before the current one.`, s.To))
	}
	name := ""
	if r, ok := a.text("timezone", &name); ok {
		zone, err := function.Zone(name)
		if err != nil {
			r.problem(r.at(), "Unknown time zone", strings.ToUpper(err.Error()[:1])+err.Error()[1:])
			return
		}
		s.Timezone = zone
	}
}

// before is -1, -2 and so on.
var before = regexp.MustCompile(`^-[1-9][0-9]{0,5}$`)

// validWhen reports whether WHEN (DESIGN.md section 4) has one of its forms.
func validWhen(when string) bool {
	if when == "yesterday" || before.MatchString(when) {
		return true
	}
	_, errDay := time.Parse(time.DateOnly, when)
	_, errInstant := time.Parse(time.RFC3339, when)
	return errDay == nil || errInstant == nil
}

// rules reads the blocks that a policy and each of its repos may have.
func (l *loader) rules(blocks hcl.Blocks, tag *Tag, release *Release, retention *Retention, gapFill *GapFill) {
	for _, b := range blocks {
		switch b.Type {
		case "tag":
			l.tag(b, tag)
		case "release":
			l.release(b, release)
		case "retention":
			a := l.open(b.Body, []string{"count", "margin"}, nil)
			a.whole("count", 1, &retention.Count)
			a.whole("margin", 0, &retention.Margin)
		case "gap_fill":
			a := l.open(b.Body, []string{"rule", "search", "max_age", "on_missing", "compatible"}, nil)
			oneOf(a, "rule", &gapFill.Rule, NearestEarlier, Keep, Fail)
			oneOf(a, "search", &gapFill.Search, SearchAll, SearchRetained)
			a.duration("max_age", &gapFill.MaxAge)
			oneOf(a, "on_missing", &gapFill.OnMissing, MissingFail, MissingWarn)
			a.boolean("compatible", &gapFill.Compatible)
		}
	}
}

func (l *loader) tag(b *hcl.Block, into *Tag) {
	a := l.open(b.Body, []string{"pattern"}, nil)
	pattern := ""
	r, ok := a.text("pattern", &pattern)
	if !ok {
		return
	}
	if _, err := registry.CompilePattern(pattern); err != nil {
		_, why, _ := strings.Cut(err.Error(), ": ")
		r.problem(r.at(), "Invalid tag pattern", fmt.Sprintf(
			"The pattern must be a regular expression (RE2) with the named groups build and branch, such as %q: %s.",
			defaultPattern, why))
		return
	}
	into.Pattern = pattern
}

var platform = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?$`)

func (l *loader) release(b *hcl.Block, into *Release) {
	a := l.open(b.Body, []string{"date_from", "platform"}, nil)
	if sources, ok := wordsOf(a, "date_from", defaultDateFrom()...); ok {
		if attr := a.list["date_from"]; len(sources) == 0 && !l.diags.HasErrors() {
			l.problem(attr.Expr.Range(), "Empty value", `The attribute "date_from" must name at least one source of a release's date.`)
		}
		into.DateFrom = sources
	}
	name := ""
	if r, ok := a.text("platform", &name); ok {
		if !platform.MatchString(name) {
			r.problem(r.at(), "Invalid platform", fmt.Sprintf(
				"%q is no platform. Write operating system and architecture, such as \"linux/amd64\".", name))
			return
		}
		into.Platform = name
	}
}

func (l *loader) points() {
	b := l.only("points")
	if b == nil {
		return
	}
	a := l.open(b.Body, []string{"by", "source"}, nil)
	oneOf(a, "by", &l.policy.Points.By, ByDay, ByRelease)
	oneOf(a, "source", &l.policy.Points.Source, SourceReleases, SourceDeployments)
}

func (l *loader) apply() {
	b := l.only("apply")
	if b == nil {
		return
	}
	p := &l.policy.Apply
	a := l.open(b.Body, []string{"strategy", "timeout", "total_timeout", "max_parallel", "on_failure", "allow_forward", "config"}, nil)
	oneOf(a, "strategy", &p.Strategy, Together, Waves)
	a.duration("timeout", &p.Timeout)
	a.duration("total_timeout", &p.TotalTimeout)
	a.whole("max_parallel", 1, &p.MaxParallel)
	if _, limited := a.list["max_parallel"]; limited && p.Strategy != Waves {
		l.problem(a.list["max_parallel"].Range, "Unsuitable strategy", `The attribute "max_parallel" limits how many apps of a wave change at once: it needs strategy = "waves".`)
	}
	oneOf(a, "on_failure", &p.OnFailure, Restore, Stop)
	a.boolean("allow_forward", &p.AllowForward)
	oneOf(a, "config", &p.Config, Current, AsDeployed)
}

func (l *loader) environmentBlock(b *block) Environment {
	name := b.Labels[0]
	l.environmentName(b)
	e := Environment{Name: name, Branch: name, Range: source.Range(b.DefRange)}
	a := l.open(b.Body, []string{"branch", "scope"}, nil, verifyBlock)
	a.text("branch", &e.Branch)
	a.text("scope", &e.Scope)
	e.Verify = l.verifies(a.inside)
	return e
}

// environmentName checks that an environment's name can be typed on a command line and read in a table.
func (l *loader) environmentName(b *block) {
	name := b.Labels[0]
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == ',' }) ||
		strings.HasPrefix(name, "-") {
		l.problem(b.LabelRanges[0], "Invalid name", fmt.Sprintf(
			"%q cannot be the name of an environment: it must not be empty, begin with - or contain blanks or commas.", name))
	}
}

// repoName is a repository's name as registries have them.
var repoName = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)

func (l *loader) repo(b *block) Repo {
	p := l.policy
	r := Repo{
		Name: b.Labels[0], Match: MatchImage, Tag: p.Tag, Release: p.Release, Retention: p.Retention, GapFill: p.GapFill,
		Range: source.Range(b.DefRange),
	}
	if !repoName.MatchString(r.Name) {
		detail := fmt.Sprintf("%q cannot be the name of a repository: registries allow lower-case letters and digits,"+
			" separated by . _ - and /, without registry, tag or digest.", r.Name)
		if lower := strings.ToLower(r.Name); lower != r.Name && repoName.MatchString(lower) {
			detail += fmt.Sprintf(" Did you mean %q?", lower)
		}
		l.problem(b.LabelRanges[0], "Invalid name", detail)
	}
	a := l.open(b.Body,
		[]string{"depends_on", "apps", "match", "container"},
		[]string{"tag", "release", "retention", "gap_fill"}, verifyBlock)
	l.dependencies(a, &r)
	if apps, _, ok := a.texts("apps"); ok {
		for _, app := range apps {
			r.Apps = append(r.Apps, app.text)
		}
	}
	oneOf(a, "match", &r.Match, MatchImage, MatchID)
	a.text("container", &r.Container)
	l.rules(a.inside, &r.Tag, &r.Release, &r.Retention, &r.GapFill)
	r.Verify = l.verifies(a.inside)
	return r
}

func (l *loader) dependencies(a attributes, r *Repo) {
	elements, reading, ok := a.texts("depends_on")
	if !ok {
		return
	}
	var names []string
	for _, b := range l.blocks["repo"] {
		names = append(names, b.Labels[0])
	}
	for _, e := range elements {
		switch {
		case e.text == r.Name:
			reading.problem(e.at, "Cycle in depends_on", fmt.Sprintf("The repo %q depends on itself.", r.Name))
		case !slices.Contains(names, e.text):
			others := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == r.Name })
			reading.problem(e.at, "Unknown repo", fmt.Sprintf("The repo %q depends on %q, but there is no such repo.%s",
				r.Name, e.text, source.DidYouMean(e.text, others)))
		default:
			r.DependsOn = append(r.DependsOn, e.text)
		}
	}
}
