package orchestratorfile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

const twoApps = `{
  "format_version": "1",
  "registry": {"address": "r", "repos": {}},
  "orchestrator": {
    "apps": {
      "/ds/prod/a": {"image": "r/a:2-master", "instances": 2, "env": {"SECRET": "hush"}},
      "/ds/prod/b": {"image": "r/b:2-master", "depends_on": ["/ds/prod/a"]},
      "/ds/prod2/a": {"image": "r/a:2-master"}
    },
    "failures": [%s]
  }
}`

// open configures the plugin on a world of its own.
func open(t *testing.T, failures string) (orchestrator.Orchestrator, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "world.json")
	if err := os.WriteFile(path, fmt.Appendf(nil, twoApps, failures), 0o600); err != nil {
		t.Fatal(err)
	}
	return reopen(t, path), path
}

func reopen(t *testing.T, path string) orchestrator.Orchestrator {
	t.Helper()
	cfg, err := json.Marshal(map[string]any{"path": path, "tick": "1ms"})
	if err != nil {
		t.Fatal(err)
	}
	p := orchestratorfile.New(orchestratorfile.Options{Crash: func() {}})
	o, err := p.Configure(t.Context(), schema.Config{JSON: cfg}, schema.Runtime{Logger: hclog.NewNullLogger(), Parallelism: 1})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func request(id string, tags ...string) orchestrator.DeployRequest {
	req := orchestrator.DeployRequest{OperationID: id, Timeout: time.Minute}
	for i, tag := range tags {
		name := string(rune('a' + i))
		req.Changes = append(req.Changes, orchestrator.Change{App: "/ds/prod/" + name, To: "r/" + name + ":" + tag})
	}
	return req
}

// record renders events without those whose number depends on time.
func record(events *[]string) func(orchestrator.Event) {
	return func(e orchestrator.Event) {
		switch {
		case e.Accepted != nil:
			*events = append(*events, fmt.Sprint("accepted ", e.Accepted.DeploymentID, e.Accepted.Apps))
		case e.AppHealthy != nil:
			*events = append(*events, "healthy "+e.AppHealthy.App+" "+e.AppHealthy.Image)
		case e.AppFailed != nil:
			*events = append(*events, fmt.Sprint("failed ", e.AppFailed.App, " ", e.AppFailed.Fault.Code))
		case e.Completed != nil:
			*events = append(*events, "completed")
		}
	}
}

func images(t *testing.T, o orchestrator.Orchestrator) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := o.ListApps(t.Context(), orchestrator.ListRequest{}, func(a orchestrator.App) error {
		m[a.ID] = a.Images[0].Image
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDeploy(t *testing.T) {
	healthy := []string{
		"accepted deployment-1[/ds/prod/a /ds/prod/b]",
		"healthy /ds/prod/a r/a:1-master", "healthy /ds/prod/b r/b:1-master", "completed",
	}
	cases := []struct {
		name, failures string
		want           []string
		code           fault.Code
		changed        bool
	}{
		{name: "all become healthy", want: healthy, changed: true},
		{name: "slow is not failed", failures: `{"app":"/ds/prod/a","do":"slow_start","factor":3}`, want: healthy, changed: true},
		{name: "a crash loop ends at once", failures: `{"app":"/ds/prod/a","tag":"1-master","do":"doomed"}`, want: []string{healthy[0], "failed /ds/prod/a doomed"}, code: fault.Doomed, changed: true},
		{name: "a scripted tag does not concern others", failures: `{"app":"/ds/prod/a","tag":"9-master","do":"doomed"}`, want: healthy, changed: true},
		{name: "busy changes nothing", failures: `{"app":"/ds/prod/b","do":"busy"}`, code: fault.Busy},
		{name: "unavailable changes nothing", failures: `{"call":"deploy","do":"unavailable"}`, code: fault.Unavailable},
		{name: "the second call is not the first", failures: `{"call":"deploy","nth":2,"do":"unavailable"}`, want: healthy, changed: true},
		{name: "a lost answer is indeterminate", failures: `{"call":"deploy","do":"indeterminate"}`, code: fault.Indeterminate, changed: true},
		{name: "a crash before the deployment", failures: `{"do":"crash","at":"before_accept"}`, code: fault.Indeterminate},
		{name: "a crash that the host has not heard before", failures: `{"do":"crash","at":"unanswered"}`, code: fault.Indeterminate, changed: true},
		{name: "a crash after the host was told", failures: `{"do":"crash","at":"after_accept"}`, want: healthy[:1], code: fault.Indeterminate, changed: true},
		{name: "a crash when all is done", failures: `{"do":"crash","at":"after_done"}`, want: healthy[:3], code: fault.Indeterminate, changed: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, _ := open(t, c.failures)
			var got []string
			err := o.Deploy(t.Context(), request("op", "1-master", "1-master"), record(&got))
			if code := fault.CodeOf(err); code != c.code {
				t.Errorf("error %v is %q, want %q", err, code, c.code)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if changed := images(t, o)["/ds/prod/a"] == "r/a:1-master"; changed != c.changed {
				t.Errorf("changed = %v", changed)
			}
		})
	}
}

func TestUnhealthyAndStuckEndByTimeout(t *testing.T) {
	for _, fate := range []string{"unhealthy", "stuck"} {
		o, _ := open(t, `{"app":"/ds/prod/a","do":"`+fate+`"}`)
		req := request("op", "1-master")
		req.Timeout = 20 * time.Millisecond
		var got []string
		if err := o.Deploy(t.Context(), req, record(&got)); !fault.Is(err, fault.Unhealthy) {
			t.Errorf("%s: %v", fate, err)
		}
		want := []string{"accepted deployment-1[/ds/prod/a]", "failed /ds/prod/a unhealthy"}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(fate, d)
		}
		err := o.Deploy(t.Context(), request("another", "3-master"), record(&got))
		if f := fault.Of(err); f == nil || f.Code != fault.Busy || !cmp.Equal(f.Deployments, []string{"deployment-1"}) {
			t.Errorf("%s: the deployment still holds the app, but the next gave %v", fate, err)
		}
	}
}

func TestAnOperationIsCarriedOutOnce(t *testing.T) {
	o, path := open(t, `{"call":"deploy","nth":1,"do":"indeterminate"}`)
	var got []string
	if err := o.Deploy(t.Context(), request("op", "1-master"), record(&got)); !fault.Is(err, fault.Indeterminate) {
		t.Fatal(err)
	}
	if err := reopen(t, path).Deploy(t.Context(), request("op", "1-master"), record(&got)); err != nil {
		t.Fatal(err)
	}
	want := []string{"accepted deployment-1[/ds/prod/a]", "healthy /ds/prod/a r/a:1-master", "completed"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := o.Deploy(t.Context(), request("op", "2-master"), record(&got)); !fault.Is(err, fault.Invalid) {
		t.Errorf("the same operation with other changes gave %v", err)
	}
}

func TestRestorePutsBackWhatCancelLeft(t *testing.T) {
	o, path := open(t, `{"app":"/ds/prod/a","tag":"1-master","do":"stuck"}`)
	before, err := o.Snapshot(t.Context(), []string{"/ds/prod/b", "/ds/prod/a"})
	if err != nil {
		t.Fatal(err)
	}
	req := request("op", "1-master")
	req.Labels = map[string]string{"rollback": "op"}
	ctx, cancel := context.WithCancel(t.Context())
	err = o.Deploy(ctx, req, func(e orchestrator.Event) {
		if e.Accepted != nil {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("a cancelled call succeeded")
	}
	stop := orchestrator.CancelRequest{OperationID: "op", DeploymentIDs: []string{"deployment-1", "long-gone"}}
	if err := o.(orchestrator.Canceler).Cancel(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = reopen(t, path).Restore(t.Context(), orchestrator.RestoreRequest{OperationID: "op-restore", Snapshots: before, Timeout: time.Minute}, record(&got))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"accepted deployment-2[/ds/prod/a]", "healthy /ds/prod/b r/b:2-master", "healthy /ds/prod/a r/a:2-master", "completed"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	after, err := o.Snapshot(t.Context(), []string{"/ds/prod/b", "/ds/prod/a"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, after); d != "" {
		t.Error(d)
	}
}

func TestTheRestOfTheWorldStays(t *testing.T) {
	o, path := open(t, "")
	if err := o.Deploy(t.Context(), request("op", "1-master"), func(orchestrator.Event) {}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var w map[string]any
	if err := json.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]any{"address": "r", "repos": map[string]any{}}, w["registry"]); d != "" {
		t.Error(d)
	}
	left, err := filepath.Glob(path + ".tmp-*")
	if err != nil || len(left) > 0 {
		t.Error("temporary files are left over:", left, err)
	}
}
