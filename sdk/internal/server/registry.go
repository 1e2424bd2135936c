package server

import (
	"context"

	"google.golang.org/grpc"

	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/registry"
)

// registryService serves RegistryService.
type registryService struct {
	pluginpb.UnimplementedRegistryServiceServer
	*core[registry.Registry]
}

// ListReleases serves a listing.
func (s *registryService) ListReleases(
	req *pluginpb.ListReleasesRequest, stream grpc.ServerStreamingServer[pluginpb.ListReleasesResponse],
) error {
	object, err := s.use()
	if err != nil {
		return err
	}
	ctx := stream.Context()
	list := func(yield func(registry.Item) error) error {
		return object.ListReleases(ctx, wire.DecodeListReleases(req), yield)
	}
	return streamList(ctx, list, wire.EncodeItem, func(batch []*pluginpb.ReleaseItem) error {
		return stream.Send(&pluginpb.ListReleasesResponse{Items: batch})
	})
}

// Resolve serves what a reference is now.
func (s *registryService) Resolve(ctx context.Context, req *pluginpb.ResolveRequest) (*pluginpb.ResolveResponse, error) {
	object, err := s.use()
	if err != nil {
		return nil, err
	}
	found, err := object.Resolve(ctx, wire.DecodeResolve(req))
	if err != nil {
		return nil, err
	}
	return wire.EncodeResolved(found), nil
}
