package marathontest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// world is a server with a terse client.
type world struct {
	*marathontest.Server
	t *testing.T
}

func newWorld(t *testing.T, opts marathontest.Options) world {
	t.Helper()
	s, err := marathontest.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return world{Server: s, t: t}
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request to the handler itself.
func (w world) do(method, path, body string, header ...string) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return answer{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
}

// want demands a status.
func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d; body: %s", a.status, status, a.body)
	}
	return a
}

// at walks into a JSON document: keys and indexes joined by dots.
func (a answer) at(t *testing.T, path string) any {
	t.Helper()
	return at(t, decode(t, a.body), path)
}

func at(t *testing.T, v any, path string) any {
	t.Helper()
	if path == "" {
		return v
	}
	head, rest, _ := strings.Cut(path, ".")
	switch x := v.(type) {
	case map[string]any:
		return at(t, x[head], rest)
	case []any:
		var i int
		if _, err := fmt.Sscan(head, &i); err != nil || i >= len(x) {
			t.Fatalf("no element %s in %v", head, x)
		}
		return at(t, x[i], rest)
	}
	t.Fatalf("nothing at %s in %v", path, v)
	return nil
}

func decode(t *testing.T, s string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil && err != io.EOF {
		t.Fatalf("no JSON: %v: %s", err, s)
	}
	return v
}

// seed adds an app that runs an image.
func (w world) seed(id, image string, extra ...string) {
	w.t.Helper()
	more := ""
	for _, e := range extra {
		more += "," + e
	}
	err := w.AddApp(json.RawMessage(fmt.Sprintf(`{"id":%q,"instances":2,"cpus":0.1,"mem":32,`+
		`"container":{"type":"DOCKER","volumes":[],"docker":{"image":%q,"forcePullImage":false,"privileged":false,"parameters":[]}},`+
		`"upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":1}%s}`, id, image, more)))
	if err != nil {
		w.t.Fatal(err)
	}
}

const health = `"healthChecks":[{"protocol":"HTTP","path":"/","maxConsecutiveFailures":3}]`

// put sends the body that changes an app's image and nothing else.
func image(id, image string) string {
	return fmt.Sprintf(`{"id":%q,"container":{"type":"DOCKER","volumes":[],"docker":{"image":%q,"forcePullImage":false,"privileged":false,"parameters":[]}}}`, id, image)
}

func TestBulkPatchRollsSeveralAppsInOneDeployment(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/prod/a", "reg/a:2", health)
	w.seed("/prod/b", "reg/b:2", health)
	got := w.do("PATCH", "/v2/apps", "["+image("/prod/a", "reg/a:1")+","+image("/prod/b", "reg/b:1")+"]").want(t, 200)
	id := got.at(t, "deploymentId")
	if got.header.Get("Marathon-Deployment-Id") != id {
		t.Errorf("header %q, body %q", got.header.Get("Marathon-Deployment-Id"), id)
	}
	list := w.do("GET", "/v2/deployments", "")
	if diff := cmp.Diff([]any{"/prod/a", "/prod/b"}, list.at(t, "0.affectedApps")); diff != "" {
		t.Error(diff)
	}
	app := w.do("GET", "/v2/apps/prod/a", "")
	if v := app.at(t, "app.version"); v != got.at(t, "version") {
		t.Errorf("app.version %v is not the answer's %v", v, got.at(t, "version"))
	}
	if diff := cmp.Diff(map[string]int{"reg/a:2": 2}, w.RunningImages("/prod/a")); diff != "" {
		t.Error("the definition is visible before a task runs it", diff)
	}
	start := w.Now()
	if !w.Settle(time.Minute) {
		t.Fatal("the deployment does not end")
	}
	t.Logf("took %s of virtual time", w.Now().Sub(start))
	if diff := cmp.Diff(map[string]int{"reg/a:1": 2}, w.RunningImages("/prod/a")); diff != "" {
		t.Error(diff)
	}
	if n := w.do("GET", "/v2/apps/prod/a", "").at(t, "app.tasksHealthy"); n != json.Number("2") {
		t.Errorf("tasksHealthy = %v", n)
	}
}
