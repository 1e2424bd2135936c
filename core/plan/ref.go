package plan

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

// Ref is an image reference taken apart.
type Ref struct {
	// Name is the reference without tag and digest, spelled as it was.
	Name string
	// Repository is the full name: nginx is docker.io/library/nginx.
	Repository string
	// Tag and Digest are "" where the reference has none; latest is never assumed.
	Tag, Digest string
}

// ParseRef takes an image reference apart. References that Docker would not take are errors.
func ParseRef(image string) (Ref, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return Ref{}, fmt.Errorf("read image reference %q: %s", clean(image), clean(err.Error()))
	}
	r := Ref{Name: image, Repository: named.Name()}
	if d, ok := named.(reference.Digested); ok {
		r.Digest = d.Digest().String()
		r.Name = strings.TrimSuffix(r.Name, "@"+r.Digest)
	}
	if t, ok := named.(reference.Tagged); ok {
		r.Tag = t.Tag()
		r.Name = strings.TrimSuffix(r.Name, ":"+r.Tag)
	}
	return r, nil
}

// with returns the reference of the same name with another tag, and digest unless that is "".
func (r Ref) with(tag, digest string) string {
	image := r.Name
	if tag != "" {
		image += ":" + tag
	}
	if digest != "" {
		image += "@" + digest
	}
	return image
}

// path returns a full repository name without its registry.
func path(repository string) string {
	_, path, _ := strings.Cut(repository, "/")
	return path
}

// clean replaces control characters of text that came from outside.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
