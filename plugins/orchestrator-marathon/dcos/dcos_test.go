package dcos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollback-project/rollback/sdk/fault"
)

func clusterFile(t testing.TB, root, id, text string) {
	t.Helper()
	dir := filepath.Join(root, "clusters", id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dcos.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatSSLVerifyMaySay(t *testing.T) {
	for value, want := range map[string]Cluster{
		`"true"`: {}, `true`: {}, `"false"`: {SkipVerify: true}, `false`: {SkipVerify: true}, `"False"`: {SkipVerify: true},
		`"/home/u/ca.crt"`: {CAFile: "/home/u/ca.crt"}, `""`: {},
	} {
		root := t.TempDir()
		clusterFile(t, root, "id", fmt.Sprintf("[core]\ndcos_url = \"https://dcos.example.com/\"\nssl_verify = %s\n", value))
		t.Setenv("DCOS_DIR", root)
		t.Setenv("DCOS_CLUSTER", "")
		got, err := ReadCLI(Attached) // the only one
		if err != nil || got.CAFile != want.CAFile || got.SkipVerify != want.SkipVerify {
			t.Errorf("%s: %+v, %v", value, got, err)
		}
		if got.ID != "id" || got.URL.String() != "https://dcos.example.com" || got.Marathon.String() != "https://dcos.example.com/service/marathon" {
			t.Errorf("%s: %s %s %s", value, got.ID, got.URL, got.Marathon)
		}
	}
}

func TestTheEnvironmentChoosesWhereThePolicySaysAttached(t *testing.T) {
	root := t.TempDir()
	clusterFile(t, root, "one", "[core]\ndcos_url = \"https://one\"\n[cluster]\nname = \"prod\"\n[marathon]\nurl = \"https://one/service/mom\"\n")
	clusterFile(t, root, "two", "[core]\ndcos_url = \"https://two\"\n[cluster]\nname = \"stage\"\n")
	t.Setenv("DCOS_DIR", root)
	t.Setenv("DCOS_CLUSTER", "prod")
	for want, id := range map[string]string{Attached: "one", "stage": "two", "two": "two"} {
		if c, err := ReadCLI(want); err != nil || c.ID != id {
			t.Errorf("%s: %+v, %v", want, c, err)
		}
	}
	if c, err := ReadCLI("prod"); err != nil || c.Marathon.Path != "/service/mom" {
		t.Errorf("got %+v, %v", c, err)
	}
	t.Setenv("DCOS_CLUSTER", "")
	if _, err := ReadCLI(Attached); !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Of(err).Hint, "prod, stage") {
		t.Errorf("got %v", err)
	}
	t.Setenv("DCOS_DIR", t.TempDir())
	if _, err := ReadCLI(Attached); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIsNoTOMLIsNotQuoted(t *testing.T) {
	root := t.TempDir()
	clusterFile(t, root, "id", "dcos_acs_token = sesame-open-1")
	t.Setenv("DCOS_DIR", root)
	if _, err := ReadCLI("id"); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "sesame") {
		t.Errorf("got %v", err)
	}
}

func FuzzSecretsOfOthers(f *testing.F) {
	f.Add([]byte(`{"scheme":"RS256","uid":"robot","private_key":"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"}`))
	f.Add([]byte("[core]\ndcos_url = \"https://x\"\nssl_verify = 1\n[cluster]\nname = \"x\""))
	f.Add([]byte(`eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOiJhIn0.x`))
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := ParseAccount(data, "here"); (a == nil) == (err == nil) {
			t.Errorf("got %+v, %v", a, err)
		}
		if uid := UIDOf(string(data)); strings.ContainsAny(uid, "\x1b\n") {
			t.Errorf("control characters in %q", uid)
		}
		file := filepath.Join(root, "dcos.toml")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := openCLI(file); err == nil && (c.URL.Host == "" || c.Marathon.Host == "") {
			t.Errorf("got %+v", c)
		}
	})
}
