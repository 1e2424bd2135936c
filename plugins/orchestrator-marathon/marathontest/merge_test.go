package marathontest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// from lists the profiles from one on, until another.
func from(first, until marathontest.Profile) []marathontest.Profile {
	all := marathontest.Profiles()
	end := len(all)
	if until != "" {
		end = slices.Index(all, until)
	}
	return all[slices.Index(all, first):end]
}

// each runs a test for some profiles.
func each(t *testing.T, profiles []marathontest.Profile, f func(t *testing.T, w world)) {
	t.Helper()
	for _, p := range profiles {
		t.Run(string(p), func(t *testing.T) { f(t, newWorld(t, marathontest.Options{Profile: p})) })
	}
}

const ucr = `{"id":"/ucr","instances":1,"cpus":0.50,"mem":32,"unheard":{"of":[1,2.0]},"env":{"A":"1"},"labels":{"L":"x"},
"container":{"type":"MESOS","volumes":[],"portMappings":[{"containerPort":80,"hostPort":0,"servicePort":10000}],"linuxInfo":{"seccomp":{"unconfined":true}},
"docker":{"image":"reg/u:2","forcePullImage":true,"pullConfig":{"secret":"s"}}},
"executorResources":{"cpus":0.1,"mem":32},"resourceLimits":{"cpus":"unlimited"}}`

func TestMergeIsOneLevelDeep(t *testing.T) {
	each(t, marathontest.Profiles(), func(t *testing.T, w world) {
		if err := w.AddApp(json.RawMessage(ucr)); err != nil {
			t.Fatal(err)
		}
		w.do("PUT", "/v2/apps/ucr", `{"container":{"docker":{"image":"reg/u:1"}},"labels":{"N":"y"},"env":null,"unheard2":1}`).want(t, 200)
		app := w.do("GET", "/v2/apps/ucr", "").want(t, 200)
		c := app.at(t, "app.container").(map[string]any)
		if c["type"] != "DOCKER" {
			t.Errorf("the omitted type is %v, want its default DOCKER", c["type"])
		}
		for _, k := range []string{"portMappings", "linuxInfo"} {
			if _, ok := c[k]; ok {
				t.Errorf("container.%s survived although it was omitted", k)
			}
		}
		if d := c["docker"].(map[string]any); d["pullConfig"] != nil || d["forcePullImage"] == true {
			t.Errorf("docker keeps what was omitted: %v", d)
		}
		if diff := cmp.Diff(map[string]any{"N": "y"}, app.at(t, "app.labels")); diff != "" {
			t.Error("labels are replaced whole", diff)
		}
		if diff := cmp.Diff(map[string]any{"A": "1"}, app.at(t, "app.env")); diff != "" {
			t.Error("null means unchanged", diff)
		}
		if app.at(t, "app.unheard") == nil {
			t.Error("a member that the server has shown is lost")
		}
		if app.at(t, "app.unheard2") != nil {
			t.Error("an unknown member is not ignored")
		}
		if !strings.Contains(app.body, `"cpus":0.50`) {
			t.Error("an untouched number is rewritten")
		}
	})
}

func TestMergeErasesOmittedResources(t *testing.T) {
	keeps := func(w world, key string) bool {
		return strings.Contains(string(w.App("/ucr")), `"`+key+`"`)
	}
	each(t, marathontest.Profiles(), func(t *testing.T, w world) {
		if err := w.AddApp(json.RawMessage(ucr)); err != nil {
			t.Fatal(err)
		}
		w.do("PUT", "/v2/apps/ucr", `{"cmd":"x"}`).want(t, 200)
		p := marathontest.Profile(strings.TrimPrefix(t.Name()[strings.LastIndex(t.Name(), "/"):], "/"))
		if got, want := keeps(w, "executorResources"), !slices.Contains(from(marathontest.Profile16, ""), p); got != want {
			t.Errorf("executorResources kept: %v, want %v", got, want)
		}
		if got, want := keeps(w, "resourceLimits"), !slices.Contains(from(marathontest.Profile110, ""), p); got != want {
			t.Errorf("resourceLimits kept: %v, want %v", got, want)
		}
	})
}

func TestEchoedContainerChangesOnlyTheImage(t *testing.T) {
	each(t, marathontest.Profiles(), func(t *testing.T, w world) {
		if err := w.AddApp(json.RawMessage(ucr)); err != nil {
			t.Fatal(err)
		}
		var before map[string]json.RawMessage
		if err := json.Unmarshal(w.App("/ucr"), &before); err != nil {
			t.Fatal(err)
		}
		after := strings.Replace(string(before["container"]), "reg/u:2", "reg/u:1", 1)
		body := fmt.Sprintf(`[{"id":"/ucr","container":%s,"executorResources":%s,"resourceLimits":%s}]`,
			after, before["executorResources"], before["resourceLimits"])
		w.do("PUT", "/v2/apps", body).want(t, 200)
		want := strings.Replace(ucr, "reg/u:2", "reg/u:1", 1)
		got := decode(t, string(w.App("/ucr"))).(map[string]any)
		delete(got, "version")
		delete(got, "versionInfo")
		if diff := cmp.Diff(decode(t, want), got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPartialUpdateFalseReplacesAll(t *testing.T) {
	for _, tt := range []struct {
		profile marathontest.Profile
		kept    bool
	}{{marathontest.Profile13, true}, {marathontest.Profile14, false}, {marathontest.Profile1_11, false}} {
		w := newWorld(t, marathontest.Options{Profile: tt.profile})
		w.seed("/a", "reg/a:1", `"user":"nobody"`)
		w.do("PUT", "/v2/apps/a?partialUpdate=false", `{"cmd":"sleep"}`).want(t, 200)
		if kept := strings.Contains(string(w.App("/a")), "nobody"); kept != tt.kept {
			t.Errorf("%s: user kept: %v, want %v", tt.profile, kept, tt.kept)
		}
	}
}

func TestPatchNeedsFourteen(t *testing.T) {
	each(t, from(marathontest.Profile016, marathontest.Profile14), func(t *testing.T, w world) {
		w.seed("/a", "reg/a:1")
		w.do("PATCH", "/v2/apps", "["+image("/a", "reg/a:2")+"]").want(t, 405)
		if got := w.do("PUT", "/v2/apps/a", `{"cmd":"x"}`).want(t, 200); got.header.Get("Marathon-Deployment-Id") != "" {
			t.Error("has the deployment's header already")
		}
	})
	each(t, from(marathontest.Profile14, ""), func(t *testing.T, w world) {
		w.seed("/a", "reg/a:1")
		w.do("PATCH", "/v2/apps/gone", `{"cmd":"x"}`).want(t, 404)
		got := w.do("PATCH", "/v2/apps", "["+image("/a", "reg/a:2")+","+image("/gone", "reg/g:1")+"]").want(t, 404)
		if diff := cmp.Diff("App '/gone' does not exist", got.at(t, "message")); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(string(w.App("/a")), "reg/a:1") {
			t.Error("an element was changed although the array failed")
		}
		w.do("PUT", "/v2/apps/gone", `{"cmd":"x"}`).want(t, 201)
	})
}

func TestUpdatesThatAreRefused(t *testing.T) {
	const clash = "The 'version' field may only be combined with the 'id' field."
	old, modern := marathontest.Profile13, marathontest.Profile1_11
	for _, tt := range []struct {
		name         string
		profile      marathontest.Profile
		method, path string
		body         string
		status       int
		at           string
		want         any
	}{
		{"version beside others, 1.3", old, "PUT", "/v2/apps/a", `{"version":"2019-01-01T00:00:00.000Z","cmd":"x"}`, 422, "message", "requirement failed: " + clash},
		{"version beside others, 1.11", modern, "PUT", "/v2/apps/a", `{"version":"2019-01-01T00:00:00.000Z","cmd":"x"}`, 422, "details.0.errors.0", clash},
		{"unknown version", modern, "PUT", "/v2/apps", `[{"id":"/a","version":"2019-01-01T00:00:00.000Z"}]`, 404, "message", "App '/a' does not exist"},
		{"uris beside fetch, 1.3", old, "PUT", "/v2/apps/a", `{"uris":[],"fetch":[]}`, 400, "details.0.errors.0", "You cannot specify both uris and fetch fields"},
		{"ports against portDefinitions, 1.3", old, "PUT", "/v2/apps/a", `{"ports":[1],"portDefinitions":[{"port":2}]}`, 400, "message", "Invalid JSON"},
		{"no JSON", modern, "PUT", "/v2/apps/a", `{"cmd":`, 400, "message", "Invalid JSON"},
		{"wrong type, 1.3", old, "PUT", "/v2/apps/a", `{"cmd":1}`, 400, "details.0.errors.0", "error.expected.jsstring"},
		{"wrong type, 1.11", modern, "PUT", "/v2/apps/a", `{"cmd":1}`, 422, "details.0.path", "/cmd"},
		{"element without id", modern, "PUT", "/v2/apps", `[{"cmd":"x"}]`, 422, "message", "Object is not valid"},
		{"underscore in an id", modern, "PUT", "/v2/apps/my_app", `{"cmd":"x"}`, 422, "details.0.path", "/id"},
		{"upper case in an id", old, "POST", "/v2/apps", `{"id":"/App","cmd":"x"}`, 422, "details.0.path", "/id"},
		{"reserved last segment", modern, "POST", "/v2/apps", `{"id":"/x/restart","cmd":"x"}`, 422, "details.0.path", "/id"},
		{"nothing to run", modern, "POST", "/v2/apps", `{"id":"/x"}`, 422, "details.0.path", "/"},
		{"docker without docker", modern, "PUT", "/v2/apps/a", `{"container":{"type":"DOCKER"}}`, 422, "details.0.errors.0", "not defined"},
		{"id that is taken", modern, "POST", "/v2/apps", `{"id":"a","cmd":"x"}`, 409, "message", "An app with id [/a] already exists."},
		{"bad label selector", modern, "GET", "/v2/apps?label=a,,%21b", "", 422, "message", nil},
		{"bad version in a path", modern, "GET", "/v2/apps/a/versions/yesterday", "", 422, "message", nil},
		{"unknown route, 1.3", old, "GET", "/v2/nothing", "", 404, "message", "URI not found: v2/nothing"},
		{"unknown route, 1.11", modern, "GET", "/v2/nothing", "", 500, "message", "URI not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, marathontest.Options{Profile: tt.profile})
			w.seed("/a", "reg/a:1")
			before := string(w.App("/a"))
			got := w.do(tt.method, tt.path, tt.body).want(t, tt.status)
			if v := got.at(t, tt.at); tt.want != nil && v != tt.want {
				t.Errorf("%s is %v, want %v", tt.at, v, tt.want)
			}
			if before != string(w.App("/a")) || w.Running() != 0 {
				t.Error("something was changed")
			}
		})
	}
	w := newWorld(t, marathontest.Options{Profile: old})
	w.do("PUT", "/v2/apps", `[{"cmd":"x"}]`).want(t, 200) // 1.3 skips what has no id
}

func TestVersionRestoresWholeDefinitions(t *testing.T) {
	each(t, marathontest.Profiles(), func(t *testing.T, w world) {
		w.seed("/a", "reg/a:1", `"env":{"K":"old"}`)
		w.seed("/b", "reg/b:1")
		va, vb := at(t, decode(t, string(w.App("/a"))), "version"), at(t, decode(t, string(w.App("/b"))), "version")
		w.do("PUT", "/v2/apps/a", `{"env":{"K":"new"},"instances":5,"cmd":"x"}`).want(t, 200)
		w.do("PUT", "/v2/apps/b", `{"cmd":"y"}`).want(t, 200)
		w.Settle(1e11)
		got := w.do("PUT", "/v2/apps", fmt.Sprintf(`[{"id":"/a","version":%q},{"id":"/b","version":%q}]`, va, vb)).want(t, 200)
		app := w.do("GET", "/v2/apps/a", "")
		if app.at(t, "app.env.K") != "old" || app.at(t, "app.instances") != json.Number("2") || app.at(t, "app.cmd") != nil {
			t.Errorf("not restored: %s", app.body)
		}
		if app.at(t, "app.version") != got.at(t, "version") {
			t.Error("a restored app has the version of the request")
		}
	})
}

func TestOnlyChangedAppsGetTheNewVersion(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:1")
	w.seed("/b", "reg/b:1")
	before := string(w.App("/b"))
	got := w.do("PATCH", "/v2/apps", "["+image("/a", "reg/a:2")+","+image("/b", "reg/b:1")+"]").want(t, 200)
	if v := at(t, decode(t, string(w.App("/a"))), "version"); v != got.at(t, "version") {
		t.Errorf("changed app has version %v", v)
	}
	if before != string(w.App("/b")) {
		t.Error("unchanged app has changed")
	}
	list := w.do("GET", "/v2/deployments", "")
	if diff := cmp.Diff([]any{"/a"}, list.at(t, "0.affectedApps")); diff != "" {
		t.Error(diff)
	}
}

func TestListFilters(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/prod/a", "reg/a:1", `"labels":{"team":"x","tier":"web"}`)
	w.seed("/eu/PROD/app2", "reg/a:1", `"labels":{"team":"y"}`)
	w.seed("/other", "reg/a:1", `"cmd":"Sleep 10"`)
	w.seed("/secret/app", "reg/a:1")
	w.Forbid("/secret")
	for query, want := range map[string][]any{
		"":                                {"/prod/a", "/eu/PROD/app2", "/other"},
		"?id=/prod/a":                     {"/prod/a", "/eu/PROD/app2"},
		"?cmd=sleep":                      {"/other"},
		"?label=team":                     {"/prod/a", "/eu/PROD/app2"},
		"?label=team%3D%3Dx":              {"/prod/a"},
		"?label=team%21%3Dx":              {"/eu/PROD/app2"},
		"?label=team+in+(x,+y),tier":      {"/prod/a"},
		"?label=team+notin+(x,z)":         {"/eu/PROD/app2"},
		"?label=team%3D%3Dx,tier%3D%3Dno": {},
	} {
		got := w.do("GET", "/v2/apps"+query, "").want(t, 200)
		ids := []any{}
		for _, a := range got.at(t, "apps").([]any) {
			ids = append(ids, a.(map[string]any)["id"])
		}
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	w.do("GET", "/v2/apps/secret/app", "").want(t, 403)
	below := w.do("GET", "/v2/apps/prod/*", "").want(t, 200)
	if below.at(t, "*.0.tasks") == nil {
		t.Error("apps below a group lack their tasks")
	}
}
