package marathon

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/rollback-project/rollback/sdk/fault"
)

// Version is a release of Marathon.
type Version struct {
	Major, Minor, Patch int
	// Text is what Marathon says, such as 1.5.0-SNAPSHOT; "" when the version was inferred.
	Text string
}

// ParseVersion reads a version; what follows its numbers does not count.
func ParseVersion(text string) (Version, error) {
	v := Version{Text: text}
	numbers := []*int{&v.Major, &v.Minor, &v.Patch}
	rest := text
	for i, n := range numbers {
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		var err error
		if *n, err = strconv.Atoi(rest[:end]); err != nil {
			if i == len(numbers)-1 {
				break
			}
			return Version{}, fmt.Errorf("%q is no version", Printable(text))
		}
		var dot bool
		if rest, dot = strings.CutPrefix(rest[end:], "."); !dot {
			if i == 0 {
				return Version{}, fmt.Errorf("%q is no version", Printable(text))
			}
			break
		}
	}
	return v, nil
}

// AtLeast reports whether the version is major.minor or newer.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// HasPatch reports whether PATCH /v2/apps is there, which cannot bring a deleted app to life again.
func (v Version) HasPatch() bool { return v.AtLeast(1, 4) }

// HasPods reports whether there are pods.
func (v Version) HasPods() bool { return v.AtLeast(1, 4) }

// String is the version for people.
func (v Version) String() string {
	switch {
	case v.Text != "":
		return Printable(v.Text)
	case v.HasPatch():
		return "1.4 or newer"
	}
	return "older than 1.4"
}

// askVersion reads the version, or infers it.
func (c *Client) askVersion(ctx context.Context) (Version, error) {
	var info struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	r := request{path: "/v2/info", doing: "read Marathon's version"}
	err := c.get(ctx, r, &info)
	if fault.Is(err, fault.PermissionDenied) {
		return c.inferVersion(ctx)
	}
	if err != nil {
		return Version{}, err
	}
	v, err := ParseVersion(info.Version)
	if err != nil {
		return Version{}, fault.New(fault.Internal, "read Marathon's version: %w", err).
			WithHint("Is %s the API of a Marathon?", c.base)
	}
	return v, nil
}

// inferVersion tells old from new by the pods, for those who may not read /v2/info.
func (c *Client) inferVersion(ctx context.Context) (Version, error) {
	a, err := c.ask(ctx, request{method: http.MethodHead, path: "/v2/pods", doing: "find out Marathon's version"})
	if err != nil {
		return Version{}, err
	}
	if a.ok() || a.status == http.StatusForbidden {
		return Version{Major: 1, Minor: 4}, nil
	}
	return Version{Minor: 16}, nil
}
