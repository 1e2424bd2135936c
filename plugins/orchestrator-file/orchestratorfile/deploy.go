package orchestratorfile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// Deploy changes images: all of them in one deployment, or none.
func (s *server) Deploy(ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) error {
	if err := checkChanges(req.Changes); err != nil {
		return err
	}
	var aims []aim
	for _, c := range req.Changes {
		aims = append(aims, aim{c.App, c.To})
	}
	trouble, err := s.script(ctx, callDeploy, aims...)
	if err != nil {
		return err
	}
	if err := trouble.at(ctx, beforeAccept); err != nil {
		return err
	}
	if trouble.garbage() {
		return emitGarbage(emit)
	}
	if err := s.drift(ctx, trouble.drifting(aims)); err != nil {
		return err
	}
	var d *deployment
	err = s.store.change(ctx, func(w *world) error {
		if d = w.ofOperation(req.OperationID, false); d != nil {
			if !d.asks(req.Changes) {
				return fault.New(fault.Invalid, "deploy: operation %s was accepted with other changes", req.OperationID)
			}
			return errUnchanged
		}
		if err := w.allows(req, s.now()); err != nil {
			return err
		}
		if d = w.deploy(req, trouble, s.now(), s.tick); d == nil {
			return errUnchanged
		}
		return nil
	})
	if err != nil {
		return err
	}
	p := pursuit{goals: goalsOf(req.Changes), timeout: req.Timeout, trouble: trouble}
	p.accept(d)
	return s.pursue(ctx, p, emit)
}

// checkChanges refuses what makes no sense, whatever the world.
func checkChanges(changes []orchestrator.Change) error {
	if len(changes) == 0 {
		return fault.New(fault.Invalid, "deploy: there are no changes")
	}
	seen := map[[2]string]bool{}
	for _, c := range changes {
		if c.App == "" || c.To == "" {
			return fault.New(fault.Invalid, "deploy: a change lacks its app or its image").On(c.App)
		}
		key := [2]string{c.App, c.Container}
		if seen[key] {
			return fault.New(fault.Invalid, "deploy: app %s occurs twice", c.App).On(c.App)
		}
		seen[key] = true
	}
	return nil
}

// allows refuses what the world does not permit now. Nothing has been changed.
func (w *world) allows(req orchestrator.DeployRequest, now time.Time) error {
	for _, c := range req.Changes {
		a, ok := w.Apps[c.App]
		if !ok {
			return w.noApp(c.App)
		}
		if _, ok := a.imageOf(c.Container); !ok {
			return fault.New(fault.NotFound, "app %s has no container %q", c.App, c.Container).On(c.App)
		}
		if _, ok := a.asDeployed(c.Revision); !ok {
			return fault.New(fault.NotFound, "app %s has no revision %q", c.App, c.Revision).On(c.App)
		}
		if a.Immutable != "" {
			return fault.New(fault.Unsupported, "the image of app %s cannot be changed: %s", c.App, a.Immutable).On(c.App)
		}
		if a.Separate != "" && severalApps(req.Changes) {
			return fault.New(fault.Unsupported, "app %s cannot be deployed together with others: %s", c.App, a.Separate).On(c.App)
		}
	}
	for _, c := range req.Changes {
		if have := w.Apps[c.App].fingerprint(); c.ExpectedFingerprint != "" && have != c.ExpectedFingerprint {
			return fault.New(fault.Drifted, "app %s is not as planned: its configuration is %s, the plan saw %s", c.App, have, c.ExpectedFingerprint).
				On(c.App).WithHint("Plan again.")
		}
	}
	for _, c := range w.missing(req.Changes) {
		if err := w.busy(c.App, now, func(*deployment) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

func severalApps(changes []orchestrator.Change) bool {
	return slices.ContainsFunc(changes, func(c orchestrator.Change) bool { return c.App != changes[0].App })
}

// busy refuses an app that another deployment holds.
func (w *world) busy(app string, now time.Time, counts func(*deployment) bool) error {
	var ids []string
	for _, d := range w.holding(app, now) {
		if counts(d) {
			ids = append(ids, d.ID)
		}
	}
	if ids == nil {
		return nil
	}
	f := fault.New(fault.Busy, "app %s is held by deployment %s", app, strings.Join(ids, ", ")).On(app)
	f.Deployments = ids
	return f
}

func (w *world) noApp(id string) error {
	f := fault.New(fault.NotFound, "there is no app %s", id).On(id)
	if ids := w.ids(); len(ids) > 0 {
		f = f.WithHint("The world file has the apps %s.", strings.Join(ids[:min(len(ids), 10)], ", "))
	}
	return f
}

// deploy gives the apps their new configurations; nil when all have the wanted images already.
func (w *world) deploy(req orchestrator.DeployRequest, trouble script, now time.Time, tick time.Duration) *deployment {
	d := w.newDeployment(req.OperationID, false, now, tick)
	for _, g := range goalsOf(w.missing(req.Changes)) {
		a := w.Apps[g.app]
		want, _ := a.asDeployed(revisionOf(req.Changes, g.app)) // allows has found it
		want = want.withLabels(req.Labels)
		p := part{App: g.app, Total: a.wanted(), DependsOn: a.DependsOn}
		for _, c := range g.images {
			want = want.withImage(c.Container, c.Image)
			p.Containers = append(p.Containers, container{Name: c.Container, Image: c.Image})
			p = trouble.fate(p, c.Image)
		}
		a.become(want.holding(req.Hold), now)
		a.Deployment = d.ID
		d.Parts = append(d.Parts, p)
	}
	if len(d.Parts) == 0 {
		return nil
	}
	w.Deployments = append(w.Deployments, d)
	return d
}

// revisionOf is the revision that the changes ask for of an app; "" is the present configuration.
func revisionOf(changes []orchestrator.Change, app string) string {
	for _, c := range changes {
		if c.App == app && c.Revision != "" {
			return c.Revision
		}
	}
	return ""
}

// missing are the changes that are not there yet.
func (w *world) missing(changes []orchestrator.Change) []orchestrator.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c orchestrator.Change) bool {
		have, _ := w.Apps[c.App].imageOf(c.Container)
		return have == c.To
	})
}

func (w *world) newDeployment(operation string, restores bool, now time.Time, tick time.Duration) *deployment {
	n := len(w.Deployments) + 1
	for w.deployment(fmt.Sprintf("deployment-%d", n)) != nil {
		n++
	}
	return &deployment{
		ID:          fmt.Sprintf("deployment-%d", n),
		OperationID: operation,
		Restores:    restores,
		Started:     now.UTC(),
		Tick:        tick.String(),
		State:       stateRunning,
	}
}

// asks says whether the deployment was accepted for these changes. Those that were there already are not in it.
func (d *deployment) asks(changes []orchestrator.Change) bool {
	for _, p := range d.Parts {
		for _, c := range p.Containers {
			if !slices.ContainsFunc(changes, func(q orchestrator.Change) bool {
				return q.App == p.App && q.Container == c.Name && q.To == c.Image
			}) {
				return false
			}
		}
	}
	return true
}

// drift changes apps as somebody else would: a scripted failure.
func (s *server) drift(ctx context.Context, apps []string) error {
	if apps == nil {
		return nil
	}
	return s.store.change(ctx, func(w *world) error {
		for _, id := range apps {
			if a, ok := w.Apps[id]; ok {
				a.become(a.withLabels(map[string]string{"changed-by": "somebody else"}), s.now())
			}
		}
		return nil
	})
}

// frozen is the data of a snapshot.
type frozen struct {
	App string `json:"app"`
	spec
}

// Snapshot returns whole configurations.
func (s *server) Snapshot(ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
	var aims []aim
	for _, id := range apps {
		aims = append(aims, aim{app: id})
	}
	trouble, err := s.script(ctx, callSnapshot, aims...)
	if err != nil {
		return nil, err
	}
	if err := trouble.at(ctx, beforeAccept); err != nil {
		return nil, err
	}
	if trouble.garbage() {
		return []orchestrator.Snapshot{{App: "no-such-app"}}, nil
	}
	w, err := s.store.read()
	if err != nil {
		return nil, err
	}
	var all []orchestrator.Snapshot
	for _, id := range apps {
		a, ok := w.Apps[id]
		if !ok {
			return nil, w.noApp(id)
		}
		data, err := json.Marshal(frozen{id, a.spec})
		if err != nil {
			return nil, fault.New(fault.Internal, "snapshot %s: %w", id, err).On(id)
		}
		all = append(all, orchestrator.Snapshot{App: id, Fingerprint: a.fingerprint(), Images: a.images(), Data: data})
	}
	return all, nil
}

// Restore puts configurations back. It takes apps over from the deployments of other operations
// – it is called because one of them failed – but not from those of somebody else.
func (s *server) Restore(ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) error {
	specs, err := thaw(req.Snapshots)
	if err != nil {
		return err
	}
	var aims []aim
	for _, f := range specs {
		for _, c := range f.images() {
			aims = append(aims, aim{f.App, c.Image})
		}
	}
	trouble, err := s.script(ctx, callRestore, aims...)
	if err != nil {
		return err
	}
	if err := trouble.at(ctx, beforeAccept); err != nil {
		return err
	}
	if trouble.garbage() {
		return emitGarbage(emit)
	}
	var d *deployment
	err = s.store.change(ctx, func(w *world) error {
		if d = w.ofOperation(req.OperationID, true); d != nil {
			return errUnchanged
		}
		var err error
		d, err = w.restore(req.OperationID, specs, trouble, s.now(), s.tick)
		if d == nil && err == nil {
			return errUnchanged
		}
		return err
	})
	if err != nil {
		return err
	}
	p := pursuit{timeout: req.Timeout, trouble: trouble}
	p.accept(d)
	for _, f := range specs {
		p.goals = append(p.goals, goal{app: f.App, images: f.images()})
	}
	return s.pursue(ctx, p, emit)
}

func thaw(snapshots []orchestrator.Snapshot) ([]frozen, error) {
	if len(snapshots) == 0 {
		return nil, fault.New(fault.Invalid, "restore: there are no snapshots")
	}
	var all []frozen
	for _, snap := range snapshots {
		var f frozen
		if err := json.Unmarshal(snap.Data, &f); err != nil {
			return nil, fault.New(fault.Invalid, "restore %s: the snapshot is not one of this plugin's", snap.App).On(snap.App)
		}
		if f.App != snap.App || len(f.images()) == 0 {
			return nil, fault.New(fault.Invalid, "restore %s: the snapshot is of another app", snap.App).On(snap.App)
		}
		all = append(all, f)
	}
	return all, nil
}

// restore gives the apps their old configurations; nil when all have them already.
func (w *world) restore(operation string, specs []frozen, trouble script, now time.Time, tick time.Duration) (*deployment, error) {
	d := w.newDeployment(operation, true, now, tick)
	changed := slices.DeleteFunc(slices.Clone(specs), func(f frozen) bool {
		a, ok := w.Apps[f.App]
		return ok && a.fingerprint() == f.fingerprint()
	})
	if len(changed) == 0 {
		return nil, nil
	}
	for _, f := range changed {
		foreign := func(d *deployment) bool { return d.OperationID == "" }
		if err := w.busy(f.App, now, foreign); err != nil {
			return nil, err
		}
	}
	for _, f := range changed {
		for _, old := range w.holding(f.App, now) {
			old.stop(stateSuperseded, now)
		}
		if w.Apps[f.App] == nil {
			w.Apps[f.App] = &app{}
		}
		p := part{App: f.App, Total: f.wanted(), DependsOn: f.DependsOn}
		for _, c := range f.images() {
			p.Containers = append(p.Containers, container{Name: c.Container, Image: c.Image})
			p = trouble.fate(p, c.Image)
		}
		a := w.Apps[f.App]
		a.become(f.spec, now)
		a.Deployment = d.ID
		d.Parts = append(d.Parts, p)
	}
	w.Deployments = append(w.Deployments, d)
	return d, nil
}
