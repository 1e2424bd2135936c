package rollout

import (
	"regexp"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// Verdict is how far an app is.
type Verdict struct {
	// Done: it runs the wanted images, all of it, healthy.
	Done bool
	// Ready of Total new instances are up and healthy.
	Ready, Total int
	// Message says what is waited for, or, of an app that is done, what is odd.
	Message string
	// Fault is why it will not arrive; nil while it may.
	Fault *fault.Fault
}

// Target is one app that is followed, and what was seen of it.
type Target struct {
	// App is its id, Images are what it is to run.
	App    string
	Images []orchestrator.ContainerImage
	// Deployed: a deployment of ours changes it.
	Deployed bool

	// listed: a deployment that changes it was listed once.
	listed bool
	// unlisted counts looks in a row in which no deployment changed it; since is the first of them.
	unlisted int
	since    time.Time
	// failures are those of the present version that were seen; old is the one that was there before.
	failures map[string]bool
	old      string
	looked   bool
	// before are a pod's instances of before the change.
	before map[string]bool
}

// NewTarget is an app that nothing is known of yet.
func NewTarget(app string, images []orchestrator.ContainerImage) *Target {
	return &Target{App: app, Images: images, failures: map[string]bool{}, before: map[string]bool{}}
}

// View is Marathon at one look.
type View struct {
	// Specs are the apps and pods that are there, by id.
	Specs       map[string]*Spec
	Deployments []marathon.Deployment
	// Queue is what waits to be launched, by id; it only helps to explain.
	Queue map[string]marathon.Queued
	At    time.Time
}

// touching are the listed deployments that change an app.
func (v *View) touching(app string) []marathon.Deployment {
	var all []marathon.Deployment
	for _, d := range v.Deployments {
		if d.Affects(app) {
			all = append(all, d)
		}
	}
	return all
}

// How long and how often no deployment may change an app that has not arrived before it counts as given up.
const (
	goneLooks = 3
	goneFor   = 5 * time.Second
	// unlistedFor is how long a new deployment may take to be listed.
	unlistedFor = 15 * time.Second
)

// Judge says how far the app is on its way, or why it will not arrive. After so many failures of its new version as
// crashes says, it counts as hopeless.
func (t *Target) Judge(v *View, crashes int) Verdict {
	sp := v.Specs[t.App]
	if sp == nil {
		return Verdict{Fault: fault.New(fault.NotFound, "app %s is no longer there: somebody has removed it", t.App).On(t.App)}
	}
	if !sp.Runs(t.Images) {
		return Verdict{Fault: fault.New(fault.Drifted, "app %s has %s, not %s: somebody else has changed it",
			t.App, Words(sp.Images()), Words(t.Images)).On(t.App)}
	}
	var j Verdict
	if sp.Pod != nil {
		j = t.judgePod(sp, v, crashes)
	} else {
		j = t.judgeApp(sp.App, v, crashes)
	}
	t.looked = true
	if j.Done || j.Fault != nil {
		return j
	}
	if f := t.abandoned(v, j); f != nil {
		j.Fault = f
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
func (t *Target) judgeApp(app *marathon.App, v *View, crashes int) Verdict {
	touching := v.touching(t.App)
	n := count(app, len(touching) > 0)
	j := Verdict{Ready: n.good, Total: n.wanted}
	// Marathon gives up an old instance on an agent that is gone; until then its deployment goes on.
	if n.good >= n.wanted && n.old == 0 && (n.lostOld == 0 || len(touching) == 0) {
		j.Done = true
		if n.lostOld > 0 {
			j.Message = instances(n.lostOld) + " of before may still run on agents that cannot be reached"
		}
		if n.wanted == 0 {
			j.Message = "the app is scaled to 0 instances: that it is healthy proves nothing"
		}
		return j
	}
	t.noteFailure(app)
	if app.Failure != nil && t.failures[failureKey(app.Failure)] {
		switch {
		case imageMissing(app.Failure.Message):
			j.Fault = fault.New(fault.Doomed, "app %s cannot get its image: %s", t.App, failureText(app.Failure)).On(t.App).
				WithHint("Check that the image is in the registry, and that the agents may pull it.")
			return j
		case len(t.failures) >= crashes:
			j.Fault = fault.New(fault.Doomed, "app %s fails again and again, %d times by now: %s", t.App, len(t.failures), failureText(app.Failure)).On(t.App)
			return j
		}
	}
	j.Message = explainApp(app, n, v)
	return j
}

// noteFailure counts failures of the present configuration. What failed before we came does not count.
func (t *Target) noteFailure(app *marathon.App) {
	f := app.Failure
	if f == nil || !crashed(f) || marathon.ParseTime(f.Version).Before(app.ConfiguredAt()) {
		return
	}
	key := failureKey(f)
	if !t.looked && !t.Deployed {
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
func (t *Target) abandoned(v *View, j Verdict) *fault.Fault {
	if len(v.touching(t.App)) > 0 {
		t.listed, t.unlisted = true, 0
		return nil
	}
	if t.unlisted == 0 {
		t.since = v.At
	}
	t.unlisted++
	wait := unlistedFor
	if t.listed {
		wait = goneFor
	}
	sp := v.Specs[t.App]
	if !t.Deployed || t.unlisted < goneLooks || v.At.Sub(t.since) < wait {
		return nil
	}
	if !sp.Mixed() {
		return nil // Marathon itself brings it up, also without a deployment
	}
	return fault.New(fault.Unhealthy, "the deployment of app %s has ended before the app was replaced: somebody has stopped or overridden it (%s)",
		t.App, j.Message).On(t.App)
}

// Mixed reports whether tasks of an older configuration still run. Of a pod that cannot be told, and is assumed.
func (sp *Spec) Mixed() bool { return sp.App == nil || count(sp.App, false).old > 0 }
