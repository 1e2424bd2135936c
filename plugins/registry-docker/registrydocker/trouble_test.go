package registrydocker_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
)

// instead answers the requests that match, counted from 1, in place of the registry.
func instead(match func(*http.Request) bool, answer func(n int64, w http.ResponseWriter, req *http.Request, next http.Handler)) func(http.Handler) http.Handler {
	var n atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if match(req) {
				answer(n.Add(1), w, req, next)
				return
			}
			next.ServeHTTP(w, req)
		})
	}
}

func anything(*http.Request) bool { return true }

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

// kinds are the requests of a listing.
var kinds = map[string]func(*http.Request) bool{
	"list":     isList,
	"manifest": func(req *http.Request) bool { return strings.Contains(req.URL.Path, "/manifests/") },
	"config":   func(req *http.Request) bool { return strings.Contains(req.URL.Path, "/blobs/") },
}

func TestTroubleIsAFaultThatSaysWhatToDo(t *testing.T) {
	status := func(code int, header, value, body string) func(int64, http.ResponseWriter, *http.Request, http.Handler) {
		return func(_ int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			if header != "" {
				w.Header().Set(header, value)
			}
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	cases := []struct {
		name   string
		answer func(int64, http.ResponseWriter, *http.Request, http.Handler)
		code   fault.Code
		says   string // in the message or the hint
	}{
		{"401", status(401, "WWW-Authenticate", `Basic realm="r"`, ""), fault.Unauthenticated, "docker login"},
		{"403", status(403, "", "", `{"errors":[{"code":"DENIED","message":"requested access is denied"}]}`), fault.PermissionDenied, "requested access is denied"},
		{"a 404 that is not the registry's", status(404, "", "", "<html>nginx</html>"), fault.Invalid, "no registry"},
		{"429 with a wait that nobody has", status(429, "Retry-After", "3600", ""), fault.RateLimited, "1h0m0s"},
		{"429 again and again", status(429, "Retry-After", "0", ""), fault.RateLimited, "requests_per_second"},
		{"500", status(500, "", "", ""), fault.Unavailable, "500"},
		{"503", status(503, "", "", "<html>"), fault.Unavailable, "503"},
		{"418", status(418, "", "", ""), fault.Internal, "418"},
		{"400, as HTTPS servers answer HTTP", status(400, "", "", "Client sent an HTTP request to an HTTPS server."), fault.Internal, "plain_http"},
		{"garbage", status(200, "", "", "<html>sign in</html>"), fault.Internal, "proxies"},
		{"nothing", func(_ int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) { drop(w) }, fault.Unavailable, "EOF"},
		{"an enormous answer", func(_ int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range 200 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, fault.Internal, "max_response"},
		{"an answer that says that it is enormous", status(200, "Content-Length", "99999999999", ""), fault.Internal, "max_response"},
		{"a redirect in a circle", func(_ int64, w http.ResponseWriter, req *http.Request, _ http.Handler) {
			http.Redirect(w, req, req.URL.String(), http.StatusTemporaryRedirect)
		}, fault.Unavailable, "redirects"},
		{"control characters in the registry's words", status(403, "", "", `{"errors":[{"code":"DENIED","message":"\u001b[2Jevil"}]}`), fault.PermissionDenied, " [2Jevil"},
	}
	for kind, match := range kinds {
		for _, c := range cases {
			t.Run(kind+": "+c.name, func(t *testing.T) {
				reg, host := memory(t, instead(match, c.answer))
				push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
				got, err := list(t.Context(), configure(t, block{"address": host, "retries": 2}, quick()), request("app"))
				f := fault.Of(err)
				if f == nil || f.Code != c.code {
					t.Fatalf("err = %v (%s), want %s; got %+v", err, fault.CodeOf(err), c.code, got)
				}
				if text := f.Message + "\n" + f.Hint; !strings.Contains(text, c.says) || !strings.Contains(f.Message, "app") {
					t.Errorf("the message does not say %q: %s", c.says, text)
				}
				if strings.ContainsAny(f.Message+f.Hint, "\x1b\n") {
					t.Errorf("control characters in %q", f.Message)
				}
				if len(got.Releases)+len(got.Skipped) != 0 {
					t.Errorf("something was listed: %+v", got)
				}
			})
		}
	}
}

func TestReadsAreRepeatedUntilTheyWork(t *testing.T) {
	cases := map[string]func(w http.ResponseWriter){
		"429": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"500":       func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		"502":       func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"503":       func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"no answer": drop,
		"half an answer": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"tags":`)
		},
	}
	for kind, match := range kinds {
		for name, trouble := range cases {
			t.Run(kind+": "+name, func(t *testing.T) {
				reg, host := memory(t, instead(match, func(n int64, w http.ResponseWriter, req *http.Request, next http.Handler) {
					if n <= 3 {
						trouble(w)
						return
					}
					next.ServeHTTP(w, req)
				}))
				push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
				got := mustList(t, configure(t, block{"address": host}, quick()), request("app"))
				if len(got.Releases) != 1 {
					t.Errorf("got %+v", got)
				}
			})
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	var first, second time.Time
	reg, host := memory(t, instead(isList, func(n int64, w http.ResponseWriter, req *http.Request, next http.Handler) {
		if n == 1 {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		second = time.Now()
		next.ServeHTTP(w, req)
	}))
	push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
	mustList(t, configure(t, block{"address": host}, quick()), request("app"))
	if waited := second.Sub(first); waited < time.Second {
		t.Errorf("came back after %s", waited)
	}
}

func TestContentThatIsNotWhatItsDigestSaysIsAnError(t *testing.T) {
	cases := map[string]func(int64, http.ResponseWriter, *http.Request, http.Handler){
		// Still JSON, still of the same length.
		"manifest": func(_ int64, w http.ResponseWriter, req *http.Request, next http.Handler) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, req)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			fmt.Fprint(w, strings.Replace(rec.Body.String(), `"schemaVersion":2`, `"schemaVersion":3`, 1))
		},
		"config": func(_ int64, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			fmt.Fprint(w, `{"created":"2019-06-29T00:00:00Z"}`)
		},
	}
	for kind, answer := range cases {
		reg, host := memory(t, instead(kinds[kind], answer))
		push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
		_, err := list(t.Context(), configure(t, block{"address": host}, quick()), request("app"))
		if !fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), "digest") {
			t.Errorf("%s: err = %v", kind, err)
		}
	}
}

func TestNobodyListensIsUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	l.Close()
	_, err = list(t.Context(), configure(t, block{"address": host}, quick()), request("app"))
	f := fault.Of(err)
	if f == nil || f.Code != fault.Unavailable || !strings.Contains(f.Hint, "Nothing listens at "+host) {
		t.Errorf("err = %v", err)
	}
}

func TestSlowAnswersEnd(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	reg, host := memory(t, instead(anything, func(_ int64, _ http.ResponseWriter, req *http.Request, _ http.Handler) {
		select {
		case <-release:
		case <-req.Context().Done():
		}
	}))
	push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
	t.Run("by the timeout of the block", func(t *testing.T) {
		_, err := list(t.Context(), configure(t, block{"address": host, "timeout": "20ms", "retries": 1}, quick()), request("app"))
		if f := fault.Of(err); f == nil || f.Code != fault.Unavailable || !strings.Contains(f.Hint, "timeout") {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("by the caller", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err := list(ctx, configure(t, block{"address": host}, quick()), request("app"))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v", err)
		}
	})
}

func TestNoGoroutineSurvivesAListing(t *testing.T) {
	reg, host := memory(t)
	for i := range 50 {
		push(t, reg, fmt.Sprintf("app:%d-master", i), registrytest.Image{Created: day(1)})
	}
	before := goleak.IgnoreCurrent()
	plugin := configure(t, block{"address": host}, quick())
	enough := errors.New("enough")
	n := 0
	err := plugin.ListReleases(t.Context(), request("app"), func(registry.Item) error {
		if n++; n > 5 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	// What is left are the idle connections of client and server.
	goleak.VerifyNone(t, before,
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"))
}

// secure starts a registry with TLS, and writes its authority to a file. pair becomes its certificate and key.
func secure(t *testing.T, change func(*httptest.Server), pair *tls.Certificate) (host, caFile string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if isList(req) {
			fmt.Fprint(w, `{"name":"app","tags":[]}`)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if change != nil {
		change(srv)
	}
	srv.StartTLS()
	if pair != nil {
		*pair = srv.TLS.Certificates[0]
	}
	t.Cleanup(srv.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return hostOf(t, srv.URL), caFile
}

func TestTLS(t *testing.T) {
	host, ca := secure(t, nil, nil)
	cases := []struct {
		name  string
		block block
		code  fault.Code
		hint  string
	}{
		{"the authority is known", block{"ca_file": ca}, "", ""},
		{"nothing is verified", block{"insecure_skip_verify": true}, "", ""},
		{"the authority is unknown", block{"plain_http": false}, fault.Unavailable, "ca_file"},
		{"HTTP is spoken to HTTPS", block{}, fault.Internal, "plain_http"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.block["address"] = host
			_, err := list(t.Context(), configure(t, c.block, quick()), request("app"))
			if fault.CodeOf(err) != c.code {
				t.Fatalf("err = %v", err)
			}
			if c.code != "" && !strings.Contains(fault.Of(err).Hint, c.hint) {
				t.Errorf("hint = %s", fault.Of(err).Hint)
			}
		})
	}
	t.Run("HTTPS is spoken to HTTP", func(t *testing.T) {
		_, host := memory(t)
		_, err := list(t.Context(), configure(t, block{"address": host, "plain_http": false}, quick()), request("app"))
		if f := fault.Of(err); f == nil || f.Code != fault.Unavailable || !strings.Contains(f.Hint, "plain_http = true") {
			t.Errorf("err = %v, hint = %v", err, f)
		}
	})
	t.Run("the certificate is for another name", func(t *testing.T) {
		_, port, err := net.SplitHostPort(host)
		if err != nil {
			t.Fatal(err)
		}
		_, err = list(t.Context(), configure(t, block{"address": "localhost:" + port, "ca_file": ca}, quick()), request("app"))
		if f := fault.Of(err); f == nil || f.Code != fault.Unavailable || !strings.Contains(f.Hint, "another name") {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("files that are not there or hold nothing", func(t *testing.T) {
		empty := filepath.Join(t.TempDir(), "empty")
		if err := os.WriteFile(empty, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, b := range []block{{"ca_file": "absent.pem"}, {"ca_file": empty}, {"client_cert_file": empty, "client_key_file": empty}} {
			b["address"] = host
			if _, err := tryConfigure(t, b, quick()); !fault.Is(err, fault.Invalid) {
				t.Errorf("%v: err = %v", b, err)
			}
		}
	})
}

func TestARegistryMayAskForAClientCertificate(t *testing.T) {
	var pair tls.Certificate
	host, ca := secure(t, func(srv *httptest.Server) { srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert} }, &pair)
	folder := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for file, b := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := block{"address": host, "ca_file": ca, "client_cert_file": certFile, "client_key_file": keyFile}
	mustList(t, configure(t, b, quick()), request("app"))
	_, err = list(t.Context(), configure(t, block{"address": host, "ca_file": ca, "retries": 0}, quick()), request("app"))
	if f := fault.Of(err); f == nil || f.Code != fault.Unavailable || !strings.Contains(f.Hint, "client_cert_file") {
		t.Errorf("without one: %v, %+v", err, f)
	}
}
