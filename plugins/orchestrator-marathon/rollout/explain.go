package rollout

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// explainApp says in words what an app waits for.
func explainApp(app *marathon.App, n tally, v *View) string {
	var parts []string
	if n.sick > 0 {
		parts = append(parts, fmt.Sprintf("%s, but the health check fails%s", instances(n.sick, " runs", " run"), because(n.cause)))
	}
	if n.unready > 0 {
		parts = append(parts, fmt.Sprintf("%s not ready%s", instances(n.unready, " runs and is", " run and are"), because(n.answer)))
	}
	if n.unchecked > 0 {
		parts = append(parts, instances(n.unchecked)+" waiting for the first health check")
	}
	if n.staging > 0 {
		parts = append(parts, instances(n.staging)+" starting")
	}
	if lost := n.lost + n.lostOld; lost > 0 {
		parts = append(parts, instances(lost)+" on agents that cannot be reached")
	}
	if q, ok := v.Queue[app.ID]; ok {
		parts = append(parts, explainQueue(q))
	}
	if f := app.Failure; f != nil && !marathon.ParseTime(f.Version).Before(app.ConfiguredAt()) {
		parts = append(parts, "the last failure was "+failureText(f))
	}
	if n.old > 0 {
		parts = append(parts, leftover(n.old))
	}
	return sentence(n.good, n.wanted, blockers(app.ID, v), parts)
}

// sentence puts what is there before what is missing.
func sentence(ready, total int, blocked string, parts []string) string {
	text := fmt.Sprintf("%d of %d new instances are healthy", ready, total)
	if blocked != "" {
		return text + "; " + blocked
	}
	if len(parts) > 0 {
		text += "; " + strings.Join(parts, "; ")
	}
	return text
}

// blockers says which apps a deployment does first; "" when it is the app's turn.
func blockers(app string, v *View) string {
	for _, d := range v.touching(app) {
		step := d.StepOf(app)
		if step == 0 || d.CurrentStep == 0 || step <= d.CurrentStep {
			continue
		}
		ids := map[string]bool{}
		for _, s := range d.Steps[d.CurrentStep-1 : step-1] {
			for _, a := range s {
				if a.On != app {
					ids[a.On] = true
				}
			}
		}
		if first := slices.Sorted(maps.Keys(ids)); len(first) > 0 {
			return "it waits for " + some(first) + ", on which it depends and which Marathon deploys first"
		}
		return fmt.Sprintf("its turn comes in step %d of %d", step, d.TotalSteps)
	}
	return ""
}

// explainQueue says why instances are not launched. It names no number that grows while nothing happens: each change of
// the words is told.
func explainQueue(q marathon.Queued) string {
	if !q.Overdue && q.SecondsLeft > 0 {
		return fmt.Sprintf("%s for the next try, %s from now, because of failures", instances(q.Count, " waits", " wait"), about(q.SecondsLeft))
	}
	text := instances(q.Count, " waits", " wait") + " for an offer of resources"
	reasons, of := rejections(q.Rejects)
	switch {
	case q.Processed < 0:
		return text
	case q.Processed == 0:
		return text + "; none has come yet"
	case reasons == "":
		return text + "; none of those that came has fitted"
	}
	return fmt.Sprintf("%s; of the last %d none has fitted, for want of %s", text, of, reasons)
}

// about is a number of seconds, roughly.
func about(seconds int) string {
	switch {
	case seconds <= 10:
		return "some seconds"
	case seconds <= 60:
		return "up to a minute"
	}
	return fmt.Sprintf("up to %d minutes", (seconds+59)/60)
}

// reasonWords puts Marathon's reasons for declining an offer in words.
var reasonWords = map[string]string{
	"UnfulfilledRole":                 "a matching role",
	"UnfulfilledConstraint":           "an agent that fulfils the constraints",
	"NoCorrespondingReservationFound": "the app's own reservation",
	"AgentMaintenance":                "an agent that is not under maintenance",
	"InsufficientCpus":                "CPUs",
	"InsufficientMemory":              "memory",
	"InsufficientDisk":                "disk space",
	"InsufficientGpus":                "GPUs",
	"InsufficientPorts":               "ports",
	"DeclinedScarceResources":         "an agent without GPUs, which are kept for others",
}

// rejections lists the reasons why the last offers did not fit, the most frequent first, and how many offers these were.
func rejections(rejects []marathon.Reject) (words string, of int) {
	var hit []marathon.Reject
	for _, r := range rejects {
		of = max(of, r.Processed)
		if r.Declined > 0 {
			hit = append(hit, r)
		}
	}
	sort.SliceStable(hit, func(i, j int) bool { return hit[i].Declined > hit[j].Declined })
	var list []string
	for _, r := range hit {
		w := reasonWords[r.Reason]
		if w == "" {
			w = marathon.Printable(r.Reason)
		}
		list = append(list, fmt.Sprintf("%s (%d)", w, r.Declined))
	}
	return strings.Join(list, ", "), of
}

// failureText says how a task ended.
func failureText(f *marathon.TaskFailure) string {
	text := marathon.Printable(f.State)
	if f.Message != "" {
		text += ": " + shorten(marathon.Printable(f.Message))
	}
	if f.Host != "" {
		text += " (on " + marathon.Printable(f.Host) + ")"
	}
	return text
}

// readyAnswer is what a readiness check was answered.
func readyAnswer(r marathon.Readiness) string {
	return fmt.Sprintf("readiness check %s answers %d", marathon.Printable(r.Name), r.Last.Status)
}

func because(cause string) string {
	if cause == "" {
		return ""
	}
	return " (" + shorten(marathon.Printable(cause)) + ")"
}

// instances counts them; verb is what one does and what several do, where anything is said of it.
func instances(n int, verb ...string) string {
	text := fmt.Sprintf("%d instances", n)
	which := 1
	if n == 1 {
		text, which = "1 instance", 0
	}
	if len(verb) > which {
		text += verb[which]
	}
	return text
}

// leftover says that old instances are still there.
func leftover(n int) string {
	if n == 1 {
		return "1 old instance still runs"
	}
	return fmt.Sprintf("%d old instances still run", n)
}

// some lists a few ids.
func some(ids []string) string {
	const most = 3
	if len(ids) > most {
		return marathon.Printable(strings.Join(ids[:most], ", ")) + fmt.Sprintf(" and %d others", len(ids)-most)
	}
	return marathon.Printable(strings.Join(ids, ", "))
}

// shorten keeps a message of a task readable.
func shorten(text string) string {
	const most = 300
	r := []rune(strings.TrimSpace(text))
	if len(r) <= most {
		return string(r)
	}
	return string(r[:most-1]) + "…"
}

// Words lists images for a message.
func Words(images []orchestrator.ContainerImage) string {
	if len(images) == 0 {
		return "no image"
	}
	text := ""
	for i, c := range images {
		if i > 0 {
			text += ", "
		}
		if c.Container != "" {
			text += c.Container + "="
		}
		text += c.Image
	}
	return marathon.Printable(text)
}
