package rollout

import (
	"fmt"
	"regexp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
)

// States of pods and their instances.
const (
	PodStable   = "STABLE"
	PodDegraded = "DEGRADED"
	PodTerminal = "TERMINAL"
)

// killed are the words of an end that Marathon has brought about, such as after failed health checks.
var killed = regexp.MustCompile(`(?i)health check|kill`)

// judgePod judges by the instances of the pod's status. Pods do not tell scaling from other changes: as long as a
// deployment works on the pod, only instances of the newest version count.
func (t *Target) judgePod(sp *Spec, v *View, crashes int) Verdict {
	j := Verdict{Total: sp.Instances()}
	if sp.Status == nil {
		j.Message = "its status is not known yet"
		return j
	}
	at := marathon.ParseTime(sp.Version())
	old, starting, unhealthy := 0, 0, 0
	message := ""
	for _, in := range sp.Status.Instances {
		if in.Status == PodTerminal {
			continue
		}
		if launched := in.LaunchedAs(); t.Deployed && !launched.IsZero() && launched.Before(at) {
			old++
			t.before[in.ID] = true
			continue
		}
		switch in.Status {
		case PodStable:
			j.Ready++
		case PodDegraded:
			unhealthy++
			message = in.Message
		default:
			starting++
		}
	}
	if j.Ready >= j.Total && old == 0 && (t.Deployed || len(v.touching(t.App)) == 0) {
		j.Done = true
		if j.Total == 0 {
			j.Message = "the pod is scaled to 0 instances: that it is healthy proves nothing"
		}
		return j
	}
	if f := t.podFailure(sp, crashes); f != nil {
		j.Fault = f
		return j
	}
	var parts []string
	if unhealthy > 0 {
		parts = append(parts, fmt.Sprintf("%s not healthy%s", instances(unhealthy, " runs and is", " run and are"), because(message)))
	}
	if starting > 0 {
		parts = append(parts, instances(starting)+" starting")
	}
	if q, ok := v.Queue[t.App]; ok {
		parts = append(parts, explainQueue(q))
	}
	if old > 0 {
		parts = append(parts, leftover(old))
	}
	j.Message = sentence(j.Ready, j.Total, blockers(t.App, v), parts)
	return j
}

// podFailure counts the instances that ended since, and fails a pod that cannot come up.
func (t *Target) podFailure(sp *Spec, crashes int) *fault.Fault {
	since := marathon.ParseTime(sp.Version())
	last := ""
	for _, end := range sp.Status.History {
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
		if !t.looked && !t.Deployed {
			t.before[end.Instance] = true
			continue
		}
		t.failures[key] = true
		last = text
		if imageMissing(text) {
			return fault.New(fault.Doomed, "pod %s cannot get an image: %s", t.App, marathon.Printable(text)).On(t.App)
		}
	}
	if last != "" && len(t.failures) >= crashes {
		return fault.New(fault.Doomed, "pod %s fails again and again, %d times by now: %s", t.App, len(t.failures), marathon.Printable(last)).On(t.App)
	}
	return nil
}
