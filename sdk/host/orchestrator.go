package host

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// orchestratorPlugin is orchestrator.Plugin on the far side of a connection.
type orchestratorPlugin struct{ p *Plugin }

func (o orchestratorPlugin) Describe() schema.Description { return o.p.description }

func (o orchestratorPlugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	return o.p.validate(cfg)
}

func (o orchestratorPlugin) Configure(
	ctx context.Context, cfg schema.Config, rt schema.Runtime,
) (orchestrator.Orchestrator, error) {
	if err := o.p.configure(ctx, cfg, rt); err != nil {
		return nil, err
	}
	return &orchestratorClient{p: o.p, rpc: pluginpb.NewOrchestratorServiceClient(o.p.conn)}, nil
}

// orchestratorClient is orchestrator.Orchestrator on the far side of a connection, with every optional interface.
type orchestratorClient struct {
	p   *Plugin
	rpc pluginpb.OrchestratorServiceClient
}

var (
	_ orchestrator.Previewer  = (*orchestratorClient)(nil)
	_ orchestrator.Attacher   = (*orchestratorClient)(nil)
	_ orchestrator.Canceler   = (*orchestratorClient)(nil)
	_ orchestrator.Historian  = (*orchestratorClient)(nil)
	_ orchestrator.HoldLifter = (*orchestratorClient)(nil)
)

func (o *orchestratorClient) Probe(ctx context.Context) (schema.ProbeResult, error) {
	return o.p.probe(ctx)
}

func (o *orchestratorClient) ListApps(
	ctx context.Context, req orchestrator.ListRequest, yield func(orchestrator.App) error,
) error {
	return list(ctx, o.p, "ListApps",
		func(ctx context.Context) (grpc.ServerStreamingClient[pluginpb.ListAppsResponse], error) {
			return o.rpc.ListApps(ctx, wire.EncodeListApps(req))
		},
		func(batch *pluginpb.ListAppsResponse) error {
			for _, app := range batch.GetApps() {
				if err := yield(wire.DecodeApp(app)); err != nil {
					return err
				}
			}
			return nil
		})
}

// Snapshot checks, besides, that the snapshots are those that were asked for: one that is missing could not be restored.
func (o *orchestratorClient) Snapshot(ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
	var (
		out    []orchestrator.Snapshot
		reader wire.SnapshotReader
	)
	err := list(ctx, o.p, "Snapshot",
		func(ctx context.Context) (grpc.ServerStreamingClient[pluginpb.SnapshotPart], error) {
			return o.rpc.Snapshot(ctx, &pluginpb.SnapshotRequest{Apps: apps})
		},
		func(part *pluginpb.SnapshotPart) error {
			snapshot, complete, err := reader.Add(part)
			if err != nil {
				return o.p.broken("Snapshot", "O6", "%s", err)
			}
			if complete {
				out = append(out, snapshot)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	if err := reader.Close(); err != nil {
		return nil, o.p.broken("Snapshot", "O6", "%s", err)
	}
	if len(out) != len(apps) {
		return nil, o.p.broken("Snapshot", "O6", "%d snapshots came for %d apps", len(out), len(apps))
	}
	for i, app := range apps {
		if out[i].App != app {
			return nil, o.p.broken("Snapshot", "O6", "snapshot %d is of %s instead of %s", i+1, printable(out[i].App), app)
		}
	}
	return out, nil
}

func (o *orchestratorClient) Preview(
	ctx context.Context, req orchestrator.DeployRequest,
) (orchestrator.PreviewResult, error) {
	if err := o.need(schema.Preview); err != nil {
		return orchestrator.PreviewResult{}, err
	}
	var resp *pluginpb.PreviewResponse
	err := o.p.unary(ctx, call{name: "Preview"}, func(ctx context.Context) (err error) {
		resp, err = o.rpc.Preview(ctx, &pluginpb.PreviewRequest{Deploy: wire.EncodeDeploy(req)})
		return err
	})
	if err != nil {
		return orchestrator.PreviewResult{}, err
	}
	preview := wire.DecodePreview(resp)
	for i := range preview.Steps {
		preview.Steps[i] = o.p.text(preview.Steps[i])
	}
	for i := range preview.Diagnostics {
		preview.Diagnostics[i] = o.p.diagnostic(preview.Diagnostics[i])
	}
	return preview, nil
}

func (o *orchestratorClient) Deploy(
	ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event),
) error {
	if err := o.needFor(req); err != nil {
		return err
	}
	c := &call{name: "Deploy", changing: true, limit: o.p.cfg.following(req.Timeout)}
	return o.follow(ctx, c, emit, func(ctx context.Context) (eventStream, error) {
		return o.rpc.Deploy(ctx, wire.EncodeDeploy(req))
	})
}

func (o *orchestratorClient) Attach(
	ctx context.Context, req orchestrator.AttachRequest, emit func(orchestrator.Event),
) error {
	if err := o.need(schema.Attach); err != nil {
		return err
	}
	c := &call{name: "Attach", limit: o.p.cfg.following(req.Timeout)}
	return o.follow(ctx, c, emit, func(ctx context.Context) (eventStream, error) {
		return o.rpc.Attach(ctx, wire.EncodeAttach(req))
	})
}

func (o *orchestratorClient) Restore(
	ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event),
) error {
	c := &call{name: "Restore", changing: true, limit: o.p.cfg.following(req.Timeout)}
	return o.follow(ctx, c, emit, func(ctx context.Context) (eventStream, error) {
		stream, err := o.rpc.Restore(ctx)
		if err != nil {
			return nil, err
		}
		return stream, sendRestore(stream, req)
	})
}

// sendRestore sends the request of a restore. When the plugin has ended the call, the reason is read from the stream.
func sendRestore(
	stream grpc.BidiStreamingClient[pluginpb.RestoreRequest, pluginpb.DeploymentEvent], req orchestrator.RestoreRequest,
) error {
	send := func(m *pluginpb.RestoreRequest) error {
		err := stream.Send(m)
		if errors.Is(err, io.EOF) {
			_, err = stream.Recv()
		}
		return err
	}
	if err := send(wire.EncodeRestore(req)); err != nil {
		return err
	}
	for _, snapshot := range req.Snapshots {
		for _, part := range wire.EncodeSnapshot(snapshot) {
			m := &pluginpb.RestoreRequest{Content: &pluginpb.RestoreRequest_Part{Part: part}}
			if err := send(m); err != nil {
				return err
			}
		}
	}
	return stream.CloseSend()
}

func (o *orchestratorClient) Cancel(ctx context.Context, req orchestrator.CancelRequest) error {
	if err := o.need(schema.Cancel); err != nil {
		return err
	}
	c := call{name: "Cancel", changing: true, deployments: req.DeploymentIDs}
	return o.p.unary(ctx, c, func(ctx context.Context) error {
		_, err := o.rpc.Cancel(ctx, wire.EncodeCancel(req))
		return err
	})
}

func (o *orchestratorClient) LiftHold(
	ctx context.Context, req orchestrator.LiftHoldRequest, emit func(orchestrator.Event),
) error {
	if err := o.need(schema.Hold); err != nil {
		return err
	}
	c := &call{name: "LiftHold", changing: true, limit: o.p.cfg.following(req.Timeout)}
	return o.follow(ctx, c, emit, func(ctx context.Context) (eventStream, error) {
		return o.rpc.LiftHold(ctx, wire.EncodeLiftHold(req))
	})
}

// needFor refuses a deployment that asks for what the plugin does not declare: it would silently do less.
func (o *orchestratorClient) needFor(req orchestrator.DeployRequest) error {
	if req.Hold != nil {
		if err := o.need(schema.Hold); err != nil {
			return err
		}
	}
	for _, c := range req.Changes {
		if c.Revision != "" {
			return o.need(schema.Revision)
		}
	}
	return nil
}

func (o *orchestratorClient) ListRevisions(
	ctx context.Context, app string, yield func(orchestrator.Revision) error,
) error {
	if err := o.need(schema.History); err != nil {
		return err
	}
	return list(ctx, o.p, "ListRevisions",
		func(ctx context.Context) (grpc.ServerStreamingClient[pluginpb.ListRevisionsResponse], error) {
			return o.rpc.ListRevisions(ctx, &pluginpb.ListRevisionsRequest{App: app})
		},
		func(batch *pluginpb.ListRevisionsResponse) error {
			for _, revision := range batch.GetRevisions() {
				if err := yield(wire.DecodeRevision(revision)); err != nil {
					return err
				}
			}
			return nil
		})
}

// need refuses a call whose capability is not declared, without asking the plugin (rule P23).
func (o *orchestratorClient) need(c schema.Capability) error {
	if o.p.description.Has(c) {
		return nil
	}
	return fault.New(fault.Unsupported, "%s does not have the capability %s", o.p.cfg.label(), c)
}

// eventStream is the host's end of a stream of events.
type eventStream interface {
	Recv() (*pluginpb.DeploymentEvent, error)
}

// follow makes a call that gives events. It notes what was accepted, for the error if the rest is lost.
func (o *orchestratorClient) follow(
	ctx context.Context, c *call, emit func(orchestrator.Event), open func(context.Context) (eventStream, error),
) error {
	return o.p.run(ctx, c, func(ctx context.Context, dog *watchdog) error {
		stream, err := open(ctx)
		if err != nil {
			return err
		}
		completed := false
		for {
			encoded, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			event, known := wire.DecodeEvent(encoded)
			if !known {
				continue
			}
			if event.Accepted != nil {
				c.deployments = append(c.deployments, event.Accepted.DeploymentID)
			}
			completed = completed || event.Completed != nil
			dog.pause()
			emit(o.clean(event))
			dog.resume()
		}
		if completed {
			return nil
		}
		f := &fault.Fault{
			Code: fault.Internal, Deployments: c.deployments,
			Message: fmt.Sprintf("%s: %s: it ended without an error and without Completed (rule O14)", o.p.cfg.label(), c.name),
		}
		if c.changing {
			f.Code = fault.Indeterminate
		}
		return own(f)
	})
}

// clean takes secrets out of what an event says.
func (o *orchestratorClient) clean(e orchestrator.Event) orchestrator.Event {
	switch {
	case e.Progress != nil:
		e.Progress.Message = o.p.text(e.Progress.Message)
	case e.Log != nil:
		e.Log.Message = o.p.text(e.Log.Message)
	case e.Diagnostic != nil:
		d := o.p.diagnostic(*e.Diagnostic)
		e.Diagnostic = &d
	case e.AppFailed != nil:
		if e.AppFailed.Fault == nil {
			e.AppFailed.Fault = fault.New(fault.Internal, "%s: it does not say why %s failed", o.p.cfg.label(), e.AppFailed.App)
		}
		e.AppFailed.Fault = o.p.redacted(e.AppFailed.Fault)
	}
	return e
}
