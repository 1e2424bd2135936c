package host

import (
	"context"

	"google.golang.org/grpc"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// registryPlugin is registry.Plugin on the far side of a connection.
type registryPlugin struct{ p *Plugin }

func (r registryPlugin) Describe() schema.Description { return r.p.description }

func (r registryPlugin) ValidateConfig(cfg schema.Config) diag.Diagnostics { return r.p.validate(cfg) }

func (r registryPlugin) Configure(
	ctx context.Context, cfg schema.Config, rt schema.Runtime,
) (registry.Registry, error) {
	if err := r.p.configure(ctx, cfg, rt); err != nil {
		return nil, err
	}
	return &registryClient{p: r.p, rpc: pluginpb.NewRegistryServiceClient(r.p.conn)}, nil
}

// registryClient is registry.Registry on the far side of a connection.
type registryClient struct {
	p   *Plugin
	rpc pluginpb.RegistryServiceClient
}

func (r *registryClient) Probe(ctx context.Context) (schema.ProbeResult, error) {
	return r.p.probe(ctx)
}

// ListReleases checks, besides, that as many tags come as were announced: a listing that lost one on the way
// must not look complete (rule R2).
func (r *registryClient) ListReleases(
	ctx context.Context, req registry.ListRequest, yield func(registry.Item) error,
) error {
	var announced *registry.Listing
	count := 0
	err := list(ctx, r.p, "ListReleases",
		func(ctx context.Context) (grpc.ServerStreamingClient[pluginpb.ListReleasesResponse], error) {
			return r.rpc.ListReleases(ctx, wire.EncodeListReleases(req))
		},
		func(batch *pluginpb.ListReleasesResponse) error {
			for _, encoded := range batch.GetItems() {
				item := wire.DecodeItem(encoded)
				switch {
				case item.Listing != nil:
					if announced != nil {
						return r.p.broken("ListReleases", "R1", "the listing of %s has two heads", req.Repo)
					}
					announced = item.Listing
				case item.Release == nil && item.Skipped == nil:
					continue // of a kind that came after us (rule P24)
				case announced == nil:
					return r.p.broken("ListReleases", "R1", "the listing of %s has no head", req.Repo)
				default:
					count++
				}
				if item.Skipped != nil {
					item.Skipped.Detail = r.p.text(item.Skipped.Detail)
				}
				if err := yield(item); err != nil {
					return err
				}
			}
			return nil
		})
	switch {
	case err != nil:
		return err
	case announced == nil:
		return r.p.broken("ListReleases", "R1", "the listing of %s has no head", req.Repo)
	case count != announced.Matched:
		return r.p.broken("ListReleases", "R2", "the listing of %s announced %d tags of the branch and gave %d",
			req.Repo, announced.Matched, count)
	}
	return nil
}

func (r *registryClient) Resolve(ctx context.Context, req registry.ResolveRequest) (registry.ResolveResult, error) {
	var resp *pluginpb.ResolveResponse
	err := r.p.unary(ctx, call{name: "Resolve"}, func(ctx context.Context) (err error) {
		resp, err = r.rpc.Resolve(ctx, wire.EncodeResolve(req))
		return err
	})
	if err != nil {
		return registry.ResolveResult{}, err
	}
	return wire.DecodeResolved(resp), nil
}

// broken is the fault of a plugin that does not keep to a rule.
func (p *Plugin) broken(name, rule, format string, args ...any) error {
	return fault.New(fault.Internal, "%s: %s: "+format+" (rule %s)",
		append(append([]any{p.cfg.label(), name}, args...), rule)...)
}
