package marathontest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// createApp answers POST /v2/apps.
func (s *Server) createApp(c *call) *reply {
	o, rep := s.object(c)
	if rep != nil {
		return rep
	}
	if rep := s.checkUpdate(o); rep != nil {
		return rep
	}
	if isNull(o["id"]) {
		return s.typeError("/id", "error.path.missing")
	}
	id := absolute(text(o["id"]))
	if v := s.idViolations(id); v != nil {
		return invalidObject(v...)
	}
	if s.st.Specs[id] != nil {
		return message(http.StatusConflict, "An app with id [%s] already exists.", id)
	}
	doc := s.complete(o)
	doc["id"] = raw(id)
	d, rep := s.update(change{group: parent(id), specs: map[string]*runSpec{id: {ID: id, Doc: doc}}, force: c.flag("force")})
	if rep != nil {
		return rep
	}
	s.posted(c, s.st.Specs[id])
	out := jsonReply(http.StatusCreated, s.showApp(s.st.Specs[id], embeds{}))
	out.header.Set("Location", s.leaderURL()+"/v2/apps"+id)
	s.name(out, d.ID)
	return out
}

// updateApp answers PUT and PATCH /v2/apps/{id}.
func (s *Server) updateApp(c *call, id string) *reply {
	if c.method == http.MethodPatch && !s.habits.patch {
		return notAllowed()
	}
	o, rep := s.object(c)
	if rep != nil {
		return rep
	}
	created := s.st.Specs[id] == nil
	next, rep := s.next(id, o, c.method == http.MethodPatch, s.partial(c))
	if rep != nil {
		return rep
	}
	d, rep := s.update(change{group: parent(id), specs: map[string]*runSpec{id: next}, force: c.flag("force")})
	if rep != nil {
		return rep
	}
	s.posted(c, next)
	if created {
		out := s.changedReply(http.StatusCreated, d.Version, d.ID)
		out.header.Set("Location", s.leaderURL()+"/v2/apps"+id)
		return out
	}
	return s.changedReply(http.StatusOK, d.Version, d.ID)
}

// partial tells whether the call merges; only 1.4 and newer can be asked not to.
func (s *Server) partial(c *call) bool {
	return !s.habits.patch || c.method == http.MethodPatch || c.query.Get("partialUpdate") != "false"
}

// updateApps answers PUT and PATCH /v2/apps: all elements or none, in one
// deployment (F3).
func (s *Server) updateApps(c *call) *reply {
	if c.method == http.MethodPatch && !s.habits.patch {
		return notAllowed()
	}
	if !json.Valid(c.body) {
		return syntaxError(json.Unmarshal(c.body, new(any)))
	}
	var elements []object
	if json.Unmarshal(c.body, &elements) != nil {
		return s.typeError("", "error.expected.jsarray")
	}
	specs := map[string]*runSpec{}
	for _, o := range elements {
		if isNull(o["id"]) {
			if s.habits.needsID {
				return invalidObject(violation{Path: "/id", Errors: []string{"not defined"}})
			}
			continue
		}
		if kindOf(o["id"]) != "string" {
			return s.typeError("/id", "error.expected.jsstring")
		}
		id := absolute(text(o["id"]))
		next, rep := s.next(id, o, c.method == http.MethodPatch, s.partial(c))
		if rep != nil {
			return rep
		}
		specs[id] = next
	}
	d, rep := s.update(change{group: "/", specs: specs, force: c.flag("force")})
	if rep != nil {
		return rep
	}
	return s.changedReply(http.StatusOK, d.Version, d.ID)
}

// next is the spec that an update document makes of an app, or of none.
func (s *Server) next(id string, o object, mustExist, partial bool) (*runSpec, *reply) {
	if rep := s.checkUpdate(o); rep != nil {
		return nil, rep
	}
	if v := s.idViolations(id); v != nil {
		return nil, invalidObject(v...)
	}
	current := s.st.Specs[id]
	if current != nil && current.Pod {
		return nil, message(http.StatusConflict, "A pod with id [%s] already exists.", id)
	}
	if current != nil && s.forbidden(id) {
		return nil, message(http.StatusForbidden, "Not Authorized to perform this action!")
	}
	if v := text(o["version"]); v != "" {
		old := s.stored(id, v)
		if old == nil {
			return nil, noApp(id)
		}
		return &runSpec{ID: id, Doc: cloneObject(old.Doc)}, nil
	}
	switch {
	case current == nil && mustExist:
		return nil, noApp(id)
	case current == nil || !partial:
		doc := s.complete(o)
		doc["id"] = raw(id)
		return &runSpec{ID: id, Doc: doc}, nil
	}
	return &runSpec{ID: id, Doc: s.merge(current.Doc, o)}, nil
}

// deleteApp answers DELETE /v2/apps/{id}.
func (s *Server) deleteApp(c *call, id string) *reply {
	if _, rep := s.app(id); rep != nil {
		return rep
	}
	d, rep := s.update(change{group: parent(id), specs: map[string]*runSpec{id: nil}, force: c.flag("force")})
	if rep != nil {
		return rep
	}
	s.emit("app_terminated_event", map[string]any{"appId": id})
	return s.changedReply(http.StatusOK, d.Version, d.ID)
}

// restartApp answers POST /v2/apps/{id}/restart: the same definition, all
// instances new.
func (s *Server) restartApp(c *call, id string) *reply {
	r, rep := s.app(id)
	if rep != nil {
		return rep
	}
	d, rep := s.update(change{
		group: parent(id), force: c.flag("force"),
		specs: map[string]*runSpec{id: {ID: id, Doc: cloneObject(r.Doc)}}, restart: []string{id},
	})
	if rep != nil {
		return rep
	}
	return s.changedReply(http.StatusOK, d.Version, d.ID)
}

// posted emits the event of a write to a single app, which carries the whole
// definition.
func (s *Server) posted(c *call, r *runSpec) {
	s.emit("api_post_event", map[string]any{"clientIp": c.remote, "uri": c.path, "appDefinition": r.Doc})
}

// parent is the group of an id.
func parent(id string) string {
	segs := segments(id)
	return absolute(strings.Join(segs[:len(segs)-1], "/"))
}
