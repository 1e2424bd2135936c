package gomarathon_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	marathon "github.com/gambol99/go-marathon"
	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// world is a server that listens and a client of it.
func world(t *testing.T, opts marathontest.Options) (*marathontest.Server, marathon.Marathon) {
	t.Helper()
	opts.Auto = &marathontest.Auto{Every: time.Millisecond, Speed: 200}
	s, err := marathontest.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	config := marathon.NewDefaultConfig()
	config.URL = s.URL()
	config.EventsTransport = marathon.EventsTransportSSE
	config.PollingWaitTime = time.Millisecond
	if opts.DCOS != nil {
		if config.DCOSToken, err = s.Token("ann"); err != nil {
			t.Fatal(err)
		}
	}
	if opts.Basic != nil {
		config.HTTPBasicAuthUser, config.HTTPBasicPassword = "ann", "secret"
	}
	c, err := marathon.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// app is what a client posts.
func app(id, image string) *marathon.Application {
	a := marathon.NewDockerApplication().Name(id).CPU(0.1).Memory(32).Count(2)
	a.Container.Docker.Container(image)
	return a.AddHealthCheck(*marathon.NewDefaultHealthCheck().SetPath("/"))
}

// each runs a test for every profile.
func each(t *testing.T, f func(t *testing.T, p marathontest.Profile)) {
	t.Helper()
	for _, p := range marathontest.Profiles() {
		t.Run(string(p), func(t *testing.T) { f(t, p) })
	}
}

func TestAnAppLivesThroughItsLife(t *testing.T) {
	each(t, func(t *testing.T, p marathontest.Profile) {
		s, c := world(t, marathontest.Options{Profile: p})
		created, err := c.CreateApplication(app("/prod/a", "reg/a:1"))
		if err != nil {
			t.Fatal(err)
		}
		if created.ID != "/prod/a" || len(created.Deployments) != 1 {
			t.Errorf("created: %+v", created)
		}
		if err := c.WaitOnApplication("/prod/a", 20*time.Second); err != nil {
			t.Fatal(err)
		}
		settle(t, s) // tasks run a moment before their deployment has ended
		all, err := c.Applications(nil)
		if err != nil || len(all.Apps) != 1 {
			t.Fatalf("apps: %v, %v", all, err)
		}
		next := app("/prod/a", "reg/a:2")
		id, err := c.UpdateApplication(next, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.WaitOnDeployment(id.DeploymentID, 20*time.Second); err != nil {
			t.Fatal(err)
		}
		got, err := c.Application("/prod/a")
		if err != nil {
			t.Fatal(err)
		}
		if got.Container.Docker.Image != "reg/a:2" || got.Version != id.Version || len(got.Tasks) == 0 {
			t.Errorf("app: image %s, version %s, %d tasks", got.Container.Docker.Image, got.Version, len(got.Tasks))
		}
		if ok, err := c.ApplicationOK("/prod/a"); err != nil || !ok {
			t.Errorf("the app is not OK: %v, %v", ok, err)
		}
		tasks, err := c.Tasks("/prod/a")
		if err != nil || len(tasks.Tasks) < 2 || !tasks.Tasks[0].HasHealthCheckResults() {
			t.Errorf("tasks: %+v, %v", tasks, err)
		}
	})
}

func TestVersionsAreListedReadAndRestored(t *testing.T) {
	each(t, func(t *testing.T, p marathontest.Profile) {
		s, c := world(t, marathontest.Options{Profile: p})
		for _, tag := range []string{"1", "2"} {
			if tag == "1" {
				if _, err := c.CreateApplication(app("/a", "reg/a:1")); err != nil {
					t.Fatal(err)
				}
			} else if _, err := c.UpdateApplication(app("/a", "reg/a:"+tag), true); err != nil {
				t.Fatal(err)
			}
			settle(t, s)
		}
		versions, err := c.ApplicationVersions("/a")
		if err != nil || len(versions.Versions) != 2 {
			t.Fatalf("versions: %v, %v", versions, err)
		}
		for _, v := range versions.Versions {
			old, err := c.ApplicationByVersion("/a", v)
			if err != nil {
				t.Fatal(err)
			}
			if old.Container.Docker.Image != "reg/a:1" {
				continue
			}
			if _, err := c.SetApplicationVersion("/a", &marathon.ApplicationVersion{Version: v}); err != nil {
				t.Fatal(err)
			}
		}
		settle(t, s)
		if diff := cmp.Diff(map[string]int{"reg/a:1": 2}, s.RunningImages("/a")); diff != "" {
			t.Error(diff)
		}
		if ok, err := c.HasApplicationVersion("/a", "2001-01-01T00:00:00.000Z"); ok || err != nil {
			t.Errorf("an unknown version: %v, %v", ok, err)
		}
	})
}

// settle waits for all deployments to end.
func settle(t *testing.T, s *marathontest.Server) {
	t.Helper()
	if err := s.Wait(t.Context(), func() bool { return s.Running() == 0 }); err != nil {
		t.Fatal(err)
	}
}

func TestDeploymentsAndTheQueueAreUnderstood(t *testing.T) {
	each(t, func(t *testing.T, p marathontest.Profile) {
		s, c := world(t, marathontest.Options{Profile: p})
		if _, err := c.CreateApplication(app("/a", "reg/a:1")); err != nil {
			t.Fatal(err)
		}
		settle(t, s)
		s.Script(marathontest.Behaviour{App: "/a", NoOffers: true})
		id, err := c.UpdateApplication(app("/a", "reg/a:2"), false)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(t.Context(), func() bool { q, err := c.Queue(); return err == nil && len(q.Items) == 1 }); err != nil {
			t.Fatal(err)
		}
		q, err := c.Queue()
		if err != nil || q.Items[0].Application.ID != "/a" || !q.Items[0].Delay.Overdue || q.Items[0].Count != 2 {
			t.Errorf("queue: %+v, %v", q, err)
		}
		ds, err := c.Deployments()
		if err != nil || len(ds) != 1 || ds[0].ID != id.DeploymentID || len(ds[0].Steps) != 1 {
			t.Fatalf("deployments: %+v, %v", ds, err)
		}
		if step := ds[0].Steps[0][0]; step.Action != "RestartApplication" || step.App != "/a" {
			t.Errorf("step: %+v", step)
		}
		if ok, err := c.HasDeployment(id.DeploymentID); err != nil || !ok {
			t.Errorf("HasDeployment: %v, %v", ok, err)
		}
		s.Unscript("", "") // the way back restarts everything, so it needs offers too
		back, err := c.DeleteDeployment(id.DeploymentID, false)
		if err != nil || back.DeploymentID == "" {
			t.Fatalf("taken back: %+v, %v", back, err)
		}
		settle(t, s)
		got, err := c.Application("/a")
		if err != nil || got.Container.Docker.Image != "reg/a:1" {
			t.Errorf("app: %v, %v", got, err)
		}
	})
}

func TestErrorsAreUnderstood(t *testing.T) {
	s, c := world(t, marathontest.Options{})
	if _, err := c.CreateApplication(app("/a", "reg/a:1")); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	code := func(err error) int {
		var api *marathon.APIError
		if !errors.As(err, &api) {
			t.Fatalf("no API error: %v", err)
		}
		return api.ErrCode
	}
	_, err := c.CreateApplication(app("/a", "reg/a:1"))
	if got := code(err); got != marathon.ErrCodeDuplicateID {
		t.Errorf("taken id: %d, %v", got, err)
	}
	_, err = c.Application("/b")
	if got := code(err); got != marathon.ErrCodeNotFound {
		t.Errorf("missing app: %d, %v", got, err)
	}
	_, err = c.CreateApplication(app("/My_App", "reg/a:1"))
	if got := code(err); got != marathon.ErrCodeInvalidBean || !strings.Contains(err.Error(), "/id") {
		t.Errorf("bad id: %d, %v", got, err)
	}
	echoed, err := c.Application("/a") // with its version, which a real server refuses
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.UpdateApplication(echoed, false)
	if got := code(err); got != marathon.ErrCodeInvalidBean {
		t.Errorf("version beside others: %d, %v", got, err)
	}
	s.Script(marathontest.Behaviour{NoOffers: true})
	if _, err := c.UpdateApplication(app("/a", "reg/a:2"), false); err != nil {
		t.Fatal(err)
	}
	_, err = c.UpdateApplication(app("/a", "reg/a:3"), false)
	if got := code(err); got != marathon.ErrCodeAppLocked || !strings.Contains(err.Error(), "locking deployment IDs") {
		t.Errorf("locked: %d, %v", got, err)
	}
	s.Inject(marathontest.Page(http.MethodGet, "/v2/apps", http.StatusForbidden))
	_, err = c.Applications(nil)
	if got := code(err); got != marathon.ErrCodeForbidden {
		t.Errorf("forbidden: %d, %v", got, err)
	}
}

func TestInfoLeaderAndPing(t *testing.T) {
	each(t, func(t *testing.T, p marathontest.Profile) {
		s, c := world(t, marathontest.Options{Profile: p})
		s.ElectLeader("leader:8080")
		if ok, err := c.Ping(); err != nil || !ok {
			t.Errorf("ping: %v, %v", ok, err)
		}
		if lead, err := c.Leader(); err != nil || lead != "leader:8080" {
			t.Errorf("leader: %v, %v", lead, err)
		}
		if info, err := c.Info(); err != nil || info.Name != "marathon" || !strings.HasPrefix(info.Version, string(p)) {
			t.Errorf("info: %+v, %v", info, err)
		}
		if msg, err := c.AbdicateLeader(); err != nil || msg == "" {
			t.Errorf("abdicate: %v, %v", msg, err)
		}
	})
}

func TestEventsArrive(t *testing.T) {
	each(t, func(t *testing.T, p marathontest.Profile) {
		s, c := world(t, marathontest.Options{Profile: p, Pace: marathontest.Pace{Timeout: 100 * time.Millisecond}})
		events, err := c.AddEventsListener(marathon.EventIDDeploymentSuccess | marathon.EventIDChangedHealthCheck | marathon.EventIDStatusUpdate)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(t.Context(), func() bool { return s.Streams() > 0 }); err != nil {
			t.Fatal(err)
		}
		created, err := c.CreateApplication(app("/a", "reg/a:1"))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for len(seen) < 3 {
			select {
			case e := <-events:
				seen[e.Name] = true
				if ok, is := e.Event.(*marathon.EventDeploymentSuccess); is && ok.ID != created.Deployments[0]["id"] {
					t.Errorf("success of %s", ok.ID)
				}
			case <-t.Context().Done():
				t.Fatalf("only %v arrived", seen)
			}
		}
	})
}

func TestPodsLiveThroughTheirLife(t *testing.T) {
	s, c := world(t, marathontest.Options{})
	if ok, err := c.SupportsPods(); err != nil || !ok {
		t.Fatalf("pods: %v, %v", ok, err)
	}
	pod := func(image string) *marathon.Pod {
		one := marathon.NewPodContainer().SetName("one").SetImage(marathon.NewDockerPodContainerImage().SetID(image))
		return marathon.NewPod().Name("/p").AddContainer(one).Count(2)
	}
	if _, err := c.CreatePod(pod("reg/p:1")); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitOnPod("/p", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdatePod(pod("reg/p:2"), false); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	if diff := cmp.Diff(map[string]int{"reg/p:2": 2}, s.RunningImages("/p")); diff != "" {
		t.Error(diff)
	}
	pods, err := c.Pods()
	if err != nil || len(pods) != 1 {
		t.Errorf("pods: %v, %v", pods, err)
	}
	status, err := c.PodStatus("/p")
	if err != nil || status.Status != marathon.PodStateStable || len(status.Instances) != 2 {
		t.Errorf("status: %+v, %v", status, err)
	}
	versions, err := c.PodVersions("/p")
	if err != nil || len(versions) != 2 {
		t.Fatalf("versions: %v, %v", versions, err)
	}
	if _, err := c.PodByVersion("/p", versions[1]); err != nil {
		t.Error(err)
	}
	if id, err := c.DeletePod("/p", false); err != nil || id.DeploymentID == "" {
		t.Errorf("deleted: %v, %v", id, err)
	}
}

func TestGroupsAreUnderstood(t *testing.T) {
	s, c := world(t, marathontest.Options{})
	g := marathon.NewApplicationGroup("/g").App(app("/g/a", "reg/a:1"))
	if err := c.CreateGroup(g); err != nil {
		t.Fatal(err)
	}
	stray := marathon.NewApplicationGroup("/h").App(app("/a", "reg/a:1"))
	if err := c.CreateGroup(stray); err == nil {
		t.Error("an app outside its group is accepted")
	}
	if err := c.WaitOnGroup("/g", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	got, err := c.Group("/g")
	if err != nil || len(got.Apps) != 1 || got.Apps[0].ID != "/g/a" {
		t.Errorf("group: %+v, %v", got, err)
	}
	if ok, err := c.HasGroup("/h"); err != nil || ok {
		t.Errorf("missing group: %v, %v", ok, err)
	}
	if _, err := c.DeleteGroup("/g", false); err != nil {
		t.Error(err)
	}
	settle(t, s)
	if s.App("/g/a") != nil {
		t.Error("the group's app is still there")
	}
}

func TestCredentialsAreTaken(t *testing.T) {
	t.Run("DC/OS token", func(t *testing.T) {
		s, c := world(t, marathontest.Options{DCOS: &marathontest.DCOS{}})
		if err := s.AddApp(json.RawMessage(`{"id":"/a","cmd":"sleep"}`)); err != nil {
			t.Fatal(err)
		}
		if all, err := c.Applications(nil); err != nil || len(all.Apps) != 1 {
			t.Errorf("apps: %v, %v", all, err)
		}
		s.ExpireTokens()
		var api *marathon.APIError
		if _, err := c.Applications(nil); !errors.As(err, &api) || api.ErrCode != marathon.ErrCodeUnauthorized {
			t.Errorf("expired: %v", err)
		}
	})
	t.Run("Basic", func(t *testing.T) {
		_, c := world(t, marathontest.Options{Basic: map[string]string{"ann": "secret"}})
		if _, err := c.Applications(nil); err != nil {
			t.Error(err)
		}
	})
}
