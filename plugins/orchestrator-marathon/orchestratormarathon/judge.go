package orchestratormarathon

import (
	"regexp"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
)

// verdict is how far an app is.
type verdict struct {
	done         bool
	ready, total int
	// message says what is waited for, or, of an app that is done, what is odd.
	message string
	fault   *fault.Fault
}

// How long and how often no deployment may change an app that has not arrived before it counts as given up.
const (
	goneLooks = 3
	goneFor   = 5 * time.Second
	// unlistedFor is how long a new deployment may take to be listed.
	unlistedFor = 15 * time.Second
)

// judge says how far an app is on its way, or why it will not arrive.
func (s *server) judge(t *target, v *view) verdict {
	sp := v.specs[t.app]
	if sp == nil {
		return verdict{fault: fault.New(fault.NotFound, "app %s is no longer there: somebody has removed it", t.app).On(t.app)}
	}
	if !sp.runs(t.images) {
		return verdict{fault: fault.New(fault.Drifted, "app %s has %s, not %s: somebody else has changed it",
			t.app, imageText(sp.images()), imageText(t.images)).On(t.app)}
	}
	var j verdict
	if sp.pod != nil {
		j = s.judgePod(t, sp, v)
	} else {
		j = s.judgeApp(t, sp.app, v)
	}
	t.looked = true
	if j.done || j.fault != nil {
		return j
	}
	if f := s.abandoned(t, v, j); f != nil {
		j.fault = f
	}
	return j
}

// tally counts the instances of an app.
type tally struct {
	wanted int
	// fresh are instances of the present configuration, good those that are up and pass their checks.
	fresh, staging, running, good int
	// sick are running and fail a health check, unchecked have no result yet; cause is what a check says.
	sick, unchecked int
	cause           string
	// unready run and are not ready yet; answer is what a readiness check says.
	unready int
	answer  string
	// old are instances of another configuration.
	old int
	// lost are instances on agents that cannot be reached, lostOld those of them that are old.
	lost, lostOld int
}

func count(app *marathon.App, deploying bool) tally {
	n := tally{wanted: app.Instances}
	at := app.ConfiguredAt()
	ready := map[string]marathon.Readiness{}
	for _, r := range app.Readiness {
		ready[r.TaskID] = r
	}
	for _, task := range app.Tasks {
		if task.Ended() {
			continue
		}
		isOld := marathon.ParseTime(task.Version).Before(at)
		switch {
		case task.Unreachable() && isOld:
			n.lostOld++
			continue
		case task.Unreachable():
			n.lost++
			continue
		case isOld:
			n.old++
			continue
		}
		n.fresh++
		if !task.Running() {
			n.staging++
			continue
		}
		n.running++
		switch {
		case len(app.HealthChecks) > 0 && len(task.Health) == 0:
			n.unchecked++
			continue
		case len(app.HealthChecks) > 0 && !task.Alive():
			n.sick++
			for _, h := range task.Health {
				if !h.Alive && h.LastFailureCause != "" {
					n.cause = h.LastFailureCause
				}
			}
			continue
		}
		if r, ok := ready[task.ID]; len(app.ReadyChecks) > 0 && !r.Ready && (ok || deploying) {
			n.unready++
			if r.Last != nil {
				n.answer = readyAnswer(r)
			}
			continue
		}
		n.good++
	}
	return n
}

// judgeApp judges by the app's tasks: the definition shows the wanted image from the moment of acceptance, and proves
// nothing about what runs.
func (s *server) judgeApp(t *target, app *marathon.App, v *view) verdict {
	touching := v.touching(t.app)
	n := count(app, len(touching) > 0)
	j := verdict{ready: n.good, total: n.wanted}
	// Marathon gives up an old instance on an agent that is gone; until then its deployment goes on.
	if n.good >= n.wanted && n.old == 0 && (n.lostOld == 0 || len(touching) == 0) {
		j.done = true
		if n.lostOld > 0 {
			j.message = instances(n.lostOld) + " of before may still run on agents that cannot be reached"
		}
		if n.wanted == 0 {
			j.message = "the app is scaled to 0 instances: that it is healthy proves nothing"
		}
		return j
	}
	t.noteFailure(app)
	if app.Failure != nil && t.failures[failureKey(app.Failure)] {
		switch {
		case imageMissing(app.Failure.Message):
			j.fault = fault.New(fault.Doomed, "app %s cannot get its image: %s", t.app, failureText(app.Failure)).On(t.app).
				WithHint("Check that the image is in the registry, and that the agents may pull it.")
			return j
		case len(t.failures) >= s.crashes:
			j.fault = fault.New(fault.Doomed, "app %s fails again and again, %d times by now: %s", t.app, len(t.failures), failureText(app.Failure)).On(t.app)
			return j
		}
	}
	j.message = explainApp(app, n, v)
	return j
}

// noteFailure counts failures of the present configuration. What failed before we came does not count.
func (t *target) noteFailure(app *marathon.App) {
	f := app.Failure
	if f == nil || !crashed(f) || marathon.ParseTime(f.Version).Before(app.ConfiguredAt()) {
		return
	}
	key := failureKey(f)
	if !t.looked && !t.deployed {
		t.old = key
	}
	if key != t.old {
		t.failures[key] = true
	}
}

func failureKey(f *marathon.TaskFailure) string { return f.TaskID + " " + f.Timestamp }

// crashed reports an end that the app itself has brought about. Kills for health, and agents that go, are none.
func crashed(f *marathon.TaskFailure) bool {
	switch f.State {
	case "TASK_FAILED", "TASK_ERROR", "TASK_FINISHED":
		return true
	}
	return false
}

// missing are the words by which Docker, the Mesos fetcher and registries say that an image is not there, or not for us.
var missing = regexp.MustCompile(`(?i)manifest (unknown|for .* not found|not found)|pull access denied|repository .*(does not exist|not found)|no such image|` +
	`image .* not found|name unknown|unauthorized: authentication required|failed to .*pull.*(404|not found|denied|unauthorized)`)

func imageMissing(message string) bool { return missing.MatchString(message) }

// abandoned tells that no deployment works any more on an app that has not arrived: it was stopped or superseded.
// Absence alone means little: a new deployment may not be listed yet, and after a change of leader none is for a moment.
func (s *server) abandoned(t *target, v *view, j verdict) *fault.Fault {
	if len(v.touching(t.app)) > 0 {
		t.listed, t.unlisted = true, 0
		return nil
	}
	if t.unlisted == 0 {
		t.since = v.at
	}
	t.unlisted++
	wait := unlistedFor
	if t.listed {
		wait = goneFor
	}
	sp := v.specs[t.app]
	if !t.deployed || t.unlisted < goneLooks || v.at.Sub(t.since) < wait {
		return nil
	}
	if sp.app != nil && count(sp.app, false).old == 0 {
		return nil // Marathon itself brings it up, also without a deployment
	}
	return fault.New(fault.Unhealthy, "the deployment of app %s has ended before the app was replaced: somebody has stopped or overridden it (%s)",
		t.app, j.message).On(t.app)
}
