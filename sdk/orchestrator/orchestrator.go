// Package orchestrator is what an orchestrator plugin implements: it lists
// apps, changes their images, watches, and puts snapshots back. It decides nothing.
package orchestrator

import (
	"context"
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Plugin is an orchestrator plugin before it is configured.
type Plugin interface {
	// Describe answers offline and at once; always the same.
	Describe() schema.Description
	// ValidateConfig reports all problems of cfg at once, offline. Diagnostics carry paths.
	ValidateConfig(cfg schema.Config) diag.Diagnostics
	// Configure is called once, with a configuration that passed ValidateConfig. It does not reach the orchestrator.
	Configure(ctx context.Context, cfg schema.Config, rt schema.Runtime) (Orchestrator, error)
}

// Orchestrator is a configured orchestrator plugin. Its methods may be called concurrently,
// except that the host never runs two of Deploy, Restore and Cancel for one app at a time.
type Orchestrator interface {
	// Probe reaches the orchestrator, reading only.
	Probe(ctx context.Context) (schema.ProbeResult, error)
	// ListApps yields every app in the scope, each once, from one goroutine, sorted by ID.
	// /ds/prod is no part of /ds/prod2. nil means complete.
	ListApps(ctx context.Context, req ListRequest, yield func(App) error) error
	// Snapshot returns the full configuration of each app, in the order asked, as Restore takes it.
	Snapshot(ctx context.Context, apps []string) ([]Snapshot, error)
	// Deploy makes a set of changes and follows them until all are healthy or one has failed.
	//
	// The events come from one goroutine: any number of Log and Diagnostic; then Accepted, the point of no return,
	// once for every deployment that was started; then Progress, AppHealthy and AppFailed;
	// Completed last, exactly once, only if every app is healthy. Deploy returns nil exactly when Completed was sent.
	// An error before any Accepted means nothing was changed, unless it is Indeterminate.
	// An app whose fingerprint is not the expected one: Drifted, and nothing is changed.
	// An OperationID that was already accepted does not deploy again: Accepted is repeated and the deployment followed.
	// A cancelled ctx ends the following, not the deployment. An app that fails does not end the deployment either.
	Deploy(ctx context.Context, req DeployRequest, emit func(Event)) error
	// Restore puts snapshots back, and follows as Deploy does. An app that already is as its snapshot is left alone.
	Restore(ctx context.Context, req RestoreRequest, emit func(Event)) error
}

// Previewer is implemented by plugins with the capability Preview.
type Previewer interface {
	// Preview asks the orchestrator what it would do, changing nothing.
	Preview(ctx context.Context, req DeployRequest) (PreviewResult, error)
}

// Attacher is implemented by plugins with the capability Attach.
type Attacher interface {
	// Attach follows deployments that were accepted earlier, with the events of Deploy from Accepted on.
	// A deployment that has ended is judged by what its apps are now.
	Attach(ctx context.Context, req AttachRequest, emit func(Event)) error
}

// Canceler is implemented by plugins with the capability Cancel.
type Canceler interface {
	// Cancel stops deployments where they are and returns when the orchestrator has stopped them.
	// A deployment that has ended already is no error.
	Cancel(ctx context.Context, req CancelRequest) error
}

// Historian is implemented by plugins with the capability History.
type Historian interface {
	// ListRevisions yields what the orchestrator remembers an app to have run, newest first.
	ListRevisions(ctx context.Context, app string, yield func(Revision) error) error
}

// HoldLifter is implemented by plugins with the capability Hold.
type HoldLifter interface {
	// LiftHold lifts the holds of apps, and follows as Deploy does. An app that is not held is left alone.
	LiftHold(ctx context.Context, req LiftHoldRequest, emit func(Event)) error
}

// ListRequest asks for the apps of an environment.
type ListRequest struct {
	// Scope is the environment's place in the orchestrator, such as /ds/prod; "" is everything.
	Scope string
}

// App is the unit an orchestrator deploys.
type App struct {
	ID string
	// Kind is the orchestrator's own word, such as app or pod.
	Kind string
	// Images are the images of its containers, in the orchestrator's order; one for most apps.
	Images []ContainerImage
	// Version is the orchestrator's name of the present configuration.
	Version string
	// Fingerprint changes whenever the configuration does, and at no other time.
	Fingerprint string
	Labels      map[string]string
	// Instances is what is wanted; Running and Healthy count what is there. Healthy is -1 when no health check exists.
	Instances, Running, Healthy int
	// Deployments are ids of deployments now under way that touch the app.
	Deployments []string
	// Immutable says why the image cannot be changed ("" when it can): a command without container, a resident task.
	Immutable string
	// Separate says why the app cannot be part of one atomic deployment with others ("" when it can).
	Separate string
	// Hold is the hold that is in force; nil when the app is not held.
	Hold *Hold
}

// Hold marks an app that is to stay as it is until somebody releases it, or its owner deploys another image.
type Hold struct {
	OperationID string
	// Reason is for people.
	Reason string
	// Images are what the app is held at; it is in force as long as the app runs these.
	Images []string
}

// ContainerImage is the image of one container.
type ContainerImage struct {
	// Container is its name; "" in an app with a single, unnamed container.
	Container string
	// Image is the reference as the orchestrator has it.
	Image string
}

// Change sets the image of one container of one app.
type Change struct {
	App       string
	Container string
	// From is the reference the plan saw, To the one wanted.
	From, To string
	// ExpectedFingerprint is the app's fingerprint when planned; "" skips the check.
	ExpectedFingerprint string
	// Revision is a Version of ListRevisions whose whole configuration is deployed, with To as its image; "" is the present
	// configuration. One that the orchestrator does not know is NotFound, and nothing is changed. Only set with the
	// capability Revision.
	Revision string
}

// DeployRequest is a set of changes.
type DeployRequest struct {
	// OperationID is a ULID with a suffix for wave and phase; it makes Deploy idempotent.
	OperationID string
	Changes     []Change
	// Timeout is the deadline for everything to be healthy; 0 means none.
	Timeout time.Duration
	// Labels are put on every changed app where the orchestrator has labels; others stay.
	Labels map[string]string
	// Hold, when set, holds every app of the set at its new image, in the same deployment; its Images are not set. nil lifts
	// an earlier hold of the apps. Only set with the capability Hold.
	Hold *Hold
}

// LiftHoldRequest names apps whose holds are to be lifted.
type LiftHoldRequest struct {
	OperationID string
	Apps        []string
	// Timeout is the deadline for everything to be healthy; 0 means none.
	Timeout time.Duration
}

// RestoreRequest puts apps back.
type RestoreRequest struct {
	OperationID string
	Snapshots   []Snapshot
	Timeout     time.Duration
}

// AttachRequest names what to follow.
type AttachRequest struct {
	OperationID   string
	DeploymentIDs []string
	// Changes is what the deployment was to make true.
	Changes []Change
	Timeout time.Duration
}

// CancelRequest names what to stop.
type CancelRequest struct {
	OperationID   string
	DeploymentIDs []string
}

// Snapshot is an app's full configuration. Data is opaque to the host and may contain secrets.
type Snapshot struct {
	App string
	// Fingerprint and Images are those of the moment.
	Fingerprint string
	Images      []ContainerImage
	Data        []byte
}

// PreviewResult is what the orchestrator would do.
type PreviewResult struct {
	// Steps are the orchestrator's steps in words, in order.
	Steps       []string
	Diagnostics diag.Diagnostics
}

// Revision is something an app once ran.
type Revision struct {
	App     string
	Version string
	// At is when it became the app's configuration.
	At     time.Time
	Images []ContainerImage
	// Config is the configuration flattened to dotted keys; values are for comparison only and may be secret.
	Config map[string]string
}

// Event is one message about a deployment; exactly one field is set.
type Event struct {
	Accepted   *Accepted
	Progress   *Progress
	Log        *Log
	Diagnostic *diag.Diagnostic
	AppHealthy *AppHealthy
	AppFailed  *AppFailed
	Completed  *Completed
}

// Accepted says that the orchestrator has taken a deployment. From here on things change.
type Accepted struct {
	DeploymentID string
	// Apps are those this deployment touches.
	Apps []string
}

// Progress says how far one app is.
type Progress struct {
	App string
	// Ready of Total new instances are up and healthy.
	Ready, Total int
	// Message says in words what is being waited for.
	Message string
}

// Log is a line for the log.
type Log struct {
	// Level is an hclog level: debug, info, warn or error.
	Level   string
	App     string
	Message string
}

// AppHealthy says that the app runs the wanted image, all of it, healthy. At most once per app.
type AppHealthy struct {
	App string
	// Image is what was read back from the orchestrator.
	Image string
}

// AppFailed says that the app will not become healthy, or has not in time. At most once per app.
type AppFailed struct {
	App   string
	Fault *fault.Fault
}

// Completed says that every app is healthy.
type Completed struct{}
