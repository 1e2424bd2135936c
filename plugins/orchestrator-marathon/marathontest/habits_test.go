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

func TestScaledToZeroProvesNothing(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2", health, `"instances":0`)
	w.Script(marathontest.Behaviour{Tag: "1", CrashLoop: true, Unhealthy: true, NoOffers: true})
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	if !w.Settle(time.Second) {
		t.Error("does not succeed at once")
	}
}

func TestRollingReplacementKeepsToTheUpgradeStrategy(t *testing.T) {
	for _, tt := range []struct {
		keep, over float64
		lowest     int // instances that are healthy at any time
		most       int // tasks at any time
	}{
		{1, 1, 4, 8},
		{1, 0, 4, 5},
		{0.5, 0, 2, 4},
		{0.5, 0.25, 2, 5},
		{0, 0, 0, 4},
	} {
		t.Run(fmt.Sprintf("%v/%v", tt.keep, tt.over), func(t *testing.T) {
			w := newWorld(t, marathontest.Options{})
			w.seed("/a", "reg/a:2", health, `"instances":4`,
				fmt.Sprintf(`"upgradeStrategy":{"minimumHealthCapacity":%v,"maximumOverCapacity":%v}`, tt.keep, tt.over))
			w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
			for i := 0; w.Running() > 0; i++ {
				if i > 1000 {
					t.Fatal("does not end")
				}
				w.Step()
				app := w.do("GET", "/v2/apps/a", "")
				healthy, _ := app.at(t, "app.tasksHealthy").(json.Number).Int64()
				if n := len(app.at(t, "app.tasks").([]any)); n > tt.most {
					t.Fatalf("%d tasks, at most %d are allowed", n, tt.most)
				}
				if int(healthy) < tt.lowest {
					t.Fatalf("%d healthy, at least %d are promised", healthy, tt.lowest)
				}
			}
			if diff := cmp.Diff(map[string]int{"reg/a:1": 4}, w.RunningImages("/a")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHistoryIsCappedAndGoesWithItsApp(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:0", `"instances":0`)
	for i := range 60 {
		w.do("PUT", "/v2/apps/a?force=true", image("/a", fmt.Sprintf("reg/a:%d", i+1))).want(t, 200)
	}
	versions := w.do("GET", "/v2/apps/a/versions", "").at(t, "versions").([]any)
	if len(versions) != 50 {
		t.Errorf("%d versions", len(versions))
	}
	w.Settle(time.Minute)
	w.do("DELETE", "/v2/apps/a", "").want(t, 200)
	w.Settle(time.Minute)
	w.do("GET", "/v2/apps/a/versions", "").want(t, 404)
}

func TestDeploymentsAppearLateAndLeaveLate(t *testing.T) {
	w := newWorld(t, marathontest.Options{ListDelay: 300 * time.Millisecond, RemoveDelay: time.Second})
	w.seed("/a", "reg/a:2")
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	if n := len(w.deployments()); n != 0 {
		t.Error("listed at once")
	}
	w.Advance(400 * time.Millisecond)
	if n := len(w.deployments()); n != 1 {
		t.Error("not listed in time")
	}
	w.Settle(time.Minute)
	if n := len(w.deployments()); n != 1 {
		t.Error("gone at once after its success")
	}
	w.Advance(2 * time.Second)
	if n := len(w.deployments()); n != 0 {
		t.Error("never gone")
	}
}

func TestSomebodyElsesInvalidAppSpoilsEveryWrite(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2")
	w.seed("/theirs", "reg/t:1")
	w.Spoil("/theirs", "/apps(1)/container", "is not valid any more")
	got := w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 422)
	if diff := cmp.Diff("/apps(1)/container", got.at(t, "details.0.path")); diff != "" {
		t.Error(diff)
	}
	w.Spoil("/theirs", "")
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
}

func TestStepsHaveTheShapeOfTheirTime(t *testing.T) {
	for profile, want := range map[marathontest.Profile]string{
		marathontest.Profile016:  `[[{"action":"RestartApplication","app":"/a"}]]`,
		marathontest.Profile111:  `[{"actions":[{"app":"/a","type":"RestartApplication"}]}]`,
		marathontest.Profile11:   `[{"actions":[{"action":"RestartApplication","app":"/a"}]}]`,
		marathontest.Profile1_11: `[{"actions":[{"action":"RestartApplication","app":"/a"}]}]`,
	} {
		w := newWorld(t, marathontest.Options{Profile: profile})
		w.seed("/a", "reg/a:2")
		w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
		got, _ := json.Marshal(at(t, w.deployments(), "0.steps"))
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: %s", profile, diff)
		}
	}
}

func TestPodsAreWholeDefinitionsWithTheirOwnDeployment(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	pod := func(tag string) string {
		return `{"id":"/p","containers":[{"name":"one","image":{"kind":"DOCKER","id":"reg/one:` + tag + `"},"resources":{"cpus":0.1,"mem":32}},` +
			`{"name":"two","image":{"kind":"DOCKER","id":"reg/two:5"},"resources":{"cpus":0.1,"mem":32}}],"networks":[{"mode":"host"}],"scaling":{"kind":"fixed","instances":2}}`
	}
	w.do("HEAD", "/v2/pods", "").want(t, 200)
	w.do("POST", "/v2/pods", pod("2")).want(t, 201)
	w.Settle(time.Minute)
	if s := w.do("GET", "/v2/pods/p::status", "").at(t, "status"); s != "STABLE" {
		t.Errorf("status %v", s)
	}
	w.do("PUT", "/v2/pods/other", pod("1")).want(t, 400)
	got := w.do("PUT", "/v2/pods/p", pod("1")).want(t, 200)
	if got.header.Get("Marathon-Deployment-Id") == "" || strings.Contains(got.body, "deploymentId") {
		t.Error("the deployment's id belongs into the header alone")
	}
	if diff := cmp.Diff([]any{"/p"}, at(t, w.deployments(), "0.affectedPods")); diff != "" {
		t.Error(diff)
	}
	w.Settle(time.Minute)
	if diff := cmp.Diff(map[string]int{"reg/one:1": 2, "reg/two:5": 2}, w.RunningImages("/p")); diff != "" {
		t.Error(diff)
	}
	versions := decode(t, w.do("GET", "/v2/pods/p::versions", "").want(t, 200).body).([]any)
	if len(versions) != 2 {
		t.Errorf("versions: %v", versions)
	}
	w.do("GET", fmt.Sprintf("/v2/pods/p::versions/%s", versions[1]), "").want(t, 200)
	if n := len(decode(t, w.do("GET", "/v2/pods::status", "").want(t, 200).body).([]any)); n != 1 {
		t.Error("not all statuses")
	}
	w.do("DELETE", "/v2/pods/p", "").want(t, 202)
	w.Settle(time.Minute)
	w.do("GET", "/v2/pods/p", "").want(t, 404)
	old := newWorld(t, marathontest.Options{Profile: marathontest.Profile13})
	old.do("HEAD", "/v2/pods", "").want(t, 404)
}

func TestSnapshotGoesOnInAnotherServer(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2", health)
	w.Script(marathontest.Behaviour{App: "/a", Slow: 2 * time.Second})
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	w.Advance(time.Second)
	b, err := w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again := newWorld(t, marathontest.Options{})
	if err := again.Load(b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.deployments(), again.deployments()); diff != "" {
		t.Error(diff)
	}
	for _, s := range []world{w, again} {
		if !s.Settle(time.Minute) {
			t.Fatal("does not end")
		}
	}
	if diff := cmp.Diff(w.do("GET", "/v2/apps/a", "").body, again.do("GET", "/v2/apps/a", "").body); diff != "" {
		t.Error(diff)
	}
	if err := again.Load([]byte("{")); err == nil {
		t.Error("a broken snapshot is loaded")
	}
}

func TestForeignDeploymentsLockUntilTheyGo(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2")
	foreign := json.RawMessage(`{"id":"theirs","version":"2019-01-01T00:00:00.000Z","affectedApps":["/a"],"steps":[],"currentActions":[],"currentStep":1,"totalSteps":1}`)
	w.RecordDeployment(foreign)
	got := w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 409)
	if got.at(t, "deployments.0.id") != "theirs" {
		t.Error(got.body)
	}
	if id := w.do("GET", "/v2/apps/a", "").at(t, "app.deployments.0.id"); id != "theirs" {
		t.Errorf("the app shows %v", id)
	}
	w.do("PUT", "/v2/apps/a?force=true", image("/a", "reg/a:1")).want(t, 200)
	if w.Settle(time.Minute); len(w.deployments()) != 0 {
		t.Error("force does not cancel it")
	}
	w.RecordDeployment(foreign)
	w.do("DELETE", "/v2/deployments/theirs", "").want(t, 200)
	w.RecordDeployment(foreign)
	w.do("DELETE", "/v2/deployments/theirs?force=true", "").want(t, 202)
	w.do("DELETE", "/v2/deployments/theirs", "").want(t, 404)
}

func TestAppOutsideItsGroupIsRefused(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	got := w.do("PUT", "/v2/groups", `{"id":"/g","apps":[{"id":"/a","cmd":"x"}]}`).want(t, 422)
	if !strings.Contains(got.body, "is not child of /g") {
		t.Error(got.body)
	}
}

func TestRecordedCountsEndWhenSomethingHappens(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2", `"tasksRunning":7`)
	if n := w.do("GET", "/v2/apps/a", "").at(t, "app.tasksRunning"); n != json.Number("7") {
		t.Errorf("tasksRunning = %v", n)
	}
	w.Script(marathontest.Behaviour{App: "/a", CrashLoop: true})
	w.Advance(400 * time.Millisecond)
	if n := w.do("GET", "/v2/apps/a", "").at(t, "app.tasksRunning"); n == json.Number("7") {
		t.Error("still the recorded count after a crash")
	}
}
