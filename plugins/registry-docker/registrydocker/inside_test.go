package registrydocker

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

func TestDatesOfImages(t *testing.T) {
	cases := []struct{ text, want string }{
		{"2019-06-01T10:00:00Z", "2019-06-01T10:00:00Z"},
		{"2019-06-01T10:00:00.123456789Z", "2019-06-01T10:00:00.123456789Z"},
		{"2019-06-01T12:00:00+02:00", "2019-06-01T10:00:00Z"},
		{"2019-06-01T12:00:00+0200", "2019-06-01T10:00:00Z"},
		{"2019-06-01T10:00:00", "2019-06-01T10:00:00Z"},
		{"2019-06-01T10:00Z", "2019-06-01T10:00:00Z"},
		{"2019-06-01 10:00:00+00:00", "2019-06-01T10:00:00Z"},
		{"2019-06-01 12:00:00 +0200", "2019-06-01T10:00:00Z"},
		{"2019-06-01 10:00:00 +0000 UTC", "2019-06-01T10:00:00Z"},
		{" 2019-06-01 ", "2019-06-01T00:00:00Z"},
		{"Sat, 01 Jun 2019 10:00:00 GMT", "2019-06-01T10:00:00Z"},
		{"20190601", "2019-06-01T00:00:00Z"},
		{"20190601T100000Z", "2019-06-01T10:00:00Z"},
		{"20190601-1000", "2019-06-01T10:00:00Z"},
		{"2019060110", "2019-06-01T10:00:00Z"},
		{"2019.06.01-10.00.07.999", "2019-06-01T10:00:07Z"},
		{"1559383200", "2019-06-01T10:00:00Z"},
		{"1559383200000", "2019-06-01T10:00:00Z"},
		{"", ""},
		{"yesterday", ""},
		{"2019-13-01", ""},
		{"2019", ""},
		{"20190231", ""},
		{"201906011", ""},
	}
	for _, c := range cases {
		got := ""
		if at, ok := parseDate(c.text); ok {
			got = at.UTC().Format(time.RFC3339Nano)
		}
		if got != c.want {
			t.Errorf("parseDate(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

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
		a, err := parseAddress(c.address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.named(c.repository)
		if got.path != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s at %s: %q, %v", c.repository, c.address, got.path, err)
		}
	}
	hub, err := parseAddress("docker.io")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := hub.repo("nginx"); err != nil || got.name != "docker.io/library/nginx" {
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

func TestTheCacheReturnsOnlyWhatHasTheDigest(t *testing.T) {
	dir := t.TempDir()
	c := newCache(dir, hclog.NewNullLogger())
	body := []byte(`{"created":"2019-06-01T10:00:00Z"}`)
	digest := digestOf(body)
	if _, ok := c.get(digest); ok {
		t.Error("an empty cache has something")
	}
	c.put(digest, body)
	if got, ok := c.get(digest); !ok || string(got) != string(body) {
		t.Errorf("got %q", got)
	}
	_, file := c.path(digest)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if err := os.WriteFile(file, []byte("forged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.get(digest); ok {
		t.Errorf("the forged content %q was taken", got)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the forged content is still there")
	}
	for _, odd := range []string{"", "sha256:", "sha256:../../../../etc/passwd", "md5:1"} {
		c.put(odd, body)
		if _, ok := c.get(odd); ok {
			t.Errorf("%q was taken", odd)
		}
	}
	c.put(digest, make([]byte, cacheLongest+1))
	if _, ok := c.get(digest); ok {
		t.Error("something enormous was kept")
	}
	var none *cache
	none.put(digest, body)
	if _, ok := none.get(digest); ok {
		t.Error("no cache has something")
	}
}

func TestABrokenCacheIsAnEmptyOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCache(filepath.Join(file, "cache"), hclog.NewNullLogger())
	c.put(digestOf(nil), nil)
	if _, ok := c.get(digestOf(nil)); ok {
		t.Error("it has something")
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	folder := t.TempDir()
	for i := range cacheFiles + 10 {
		path := filepath.Join(folder, strings.Repeat("a", i+1)[:min(i+1, 200)]+string(rune('a'+i%26))+time.Duration(i).String())
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(i), 0)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := prune(folder); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != cacheFiles {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	for _, e := range left {
		info, err := e.Info()
		if err != nil || info.ModTime().Unix() < 10 {
			t.Errorf("%s is among the oldest", e.Name())
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "big"), make([]byte, cacheBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prune(folder); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 || left[0].Name() != "big" {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}

func FuzzParseManifest(f *testing.F) {
	for _, seed := range []string{
		`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:x"},"layers":[]}`,
		`{"schemaVersion":2,"manifests":[{"platform":{"os":"linux","architecture":"arm","variant":"v7"}},{"platform":null}]}`,
		`{"schemaVersion":1,"history":[{"v1Compatibility":"{\"created\":\"2019-06-01T10:00:00Z\"}"}],"signatures":[{"protected":"eyJmb3JtYXRMZW5ndGgiOjUsImZvcm1hdFRhaWwiOiJmUSJ9"}]}`,
		`{"schemaVersion":"2"}`, `[]`, `null`, `{}`, ``, `{"layers":7}`,
	} {
		f.Add([]byte(seed), "application/json")
	}
	want := platform{OS: "linux", Architecture: "arm"}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		before := slices.Clone(body)
		d, err := parseManifest(body, contentType)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Error("what is no JSON was taken")
		}
		if !isDigest(d.digest) {
			t.Errorf("digest %q", d.digest)
		}
		named, unnamed := d.entries()
		if best := bestFit(want, named); best >= len(named) || len(named)+len(unnamed) > len(d.Manifests) {
			t.Errorf("best = %d of %d", best, len(named))
		}
		if d.kind() == kindSchema1 {
			_ = readSchema1(&image{}, d)
		}
		if d.what() != printable(d.what()) {
			t.Errorf("what = %q", d.what())
		}
		if !slices.Equal(before, body) {
			t.Error("the body was changed")
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"created":"2019-06-01T10:00:00Z","os":"linux","config":{"Labels":{"a":"b","c":7}}}`))
	f.Add([]byte(`{"created":null,"config":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := parseConfig(body); err == nil && !json.Valid(body) {
			t.Error("what is no JSON was taken")
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"2019-06-01T10:00:00Z", "20190601", "1559383200", "2019.06.01-10", "T", "99999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if at, ok := parseDate(text); ok {
			if again, ok := parseDate(at.UTC().Format(time.RFC3339Nano)); at.Year() <= 9999 && at.Year() >= 0 && (!ok || !again.Equal(at)) {
				t.Errorf("%q is %s, and that %s", text, at, again)
			}
		}
	})
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
		a, err := parseAddress(text)
		if err != nil {
			return
		}
		if r, err := a.repo("app"); err == nil {
			if back, err := a.named(r.name); err != nil || back != r {
				t.Errorf("%q: %+v, back %+v, %v", text, r, back, err)
			}
		}
	})
}
