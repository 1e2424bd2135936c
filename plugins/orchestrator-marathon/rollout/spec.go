// Package rollout judges how far apps and pods are on their way to what they are to run.
//
// It looks at what Marathon shows of tasks and instances, never at whether a
// deployment is still listed alone, and says in words what is waited for. It
// asks nobody: what it judges by was read before.
package rollout

import (
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// The kinds of apps, in Marathon's words.
const (
	KindApp = "app"
	KindPod = "pod"
)

// Spec is an app or a pod as it is now; exactly one of App and Pod is set.
type Spec struct {
	ID  string
	App *marathon.App
	Pod *marathon.Pod
	// Status is that of a pod, where it was asked for.
	Status *marathon.PodStatus
}

// Kind is app or pod.
func (sp *Spec) Kind() string {
	if sp.Pod != nil {
		return KindPod
	}
	return KindApp
}

// Doc is the whole document.
func (sp *Spec) Doc() marathon.Document {
	if sp.Pod != nil {
		return sp.Pod.Doc
	}
	return sp.App.Doc
}

// Version is that of the present definition.
func (sp *Spec) Version() string { return sp.Doc().String("version") }

// Configured is the version that gave it its present configuration, the number of instances aside where that is told.
func (sp *Spec) Configured() string {
	if sp.App != nil && sp.App.VersionInfo != nil && sp.App.VersionInfo.LastConfigChangeAt != "" {
		return sp.App.VersionInfo.LastConfigChangeAt
	}
	return sp.Version()
}

// Labels are those of the definition.
func (sp *Spec) Labels() map[string]string {
	if sp.Pod != nil {
		return sp.Pod.Labels
	}
	return sp.App.Labels
}

// Instances is how many are wanted.
func (sp *Spec) Instances() int {
	if sp.Pod != nil {
		return sp.Pod.Instances()
	}
	return sp.App.Instances
}

// Images are those of the containers, in Marathon's order.
func (sp *Spec) Images() []orchestrator.ContainerImage {
	if sp.App != nil {
		if image := sp.App.Image(); image != "" {
			return []orchestrator.ContainerImage{{Image: image}}
		}
		return nil
	}
	var all []orchestrator.ContainerImage
	for _, c := range sp.Pod.Containers {
		if c.Image != nil && c.Image.ID != "" {
			all = append(all, orchestrator.ContainerImage{Container: c.Name, Image: c.Image.ID})
		}
	}
	return all
}

// Image is that of a container; false when there is no such container with an image.
func (sp *Spec) Image(container string) (string, bool) {
	for _, i := range sp.Images() {
		if i.Container == container {
			return i.Image, true
		}
	}
	return "", false
}

// Runs reports whether the definition has all of the images.
func (sp *Spec) Runs(images []orchestrator.ContainerImage) bool {
	for _, want := range images {
		if have, _ := sp.Image(want.Container); have != want.Image {
			return false
		}
	}
	return true
}

// Immutable says why the image cannot be changed; "" when it can.
func (sp *Spec) Immutable() string {
	switch {
	case len(sp.Images()) == 0:
		return "it runs a command, not the image of a container"
	case sp.App != nil && sp.App.Resident(), sp.Pod != nil && sp.Pod.Resident():
		return "its tasks are resident: they keep data on an agent, and are not replaced by rollback"
	}
	return ""
}

// Separate says why it cannot share a deployment; "" when it can.
func (sp *Spec) Separate() string {
	if sp.Pod != nil {
		return "it is a pod, and Marathon deploys each pod by itself"
	}
	return ""
}
