package marathon

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
)

// Pod is a pod as Marathon shows it.
type Pod struct {
	// Doc is everything, as it was sent.
	Doc Document `json:"-"`

	ID         string            `json:"id"`
	Version    string            `json:"version"`
	Labels     map[string]string `json:"labels"`
	Containers []PodContainer    `json:"containers"`
	Scaling    *struct {
		Instances int `json:"instances"`
	} `json:"scaling"`
	Volumes []struct {
		Persistent json.RawMessage `json:"persistent"`
	} `json:"volumes"`
}

// PodContainer is one container of a pod.
type PodContainer struct {
	Name  string `json:"name"`
	Image *struct {
		Kind string `json:"kind"`
		ID   string `json:"id"`
	} `json:"image"`
	HealthCheck json.RawMessage `json:"healthCheck"`
}

// UnmarshalJSON keeps the document besides what is read of it.
func (p *Pod) UnmarshalJSON(data []byte) error {
	type view Pod
	var v view
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*p = Pod(v)
	if err := json.Unmarshal(data, &p.Doc); err != nil {
		return err
	}
	if p.ID = absolute(p.ID); p.ID == "" {
		return errors.New("a pod without an id")
	}
	return nil
}

// Instances is how many instances are wanted.
func (p *Pod) Instances() int {
	if p.Scaling == nil {
		return 1
	}
	return max(0, p.Scaling.Instances)
}

// Checked reports whether a container has a health check.
func (p *Pod) Checked() bool {
	return slices.ContainsFunc(p.Containers, func(c PodContainer) bool { return !isNull(c.HealthCheck) })
}

// Resident says whether the pod keeps data on an agent.
func (p *Pod) Resident() bool {
	for _, v := range p.Volumes {
		if !isNull(v.Persistent) {
			return true
		}
	}
	return false
}

// WithLabels is the whole definition with other labels; those with an empty value are taken off.
func (p *Pod) WithLabels(labels map[string]string) Document {
	next := p.Doc.Definition()
	next["labels"] = p.Doc.withLabels(labels)
	return next
}

// WithImages is the whole definition with other images, by the containers' names, and labels besides its own.
func (p *Pod) WithImages(images, labels map[string]string) (Document, error) {
	var containers []json.RawMessage
	if err := json.Unmarshal(p.Doc["containers"], &containers); err != nil {
		return nil, errors.New("it has no containers")
	}
	done := 0
	for i, c := range p.Containers {
		want, ok := images[c.Name]
		if !ok {
			continue
		}
		var doc Document
		if err := json.Unmarshal(containers[i], &doc); err != nil || doc.Object("image") == nil {
			return nil, errors.New("its container " + Printable(c.Name) + " has no image")
		}
		image := maps.Clone(doc.Object("image"))
		image["id"] = Raw(want)
		doc["image"] = Raw(image)
		containers[i] = Raw(doc)
		done++
	}
	if done != len(images) {
		return nil, errors.New("it lacks a container")
	}
	next := p.Doc.Definition()
	next["containers"] = Raw(containers)
	if len(labels) > 0 {
		next["labels"] = p.Doc.withLabels(labels)
	}
	return next, nil
}

// PodStatus is how a pod is.
type PodStatus struct {
	ID string `json:"id"`
	// Status is STABLE, DEGRADED or TERMINAL.
	Status    string        `json:"status"`
	Instances []PodInstance `json:"instances"`
	History   []PodEnd      `json:"terminationHistory"`
}

// PodInstance is one instance of a pod.
type PodInstance struct {
	ID string `json:"id"`
	// Status is PENDING, STAGING, STABLE, DEGRADED or TERMINAL.
	Status  string `json:"status"`
	Host    string `json:"agentHostname"`
	Spec    string `json:"specReference"`
	Message string `json:"message"`
}

// LaunchedAs is the pod's version at the instance's launch; zero when Marathon does not say.
func (i PodInstance) LaunchedAs() time.Time {
	_, version, _ := strings.Cut(i.Spec, "::versions/")
	return ParseTime(version)
}

// PodEnd is the end of an instance.
type PodEnd struct {
	Instance     string `json:"instanceID"`
	TerminatedAt string `json:"terminatedAt"`
	Message      string `json:"message"`
	Containers   []struct {
		Termination *struct {
			ExitCode int    `json:"exitCode"`
			Message  string `json:"message"`
		} `json:"termination"`
	} `json:"containers"`
}

// ListPods returns the pods of a scope, sorted by id; none where this Marathon has no pods.
func (c *Client) ListPods(ctx context.Context, scope string) ([]Pod, error) {
	v, err := c.Version(ctx)
	if err != nil || !v.HasPods() {
		return nil, err
	}
	var pods []Pod
	if err := c.get(ctx, request{path: "/v2/pods", doing: "list the pods", subject: scope}, &pods); err != nil {
		return nil, err
	}
	pods = slices.DeleteFunc(pods, func(p Pod) bool { return !Below(p.ID, scope) })
	sort.Slice(pods, func(i, j int) bool { return pods[i].ID < pods[j].ID })
	return pods, nil
}

// Pod returns one pod. NotFound: Marathon says that there is none.
func (c *Client) Pod(ctx context.Context, id string) (*Pod, error) {
	var pod Pod
	if err := c.get(ctx, request{path: "/v2/pods" + escape(id), doing: "read pod " + Printable(id), subject: id}, &pod); err != nil {
		return nil, err
	}
	if pod.ID != id {
		return nil, fault.New(fault.Internal, "read pod %s: the answer of %s is not that pod", id, c.host).On(id)
	}
	return &pod, nil
}

// PodStatus returns how a pod is.
func (c *Client) PodStatus(ctx context.Context, id string) (*PodStatus, error) {
	var s PodStatus
	r := request{path: "/v2/pods" + escape(id) + "::status", doing: "read the status of pod " + Printable(id), subject: id}
	if err := c.get(ctx, r, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// PodStatuses returns how all pods are.
func (c *Client) PodStatuses(ctx context.Context) ([]PodStatus, error) {
	var all []PodStatus
	if err := c.get(ctx, request{path: "/v2/pods::status", doing: "read the status of the pods"}, &all); err != nil {
		return nil, err
	}
	return all, nil
}

// PodVersions lists the versions that Marathon remembers of a pod, newest first.
func (c *Client) PodVersions(ctx context.Context, id string) ([]string, error) {
	var versions []string
	r := request{path: "/v2/pods" + escape(id) + "::versions", doing: "list the versions of pod " + Printable(id), subject: id}
	if err := c.get(ctx, r, &versions); err != nil {
		return nil, err
	}
	sortVersions(versions)
	return versions, nil
}

// PodVersion returns a pod as it was at a version.
func (c *Client) PodVersion(ctx context.Context, id, version string) (*Pod, error) {
	var pod Pod
	r := request{
		path:  "/v2/pods" + escape(id) + "::versions/" + escape(version)[1:],
		doing: "read version " + Printable(version) + " of pod " + Printable(id), subject: id,
	}
	if err := c.get(ctx, r, &pod); err != nil {
		return nil, err
	}
	return &pod, nil
}

// UpdatePod replaces a pod's whole definition, or makes the pod. Faults are those of Update.
func (c *Client) UpdatePod(ctx context.Context, doc Document) (Accepted, error) {
	id := doc.String("id")
	r := request{method: http.MethodPut, path: "/v2/pods" + escape(id), body: Raw(doc), doing: "change pod " + Printable(id), subject: id}
	return c.change(ctx, r) // the answer is the pod, whose version is the change's; the deployment's id is in the header
}
