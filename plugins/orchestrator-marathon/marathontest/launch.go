package marathontest

import (
	"fmt"
	"net/http"
	"strings"
)

// want sets how many instances wait to be launched.
func (s *Server) want(r *runSpec, n int) {
	if n > 0 && r.Pending == 0 {
		r.Since, r.Offers = s.st.Now, 0
	}
	r.Pending = n
}

// capacity is how many tasks of one app the cluster has room for; beyond it
// offers do not fit.
const capacity = 500

// launch starts what waits, if the backoff is over and offers come.
func (s *Server) launch(r *runSpec) {
	if r.Pending == 0 || r.Until.After(s.st.Now) {
		return
	}
	r.Offers++
	if s.behaviour(r).NoOffers {
		return
	}
	for ; r.Pending > 0 && len(r.Tasks) < capacity; r.Pending-- {
		t := s.newTask(r)
		r.Tasks = append(r.Tasks, t)
		s.emitTask(r, t, "TASK_STAGING", "")
	}
}

// newTask makes a staged task of a spec's current version.
func (s *Server) newTask(r *runSpec) *task {
	s.st.Serial++
	n := s.st.Serial
	name := strings.ReplaceAll(strings.Trim(r.ID, "/"), "/", "_")
	id := fmt.Sprintf("%s.%08x-6771-11e5-94e1-be5b2935a987", name, n)
	if s.habits.pods {
		id = fmt.Sprintf("%s.instance-%08x-6771-11e5-94e1-be5b2935a987._app.1", name, n)
	}
	if r.Pod {
		id = fmt.Sprintf("%s.instance-%08x-6771-11e5-94e1-be5b2935a987", name, n)
	}
	ports := max(len(mappings(r.Doc)), len(list(r.Doc["portDefinitions"])))
	t := &task{
		ID: id, Version: r.version(), Config: r.Config, Staged: s.st.Now, Ports: []int{},
		Host: fmt.Sprintf("10.0.0.%d", 1+n%5), Agent: fmt.Sprintf("20150707-153709-218108076-5050-25588-S%d", n%5),
	}
	for i := range ports {
		t.Ports = append(t.Ports, 20000+(10*n+i)%10000)
	}
	return t
}

// counts are the numbers that an app shows. They mix old and new versions, and
// count healthy and unhealthy only where there are results. Tasks that are
// being killed are listed but not counted.
type counts struct{ staged, running, healthy, unhealthy int }

func (s *Server) counts(r *runSpec) counts {
	return count(r.active())
}

func count(tasks []*task) counts {
	var n counts
	for _, t := range tasks {
		if t.Started.IsZero() {
			n.staged++
			continue
		}
		n.running++
		switch {
		case t.Checked && t.Alive:
			n.healthy++
		case t.Checked:
			n.unhealthy++
		}
	}
	return n
}

// stats are an app's taskStats, for embed=apps.taskStats.
func (s *Server) stats(r *runSpec) map[string]any {
	fresh, old := r.split()
	show := func(tasks []*task) map[string]any {
		n := count(tasks)
		return map[string]any{"stats": map[string]any{"counts": map[string]int{
			"staged": n.staged, "running": n.running, "healthy": n.healthy, "unhealthy": n.unhealthy,
		}}}
	}
	all := map[string]any{"totalSummary": show(r.active())}
	if len(fresh) > 0 {
		all["withLatestConfig"] = show(fresh)
	}
	if len(old) > 0 {
		all["withOutdatedConfig"] = show(old)
	}
	return all
}

// readiness are the results of readiness checks of the current version.
func (s *Server) readiness(r *runSpec) []map[string]any {
	results := []map[string]any{}
	if r == nil || r.Pod || len(list(r.Doc["readinessChecks"])) == 0 {
		return results
	}
	name := text(fields(list(r.Doc["readinessChecks"])[0])["name"])
	fresh, _ := r.split()
	for _, t := range fresh {
		if t.Started.IsZero() {
			continue
		}
		status, ready := http.StatusServiceUnavailable, s.ready(r, t)
		if ready {
			status = http.StatusOK
		}
		results = append(results, map[string]any{
			"name": name, "taskId": t.ID, "ready": ready,
			"lastResponse": map[string]any{"status": status, "contentType": "text/plain", "body": ""},
		})
	}
	return results
}

// showTasks are a spec's tasks as GET shows them.
func (s *Server) showTasks(r *runSpec) []any {
	tasks := []any{}
	for _, t := range r.Tasks {
		tasks = append(tasks, s.showTask(r, t))
	}
	return tasks
}

// showTask is a task as GET shows it.
func (s *Server) showTask(r *runSpec, t *task) any {
	if t.Recorded != nil && t.Gone.IsZero() {
		return t.Recorded
	}
	state := "TASK_STAGING"
	doc := map[string]any{
		"id": t.ID, "appId": r.ID, "host": t.Host, "slaveId": t.Agent, "ports": t.Ports,
		"stagedAt": stamp(t.Staged), "version": t.Version,
		"ipAddresses": []map[string]string{{"ipAddress": t.Host, "protocol": "IPv4"}},
	}
	if !t.Started.IsZero() {
		doc["startedAt"] = stamp(t.Started)
		state = "TASK_RUNNING"
	}
	if !t.Gone.IsZero() {
		state = "TASK_KILLING"
	}
	if s.habits.version != "0.16.0" {
		doc["state"] = state
	}
	if s.habits.role {
		doc["role"] = "*"
	}
	if len(t.Ports) > 0 {
		doc["servicePorts"] = servicePorts(r.Doc)
	}
	if t.Checked {
		doc["healthCheckResults"] = []any{s.showHealth(t)}
	}
	return doc
}

// showHealth is a task's health check result.
func (s *Server) showHealth(t *task) map[string]any {
	key := "taskId"
	if s.habits.instanceKey {
		key = "instanceId"
	}
	doc := map[string]any{"alive": t.Alive, "consecutiveFailures": t.Failures, key: t.ID}
	if !t.FirstOK.IsZero() {
		doc["firstSuccess"], doc["lastSuccess"] = stamp(t.FirstOK), stamp(t.LastOK)
	}
	if !t.LastBad.IsZero() {
		doc["lastFailure"], doc["lastFailureCause"] = stamp(t.LastBad), "ConnectException: Connection refused"
	}
	return doc
}

// tasksRoute answers GET /v2/tasks.
func (s *Server) tasksRoute(c *call, rest string) *reply {
	if rest != "" || c.method != http.MethodGet {
		return notAllowed()
	}
	tasks := []any{}
	for _, r := range s.specs() {
		if r.Pod || s.forbidden(r.ID) {
			continue
		}
		for _, t := range r.Tasks {
			staging := t.Started.IsZero()
			if status := c.query["status"]; len(status) > 0 && staging != (status[0] == "staging") {
				continue
			}
			tasks = append(tasks, s.showTask(r, t))
		}
	}
	return jsonReply(http.StatusOK, map[string]any{"tasks": tasks})
}
