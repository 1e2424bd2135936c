// Package registryfile is the reference registry plugin: a container registry
// in a JSON file.
//
// It keeps every promise of sdk/registry, and it can be told to break down in
// the ways registries do (docs/file-plugins.md), so that documents, tutorials
// and crash tests run without any server.
package registryfile

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Options are what tests replace.
type Options struct {
	// Crash ends the process at a scripted crash; nil kills it as SIGKILL does.
	// If Crash returns, the call it happened in ends with an Indeterminate fault.
	Crash func()
}

// Plugin returns the plugin as its executable serves it.
func Plugin() registry.Plugin { return New(Options{}) }

// New returns the plugin with parts replaced.
func New(o Options) registry.Plugin {
	if o.Crash == nil {
		o.Crash = killSelf
	}
	return plugin{o}
}

type plugin struct{ opts Options }

// config is the body of the policy's block.
type config struct {
	Path string `json:"path"`
}

func (plugin) Describe() schema.Description {
	return schema.Description{
		Kind:    schema.Registry,
		Name:    "file",
		Version: "0.1.0",
		Doc: "A container registry in a JSON file, for tutorials, rehearsals and tests. " +
			"The file's format is in docs/file-plugins.md.",
		Schema: schema.Schema{Attributes: []schema.Attribute{{
			Name:     "path",
			Type:     cty.String,
			Required: true,
			Doc:      "The world file. A relative path starts at the policy's folder.",
		}}},
	}
}

func (plugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	var c config
	if err := cfg.Decode(&c); err != nil {
		return diag.Diagnostics{diag.Errorf("Invalid configuration", "The block of the file registry cannot be read: %v.", err)}
	}
	if c.Path == "" {
		return diag.Diagnostics{diag.Errorf("Missing path",
			`The attribute path must name the world file, such as path = "world.json".`).At("path")}
	}
	return nil
}

func (p plugin) Configure(_ context.Context, cfg schema.Config, rt schema.Runtime) (registry.Registry, error) {
	var c config
	if err := cfg.Decode(&c); err != nil {
		return nil, fault.New(fault.Invalid, "configure the file registry: %w", err)
	}
	path := c.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(rt.WorkDir, path)
	}
	return &server{path: path, crash: p.opts.Crash, calls: map[string]int{}}, nil
}

// killSelf ends the process without any last words, as a crash does.
func killSelf() {
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Kill() == nil {
		// The signal is on its way; nothing more may happen here.
		select {}
	}
	panic("scripted crash")
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// notFound says which repos there are instead.
func notFound(repo string, w *world) error {
	f := fault.New(fault.NotFound, "the registry has no repo %q", repo).On(repo)
	if len(w.Registry.Repos) > 0 {
		f = f.WithHint("The world file has the repos %s.", names(w.Registry.Repos))
	}
	return f
}

func unreadable(path string, err error) error {
	return fault.New(fault.Unavailable, "read the world file %s: %w", path, err).
		WithHint(`Check the attribute path of the block registry "file".`)
}
