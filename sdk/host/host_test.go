package host_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// config starts this test binary as the plugin "world".
func config(kind schema.Kind, settings ...string) host.Config {
	cfg := host.Config{
		Kind: kind, Name: "world", Path: os.Args[0],
		Args:         append([]string{"serve-plugin", string(kind)}, settings...),
		Environ:      os.Environ(),
		StartTimeout: time.Minute, CallTimeout: time.Minute,
	}
	if env, err := exec.LookPath("env"); raceEnabled && err == nil {
		cfg.Path, cfg.Args = env, append([]string{"GORACE=atexit_sleep_ms=0", os.Args[0]}, cfg.Args...)
	}
	return cfg
}

// start starts this test binary as a plugin, and closes it at the end of the test.
func start(t testing.TB, cfg host.Config) *host.Plugin {
	t.Helper()
	p, err := host.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestARegistryPluginIsTheSameThroughAProcess(t *testing.T) {
	p := start(t, config(schema.Registry))
	if diff := cmp.Diff("1.2.3", p.Description().Version); diff != "" {
		t.Error(diff)
	}
	reg, err := p.Registry().Configure(t.Context(), schema.Config{}, schema.Runtime{})
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	err = reg.ListReleases(t.Context(), registry.ListRequest{Repo: "a", Branch: "master"}, func(i registry.Item) error {
		switch {
		case i.Release != nil:
			tags = append(tags, i.Release.Tag)
		case i.Skipped != nil:
			tags = append(tags, "skipped "+i.Skipped.Tag)
		case i.Listing != nil:
			tags = append(tags, "of "+i.Listing.Repository)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"of r/a", "3-master", "skipped x", "1-master"}, tags); diff != "" {
		t.Error(diff)
	}
}
