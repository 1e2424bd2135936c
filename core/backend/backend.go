// Package backend finds the plugins that a policy names, checks them, starts and configures them, and closes them.
//
// What it hands out are the interfaces of the sdk; that a process stands behind
// each of them is seen in errors only, which name the plugin.
package backend

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/host/redact"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Builtin is a plugin that this program serves itself, when it is started with the arguments
// `serve-plugin <kind>-<name>`.
type Builtin struct {
	Kind schema.Kind
	Name string
}

// Options say where plugins are and how they are run.
type Options struct {
	// Builtins are the plugins in this program, and SelfPath is its executable.
	Builtins []Builtin
	SelfPath string
	// Dirs are folders with plugins, in the order to look (--plugin-dir, ROLLBACK_PLUGIN_DIR);
	// UserDir is the user's own, looked into last (see UserDir). Either may be empty.
	Dirs    []string
	UserDir string
	// WorkDir is the policy's folder: relative paths start there. The current directory is never looked into.
	WorkDir string
	// LockFile is the path of .rollback.lock.hcl; "" stands for no checksums.
	LockFile string
	// Environ is this program's environment, of which plugins get what the protocol allows.
	Environ []string
	// Logger takes the plugins' logs; nil drops them. Redactor takes the secrets out of everything plugins say.
	Logger   hclog.Logger
	Redactor *redact.Redactor
	// UserAgent, such as rollback/0.1.0, and Parallelism, at least 1, are what plugins are told of their host.
	UserAgent   string
	Parallelism int
	// StartTimeout bounds the start of each plugin; 0 is the default of sdk/host.
	StartTimeout time.Duration
	// Wait waits between two tries of a read, and errs when ctx ends; nil waits by the clock.
	Wait func(ctx context.Context, d time.Duration) error
	// Now tells how long a read has been tried; nil is the clock.
	Now func() time.Time
	// Jitter returns a number from 0 up to, not including, 1, by which waits differ; nil takes random ones.
	Jitter func() float64
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Redactor == nil {
		o.Redactor = redact.New()
	}
	o.Parallelism = max(1, o.Parallelism)
	if o.Wait == nil {
		o.Wait = sleep
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return o
}

// sleep waits by the clock.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Block is the policy's block of a plugin, as core/policy reads it.
type Block interface {
	// Decode checks the body against the schema and returns its values, with all problems at once.
	Decode(s schema.Schema) (schema.Config, diag.Diagnostics)
	// Locate adds file and line to diagnostics with a path inside the block; without a path, the block's own place.
	Locate(ds diag.Diagnostics) diag.Diagnostics
	// Secrets are the values met by Decode that must not be shown.
	Secrets() []string
}

// Want is a plugin that a command needs.
type Want struct {
	Kind schema.Kind
	Name string
	// Path and SHA256 (hex) come from the policy's plugin block; "" when there is none, or when it does not say.
	Path, SHA256 string
	// Block is what the plugin is configured with. nil only where the plugin is not configured (Lock, Describe).
	Block Block
}

// locate gives diagnostics their place, and the address of the block.
func (w Want) locate(ds diag.Diagnostics) diag.Diagnostics {
	for i := range ds {
		if ds[i].Address == "" {
			ds[i].Address = string(w.Kind) + "." + w.Name
		}
	}
	if w.Block == nil {
		return ds
	}
	return w.Block.Locate(ds)
}
