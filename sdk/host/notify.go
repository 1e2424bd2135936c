package host

import (
	"context"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/schema"
)

// notifyPlugin is notify.Plugin on the far side of a connection.
type notifyPlugin struct{ p *Plugin }

func (n notifyPlugin) Describe() schema.Description { return n.p.description }

func (n notifyPlugin) ValidateConfig(cfg schema.Config) diag.Diagnostics { return n.p.validate(cfg) }

func (n notifyPlugin) Configure(ctx context.Context, cfg schema.Config, rt schema.Runtime) (notify.Notifier, error) {
	if err := n.p.configure(ctx, cfg, rt); err != nil {
		return nil, err
	}
	return &notifyClient{p: n.p, rpc: pluginpb.NewNotifyServiceClient(n.p.conn)}, nil
}

// notifyClient is notify.Notifier on the far side of a connection.
type notifyClient struct {
	p   *Plugin
	rpc pluginpb.NotifyServiceClient
}

func (n *notifyClient) Probe(ctx context.Context) (schema.ProbeResult, error) { return n.p.probe(ctx) }

func (n *notifyClient) Notify(ctx context.Context, req notify.Request) (notify.Result, error) {
	var resp *pluginpb.NotifyResponse
	err := n.p.unary(ctx, call{name: "Notify"}, func(ctx context.Context) (err error) {
		resp, err = n.rpc.Notify(ctx, wire.EncodeNotify(req))
		return err
	})
	if err != nil {
		return notify.Result{}, err
	}
	return wire.DecodeNotified(resp), nil
}
