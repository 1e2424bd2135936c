package orchestratormarathon

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/rollout"
	"github.com/rollback-project/rollback/sdk/fault"
)

// few is up to how many apps are asked for one by one; more are picked out of a list.
const few = 6

// specs reads apps and pods, with tasks or status. Those that do not exist are not in the result.
func (s *server) specs(ctx context.Context, ids []string) (map[string]*rollout.Spec, error) {
	found := map[string]*rollout.Spec{}
	left := ids
	if len(ids) > few {
		apps, err := s.client.ListApps(ctx, commonGroup(ids), marathon.Full()...)
		if err != nil {
			return nil, err
		}
		for i := range apps {
			if slices.Contains(ids, apps[i].ID) {
				found[apps[i].ID] = &rollout.Spec{ID: apps[i].ID, App: &apps[i]}
			}
		}
		left = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return found[id] != nil })
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.parallel)
	for _, id := range left {
		g.Go(func() error {
			sp, err := s.spec(ctx, id)
			if sp != nil {
				mu.Lock()
				found[id] = sp
				mu.Unlock()
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return found, nil
}

// spec reads one app or pod; nil when there is neither.
func (s *server) spec(ctx context.Context, id string) (*rollout.Spec, error) {
	app, err := s.client.App(ctx, id)
	if err == nil {
		return &rollout.Spec{ID: id, App: app}, nil
	}
	if !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	v, err := s.client.Version(ctx)
	if err != nil {
		return nil, err
	}
	if !v.HasPods() {
		return nil, nil
	}
	pod, err := s.client.Pod(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sp := &rollout.Spec{ID: id, Pod: pod}
	sp.Status, err = s.client.PodStatus(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, nil // gone in between
	}
	return sp, err
}

// commonGroup is the longest id of a group that all ids are in, or "".
func commonGroup(ids []string) string {
	common := strings.Split(strings.Trim(ids[0], "/"), "/")
	common = common[:len(common)-1]
	for _, id := range ids {
		segments := strings.Split(strings.Trim(id, "/"), "/")
		n := 0
		for n < len(common) && n < len(segments) && common[n] == segments[n] {
			n++
		}
		common = common[:n]
	}
	return strings.Join(common, "/")
}

// noApp is the fault of an id that neither an app nor a pod has.
func noApp(id string) *fault.Fault {
	return fault.New(fault.NotFound, "there is no app %s", marathon.Printable(id)).On(id).
		WithHint("Apps that the credentials may not see are missing, too.")
}

// idsOf are the keys of a map, sorted.
func idsOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
