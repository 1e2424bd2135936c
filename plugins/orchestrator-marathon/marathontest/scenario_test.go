package marathontest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// These are the stories of upstream's integration tests in our own words:
// AppDeploy, GroupDeploy, LaunchQueue, ReadinessCheck, Restart and
// ForwardToLeader. Those of events are in events_test.go.

// deployments is what the list shows.
func (w world) deployments() []any {
	w.t.Helper()
	return decode(w.t, w.do("GET", "/v2/deployments", "").want(w.t, 200).body).([]any)
}

func TestRedeployingWithoutChangesRestartsNothing(t *testing.T) {
	each(t, marathontest.Profiles(), func(t *testing.T, w world) {
		w.seed("/a", "reg/a:1")
		before := w.do("GET", "/v2/apps/a/tasks", "").body
		got := w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
		if got.at(t, "deploymentId") == "" {
			t.Error("no deployment id")
		}
		if n := len(w.deployments()); n != 0 {
			t.Errorf("%d deployments are listed", n)
		}
		w.Advance(10 * time.Second)
		if diff := cmp.Diff(before, w.do("GET", "/v2/apps/a/tasks", "").body); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUnhealthyAppDeploysForEver(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2", health)
	w.Script(marathontest.Behaviour{App: "a", Tag: "1", Unhealthy: true})
	got := w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	w.Advance(5 * time.Minute)
	if len(w.deployments()) != 1 {
		t.Fatal("the deployment ended by itself")
	}
	app := w.do("GET", "/v2/apps/a", "")
	if diff := cmp.Diff("TASK_KILLED", app.at(t, "app.lastTaskFailure.state")); diff != "" {
		t.Error(diff)
	}
	if app.at(t, "app.lastTaskFailure.version") != got.at(t, "version") {
		t.Error("the failure is not of the new version")
	}
	if n := w.RunningImages("/a")["reg/a:2"]; n != 0 && n != 2 {
		t.Errorf("%d old tasks", n)
	}
	if n := app.at(t, "app.tasksHealthy"); n != json.Number("2") {
		t.Errorf("the old tasks stay healthy: tasksHealthy = %v", n)
	}
}

func TestDeletingADeploymentTakesItBack(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2", health)
	w.Script(marathontest.Behaviour{App: "a", Tag: "1", Unhealthy: true})
	first := w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	w.Advance(2 * time.Second)
	id := first.at(t, "deploymentId").(string)
	back := w.do("DELETE", "/v2/deployments/"+id, "").want(t, 200)
	if back.at(t, "deploymentId") == id {
		t.Error("the way back is not a deployment of its own")
	}
	if !strings.Contains(string(w.App("/a")), "reg/a:2") {
		t.Error("the definition is not taken back")
	}
	if !w.Settle(time.Minute) {
		t.Fatal("the way back does not end")
	}
	if diff := cmp.Diff(map[string]int{"reg/a:2": 2}, w.RunningImages("/a")); diff != "" {
		t.Error(diff)
	}
	missing := w.do("DELETE", "/v2/deployments/"+id, "").want(t, 404)
	if diff := cmp.Diff("DeploymentPlan "+id+" does not exist", missing.at(t, "message")); diff != "" {
		t.Error(diff)
	}
}

func TestDeletingADeploymentByForceStopsWhereItIs(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2", health, `"instances":4`, `"upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0}`)
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	w.Step()
	id := at(t, w.deployments(), "0.id").(string)
	got := w.do("DELETE", "/v2/deployments/"+id+"?force=true", "").want(t, 202)
	if got.body != "" {
		t.Errorf("body: %s", got.body)
	}
	w.Advance(10 * time.Second)
	if !strings.Contains(string(w.App("/a")), "reg/a:1") {
		t.Error("the definition is no longer the target")
	}
	n := w.RunningImages("/a")
	if n["reg/a:2"] != 2 || n["reg/a:1"] != 2 {
		t.Errorf("tasks are not mixed: %v", n)
	}
}

func TestLockedAppIsRefusedWithoutForce(t *testing.T) {
	const text = "App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'."
	each(t, marathontest.Profiles(), func(t *testing.T, w world) {
		w.seed("/a", "reg/a:2")
		w.seed("/b", "reg/b:2")
		w.seed("/c", "reg/c:2")
		w.Script(marathontest.Behaviour{NoOffers: true})
		first := w.do("PUT", "/v2/apps", "["+image("/a", "reg/a:1")+","+image("/b", "reg/b:1")+"]").want(t, 200)
		got := w.do("PUT", "/v2/apps/a", image("/a", "reg/a:3")).want(t, 409)
		want := fmt.Sprintf(`{"deployments":[{"id":%q}],"message":%q}`, first.at(t, "deploymentId"), text)
		if diff := cmp.Diff(want, got.body); diff != "" {
			t.Error(diff)
		}
		w.do("PUT", "/v2/apps/c", image("/c", "reg/c:1")).want(t, 200) // unrelated apps are free
		w.do("PUT", "/v2/apps/a?force=true", image("/a", "reg/a:3")).want(t, 200)
		if n := len(w.deployments()); n != 1 {
			t.Errorf("%d deployments are listed, want that of /c: the forced one comes late", n)
		}
		w.Advance(time.Second)
		if n := len(w.deployments()); n != 2 {
			t.Errorf("%d deployments, want /c's and the forced one", n)
		}
		w.Unscript("", "")
		w.Settle(time.Minute)
		if !strings.Contains(string(w.App("/b")), "reg/b:1") || w.RunningImages("/b")["reg/b:2"] != 2 {
			t.Errorf("/b of the cancelled deployment is not mixed: %v", w.RunningImages("/b"))
		}
	})
}

func TestLockOfAScaleNamesNoDeployment(t *testing.T) {
	w := newWorld(t, marathontest.Options{Profile: marathontest.Profile13})
	w.seed("/a", "reg/a:2")
	w.Lock("/a")
	got := w.do("PUT", "/v2/apps/a", image("/a", "reg/a:3")).want(t, 409)
	if diff := cmp.Diff([]any{}, got.at(t, "deployments")); diff != "" {
		t.Error(diff)
	}
	w.Unlock("/a")
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:3")).want(t, 200)
}

func TestTooManyDeploymentsAreForbidden(t *testing.T) {
	for profile, status := range map[marathontest.Profile]int{marathontest.Profile14: 200, marathontest.Profile15: 403} {
		w := newWorld(t, marathontest.Options{Profile: profile, MaxRunning: 1})
		w.seed("/a", "reg/a:2")
		w.seed("/b", "reg/b:2")
		w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
		got := w.do("PUT", "/v2/apps/b", image("/b", "reg/b:1")).want(t, status)
		if status == 403 && !strings.HasPrefix(got.at(t, "message").(string), "Max number (1) of running deployments") {
			t.Error(got.body)
		}
	}
}

func TestDependenciesAreDeployedFirst(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/p/web", "reg/web:2", health, `"dependencies":["/p/api"]`)
	w.seed("/p/api", "reg/api:2", health, `"dependencies":["db"]`)
	w.seed("/p/db", "reg/db:2", health)
	w.Script(marathontest.Behaviour{App: "api", Tag: "1", Unhealthy: true})
	w.do("PATCH", "/v2/apps", "["+image("/p/web", "reg/web:1")+","+image("/p/api", "reg/api:1")+","+image("/p/db", "reg/db:1")+"]").want(t, 200)
	var order []any
	for _, step := range at(t, w.deployments(), "0.steps").([]any) {
		order = append(order, at(t, step, "actions.0.app"))
	}
	if diff := cmp.Diff([]any{"/p/db", "/p/api", "/p/web"}, order); diff != "" {
		t.Error(diff)
	}
	w.Advance(5 * time.Minute)
	if w.RunningImages("/p/db")["reg/db:1"] != 2 || w.RunningImages("/p/web")["reg/web:2"] != 2 {
		t.Error("an unhealthy dependency does not block those that depend on it")
	}
	cyclic := w.do("PUT", "/v2/apps/p/db?force=true", `{"dependencies":["/p/web"]}`).want(t, 422)
	if !strings.Contains(cyclic.body, "cyclic dependencies") {
		t.Error(cyclic.body)
	}
}

func TestGroupDeployAndRollback(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	app := func(cmd string) string {
		return `{"id":"/g","apps":[{"id":"a","cmd":"` + cmd + `","instances":1},{"id":"b","cmd":"sleep 1"}]}`
	}
	first := w.do("PUT", "/v2/groups", app("one")).want(t, 201)
	w.Settle(time.Minute)
	w.do("PUT", "/v2/groups/g", app("two")).want(t, 200)
	w.do("PUT", "/v2/groups/g", app("three")).want(t, 409)
	w.Settle(time.Minute)
	dry := w.do("PUT", "/v2/groups/g?dryRun=true", app("three")).want(t, 200)
	if diff := cmp.Diff("RestartApplication", dry.at(t, "steps.0.actions.0.action")); diff != "" {
		t.Error(diff)
	}
	if w.Running() != 0 || strings.Contains(string(w.App("/g/a")), "three") {
		t.Error("a dry run changed something")
	}
	w.do("PUT", "/v2/groups/g", fmt.Sprintf(`{"version":%q}`, first.at(t, "version"))).want(t, 200)
	w.Settle(time.Minute)
	if !strings.Contains(string(w.App("/g/a")), `"one"`) {
		t.Errorf("not rolled back: %s", w.App("/g/a"))
	}
	w.do("PUT", "/v2/groups/g", `{"scaleBy":1.5}`).want(t, 200)
	w.Settle(time.Minute)
	if n := at(t, decode(t, string(w.App("/g/a"))), "instances"); n != json.Number("2") {
		t.Errorf("instances = %v", n)
	}
	w.do("PUT", "/v2/groups/g", `{"apps":[{"id":"a","cmd":"one"}]}`).want(t, 200)
	w.Settle(time.Minute)
	if w.App("/g/b") != nil {
		t.Error("an app that the list leaves out still runs")
	}
	w.do("GET", "/v2/groups/nowhere", "").want(t, 404)
}

func TestQueueTellsWhyNothingStarts(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2", health)
	w.Script(marathontest.Behaviour{App: "/a", NoOffers: true})
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	w.Advance(2 * time.Second)
	q := w.do("GET", "/v2/queue", "")
	if q.at(t, "queue.0.delay.overdue") != true || q.at(t, "queue.0.count") != json.Number("2") {
		t.Error(q.body)
	}
	if q.at(t, "queue.0.processedOffersSummary.rejectSummaryLastOffers.4.reason") != "InsufficientCpus" {
		t.Error(q.body)
	}
	w.Unscript("", "")
	w.Script(marathontest.Behaviour{App: "/a", Tag: "1", CrashLoop: true})
	w.Advance(10 * time.Second)
	q = w.do("GET", "/v2/queue", "")
	if q.at(t, "queue.0.delay.overdue") != false || q.at(t, "queue.0.delay.timeLeftSeconds") == json.Number("0") {
		t.Error("no backoff", q.body)
	}
	if diff := cmp.Diff("TASK_FAILED", w.do("GET", "/v2/apps/a", "").at(t, "app.lastTaskFailure.state")); diff != "" {
		t.Error(diff)
	}
	w.do("DELETE", "/v2/queue/a/delay", "").want(t, 204)
	if got := w.do("GET", "/v2/queue", ""); got.at(t, "queue.0.delay.overdue") != true {
		t.Error("the delay is not reset", got.body)
	}
	w.do("DELETE", "/v2/queue/b/delay", "").want(t, 404)
	if w.RunningImages("/a")["reg/a:2"] != 2 {
		t.Error("a crash loop took the old instances away")
	}
}

func TestReadinessHoldsADeployment(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2", `"readinessChecks":[{"name":"warm"}]`)
	w.Script(marathontest.Behaviour{App: "/a", Unready: true})
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	w.Advance(time.Minute)
	results := at(t, w.deployments(), "0.currentActions.0.readinessCheckResults").([]any)
	if len(results) == 0 || at(t, results, "0.ready") != false {
		t.Errorf("results: %v", results)
	}
	w.Unscript("", "")
	if !w.Settle(time.Minute) {
		t.Error("does not go on when it is ready")
	}
}

func TestNewLeaderContinuesDeployments(t *testing.T) {
	each(t, marathontest.Profiles(), func(t *testing.T, w world) {
		w.seed("/a", "reg/a:2", health)
		w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
		w.Advance(700 * time.Millisecond)
		w.LoseLeader()
		got := w.do("GET", "/v2/apps", "")
		if got.status != 502 && got.status != 503 || !strings.Contains(got.header.Get("Content-Type"), "text/html") {
			t.Errorf("without a leader: %d %s", got.status, got.header.Get("Content-Type"))
		}
		w.ElectLeader("other:8080")
		if lead := w.do("GET", "/v2/leader", ""); lead.at(t, "leader") != "other:8080" || lead.header.Get("X-Marathon-Leader") != "http://other:8080" {
			t.Error(lead.body)
		}
		if !w.Settle(time.Minute) {
			t.Fatal("the deployment does not go on")
		}
		if diff := cmp.Diff(map[string]int{"reg/a:1": 2}, w.RunningImages("/a")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRestartReplacesTheSameDefinition(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:latest")
	before := w.do("GET", "/v2/apps/a/tasks", "").at(t, "tasks.0.id")
	w.do("POST", "/v2/apps/a/restart", "").want(t, 200)
	if !w.Settle(time.Minute) {
		t.Fatal("does not end")
	}
	w.Advance(time.Second) // old tasks are gone a moment after the success
	if after := w.do("GET", "/v2/apps/a/tasks", "").at(t, "tasks.0.id"); after == before {
		t.Error("the task was not replaced")
	}
}
