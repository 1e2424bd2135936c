package orchestratormarathon

import (
	"fmt"
	"regexp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
)

// States of pods and their instances.
const (
	podStable   = "STABLE"
	podDegraded = "DEGRADED"
	podTerminal = "TERMINAL"
)

// killed are the words of an end that Marathon has brought about, such as after failed health checks.
var killed = regexp.MustCompile(`(?i)health check|kill`)

// judgePod judges by the instances of the pod's status. Pods do not tell scaling from other changes: as long as a
// deployment works on the pod, only instances of the newest version count.
func (s *server) judgePod(t *target, sp *spec, v *view) verdict {
	j := verdict{total: sp.instances()}
	if sp.status == nil {
		j.message = "its status is not known yet"
		return j
	}
	at := marathon.ParseTime(sp.version())
	old, starting, unhealthy := 0, 0, 0
	message := ""
	for _, in := range sp.status.Instances {
		if in.Status == podTerminal {
			continue
		}
		if launched := in.LaunchedAs(); t.deployed && !launched.IsZero() && launched.Before(at) {
			old++
			t.before[in.ID] = true
			continue
		}
		switch in.Status {
		case podStable:
			j.ready++
		case podDegraded:
			unhealthy++
			message = in.Message
		default:
			starting++
		}
	}
	if j.ready >= j.total && old == 0 && (t.deployed || len(v.touching(t.app)) == 0) {
		j.done = true
		if j.total == 0 {
			j.message = "the pod is scaled to 0 instances: that it is healthy proves nothing"
		}
		return j
	}
	if f := s.podFailure(t, sp); f != nil {
		j.fault = f
		return j
	}
	var parts []string
	if unhealthy > 0 {
		parts = append(parts, fmt.Sprintf("%s run and are not healthy%s", instances(unhealthy), because(message)))
	}
	if starting > 0 {
		parts = append(parts, instances(starting)+" starting")
	}
	if q, ok := v.queue[t.app]; ok {
		parts = append(parts, explainQueue(q))
	}
	if old > 0 {
		parts = append(parts, leftover(old))
	}
	j.message = sentence(j.ready, j.total, blockers(t.app, v), parts)
	return j
}

// podFailure counts the instances that ended since, and fails a pod that cannot come up.
func (s *server) podFailure(t *target, sp *spec) *fault.Fault {
	since := marathon.ParseTime(sp.version())
	last := ""
	for _, end := range sp.status.History {
		key := end.Instance + " " + end.TerminatedAt
		if t.before[end.Instance] || marathon.ParseTime(end.TerminatedAt).Before(since) {
			continue
		}
		text := end.Message
		failed := text != "" && !killed.MatchString(text)
		for _, c := range end.Containers {
			if c.Termination != nil && c.Termination.ExitCode != 0 {
				failed = true
				text = c.Termination.Message
			}
		}
		if !failed {
			continue
		}
		if !t.looked && !t.deployed {
			t.before[end.Instance] = true
			continue
		}
		t.failures[key] = true
		last = text
		if imageMissing(text) {
			return fault.New(fault.Doomed, "pod %s cannot get an image: %s", t.app, marathon.Printable(text)).On(t.app)
		}
	}
	if last != "" && len(t.failures) >= s.crashes {
		return fault.New(fault.Doomed, "pod %s fails again and again, %d times by now: %s", t.app, len(t.failures), marathon.Printable(last)).On(t.app)
	}
	return nil
}
