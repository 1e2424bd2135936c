package marathontest

import (
	"math"
	"slices"
)

// tick lets everything go on to the present.
func (s *Server) tick() {
	if s.lost {
		return
	}
	for _, r := range s.specs() {
		s.advanceTasks(r)
	}
	for _, d := range s.st.Deployments {
		for _, r := range d.Stopping {
			s.advanceTasks(r)
		}
	}
	for _, d := range slices.Clone(s.st.Deployments) {
		s.start(d)
		s.drive(d)
	}
	for _, r := range s.specs() {
		if s.deploying(r.ID) || r.Recorded != nil {
			continue
		}
		s.scale(r, r.instances())
	}
	for _, r := range s.specs() {
		s.launch(r)
	}
	s.heartbeat()
}

// deploying tells whether a running step cares for the spec.
func (s *Server) deploying(id string) bool {
	return slices.ContainsFunc(s.st.Deployments, func(d *deployment) bool {
		if d.Finished || d.Current < 1 || d.Current > len(d.Steps) {
			_, affected := d.Target[id]
			return affected && d.Current == 0 && !d.Finished
		}
		_, affected := d.Target[id]
		return affected
	})
}

// start begins a deployment whose time has come.
func (s *Server) start(d *deployment) {
	if d.Current > 0 || d.StartAt.After(s.st.Now) || len(d.Steps) == 0 {
		return
	}
	d.Current = 1
	s.emitStep("deployment_info", d)
}

// drive works on the current step and goes on to the next when it is done.
// There is no time limit: a step that cannot be done is worked on for ever.
func (s *Server) drive(d *deployment) {
	if d.Finished {
		if !d.RemoveAt.After(s.st.Now) {
			s.st.Deployments = slices.DeleteFunc(s.st.Deployments, func(o *deployment) bool { return o == d })
		}
		return
	}
	if d.Current == 0 && len(d.Steps) > 0 {
		return
	}
	for d.Current >= 1 && d.Current <= len(d.Steps) {
		done := true
		for _, a := range d.Steps[d.Current-1] {
			a.Done = a.Done || s.act(d, a)
			done = done && a.Done
		}
		if !done {
			return
		}
		s.emitStep("deployment_step_success", d)
		d.Current++
		if d.Current <= len(d.Steps) {
			s.emitStep("deployment_info", d)
		}
	}
	d.Finished, d.RemoveAt = true, s.st.Now.Add(s.opts.RemoveDelay)
	if s.opts.RemoveDelay == 0 {
		s.st.Deployments = slices.DeleteFunc(s.st.Deployments, func(o *deployment) bool { return o == d })
	}
	s.emitPlan("deployment_success", d, map[string]any{"id": d.ID})
}

// act does what one action can do now and tells whether it is done.
func (s *Server) act(d *deployment, a *action) bool {
	if a.Kind == actionStop {
		i := slices.IndexFunc(d.Stopping, func(r *runSpec) bool { return r.ID == a.ID })
		if i < 0 {
			return true
		}
		s.kill(d.Stopping[i], d.Stopping[i].active(), "")
		return len(d.Stopping[i].Tasks) == 0
	}
	r := s.st.Specs[a.ID]
	if r == nil || a.Kind == actionStart {
		return true // Start makes nothing run: the app begins with no instances
	}
	if a.Kind == actionRestart {
		return s.replace(r, a)
	}
	n := r.instances()
	s.scale(r, n)
	if n == 0 {
		return len(r.active()) == 0
	}
	return r.good(r.active(), s) >= n
}

// replace is the rolling replacement of all instances under the spec's
// upgradeStrategy (F5).
func (s *Server) replace(r *runSpec, a *action) bool {
	n := r.instances()
	keep, most := r.capacity(n)
	fresh, old := r.split()
	good := r.good(fresh, s)
	if extra := len(fresh) - n; extra > 0 {
		s.kill(r, fresh[:extra], "")
		fresh = fresh[extra:]
	}
	// Healthy new instances let as many old ones go.
	if allowed := max(0, keep-good); len(old) > allowed {
		s.kill(r, old[:len(old)-allowed], "")
		_, old = r.split()
	}
	a.Began = true
	occupied := len(r.Tasks) - len(fresh) // dying ones still occupy their place
	s.want(r, max(0, min(n-len(fresh), most-occupied-len(fresh))))
	return good >= n && len(old) == 0 && len(fresh) == n
}

// capacity is how many instances must stay healthy during an upgrade and how
// many may exist.
func (r *runSpec) capacity(n int) (keep, most int) {
	u := fields(r.Doc["upgradeStrategy"])
	if r.Pod {
		u = fields(fields(r.Doc["scheduling"])["upgrade"])
	}
	lowest, over := 1.0, 1.0
	if !isNull(r.Doc["residency"]) {
		lowest, over = 0.5, 0
	}
	keep = int(math.Ceil(float64(n) * number(u["minimumHealthCapacity"], lowest)))
	most = n + int(math.Floor(float64(n)*number(u["maximumOverCapacity"], over)))
	if keep >= n && most <= n {
		if isNull(r.Doc["residency"]) {
			most = n + 1 // one more than asked for, or nothing could ever move
		} else {
			keep = n - 1
		}
	}
	return keep, most
}

// scale brings the number of instances to n, whatever version they are of.
func (s *Server) scale(r *runSpec, n int) {
	active := r.active()
	if extra := len(active) - n; extra > 0 {
		s.kill(r, active[:extra], "")
	}
	s.want(r, max(0, n-len(active)))
}

// split separates the active instances of the current configuration from
// older ones.
func (r *runSpec) split() (fresh, old []*task) {
	for _, t := range r.active() {
		if t.Config == r.Config {
			fresh = append(fresh, t)
		} else {
			old = append(old, t)
		}
	}
	return fresh, old
}
