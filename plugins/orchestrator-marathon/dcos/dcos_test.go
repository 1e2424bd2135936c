package dcos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
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

// cluster is a DC/OS cluster whose login is login, and which lets in who has the token "good".
func cluster(t *testing.T, login http.HandlerFunc) *url.URL {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == loginPath {
			login(w, r)
			return
		}
		if r.Header.Get("Authorization") != "token=good-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		raw, _ := io.ReadAll(r.Body)
		_, _ = w.Write(raw)
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func give(token string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"token":"`+token+`"}`) }
}

func ask(t *testing.T, d *Login, at *url.URL, body string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, at.String()+"/service/marathon/v2/apps", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := d.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(resp.Status)
	}
	return string(raw), err
}

func ignore(string) {}

func TestARefusedTokenIsRenewedOnceAndTheRequestRepeatedWhole(t *testing.T) {
	at := cluster(t, give("good-token"))
	var learned []string
	d := New(http.DefaultTransport, at, "old-token", "alice", Password("alice", "secret"), func(s string) { learned = append(learned, s) })
	for range 2 {
		if got, err := ask(t, d, at, "the whole body"); err != nil || got != "the whole body" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if len(learned) != 1 || learned[0] != "good-token" {
		t.Errorf("learned %v, want the one token that was given out", learned)
	}
	useless := cluster(t, give("useless"))
	if _, err := ask(t, New(http.DefaultTransport, useless, "", "alice", Password("alice", "secret"), ignore), useless, ""); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a token that does not help: %v", err)
	}
}

func TestATokenThatCannotBeRenewedSaysWhatToDo(t *testing.T) {
	at := cluster(t, give("good-token"))
	_, err := ask(t, New(http.DefaultTransport, at, "old-token", "alice", nil, ignore), at, "")
	f := fault.Of(err)
	if f == nil || f.Code != fault.Unauthenticated || !strings.Contains(f.Hint, "dcos auth login") || strings.Contains(err.Error(), "old-token") {
		t.Errorf("%v, hint %v", err, f)
	}
}

func TestALoginThatFailsSaysWhy(t *testing.T) {
	for name, tc := range map[string]struct {
		login http.HandlerFunc
		code  fault.Code
		want  string
	}{
		"a wrong password": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"title":"Unauthorized","description":"Invalid username or password","code":"ERR_INVALID_CREDENTIALS"}`)
		}, fault.Unauthenticated, "ERR_INVALID_CREDENTIALS"},
		"no permission":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, fault.PermissionDenied, "403"},
		"too often":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, fault.RateLimited, "429"},
		"out of order":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, fault.Unavailable, "503"},
		"a page":            {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, fault.Internal, "no token"},
		"an answer cut off": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "99") }, fault.Unavailable, "EOF"},
		"no answer": {func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}, fault.Unavailable, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			at := cluster(t, tc.login)
			_, err := ask(t, New(http.DefaultTransport, at, "", "alice", Password("alice", "secret-word"), ignore), at, "")
			if !fault.Is(err, tc.code) || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret-word") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestThoseWhoWaitForALoginShareItsFailure(t *testing.T) {
	var logins atomic.Int32
	entered, proceed := make(chan struct{}, 99), make(chan struct{})
	at := cluster(t, func(w http.ResponseWriter, _ *http.Request) {
		logins.Add(1)
		entered <- struct{}{}
		<-proceed
		w.WriteHeader(http.StatusUnauthorized)
	})
	d := New(http.DefaultTransport, at, "", "alice", Password("alice", "secret"), ignore)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = d.token(t.Context(), "") })
	<-entered
	waiting := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			waiting <- struct{}{}
			if _, err := d.token(t.Context(), ""); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("a waiter: %v", err)
			}
		})
	}
	for range 8 {
		<-waiting
	}
	close(proceed)
	wg.Wait()
	// Some may have begun to wait only after the failure, and have tried once more; not all of them.
	if n := logins.Load(); n > 8 {
		t.Errorf("%d logins with wrong credentials", n)
	}
	if _, err := d.token(t.Context(), ""); err == nil || logins.Load() < 2 {
		t.Errorf("who comes later does not try again: %v", err)
	}
}

func TestAnInterruptedLoginHasNotFailedForOthers(t *testing.T) {
	entered, proceed := make(chan struct{}, 9), make(chan struct{})
	at := cluster(t, func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		select {
		case <-proceed:
		case <-r.Context().Done():
		}
		give("good-token")(w, r)
	})
	d := New(http.DefaultTransport, at, "", "alice", Password("alice", "secret"), ignore)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := d.token(ctx, "")
		failed <- err
	}()
	<-entered
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the interrupted one: %v", err)
	}
	if _, err := d.token(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("one that comes after its end: %v", err)
	}
	close(proceed)
	if token, err := d.token(t.Context(), ""); err != nil || token != "good-token" {
		t.Errorf("the next: %q, %v", token, err)
	}
}

func TestATokenGoesToItsClusterOnly(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"https://dcos.example.com", "https://dcos.example.com:443/service", true},
		{"https://DCOS.example.com/", "https://dcos.example.com", true},
		{"http://h", "http://h:80", true},
		{"https://h", "http://h", false},
		{"https://h", "https://h:8443", false},
		{"https://h", "https://h.evil.example.com", false},
	} {
		a, err := url.Parse(tc.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := url.Parse(tc.b)
		if err != nil {
			t.Fatal(err)
		}
		if got := SameServer(a, b); got != tc.want {
			t.Errorf("%s and %s: %v", tc.a, tc.b, got)
		}
	}
	at := cluster(t, give("good-token"))
	other, err := url.Parse("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, New(http.DefaultTransport, other, "good-token", "", nil, ignore), at, ""); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("another server got the token: %v", err)
	}
}

func TestABrokenFileOfAnotherClusterDoesNotMatter(t *testing.T) {
	root := t.TempDir()
	t.Setenv("DCOS_DIR", root)
	t.Setenv("DCOS_CLUSTER", "")
	put := func(path, text string) {
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadCLI(Attached); err == nil {
		t.Error("no configuration at all: no error")
	}
	const good = "[core]\ndcos_url = \"https://dcos.example.com\"\ndcos_acs_token = \"tok-en\"\nssl_verify = \"false\"\n"
	put("dcos.toml", good)
	if c, err := ReadCLI(Attached); err != nil || c.URL.Host != "dcos.example.com" || !c.SkipVerify {
		t.Errorf("the file of old: %+v, %v", c, err)
	}
	put("clusters/a/dcos.toml", good+"[cluster]\nname = \"prod\"\n")
	put("clusters/a/attached", "")
	put("clusters/b/dcos.toml", "[[[")
	c, err := ReadCLI(Attached)
	if err != nil || c.ID != "a" || c.Token != "tok-en" {
		t.Errorf("the attached one: %+v, %v", c, err)
	}
	t.Setenv("DCOS_SSL_VERIFY", "true")
	if c, err := ReadCLI("prod"); err != nil || c.SkipVerify {
		t.Errorf("DCOS_SSL_VERIFY=true: %+v, %v", c, err)
	}
	if _, err := ReadCLI("b"); err == nil || !strings.Contains(err.Error(), "no valid TOML") {
		t.Errorf("the broken one itself: %v", err)
	}
	if _, err := ReadCLI("c"); err == nil || !strings.Contains(fault.Of(err).Hint, "prod") {
		t.Errorf("one that is not there: %v", err)
	}
}
