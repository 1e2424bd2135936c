package orchestratormarathon_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/orchestratormarathon"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

const password = "sesame-open-1"

func TestBasicLogin(t *testing.T) {
	m := start(t, marathontest.Options{Basic: map[string]string{"ci": password}})
	add(t, m, "/a", "r/a:2", nil)
	o := configure(t, m, block{"username": "ci", "password": password})
	if p, err := o.Probe(t.Context()); err != nil || p.Identity != "ci" {
		t.Errorf("got %+v, %v", p, err)
	}
	if err := o.Deploy(t.Context(), request("op", "/a", "r/a:1"), (&told{}).emit); err != nil {
		t.Error(err)
	}
	for name, b := range map[string]block{"none": nil, "a wrong one": {"username": "ci", "password": "wrong-one-2"}} {
		_, err := configure(t, m, b).Probe(t.Context())
		if !fault.Is(err, fault.Unauthenticated) || strings.Contains(err.Error(), "wrong-one") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheAuthorityOfTheCertificate(t *testing.T) {
	m := start(t, marathontest.Options{})
	srv := httptest.NewUnstartedServer(m)
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "bad.pem")
	if err := os.WriteFile(good, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, b := range []block{{"ca_file": good}, {"insecure_skip_verify": true}} {
		if _, err := configureWith(t, b, srv.URL, quick()).Probe(t.Context()); err != nil {
			t.Errorf("%v: %v", b, err)
		}
	}
	for _, file := range []string{bad, filepath.Join(dir, "none.pem")} {
		cfg := blockConfig(t, block{"url": srv.URL, "ca_file": file})
		_, err := orchestratormarathon.New(quick()).Configure(t.Context(), cfg, schema.Runtime{Logger: hclog.NewNullLogger(), WorkDir: dir})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), file) {
			t.Errorf("got %v", err)
		}
	}
}

// everything that a plugin says, in one text.
func everything(t *testing.T, m *marathontest.Server, b block, during func(o orchestrator.Orchestrator, emit func(orchestrator.Event)) error) string {
	t.Helper()
	var heard strings.Builder
	values := block{"url": m.MarathonURL(), "events": false, "retries": 1, "timeout": "1s"}
	for k, v := range b {
		values[k] = v
	}
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &heard})
	o, err := orchestratormarathon.New(stepped(m)).Configure(t.Context(), blockConfig(t, values), schema.Runtime{Logger: log, Parallelism: 1, WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	err = during(o, func(e orchestrator.Event) {
		switch {
		case e.AppFailed != nil:
			fmt.Fprintf(&heard, "%+v\n", *e.AppFailed.Fault)
		case e.Log != nil:
			fmt.Fprintln(&heard, e.Log.Message)
		case e.Progress != nil:
			fmt.Fprintln(&heard, e.Progress.Message)
		}
	})
	if f := fault.Of(err); f != nil {
		fmt.Fprintln(&heard, f.Message, f.Hint, f.Subject)
	} else {
		fmt.Fprintln(&heard, err)
	}
	return heard.String()
}

func TestSecretsAreNeverSaid(t *testing.T) {
	for _, echo := range []marathontest.Fault{
		{Status: 500, Body: `{"message":"bad header Basic ` + password + `"}`},
		{Status: 422, Body: `{"message":"x","details":"` + password + `"}`},
		{Status: 502, Body: "<html>" + password + "</html>"},
		{Status: 302, Body: "", Header: map[string][]string{"Location": {"https://x.example.com/" + password}}},
		{Kind: marathontest.FaultGarbage},
		{Kind: marathontest.FaultClose},
	} {
		for _, method := range []string{"GET", "PATCH"} {
			m := start(t, marathontest.Options{Basic: map[string]string{"ci": password}})
			add(t, m, "/a", "r/a:2", nil)
			echo.Method, echo.Times = method, -1
			m.Inject(echo)
			said := everything(t, m, block{"username": "ci", "password": password}, func(o orchestrator.Orchestrator, emit func(orchestrator.Event)) error {
				return o.Deploy(t.Context(), request("op", "/a", "r/a:1"), emit)
			})
			if strings.Contains(said, password) || strings.Contains(said, "hush-hush") {
				t.Errorf("%+v: %s", echo, said)
			}
		}
	}
}

func TestCredentialsStayWithTheirServer(t *testing.T) {
	thief := start(t, marathontest.Options{})
	m := start(t, marathontest.Options{})
	m.Inject(marathontest.Fault{Times: -1, Status: 307, Header: map[string][]string{"Location": {thief.URL() + "/v2/info"}}})
	_, err := configure(t, m, block{"token": "tok-tok-token"}).Probe(t.Context())
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if len(thief.Requests()) > 0 {
		t.Error("the redirect was followed")
	}
}

func TestACancelledCallEndsAtOnce(t *testing.T) {
	asked := make(chan struct{}, 100)
	url := newServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	o := configureWith(t, block{"timeout": "1h"}, url, quick())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := o.Probe(ctx); done <- err }()
	<-asked
	cancel()
	if err := <-done; err == nil {
		t.Error("it succeeded")
	}
}
