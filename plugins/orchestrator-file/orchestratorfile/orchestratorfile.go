// Package orchestratorfile is the reference orchestrator plugin: apps and their
// deployments in a JSON file.
//
// It keeps every promise of sdk/orchestrator, with deployments that go on by
// themselves as a real orchestrator's do: how far one is follows from the time
// since it was accepted, so nothing is lost when the process that started it
// dies. It can be told to break down in the ways orchestrators do
// (docs/file-plugins.md), so that documents, tutorials and crash tests run
// without any server.
package orchestratorfile

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Options are what tests replace.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Crash ends the process at a scripted crash; nil kills it as SIGKILL does.
	// If Crash returns, the call it happened in ends with an Indeterminate fault.
	Crash func()
}

// Plugin returns the plugin as its executable serves it.
func Plugin() orchestrator.Plugin { return New(Options{}) }

// New returns the plugin with parts replaced.
func New(o Options) orchestrator.Plugin {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Crash == nil {
		o.Crash = killSelf
	}
	return plugin{o}
}

type plugin struct{ opts Options }

// defaultTick is how long one instance takes to become healthy unless the policy says otherwise.
const defaultTick = 100 * time.Millisecond

// config is the body of the policy's block.
type config struct {
	Path string  `json:"path"`
	Tick *string `json:"tick"`
}

func (plugin) Describe() schema.Description {
	return schema.Description{
		Kind:    schema.Orchestrator,
		Name:    "file",
		Version: "0.1.0",
		Doc: "Apps and their deployments in a JSON file, for tutorials, rehearsals and tests. " +
			"The file's format is in docs/file-plugins.md.",
		Schema: schema.Schema{Attributes: []schema.Attribute{
			{
				Name:     "path",
				Type:     cty.String,
				Required: true,
				Doc:      "The world file. A relative path starts at the policy's folder.",
			},
			{
				Name:    "tick",
				Type:    cty.String,
				Default: cty.StringVal(defaultTick.String()),
				Doc:     "How long one instance takes to become healthy, and how often the file is read while waiting.",
			},
		}},
		Capabilities: []schema.Capability{
			schema.Preview, schema.Attach, schema.Cancel, schema.History, schema.AtomicSet, schema.DigestReference,
			schema.Hold, schema.Revision,
		},
	}
}

func (plugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	_, ds := readConfig(cfg)
	return ds
}

func readConfig(cfg schema.Config) (settings, diag.Diagnostics) {
	var c config
	if err := cfg.Decode(&c); err != nil {
		return settings{}, diag.Diagnostics{diag.Errorf("Invalid configuration",
			"The block of the file orchestrator cannot be read: %v.", err)}
	}
	var ds diag.Diagnostics
	s := settings{path: c.Path, tick: defaultTick}
	if c.Path == "" {
		ds = append(ds, diag.Errorf("Missing path",
			`The attribute path must name the world file, such as path = "world.json".`).At("path"))
	}
	if c.Tick != nil {
		d, err := time.ParseDuration(*c.Tick)
		if err != nil || d <= 0 {
			ds = append(ds, diag.Errorf("Invalid duration",
				`The attribute tick must be a duration above zero, such as "100ms"; it is %q.`, *c.Tick).At("tick"))
		}
		s.tick = d
	}
	return s, ds
}

type settings struct {
	path string
	tick time.Duration
}

func (p plugin) Configure(_ context.Context, cfg schema.Config, rt schema.Runtime) (orchestrator.Orchestrator, error) {
	s, ds := readConfig(cfg)
	if ds.HasErrors() {
		return nil, fault.New(fault.Invalid, "configure the file orchestrator: %w", ds[0])
	}
	path := s.path
	if !filepath.IsAbs(path) {
		path = filepath.Join(rt.WorkDir, path)
	}
	log := rt.Logger
	if log == nil {
		log = hclog.NewNullLogger()
	}
	return &server{
		store: store{path: path},
		tick:  s.tick,
		now:   p.opts.Now,
		crash: p.opts.Crash,
		log:   log,
	}, nil
}

// server is a configured plugin. The file is read anew for every call: others may change it at any time.
type server struct {
	store store
	tick  time.Duration
	now   func() time.Time
	crash func()
	log   hclog.Logger
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
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
