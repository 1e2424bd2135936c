package registries_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrydocker"
	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/conformance/conformancetest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// distribution starts the registry in memory; htpasswd may name a file of users.
func distribution(t *testing.T, htpasswd string) *registrytest.Registry {
	t.Helper()
	cfg := &configuration.Configuration{Storage: configuration.Storage{
		"inmemory":    configuration.Parameters{},
		"delete":      configuration.Parameters{"enabled": true},
		"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}},
	}}
	cfg.Log.Level = "fatal"
	cfg.Log.AccessLog.Disabled = true
	cfg.Catalog.MaxEntries = 1000
	cfg.HTTP.Secret = "for tests"
	if htpasswd != "" {
		cfg.Auth = configuration.Auth{"htpasswd": configuration.Parameters{"realm": "test", "path": htpasswd}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	srv := httptest.NewServer(handlers.NewApp(ctx, cfg))
	t.Cleanup(func() { srv.Close(); cancel() })
	return &registrytest.Registry{URL: srv.URL, Client: &http.Client{}}
}

func config(t *testing.T, reg *registrytest.Registry, more map[string]any) json.RawMessage {
	t.Helper()
	b := map[string]any{"address": strings.TrimPrefix(reg.URL, "http://")}
	for k, v := range more {
		b[k] = v
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func plugin() registry.Plugin { return registrydocker.New(registrydocker.Options{}) }

func configure(t *testing.T, reg *registrytest.Registry, more map[string]any) registry.Registry {
	t.Helper()
	r, err := plugin().Configure(t.Context(), schema.Config{JSON: config(t, reg, more)}, schema.Runtime{Logger: hclog.NewNullLogger(), Parallelism: 16})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func request(repo string) registry.ListRequest {
	return registry.ListRequest{
		Repo: repo, Pattern: registry.DefaultPattern, Branch: "master", Platform: "linux/amd64",
		DateFrom: []registry.DateSource{registry.FromConfig}, NotAfter: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func list(t *testing.T, r registry.Registry, req registry.ListRequest) (items []registry.Item, err error) {
	t.Helper()
	err = r.ListReleases(t.Context(), req, func(i registry.Item) error { items = append(items, i); return nil })
	return items, err
}

func TestConformance(t *testing.T) {
	for _, more := range []map[string]any{nil, {"page_size": 3}} {
		t.Run(fmt.Sprint(more), func(t *testing.T) {
			reg := distribution(t, "")
			story, err := registrytest.Story(t.Context(), reg, false)
			if err != nil {
				t.Fatal(err)
			}
			conformancetest.Run(t, conformance.OfRegistry(plugin), conformance.Fixture{Config: config(t, reg, more), Registry: &story})
		})
	}
}

func TestConformanceWithALogin(t *testing.T) {
	users := filepath.Join(t.TempDir(), "htpasswd")
	cmd := exec.CommandContext(t.Context(), "htpasswd", "-Bbc", "-C", "4", users, "ci", "s3cret-word")
	if out, err := cmd.CombinedOutput(); errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") == "" {
		t.Skip("no htpasswd here: " + registrytest.InstallDebian)
	} else if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	reg := distribution(t, users)
	reg.Username, reg.Password = "ci", "s3cret-word"
	story, err := registrytest.Story(t.Context(), reg, false)
	if err != nil {
		t.Fatal(err)
	}
	login := map[string]any{"username": "ci", "password": "s3cret-word"}
	conformancetest.Run(t, conformance.OfRegistry(plugin), conformance.Fixture{Config: config(t, reg, login), Registry: &story})
	if _, err := list(t, configure(t, reg, map[string]any{"username": "ci", "password": "wrong"}), request("app")); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestListsArePagedByTheRegistrysLinks(t *testing.T) {
	reg := distribution(t, "")
	const tags = 57
	for i := range tags {
		if _, err := reg.Push(t.Context(), fmt.Sprintf("app:%d-master", i), registrytest.Image{Created: time.Date(2019, 6, 1, 0, i, 0, 0, time.UTC)}); err != nil {
			t.Fatal(err)
		}
	}
	want, err := list(t, configure(t, reg, nil), request("app"))
	if err != nil || len(want) != 1+tags {
		t.Fatalf("%d items, %v", len(want), err)
	}
	for _, size := range []int{1, 10, 19, 56, 57, 58, 10000} {
		got, err := list(t, configure(t, reg, map[string]any{"page_size": size}), request("app"))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("page_size %d: %s", size, d)
		}
	}
}

func TestDeletedImages(t *testing.T) {
	reg := distribution(t, "")
	push := func(tag string, img registrytest.Image) registrytest.Pushed {
		t.Helper()
		p, err := reg.Push(t.Context(), "app:"+tag, img)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	at := time.Date(2019, 6, 1, 0, 0, 0, 0, time.UTC)
	push("1-master", registrytest.Image{Created: at})
	gone := push("2-master", registrytest.Image{Created: at.Add(time.Hour)})
	half := push("3-master", registrytest.Image{Created: at.Add(2 * time.Hour), Layers: []string{"three"}})
	for _, what := range []string{"manifests/" + gone.Digest, "blobs/" + half.Layers[1]} {
		if err := reg.Delete(t.Context(), "app", what); err != nil {
			t.Fatal(err)
		}
	}
	r := configure(t, reg, nil)
	items, err := list(t, r, request("app"))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if i.Release != nil && i.Release.Tag == "2-master" {
			t.Error("a deleted image is listed")
		}
	}
	res, err := r.Resolve(t.Context(), registry.ResolveRequest{Repo: "app", Tag: "2-master", Digest: gone.Digest, Platform: "linux/amd64"})
	if err != nil || res.Found || !res.TagMoved {
		t.Errorf("deleted: %+v, %v", res, err)
	}
	res, err = r.Resolve(t.Context(), registry.ResolveRequest{Repo: "app", Tag: "3-master", Platform: "linux/amd64"})
	if err != nil || !res.Found || res.Pullable || !cmp.Equal(res.Missing, []string{"layer " + half.Layers[1]}) {
		t.Errorf("half deleted: %+v, %v", res, err)
	}
}
