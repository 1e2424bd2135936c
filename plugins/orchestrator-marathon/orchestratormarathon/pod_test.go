package orchestratormarathon_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

func addPod(t testing.TB, m *marathontest.Server, id string) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"id": id, "scaling": map[string]any{"kind": "fixed", "instances": 2}, "labels": map[string]string{"team": "shop"},
		"environment": map[string]string{"X": "y"}, "unheardOf": json.RawMessage("1.50"),
		"containers": []any{
			map[string]any{
				"name": "web", "image": map[string]any{"kind": "DOCKER", "id": "r/web:2", "forcePull": true},
				"healthCheck": map[string]any{"http": map[string]any{"path": "/"}}, "resources": map[string]any{"cpus": 0.1, "mem": 32},
			},
			map[string]any{"name": "log", "image": map[string]any{"kind": "DOCKER", "id": "r/log:7"}},
			map[string]any{"name": "shell", "exec": map[string]any{"command": map[string]any{"shell": "sleep 1"}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddPod(raw); err != nil {
		t.Fatal(err)
	}
}

func TestPods(t *testing.T) {
	m := start(t, marathontest.Options{})
	addPod(t, m, "/prod/pod")
	add(t, m, "/prod/a", "r/a:2", nil)
	o := configure(t, m, nil)
	var apps []orchestrator.App
	list := func() []orchestrator.App {
		apps = nil
		if err := o.ListApps(t.Context(), orchestrator.ListRequest{Scope: "/prod"}, func(a orchestrator.App) error {
			apps = append(apps, a)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return apps
	}
	pod := list()[1]
	if pod.Kind != "pod" || !strings.Contains(pod.Separate, "pod") || pod.Immutable != "" || pod.Instances != 2 || pod.Running != 2 || pod.Healthy != 2 {
		t.Errorf("got %+v", pod)
	}
	if d := cmp.Diff([]orchestrator.ContainerImage{{Container: "web", Image: "r/web:2"}, {Container: "log", Image: "r/log:7"}}, pod.Images); d != "" {
		t.Error(d)
	}
	before, err := o.Snapshot(t.Context(), []string{"/prod/a", "/prod/pod"})
	if err != nil {
		t.Fatal(err)
	}
	req := orchestrator.DeployRequest{OperationID: "op", Timeout: time.Minute, Changes: []orchestrator.Change{
		{App: "/prod/pod", Container: "web", To: "r/web:1", ExpectedFingerprint: pod.Fingerprint},
		{App: "/prod/a", To: "r/a:1"},
		{App: "/prod/pod", Container: "log", To: "r/log:6", ExpectedFingerprint: pod.Fingerprint},
	}}
	var got told
	if err := o.Deploy(t.Context(), req, got.emit); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got.events[2:4])
	want := []string{"accepted [/prod/a]", "accepted [/prod/pod]", "healthy /prod/a r/a:1", "healthy /prod/pod r/web:1", "completed"}
	if d := cmp.Diff(want, got.events); d != "" {
		t.Error(d)
	}
	differ := document(t, m, "/prod/pod")
	var was struct{ Doc map[string]json.RawMessage }
	if err := json.Unmarshal(before[1].Data, &was); err != nil {
		t.Fatal(err)
	}
	for k, v := range was.Doc {
		if k != "containers" && k != "labels" && k != "version" && string(differ[k]) != string(v) {
			t.Errorf("%s: %s became %s", k, v, differ[k])
		}
	}
	if !strings.Contains(string(differ["containers"]), "sleep 1") || !strings.Contains(string(differ["labels"]), "shop") {
		t.Errorf("something got lost: %s %s", differ["containers"], differ["labels"])
	}
	// Again, by another process: nothing is written.
	writes := len(m.Writes())
	var again told
	if err := configure(t, m, nil).Deploy(t.Context(), req, again.emit); err != nil || len(m.Writes()) != writes || len(again.accepted) != 2 {
		t.Errorf("%v, %d writes, %q", err, len(m.Writes())-writes, again.events)
	}
	var back told
	if err := configure(t, m, nil).Restore(t.Context(), orchestrator.RestoreRequest{OperationID: "r", Snapshots: before, Timeout: time.Minute}, back.emit); err != nil {
		t.Fatal(err)
	}
	for i, a := range list() {
		if a.Fingerprint != before[i].Fingerprint {
			t.Errorf("%s is not as before", a.ID)
		}
	}
	var revisions []string
	if err := o.(orchestrator.Historian).ListRevisions(t.Context(), "/prod/pod", func(r orchestrator.Revision) error {
		revisions = append(revisions, r.Images[0].Image)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"r/web:2", "r/web:1", "r/web:2"}, revisions); d != "" {
		t.Error(d)
	}
}

func TestAPodThatFails(t *testing.T) {
	for _, c := range []struct {
		name      string
		behaviour marathontest.Behaviour
		code      fault.Code
		says      string
	}{
		{"unhealthy", marathontest.Behaviour{Unhealthy: true}, fault.Unhealthy, "not healthy"},
		{"crash loop", marathontest.Behaviour{CrashLoop: true, Message: "no database"}, fault.Doomed, "no database"},
		{"no image", marathontest.Behaviour{PullFails: true}, fault.Doomed, "cannot get an image"},
		{"no offers", marathontest.Behaviour{NoOffers: true}, fault.Unhealthy, "CPUs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := start(t, marathontest.Options{})
			addPod(t, m, "/pod")
			c.behaviour.Tag = "1"
			m.Script(c.behaviour)
			req := orchestrator.DeployRequest{OperationID: "op", Timeout: time.Minute, Changes: []orchestrator.Change{{App: "/pod", Container: "web", To: "r/web:1"}}}
			var got told
			err := configure(t, m, nil).Deploy(t.Context(), req, got.emit)
			if !fault.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %s: %v", fault.CodeOf(err), err)
			}
			if err := configure(t, m, nil).(orchestrator.Canceler).Cancel(t.Context(), orchestrator.CancelRequest{OperationID: "op"}); err != nil || m.Running() > 0 {
				t.Errorf("cancel: %v", err)
			}
		})
	}
}

func TestALostAnswerOfAPodIsReadBack(t *testing.T) {
	m := start(t, marathontest.Options{})
	addPod(t, m, "/pod")
	m.Inject(marathontest.LostAnswer("PUT", "/v2/pods/*"))
	req := orchestrator.DeployRequest{OperationID: "op", Timeout: time.Minute, Changes: []orchestrator.Change{{App: "/pod", Container: "web", To: "r/web:1"}}}
	var got told
	if err := configure(t, m, nil).Deploy(t.Context(), req, got.emit); err != nil {
		t.Fatal(err)
	}
	if len(got.accepted) != 1 || strings.HasPrefix(got.accepted[0].DeploymentID, "version:") {
		t.Errorf("got %+v", got.accepted)
	}
}

func TestARefusedPodAfterAcceptedAppsIsIndeterminate(t *testing.T) {
	m := start(t, marathontest.Options{})
	addPod(t, m, "/pod")
	add(t, m, "/a", "r/a:2", nil)
	m.Inject(marathontest.Fault{Method: "PUT", Status: 422, Body: `{"message":"Object is not valid"}`})
	req := orchestrator.DeployRequest{OperationID: "op", Timeout: time.Minute, Changes: []orchestrator.Change{
		{App: "/pod", Container: "web", To: "r/web:1"}, {App: "/a", To: "r/a:1"},
	}}
	var got told
	err := configure(t, m, nil).Deploy(t.Context(), req, got.emit)
	if f := fault.Of(err); f == nil || f.Code != fault.Indeterminate || !cmp.Equal(f.Deployments, got.ids()) || len(got.accepted) != 1 {
		t.Errorf("got %v, %q", err, got.events)
	}
}
