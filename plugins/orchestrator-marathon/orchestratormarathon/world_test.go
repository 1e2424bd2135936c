package orchestratormarathon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/orchestratormarathon"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// block is a policy's block; what is left out is null.
type block map[string]any

func blockConfig(t testing.TB, b block) schema.Config {
	t.Helper()
	values := map[string]any{}
	for _, a := range orchestratormarathon.Plugin().Describe().Schema.Attributes {
		values[a.Name] = nil
	}
	for k, v := range b {
		if _, ok := values[k]; !ok {
			t.Fatalf("the schema has no attribute %s", k)
		}
		values[k] = v
	}
	raw, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return schema.Config{JSON: raw}
}

// quick repeats reads at once.
func quick() orchestratormarathon.Options {
	return orchestratormarathon.Options{FirstWait: time.Millisecond, LongestWait: 5 * time.Millisecond}
}

// stepped lets the server's time pass only while the plugin waits: nothing depends on the machine's speed.
func stepped(m *marathontest.Server) orchestratormarathon.Options {
	o := quick()
	o.Now = m.Now
	o.Pause = func(ctx context.Context, d time.Duration, _ <-chan struct{}) error {
		m.Advance(max(d, 50*time.Millisecond))
		return ctx.Err()
	}
	return o
}

func start(t testing.TB, opts marathontest.Options) *marathontest.Server {
	t.Helper()
	m, err := marathontest.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// add puts an app with a health check and two instances into the server; members change or, as nil, remove what it has.
func add(t testing.TB, m *marathontest.Server, id, image string, members map[string]any) {
	t.Helper()
	doc := map[string]any{
		"id": id, "instances": 2, "cpus": 0.1, "mem": 64,
		"container": map[string]any{
			"type":   "DOCKER",
			"docker": map[string]any{"image": image, "forcePullImage": true, "parameters": []any{map[string]any{"key": "log-opt", "value": "x"}}},
		},
		"env":             map[string]any{"SECRET": "hush-hush", "SIZE": "1.0"},
		"labels":          map[string]any{"team": "shop"},
		"healthChecks":    []any{map[string]any{"protocol": "HTTP", "path": "/health", "maxConsecutiveFailures": 3}},
		"upgradeStrategy": map[string]any{"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5},
	}
	for k, v := range members {
		if doc[k] = v; v == nil {
			delete(doc, k)
		}
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddApp(raw); err != nil {
		t.Fatal(err)
	}
}

// configure opens the plugin on a server, with its time stepped.
func configure(t testing.TB, m *marathontest.Server, b block) orchestrator.Orchestrator {
	t.Helper()
	return configureWith(t, b, m.MarathonURL(), stepped(m))
}

func configureWith(t testing.TB, b block, url string, opts orchestratormarathon.Options) orchestrator.Orchestrator {
	t.Helper()
	values := block{"url": url, "poll_interval": "1s", "events": false, "retries": 1}
	for k, v := range b {
		values[k] = v
	}
	cfg := blockConfig(t, values)
	plugin := orchestratormarathon.New(opts)
	if ds := plugin.ValidateConfig(cfg); ds.HasErrors() {
		t.Fatal(ds)
	}
	o, err := plugin.Configure(t.Context(), cfg, schema.Runtime{Logger: hclog.NewNullLogger(), Parallelism: 4, WorkDir: t.TempDir(), UserAgent: "rollback/test"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// told are the events of a call, as texts, without those whose number depends on time.
type told struct {
	events   []string
	logs     []string
	progress []string
	accepted []orchestrator.Accepted
	diags    diag.Diagnostics
}

func (r *told) emit(e orchestrator.Event) {
	switch {
	case e.Accepted != nil:
		r.accepted = append(r.accepted, *e.Accepted)
		r.events = append(r.events, fmt.Sprint("accepted ", e.Accepted.Apps))
	case e.AppHealthy != nil:
		r.events = append(r.events, "healthy "+e.AppHealthy.App+" "+e.AppHealthy.Image)
	case e.AppFailed != nil:
		r.events = append(r.events, fmt.Sprint("failed ", e.AppFailed.App, " ", e.AppFailed.Fault.Code))
	case e.Completed != nil:
		r.events = append(r.events, "completed")
	case e.Log != nil:
		r.logs = append(r.logs, e.Log.Message)
	case e.Progress != nil:
		r.progress = append(r.progress, e.Progress.App+": "+e.Progress.Message)
	case e.Diagnostic != nil:
		r.diags = append(r.diags, *e.Diagnostic)
	}
}

// ids are the deployments' ids.
func (r *told) ids() []string {
	var all []string
	for _, a := range r.accepted {
		all = append(all, a.DeploymentID)
	}
	return all
}

// request asks for images by app.
func request(id string, appsAndImages ...string) orchestrator.DeployRequest {
	req := orchestrator.DeployRequest{OperationID: id, Timeout: 5 * time.Minute}
	for i := 0; i < len(appsAndImages); i += 2 {
		req.Changes = append(req.Changes, orchestrator.Change{App: appsAndImages[i], To: appsAndImages[i+1]})
	}
	return req
}

// newServer serves a handler on loopback.
func newServer(t testing.TB, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}
