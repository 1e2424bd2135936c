package orchestratormarathon_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/orchestratormarathon"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

func TestAScopeEndsAtASegment(t *testing.T) {
	m := start(t, marathontest.Options{})
	for _, id := range []string{"/ds/prod/a", "/ds/prod/sub/b", "/ds/prod2/a", "/other/ds/prod/a", "/ds/production"} {
		add(t, m, id, "r/x:1", nil)
	}
	o := configure(t, m, nil)
	for _, c := range []struct {
		scope string
		want  []string
	}{
		{"/ds/prod", []string{"/ds/prod/a", "/ds/prod/sub/b"}},
		{"ds/prod/", []string{"/ds/prod/a", "/ds/prod/sub/b"}},
		{"/ds/pro", nil},
		{"/ds/prod/a", []string{"/ds/prod/a"}},
		{"/", []string{"/ds/prod/a", "/ds/prod/sub/b", "/ds/prod2/a", "/ds/production", "/other/ds/prod/a"}},
		{"", []string{"/ds/prod/a", "/ds/prod/sub/b", "/ds/prod2/a", "/ds/production", "/other/ds/prod/a"}},
	} {
		var got []string
		if err := o.ListApps(t.Context(), orchestrator.ListRequest{Scope: c.scope}, func(a orchestrator.App) error {
			got = append(got, a.ID)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%q: %s", c.scope, d)
		}
	}
}

func TestCountsAreWhatMarathonCounts(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/checked", "r/a:2", nil)
	add(t, m, "/unchecked", "r/a:2", map[string]any{"healthChecks": nil})
	got := map[string][3]int{}
	if err := configure(t, m, nil).ListApps(t.Context(), orchestrator.ListRequest{}, func(a orchestrator.App) error {
		got[a.ID] = [3]int{a.Instances, a.Running, a.Healthy}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string][3]int{"/checked": {2, 2, 2}, "/unchecked": {2, 2, -1}}, got); d != "" {
		t.Error(d)
	}
}

func TestProbe(t *testing.T) {
	for _, c := range []struct {
		name   string
		opts   marathontest.Options
		forbid bool
		want   schema.ProbeResult
	}{
		{"a new one", marathontest.Options{}, false, schema.ProbeResult{System: "Marathon 1.11.24"}},
		{"a snapshot", marathontest.Options{Profile: marathontest.Profile15, Version: "1.5.0-SNAPSHOT"}, false, schema.ProbeResult{System: "Marathon 1.5.0-SNAPSHOT"}},
		{"an old one", marathontest.Options{Profile: marathontest.Profile13}, false, schema.ProbeResult{System: "Marathon 1.3.13", Notes: []string{
			"Before Marathon 1.4 an app that is deleted at the very moment of a change would be made anew.",
		}}},
		{"info is forbidden", marathontest.Options{}, true, schema.ProbeResult{System: "Marathon 1.4 or newer", Notes: []string{
			"The version is inferred: /v2/info may not be read with these credentials.",
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := start(t, c.opts)
			if c.forbid {
				m.Inject(marathontest.Fault{Path: "/v2/info", Times: -1, Status: 403, Body: `{"message":"no"}`})
			}
			got, err := configure(t, m, nil).Probe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestHistoryIsNewestFirstWithThePresent(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	for i, tag := range []string{"1", "0"} {
		doc, err := json.Marshal(map[string]any{
			"id": "/a", "version": time.Date(2019, 5, 10-i, 8, 0, 0, 0, time.UTC).Format("2006-01-02T15:04:05.000Z"), "instances": 1, "mem": 32.0,
			"container": map[string]any{"type": "DOCKER", "docker": map[string]any{"image": "r/a:" + tag}}, "env": map[string]string{"A": "b"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.AddVersion("/a", doc); err != nil {
			t.Fatal(err)
		}
	}
	h := configure(t, m, nil).(orchestrator.Historian)
	var got []orchestrator.Revision
	if err := h.ListRevisions(t.Context(), "/a", func(r orchestrator.Revision) error {
		got = append(got, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Images[0].Image != "r/a:2" || got[1].Images[0].Image != "r/a:1" || got[2].Images[0].Image != "r/a:0" {
		t.Fatalf("got %+v", got)
	}
	if !got[1].At.Equal(time.Date(2019, 5, 10, 8, 0, 0, 0, time.UTC)) || got[1].Config["mem"] != "32" || got[1].Config["env.A"] != "b" {
		t.Errorf("got %+v", got[1])
	}
	enough := errors.New("enough")
	if err := h.ListRevisions(t.Context(), "/a", func(orchestrator.Revision) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestTroubleOfReadsHasItsClassAndSaysWhere(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault marathontest.Fault
		code  fault.Code
		says  string
	}{
		{"401", marathontest.Page("", "", 401), fault.Unauthenticated, "401"},
		{"403", marathontest.Page("", "", 403), fault.PermissionDenied, "403"},
		{"404 page", marathontest.Page("", "", 404), fault.Unavailable, "404"},
		{"429", marathontest.Fault{Status: 429}, fault.RateLimited, "429"},
		{"502 page", marathontest.Page("", "", 502), fault.Unavailable, "502"},
		{"503 page", marathontest.Page("", "", 503), fault.Unavailable, "503"},
		{"500 unknown route", marathontest.Fault{Status: 500, Body: `{"message":"URI not found"}`}, fault.Unsupported, "URI not found"},
		{"HTML with 200", marathontest.Fault{Status: 200, Body: "<html>log in</html>", Header: http.Header{"Content-Type": {"text/html"}}}, fault.Internal, "HTML page"},
		{"another JSON", marathontest.Fault{Status: 200, Body: `{"apps":null}`, Header: http.Header{"Content-Type": {"application/json"}}}, fault.Internal, "no list"},
		{"garbage", marathontest.Fault{Kind: marathontest.FaultGarbage}, fault.Internal, "makes no sense"},
		{"cut off", marathontest.Fault{Kind: marathontest.FaultTruncate}, fault.Unavailable, "cannot be reached"},
		{"closed", marathontest.Fault{Kind: marathontest.FaultClose}, fault.Unavailable, "cannot be reached"},
		{"enormous", marathontest.Fault{Kind: marathontest.FaultEnormous}, fault.Internal, "longer than the limit"},
		{"hanging", marathontest.Fault{Kind: marathontest.FaultHang}, fault.Unavailable, "did not answer in time"},
		{"a redirect to a login", marathontest.Fault{Status: 302, Header: http.Header{"Location": {"https://sso.example.com/login?secret=x"}}}, fault.Unavailable, "https://sso.example.com/login,"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := start(t, marathontest.Options{})
			add(t, m, "/a", "r/a:2", nil)
			c.fault.Path, c.fault.Times = "/v2/apps", -1
			m.Inject(c.fault)
			o := configure(t, m, block{"max_response": 1 << 20, "timeout": "300ms"})
			n := 0
			err := o.ListApps(t.Context(), orchestrator.ListRequest{}, func(orchestrator.App) error { n++; return nil })
			if !fault.Is(err, c.code) || !strings.Contains(err.Error(), c.says) || n > 0 {
				t.Errorf("%d apps, %q: %v", n, fault.CodeOf(err), err)
			}
			if strings.Contains(err.Error(), "secret") || strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestAReadIsRepeated(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	for _, f := range []marathontest.Fault{
		{Status: 429, Header: http.Header{"Retry-After": {"0"}}}, {Status: 503}, {Kind: marathontest.FaultClose}, {Kind: marathontest.FaultTruncate},
	} {
		f.Path = "/v2/apps"
		m.Inject(f)
	}
	n := 0
	err := configure(t, m, block{"retries": 4}).ListApps(t.Context(), orchestrator.ListRequest{}, func(orchestrator.App) error { n++; return nil })
	if err != nil || n != 1 {
		t.Errorf("%d apps, %v", n, err)
	}
}

func TestNobodyThereSaysSo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	_, err = configureWith(t, nil, url, quick()).Probe(t.Context())
	if f := fault.Of(err); f == nil || f.Code != fault.Unavailable || !strings.Contains(f.Hint, "Nothing listens at "+l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

func TestEveryProblemOfTheBlockIsReportedAtItsAttribute(t *testing.T) {
	for _, c := range []struct {
		name  string
		block block
		want  []string
	}{
		{"nothing wrong", block{"url": "https://dcos.example.com/service/marathon/"}, nil},
		{"no place", block{}, []string{"error url"}},
		{"two places", block{"url": "http://x", "dcos_url": "https://y"}, []string{"error url"}},
		{"a cluster", block{"dcos_cluster": "attached"}, nil},
		{"an unnamed cluster", block{"dcos_cluster": " "}, []string{"error dcos_cluster"}},
		{"a cluster's URL", block{"dcos_url": "dcos.example.com"}, []string{"error dcos_url"}},
		{"a login", block{"dcos_url": "https://dcos.example.com", "username": "u", "password": "sesame"}, nil},
		{"half a login", block{"url": "https://x", "username": "u"}, []string{"error username"}},
		{"the other half", block{"url": "https://x", "password": "sesame"}, []string{"error password"}},
		{"two logins", block{"dcos_url": "https://x", "username": "u", "password": "sesame", "token": "sesame"}, []string{"error token"}},
		{"a service account nowhere", block{"url": "https://x", "service_account_file": "x.json"}, []string{"error service_account_file"}},
		{"a service account", block{"url": "https://x/service/marathon-user", "service_account_file": "x.json"}, nil},
		{"a login in the open", block{"url": "http://marathon.example.com", "username": "u", "password": "sesame"}, []string{"warning username"}},
		{"a login on this machine", block{"url": "http://127.0.0.1:8080", "username": "u", "password": "sesame"}, nil},
		{"anybody", block{"url": "https://x", "insecure_skip_verify": true}, []string{"warning insecure_skip_verify"}},
		{"no scheme", block{"url": "marathon:8080"}, []string{"error url"}},
		{"no host", block{"url": "https:///x"}, []string{"error url"}},
		{"a password in it", block{"url": "http://u:sesame-open@x"}, []string{"error url"}},
		{"a query", block{"url": "http://x/?a=b"}, []string{"error url"}},
		{
			"all at once",
			block{"url": "", "timeout": "soon", "poll_interval": "2h", "retries": 1.5, "crash_loop_failures": 0, "max_response": 1},
			[]string{"error url", "error timeout", "error poll_interval", "error retries", "error crash_loop_failures", "error max_response"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range orchestratormarathon.Plugin().ValidateConfig(blockConfig(t, c.block)) {
				got = append(got, string(d.Severity)+" "+d.Path.String())
				if strings.Contains(d.Detail, "sesame") {
					t.Errorf("the detail tells a secret: %s", d.Detail)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	if ds := orchestratormarathon.Plugin().ValidateConfig(schema.Config{JSON: []byte("[]")}); !ds.HasErrors() {
		t.Error("a list was taken for a block")
	}
	if _, err := orchestratormarathon.Plugin().Configure(t.Context(), blockConfig(t, block{"url": ""}), schema.Runtime{Logger: hclog.NewNullLogger()}); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
}

func TestACertificateOfAnUnknownAuthorityIsNamed(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	srv.Config.ErrorLog = nil
	_, err := configureWith(t, nil, srv.URL, quick()).Probe(t.Context())
	f := fault.Of(err)
	if f == nil || f.Code != fault.Unavailable || !strings.Contains(f.Hint, "Acme Co") || !strings.Contains(f.Hint, "ca_file") {
		t.Errorf("got %v, %+v", err, f)
	}
	_, err = configureWith(t, nil, strings.Replace(srv.URL, "https:", "http:", 1), quick()).Probe(t.Context())
	if f := fault.Of(err); f == nil {
		t.Errorf("got %v", err)
	}
}

func TestThePageForUsersNamesEveryAttribute(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "marathon.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range orchestratormarathon.Plugin().Describe().Schema.Attributes {
		if !strings.Contains(string(page), "`"+a.Name+"`") {
			t.Errorf("docs/marathon.md says nothing of %s", a.Name)
		}
	}
}
