package marathontest_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// FuzzWrite sends any body to any place that takes one. The server never
// fails, and what it refuses changes nothing.
func FuzzWrite(f *testing.F) {
	places := []string{
		"PUT /v2/apps/a", "PUT /v2/apps", "PATCH /v2/apps", "POST /v2/apps", "PUT /v2/groups", "PUT /v2/groups/g",
		"POST /v2/pods", "PUT /v2/pods/p", "PUT /v2/apps/a?partialUpdate=false&force=true",
	}
	for i, body := range []string{
		`{"cmd":"x"}`, `[{"id":"/a","container":{"docker":{"image":"x"}}}]`, `{"id":"/g","apps":[{"id":"a"}],"groups":[{"id":"h"}]}`,
		`{"id":"/p","containers":[{"name":"one"}]}`, `[{"id":1}]`, `{"version":"2019-01-01T00:00:00Z"}`, `{"instances":1e300}`,
		`{"uris":["x"],"ports":[0,1],"ipAddress":{"networkName":"n"},"container":{"docker":{"network":"BRIDGE","portMappings":[{}]}}}`,
		`null`, ``, `{"id":"/a/../b","dependencies":[".."]}`, `{"upgradeStrategy":{"minimumHealthCapacity":2}}`, `{"scaleBy":-1}`,
	} {
		f.Add(uint8(i), uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, place, profile uint8, body string) {
		all := marathontest.Profiles()
		w := newWorld(t, marathontest.Options{Profile: all[int(profile)%len(all)]})
		w.seed("/a", "reg/a:2", health)
		before := string(w.App("/a"))
		method, path, _ := strings.Cut(places[int(place)%len(places)], " ")
		got := w.do(method, path, body)
		if got.status >= 500 && !strings.Contains(got.body, "URI not found") {
			t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
		}
		if got.status >= 400 && before != string(w.App("/a")) {
			t.Errorf("%s %s: refused, but the app has changed", method, path)
		}
		w.Advance(3 * time.Second)
		for _, read := range []string{"/v2/apps?embed=apps.tasks", "/v2/groups", "/v2/deployments", "/v2/queue", "/v2/tasks"} {
			w.do("GET", read, "").want(t, 200)
		}
		if b, err := w.Snapshot(); err != nil || w.Load(b) != nil {
			t.Errorf("the state cannot be kept: %v", err)
		}
	})
}

// FuzzLabelSelector demands an answer or a refusal for any selector.
func FuzzLabelSelector(f *testing.F) {
	for _, s := range []string{"a", "a==b", "a!=b", "a in (b, c)", "a notin (b),d", "a in ((b)", ",", "!"} {
		f.Add(s)
	}
	w, err := marathontest.New(marathontest.Options{})
	if err != nil {
		f.Fatal(err)
	}
	if err := w.AddApp([]byte(`{"id":"/a","cmd":"x","labels":{"a":"b"}}`)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, selector string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/v2/apps?label="+url.QueryEscape(selector), nil)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		if rec.Code != 200 && rec.Code != 422 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}
