package marathontest

import "encoding/json"

// An event in its two sizes; for most they are the same.
type event struct {
	kind         string
	light, heavy json.RawMessage
}

// emit sends an event to all streams. The lock is held.
func (s *Server) emit(kind string, doc map[string]any) {
	s.send(kind, doc, nil)
}

// send emits an event whose plan, if there is one, has root groups that only
// heavy streams get.
func (s *Server) send(kind string, doc map[string]any, roots object) {
	doc["eventType"] = kind
	doc["timestamp"] = stamp(s.st.Now)
	e := event{kind: kind, light: raw(doc)}
	e.heavy = e.light
	if plan, ok := doc["plan"].(map[string]any); ok && roots != nil {
		for k, v := range roots {
			plan[k] = v
		}
		e.heavy = raw(doc)
	}
	s.publish(e)
}

// emitPlan emits an event about a deployment.
func (s *Server) emitPlan(kind string, d *deployment, doc map[string]any) {
	steps := []any{}
	for _, step := range d.Steps {
		steps = append(steps, map[string]any{"actions": s.showActions(step)})
	}
	doc["plan"] = map[string]any{"id": d.ID, "version": d.Version, "steps": steps}
	s.send(kind, doc, d.Roots)
}

// emitStep emits an event about a deployment's current step.
func (s *Server) emitStep(kind string, d *deployment) {
	s.emitPlan(kind, d, map[string]any{
		"currentStep": map[string]any{"actions": s.showActions(d.Steps[d.Current-1])},
	})
}

// heavy keeps the root groups before and after, where some stream may ask for
// them.
func (s *Server) heavy(d *deployment, p prepared) {
	if s.habits.plans == planAlwaysLight {
		return
	}
	d.Roots = object{
		"original": raw(s.group("/", s.st.Specs, groupParts{apps: true, groups: true, pods: true})),
		"target":   raw(s.group("/", p.root, groupParts{apps: true, groups: true, pods: true})),
	}
}

// emitTask emits a task's new status.
func (s *Server) emitTask(r *runSpec, t *task, status, text string) {
	s.emit("status_update_event", map[string]any{
		"slaveId": t.Agent, "taskId": t.ID, "taskStatus": status, "message": text, "appId": r.ID, "host": t.Host,
		"ipAddresses": []map[string]string{{"ipAddress": t.Host, "protocol": "IPv4"}},
		"ports":       t.Ports, "version": t.Version,
	})
	if !s.habits.instanceKey {
		return
	}
	condition := map[string]string{
		"TASK_STAGING": "Staging", "TASK_RUNNING": "Running", "TASK_FAILED": "Failed", "TASK_KILLED": "Killed",
	}[status]
	s.emit("instance_changed_event", map[string]any{
		"instanceId": t.ID, "condition": condition, "runSpecId": r.ID, "agentId": t.Agent,
		"host": t.Host, "runSpecVersion": t.Version,
	})
}

// emitHealth emits a change of health.
func (s *Server) emitHealth(r *runSpec, t *task) {
	key := "taskId"
	if s.habits.instanceKey {
		key = "instanceId"
		s.emit("instance_health_changed_event", map[string]any{
			"instanceId": t.ID, "runSpecId": r.ID, "runSpecVersion": t.Version, "healthy": t.Alive,
		})
	}
	s.emit("health_status_changed_event", map[string]any{
		"appId": r.ID, key: t.ID, "version": t.Version, "alive": t.Alive,
	})
}

// emitPod emits an event about a pod's definition; for an app it does nothing.
func (s *Server) emitPod(r *runSpec, kind string) {
	if r.Pod {
		s.emit(kind, map[string]any{"clientIp": "127.0.0.1", "uri": "/v2/pods" + r.ID})
	}
}
