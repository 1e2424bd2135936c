package marathontest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// appsRoute answers /v2/apps and what is below it.
func (s *Server) appsRoute(c *call, rest string) *reply {
	if rest == "" {
		switch c.method {
		case http.MethodGet, http.MethodHead:
			return s.listApps(c)
		case http.MethodPost:
			return s.createApp(c)
		case http.MethodPut, http.MethodPatch:
			return s.updateApps(c)
		}
		return notAllowed()
	}
	if group, ok := strings.CutSuffix("/"+rest, "/*"); ok && c.method == http.MethodGet {
		return s.listBelow(group)
	}
	if head, version, ok := strings.Cut(rest, "/versions/"); ok {
		return s.appVersion(absolute(head), version)
	}
	if head, tail, ok := strings.Cut(rest, "/tasks/"); ok && c.method == http.MethodDelete {
		return s.killTasks(c, absolute(head), tail)
	}
	id, word := cutLast(rest, "versions", "tasks", "restart")
	switch {
	case word == "versions" && c.method == http.MethodGet:
		return s.appVersions(absolute(id))
	case word == "tasks" && c.method == http.MethodGet:
		return s.appTasks(absolute(id))
	case word == "tasks" && c.method == http.MethodDelete:
		return s.killTasks(c, absolute(id), "")
	case word == "restart" && c.method == http.MethodPost:
		return s.restartApp(c, absolute(id))
	case word != "":
		return notAllowed()
	}
	return s.appRoute(c, absolute(rest))
}

// appRoute answers /v2/apps/{id}.
func (s *Server) appRoute(c *call, id string) *reply {
	switch c.method {
	case http.MethodGet, http.MethodHead:
		app, rep := s.app(id)
		if rep != nil {
			return rep
		}
		return jsonReply(http.StatusOK, map[string]any{"app": s.showApp(app, embeds{tasks: true, failure: true, readiness: true})})
	case http.MethodPut, http.MethodPatch:
		return s.updateApp(c, id)
	case http.MethodDelete:
		return s.deleteApp(c, id)
	}
	return notAllowed()
}

// app finds an app that the client may see.
func (s *Server) app(id string) (*runSpec, *reply) {
	r := s.st.Specs[id]
	if r == nil || r.Pod {
		return nil, noApp(id)
	}
	if s.forbidden(id) {
		return nil, message(http.StatusForbidden, "Not Authorized to perform this action!")
	}
	return r, nil
}

// noApp is the answer to the id of no app.
func noApp(id string) *reply { return message(http.StatusNotFound, "App '%s' does not exist", id) }

// forbidden tells whether authorization hides an id.
func (s *Server) forbidden(id string) bool {
	return slices.ContainsFunc(s.st.Forbidden, func(p string) bool {
		return id == p || strings.HasPrefix(id, strings.TrimSuffix(p, "/")+"/")
	})
}

// embeds are the optional parts of an app in an answer.
type embeds struct{ tasks, failure, readiness, stats bool }

// wants tells whether a recorded member belongs into the answer.
func (e embeds) wants(member string) bool {
	switch member {
	case "tasks":
		return e.tasks
	case "lastTaskFailure":
		return e.failure
	case "readinessCheckResults":
		return e.readiness
	case "taskStats":
		return e.stats
	}
	return true // counts and deployments are always there
}

// embedsOf reads ?embed=; the prefix apps. may be missing, unknown ones are
// ignored.
func embedsOf(names []string) embeds {
	var e embeds
	for _, n := range names {
		n = strings.TrimPrefix(n, "app.")
		switch strings.TrimPrefix(n, "apps.") {
		case "tasks":
			e.tasks = true
		case "failures":
			e.failure, e.tasks = true, true
		case "lastTaskFailure":
			e.failure = true
		case "readiness":
			e.readiness = true
		case "taskStats":
			e.stats = true
		}
	}
	return e
}

// listApps answers GET /v2/apps.
func (s *Server) listApps(c *call) *reply {
	match, rep := labelSelector(c.query.Get("label"))
	if rep != nil {
		return rep
	}
	e := embedsOf(c.query["embed"])
	id, cmd := strings.ToLower(c.query.Get("id")), strings.ToLower(c.query.Get("cmd"))
	apps := []object{}
	for _, r := range s.specs() {
		switch {
		case r.Pod || s.forbidden(r.ID):
		case !strings.Contains(strings.ToLower(r.ID), id):
		case cmd != "" && !strings.Contains(strings.ToLower(text(r.Doc["cmd"])), cmd):
		case !match(fields(r.Doc["labels"])):
		default:
			apps = append(apps, s.showApp(r, e))
		}
	}
	return jsonReply(http.StatusOK, map[string]any{"apps": apps})
}

// listBelow answers GET /v2/apps/{group}/*.
func (s *Server) listBelow(group string) *reply {
	apps := []object{}
	for _, r := range s.specs() {
		if !r.Pod && !s.forbidden(r.ID) && strings.HasPrefix(r.ID, strings.TrimSuffix(group, "/")+"/") {
			apps = append(apps, s.showApp(r, embeds{tasks: true}))
		}
	}
	if len(apps) == 0 && group != "" {
		return message(http.StatusNotFound, "Group '%s' does not exist", group)
	}
	return jsonReply(http.StatusOK, map[string]any{"*": apps})
}

// showApp is an app as an answer shows it.
func (s *Server) showApp(r *runSpec, e embeds) object {
	doc := cloneObject(r.Doc)
	if r.Recorded != nil {
		for k, v := range r.Recorded {
			if e.wants(k) {
				doc[k] = v
			}
		}
		return doc
	}
	n := s.counts(r)
	doc["tasksStaged"] = raw(n.staged)
	doc["tasksRunning"] = raw(n.running)
	doc["tasksHealthy"] = raw(n.healthy)
	doc["tasksUnhealthy"] = raw(n.unhealthy)
	doc["deployments"] = raw(s.deploymentsOf(r.ID))
	if e.tasks {
		doc["tasks"] = raw(s.showTasks(r))
	}
	if e.failure && r.Failure != nil {
		doc["lastTaskFailure"] = raw(r.Failure)
	}
	if e.readiness && len(list(r.Doc["readinessChecks"])) > 0 {
		doc["readinessCheckResults"] = raw(s.readiness(r))
	}
	if e.stats {
		doc["taskStats"] = raw(s.stats(r))
	}
	return doc
}

// appVersions answers GET /v2/apps/{id}/versions.
func (s *Server) appVersions(id string) *reply {
	if _, rep := s.app(id); rep != nil {
		return rep
	}
	return jsonReply(http.StatusOK, map[string]any{"versions": s.versionsOf(id)})
}

// versionsOf lists the stored versions of a spec, newest first.
func (s *Server) versionsOf(id string) []string {
	versions := []string{}
	for _, r := range s.st.History[id] {
		versions = append(versions, r.version())
	}
	slices.Reverse(versions)
	return versions
}

// appVersion answers GET /v2/apps/{id}/versions/{v}: the bare definition.
func (s *Server) appVersion(id, version string) *reply {
	if rep := badTimestamp(version); rep != nil {
		return rep
	}
	r := s.stored(id, version)
	if r == nil || r.Pod {
		return message(http.StatusNotFound, "App '%s' does not exist in version %s", id, version)
	}
	return jsonReply(http.StatusOK, r.Doc)
}

// stored finds a version of a spec, compared as instants.
func (s *Server) stored(id, version string) *runSpec {
	for _, r := range slices.Backward(s.st.History[id]) {
		if r.version() == version || sameInstant(r.version(), version) {
			return r
		}
	}
	return nil
}

func sameInstant(a, b string) bool {
	ta, erra := time.Parse(time.RFC3339, a)
	tb, errb := time.Parse(time.RFC3339, b)
	return erra == nil && errb == nil && ta.Equal(tb)
}

// badTimestamp refuses what is no instant.
func badTimestamp(v string) *reply {
	if _, err := time.Parse(time.RFC3339, v); err != nil {
		return message(http.StatusUnprocessableEntity, "Invalid format: \"%s\" is malformed", v)
	}
	return nil
}

// appTasks answers GET /v2/apps/{id}/tasks.
func (s *Server) appTasks(id string) *reply {
	r, rep := s.app(id)
	if rep != nil {
		return rep
	}
	if r.Recorded != nil && r.Recorded["tasks"] != nil {
		return jsonReply(http.StatusOK, map[string]json.RawMessage{"tasks": r.Recorded["tasks"]})
	}
	return jsonReply(http.StatusOK, map[string]any{"tasks": s.showTasks(r)})
}
