package registrydocker_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrydocker"
	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

func TestEveryProblemOfTheBlockIsReportedAtItsAttribute(t *testing.T) {
	cases := []struct {
		name  string
		block block
		want  []string // severity and path
	}{
		{"nothing wrong", block{"address": "registry.example.com:5000/team"}, nil},
		{"a host alone", block{"address": "registry.example.com"}, nil},
		{"an IPv6 address", block{"address": "[::1]:5000"}, nil},
		{"no address", block{"address": ""}, []string{"error address"}},
		{"a scheme", block{"address": "https://registry.example.com"}, []string{"error address"}},
		{"credentials in the address", block{"address": "ci:geheim@registry.example.com"}, []string{"error address"}},
		{"no host", block{"address": "/team"}, []string{"error address"}},
		{"the API's path", block{"address": "registry.example.com/v2/team"}, []string{"error address"}},
		{"an upper-case prefix", block{"address": "registry.example.com/Team"}, []string{"error address"}},
		{"a username without a password", block{"address": "r.example.com", "username": "ci"}, []string{"error username"}},
		{"a password without a username", block{"address": "r.example.com", "password": "geheim"}, []string{"error password"}},
		{"two ways to log in", block{"address": "r.example.com", "username": "ci", "password": "geheim", "token": "geheim"}, []string{"error token"}},
		{"three ways to log in", block{"address": "r.example.com", "username": "ci", "password": "geheim", "docker_config": "x"}, []string{"error docker_config"}},
		{"an insecure registry", block{"address": "r.example.com", "insecure_skip_verify": true}, []string{"warning insecure_skip_verify"}},
		{"a password on the open line", block{"address": "r.example.com", "plain_http": true, "token": "geheim"}, []string{"warning plain_http"}},
		{"a password on this machine", block{"address": "127.0.0.1:5000", "token": "geheim"}, nil},
		{"plain and TLS at once", block{"address": "r.example.com", "plain_http": true, "ca_file": "ca.pem"}, []string{"error plain_http"}},
		{"half a certificate", block{"address": "r.example.com", "client_key_file": "key.pem"}, []string{"error client_cert_file"}},
		{
			"ten mistakes",
			block{
				"address": "", "username": "ci", "docker_config": "x", "client_cert_file": "c", "plain_http": true, "concurrency": 0, "retries": 1.5,
				"page_size": -1, "max_response": 1, "requests_per_second": 0, "timeout": "soon",
			},
			[]string{
				"error address", "error client_cert_file", "error concurrency", "error docker_config", "error max_response",
				"error page_size", "error plain_http", "error requests_per_second", "error retries", "error timeout", "error username",
			},
		},
	}
	p := registrydocker.New(registrydocker.Options{})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ds := p.ValidateConfig(blockConfig(t, c.block))
			var got []string
			for _, d := range ds {
				got = append(got, string(d.Severity)+" "+d.Path.String())
				if strings.Contains(d.Summary+d.Detail, "geheim") {
					t.Errorf("the secret is in %q", d.Detail)
				}
				if d.Summary == "" || !strings.HasSuffix(d.Detail, ".") {
					t.Errorf("no sentence: %q %q", d.Summary, d.Detail)
				}
			}
			slices.Sort(got)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	if ds := p.ValidateConfig(schema.Config{JSON: []byte(`{"address":7}`)}); !ds.HasErrors() {
		t.Error("a number is no address")
	}
}

func TestTheSchemaKeepsSecretsSecret(t *testing.T) {
	d := registrydocker.Plugin().Describe()
	if d.Kind != schema.Registry || d.Name != "docker" || d.Version == "" {
		t.Errorf("%+v", d)
	}
	for _, a := range d.Schema.Attributes {
		secret := a.Name == "password" || a.Name == "token"
		if a.Sensitive != secret || a.Required != (a.Name == "address") || a.Doc == "" {
			t.Errorf("%+v", a)
		}
	}
}

func TestTheLimitOfRequestsASecondIsKept(t *testing.T) {
	reg, host := memory(t)
	for _, tag := range []string{"1-master", "2-master", "3-master"} {
		push(t, reg, "app:"+tag, registrytest.Image{Created: day(1)})
	}
	got := mustList(t, configure(t, block{"address": host, "requests_per_second": 100}, quick()), request("app"))
	if len(got.Releases) != 3 {
		t.Errorf("got %+v", got)
	}
	if ds := registrydocker.New(quick()).ValidateConfig(blockConfig(t, block{"address": host, "requests_per_second": 0.1})); ds.Count(diag.Error) != 0 {
		t.Error(ds)
	}
	req := request("app")
	req.Platform = "amd64"
	if _, err := list(t.Context(), configure(t, block{"address": host}, quick()), req); err == nil {
		t.Error("half a platform was taken")
	}
	req = request("app")
	req.Pattern = registry.DefaultPattern + "("
	if _, err := list(t.Context(), configure(t, block{"address": host}, quick()), req); err == nil {
		t.Error("half a pattern was taken")
	}
}
