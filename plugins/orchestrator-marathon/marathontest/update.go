package marathontest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// A change is what one request wants of the root group.
type change struct {
	group   string              // named by group_change events
	specs   map[string]*runSpec // what ids shall become; nil removes
	restart []string            // restarted although nothing differs
	force   bool
}

// prepared is a change that was checked but not made.
type prepared struct {
	original, target map[string]*runSpec // of what really changes; nil is absent
	root             map[string]*runSpec // all specs as they would be
	restart          []string
}

// prepare drops from a change what changes nothing and validates the rest.
func (s *Server) prepare(c change) (prepared, *reply) {
	p := prepared{
		original: map[string]*runSpec{}, target: map[string]*runSpec{},
		root: maps.Clone(s.st.Specs), restart: c.restart,
	}
	for id, next := range c.specs {
		cur := s.st.Specs[id]
		switch {
		case cur == nil && next == nil:
			continue
		case cur != nil && next != nil && same(cur.Doc, next.Doc) && !slices.Contains(c.restart, id):
			continue
		case cur != nil:
			p.original[id] = cur.definition()
		default:
			p.original[id] = nil
		}
		p.target[id] = next
		if next == nil {
			delete(p.root, id)
		} else {
			p.root[id] = next
		}
	}
	return p, s.checkRoot(p.root)
}

// update makes a change: it validates the whole root group, looks at the
// locks, stores the definitions, and accepts a deployment (F4, F6).
func (s *Server) update(c change) (*deployment, *reply) {
	p, rep := s.prepare(c)
	if rep != nil {
		return nil, rep
	}
	version := s.nextVersion()
	conflicts, rep := s.conflicts(p, c.force)
	if rep != nil {
		s.emit("group_change_failed", map[string]any{
			"groupId": c.group, "version": version, "reason": text(fields(rep.body)["message"]),
		})
		return nil, rep
	}
	d := &deployment{
		ID: s.newID(), Version: version, Original: p.original, Target: map[string]*runSpec{},
		Steps: s.plan(p), StartAt: s.st.Now, ListedAt: s.st.Now.Add(s.opts.ListDelay),
	}
	s.heavy(d, p)
	s.store(d, p, version)
	for _, old := range conflicts {
		s.cancel(old)
	}
	if len(conflicts) > 0 {
		d.StartAt = s.st.Now.Add(s.opts.ForceDelay)
		d.ListedAt = later(d.ListedAt, d.StartAt)
	}
	s.st.Deployments = append(s.st.Deployments, d)
	s.keepRevision(version)
	s.emit("group_change_success", map[string]any{"groupId": c.group, "version": version})
	s.start(d)
	return d, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// conflicts finds the deployments that a change must wait for, or cancels if
// forced; without force they are an answer.
func (s *Server) conflicts(p prepared, force bool) ([]*deployment, *reply) {
	var found []*deployment
	ids := []map[string]string{}
	held := false
	for _, d := range s.st.Deployments {
		if d.Finished || !slices.ContainsFunc(d.affected(), func(id string) bool { _, ok := p.target[id]; return ok }) {
			continue
		}
		found = append(found, d)
		if !d.ListedAt.After(s.st.Now) {
			ids = append(ids, map[string]string{"id": d.ID})
		}
	}
	for id := range p.target {
		held = held || s.st.Locked[id]
	}
	foreign := func(m json.RawMessage) bool {
		return recordedAffects(m, func(id string) bool { _, ok := p.target[id]; return ok })
	}
	if force {
		s.st.Recorded.Deployments = slices.DeleteFunc(s.st.Recorded.Deployments, foreign)
		return found, nil
	}
	for _, m := range s.st.Recorded.Deployments {
		if foreign(m) {
			held = true
			ids = append(ids, map[string]string{"id": text(fields(m)["id"])})
		}
	}
	switch {
	case len(found) > 0 || held:
		return nil, jsonReply(http.StatusConflict, map[string]any{"message": lockedMessage, "deployments": ids})
	case s.habits.maxRunning && s.listed() >= s.opts.MaxRunning:
		return nil, message(http.StatusForbidden, "Max number (%d) of running deployments is achieved. "+
			"Wait for existing deployments to complete or cancel one using force=true parameter.", s.opts.MaxRunning)
	}
	return nil, nil
}

// lockedMessage is what Marathon says about a lock, placeholder and all.
const lockedMessage = "App is locked by one or more deployments. Override with the option '?force=true'. " +
	"View details at '/v2/deployments/<DEPLOYMENT_ID>'."

// store makes the target the current definitions, which is what GET shows from
// now on, and stamps what changed.
func (s *Server) store(d *deployment, p prepared, version string) {
	for _, id := range slices.Sorted(maps.Keys(p.target)) {
		next, cur := p.target[id], s.st.Specs[id]
		switch {
		case next == nil:
			d.Stopping = append(d.Stopping, cur)
			d.Target[id] = nil
			s.drop(id)
			continue
		case cur == nil:
			cur = &runSpec{ID: id, Pod: next.Pod, Config: version}
			s.put(cur)
			s.emitPod(cur, "pod_created_event")
		case slices.Contains(p.restart, id) || !scaleOnly(cur, next):
			cur.Config = version
			cur.Delay, cur.Until = 0, time.Time{} // a change of configuration resets the backoff
			s.emitPod(cur, "pod_updated_event")
		}
		cur.Recorded = nil
		cur.Doc = cloneObject(next.Doc)
		cur.Doc["version"] = raw(version)
		if !cur.Pod {
			cur.Doc["versionInfo"] = raw(map[string]string{"lastScalingAt": version, "lastConfigChangeAt": cur.Config})
		}
		s.remember(cur)
		d.Target[id] = cur.definition()
	}
}

// scaleOnly tells whether nothing but the number of instances differs.
func scaleOnly(a, b *runSpec) bool {
	if a.Pod {
		return sameBut(a.Doc, b.Doc, "version", "scaling")
	}
	return sameBut(a.Doc, b.Doc, "version", "versionInfo", "instances")
}

// keepRevision remembers the root group for rollbacks of groups.
func (s *Server) keepRevision(version string) {
	specs := make(map[string]*runSpec, len(s.st.Specs))
	for id, r := range s.st.Specs {
		specs[id] = r.definition()
	}
	s.st.Revisions = append(s.st.Revisions, revision{Version: version, Specs: specs})
	if len(s.st.Revisions) > historyCap {
		s.st.Revisions = s.st.Revisions[1:]
	}
}

// newID makes an id that looks like a UUID and depends only on what was done
// before.
func (s *Server) newID() string {
	s.st.Serial++
	h := sha256.Sum256(fmt.Appendf(nil, "%d %s", s.st.Serial, stamp(s.st.Now)))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
