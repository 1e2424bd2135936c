package marathontest

import (
	"fmt"
	"net/http"
	"strings"
)

// podsRoute answers /v2/pods, /v2/pods/{id}, /v2/pods/{id}::status and
// ::versions.
func (s *Server) podsRoute(c *call, rest string) *reply {
	id, sub, special := strings.Cut(rest, "::")
	id = absolute(id)
	switch {
	case rest == "" && (c.method == http.MethodGet || c.method == http.MethodHead):
		return s.listPods()
	case rest == "" && c.method == http.MethodPost:
		return s.writePod(c, "")
	case special && id == "/" && sub == "status":
		return s.podStatuses()
	case special:
		return s.podSpecial(c, id, sub)
	}
	switch c.method {
	case http.MethodGet:
		r, rep := s.pod(id)
		if rep != nil {
			return rep
		}
		return jsonReply(http.StatusOK, r.Doc)
	case http.MethodPut:
		return s.writePod(c, id)
	case http.MethodDelete:
		return s.deletePod(c, id)
	}
	return notAllowed()
}

// pod finds a pod that the client may see.
func (s *Server) pod(id string) (*runSpec, *reply) {
	r := s.st.Specs[id]
	if r == nil || !r.Pod {
		return nil, message(http.StatusNotFound, "Pod '%s' does not exist", id)
	}
	if s.forbidden(id) {
		return nil, message(http.StatusForbidden, "Not Authorized to perform this action!")
	}
	return r, nil
}

// listPods answers GET /v2/pods.
func (s *Server) listPods() *reply {
	pods := []object{}
	for _, r := range s.specs() {
		if r.Pod && !s.forbidden(r.ID) {
			pods = append(pods, r.Doc)
		}
	}
	return jsonReply(http.StatusOK, pods)
}

// podSpecial answers what comes after :: in a pod's path.
func (s *Server) podSpecial(c *call, id, sub string) *reply {
	r, rep := s.pod(id)
	if rep != nil {
		return rep
	}
	if c.method != http.MethodGet {
		return notAllowed()
	}
	version, one := strings.CutPrefix(sub, "versions/")
	switch {
	case sub == "status":
		return jsonReply(http.StatusOK, s.podStatus(r))
	case sub == "versions":
		return jsonReply(http.StatusOK, s.versionsOf(id))
	case one:
		if rep := badTimestamp(version); rep != nil {
			return rep
		}
		if old := s.stored(id, version); old != nil {
			return jsonReply(http.StatusOK, old.Doc)
		}
		return message(http.StatusNotFound, "Pod '%s' does not exist in version %s", id, version)
	}
	return s.unknownRoute(c)
}

// writePod answers POST /v2/pods and PUT /v2/pods/{id}: a full definition. The
// deployment's id is only in the header.
func (s *Server) writePod(c *call, id string) *reply {
	o, rep := s.object(c)
	if rep != nil {
		return rep
	}
	own := absolute(text(o["id"]))
	switch {
	case isNull(o["id"]):
		return s.typeError("/id", "error.path.missing")
	case id != "" && own != id:
		return message(http.StatusBadRequest, "Pod id in the body (%s) must be the one of the path (%s)", own, id)
	case id == "" && s.st.Specs[own] != nil:
		return message(http.StatusConflict, "An app with id [%s] already exists.", own)
	case s.st.Specs[own] != nil && !s.st.Specs[own].Pod:
		return message(http.StatusConflict, "An app with id [%s] already exists.", own)
	}
	if v := s.idViolations(own); v != nil {
		return invalidObject(v...)
	}
	if len(list(o["containers"])) == 0 {
		return invalidObject(violation{Path: "/containers", Errors: []string{"must not be empty"}})
	}
	created := s.st.Specs[own] == nil
	doc := cloneObject(o)
	doc["id"] = raw(own)
	delete(doc, "version")
	if isNull(doc["scaling"]) {
		doc["scaling"] = raw(map[string]any{"kind": "fixed", "instances": 1})
	}
	d, rep := s.update(change{group: parent(own), force: c.flag("force"), specs: map[string]*runSpec{own: {ID: own, Pod: true, Doc: doc}}})
	if rep != nil {
		return rep
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	out := jsonReply(status, s.st.Specs[own].Doc)
	s.name(out, d.ID)
	return out
}

// deletePod answers DELETE /v2/pods/{id}.
func (s *Server) deletePod(c *call, id string) *reply {
	r, rep := s.pod(id)
	if rep != nil {
		return rep
	}
	d, rep := s.update(change{group: parent(id), force: c.flag("force"), specs: map[string]*runSpec{id: nil}})
	if rep != nil {
		return rep
	}
	s.emitPod(r, "pod_deleted_event")
	out := &reply{status: http.StatusAccepted, header: http.Header{}}
	s.name(out, d.ID)
	return out
}

// podStatuses answers GET /v2/pods::status.
func (s *Server) podStatuses() *reply {
	all := []any{}
	for _, r := range s.specs() {
		if r.Pod && !s.forbidden(r.ID) {
			all = append(all, s.podStatus(r))
		}
	}
	return jsonReply(http.StatusOK, all)
}

// podStatus is a pod's status: STABLE with all instances good, else DEGRADED;
// TERMINAL with nothing to run.
func (s *Server) podStatus(r *runSpec) any {
	if m, ok := s.st.Recorded.Pods[r.ID]; ok {
		if s.st.Specs[r.ID] == r && len(s.st.History[r.ID]) == 1 {
			return m
		}
	}
	instances := []any{}
	for _, t := range r.active() {
		instances = append(instances, s.podInstance(r, t))
	}
	fresh, old := r.split()
	status := "DEGRADED"
	switch {
	case r.instances() == 0 && len(r.Tasks) == 0:
		status = "TERMINAL"
	case r.good(fresh, s)+r.good(old, s) >= r.instances():
		status = "STABLE"
	}
	doc := map[string]any{
		"id": r.ID, "spec": r.Doc, "status": status, "statusSince": r.version(), "instances": instances,
		"terminationHistory": []any{}, "lastUpdated": stamp(s.st.Now), "lastChanged": r.version(),
	}
	if r.Failure != nil {
		doc["terminationHistory"] = []any{map[string]any{
			"instanceID": r.Failure.TaskID, "terminatedAt": r.Failure.Timestamp, "startedAt": r.Failure.Timestamp,
			"message": r.Failure.Message, "containers": []any{},
		}}
	}
	return doc
}

// podInstance is one instance in a pod's status.
func (s *Server) podInstance(r *runSpec, t *task) map[string]any {
	status, state := "STAGING", "TASK_STAGING"
	if !t.Started.IsZero() {
		status, state = "DEGRADED", "TASK_RUNNING"
		if r.good([]*task{t}, s) == 1 {
			status = "STABLE"
		}
	}
	since := stamp(later(t.Staged, t.Started))
	containers := []any{}
	for _, c := range list(r.Doc["containers"]) {
		name := text(fields(c)["name"])
		containers = append(containers, map[string]any{
			"name": name, "status": state, "statusSince": since, "conditions": []any{}, "endpoints": []any{},
			"containerId": t.ID + "." + name, "lastUpdated": since, "lastChanged": since,
		})
	}
	return map[string]any{
		"id": t.ID, "status": status, "statusSince": since, "conditions": []any{}, "agentHostname": t.Host,
		"agentId": t.Agent, "containers": containers, "networks": []any{},
		"specReference": fmt.Sprintf("/v2/pods%s::versions/%s", r.ID, t.Version),
		"lastUpdated":   since, "lastChanged": since,
	}
}
