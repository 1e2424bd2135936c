package marathontest

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// The kinds of action in a step.
const (
	actionStop    = "Stop"
	actionStart   = "Start"
	actionScale   = "Scale"
	actionRestart = "Restart"
)

// An action is what a step does to one app or pod.
type action struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Pod  bool   `json:"pod,omitempty"`
	// Began is set once a restart has killed what it may kill at once.
	Began bool `json:"began,omitempty"`
	Done  bool `json:"done,omitempty"`
}

// name is the action as the API spells it.
func (a *action) name() string {
	if a.Pod {
		return a.Kind + "Pod"
	}
	return a.Kind + "Application"
}

// plan orders a change into steps: stop what is removed, start what is new
// with no instances, then one step for each depth of dependency (F5).
func (s *Server) plan(p prepared) [][]*action {
	var stops, starts []*action
	byDepth := map[int][]*action{}
	depth := depths(p.root, s.st.Groups)
	for _, id := range slices.Sorted(maps.Keys(p.target)) {
		from, to := p.original[id], p.target[id]
		if to == nil {
			stops = append(stops, &action{Kind: actionStop, ID: id, Pod: from.Pod})
			continue
		}
		kind := actionRestart
		switch {
		case from == nil:
			starts = append(starts, &action{Kind: actionStart, ID: id, Pod: to.Pod})
			kind = actionScale
		case to.instances() == 0:
			kind = actionScale
		case scaleOnly(from, to) && !slices.Contains(p.restart, id):
			kind = actionScale
		}
		byDepth[depth[id]] = append(byDepth[depth[id]], &action{Kind: kind, ID: id, Pod: to.Pod})
	}
	steps := [][]*action{}
	if stops != nil {
		steps = append(steps, stops)
	}
	if starts != nil {
		steps = append(steps, starts)
	}
	for _, n := range slices.Sorted(maps.Keys(byDepth)) {
		steps = append(steps, byDepth[n])
	}
	return steps
}

// edges are the ids that each spec depends on, directly or by its groups.
func edges(specs map[string]*runSpec, groups map[string]object) map[string][]string {
	below := func(id string) []string {
		if specs[id] != nil {
			return []string{id}
		}
		var ids []string
		for other := range specs {
			if strings.HasPrefix(other, strings.TrimSuffix(id, "/")+"/") {
				ids = append(ids, other)
			}
		}
		return ids
	}
	e := map[string][]string{}
	for id, r := range specs {
		for _, dep := range list(r.Doc["dependencies"]) {
			e[id] = append(e[id], below(resolve(parent(id), text(dep)))...)
		}
	}
	for group, doc := range groups {
		for _, dep := range list(doc["dependencies"]) {
			for _, id := range below(group) {
				e[id] = append(e[id], below(resolve(group, text(dep)))...)
			}
		}
	}
	return e
}

// resolve makes a dependency's id absolute; a relative one starts at base.
func resolve(base, id string) string {
	if strings.HasPrefix(id, "/") {
		return absolute(id)
	}
	return path.Join(base, id)
}

// depths is the longest path of dependencies below each spec. In a cycle, which
// validation refuses, the numbers mean nothing.
func depths(specs map[string]*runSpec, groups map[string]object) map[string]int {
	e := edges(specs, groups)
	depth := map[string]int{}
	var visit func(id string, way []string) int
	visit = func(id string, way []string) int {
		if n, ok := depth[id]; ok || slices.Contains(way, id) {
			return n
		}
		n := 0
		for _, dep := range e[id] {
			n = max(n, 1+visit(dep, append(way, id)))
		}
		depth[id] = n
		return n
	}
	for id := range specs {
		visit(id, nil)
	}
	return depth
}

// cycle tells whether some spec depends on itself.
func (s *Server) cycle(specs map[string]*runSpec) bool {
	e := edges(specs, s.st.Groups)
	const (
		open = 1
		shut = 2
	)
	mark := map[string]int{}
	var visit func(string) bool
	visit = func(id string) bool {
		if mark[id] != 0 {
			return mark[id] == open
		}
		mark[id] = open
		if slices.ContainsFunc(e[id], visit) {
			return true
		}
		mark[id] = shut
		return false
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(specs)), visit)
}
