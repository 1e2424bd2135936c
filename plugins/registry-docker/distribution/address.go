package distribution

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/distribution/reference"

	"github.com/rollback-project/rollback/sdk/fault"
)

// dockerHub is the host that names without one mean, and apiHub the one that answers for it.
const (
	dockerHub = "docker.io"
	apiHub    = "index.docker.io"
)

// Address is where the registry is.
type Address struct {
	// host is host or host:port, in lower case, as images name it.
	host string
	// prefix comes before each repo's name: "team/sub", or "".
	prefix string
}

// ParseAddress takes host[:port][/prefix] apart. Its errors never quote what may be a password.
func ParseAddress(text string) (Address, error) {
	switch {
	case text == "":
		return Address{}, errors.New("the attribute address must name the registry, such as registry.example.com:5000")
	case strings.Contains(text, "@"):
		return Address{}, errors.New("the address contains an @: give credentials in the attributes username and password")
	case strings.Contains(text, "://"):
		_, rest, _ := strings.Cut(text, "://")
		return Address{}, fmt.Errorf("the address must not have a scheme: write %q (HTTPS is spoken unless plain_http is set)",
			strings.TrimSuffix(rest, "/"))
	}
	host, prefix, _ := strings.Cut(strings.TrimSuffix(text, "/"), "/")
	host = strings.ToLower(host)
	// In an image's name the first part is a host only if it looks like one: app/x is in Docker's own registry.
	ref, err := reference.ParseNormalizedNamed(host + "/x")
	if err != nil || reference.Domain(ref) != host && !isHub(host) {
		return Address{}, fmt.Errorf("the address %q does not begin with a host, such as registry.example.com:5000", text)
	}
	if prefix == "v2" || strings.HasPrefix(prefix, "v2/") {
		return Address{}, errors.New("the address must end before the /v2/ of the API")
	}
	if prefix != "" {
		if _, err := reference.WithName("host.example/" + prefix); err != nil {
			return Address{}, fmt.Errorf("the prefix %q of the address is no repository path: %w", prefix, err)
		}
	}
	return Address{host: host, prefix: prefix}, nil
}

// Host is host or host:port, in lower case, as images name it.
func (a Address) Host() string { return a.host }

// Loopback reports whether the host is this machine.
func (a Address) Loopback() bool {
	host := a.host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// api is the host that is spoken to.
func (a Address) api() string {
	if isHub(a.host) {
		return apiHub
	}
	return a.host
}

// Repository is one repository of the registry.
type Repository struct {
	// Name is the full name as images have it: registry.example.com:5000/team/backend-a.
	Name string
	// Path is its name in the API: team/backend-a.
	Path string
}

// Repo returns the repository of a repo of the policy. What cannot be one is an Invalid fault.
func (a Address) Repo(repo string) (Repository, error) {
	path := repo
	if a.prefix != "" {
		path = a.prefix + "/" + repo
	}
	return a.within(path)
}

// Named returns the repository of a full name. One on another host is an Unsupported fault.
func (a Address) Named(full string) (Repository, error) {
	ref, err := reference.ParseNormalizedNamed(full)
	if err != nil || !reference.IsNameOnly(ref) {
		return Repository{}, fault.New(fault.Invalid, "%q is no full name of a repository", full).On(full)
	}
	if host := strings.ToLower(reference.Domain(ref)); !a.same(host) {
		return Repository{}, fault.New(fault.Unsupported, "%s is in the registry %s; this one is %s", full, host, a.host).On(full).
			WithHint(`Add a block registry "docker" for %s, or move the image.`, host)
	}
	return a.within(reference.Path(ref))
}

func (a Address) within(path string) (Repository, error) {
	full := a.host + "/" + path
	if isHub(a.host) && !strings.Contains(path, "/") {
		path = "library/" + path
		full = a.host + "/" + path
	}
	if _, err := reference.WithName(full); err != nil || path == "" {
		return Repository{}, fault.New(fault.Invalid, "%q is no name of a repository: lower-case letters, digits and . _ - between slashes", path).On(path)
	}
	return Repository{Name: full, Path: path}, nil
}

// same reports whether a host of an image's name is this registry.
func (a Address) same(host string) bool {
	if isHub(host) {
		return isHub(a.host)
	}
	return withPort(host) == withPort(a.host)
}

// withPort adds the port that a name without one means in a TLS world.
func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "443")
}

func isHub(host string) bool {
	switch host {
	case dockerHub, apiHub, "registry-1.docker.io", "registry.hub.docker.com":
		return true
	}
	return false
}
