// Package host is the side of the plugin protocol that starts plugins: it turns
// an executable into the same Go interface that its author implemented, and
// everything that can go wrong with a process into an error that names the plugin.
package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"github.com/rollback-project/rollback/sdk/host/redact"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// The limits of a Config that names none.
const (
	// DefaultStartTimeout is long: a virus scanner or a cold network disk may stand between us and the plugin.
	DefaultStartTimeout = 30 * time.Second
	// DefaultCallTimeout bounds the calls that work offline.
	DefaultCallTimeout = 15 * time.Second
	// DefaultIdleTimeout bounds how long a reading call may give nothing at all.
	DefaultIdleTimeout = 5 * time.Minute
	// DefaultSettleTime is what a following call gets beyond the time for its apps, to say how it ended.
	DefaultSettleTime = time.Minute
)

// ErrEnded is in the chain of every error that comes from a plugin whose process has ended, or was closed.
// Repeating such a call is pointless.
var ErrEnded = errors.New("the plugin's process has ended")

// Config says which plugin to start, and how.
type Config struct {
	// Kind and Name are what the plugin must describe itself as.
	Kind schema.Kind
	Name string
	// Path is the executable; it is never searched for in PATH. Args are its arguments.
	Path string
	Args []string
	// SHA256 is the executable's checksum in hex; "" does not check (a program that starts itself).
	SHA256 string
	// Environ is the host's environment (os.Environ), of which the plugin gets what the protocol allows.
	Environ []string
	// Logger takes the plugin's log lines and errors; nil drops them. Its level is the plugin's.
	Logger hclog.Logger
	// Redactor takes secrets out of logs, faults and diagnostics. The sensitive values of the configuration
	// are added to it at ValidateConfig and Configure. nil makes one for this plugin alone.
	Redactor *redact.Redactor
	// StartTimeout bounds the time to the end of the handshake, CallTimeout that of Describe, ValidateConfig and
	// Configure, IdleTimeout the silence in a reading call; SettleTime is added to the time of a following call.
	// 0 takes the default.
	StartTimeout, CallTimeout, IdleTimeout, SettleTime time.Duration
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{
		{&c.StartTimeout, DefaultStartTimeout},
		{&c.CallTimeout, DefaultCallTimeout},
		{&c.IdleTimeout, DefaultIdleTimeout},
		{&c.SettleTime, DefaultSettleTime},
	} {
		if *d.value == 0 {
			*d.value = d.otherwise
		}
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Redactor == nil {
		c.Redactor = redact.New()
	}
	return c
}

// following is how long a call that follows apps may be silent: as long as they may take, and a little more to say how
// it ended. Apps without a limit have no events to wait for, so that there is no limit either.
func (c Config) following(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return -1
	}
	return timeout + c.SettleTime
}

// label is how messages name the plugin.
func (c Config) label() string { return fmt.Sprintf("%s plugin %q", c.Kind, c.Name) }

// logName is how log lines name the plugin.
func (c Config) logName() string { return string(c.Kind) + "." + c.Name }

// Plugin is a running plugin. Its methods may be called concurrently. It must be closed.
type Plugin struct {
	cfg         Config
	description schema.Description
	plugin      pluginpb.PluginServiceClient
	conn        grpc.ClientConnInterface
	calls       *calls
	// offline gives the context of a call that has none from its caller: Start's, without its end.
	offline func() context.Context
	// end says how the process ended, waiting for it a little; "" when it has not.
	end   func() string
	close func()
	once  sync.Once
}

// Start starts a plugin, shakes hands, and asks it to describe itself. The context ends the start, not the plugin.
// Errors name the plugin and say what its process did: its status, what it printed, and its last log lines.
func Start(ctx context.Context, cfg Config) (*Plugin, error) {
	cfg = cfg.withDefaults()
	if err := checkSum(cfg); err != nil {
		return nil, err
	}
	s, err := startSession(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p := newPlugin(ctx, cfg, s.conn)
	p.end, p.close = s.proc.ending, s.close
	if err := p.describe(ctx); err != nil {
		s.close()
		return nil, err
	}
	return p, nil
}

func newPlugin(ctx context.Context, cfg Config, conn grpc.ClientConnInterface) *Plugin {
	lasting := context.WithoutCancel(ctx)
	return &Plugin{
		cfg: cfg, conn: conn, plugin: pluginpb.NewPluginServiceClient(conn), calls: newCalls(),
		offline: func() context.Context { return lasting },
		end:     func() string { return "" },
		close:   func() {},
	}
}

// describe asks for the description, and compares it with what was expected.
func (p *Plugin) describe(ctx context.Context) error {
	var resp *pluginpb.DescribeResponse
	err := p.unary(ctx, call{name: "Describe", limit: p.cfg.CallTimeout, introduce: true}, func(ctx context.Context) (err error) {
		resp, err = p.plugin.Describe(ctx, &pluginpb.DescribeRequest{})
		return err
	})
	if err != nil {
		return err
	}
	if p.description, err = wire.DecodeDescription(resp); err != nil {
		return fmt.Errorf("%s: read its description: %w", p.cfg.label(), err)
	}
	if d := p.description; d.Kind != p.cfg.Kind || d.Name != p.cfg.Name {
		return fmt.Errorf("%s: %s is another plugin: it describes itself as %s plugin %q",
			p.cfg.label(), p.cfg.Path, printable(string(d.Kind)), printable(d.Name))
	}
	return nil
}

// Description is what the plugin said of itself at the start.
func (p *Plugin) Description() schema.Description { return p.description }

// Registry is the plugin as its author sees it. Only for plugins of that kind.
func (p *Plugin) Registry() registry.Plugin { return registryPlugin{p} }

// Orchestrator is the plugin as its author sees it. Only for plugins of that kind.
// What it configures implements every optional interface; calls whose capability is not declared
// are answered with an Unsupported fault, without asking the plugin.
func (p *Plugin) Orchestrator() orchestrator.Plugin { return orchestratorPlugin{p} }

// Notify is the plugin as its author sees it. Only for plugins of that kind.
func (p *Plugin) Notify() notify.Plugin { return notifyPlugin{p} }

// Close cancels what is under way, waits for it to end, and ends the process, by force if it must.
// It returns when the process is gone and everything of it is cleaned up; calling it again does nothing.
func (p *Plugin) Close() {
	p.once.Do(func() {
		p.calls.close()
		p.close()
	})
}
