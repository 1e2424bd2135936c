package registrydocker_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
)

const (
	user     = "ci"
	password = "s3cret-word"
)

// basic wants user and password.
func basic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if u, p, ok := req.BasicAuth(); !ok || u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// tokens is a token server, and the door of the registry that wants its tokens.
type tokens struct {
	url string
	// uses is how often a token is good; 0 means for ever.
	uses int

	mu sync.Mutex
	// valid are the tokens given out, with how often they were used.
	valid map[string]int
	given int
	// identity is the refresh token that is taken instead of a password.
	identity string
	scopes   []string
}

func newTokens(t *testing.T) *tokens {
	t.Helper()
	s := &tokens{valid: map[string]int{}}
	srv := httptest.NewServer(http.HandlerFunc(s.give))
	t.Cleanup(srv.Close)
	s.url = srv.URL + "/token"
	return s
}

func (s *tokens) give(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, p, ok := req.BasicAuth()
	scope := req.URL.Query().Get("scope")
	if req.Method == http.MethodPost {
		ok = s.identity != "" && req.FormValue("refresh_token") == s.identity && req.FormValue("grant_type") == "refresh_token"
		u, p = user, password
		scope = req.FormValue("scope")
	}
	if !ok || u != user || p != password {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"errors":[{"code":"UNAUTHORIZED","message":"who is %s with %s?"}]}`, u, p)
		return
	}
	s.given++
	token := fmt.Sprintf("token-%d", s.given)
	s.valid[token] = 0
	s.scopes = append(s.scopes, scope)
	fmt.Fprintf(w, `{"access_token":%q,"expires_in":60}`, token)
}

func (s *tokens) door(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		s.mu.Lock()
		n, ok := s.valid[token]
		if ok {
			s.valid[token] = n + 1
			ok = s.uses == 0 || n < s.uses
		}
		s.mu.Unlock()
		if !ok {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s",service="registry",scope="repository:app:pull"`, s.url))
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// dockerConfig writes a configuration file.
func dockerConfig(t *testing.T, content any) string {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func auths(host string, entry map[string]string) any {
	return map[string]any{"auths": map[string]any{host: entry}}
}

func encoded() string { return base64.StdEncoding.EncodeToString([]byte(user + ":" + password)) }

// fill pushes enough tags that several requests are under way at once.
func fill(t *testing.T, reg *registrytest.Registry) {
	t.Helper()
	for i := range 40 {
		push(t, reg, fmt.Sprintf("app:%d-master", i), registrytest.Image{Created: day(1)})
	}
}

func TestLoginWithBasic(t *testing.T) {
	reg, host := memory(t, basic)
	fill(t, reg)
	helper := t.TempDir()
	script := "#!/bin/sh\nread host\necho '{\"ServerURL\":\"'$host'\",\"Username\":\"" + user + "\",\"Secret\":\"" + password + "\"}'\n"
	if err := os.WriteFile(filepath.Join(helper, "docker-credential-test"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", helper+":"+os.Getenv("PATH"))
	config := dockerConfig(t, auths(host, map[string]string{"auth": encoded()}))
	cases := map[string]block{
		"username and password":  {"username": user, "password": password},
		"docker_config":          {"docker_config": config},
		"a folder":               {"docker_config": filepath.Dir(config)},
		"a credential helper":    {"docker_config": dockerConfig(t, map[string]any{"credHelpers": map[string]string{host: "test"}})},
		"the store of all hosts": {"docker_config": dockerConfig(t, map[string]any{"credsStore": "test"})},
	}
	for name, b := range cases {
		t.Run(name, func(t *testing.T) {
			b["address"] = host
			plugin := configure(t, b, quick())
			if got := mustList(t, plugin, request("app")); len(got.Releases) != 40 {
				t.Errorf("got %+v", got)
			}
			probe, err := plugin.Probe(t.Context())
			if err != nil || probe.Identity != user {
				t.Errorf("probe = %+v, %v", probe, err)
			}
		})
	}
	t.Run("DOCKER_CONFIG", func(t *testing.T) {
		t.Setenv("HOME", t.TempDir())
		t.Setenv("DOCKER_CONFIG", filepath.Dir(config))
		if got := mustList(t, configure(t, block{"address": host}, quick()), request("app")); len(got.Releases) != 40 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestLoginWithTokens(t *testing.T) {
	s := newTokens(t)
	s.identity = "identity-token"
	reg, host := memory(t, s.door)
	fill(t, reg)
	cases := map[string]block{
		"username and password": {"username": user, "password": password},
		"an identity token":     {"docker_config": dockerConfig(t, auths(host, map[string]string{"identitytoken": s.identity, "auth": base64.StdEncoding.EncodeToString([]byte("00000000:"))}))},
	}
	for name, b := range cases {
		t.Run(name, func(t *testing.T) {
			s.mu.Lock()
			s.given, s.scopes = 0, nil
			s.mu.Unlock()
			b["address"] = host
			if got := mustList(t, configure(t, b, quick()), request("app")); len(got.Releases) != 40 {
				t.Errorf("got %+v", got)
			}
			if s.given != 1 || !slices.Equal(s.scopes, []string{"repository:app:pull"}) {
				t.Errorf("%d tokens for %v", s.given, s.scopes)
			}
		})
	}
	t.Run("a ready token", func(t *testing.T) {
		s.mu.Lock()
		s.valid["ready"] = 0
		s.mu.Unlock()
		if got := mustList(t, configure(t, block{"address": host, "token": "ready"}, quick()), request("app")); len(got.Releases) != 40 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestATokenThatExpiresIsRenewed(t *testing.T) {
	s := newTokens(t)
	s.uses = 60
	reg, host := memory(t, s.door)
	fill(t, reg)
	if got := mustList(t, configure(t, block{"address": host, "username": user, "password": password, "concurrency": 8}, quick()), request("app")); len(got.Releases) != 40 {
		t.Errorf("got %+v", got)
	}
	if s.given != 2 {
		t.Errorf("%d tokens", s.given)
	}
}

func TestWrongCredentialsAreUnauthenticatedAndNotQuoted(t *testing.T) {
	s := newTokens(t)
	for name, door := range map[string]func(http.Handler) http.Handler{"basic": basic, "bearer": s.door} {
		_, host := memory(t, door)
		const wrong = "wr0ng-password"
		for _, b := range []block{
			{"username": user, "password": wrong},
			{"token": wrong},
			{"docker_config": dockerConfig(t, auths(host, map[string]string{"username": user, "password": wrong}))},
			{"docker_config": dockerConfig(t, map[string]any{})},
			{"docker_config": dockerConfig(t, map[string]any{"credsStore": "that-does-not-exist"})},
			{"docker_config": "absent.json"},
		} {
			b["address"] = host
			_, err := list(t.Context(), configure(t, b, quick()), request("app"))
			f := fault.Of(err)
			if f == nil || f.Code != fault.Unauthenticated || f.Hint == "" {
				t.Errorf("%s: err = %v", name, err)
				continue
			}
			if text := fmt.Sprintf("%+v %v", f, f.Err); strings.Contains(text, wrong) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(user+":"+wrong))) {
				t.Errorf("%s: the password is in %s", name, text)
			}
		}
	}
}

func TestNothingIsSentToThoseWhoAreNotTheRegistry(t *testing.T) {
	var seen []string
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		seen = append(seen, req.Header.Get("Authorization"))
		http.Error(w, "AccessDenied", http.StatusForbidden)
	}))
	t.Cleanup(stranger.Close)
	elsewhere := strings.Replace(stranger.URL, "127.0.0.1", "localhost", 1)
	reg, host := memory(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.Contains(req.URL.Path, "/blobs/") {
				http.Redirect(w, req, elsewhere+"/bucket?Signature=t0p-secret", http.StatusTemporaryRedirect)
				return
			}
			next.ServeHTTP(w, req)
		})
	}, basic)
	push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
	_, err := list(t.Context(), configure(t, block{"address": host, "username": user, "password": password}, quick()), request("app"))
	if err == nil || strings.Contains(err.Error(), "t0p-secret") {
		t.Errorf("err = %v", err)
	}
	if len(seen) == 0 || slices.ContainsFunc(seen, func(s string) bool { return s != "" }) {
		t.Errorf("the stranger saw %q", seen)
	}
}

func TestBlobsMayLieElsewhere(t *testing.T) {
	reg, far := memory(t)
	_, host := memory(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.Contains(req.URL.Path, "/blobs/") {
				http.Redirect(w, req, "http://"+far+req.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			proxyTo(far, w, req)
		})
	})
	p := push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
	plugin := configure(t, block{"address": host}, quick())
	if got := mustList(t, plugin, request("app")); len(got.Releases) != 1 {
		t.Errorf("got %+v", got)
	}
	res, err := plugin.Resolve(t.Context(), registry.ResolveRequest{Repo: "app", Digest: p.Digest, Platform: "linux/amd64"})
	if err != nil || !res.Pullable {
		t.Errorf("got %+v, %v", res, err)
	}
}

// proxyTo hands a GET on to another server.
func proxyTo(host string, w http.ResponseWriter, req *http.Request) {
	out := httptest.NewRequest(http.MethodGet, "http://"+host+req.URL.RequestURI(), nil)
	out.RequestURI = ""
	resp, err := (&http.Client{}).Do(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	if err := copyAll(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func TestATokenServerOnAStrangeAddressIsRefused(t *testing.T) {
	for _, realm := range []string{"http://169.254.169.254/latest", "ftp://example.com/", "", "https://", "::"} {
		_, host := memory(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s",service="x"`, realm))
				w.WriteHeader(http.StatusUnauthorized)
			})
		})
		_, err := list(t.Context(), configure(t, block{"address": host, "username": user, "password": password}, quick()), request("app"))
		if !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q: err = %v", realm, err)
		}
	}
}

func TestNoCredentialsAreLookedForUntilTheRegistryAsks(t *testing.T) {
	reg, host := memory(t)
	push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
	plugin := configure(t, block{"address": host, "docker_config": "absent.json"}, quick())
	if got := mustList(t, plugin, request("app")); len(got.Releases) != 1 {
		t.Errorf("got %+v", got)
	}
	probe, err := plugin.Probe(t.Context())
	if err != nil || probe.Identity != "" || !strings.Contains(probe.System, host) {
		t.Errorf("probe = %+v, %v", probe, err)
	}
}
