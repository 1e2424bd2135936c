package marathontest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// groupParts says which members of a group are shown, and whether apps are
// shown with their counts.
type groupParts struct{ apps, groups, pods, counts, tasks bool }

// groupsRoute answers /v2/groups.
func (s *Server) groupsRoute(c *call, rest string) *reply {
	switch c.method {
	case http.MethodGet:
		return s.getGroup(c, absolute(rest))
	case http.MethodPut, http.MethodPost:
		return s.putGroup(c, absolute(rest))
	case http.MethodDelete:
		return s.deleteGroup(c, absolute(rest))
	}
	return notAllowed()
}

// getGroup answers GET /v2/groups[/{id}].
func (s *Server) getGroup(c *call, id string) *reply {
	if id != "/" && !s.hasGroup(id) {
		return message(http.StatusNotFound, "Group '%s' does not exist", id)
	}
	p := groupParts{apps: true, groups: true, pods: s.habits.pods}
	if e := c.query["embed"]; len(e) > 0 {
		has := func(n string) bool { return slices.Contains(e, "group."+n) || slices.Contains(e, n) }
		p = groupParts{
			apps: has("apps"), groups: has("groups"), pods: has("pods") && s.habits.pods,
			counts: has("apps.counts"), tasks: has("apps.tasks"),
		}
	}
	visible := maps.Clone(s.st.Specs)
	maps.DeleteFunc(visible, func(id string, _ *runSpec) bool { return s.forbidden(id) })
	return jsonReply(http.StatusOK, s.group(id, visible, p))
}

// hasGroup tells whether a group exists: it was made, or something is in it.
func (s *Server) hasGroup(id string) bool {
	if _, ok := s.st.Groups[id]; ok {
		return true
	}
	return slices.ContainsFunc(s.st.Order, func(o string) bool { return strings.HasPrefix(o, id+"/") })
}

// group shows a group and all below it.
func (s *Server) group(id string, specs map[string]*runSpec, p groupParts) object {
	doc := cloneObject(s.st.Groups[id])
	if doc == nil {
		doc = object{"dependencies": raw([]string{}), "version": raw(s.groupVersion())}
		if s.habits.role && id != "/" {
			doc["enforceRole"] = raw(false)
		}
	}
	doc["id"] = raw(id)
	apps, pods, groups := []any{}, []any{}, []any{}
	for _, sub := range s.order(specs) {
		r := specs[sub]
		switch {
		case parent(sub) != id:
		case r.Pod:
			pods = append(pods, r.Doc)
		case p.counts || p.tasks || r.Recorded != nil:
			apps = append(apps, s.showApp(r, embeds{tasks: p.tasks}))
		default:
			apps = append(apps, r.Doc)
		}
	}
	for _, sub := range s.below(id, specs) {
		groups = append(groups, s.group(sub, specs, p))
	}
	show := func(on bool, key string, all []any) {
		if on {
			doc[key] = raw(all)
		}
	}
	show(p.apps, "apps", apps)
	show(p.groups, "groups", groups)
	show(p.pods, "pods", pods)
	return doc
}

// groupVersion is the version of the root group.
func (s *Server) groupVersion() string {
	if n := len(s.st.Revisions); n > 0 {
		return s.st.Revisions[n-1].Version
	}
	return stamp(s.opts.Start)
}

// order sorts ids as they were added, new ones last.
func (s *Server) order(specs map[string]*runSpec) []string {
	ids := []string{}
	for _, id := range s.st.Order {
		if specs[id] != nil {
			ids = append(ids, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(specs)) {
		if _, ok := s.st.Specs[id]; !ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// below are the groups directly in a group, sorted.
func (s *Server) below(id string, specs map[string]*runSpec) []string {
	prefix := strings.TrimSuffix(id, "/") + "/"
	found := map[string]bool{}
	note := func(group string) {
		if rest, ok := strings.CutPrefix(group, prefix); ok && rest != "" {
			head, _, _ := strings.Cut(rest, "/")
			found[prefix+head] = true
		}
	}
	for sub := range specs {
		note(parent(sub))
	}
	for group := range s.st.Groups {
		note(group)
	}
	return slices.Sorted(maps.Keys(found))
}

// AddGroup puts a group and all below it into the root group as the document
// says; its apps and pods are added as by AddApp and AddPod. Relative ids are
// those of the group's members.
func (s *Server) AddGroup(doc json.RawMessage) error { return s.addGroup("/", doc) }

func (s *Server) addGroup(base string, doc json.RawMessage) error {
	o := fields(doc)
	id := resolve(base, text(o["id"]))
	member := func(m json.RawMessage) json.RawMessage {
		c := cloneObject(fields(m))
		if sub := text(c["id"]); sub != "" && !strings.HasPrefix(sub, "/") {
			c["id"] = raw(resolve(id, sub))
			return raw(c)
		}
		return m
	}
	for _, m := range list(o["apps"]) {
		if err := s.AddApp(member(m)); err != nil {
			return err
		}
	}
	for _, m := range list(o["pods"]) {
		if err := s.AddPod(member(m)); err != nil {
			return err
		}
	}
	for _, m := range list(o["groups"]) {
		if err := s.addGroup(id, m); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	own := cloneObject(o)
	for _, k := range []string{"apps", "groups", "pods", "id"} {
		delete(own, k)
	}
	s.st.Groups[id] = own
	return nil
}
