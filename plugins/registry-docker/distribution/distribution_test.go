package distribution

import (
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChallenges(t *testing.T) {
	cases := []struct {
		name    string
		headers []string
		want    []challenge
	}{
		{"basic", []string{`Basic realm="a realm"`}, []challenge{{"basic", map[string]string{"realm": "a realm"}}}},
		{"bearer", []string{`Bearer realm="https://auth.example.com/token",service="x",scope="repository:a/b:pull,push"`}, []challenge{
			{"bearer", map[string]string{"realm": "https://auth.example.com/token", "service": "x", "scope": "repository:a/b:pull,push"}},
		}},
		{"several in one", []string{`Negotiate, Basic realm=x , Bearer realm = "y\"z"`}, []challenge{
			{"negotiate", map[string]string{}}, {"basic", map[string]string{"realm": "x"}}, {"bearer", map[string]string{"realm": `y"z`}},
		}},
		{"several headers", []string{"Negotiate", "BASIC"}, []challenge{{"negotiate", map[string]string{}}, {"basic", map[string]string{}}}},
		{"nonsense", []string{`"`, "=", "realm=x"}, nil},
	}
	for _, c := range cases {
		if d := cmp.Diff(c.want, parseChallenges(c.headers), cmp.AllowUnexported(challenge{})); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestHostsOfImages(t *testing.T) {
	cases := []struct {
		address, repository, want string // "" is an error
	}{
		{"registry.example.com:5000", "registry.example.com:5000/a/b", "a/b"},
		{"registry.example.com:5000/team", "registry.example.com:5000/other/b", "other/b"},
		{"Registry.Example.com", "registry.example.com/b", "b"},
		{"registry.example.com", "registry.example.com:443/b", "b"},
		{"registry.example.com:5000", "registry.example.com/b", ""},
		{"docker.io", "nginx", "library/nginx"},
		{"docker.io", "docker.io/team/app", "team/app"},
		{"index.docker.io", "team/app", "team/app"},
		{"registry.example.com", "nginx", ""},
		{"registry.example.com", "registry.example.com/b:tag", ""},
		{"registry.example.com", "registry.example.com/../b", ""},
	}
	for _, c := range cases {
		a, err := ParseAddress(c.address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.Named(c.repository)
		if got.Path != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s at %s: %q, %v", c.repository, c.address, got.Path, err)
		}
	}
	hub, err := ParseAddress("docker.io")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := hub.Repo("nginx"); err != nil || got.Name != "docker.io/library/nginx" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2019, 6, 1, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "Sat, 01 Jun 2019 10:01:00 GMT": time.Minute, "Sat, 01 Jun 2019 09:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestWhatNoRepetitionMendsIsNotRepeated(t *testing.T) {
	cases := []struct {
		err  error
		want bool
	}{
		{errTooLarge, true},
		{errPlain, true},
		{http.ErrSchemeMismatch, true},
		{x509.UnknownAuthorityError{}, true},
		{x509.HostnameError{}, true},
		{&net.DNSError{IsNotFound: true}, true},
		{&net.DNSError{IsTemporary: true}, false},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, false},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, false},
		{io.ErrUnexpectedEOF, false},
		{syscall.ECONNRESET, false},
	}
	for _, c := range cases {
		if got := hopeless(&url.Error{Op: "Get", URL: "https://registry.example.com", Err: c.err}); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func FuzzNextLink(f *testing.F) {
	for _, seed := range []string{`</v2/a/tags/list?last=x>; rel="next"`, `<a>;rel=prev,<b>;title="x,<c>";rel=next`, `<`, `<>`, `<a>;;;rel`, `, ,`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		link, err := nextLink([]string{header})
		if err == nil && link != "" && !strings.Contains(header, "<"+link+">") {
			t.Errorf("%q of %q", link, header)
		}
	})
}

func FuzzParseChallenges(f *testing.F) {
	f.Add(`Bearer realm="https://a",service="b", Basic realm="c\"d"`)
	f.Fuzz(func(t *testing.T, header string) {
		for _, c := range parseChallenges([]string{header}) {
			if c.scheme == "" || c.params == nil {
				t.Errorf("%+v of %q", c, header)
			}
		}
	})
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"registry.example.com:5000/team", "[::1]:5000", "https://x", "a@b", "docker.io"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err != nil {
			return
		}
		if r, err := a.Repo("app"); err == nil {
			if back, err := a.Named(r.Name); err != nil || back != r {
				t.Errorf("%q: %+v, back %+v, %v", text, r, back, err)
			}
		}
	})
}
