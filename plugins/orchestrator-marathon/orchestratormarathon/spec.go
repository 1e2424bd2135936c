package orchestratormarathon

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// The kinds of apps, in Marathon's words.
const (
	kindApp = "app"
	kindPod = "pod"
)

// spec is an app or a pod as it is now; exactly one of app and pod is set.
type spec struct {
	id     string
	app    *marathon.App
	pod    *marathon.Pod
	status *marathon.PodStatus // of a pod, where it was asked for
}

func (sp *spec) kind() string {
	if sp.pod != nil {
		return kindPod
	}
	return kindApp
}

func (sp *spec) doc() marathon.Document {
	if sp.pod != nil {
		return sp.pod.Doc
	}
	return sp.app.Doc
}

func (sp *spec) version() string { return sp.doc().String("version") }

// configured is the version that gave it its present configuration, the number of instances aside where that is told.
func (sp *spec) configured() string {
	if sp.app != nil && sp.app.VersionInfo != nil && sp.app.VersionInfo.LastConfigChangeAt != "" {
		return sp.app.VersionInfo.LastConfigChangeAt
	}
	return sp.version()
}

func (sp *spec) labels() map[string]string {
	if sp.pod != nil {
		return sp.pod.Labels
	}
	return sp.app.Labels
}

func (sp *spec) instances() int {
	if sp.pod != nil {
		return sp.pod.Instances()
	}
	return sp.app.Instances
}

// images are those of the containers, in Marathon's order.
func (sp *spec) images() []orchestrator.ContainerImage {
	if sp.app != nil {
		if image := sp.app.Image(); image != "" {
			return []orchestrator.ContainerImage{{Image: image}}
		}
		return nil
	}
	var all []orchestrator.ContainerImage
	for _, c := range sp.pod.Containers {
		if c.Image != nil && c.Image.ID != "" {
			all = append(all, orchestrator.ContainerImage{Container: c.Name, Image: c.Image.ID})
		}
	}
	return all
}

// image is that of a container; false when there is no such container with an image.
func (sp *spec) image(container string) (string, bool) {
	for _, i := range sp.images() {
		if i.Container == container {
			return i.Image, true
		}
	}
	return "", false
}

// runs reports whether the definition has all of the images.
func (sp *spec) runs(images []orchestrator.ContainerImage) bool {
	for _, want := range images {
		if have, _ := sp.image(want.Container); have != want.Image {
			return false
		}
	}
	return true
}

// immutable says why the image cannot be changed; "" when it can.
func (sp *spec) immutable() string {
	switch {
	case len(sp.images()) == 0:
		return "it runs a command, not the image of a container"
	case sp.app != nil && sp.app.Resident(), sp.pod != nil && sp.pod.Resident():
		return "its tasks are resident: they keep data on an agent, and are not replaced by rollback"
	}
	return ""
}

// separate says why it cannot share a deployment; "" when it can.
func (sp *spec) separate() string {
	if sp.pod != nil {
		return "it is a pod, and Marathon deploys each pod by itself"
	}
	return ""
}

func newSpec(id string, app *marathon.App, pod *marathon.Pod) *spec {
	return &spec{id: id, app: app, pod: pod}
}

// few is up to how many apps are asked for one by one; more are picked out of a list.
const few = 6

// specs reads apps and pods, with tasks or status. Those that do not exist are not in the result.
func (s *server) specs(ctx context.Context, ids []string) (map[string]*spec, error) {
	found := map[string]*spec{}
	left := ids
	if len(ids) > few {
		apps, err := s.client.ListApps(ctx, commonGroup(ids), marathon.Full()...)
		if err != nil {
			return nil, err
		}
		for i := range apps {
			if slices.Contains(ids, apps[i].ID) {
				found[apps[i].ID] = newSpec(apps[i].ID, &apps[i], nil)
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
func (s *server) spec(ctx context.Context, id string) (*spec, error) {
	app, err := s.client.App(ctx, id)
	if err == nil {
		return newSpec(id, app, nil), nil
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
	sp := newSpec(id, nil, pod)
	sp.status, err = s.client.PodStatus(ctx, id)
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
