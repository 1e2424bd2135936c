package registrydocker_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrydocker"
	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/conformance/conformancetest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// servePlugin makes this test's executable the plugin.
const servePlugin = "serve-plugin"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == servePlugin {
		sdk.ServeRegistry(registrydocker.New(quick()))
		return
	}
	os.Exit(m.Run())
}

// conform seeds a registry and runs the suite on it, over the wire. The fixture is for further runs.
func conform(t *testing.T, reg *registrytest.Registry, b block, schema1 bool) conformance.Fixture {
	t.Helper()
	story, err := registrytest.Story(t.Context(), reg, schema1)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(b block) json.RawMessage { return blockConfig(t, b).JSON }
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	fixture := conformance.Fixture{
		Config:      encode(b),
		Unreachable: encode(block{"address": nobody, "retries": 0}),
		Invalid: []conformance.InvalidConfig{
			{Config: encode(block{"address": ""}), Paths: []string{"address"}},
			{Config: encode(block{"address": "https://x", "username": "u", "timeout": "soon"}), Paths: []string{"address", "username", "timeout"}},
		},
		WorkDir:  t.TempDir(),
		Registry: &story,
	}
	conformancetest.Run(t, conformance.OfHost(schema.Registry, func(ctx context.Context, log hclog.Logger) (*host.Plugin, error) {
		return host.InProcessRegistry(ctx, registrydocker.New(quick()), host.Config{Logger: log})
	}), fixture)
	return fixture
}

func TestConformanceOnTheRegistryInMemory(t *testing.T) {
	reg, addr := memory(t)
	conform(t, reg, block{"address": addr}, false)
}

func TestConformanceOnDebiansRegistry(t *testing.T) {
	reg := debian(t, "", "")
	conform(t, reg, block{"address": strings.TrimPrefix(reg.URL, "http://")}, true)
}

func TestConformanceOnDebiansRegistryWithALogin(t *testing.T) {
	reg := debian(t, "ci", "s3cret-word")
	addr := strings.TrimPrefix(reg.URL, "http://")
	fixture := conform(t, reg, block{"address": addr, "username": "ci", "password": "s3cret-word"}, true)
	t.Run("as a process", func(t *testing.T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		conformancetest.Run(t, conformance.OfExecutable(host.Config{
			Kind: schema.Registry, Name: "docker", Path: self, Args: []string{servePlugin}, Environ: os.Environ(),
		}), fixture)
	})
	for name, b := range map[string]block{"no credentials": {}, "a wrong password": {"username": "ci", "password": "wrong"}} {
		b["address"] = addr
		b["docker_config"] = dockerConfig(t, block{})
		if b["username"] != nil {
			delete(b, "docker_config")
		}
		plugin := configure(t, b, quick())
		if _, err := list(t.Context(), plugin, request("story/backend-a")); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: list: %v", name, err)
		}
		if _, err := plugin.Probe(t.Context()); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: probe: %v", name, err)
		}
	}
}

// A digest that is deleted leaves its tag in the list of Debian's registry.
func TestATagOfADeletedImageIsGoneOnDebiansRegistry(t *testing.T) {
	reg := debian(t, "", "")
	addr := strings.TrimPrefix(reg.URL, "http://")
	push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
	p := push(t, reg, "app:2-master", registrytest.Image{Created: day(2)})
	plugin := configure(t, block{"address": addr}, quick())
	if err := reg.Delete(t.Context(), "app", "manifests/"+p.Digest); err != nil {
		t.Fatal(err)
	}
	got := mustList(t, plugin, request("app"))
	if len(got.Releases) != 1 || got.Releases[0].Tag != "1-master" {
		t.Errorf("got %+v", got)
	}
	for _, s := range got.Skipped {
		if s.Reason != registry.SkipGone {
			t.Errorf("got %+v", s)
		}
	}
	res, err := plugin.Resolve(t.Context(), registry.ResolveRequest{Repo: "app", Tag: "2-master", Digest: p.Digest})
	if err != nil || res.Found || !res.TagMoved {
		t.Errorf("got %+v, %v", res, err)
	}
}

// debian starts the real thing. Where it is missing, CI must not pass for want of it.
func debian(t testing.TB, username, password string) *registrytest.Registry {
	t.Helper()
	reg, stop, err := registrytest.StartDebian(t.Context(), t.TempDir(), username, password)
	if errors.Is(err, registrytest.ErrNoDebian) && os.Getenv("CI") == "" {
		t.Skip("no docker-registry here: " + registrytest.InstallDebian)
	}
	if err != nil {
		t.Fatalf("%v (%s)", err, registrytest.InstallDebian)
	}
	t.Cleanup(stop)
	return reg
}
