package marathontest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"
)

// A deployment takes run specs from their original to their target.
type deployment struct {
	ID       string              `json:"id"`
	Version  string              `json:"version"`
	Original map[string]*runSpec `json:"original"` // nil: was not there
	Target   map[string]*runSpec `json:"target"`   // nil: will not be there
	Stopping []*runSpec          `json:"stopping,omitempty"`
	Steps    [][]*action         `json:"steps"`
	Current  int                 `json:"current"` // the running step, from 1; 0 before the first
	StartAt  time.Time           `json:"start_at"`
	ListedAt time.Time           `json:"listed_at"`
	Finished bool                `json:"finished,omitempty"` // success was told; waits to be removed
	RemoveAt time.Time           `json:"remove_at,omitzero"`
	Roots    object              `json:"roots,omitempty"` // original and target root group, for heavy events
}

// affected are the ids that the deployment changes, sorted.
func (d *deployment) affected() []string {
	return slices.Sorted(maps.Keys(d.Target))
}

// kinds splits the affected ids into apps and pods.
func (d *deployment) kinds() (apps, pods []string) {
	apps, pods = []string{}, []string{}
	for _, id := range d.affected() {
		r := d.Target[id]
		if r == nil {
			r = d.Original[id]
		}
		if r.Pod {
			pods = append(pods, id)
		} else {
			apps = append(apps, id)
		}
	}
	return apps, pods
}

// deploymentsRoute answers /v2/deployments.
func (s *Server) deploymentsRoute(c *call, rest string) *reply {
	switch {
	case rest == "" && c.method == http.MethodGet:
		return s.listDeployments()
	case rest != "" && c.method == http.MethodDelete:
		return s.deleteDeployment(c, rest)
	}
	return notAllowed()
}

// visible tells whether GET lists the deployment now. One that changes nothing
// never is.
func (s *Server) visible(d *deployment) bool {
	return len(d.Target) > 0 && !d.ListedAt.After(s.st.Now) && !slices.ContainsFunc(d.affected(), s.forbidden)
}

// listed is the number of deployments that GET lists.
func (s *Server) listed() int {
	n := len(s.st.Recorded.Deployments)
	for _, d := range s.st.Deployments {
		if s.visible(d) {
			n++
		}
	}
	return n
}

// listDeployments answers GET /v2/deployments.
func (s *Server) listDeployments() *reply {
	all := slices.Clone(s.st.Recorded.Deployments)
	if all == nil {
		all = []json.RawMessage{}
	}
	for _, d := range s.st.Deployments {
		if s.visible(d) {
			all = append(all, raw(s.showDeployment(d)))
		}
	}
	return jsonReply(http.StatusOK, all)
}

// showDeployment is a deployment as the list shows it, in the profile's shape.
func (s *Server) showDeployment(d *deployment) map[string]any {
	apps, pods := d.kinds()
	current := []map[string]any{}
	if d.Current > 0 && d.Current <= len(d.Steps) {
		for _, a := range d.Steps[d.Current-1] {
			m := s.showAction(a, "action")
			if s.habits.steps != stepsFlat {
				m["readinessCheckResults"] = s.readiness(s.st.Specs[a.ID])
			}
			current = append(current, m)
		}
	}
	doc := map[string]any{
		"id": d.ID, "version": d.Version, "affectedApps": apps, "steps": s.showSteps(d),
		"currentActions": current, "currentStep": min(d.Current, len(d.Steps)), "totalSteps": len(d.Steps),
	}
	if s.habits.pods {
		doc["affectedPods"] = pods
	}
	return doc
}

// showAction is an action as a list or an event shows it; key is "action" or
// "type".
func (s *Server) showAction(a *action, key string) map[string]any {
	m := map[string]any{key: a.name()}
	if a.Pod {
		m["pod"] = a.ID
	} else {
		m["app"] = a.ID
	}
	return m
}

// actionKey is the name of an action's kind in steps.
func (s *Server) actionKey() string {
	if s.habits.steps == stepsType {
		return "type"
	}
	return "action"
}

// showSteps are the steps in one of the three historical shapes.
func (s *Server) showSteps(d *deployment) any {
	steps := []any{}
	for _, step := range d.Steps {
		if s.habits.steps == stepsFlat {
			steps = append(steps, s.showActions(step))
			continue
		}
		steps = append(steps, map[string]any{"actions": s.showActions(step)})
	}
	return steps
}

func (s *Server) showActions(step []*action) []map[string]any {
	actions := []map[string]any{}
	for _, a := range step {
		actions = append(actions, s.showAction(a, s.actionKey()))
	}
	return actions
}

// deploymentsOf are the listed deployments that change an app, as the app
// shows them.
func (s *Server) deploymentsOf(id string) []map[string]string {
	refs := []map[string]string{}
	for _, d := range s.st.Deployments {
		if _, ok := d.Target[id]; ok && s.visible(d) {
			refs = append(refs, map[string]string{"id": d.ID})
		}
	}
	for _, m := range s.st.Recorded.Deployments {
		if recordedAffects(m, func(other string) bool { return other == id }) {
			refs = append(refs, map[string]string{"id": text(fields(m)["id"])})
		}
	}
	return refs
}

// recordedAffects tells whether a deployment that was seeded as a document
// affects an id for which hit is true.
func recordedAffects(m json.RawMessage, hit func(id string) bool) bool {
	o := fields(m)
	return slices.ContainsFunc(append(list(o["affectedApps"]), list(o["affectedPods"])...), func(id json.RawMessage) bool {
		return hit(absolute(text(id)))
	})
}

// deleteDeployment answers DELETE /v2/deployments/{id} (F7): without force it
// starts a new deployment that takes the plan's changes back, with force it
// stops where it is.
func (s *Server) deleteDeployment(c *call, id string) *reply {
	i := slices.IndexFunc(s.st.Deployments, func(d *deployment) bool { return d.ID == id && s.visible(d) && !d.Finished })
	if i < 0 {
		return s.deleteRecorded(c, id)
	}
	d := s.st.Deployments[i]
	if c.flag("force") {
		s.cancel(d)
		return &reply{status: http.StatusAccepted}
	}
	back := map[string]*runSpec{}
	for id, was := range d.Original {
		if was != nil {
			was = was.definition()
		}
		back[id] = was
	}
	next, rep := s.update(change{group: "/", specs: back, force: true})
	if rep != nil {
		return rep
	}
	if slices.Contains(s.st.Deployments, d) {
		s.cancel(d) // nothing was left to take back
	}
	return s.changedReply(http.StatusOK, next.Version, next.ID)
}

// deleteRecorded ends a deployment that was seeded as a document.
func (s *Server) deleteRecorded(c *call, id string) *reply {
	i := slices.IndexFunc(s.st.Recorded.Deployments, func(m json.RawMessage) bool { return text(fields(m)["id"]) == id })
	if i < 0 {
		return message(http.StatusNotFound, "DeploymentPlan %s does not exist", id)
	}
	s.st.Recorded.Deployments = slices.Delete(s.st.Recorded.Deployments, i, i+1)
	if !c.flag("force") {
		return s.changedReply(http.StatusOK, s.nextVersion(), s.newID())
	}
	return &reply{status: http.StatusAccepted}
}

// cancel ends a deployment where it is. Its definitions and tasks stay.
func (s *Server) cancel(d *deployment) {
	s.st.Deployments = slices.DeleteFunc(s.st.Deployments, func(o *deployment) bool { return o == d })
	e := map[string]any{"id": d.ID}
	if s.habits.failReason {
		e["reason"] = "The upgrade has been cancelled"
	}
	s.emitPlan("deployment_failed", d, e)
}
