package image

import (
	"fmt"
	"strings"

	"github.com/rollback-project/rollback/sdk/fault"
)

// Platform is what an image runs on.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

// ParsePlatform reads os/architecture[/variant]; "" is any platform, and nil.
// What is none is an Invalid fault.
func ParsePlatform(text string) (*Platform, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no platform is asked for
	}
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 || strings.Contains("/"+text+"/", "//") {
		return nil, fault.New(fault.Invalid, "%q is no platform, such as linux/amd64 or linux/arm/v7", text)
	}
	p := &Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// String renders the platform as it is read.
func (p Platform) String() string {
	text := fmt.Sprintf("%s/%s", p.OS, p.Architecture)
	if p.Variant != "" {
		text += "/" + p.Variant
	}
	return Printable(text)
}

// real is false for the entries that build tools add for attestations.
func (p Platform) real() bool { return p.OS != "unknown" && p.Architecture != "unknown" }

// level is the variant as a number, with what the architecture means when it names none.
func (p Platform) level() (n int, known bool) {
	v := p.Variant
	if v == "" {
		v = map[string]string{"amd64": "v1", "arm": "v7", "arm64": "v8"}[p.Architecture]
	}
	if v == "" {
		return 0, true
	}
	_, err := fmt.Sscanf(strings.TrimPrefix(v, "v"), "%d", &n)
	return n, err == nil
}

// fit says how well an image for have runs where want is asked for: 0 not at all, more is better.
// An older variant runs on a newer machine; a newer one is taken only when no variant was asked for.
func fit(want, have Platform) int {
	if want.OS != have.OS || want.Architecture != have.Architecture {
		return 0
	}
	const newest = 1000
	w, knownW := want.level()
	h, knownH := have.level()
	switch {
	case want.Variant == have.Variant:
		return 2*newest + 2
	case !knownW || !knownH:
		return 0
	case h <= w:
		return newest + min(h, newest)
	case want.Variant == "":
		return newest - min(h, newest-1)
	}
	return 0
}

// BestFit is the index of the entry that fits best, the first of equals; -1 when none does.
func BestFit(want Platform, entries []Descriptor) int {
	best, score := -1, 0
	for i, e := range entries {
		if s := fit(want, *e.Platform); s > score {
			best, score = i, s
		}
	}
	return best
}

// Serves reports whether an image whose config says have may run where want is asked for.
// Old configs say nothing, and run anywhere.
func Serves(want *Platform, have Platform) bool {
	if want == nil || have.OS == "" && have.Architecture == "" {
		return true
	}
	if have.OS == "" {
		have.OS = want.OS
	}
	return fit(*want, have) > 0
}
