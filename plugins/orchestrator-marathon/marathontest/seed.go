package marathontest

import (
	"encoding/json"
	"fmt"
	"slices"
)

// AddApp puts an app into the root group as the document says, as if it had
// been running for long: members that the server does not know stay, nothing
// is validated or filled in but id and version. Members of an answer (tasks,
// counts, deployments, lastTaskFailure) are served as they are until something
// happens to the app; without them, instances healthy tasks run.
func (s *Server) AddApp(doc json.RawMessage) error {
	return s.add(doc, false)
}

// AddPod is AddApp for a pod.
func (s *Server) AddPod(doc json.RawMessage) error {
	return s.add(doc, true)
}

func (s *Server) add(doc json.RawMessage, pod bool) error {
	var o object
	if err := json.Unmarshal(doc, &o); err != nil {
		return fmt.Errorf("read seeded app: %w", err)
	}
	if text(o["id"]) == "" {
		return fmt.Errorf("read seeded app: it has no id")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &runSpec{ID: absolute(text(o["id"])), Pod: pod, Doc: object{}}
	for k, v := range o {
		if k != "versionInfo" && slices.Contains(transient, k) {
			if r.Recorded == nil {
				r.Recorded = object{}
			}
			r.Recorded[k] = v
			continue
		}
		r.Doc[k] = v
	}
	if isNull(r.Doc["version"]) {
		r.Doc["version"] = raw(s.nextVersion())
	}
	r.Config = r.version()
	if at := text(fields(r.Doc["versionInfo"])["lastConfigChangeAt"]); at != "" {
		r.Config = at
	}
	s.put(r)
	s.remember(r)
	for range min(r.instances(), capacity) {
		r.Tasks = append(r.Tasks, s.settled(r))
	}
	s.adopt(r)
	s.keepRevision(r.version())
	s.notify()
	return nil
}

// settled is a task that has been running well for long.
func (s *Server) settled(r *runSpec) *task {
	t := s.newTask(r)
	t.Started = t.Staged
	if len(r.checks()) > 0 {
		t.Checked, t.Alive = true, true
		t.FirstOK, t.LastOK, t.NextCheck = t.Staged, t.Staged, t.Staged
	}
	return t
}

// adopt gives the tasks the ids and hosts of recorded ones.
func (s *Server) adopt(r *runSpec) {
	for i, m := range list(r.Recorded["tasks"]) {
		if i >= len(r.Tasks) {
			r.Tasks = append(r.Tasks, s.settled(r))
		}
		o, t := fields(m), r.Tasks[i]
		if id := text(o["id"]); id != "" {
			t.ID, t.Host, t.Recorded = id, text(o["host"]), m
		}
	}
}

// AddVersion puts an older definition into the history of an app that was
// added before; doc must have a version.
func (s *Server) AddVersion(id string, doc json.RawMessage) error {
	o := fields(doc)
	if text(o["version"]) == "" {
		return fmt.Errorf("read version of %s: it has no version", id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id = absolute(id)
	r := s.st.Specs[id]
	if r == nil {
		return fmt.Errorf("read version of %s: there is no such app", id)
	}
	old := &runSpec{ID: id, Pod: r.Pod, Doc: o, Config: text(o["version"])}
	s.st.History[id] = slices.Insert(s.st.History[id], 0, old)
	slices.SortStableFunc(s.st.History[id], func(a, b *runSpec) int {
		switch {
		case a.version() < b.version():
			return -1
		case a.version() > b.version():
			return 1
		}
		return 0
	})
	return nil
}

// RecordDeployment lists a deployment as the document says. It locks the apps
// that it affects, never ends by itself, and goes when it is deleted.
func (s *Server) RecordDeployment(doc json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Recorded.Deployments = append(s.st.Recorded.Deployments, doc)
}

// RecordQueue adds an entry to the launch queue as the document says.
func (s *Server) RecordQueue(doc json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Recorded.Queue = append(s.st.Recorded.Queue, doc)
}

// RecordInfo makes GET /v2/info answer with the document.
func (s *Server) RecordInfo(doc json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Recorded.Info = fields(doc)
}

// RecordPodStatus makes GET /v2/pods/{id}::status answer with the document
// until something happens to the pod.
func (s *Server) RecordPodStatus(id string, doc json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.st.Recorded.Pods == nil {
		s.st.Recorded.Pods = map[string]json.RawMessage{}
	}
	s.st.Recorded.Pods[absolute(id)] = doc
}

// Lock holds the lock of an app as a scale or kill of Marathon 1.3 does: a
// write gets 409 with an empty list of deployments. Unlock lets it go.
func (s *Server) Lock(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Locked[absolute(id)] = true
}

// Unlock lets go of what Lock holds.
func (s *Server) Unlock(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.st.Locked, absolute(id))
}

// Spoil makes an app invalid, so that every write to the root group gets 422
// with these details, whatever it is about; without messages it is valid again.
func (s *Server) Spoil(id, path string, messages ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id = absolute(id)
	delete(s.st.Invalid, id)
	if len(messages) > 0 {
		s.st.Invalid[id] = []violation{{Path: path, Errors: messages}}
	}
}

// Forbid hides an id, and all below it, as an authorization plugin does: lists
// leave it out silently, direct requests get 403.
func (s *Server) Forbid(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Forbidden = append(s.st.Forbidden, absolute(id))
}

// App is the definition of an app or pod as GET shows it, without counts and
// tasks; nil if there is none.
func (s *Server) App(id string) json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.st.Specs[absolute(id)]; r != nil {
		return raw(r.Doc)
	}
	return nil
}

// RunningImages counts the images of an app's or pod's tasks by what they
// really run, tasks that are being killed left out.
func (s *Server) RunningImages(id string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	id = absolute(id)
	n := map[string]int{}
	r := s.st.Specs[id]
	if r == nil {
		return n
	}
	for _, t := range r.active() {
		launched := r
		if h := s.stored(id, t.Version); h != nil {
			launched = h
		}
		for _, image := range images(launched) {
			n[image]++
		}
	}
	return n
}
