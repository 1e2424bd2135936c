package marathontest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// historyCap is how many versions of an app Marathon keeps (zk_max_versions).
const historyCap = 50

// object is a JSON object whose values stay as they were written.
type object = map[string]json.RawMessage

// state is all that a server must remember to go on after a restart. Its JSON
// form is what Snapshot gives.
type state struct {
	Now         time.Time              `json:"now"`
	LastVersion time.Time              `json:"last_version"`
	Serial      int                    `json:"serial"`
	Order       []string               `json:"order"` // run specs as they were added
	Specs       map[string]*runSpec    `json:"specs"`
	History     map[string][]*runSpec  `json:"history"`
	Deployments []*deployment          `json:"deployments"`
	Behaviours  []Behaviour            `json:"behaviours"`
	Groups      map[string]object      `json:"groups"` // what a group has besides its members
	Locked      map[string]bool        `json:"locked"` // held by a scale or kill
	Invalid     map[string][]violation `json:"invalid"`
	Forbidden   []string               `json:"forbidden"`
	Recorded    recorded               `json:"recorded"`
	Revisions   []revision             `json:"revisions"` // of the root group
	NextPort    int                    `json:"next_port"`
	Heartbeat   time.Time              `json:"heartbeat"`
	Leader      string                 `json:"leader,omitempty"`
}

// recorded are documents that are served as they were seeded, besides live ones.
type recorded struct {
	Deployments []json.RawMessage          `json:"deployments,omitempty"`
	Queue       []json.RawMessage          `json:"queue,omitempty"`
	Info        object                     `json:"info,omitempty"`
	Pods        map[string]json.RawMessage `json:"pods,omitempty"` // status documents
}

// revision is the root group at one version.
type revision struct {
	Version string              `json:"version"`
	Specs   map[string]*runSpec `json:"specs"`
}

// runSpec is an app or a pod: its definition and what runs of it.
type runSpec struct {
	ID  string `json:"id"`
	Pod bool   `json:"pod,omitempty"`
	// Doc is the definition as GET shows it, without what the server adds to
	// each answer (counts, tasks, deployments); version is in it.
	Doc object `json:"doc"`
	// Config is the version at which more than the scale changed last.
	Config string `json:"config"`

	// The rest belongs to the running app and is empty in history.
	Tasks    []*task       `json:"tasks,omitempty"`
	Failure  *taskFailure  `json:"failure,omitempty"`
	Pending  int           `json:"pending,omitempty"` // instances waiting to be launched
	Since    time.Time     `json:"since,omitzero"`
	Delay    time.Duration `json:"delay,omitempty"` // the current backoff
	Until    time.Time     `json:"until,omitzero"`  // no launch before
	Offers   int           `json:"offers,omitempty"`
	Recorded object        `json:"recorded,omitempty"` // counts and tasks as seeded, until something changes
}

// newState is an empty Marathon at that time.
func newState(now time.Time) state {
	return state{
		Now:       now,
		Specs:     map[string]*runSpec{},
		History:   map[string][]*runSpec{},
		Groups:    map[string]object{},
		Locked:    map[string]bool{},
		Invalid:   map[string][]violation{},
		NextPort:  10000,
		Heartbeat: now,
	}
}

// Snapshot gives the server's state as JSON for Load: apps, tasks, versions,
// deployments, behaviours, the virtual time. Faults, tokens, the request log
// and open streams are not part of it.
func (s *Server) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := json.Marshal(s.st)
	if err != nil {
		return nil, fmt.Errorf("write Marathon state: %w", err)
	}
	return b, nil
}

// Load replaces the server's state by a snapshot, also one of another profile.
// The virtual clock goes on from the snapshot's time, or from Options.Start if
// that is later.
func (s *Server) Load(snapshot []byte) error {
	st := newState(s.opts.Start)
	if err := json.Unmarshal(snapshot, &st); err != nil {
		return fmt.Errorf("read Marathon state: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.Start.After(st.Now) {
		st.Now = s.opts.Start
	}
	s.st = st
	s.notify()
	return nil
}

// version is the spec's version stamp.
func (r *runSpec) version() string { return text(r.Doc["version"]) }

// definition copies what history keeps: the definition alone.
func (r *runSpec) definition() *runSpec {
	return &runSpec{ID: r.ID, Pod: r.Pod, Doc: cloneObject(r.Doc), Config: r.Config}
}

// specs are the live run specs in the order in which they were added.
func (s *Server) specs() []*runSpec {
	all := make([]*runSpec, 0, len(s.st.Order))
	for _, id := range s.st.Order {
		all = append(all, s.st.Specs[id])
	}
	return all
}

// put stores a spec, keeping its place.
func (s *Server) put(r *runSpec) {
	if _, ok := s.st.Specs[r.ID]; !ok {
		s.st.Order = append(s.st.Order, r.ID)
	}
	s.st.Specs[r.ID] = r
}

// drop forgets a spec and its history.
func (s *Server) drop(id string) {
	delete(s.st.Specs, id)
	delete(s.st.History, id)
	s.st.Order = slices.DeleteFunc(s.st.Order, func(o string) bool { return o == id })
}

// remember appends to the history of a spec, which is capped.
func (s *Server) remember(r *runSpec) {
	h := append(s.st.History[r.ID], r.definition())
	if len(h) > historyCap {
		h = h[len(h)-historyCap:]
	}
	s.st.History[r.ID] = h
}

func cloneObject(o object) object {
	if o == nil {
		return nil
	}
	c := make(object, len(o))
	for k, v := range o {
		c[k] = v
	}
	return c
}

// raw marshals without escaping <, > and &, as Marathon does.
func raw(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Only values made here get here: a failure is a bug of this package.
		panic(fmt.Sprintf("marathontest: %v", err))
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// text is a JSON string's value, or "".
func text(m json.RawMessage) string {
	var v string
	_ = json.Unmarshal(m, &v) // absent or of another type: ""
	return v
}

// number is a JSON number's value, or otherwise def.
func number(m json.RawMessage, def float64) float64 {
	var v *float64
	if json.Unmarshal(m, &v) != nil || v == nil {
		return def
	}
	return *v
}

// fields are a JSON object's members, or nil.
func fields(m json.RawMessage) object {
	var v object
	_ = json.Unmarshal(m, &v) // absent or of another type: nil
	return v
}

// list is a JSON array's elements, or nil.
func list(m json.RawMessage) []json.RawMessage {
	var v []json.RawMessage
	_ = json.Unmarshal(m, &v) // absent or of another type: nil
	return v
}

// isNull tells whether a value is absent or null.
func isNull(m json.RawMessage) bool {
	return len(m) == 0 || string(bytes.TrimSpace(m)) == "null"
}

// absolute makes an id absolute and squeezes its slashes.
func absolute(id string) string {
	var segments []string
	for s := range strings.SplitSeq(id, "/") {
		if s != "" {
			segments = append(segments, s)
		}
	}
	return "/" + strings.Join(segments, "/")
}
