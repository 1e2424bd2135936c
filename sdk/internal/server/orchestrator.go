package server

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// orchestratorService serves OrchestratorService.
type orchestratorService struct {
	pluginpb.UnimplementedOrchestratorServiceServer
	*core[orchestrator.Orchestrator]
}

// eventStream is the plugin's end of a stream of events.
type eventStream = grpc.ServerStreamingServer[pluginpb.DeploymentEvent]

// ListApps serves the apps of a scope.
func (s *orchestratorService) ListApps(
	req *pluginpb.ListAppsRequest, stream grpc.ServerStreamingServer[pluginpb.ListAppsResponse],
) error {
	object, err := s.use()
	if err != nil {
		return err
	}
	ctx := stream.Context()
	list := func(yield func(orchestrator.App) error) error {
		return object.ListApps(ctx, wire.DecodeListApps(req), yield)
	}
	return streamList(ctx, list, wire.EncodeApp, func(batch []*pluginpb.App) error {
		return stream.Send(&pluginpb.ListAppsResponse{Apps: batch})
	})
}

// Snapshot serves the configuration of apps, in parts.
func (s *orchestratorService) Snapshot(
	req *pluginpb.SnapshotRequest, stream grpc.ServerStreamingServer[pluginpb.SnapshotPart],
) error {
	object, err := s.use()
	if err != nil {
		return err
	}
	snapshots, err := object.Snapshot(stream.Context(), req.GetApps())
	if err != nil {
		return err
	}
	for _, snapshot := range snapshots {
		for _, part := range wire.EncodeSnapshot(snapshot) {
			if err := stream.Send(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// Preview serves a dry run.
func (s *orchestratorService) Preview(
	ctx context.Context, req *pluginpb.PreviewRequest,
) (*pluginpb.PreviewResponse, error) {
	object, err := able[orchestrator.Previewer](s, schema.Preview)
	if err != nil {
		return nil, err
	}
	preview, err := object.Preview(ctx, wire.DecodeDeploy(req.GetDeploy()))
	if err != nil {
		return nil, err
	}
	return wire.EncodePreview(preview), nil
}

// Deploy serves a set of changes.
func (s *orchestratorService) Deploy(req *pluginpb.DeployRequest, stream eventStream) error {
	object, err := s.use()
	if err != nil {
		return err
	}
	return follow(stream, func(emit func(orchestrator.Event)) error {
		return object.Deploy(stream.Context(), wire.DecodeDeploy(req), emit)
	})
}

// Attach serves the following of earlier deployments.
func (s *orchestratorService) Attach(req *pluginpb.AttachRequest, stream eventStream) error {
	object, err := able[orchestrator.Attacher](s, schema.Attach)
	if err != nil {
		return err
	}
	return follow(stream, func(emit func(orchestrator.Event)) error {
		return object.Attach(stream.Context(), wire.DecodeAttach(req), emit)
	})
}

// Restore serves the putting back of snapshots; it begins when the host has sent them all (rule O18).
func (s *orchestratorService) Restore(
	stream grpc.BidiStreamingServer[pluginpb.RestoreRequest, pluginpb.DeploymentEvent],
) error {
	object, err := s.use()
	if err != nil {
		return err
	}
	req, err := readRestore(stream.Recv)
	if err != nil {
		return err
	}
	return follow(stream, func(emit func(orchestrator.Event)) error {
		return object.Restore(stream.Context(), req, emit)
	})
}

// Cancel serves the stopping of deployments.
func (s *orchestratorService) Cancel(ctx context.Context, req *pluginpb.CancelRequest) (*pluginpb.CancelResponse, error) {
	object, err := able[orchestrator.Canceler](s, schema.Cancel)
	if err != nil {
		return nil, err
	}
	if err := object.Cancel(ctx, wire.DecodeCancel(req)); err != nil {
		return nil, err
	}
	return &pluginpb.CancelResponse{}, nil
}

// LiftHold serves the lifting of holds.
func (s *orchestratorService) LiftHold(req *pluginpb.LiftHoldRequest, stream eventStream) error {
	object, err := able[orchestrator.HoldLifter](s, schema.Hold)
	if err != nil {
		return err
	}
	return follow(stream, func(emit func(orchestrator.Event)) error {
		return object.LiftHold(stream.Context(), wire.DecodeLiftHold(req), emit)
	})
}

// ListRevisions serves what an app once ran.
func (s *orchestratorService) ListRevisions(
	req *pluginpb.ListRevisionsRequest, stream grpc.ServerStreamingServer[pluginpb.ListRevisionsResponse],
) error {
	object, err := able[orchestrator.Historian](s, schema.History)
	if err != nil {
		return err
	}
	ctx := stream.Context()
	list := func(yield func(orchestrator.Revision) error) error {
		return object.ListRevisions(ctx, req.GetApp(), yield)
	}
	return streamList(ctx, list, wire.EncodeRevision, func(batch []*pluginpb.Revision) error {
		return stream.Send(&pluginpb.ListRevisionsResponse{Revisions: batch})
	})
}

// able returns the configured object as one of the optional interfaces.
func able[I any](s *orchestratorService, capability schema.Capability) (I, error) {
	var none I
	object, err := s.use()
	if err != nil {
		return none, err
	}
	can, ok := object.(I)
	if !ok {
		return none, fault.New(fault.Unsupported, "the plugin does not have the capability %s", capability)
	}
	return can, nil
}

// readRestore reads the host's side of Restore to its end.
func readRestore(recv func() (*pluginpb.RestoreRequest, error)) (orchestrator.RestoreRequest, error) {
	var (
		req    orchestrator.RestoreRequest
		begun  bool
		reader wire.SnapshotReader
	)
	for {
		msg, err := recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return req, err
		}
		switch content := msg.GetContent().(type) {
		case *pluginpb.RestoreRequest_Begin:
			if begun {
				return req, fault.New(fault.Invalid, "restore: begin was sent twice")
			}
			req, begun = wire.DecodeRestore(content.Begin), true
		case *pluginpb.RestoreRequest_Part:
			snapshot, complete, err := reader.Add(content.Part)
			if err != nil {
				return req, fault.New(fault.Invalid, "restore: %w", err)
			}
			if complete {
				req.Snapshots = append(req.Snapshots, snapshot)
			}
		}
	}
	if err := reader.Close(); err != nil {
		return req, fault.New(fault.Invalid, "restore: %w", err)
	}
	if !begun {
		return req, fault.New(fault.Invalid, "restore: begin is missing")
	}
	return req, nil
}

// follow runs a call that emits events. Events of a call that has returned, or that come from several goroutines,
// are the author's mistake; they must not break the stream, nor the process.
func follow(stream interface {
	Send(*pluginpb.DeploymentEvent) error
}, run func(emit func(orchestrator.Event)) error,
) error {
	var (
		mu   sync.Mutex
		over bool
	)
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
	}()
	return run(func(e orchestrator.Event) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			// A host that is gone cancels the call's context: the author sees it there.
			over = stream.Send(wire.EncodeEvent(e)) != nil
		}
	})
}
