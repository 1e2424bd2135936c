package orchestratormarathon_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/orchestratormarathon"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// secretOf makes a service account and its secret.
func secretOf(t *testing.T, uid string) (*rsa.PublicKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := json.Marshal(map[string]string{
		"scheme": "RS256", "uid": uid, "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"login_endpoint": "https://leader.mesos/acs/api/v1/auth/login",
	})
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey, string(secret)
}

// cluster is a DC/OS cluster with an app.
func cluster(t *testing.T, dcos marathontest.DCOS) *marathontest.Server {
	t.Helper()
	dcos.Users = map[string]string{"ci": password}
	m := start(t, marathontest.Options{DCOS: &dcos})
	add(t, m, "/a", "r/a:2", nil)
	return m
}

// dcosDir writes the dcos command's configuration of one cluster.
func dcosDir(t *testing.T, root, id, name, extra string, attached bool) {
	t.Helper()
	dir := filepath.Join(root, "clusters", id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dcos.toml"), fmt.Appendf(nil, "[core]\n%s\n[cluster]\nname = %q\n", extra, name), 0o600); err != nil {
		t.Fatal(err)
	}
	if attached {
		if err := os.WriteFile(filepath.Join(dir, "attached"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWaysToLogInToDCOS(t *testing.T) {
	public, secret := secretOf(t, "robot")
	m := cluster(t, marathontest.DCOS{Accounts: map[string]*rsa.PublicKey{"robot": public}})
	token, err := m.Token("alice")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "robot.json")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	dcosDir(t, root, "id-1", "prod", fmt.Sprintf("dcos_url = %q\ndcos_acs_token = %q\nssl_verify = \"true\"", m.URL(), token), true)
	dcosDir(t, root, "id-2", "old", `dcos_url = "https://old.example.com"`, false)
	t.Setenv("DCOS_DIR", root)
	t.Setenv("DCOS_CLUSTER", "")
	for _, c := range []struct {
		name     string
		block    block
		identity string
	}{
		{"a password", block{"url": m.MarathonURL(), "username": "ci", "password": password}, "ci"},
		{"a password at the cluster", block{"dcos_url": m.URL(), "username": "ci", "password": password}, "ci"},
		{"a service account's file", block{"url": m.MarathonURL(), "service_account_file": file}, "robot"},
		{"a service account", block{"dcos_url": m.URL() + "/", "service_account": secret}, "robot"},
		{"a token", block{"url": m.MarathonURL(), "token": token}, "alice"},
		{"the attached cluster", block{"dcos_cluster": "attached"}, "alice"},
		{"a cluster by name", block{"dcos_cluster": "prod"}, "alice"},
		{"a cluster by id, with a password", block{"dcos_cluster": "id-1", "username": "ci", "password": password}, "ci"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, m, c.block)
			p, err := o.Probe(t.Context())
			if err != nil || p.Identity != c.identity {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

// open is configure without a place.
func open(t *testing.T, m *marathontest.Server, b block) orchestrator.Orchestrator {
	t.Helper()
	o, err := tryOpen(t, m, b)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func tryOpen(t *testing.T, m *marathontest.Server, b block) (orchestrator.Orchestrator, error) {
	t.Helper()
	values := block{"poll_interval": "1s", "events": false, "retries": 0}
	for k, v := range b {
		values[k] = v
	}
	return orchestratormarathon.New(stepped(m)).Configure(t.Context(), blockConfig(t, values),
		schema.Runtime{Logger: hclog.NewNullLogger(), Parallelism: 4, WorkDir: t.TempDir()})
}

func TestATokenThatExpiresInTheMiddleIsRenewed(t *testing.T) {
	m := cluster(t, marathontest.DCOS{})
	var got told
	o := open(t, m, block{"dcos_url": m.URL(), "username": "ci", "password": password})
	expire := meddle(m, m.ExpireTokens)
	if err := o.Deploy(t.Context(), request("op", "/a", "r/a:1"), func(e orchestrator.Event) { got.emit(e); expire(e) }); err != nil {
		t.Fatal(err)
	}
	// Right before a write too: it was refused before Marathon saw it.
	m.ExpireTokens()
	if err := o.Deploy(t.Context(), request("op2", "/a", "r/a:2"), got.emit); err != nil {
		t.Fatal(err)
	}
	// A ready token cannot be renewed; the deployment goes on.
	token, err := m.Token("alice")
	if err != nil {
		t.Fatal(err)
	}
	expire = meddle(m, m.ExpireTokens)
	err = open(t, m, block{"dcos_url": m.URL(), "token": token}).Deploy(t.Context(), request("op3", "/a", "r/a:1"), func(e orchestrator.Event) { got.emit(e); expire(e) })
	if !fault.Is(err, fault.Unauthenticated) || !strings.Contains(err.Error(), "goes on unwatched") || strings.Contains(err.Error(), token) {
		t.Errorf("got %v", err)
	}
	if m.Running() != 1 {
		t.Error("the deployment does not go on")
	}
}

func TestOneLoginServesAll(t *testing.T) {
	m := cluster(t, marathontest.DCOS{})
	o := open(t, m, block{"dcos_url": m.URL(), "username": "ci", "password": password})
	for range 2 {
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				if _, err := o.Snapshot(t.Context(), []string{"/a"}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		m.ExpireTokens()
	}
	logins := 0
	for _, r := range m.Requests() {
		if strings.HasSuffix(r.Path, "/auth/login") {
			logins++
		}
	}
	if logins != 2 {
		t.Errorf("%d logins", logins)
	}
}

func TestALoginThatIsRefusedSaysSoWithoutTheSecret(t *testing.T) {
	_, secret := secretOf(t, "robot")
	m := cluster(t, marathontest.DCOS{})
	root := t.TempDir()
	dcosDir(t, root, "id-1", "out", fmt.Sprintf("dcos_url = %q", m.URL()), false)
	dcosDir(t, root, "id-2", "none", `dcos_url = "nowhere"`, false)
	t.Setenv("DCOS_DIR", root)
	t.Setenv("DCOS_CLUSTER", "")
	for _, c := range []struct {
		name  string
		block block
		code  fault.Code
		says  string
	}{
		{"nothing", block{"dcos_url": m.URL()}, fault.Unauthenticated, "401"},
		{"a password by Basic", block{"url": m.URL() + "/marathon", "username": "ci", "password": password}, fault.Unauthenticated, "401"},
		{"a wrong password", block{"dcos_url": m.URL(), "username": "ci", "password": "wrong-one-2"}, fault.Unauthenticated, "ERR_INVALID_CREDENTIALS"},
		{"an unknown service account", block{"dcos_url": m.URL(), "service_account": secret}, fault.Unauthenticated, "as robot"},
		{"a secret that is none", block{"dcos_url": m.URL(), "service_account": `{"uid":"wrong-one-2"`}, fault.Invalid, "not the JSON secret"},
		{"a key that is none", block{"dcos_url": m.URL(), "service_account": `{"uid":"x","private_key":"wrong-one-2"}`}, fault.Invalid, "no RSA key"},
		{"another scheme", block{"dcos_url": m.URL(), "service_account": `{"uid":"x","private_key":"y","scheme":"HS256"}`}, fault.Unsupported, "HS256"},
		{"a file that is not there", block{"dcos_url": m.URL(), "service_account_file": "none.json"}, fault.Invalid, "none.json"},
		{"a cluster without a login", block{"dcos_cluster": "out"}, fault.Unauthenticated, "not logged in"},
		{"a cluster that is not attached", block{"dcos_cluster": "attached"}, fault.Invalid, "0 clusters"},
		{"a cluster without a URL", block{"dcos_cluster": "none"}, fault.Invalid, "no URL"},
		{"a cluster of another name", block{"dcos_cluster": "other"}, fault.Invalid, "0 clusters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := tryOpen(t, m, c.block)
			if err == nil {
				_, err = o.Probe(t.Context())
			}
			if !fault.Is(err, c.code) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "wrong-one") {
				t.Errorf("got %s: %v", fault.CodeOf(err), err)
			}
		})
	}
}

func TestALoginThatHangsEndsWithItsCall(t *testing.T) {
	m := cluster(t, marathontest.DCOS{})
	m.Inject(marathontest.Fault{Method: "POST", Times: -1, Kind: marathontest.FaultHang})
	o := open(t, m, block{"dcos_url": m.URL(), "username": "ci", "password": password, "timeout": "1h"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for range 2 {
		if _, err := o.Probe(ctx); err == nil {
			t.Error("it succeeded")
		}
	}
}
