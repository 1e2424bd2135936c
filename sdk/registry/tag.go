package registry

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// DefaultPattern is the tag pattern of a policy that has none: <build>-<branch>.
const DefaultPattern = `^(?P<build>\d+)-(?P<branch>.+)$`

// Pattern is a compiled tag pattern. It is safe for concurrent use.
type Pattern struct {
	re                           *regexp.Regexp
	build, branch, version, date int
}

// CompilePattern compiles an RE2 expression with the named groups build and branch,
// and optionally version and date. An expression that is not anchored is matched against the whole tag.
func CompilePattern(expr string) (*Pattern, error) {
	if _, err := regexp.Compile(expr); err != nil {
		return nil, fmt.Errorf("compile tag pattern: %w", err)
	}
	re, err := regexp.Compile(`^(?:` + expr + `)$`)
	if err != nil {
		return nil, fmt.Errorf("compile tag pattern: %w", err)
	}
	p := &Pattern{
		re:      re,
		build:   re.SubexpIndex("build"),
		branch:  re.SubexpIndex("branch"),
		version: re.SubexpIndex("version"),
		date:    re.SubexpIndex("date"),
	}
	if p.build < 0 {
		return nil, errors.New(`compile tag pattern: there is no group (?P<build>…)`)
	}
	if p.branch < 0 {
		return nil, errors.New(`compile tag pattern: there is no group (?P<branch>…)`)
	}
	return p, nil
}

// Tag is a tag taken apart by a Pattern.
type Tag struct {
	// Name is the whole tag.
	Name string
	// Build and Branch are never empty. Version and Date are empty when the pattern lacks the group or it took no part.
	Build, Branch, Version, Date string
}

// Parse takes a tag apart; false when it does not match the pattern.
func (p *Pattern) Parse(tag string) (Tag, bool) {
	m := p.re.FindStringSubmatch(tag)
	if m == nil || m[p.build] == "" || m[p.branch] == "" {
		return Tag{}, false
	}
	t := Tag{Name: tag, Build: m[p.build], Branch: m[p.branch]}
	if p.version >= 0 {
		t.Version = m[p.version]
	}
	if p.date >= 0 {
		t.Date = m[p.date]
	}
	return t, true
}

// CompareBuilds orders builds: runs of digits as numbers of any length, everything else as text,
// so that 9 < 10 < 1042 and 20220209-04 < 20220209-22. Leading zeros do not count.
func CompareBuilds(a, b string) int {
	for a != "" && b != "" {
		var ra, rb string
		ra, a = run(a)
		rb, b = run(b)
		if c := compareRuns(ra, rb); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// CompareTags orders tags by build, and tags of one build by name, so that the order is total.
func CompareTags(a, b Tag) int {
	if c := CompareBuilds(a.Build, b.Build); c != 0 {
		return c
	}
	return strings.Compare(a.Name, b.Name)
}

// run splits off the longest prefix that is all digits or has none.
func run(s string) (first, rest string) {
	digits := isDigit(s[0])
	for i := 1; i < len(s); i++ {
		if isDigit(s[i]) != digits {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func compareRuns(a, b string) int {
	if isDigit(a[0]) && isDigit(b[0]) {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if len(a) != len(b) {
			return len(a) - len(b)
		}
	}
	return strings.Compare(a, b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
