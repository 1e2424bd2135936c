package marathon

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"time"
)

// App is an app as Marathon shows it.
type App struct {
	// Doc is everything, as it was sent.
	Doc Document `json:"-"`

	ID        string            `json:"id"`
	Version   string            `json:"version"`
	Instances int               `json:"instances"`
	Labels    map[string]string `json:"labels"`
	// TasksRunning and the like count tasks of every version, and are there only where they were asked for.
	TasksStaged    int            `json:"tasksStaged"`
	TasksRunning   int            `json:"tasksRunning"`
	TasksHealthy   int            `json:"tasksHealthy"`
	TasksUnhealthy int            `json:"tasksUnhealthy"`
	Deployments    []Ref          `json:"deployments"`
	Tasks          []Task         `json:"tasks"`
	Failure        *TaskFailure   `json:"lastTaskFailure"`
	Readiness      []Readiness    `json:"readinessCheckResults"`
	VersionInfo    *VersionInfo   `json:"versionInfo"`
	HealthChecks   []HealthCheck  `json:"healthChecks"`
	ReadyChecks    []ReadyCheck   `json:"readinessChecks"`
	Container      *containerView `json:"container"`
	Dependencies   []string       `json:"dependencies"`
}

// Ref names a deployment.
type Ref struct {
	ID string `json:"id"`
}

// VersionInfo tells changes of the configuration from changes of the number of instances.
type VersionInfo struct {
	LastScalingAt      string `json:"lastScalingAt"`
	LastConfigChangeAt string `json:"lastConfigChangeAt"`
}

// HealthCheck is of interest for being there.
type HealthCheck struct {
	Protocol string `json:"protocol"`
	Path     string `json:"path"`
}

// ReadyCheck is a readiness check.
type ReadyCheck struct {
	Name string `json:"name"`
}

// Task is one instance of an app.
type Task struct {
	ID        string   `json:"id"`
	Host      string   `json:"host"`
	State     string   `json:"state"` // absent before 1.1
	StagedAt  string   `json:"stagedAt"`
	StartedAt string   `json:"startedAt"`
	Version   string   `json:"version"` // the app's at its launch; absent once it has ended
	Health    []Health `json:"healthCheckResults"`
}

// Health is the result of one health check.
type Health struct {
	Alive               bool   `json:"alive"`
	ConsecutiveFailures int    `json:"consecutiveFailures"`
	LastFailureCause    string `json:"lastFailureCause"`
}

// Readiness is the result of a readiness check.
type Readiness struct {
	Name   string `json:"name"`
	TaskID string `json:"taskId"`
	Ready  bool   `json:"ready"`
	Last   *struct {
		Status int `json:"status"`
	} `json:"lastResponse"`
}

// TaskFailure is an app's last failed task.
type TaskFailure struct {
	Host      string `json:"host"`
	Message   string `json:"message"`
	State     string `json:"state"`
	TaskID    string `json:"taskId"`
	Timestamp string `json:"timestamp"`
	Version   string `json:"version"`
}

type containerView struct {
	Type   string `json:"type"`
	Docker *struct {
		Image string `json:"image"`
	} `json:"docker"`
	Volumes []struct {
		Persistent json.RawMessage `json:"persistent"`
	} `json:"volumes"`
}

// UnmarshalJSON keeps the document besides what is read of it.
func (a *App) UnmarshalJSON(data []byte) error {
	type view App
	var v view
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*a = App(v)
	if err := json.Unmarshal(data, &a.Doc); err != nil {
		return err
	}
	if a.ID = absolute(a.ID); a.ID == "" {
		return errors.New("an app without an id")
	}
	if !a.Doc.Has("instances") {
		a.Instances = 1
	}
	if a.Instances < 0 {
		return errors.New("an app with a negative number of instances")
	}
	return nil
}

// absolute gives an id its leading slash.
func absolute(id string) string {
	if id == "" || strings.HasPrefix(id, "/") {
		return id
	}
	return "/" + id
}

// Image is the image of the app's container; "" when it has none.
func (a *App) Image() string {
	if a.Container == nil || a.Container.Docker == nil {
		return ""
	}
	return a.Container.Docker.Image
}

// Resident says whether the app keeps data on an agent.
func (a *App) Resident() bool {
	if a.Doc.Has("residency") {
		return true
	}
	if a.Container == nil {
		return false
	}
	for _, v := range a.Container.Volumes {
		if !isNull(v.Persistent) {
			return true
		}
	}
	return false
}

// ConfiguredAt is the version at which the app got its present configuration, the number of instances aside: older
// tasks are of an older configuration.
func (a *App) ConfiguredAt() time.Time {
	if a.VersionInfo != nil {
		if t := ParseTime(a.VersionInfo.LastConfigChangeAt); !t.IsZero() {
			return t
		}
	}
	return ParseTime(a.Version)
}

// Ended reports a task that does not run any more, or is being stopped.
func (t Task) Ended() bool {
	switch t.State {
	case "", "TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_UNREACHABLE", "TASK_CREATED", "TASK_RESERVED":
		return false
	}
	return true
}

// Unreachable reports a task whose agent cannot be reached.
func (t Task) Unreachable() bool { return t.State == "TASK_UNREACHABLE" }

// Running reports a task that runs, healthy or not.
func (t Task) Running() bool {
	if t.State == "" {
		return t.StartedAt != ""
	}
	return t.State == "TASK_RUNNING"
}

// Alive reports whether all health checks that have a result are passed, and one has.
func (t Task) Alive() bool {
	for _, h := range t.Health {
		if !h.Alive {
			return false
		}
	}
	return len(t.Health) > 0
}

// WithImage is what to send to give the app another image, and labels besides its own. The container is echoed whole,
// as Marathon replaces it whole; so are the members that a merge erases when they are left out.
func (a *App) WithImage(image string, labels map[string]string) (Document, error) {
	container := maps.Clone(a.Doc.Object("container"))
	docker := maps.Clone(container.Object("docker"))
	if docker == nil {
		return nil, errors.New("it has no container with an image")
	}
	docker["image"] = Raw(image)
	container["docker"] = Raw(docker)
	update := Document{"id": Raw(a.ID), "container": Raw(container)}
	a.Doc.echo(update)
	if len(labels) > 0 {
		update["labels"] = a.Doc.withLabels(labels)
	}
	return update, nil
}

// WithLabels is what to send to change labels: those with an empty value are taken off.
func (a *App) WithLabels(labels map[string]string) Document {
	update := Document{"id": Raw(a.ID), "labels": a.Doc.withLabels(labels)}
	a.Doc.echo(update)
	return update
}

// Erased are the members that a merge erases when they are left out (1.6.352 and 1.10 on).
var Erased = []string{"executorResources", "resourceLimits"}

// echo adds what a merge would erase.
func (d Document) echo(update Document) {
	for _, k := range Erased {
		if d.Has(k) {
			update[k] = d[k]
		}
	}
}

// withLabels are the labels with some more, and without those whose value is empty. Marathon replaces labels whole.
func (d Document) withLabels(more map[string]string) json.RawMessage {
	labels := maps.Clone(d.Object("labels"))
	if labels == nil {
		labels = Document{}
	}
	for k, v := range more {
		if v == "" {
			delete(labels, k)
			continue
		}
		labels[k] = Raw(v)
	}
	return Raw(labels)
}
