package orchestratormarathon_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// What others do after a snapshot is put back too, whichever way Marathon's merge leaves.
func TestRestorePutsBackWhatOthersChanged(t *testing.T) {
	for _, p := range marathontest.Profiles() {
		for _, c := range []struct {
			name, method, path, body string
			logs                     int
		}{
			{"a member gets another value", "PUT", "/v2/apps/a", `{"mem":512,"env":{"OTHER":"1"}}`, 0},
			{"a list is added", "PUT", "/v2/apps/a", `{"constraints":[["hostname","UNIQUE"]]}`, 0},
			{"a number of instances", "PUT", "/v2/apps/a", `{"instances":5}`, 0},
			{"a member is added that cannot be emptied", "PUT", "/v2/apps/a", `{"cmd":"sleep 1"}`, 0},
			{"the container loses what a merge resets", "PUT", "/v2/apps/a", `{"container":{"docker":{"image":"r/a:9"}}}`, 0},
			{"the app is removed", "DELETE", "/v2/apps/a", "", 0},
		} {
			t.Run(string(p)+" "+c.name, func(t *testing.T) {
				m := start(t, marathontest.Options{Profile: p})
				add(t, m, "/a", "r/a:2", map[string]any{"executorResources": map[string]any{"cpus": 0.2}})
				add(t, m, "/b", "r/b:2", nil)
				o := configure(t, m, nil)
				before, err := o.Snapshot(t.Context(), []string{"/a", "/b"})
				if err != nil {
					t.Fatal(err)
				}
				was := document(t, m, "/a")
				put(t, m, c.method, c.path, c.body)
				if !m.Settle(time.Minute) {
					t.Fatal("it does not settle")
				}
				var got told
				if err := o.Restore(t.Context(), orchestrator.RestoreRequest{OperationID: "r", Snapshots: before, Timeout: time.Minute}, got.emit); err != nil {
					t.Fatal(err)
				}
				differ := was.Differences(document(t, m, "/a"))
				if c.method == "DELETE" {
					// A new app gets the defaults of what its old definition did not say.
					differ = slices.DeleteFunc(differ, func(k string) bool { return was[k] == nil || k == "container" })
				}
				if len(differ) > 0 {
					t.Errorf("differs in %v:\n%s", differ, m.App("/a"))
				}
				if len(got.accepted) != 1 || len(got.accepted[0].Apps) != 1 || len(got.logs) != c.logs {
					t.Errorf("got %+v, %q", got.accepted, got.logs)
				}
			})
		}
	}
}

func TestRestoreRefusesForeignSnapshots(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	add(t, m, "/b", "r/b:2", nil)
	o := configure(t, m, nil)
	good, err := o.Snapshot(t.Context(), []string{"/a"})
	if err != nil {
		t.Fatal(err)
	}
	wrong := good[0]
	wrong.App = "/b"
	for _, snaps := range [][]orchestrator.Snapshot{nil, {{App: "/a", Data: []byte("{}")}}, {{App: "/a", Data: []byte("garbage")}}, {wrong}, {good[0], good[0]}} {
		if err := o.Restore(t.Context(), orchestrator.RestoreRequest{OperationID: "r", Snapshots: snaps}, (&told{}).emit); !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v", err)
		}
	}
	if len(m.Writes()) > 0 {
		t.Error("something was written")
	}
}

func TestARestoreThatIsBusyNamesTheHolder(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	o := configure(t, m, nil)
	before, err := o.Snapshot(t.Context(), []string{"/a"})
	if err != nil {
		t.Fatal(err)
	}
	m.Script(marathontest.Behaviour{Tag: "1", NoOffers: true})
	put(t, m, "PUT", "/v2/apps/a", `{"container":{"type":"DOCKER","docker":{"image":"r/a:1"}}}`)
	err = o.Restore(t.Context(), orchestrator.RestoreRequest{OperationID: "r", Snapshots: before, Timeout: time.Minute}, (&told{}).emit)
	if f := fault.Of(err); f == nil || f.Code != fault.Busy || len(f.Deployments) != 1 {
		t.Errorf("got %v", err)
	}
}

func TestWhatMarathonHasForgottenAndCannotRemoveIsSaid(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	o := configure(t, m, nil)
	before, err := o.Snapshot(t.Context(), []string{"/a"})
	if err != nil {
		t.Fatal(err)
	}
	put(t, m, "PUT", "/v2/apps/a", `{"cmd":"sleep 1","mem":99}`)
	m.Settle(time.Minute)
	m.Inject(marathontest.Fault{Path: "/v2/apps/a/versions/*", Times: -1, Status: 404, Body: `{"message":"App '/a' does not exist in version x"}`})
	var got told
	if err := o.Restore(t.Context(), orchestrator.RestoreRequest{OperationID: "r", Snapshots: before, Timeout: time.Minute}, got.emit); err != nil {
		t.Fatal(err)
	}
	if len(got.logs) != 1 || !strings.Contains(got.logs[0], "cmd was added since the snapshot and stays") {
		t.Errorf("logs: %q", got.logs)
	}
	if string(document(t, m, "/a")["mem"]) != "64" {
		t.Error("the rest was not put back")
	}
}
