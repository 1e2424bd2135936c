package registrydocker_test

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	gcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrydocker"
	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

var (
	now   = time.Date(2019, 6, 30, 12, 0, 0, 0, time.UTC)
	every = []registry.DateSource{registry.FromAnnotation, registry.FromLabel, registry.FromConfig, registry.FromTag}
)

// day is ten o'clock on a day of June 2019.
func day(n int) time.Time { return time.Date(2019, 6, n, 10, 0, 0, 0, time.UTC) }

// memory starts a registry in memory, behind the handlers given (the last one outermost).
func memory(t testing.TB, around ...func(http.Handler) http.Handler) (*registrytest.Registry, string) {
	t.Helper()
	inner := gcr.New(gcr.Logger(log.New(io.Discard, "", 0)))
	direct := httptest.NewServer(inner)
	t.Cleanup(direct.Close)
	outer := inner
	for _, a := range around {
		outer = a(outer)
	}
	srv := httptest.NewServer(outer)
	t.Cleanup(srv.Close)
	return &registrytest.Registry{URL: direct.URL, Client: direct.Client()}, hostOf(t, srv.URL)
}

func hostOf(t testing.TB, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// quick are options that do not wait for anything.
func quick() registrydocker.Options {
	return registrydocker.Options{FirstWait: time.Microsecond, LongestWait: 2 * time.Second}
}

type block map[string]any

// configure makes a plugin for a block.
func configure(t testing.TB, b block, o registrydocker.Options) registry.Registry {
	t.Helper()
	reg, err := tryConfigure(t, b, o)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func tryConfigure(t testing.TB, b block, o registrydocker.Options) (registry.Registry, error) {
	t.Helper()
	p := registrydocker.New(o)
	cfg := blockConfig(t, b)
	if ds := p.ValidateConfig(cfg); ds.HasErrors() {
		t.Fatalf("the block is not valid: %v", ds)
	}
	return p.Configure(t.Context(), cfg, schema.Runtime{
		Logger: hclog.NewNullLogger(), UserAgent: "rollback/test", WorkDir: t.TempDir(), Parallelism: 32,
	})
}

func blockConfig(t testing.TB, b block) schema.Config {
	t.Helper()
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return schema.Config{JSON: text}
}

func request(repo string) registry.ListRequest {
	return registry.ListRequest{
		Repo: repo, Pattern: registry.DefaultPattern, Branch: "master", DateFrom: every,
		Platform: "linux/amd64", NotAfter: now.Add(24 * time.Hour),
	}
}

// listed is a whole listing.
type listed struct {
	Listing  registry.Listing
	Releases []registry.Release
	Skipped  []registry.Skipped
	// Order are the tags of releases and skipped ones as they came.
	Order []string
}

func (l *listed) add(i registry.Item) {
	switch {
	case i.Listing != nil:
		l.Listing = *i.Listing
	case i.Release != nil:
		l.Releases = append(l.Releases, *i.Release)
		l.Order = append(l.Order, i.Release.Tag)
	case i.Skipped != nil:
		l.Skipped = append(l.Skipped, *i.Skipped)
		l.Order = append(l.Order, i.Skipped.Tag)
	}
}

func list(ctx context.Context, reg registry.Registry, req registry.ListRequest) (listed, error) {
	var l listed
	err := reg.ListReleases(ctx, req, func(i registry.Item) error { l.add(i); return nil })
	return l, err
}

func mustList(t testing.TB, reg registry.Registry, req registry.ListRequest) listed {
	t.Helper()
	l, err := list(t.Context(), reg, req)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// push pushes an image and stops the test if it cannot.
func push(t testing.TB, r *registrytest.Registry, ref string, img registrytest.Image) registrytest.Pushed {
	t.Helper()
	p, err := r.Push(t.Context(), ref, img)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// reasons are the skipped tags with why they were.
func reasons(l listed) map[string]registry.SkipReason {
	m := map[string]registry.SkipReason{}
	for _, s := range l.Skipped {
		m[s.Tag] = s.Reason
	}
	return m
}

// isList reports whether a request asks for a list of tags.
func isList(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/tags/list") }

func copyAll(w io.Writer, r io.Reader) error {
	_, err := io.Copy(w, r)
	return err
}
