package marathontest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A task is one instance of an app or a pod.
type task struct {
	ID        string          `json:"id"` // of a pod: the instance's id
	Version   string          `json:"version"`
	Config    string          `json:"config"` // the spec's configuration at launch
	Host      string          `json:"host"`
	Agent     string          `json:"agent"`
	Ports     []int           `json:"ports"`
	Staged    time.Time       `json:"staged"`
	Started   time.Time       `json:"started,omitzero"` // zero: still staging
	NextCheck time.Time       `json:"next_check,omitzero"`
	Checked   bool            `json:"checked,omitempty"` // has health results
	Alive     bool            `json:"alive,omitempty"`
	FirstOK   time.Time       `json:"first_ok,omitzero"`
	LastOK    time.Time       `json:"last_ok,omitzero"`
	LastBad   time.Time       `json:"last_bad,omitzero"`
	Failures  int             `json:"failures,omitempty"`
	Gone      time.Time       `json:"gone,omitzero"` // being killed until then
	Recorded  json.RawMessage `json:"recorded,omitempty"`
}

// taskFailure is an app's lastTaskFailure.
type taskFailure struct {
	AppID     string `json:"appId"`
	Host      string `json:"host"`
	Message   string `json:"message"`
	State     string `json:"state"`
	TaskID    string `json:"taskId"`
	Timestamp string `json:"timestamp"`
	Version   string `json:"version"`
	SlaveID   string `json:"slaveId,omitempty"`
}

// instances is how many instances the definition asks for.
func (r *runSpec) instances() int {
	n := number(r.Doc["instances"], 1)
	if r.Pod {
		n = number(fields(r.Doc["scaling"])["instances"], 1)
	}
	return int(max(0, min(n, 1e6)))
}

// checks are the spec's health checks; a pod's are in its containers.
func (r *runSpec) checks() []json.RawMessage {
	if !r.Pod {
		return list(r.Doc["healthChecks"])
	}
	var all []json.RawMessage
	for _, c := range list(r.Doc["containers"]) {
		if h := fields(c)["healthCheck"]; !isNull(h) {
			all = append(all, h)
		}
	}
	return all
}

// active are the tasks that are not being killed.
func (r *runSpec) active() []*task {
	return slices.DeleteFunc(slices.Clone(r.Tasks), func(t *task) bool { return !t.Gone.IsZero() })
}

// good is how many of the tasks are healthy and ready: running is enough
// without health checks, and ready at once without readiness checks.
func (r *runSpec) good(tasks []*task, s *Server) int {
	n := 0
	for _, t := range tasks {
		if !t.Started.IsZero() && (len(r.checks()) == 0 || t.Checked && t.Alive) && s.ready(r, t) {
			n++
		}
	}
	return n
}

// ready tells whether a running task passed its readiness checks.
func (s *Server) ready(r *runSpec, t *task) bool {
	if len(list(r.Doc["readinessChecks"])) == 0 {
		return true
	}
	return !s.behaviour(r).Unready && !s.st.Now.Before(t.Started.Add(s.opts.Pace.Ready))
}

// kill orders tasks to be killed.
func (s *Server) kill(r *runSpec, tasks []*task, reason string) {
	for _, t := range tasks {
		if t.Gone.IsZero() {
			t.Gone = s.st.Now.Add(s.opts.Pace.Kill)
			if reason != "" {
				s.fail(r, t, "TASK_KILLED", reason)
			}
		}
	}
}

// fail records the failure of a task.
func (s *Server) fail(r *runSpec, t *task, state, text string) {
	r.Failure = &taskFailure{
		AppID: r.ID, Host: t.Host, Message: text, State: state, TaskID: t.ID,
		Timestamp: stamp(s.st.Now), Version: t.Version, SlaveID: t.Agent,
	}
}

// remove takes a task out with a last status.
func (s *Server) remove(r *runSpec, t *task, state, text string) {
	r.Recorded = nil
	r.Tasks = slices.DeleteFunc(r.Tasks, func(o *task) bool { return o == t })
	s.emitTask(r, t, state, text)
}

// advanceTasks brings a spec's tasks to the present.
func (s *Server) advanceTasks(r *runSpec) {
	b := s.behaviour(r)
	for _, t := range slices.Clone(r.Tasks) {
		switch {
		case !t.Gone.IsZero():
			if !t.Gone.After(s.st.Now) {
				s.remove(r, t, "TASK_KILLED", "")
			}
		case t.Started.IsZero():
			if !t.Staged.Add(s.opts.Pace.Launch + b.Slow).After(s.st.Now) {
				s.begin(r, t, b)
			}
		case b.CrashLoop && t.Config == r.Config && !t.Started.Add(s.opts.Pace.Crash).After(s.st.Now):
			s.crash(r, t, b.message("Command exited with status 1"))
		default:
			s.check(r, t, b)
		}
	}
}

// begin lets a staged task run, or fail to.
func (s *Server) begin(r *runSpec, t *task, b Behaviour) {
	if b.PullFails {
		s.crash(r, t, b.message("Failed to launch container: Failed to pull image '"+strings.Join(images(r), "', '")+"': manifest unknown"))
		return
	}
	t.Started = s.st.Now
	t.NextCheck = s.st.Now.Add(s.opts.Pace.Health)
	s.emitTask(r, t, "TASK_RUNNING", "")
}

// crash ends a task by itself and makes the backoff longer.
func (s *Server) crash(r *runSpec, t *task, text string) {
	s.fail(r, t, "TASK_FAILED", text)
	s.remove(r, t, "TASK_FAILED", text)
	first, factor, most := r.backoff()
	if r.Delay == 0 {
		r.Delay = first
	} else {
		r.Delay = min(time.Duration(float64(r.Delay)*factor), most)
	}
	r.Until = s.st.Now.Add(r.Delay)
}

// backoff is the spec's backoff: first delay, factor, limit.
func (r *runSpec) backoff() (first time.Duration, factor float64, most time.Duration) {
	doc := r.Doc
	launch := "maxLaunchDelaySeconds"
	if r.Pod {
		doc, launch = fields(fields(r.Doc["scheduling"])["backoff"]), "maxLaunchDelay"
		return seconds(number(doc["backoff"], 1)), number(doc["backoffFactor"], 1.15), seconds(number(doc[launch], 300))
	}
	return seconds(number(doc["backoffSeconds"], 1)), number(doc["backoffFactor"], 1.15), seconds(number(doc[launch], 300))
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// check runs the health checks that are due. Only an app with health checks
// has results.
func (s *Server) check(r *runSpec, t *task, b Behaviour) {
	checks := r.checks()
	if len(checks) == 0 || t.NextCheck.After(s.st.Now) {
		return
	}
	t.NextCheck = s.st.Now.Add(s.opts.Pace.Health)
	alive := !b.Unhealthy || t.Config != r.Config
	if alive {
		if t.FirstOK.IsZero() {
			t.FirstOK = s.st.Now
		}
		t.LastOK, t.Failures = s.st.Now, 0
	} else {
		t.LastBad, t.Failures = s.st.Now, t.Failures+1
	}
	if alive != t.Alive || !t.Checked {
		t.Checked, t.Alive = true, alive
		r.Recorded, t.Recorded = nil, nil
		s.emitHealth(r, t)
	}
	if !alive {
		s.emit("failed_health_check_event", map[string]any{"appId": r.ID, "taskId": t.ID, "healthCheck": checks[0]})
	}
	limit := int(number(fields(checks[0])["maxConsecutiveFailures"], 3))
	if limit > 0 && t.Failures >= limit {
		s.killUnhealthy(r, t)
	}
}

// killUnhealthy replaces a task that failed too many checks.
func (s *Server) killUnhealthy(r *runSpec, t *task) {
	const reason = "ConnectException: Connection refused"
	kind, e := "unhealthy_instance_kill_event", map[string]any{
		"appId": r.ID, "taskId": t.ID, "instanceId": t.ID, "version": t.Version,
		"reason": reason, "host": t.Host, "slaveId": t.Agent,
	}
	if !s.habits.instanceKey {
		kind = "unhealthy_task_kill_event"
		delete(e, "instanceId")
	}
	s.kill(r, []*task{t}, fmt.Sprintf("Task was killed since health check failed. Reason: %s", reason))
	s.emit(kind, e)
}

// killTasks answers DELETE /v2/apps/{id}/tasks[/{task}].
func (s *Server) killTasks(c *call, id, one string) *reply {
	r, rep := s.app(id)
	if rep != nil {
		return rep
	}
	var hit []*task
	for _, t := range r.active() {
		if one == "" || t.ID == one {
			hit = append(hit, t)
		}
	}
	if one != "" && hit == nil {
		return message(http.StatusNotFound, "Task '%s' does not exist", one)
	}
	r.Recorded = nil
	shown := []any{}
	for _, t := range hit {
		shown = append(shown, s.showTask(r, t))
	}
	s.kill(r, hit, "")
	if c.flag("scale") {
		doc := cloneObject(r.Doc)
		doc["instances"] = raw(max(0, r.instances()-len(hit)))
		d, rep := s.update(change{group: parent(id), force: c.flag("force"), specs: map[string]*runSpec{id: {ID: id, Doc: doc}}})
		if rep != nil {
			return rep
		}
		return s.changedReply(http.StatusOK, d.Version, d.ID)
	}
	if one != "" {
		return jsonReply(http.StatusOK, map[string]any{"task": shown[0]})
	}
	return jsonReply(http.StatusOK, map[string]any{"tasks": shown})
}
