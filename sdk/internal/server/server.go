// Package server is the author's side of the wire: it serves the plain Go
// interfaces of a plugin as the gRPC services of the protocol, and sees to the
// rules that no author should have to think of.
package server

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Server is one plugin, ready to be registered with a gRPC server that was made with its Options.
type Server struct {
	logger   hclog.Logger
	describe func() schema.Description
	register func(*grpc.Server)
	calls    calls
	once     sync.Once
	before   func()
}

// Registry serves a registry plugin. The logger is what the author gets.
func Registry(p registry.Plugin, logger hclog.Logger) *Server {
	c := newCore[registry.Registry](schema.Registry, p, logger)
	return newServer(c, func(s *grpc.Server) {
		pluginpb.RegisterRegistryServiceServer(s, &registryService{core: c})
	})
}

// Orchestrator serves an orchestrator plugin.
func Orchestrator(p orchestrator.Plugin, logger hclog.Logger) *Server {
	c := newCore[orchestrator.Orchestrator](schema.Orchestrator, p, logger)
	return newServer(c, func(s *grpc.Server) {
		pluginpb.RegisterOrchestratorServiceServer(s, &orchestratorService{core: c})
	})
}

// Notify serves a notifier plugin.
func Notify(p notify.Plugin, logger hclog.Logger) *Server {
	c := newCore[notify.Notifier](schema.Notify, p, logger)
	return newServer(c, func(s *grpc.Server) {
		pluginpb.RegisterNotifyServiceServer(s, &notifyService{core: c})
	})
}

func newServer[T prober](c *core[T], register func(*grpc.Server)) *Server {
	return &Server{
		logger:   c.logger,
		describe: c.plugin.Describe,
		before:   func() {},
		register: func(s *grpc.Server) {
			pluginpb.RegisterPluginServiceServer(s, c)
			register(s)
		},
	}
}

// Register registers the plugin's services.
func (s *Server) Register(g *grpc.Server) { s.register(g) }

// Describe is the author's own description.
func (s *Server) Describe() schema.Description { return s.describe() }

// prober is what the configured objects of all kinds have in common.
type prober interface {
	Probe(context.Context) (schema.ProbeResult, error)
}

// author is what the plugins of all kinds have in common.
type author[T prober] interface {
	Describe() schema.Description
	ValidateConfig(schema.Config) diag.Diagnostics
	Configure(context.Context, schema.Config, schema.Runtime) (T, error)
}

// core serves PluginService and keeps the configured object.
type core[T prober] struct {
	pluginpb.UnimplementedPluginServiceServer
	kind   schema.Kind
	plugin author[T]
	logger hclog.Logger

	mu         sync.Mutex
	configured bool
	object     T
}

func newCore[T prober](kind schema.Kind, p author[T], logger hclog.Logger) *core[T] {
	return &core[T]{kind: kind, plugin: p, logger: logger}
}

// Describe serves the description.
func (c *core[T]) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.DescribeResponse, error) {
	d, err := wire.EncodeDescription(c.plugin.Describe())
	if err != nil {
		return nil, fault.New(fault.Internal, "describe the plugin: %w", err)
	}
	return d, nil
}

// ValidateConfig serves the check of a configuration.
func (c *core[T]) ValidateConfig(
	_ context.Context, req *pluginpb.ValidateConfigRequest,
) (*pluginpb.ValidateConfigResponse, error) {
	cfg, err := readConfig(req.GetConfig())
	if err != nil {
		return nil, err
	}
	return &pluginpb.ValidateConfigResponse{Diagnostics: wire.EncodeDiagnostics(c.plugin.ValidateConfig(cfg))}, nil
}

// Configure serves the one call that makes the plugin usable.
func (c *core[T]) Configure(ctx context.Context, req *pluginpb.ConfigureRequest) (*pluginpb.ConfigureResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.configured {
		return nil, fault.New(fault.Invalid, "configure: the plugin is configured already (rule P15)")
	}
	if _, err := readConfig(req.GetConfig()); err != nil {
		return nil, err
	}
	cfg, rt := wire.DecodeRuntime(req)
	rt.Logger = c.logger
	object, err := c.plugin.Configure(ctx, cfg, rt)
	if err != nil {
		return nil, err
	}
	if err := checkCapabilities(c.plugin.Describe(), object, c.logger); err != nil {
		return nil, err
	}
	c.object, c.configured = object, true
	return &pluginpb.ConfigureResponse{}, nil
}

// Probe serves the look at the remote system.
func (c *core[T]) Probe(ctx context.Context, _ *pluginpb.ProbeRequest) (*pluginpb.ProbeResponse, error) {
	object, err := c.use()
	if err != nil {
		return nil, err
	}
	found, err := object.Probe(ctx)
	if err != nil {
		return nil, err
	}
	return wire.EncodeProbe(found), nil
}

// use returns the configured object, or the fault of rule P15.
func (c *core[T]) use() (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.configured {
		return c.object, fault.New(fault.Invalid, "the plugin is not configured yet (rule P15)")
	}
	return c.object, nil
}

// readConfig refuses what is no JSON before an author's decoder meets it.
func readConfig(c *pluginpb.Config) (schema.Config, error) {
	cfg := wire.DecodeConfig(c)
	if !json.Valid(cfg.JSON) {
		return cfg, fault.New(fault.Invalid, "read configuration: it is no JSON")
	}
	return cfg, nil
}
