package orchestratormarathon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// document is an app's definition as the server has it.
func document(t testing.TB, m *marathontest.Server, id string) marathon.Document {
	t.Helper()
	var doc marathon.Document
	if err := json.Unmarshal(m.App(id), &doc); err != nil {
		t.Fatalf("app %s: %v", id, err)
	}
	return doc
}

func image(t testing.TB, m *marathontest.Server, id string) string {
	t.Helper()
	return document(t, m, id).Object("container").Object("docker").String("image")
}

func TestAChangeOfImageIsOneWriteAndLosesNothing(t *testing.T) {
	for _, p := range marathontest.Profiles() {
		t.Run(string(p), func(t *testing.T) {
			m := start(t, marathontest.Options{Profile: p})
			add(t, m, "/ds/prod/a", "r/a:2", map[string]any{
				"executorResources": map[string]any{"cpus": 0.1, "mem": 32, "disk": 10},
				"resourceLimits":    map[string]any{"cpus": 2, "mem": 128},
				"unheardOf":         map[string]any{"number": json.RawMessage("12345678901234567890.10")},
			})
			add(t, m, "/ds/prod/ucr", "r/ucr:2", map[string]any{
				"container": map[string]any{
					"type":         "MESOS",
					"docker":       map[string]any{"image": "r/ucr:2", "pullConfig": map[string]any{"secret": "pull"}},
					"volumes":      []any{map[string]any{"containerPath": "/x", "hostPath": "/y", "mode": "RO"}},
					"portMappings": []any{map[string]any{"containerPort": 80, "servicePort": 10123, "name": "http"}},
					"linuxInfo":    map[string]any{"seccomp": map[string]any{"unconfined": true}},
				},
				"healthChecks": nil, "labels": nil,
			})
			add(t, m, "/ds/prod/c", "r/c:2", nil)
			before := map[string]marathon.Document{}
			for _, id := range []string{"/ds/prod/a", "/ds/prod/ucr", "/ds/prod/c"} {
				before[id] = document(t, m, id)
			}
			o := configure(t, m, nil)
			req := request("op", "/ds/prod/a", "r/a:1", "/ds/prod/ucr", "r/ucr:1@sha256:abc")
			req.Labels = map[string]string{"rollback.to": "2019-06-01"}
			var got told
			if err := o.Deploy(t.Context(), req, got.emit); err != nil {
				t.Fatal(err)
			}
			want := []string{"accepted [/ds/prod/a /ds/prod/ucr]", "healthy", "healthy", "completed"}
			if len(got.events) != 4 || got.events[0] != want[0] || got.events[3] != want[3] {
				t.Errorf("got %q", got.events)
			}
			writes := m.Writes()
			method := http.MethodPatch
			if v, err := marathon.ParseVersion(string(p)); err != nil || !v.HasPatch() {
				method = http.MethodPut
			}
			if len(writes) != 1 || writes[0].Method != method || writes[0].Path != "/v2/apps" || len(writes[0].Query) > 0 || writes[0].ContentLength <= 0 {
				t.Fatalf("writes: %+v", writes)
			}
			for id, was := range before {
				now := document(t, m, id)
				differ := was.Differences(now)
				slices.Sort(differ)
				want := []string{"container", "labels"}
				if id == "/ds/prod/c" {
					want = nil
				}
				if d := cmp.Diff(want, differ); d != "" {
					t.Errorf("%s: %s", id, d)
				}
				expect := was.Object("container")
				if id != "/ds/prod/c" {
					docker := expect.Object("docker")
					docker["image"] = now.Object("container").Object("docker")["image"]
					expect["docker"] = marathon.Raw(docker)
				}
				if !marathon.Same("container", marathon.Raw(expect), now["container"]) {
					t.Errorf("%s: the container has lost something: %s", id, now["container"])
				}
			}
			labels := document(t, m, "/ds/prod/a").Object("labels")
			if labels.String("team") != "shop" || labels.String("rollback.to") != "2019-06-01" || labels.String("rollback.operation") != "op" {
				t.Errorf("labels: %s", marathon.Raw(labels))
			}
			if d := cmp.Diff(map[string]int{"r/a:1": 2}, m.RunningImages("/ds/prod/a")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestHealthyIsWhatRunsNotWhatIsDefined(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", map[string]any{"healthChecks": nil})
	o := configure(t, m, nil)
	var got told
	err := o.Deploy(t.Context(), request("op", "/a", "r/a:1"), func(e orchestrator.Event) {
		got.emit(e)
		if e.AppHealthy != nil {
			if running := m.RunningImages("/a"); running["r/a:1"] != 2 || running["r/a:2"] != 0 {
				t.Errorf("healthy with %v", running)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"accepted [/a]", "healthy /a r/a:1", "completed"}, got.events); d != "" {
		t.Error(d)
	}
	if m.Running() != 0 {
		t.Error("completed while the deployment is under way")
	}
	if len(got.progress) == 0 || !strings.Contains(got.progress[0], "of 2 new instances") {
		t.Errorf("progress: %q", got.progress)
	}
}

func TestNothingRunningIsHealthyAndSaid(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", map[string]any{"instances": 0})
	var got told
	if err := configure(t, m, nil).Deploy(t.Context(), request("op", "/a", "r/a:1"), got.emit); err != nil {
		t.Fatal(err)
	}
	if len(got.logs) != 1 || !strings.Contains(got.logs[0], "0 instances") {
		t.Errorf("logs: %q", got.logs)
	}
}

func TestAnOperationIsCarriedOutOnceAlsoByAnotherProcess(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	add(t, m, "/b", "r/b:2", nil)
	req := request("op", "/a", "r/a:1", "/b", "r/b:1")
	ctx, cancel := context.WithCancel(t.Context())
	var first, second, third told
	err := configure(t, m, nil).Deploy(ctx, req, func(e orchestrator.Event) {
		first.emit(e)
		if e.Accepted != nil {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("a cancelled call succeeded")
	}
	if err := configure(t, m, nil).Deploy(t.Context(), req, second.emit); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first.accepted, second.accepted); d != "" {
		t.Error(d)
	}
	// The deployment has ended, and Marathon has forgotten its id.
	if err := configure(t, m, nil).Deploy(t.Context(), req, third.emit); err != nil {
		t.Fatal(err)
	}
	if len(third.accepted) != 1 || !strings.HasPrefix(third.accepted[0].DeploymentID, "version:") {
		t.Errorf("got %+v", third.accepted)
	}
	if n := len(m.Writes()); n != 1 {
		t.Errorf("%d writes", n)
	}
	// An app that somebody has changed since is not changed back.
	if err := configure(t, m, nil).Deploy(t.Context(), request("other", "/a", "r/a:3"), (&told{}).emit); err != nil {
		t.Fatal(err)
	}
	if err := configure(t, m, nil).Deploy(t.Context(), req, (&told{}).emit); !fault.Is(err, fault.Drifted) {
		t.Errorf("got %v", err)
	}
}

func TestALostAnswerIsReadBack(t *testing.T) {
	const apps = "/v2/apps"
	for _, c := range []struct {
		name    string
		profile marathontest.Profile
		fault   marathontest.Fault
		code    fault.Code
		changed bool
	}{
		{"the connection breaks after the change", "", marathontest.LostAnswer("PATCH", apps), "", true},
		{"futures timed out although it is done", marathontest.Profile15, marathontest.FuturesTimedOut("PATCH", apps), "", true},
		{"200 without a body", marathontest.Profile016, marathontest.EmptyOK("PUT", apps), "", true},
		{"the answer is cut off", "", marathontest.Fault{Method: "PATCH", Path: apps, Kind: marathontest.FaultTruncate}, "", true},
		{"a page of a proxy after the change", "", marathontest.Fault{
			Method: "PATCH", Path: apps, After: true, Status: 502, Body: "<html>bad gateway</html>", Header: http.Header{"Content-Type": {"text/html"}},
		}, "", true},
		{"garbage instead of an answer", "", marathontest.Fault{Method: "PATCH", Path: apps, After: true, Kind: marathontest.FaultGarbage}, "", true},
		{"the connection breaks before the change", "", marathontest.Fault{Method: "PATCH", Path: apps, Kind: marathontest.FaultClose}, fault.Indeterminate, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := start(t, marathontest.Options{Profile: c.profile})
			add(t, m, "/a", "r/a:2", nil)
			add(t, m, "/b", "r/b:2", nil)
			m.Inject(c.fault)
			var got told
			err := configure(t, m, nil).Deploy(t.Context(), request("op", "/a", "r/a:1", "/b", "r/b:1"), got.emit)
			if code := fault.CodeOf(err); code != c.code {
				t.Fatalf("%v is %q, want %q", err, code, c.code)
			}
			if changed := image(t, m, "/a") == "r/a:1"; changed != c.changed {
				t.Errorf("changed = %v", changed)
			}
			if n := len(m.Writes()); n != 1 {
				t.Errorf("%d writes: a change was repeated", n)
			}
			if c.code == "" && (len(got.accepted) != 1 || got.accepted[0].DeploymentID == "") {
				t.Errorf("got %+v", got.accepted)
			}
		})
	}
}

func TestARefusedChangeChangesNothing(t *testing.T) {
	answer := func(status int, body string) marathontest.Fault {
		return marathontest.Fault{Method: "PATCH", Status: status, Body: body, Header: http.Header{"Content-Type": {"application/json"}}}
	}
	for _, c := range []struct {
		name  string
		fault marathontest.Fault
		code  fault.Code
		says  string
	}{
		{"401", marathontest.Page("PATCH", "/v2/apps", 401), fault.Unauthenticated, "401"},
		{"403", answer(403, `{"message":"Not Authorized to perform this action!"}`), fault.PermissionDenied, "Not Authorized"},
		{"404 of Marathon", answer(404, `{"message":"App '/a' does not exist"}`), fault.NotFound, "does not exist"},
		{"404 of a proxy", marathontest.Page("PATCH", "/v2/apps", 404), fault.Unavailable, "404"},
		{"409 that is no lock", answer(409, `{"message":"An app with id [/a] already exists."}`), fault.Invalid, "already exists"},
		{"422", answer(422, `{"message":"Object is not valid","details":[{"path":"/container","errors":["not defined"]}]}`), fault.Invalid, "/container not defined"},
		{"422 with a text", answer(422, `{"message":"Invalid JSON","details":"Unexpected character"}`), fault.Invalid, "Unexpected character"},
		{"422 of before 0.15", answer(422, `{"message":"Bean is not valid","errors":[{"attribute":"cpus","error":"too small"}]}`), fault.Invalid, "cpus too small"},
		{"429", marathontest.Fault{Method: "PATCH", Status: 429, Header: http.Header{"Retry-After": {"7"}}}, fault.RateLimited, "429"},
		{"too many at once", marathontest.TooManyRequests("PATCH", "/v2/apps"), fault.RateLimited, "concurrent"},
		{"too many deployments", answer(403, `{"message":"Max number (100) of running deployments is achieved."}`), fault.Busy, "Max number"},
		{"no leader", marathontest.Fault{Method: "PATCH", Status: 503, Body: "<html><pre>Could not determine the current leader</pre></html>"}, fault.Unavailable, "current leader"},
		{"405", marathontest.Page("PATCH", "/v2/apps", 405), fault.Unsupported, "405"},
		{"a redirect", marathontest.Fault{Method: "PATCH", Status: 302, Header: http.Header{"Location": {"https://login.example.com/?next=x"}}}, fault.Unavailable, "https://login.example.com/"},
		{"control characters", answer(422, `{"message":"\u001b[2Jgone"}`), fault.Invalid, "\ufffd[2Jgone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := start(t, marathontest.Options{})
			add(t, m, "/a", "r/a:2", nil)
			m.Inject(c.fault)
			var got told
			err := configure(t, m, nil).Deploy(t.Context(), request("op", "/a", "r/a:1"), got.emit)
			if !fault.Is(err, c.code) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "/a") {
				t.Errorf("got %q: %v", fault.CodeOf(err), err)
			}
			if len(got.events) > 0 || image(t, m, "/a") != "r/a:2" || len(m.Writes()) != 1 {
				t.Errorf("events %q, image %s, %d writes", got.events, image(t, m, "/a"), len(m.Writes()))
			}
			if c.name == "429" && fault.Of(err).RetryAfter != 7*time.Second {
				t.Errorf("retry after %s", fault.Of(err).RetryAfter)
			}
		})
	}
}

func TestAnAppOfSomebodyElseCanMakeAChangeInvalid(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	add(t, m, "/foreign", "r/f:2", nil)
	m.Spoil("/foreign", "/apps(0)/cpus", "must be positive")
	err := configure(t, m, nil).Deploy(t.Context(), request("op", "/a", "r/a:1"), (&told{}).emit)
	if f := fault.Of(err); f == nil || f.Code != fault.Invalid || !strings.Contains(f.Hint, "another app") {
		t.Errorf("got %v", err)
	}
}

func TestDriftedChangesNothing(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	add(t, m, "/b", "r/b:2", nil)
	o := configure(t, m, nil)
	req := request("op", "/a", "r/a:1", "/b", "r/b:1")
	err := o.ListApps(t.Context(), orchestrator.ListRequest{}, func(a orchestrator.App) error {
		for i := range req.Changes {
			if req.Changes[i].App == a.ID {
				req.Changes[i].ExpectedFingerprint = a.Fingerprint
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, m, "PUT", "/v2/apps/b", `{"env":{"NEW":"1"}}`)
	m.Settle(time.Minute)
	m.ForgetRequests()
	if err := o.Deploy(t.Context(), req, (&told{}).emit); !fault.Is(err, fault.Drifted) || !strings.Contains(err.Error(), "/b") {
		t.Errorf("got %v", err)
	}
	if len(m.Writes()) > 0 {
		t.Error("something was written")
	}
}

// put does what somebody else would.
func put(t testing.TB, m *marathontest.Server, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, m.MarathonURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatal(method, path, resp.Status)
	}
}

func TestWhatCannotBeChangedIsRefused(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/cmd", "", map[string]any{"container": nil, "cmd": "sleep 1000"})
	add(t, m, "/resident", "r/db:2", map[string]any{"residency": map[string]any{"taskLostBehavior": "WAIT_FOREVER"}})
	o := configure(t, m, nil)
	for _, c := range []struct {
		app, container, to string
		code               fault.Code
	}{
		{"/cmd", "", "r/x:1", fault.Unsupported},
		{"/resident", "", "r/db:1", fault.Unsupported},
		{"/none", "", "r/x:1", fault.NotFound},
		{"/resident", "sidecar", "r/x:1", fault.Unsupported},
		{"", "", "r/x:1", fault.Invalid},
	} {
		req := orchestrator.DeployRequest{OperationID: "op", Changes: []orchestrator.Change{{App: c.app, Container: c.container, To: c.to}}}
		if err := o.Deploy(t.Context(), req, (&told{}).emit); !fault.Is(err, c.code) {
			t.Errorf("%s: %v", c.app, err)
		}
	}
	immutable := map[string]string{}
	if err := o.ListApps(t.Context(), orchestrator.ListRequest{}, func(a orchestrator.App) error {
		immutable[a.ID] = a.Immutable
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(immutable["/cmd"], "command") || !strings.Contains(immutable["/resident"], "resident") {
		t.Errorf("%q", immutable)
	}
	if len(m.Writes()) > 0 {
		t.Error("something was written")
	}
}

func TestTwoHundredAppsAreOneDeployment(t *testing.T) {
	m := start(t, marathontest.Options{})
	req := orchestrator.DeployRequest{OperationID: "op", Timeout: time.Hour}
	for i := range 200 {
		id := fmt.Sprintf("/ds/prod/shop/app-%d", i)
		add(t, m, id, "r/app:2", nil)
		req.Changes = append(req.Changes, orchestrator.Change{App: id, To: "r/app:1"})
	}
	var got told
	if err := configure(t, m, nil).Deploy(t.Context(), req, got.emit); err != nil {
		t.Fatal(err)
	}
	if len(got.accepted) != 1 || len(got.accepted[0].Apps) != 200 || len(got.events) != 202 || len(m.Writes()) != 1 {
		t.Errorf("%d deployments, %d events, %d writes", len(got.accepted), len(got.events), len(m.Writes()))
	}
	if n := len(m.Requests()); n > 100 {
		t.Errorf("%d requests", n)
	}
}
