package orchestratorfile

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// The states of a deployment.
const (
	stateRunning = "running"
	// stateCancelled: stopped where it was.
	stateCancelled = "cancelled"
	// stateSuperseded: a restore has taken its apps over.
	stateSuperseded = "superseded"
)

// The fates of an app in a deployment.
const (
	fateHealthy = "" // one instance a tick
	// fateUnhealthy: the instances run and never pass their health check.
	fateUnhealthy = "unhealthy"
	// fateDoomed: the instances crash as they start.
	fateDoomed = "doomed"
	// fateStuck: no instance ever starts.
	fateStuck = "stuck"
	// fateOverwritten: becomes healthy; then somebody else changes its image.
	fateOverwritten = "overwritten"
)

// deployment is what was accepted once. How far it is follows from the time since.
type deployment struct {
	ID string `json:"id"`
	// OperationID is empty for a deployment of somebody else's.
	OperationID string `json:"operation_id,omitempty"`
	// Restores tells a restore from a deploy.
	Restores bool `json:"restores,omitempty"`
	// Parts are the apps it touches; an app that was as wanted already has none.
	Parts   []part    `json:"parts"`
	Started time.Time `json:"started"`
	// Tick is how long one instance takes.
	Tick string `json:"tick,omitempty"`
	// State is "running" also when all is healthy: see ended.
	State string `json:"state"`
	// Stopped is when it was cancelled or superseded.
	Stopped *time.Time `json:"stopped,omitempty"`
}

// part is one app's share of a deployment.
type part struct {
	App string `json:"app"`
	// Containers are what was asked for, by container name.
	Containers []container `json:"containers,omitempty"`
	Total      int         `json:"total"`
	Fate       string      `json:"fate,omitempty"`
	// Slow multiplies the tick.
	Slow int `json:"slow,omitempty"`
	// Message says more about the fate.
	Message string `json:"message,omitempty"`
	// Image is what an overwritten app gets in the end.
	Image     string   `json:"image,omitempty"`
	DependsOn []string `json:"depends_on,omitempty"`
}

// progress is how far an app is.
type progress struct {
	running, ready, total int
	healthy, doomed       bool
	message               string
}

func (d *deployment) part(app string) (part, bool) {
	i := slices.IndexFunc(d.Parts, func(p part) bool { return p.App == app })
	if i < 0 {
		return part{}, false
	}
	return d.Parts[i], true
}

func (d *deployment) apps() []string {
	var all []string
	for _, p := range d.Parts {
		all = append(all, p.App)
	}
	return all
}

func (d *deployment) tick() time.Duration {
	t, err := time.ParseDuration(d.Tick)
	if err != nil || t <= 0 {
		return defaultTick
	}
	return t
}

// begin is when the app's turn comes: after those it depends on. False: never.
func (d *deployment) begin(p part, seen []string) (time.Time, bool) {
	at := d.Started
	for _, dep := range p.DependsOn {
		q, ok := d.part(dep)
		if !ok || slices.Contains(seen, dep) {
			continue // not of this deployment, or a circle, which orders nothing
		}
		start, ok := d.begin(q, append(seen, p.App))
		if !ok || !q.succeeds() {
			return time.Time{}, false
		}
		if end := start.Add(d.lasts(q)); end.After(at) {
			at = end
		}
	}
	return at, true
}

func (p part) succeeds() bool {
	return p.Fate == fateHealthy || p.Fate == fateOverwritten
}

func (d *deployment) step(p part) time.Duration { return d.tick() * time.Duration(max(p.Slow, 1)) }

func (d *deployment) lasts(p part) time.Duration {
	return d.step(p) * time.Duration(p.Total)
}

// progress says how far an app is at an instant.
func (d *deployment) progress(p part, now time.Time) progress {
	if d.Stopped != nil && d.Stopped.Before(now) {
		now = *d.Stopped
	}
	g := progress{total: p.Total, running: p.Total, message: "waiting for the apps it depends on"}
	start, ok := d.begin(p, nil)
	if !ok || now.Before(start) {
		return g
	}
	steps := int(now.Sub(start) / d.step(p))
	switch p.Fate {
	case fateUnhealthy:
		g.message = "running, but the health check fails"
	case fateStuck:
		g.message = "waiting for resources"
		g.running = 0
	case fateDoomed:
		g.doomed = steps > 0
		g.running = 0
		g.message = "the container exits as soon as it starts"
	default:
		g.ready = min(p.Total, steps)
		g.message = fmt.Sprintf("%d of %d instances are healthy", g.ready, g.total)
	}
	if p.Message != "" && !p.succeeds() {
		g.message = p.Message
	}
	g.healthy = p.succeeds() && g.ready == g.total
	return g
}

// ended says whether the deployment still holds its apps.
func (d *deployment) ended(now time.Time) bool {
	if d.State != stateRunning {
		return true
	}
	for _, p := range d.Parts {
		if !d.progress(p, now).healthy {
			return false
		}
	}
	return true
}

// deployment finds one by id.
func (w *world) deployment(id string) *deployment {
	for _, d := range w.Deployments {
		if d.ID == id {
			return d
		}
	}
	return nil
}

// ofOperation finds the deployment that was accepted for an operation.
func (w *world) ofOperation(id string, restores bool) *deployment {
	for _, d := range w.Deployments {
		if d.OperationID == id && id != "" && d.Restores == restores {
			return d
		}
	}
	return nil
}

// holding are the deployments that hold an app at an instant.
func (w *world) holding(app string, now time.Time) []*deployment {
	var all []*deployment
	for _, d := range w.Deployments {
		if _, ok := d.part(app); ok && !d.ended(now) {
			all = append(all, d)
		}
	}
	return all
}

// progressOf is how far an app is: what its last deployment made of it.
func (w *world) progressOf(id string, now time.Time) progress {
	a := w.Apps[id]
	n := a.wanted()
	if d := w.deployment(a.Deployment); d != nil {
		if p, ok := d.part(id); ok {
			return d.progress(p, now)
		}
	}
	g := progress{running: n, ready: n, total: n}
	if a.Healthy != nil {
		g.ready = min(*a.Healthy, n)
		g.message = "the health check fails"
	}
	g.healthy = g.ready == g.total
	return g
}

// stop ends a deployment where it is.
func (d *deployment) stop(state string, now time.Time) {
	now = now.UTC()
	d.State, d.Stopped = state, &now
}

// app renders one for the host.
func (w *world) app(id string, now time.Time) orchestrator.App {
	a := w.Apps[id]
	state := w.progressOf(id, now)
	out := orchestrator.App{
		ID:          id,
		Kind:        a.Kind,
		Images:      a.images(),
		Version:     a.Version,
		Fingerprint: a.fingerprint(),
		Labels:      maps.Clone(a.Labels),
		Instances:   a.wanted(),
		Running:     state.running,
		Healthy:     state.ready,
		Immutable:   a.Immutable,
		Separate:    a.Separate,
		Hold:        a.hold(),
	}
	if out.Kind == "" {
		out.Kind = "app"
	}
	if a.NoHealthCheck {
		out.Healthy = -1
	}
	for _, d := range w.holding(id, now) {
		out.Deployments = append(out.Deployments, d.ID)
	}
	return out
}
