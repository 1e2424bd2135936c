package host

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/rollback-project/rollback/sdk/internal/server"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// InProcessRegistry connects to a plugin in this process through real gRPC in memory: what an author's tests use to be
// sure that nothing is lost on the wire, without building an executable. Of cfg, the fields about processes do not
// matter; kind and name are taken from the plugin. What the plugin logs goes to cfg.Logger directly.
func InProcessRegistry(ctx context.Context, p registry.Plugin, cfg Config) (*Plugin, error) {
	cfg = cfg.withDefaults()
	return inProcess(ctx, server.Registry(p, cfg.Logger), schema.Registry, cfg)
}

// InProcessOrchestrator is InProcessRegistry for an orchestrator plugin.
func InProcessOrchestrator(ctx context.Context, p orchestrator.Plugin, cfg Config) (*Plugin, error) {
	cfg = cfg.withDefaults()
	return inProcess(ctx, server.Orchestrator(p, cfg.Logger), schema.Orchestrator, cfg)
}

// InProcessNotify is InProcessRegistry for a notifier plugin.
func InProcessNotify(ctx context.Context, p notify.Plugin, cfg Config) (*Plugin, error) {
	cfg = cfg.withDefaults()
	return inProcess(ctx, server.Notify(p, cfg.Logger), schema.Notify, cfg)
}

func inProcess(ctx context.Context, s *server.Server, kind schema.Kind, cfg Config) (*Plugin, error) {
	cfg.Kind, cfg.Name, cfg.Path = kind, s.Describe().Name, "the plugin in this process"
	listener := bufconn.Listen(1 << 20)
	grpcServer := grpc.NewServer(s.Options()...)
	s.Register(grpcServer)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = grpcServer.Serve(listener) // it ends with Stop
	}()
	conn, err := grpc.NewClient("passthrough:///plugin",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStatsHandler(sentWatch{}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)),
	)
	stop := func() {
		if conn != nil {
			_ = conn.Close()
		}
		grpcServer.Stop()
		<-served
		s.Wait(cfg.CallTimeout)
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("%s: connect in memory: %w", cfg.label(), err)
	}
	p := newPlugin(ctx, cfg, conn)
	p.close = stop
	if err := p.describe(ctx); err != nil {
		stop()
		return nil, err
	}
	return p, nil
}
