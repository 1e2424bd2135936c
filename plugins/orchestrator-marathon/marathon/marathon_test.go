package marathon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t testing.TB, text string) Document {
	t.Helper()
	var d Document
	if err := unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAFingerprintChangesWithTheConfigurationOnly(t *testing.T) {
	const base = `{"id":"/a","cpus":0.5,"mem":64,"env":{"A":"1"},"container":{"type":"DOCKER","docker":{"image":"r/a:1"}}}`
	for _, c := range []struct {
		name, other string
		same        bool
	}{
		{"order and white space", `{ "mem":64, "cpus":0.5, "container":{"docker":{"image":"r/a:1"},"type":"DOCKER"}, "id":"/a", "env":{"A":"1"} }`, true},
		{"the spelling of numbers", strings.Replace(strings.Replace(base, "64", "64.0", 1), "0.5", "5e-1", 1), true},
		{"what changes by itself", strings.Replace(base, `{"id"`, `{"version":"x","versionInfo":{},"tasks":[1],"tasksRunning":3,"deployments":[{"id":"x"}],"lastTaskFailure":{},"id"`, 1), true},
		{"nulls and empty members", strings.Replace(base, `{"id"`, `{"labels":{},"constraints":[],"cmd":null,"id"`, 1), true},
		{"empty members of the container", strings.Replace(base, `"type"`, `"volumes":[],"type"`, 1), true},
		{"an image", strings.Replace(base, "r/a:1", "r/a:2", 1), false},
		{"a value", strings.Replace(base, `"A":"1"`, `"A":"2"`, 1), false},
		{"a number", strings.Replace(base, "64", "65", 1), false},
		{"an empty value in env", strings.Replace(base, `"A":"1"`, `"A":"1","B":""`, 1), false},
		{"a text instead of a number", strings.Replace(base, "64", `"64"`, 1), false},
		{"an unknown member", strings.Replace(base, `{"id"`, `{"new":1,"id"`, 1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := parse(t, base), parse(t, c.other)
			if same := a.Fingerprint() == b.Fingerprint(); same != c.same {
				t.Errorf("same = %v", same)
			}
			if same := len(a.Differences(b)) == 0; same != c.same {
				t.Errorf("differences: %v", a.Differences(b))
			}
		})
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]Version{
		"1.11.24":        {Major: 1, Minor: 11, Patch: 24},
		"1.5.0-SNAPSHOT": {Major: 1, Minor: 5},
		"0.16.0-RC3":     {Minor: 16},
		"1.8.180+build":  {Major: 1, Minor: 8, Patch: 180},
		"1.4":            {Major: 1, Minor: 4},
	} {
		got, err := ParseVersion(text)
		want.Text = text
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "latest", "1", "1.", ".1.2", "v1.2.3", "1.x"} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("%q is %+v", text, v)
		}
	}
	if v := (Version{Major: 1, Minor: 3}); v.HasPatch() || v.HasPods() || !v.AtLeast(0, 16) || v.AtLeast(1, 4) {
		t.Error("1.3 is not what it should be")
	}
}

func TestStepsOfThreeFormsAreRead(t *testing.T) {
	for _, text := range []string{
		`[[{"action":"ScaleApplication","app":"/a"}],[{"action":"RestartApplication","app":"b"}]]`,
		`[{"actions":[{"type":"ScaleApplication","app":"/a"}]},{"actions":[{"type":"RestartApplication","app":"b"}]}]`,
		`[{"actions":[{"action":"ScaleApplication","app":"/a"}]},{"actions":[{"action":"RestartApplication","pod":"/b"}]}]`,
	} {
		var steps []Step
		if err := json.Unmarshal([]byte(text), &steps); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]Step{{{"ScaleApplication", "/a"}}, {{"RestartApplication", "/b"}}}, steps); d != "" {
			t.Error(d)
		}
	}
}

func TestScopes(t *testing.T) {
	for _, c := range []struct {
		id, scope string
		want      bool
	}{
		{"/ds/prod/a", "/ds/prod", true},
		{"/ds/prod", "/ds/prod/", true},
		{"/ds/prod2/a", "/ds/prod", false},
		{"/a", "", true},
		{"/a", "/", true},
		{"/x/ds/prod/a", "/ds/prod", false},
	} {
		if got := Below(c.id, c.scope); got != c.want {
			t.Errorf("%s below %s: %v", c.id, c.scope, got)
		}
	}
}

func TestPagesAreReadAsAPersonWould(t *testing.T) {
	if got := pageText("<html><head>\n<title>Error 503 </title></head><b>no   leader</b>"); got != "Error 503 no leader" {
		t.Errorf("got %q", got)
	}
	if got := Printable("a\x1b[2J\nb\u202ec"); got != "a\ufffd[2J b\ufffdc" {
		t.Errorf("got %q", got)
	}
	if got := cut("äöüäöü", 4); got != "äöü…" {
		t.Errorf("got %q", got)
	}
}

// The recorded documents lie beside the project, and not everywhere.
func TestRecordedDocumentsAreRead(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..", "shared", "marathon", "fixtures")
	if _, err := os.Stat(root); err != nil {
		t.Skip("no recorded documents here")
	}
	apps, pods, deployments := 0, 0, 0
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var list struct {
			Apps []App `json:"apps"`
			App  *App  `json:"app"`
		}
		if json.Unmarshal(data, &list) == nil {
			if list.App != nil {
				list.Apps = append(list.Apps, *list.App)
			}
			for _, a := range list.Apps {
				apps++
				checkLossless(t, a.Doc)
				if a.Image() != "" {
					if _, err := a.WithImage("r/x:1", map[string]string{"x": "y"}); err != nil {
						t.Errorf("%s: %v", path, err)
					}
				}
			}
		}
		var ps []Pod
		if json.Unmarshal(data, &ps) == nil {
			for _, p := range ps {
				if len(p.Containers) > 0 {
					pods++
					checkLossless(t, p.Doc)
				}
			}
		}
		var ds []Deployment
		if json.Unmarshal(data, &ds) == nil {
			for _, d := range ds {
				if len(d.Steps) > 0 {
					deployments++
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d apps, %d pods, %d deployments", apps, pods, deployments)
	if apps < 10 {
		t.Errorf("only %d apps were found", apps)
	}
}

// checkLossless: what is read is written again with nothing lost.
func checkLossless(t testing.TB, doc Document) {
	t.Helper()
	again := parse(t, string(Raw(doc)))
	if again.Fingerprint() != doc.Fingerprint() {
		t.Errorf("%s lost something", doc.String("id"))
	}
	if _, err := json.Marshal(doc.Flatten()); err != nil {
		t.Error(err)
	}
}

func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{
		`{"id":"/a","instances":2,"container":{"type":"MESOS","docker":{"image":"r/a:1"},"volumes":[]},"labels":{"a":"b"},"versionInfo":{"lastConfigChangeAt":"2019-06-01T00:00:00.000Z"},"executorResources":{"cpus":1e-1}}`,
		`{"id":"a","tasks":[{"id":"t","state":"TASK_RUNNING","version":"2019-06-01T00:00:00.000Z","healthCheckResults":[{"alive":true}]}],"lastTaskFailure":{"state":"TASK_FAILED"}}`,
		`{"id":"/p","containers":[{"name":"c","image":{"kind":"DOCKER","id":"r/p:1"}}],"scaling":{"instances":1}}`,
		`{"id":"d","version":"x","affectedApps":["/a"],"steps":[[{"action":"x","app":"/a"}],{"actions":[{"type":"y","pod":"/p"}]}],"currentStep":1}`,
		`{"app":{"id":"/a"},"count":1,"delay":{"timeLeftSeconds":3,"overdue":false},"processedOffersSummary":{"rejectSummaryLastOffers":[{"reason":"x","declined":1}]}}`,
		`{"message":"Object is not valid","details":[{"path":"/","errors":["x"]}],"deployments":[]}`,
		`{"mem":1e400,"x":-0,"y":1E+2,"container":[]}`, `[]`, `null`, `"x"`, ``, `{"id":7}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var app App
		if unmarshal(data, &app) == nil {
			checkLossless(t, app.Doc)
			app.ConfiguredAt()
			app.Resident()
			if up, err := app.WithImage("r/x:1", map[string]string{"k": "v"}); err == nil {
				next := App{}
				merged := app.Doc.Definition()
				for k, v := range up {
					merged[k] = v
				}
				if err := unmarshal(Raw(merged), &next); err != nil || next.Image() != "r/x:1" || next.Labels["k"] != "v" {
					t.Errorf("%v: %s", err, Raw(up))
				}
			}
		}
		var pod Pod
		if unmarshal(data, &pod) == nil {
			checkLossless(t, pod.Doc)
			for _, c := range pod.Containers {
				if doc, err := pod.WithImages(map[string]string{c.Name: "r/x:1"}, nil); err == nil {
					if err := unmarshal(Raw(doc), &Pod{}); err != nil {
						t.Error(err)
					}
				}
			}
		}
		var d Deployment
		if unmarshal(data, &d) == nil {
			d.StepOf("/a")
			d.Affects("/a")
		}
		_ = unmarshal(data, &Queued{})
		_ = unmarshal(data, &PodStatus{})
		p := parseProblem(&answer{body: data})
		if text := (&Client{redact: func(s string) string { return s }}).words(p); strings.ContainsAny(text, "\x1b\n\x00") {
			t.Errorf("control characters in %q", text)
		}
	})
}
