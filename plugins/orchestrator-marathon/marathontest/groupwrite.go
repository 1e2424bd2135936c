package marathontest

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
)

// putGroup answers PUT and POST /v2/groups[/{id}]: a rollback to a version, a
// scale, or a new structure; with dryRun only the plan.
func (s *Server) putGroup(c *call, id string) *reply {
	o, rep := s.object(c)
	if rep != nil {
		return rep
	}
	if own := text(o["id"]); own != "" {
		id = resolve(id, own)
	}
	if c.method == http.MethodPost && s.hasGroup(id) {
		return message(http.StatusConflict, "Group %s is already created. Use PUT to change this group.", id)
	}
	created := !s.hasGroup(id) && id != "/"
	var specs map[string]*runSpec
	meta := map[string]object{}
	switch {
	case !isNull(o["version"]):
		specs, rep = s.groupAt(id, text(o["version"]))
	case !isNull(o["scaleBy"]):
		specs = s.scaled(id, number(o["scaleBy"], 1))
	default:
		specs = map[string]*runSpec{}
		rep = s.structure(id, o, specs, meta)
	}
	if rep != nil {
		return rep
	}
	return s.changeGroup(c, id, specs, meta, created)
}

// changeGroup makes the change, or only tells its plan.
func (s *Server) changeGroup(c *call, id string, specs map[string]*runSpec, meta map[string]object, created bool) *reply {
	was := maps.Clone(s.st.Groups)
	maps.Copy(s.st.Groups, meta)
	if c.flag("dryRun") {
		defer func() { s.st.Groups = was }()
		p, rep := s.prepare(change{specs: specs})
		if rep != nil {
			return rep
		}
		return jsonReply(http.StatusOK, map[string]any{"steps": s.showSteps(&deployment{Steps: s.plan(p)})})
	}
	d, rep := s.update(change{group: id, specs: specs, force: c.flag("force")})
	if rep != nil {
		s.st.Groups = was
		return rep
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return s.changedReply(status, d.Version, d.ID)
}

// deleteGroup answers DELETE /v2/groups/{id}: all below it is stopped.
func (s *Server) deleteGroup(c *call, id string) *reply {
	if !s.hasGroup(id) {
		return message(http.StatusNotFound, "Group '%s' does not exist", id)
	}
	specs := map[string]*runSpec{}
	for sub := range s.st.Specs {
		if inside(sub, id) {
			specs[sub] = nil
		}
	}
	d, rep := s.update(change{group: id, specs: specs, force: c.flag("force")})
	if rep != nil {
		return rep
	}
	maps.DeleteFunc(s.st.Groups, func(g string, _ object) bool { return g == id || inside(g, id) })
	return s.changedReply(http.StatusOK, d.Version, d.ID)
}

// inside tells whether an id is below a group.
func inside(id, group string) bool {
	return strings.HasPrefix(id, strings.TrimSuffix(group, "/")+"/")
}

// groupAt is a group as it was at a version of the root group.
func (s *Server) groupAt(id, version string) (map[string]*runSpec, *reply) {
	i := slices.IndexFunc(s.st.Revisions, func(r revision) bool { return sameInstant(r.Version, version) })
	if i < 0 {
		return nil, message(http.StatusNotFound, "Group '%s' does not exist in version %s", id, version)
	}
	specs := map[string]*runSpec{}
	for sub := range s.st.Specs {
		if inside(sub, id) {
			specs[sub] = nil
		}
	}
	for sub, r := range s.st.Revisions[i].Specs {
		if inside(sub, id) {
			specs[sub] = r.definition()
		}
	}
	return specs, nil
}

// scaled is a group with the instances of its apps multiplied.
func (s *Server) scaled(id string, by float64) map[string]*runSpec {
	specs := map[string]*runSpec{}
	for sub, r := range s.st.Specs {
		if inside(sub, id) && !r.Pod {
			next := r.definition()
			next.Doc["instances"] = raw(int(math.Ceil(float64(r.instances()) * by)))
			specs[sub] = next
		}
	}
	return specs
}

// structure reads a group document: a list that is there replaces what is
// there, a list that is not leaves it alone.
func (s *Server) structure(id string, o object, specs map[string]*runSpec, meta map[string]object) *reply {
	if id != "/" {
		if v := s.idViolations(id); v != nil {
			return invalidObject(v...)
		}
	}
	own := object{"dependencies": raw([]string{}), "version": raw(stamp(s.st.Now))}
	if was := s.st.Groups[id]; was != nil {
		own = cloneObject(was)
	}
	if !isNull(o["dependencies"]) {
		own["dependencies"] = o["dependencies"]
	}
	meta[id] = own
	if !isNull(o["apps"]) {
		s.replaced(id, specs, false)
		for _, m := range list(o["apps"]) {
			if rep := s.member(id, m, specs); rep != nil {
				return rep
			}
		}
	}
	if !isNull(o["groups"]) {
		listed := map[string]json.RawMessage{}
		for _, m := range list(o["groups"]) {
			listed[resolve(id, text(fields(m)["id"]))] = m
		}
		for _, sub := range s.below(id, s.st.Specs) {
			if _, ok := listed[sub]; !ok {
				s.replaced(sub, specs, true)
			}
		}
		for sub, m := range listed {
			if rep := s.structure(sub, fields(m), specs, meta); rep != nil {
				return rep
			}
		}
	}
	return nil
}

// replaced marks the apps of a group for removal: its own, or all below it.
func (s *Server) replaced(id string, specs map[string]*runSpec, all bool) {
	for sub, r := range s.st.Specs {
		if !r.Pod && (parent(sub) == id || all && inside(sub, id)) {
			specs[sub] = nil
		}
	}
}

// member reads an app of a group document: a full definition.
func (s *Server) member(group string, m json.RawMessage, specs map[string]*runSpec) *reply {
	o, rep := s.parseObject(m)
	if rep != nil {
		return rep
	}
	if rep := s.checkUpdate(o); rep != nil {
		return rep
	}
	id := resolve(group, text(o["id"]))
	if v := s.idViolations(id); v != nil {
		return invalidObject(v...)
	}
	if parent(id) != group {
		return invalidObject(violation{Path: "/id", Errors: []string{
			"Identifier " + id + " is not child of " + group + ". Hint: use relative paths.",
		}})
	}
	doc := s.complete(o)
	doc["id"] = raw(id)
	specs[id] = &runSpec{ID: id, Doc: doc}
	return nil
}
