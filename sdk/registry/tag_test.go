package registry_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/sdk/registry"
)

func TestParse(t *testing.T) {
	cases := []struct {
		name, pattern, tag string
		want               registry.Tag
		ok                 bool
	}{
		{"build and branch", registry.DefaultPattern, "12-master", registry.Tag{Name: "12-master", Build: "12", Branch: "master"}, true},
		{"the branch is whole: 12-premaster is no release of master", registry.DefaultPattern, "12-premaster", registry.Tag{Name: "12-premaster", Build: "12", Branch: "premaster"}, true},
		{"a branch may contain dashes", registry.DefaultPattern, "7-feature-x-1", registry.Tag{Name: "7-feature-x-1", Build: "7", Branch: "feature-x-1"}, true},
		{"a tag without a build does not match", registry.DefaultPattern, "latest", registry.Tag{}, false},
		{"an unanchored pattern is matched against the whole tag", `(?P<build>\d+)-(?P<branch>[a-z]+)`, "x12-master", registry.Tag{}, false},
		{"alternatives stay inside the anchors", `(?P<build>\d+)-(?P<branch>master)|latest`, "12-masters", registry.Tag{}, false},
		{"version and date", `v(?P<version>[\d.]+)_(?P<date>\d{8})_(?P<build>\d+)-(?P<branch>.+)`, "v1.2_20190601_7-main", registry.Tag{Name: "v1.2_20190601_7-main", Build: "7", Branch: "main", Version: "1.2", Date: "20190601"}, true},
		{"an alternative without a build does not match", `(?P<build>\d+)-(?P<branch>master)|latest`, "latest", registry.Tag{}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, err := registry.CompilePattern(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := p.Parse(c.tag)
			if ok != c.ok {
				t.Errorf("ok = %v, want %v", ok, c.ok)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCompilePatternNamesTheMissingGroup(t *testing.T) {
	for _, expr := range []string{`(?P<build>\d+)`, `(?P<branch>.+)`, `(`, `a)(?P<build>\d+)-(?P<branch>.+)(b`} {
		if _, err := registry.CompilePattern(expr); err == nil {
			t.Errorf("CompilePattern(%q) gave no error", expr)
		}
	}
}

func TestCompareBuildsOrdersAsNumbers(t *testing.T) {
	ascending := []string{"1", "2", "9", "10", "99", "100", "1042", "20220209-04", "20220209-22", "18446744073709551616", "99999999999999999999999"}
	for i, a := range ascending {
		for j, b := range ascending {
			got := registry.CompareBuilds(a, b)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("CompareBuilds(%s, %s) = %d", a, b, got)
			}
		}
	}
	if registry.CompareBuilds("007", "7") != 0 {
		t.Error("leading zeros count")
	}
}

func FuzzCompareBuildsIsAntisymmetric(f *testing.F) {
	f.Add("9", "10")
	f.Add("1.2-3", "1.10")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := registry.CompareBuilds(a, b), registry.CompareBuilds(b, a)
		if (x < 0) != (y > 0) || (x == 0) != (y == 0) {
			t.Errorf("CompareBuilds(%q, %q) = %d but reversed %d", a, b, x, y)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("12-master")
	p, err := registry.CompilePattern(registry.DefaultPattern)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		if got, ok := p.Parse(tag); ok && got.Build+"-"+got.Branch != tag {
			t.Errorf("Parse(%q) = %+v loses a part", tag, got)
		}
	})
}
