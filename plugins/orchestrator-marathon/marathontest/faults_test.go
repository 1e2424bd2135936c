package marathontest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// started is a server that listens.
func started(t *testing.T, opts marathontest.Options) world {
	t.Helper()
	s, err := marathontest.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return world{Server: s, t: t}
}

// call sends a real request; the error is that of the transport or of reading
// the body.
func (w world) call(ctx context.Context, method, url, body string, header ...string) (int, http.Header, string, error) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(b), err
}

func TestFaultsBeforeAndAfterTheChange(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   marathontest.Fault
		applied bool
		status  int // 0: no answer, or a broken one
	}{
		{"HTML page instead", marathontest.Page("PUT", "/v2/apps", 502), false, 502},
		{"too many requests", marathontest.TooManyRequests("PUT", "*"), false, 503},
		{"503 after it is applied", marathontest.FuturesTimedOut("PUT", "/v2/apps*"), true, 503},
		{"empty 200 after it is applied", marathontest.EmptyOK("PUT", "/v2/a*s"), true, 200},
		{"answer lost", marathontest.LostAnswer("PUT", ""), true, 0},
		{"closed before", marathontest.Fault{Kind: marathontest.FaultClose}, false, 0},
		{"truncated", marathontest.Fault{Kind: marathontest.FaultTruncate}, true, 0},
		{"garbage", marathontest.Fault{Kind: marathontest.FaultGarbage}, false, 200},
		{"enormous", marathontest.Fault{Kind: marathontest.FaultEnormous, Size: 1 << 20}, false, 200},
		{"other method", marathontest.Page("POST", "", 502), true, 200},
		{"other path", marathontest.Page("PUT", "/v2/apps/*", 502), true, 200},
		{"the second one", marathontest.Fault{Skip: 1}, true, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := started(t, marathontest.Options{})
			w.seed("/a", "reg/a:2")
			w.Inject(tt.fault)
			status, _, body, err := w.call(t.Context(), "PUT", w.URL()+"/v2/apps", "["+image("/a", "reg/a:1")+"]")
			if (err != nil) != (tt.status == 0) || err == nil && status != tt.status {
				t.Errorf("status %d, error %v; body %.80s", status, err, body)
			}
			if got := strings.Contains(string(w.App("/a")), "reg/a:1"); got != tt.applied {
				t.Errorf("applied: %v", got)
			}
		})
	}
}

func TestFaultsWaitAndHang(t *testing.T) {
	w := started(t, marathontest.Options{})
	w.seed("/a", "reg/a:2")
	gate := make(chan struct{})
	w.Inject(marathontest.Fault{Method: "PUT", Kind: marathontest.FaultPass, After: true, Wait: gate})
	got := make(chan int)
	go func() {
		status, _, _, _ := w.call(t.Context(), "PUT", w.URL()+"/v2/apps/a", image("/a", "reg/a:1"))
		got <- status
	}()
	if err := w.Wait(t.Context(), func() bool { return w.Running() == 1 }); err != nil {
		t.Fatal(err)
	}
	close(gate)
	if s := <-got; s != 200 {
		t.Errorf("status %d", s)
	}
	w.Inject(marathontest.Fault{Kind: marathontest.FaultHang})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, _, err := w.call(ctx, "GET", w.URL()+"/v2/apps", ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestAutomaticModeDeploysByItself(t *testing.T) {
	w := started(t, marathontest.Options{Auto: &marathontest.Auto{Every: time.Millisecond, Speed: 1000}})
	w.seed("/a", "reg/a:2", health)
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	if err := w.Wait(t.Context(), func() bool { return w.Running() == 0 }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"reg/a:1": 2}, w.RunningImages("/a")); diff != "" {
		t.Error(diff)
	}
}

func TestBasicAuth(t *testing.T) {
	w := started(t, marathontest.Options{Basic: map[string]string{"u": "p"}})
	status, header, body, _ := w.call(t.Context(), http.MethodGet, w.URL()+"/v2/apps", "")
	if status != 401 || !strings.Contains(body, "<html>") || header.Get("Www-Authenticate") == "" {
		t.Errorf("%d %s", status, body)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+"/v2/apps", nil)
	req.SetBasicAuth("u", "p")
	if status, _, _, _ := w.call(t.Context(), http.MethodGet, w.URL()+"/v2/apps", "", "Authorization", req.Header.Get("Authorization")); status != 200 {
		t.Errorf("%d", status)
	}
	for _, r := range w.Requests() {
		if r.Header.Get("Authorization") != "" {
			t.Error("the log keeps credentials")
		}
	}
}

func TestDCOSLoginsAndExpiry(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := started(t, marathontest.Options{
		WallClock: func() time.Time { return now },
		DCOS: &marathontest.DCOS{
			Users: map[string]string{"ann": "secret"}, Accounts: map[string]*rsa.PublicKey{"robot": &key.PublicKey},
			CA: []byte("a certificate"),
		},
	})
	w.seed("/a", "reg/a:2")
	login := func(body string) (int, string) {
		status, _, answer, err := w.call(t.Context(), "POST", w.URL()+"/acs/api/v1/auth/login", body)
		if err != nil {
			t.Fatal(err)
		}
		if status != 200 {
			return status, answer
		}
		return status, decode(t, answer).(map[string]any)["token"].(string)
	}
	signed := func(uid string, exp time.Time, method jwt.SigningMethod, key any) string {
		s, err := jwt.NewWithClaims(method, jwt.MapClaims{"uid": uid, "exp": exp.Unix()}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"uid":"robot","token":%q}`, s)
	}
	for name, body := range map[string]string{
		"wrong password":     `{"uid":"ann","password":"x"}`,
		"unknown user":       `{"uid":"bob","password":"secret"}`,
		"expired login":      signed("robot", now.Add(-time.Minute), jwt.SigningMethodRS256, key),
		"other's login":      signed("ann", now.Add(time.Minute), jwt.SigningMethodRS256, key),
		"wrong algorithm":    signed("robot", now.Add(time.Minute), jwt.SigningMethodHS256, []byte("x")),
		"account's password": `{"uid":"robot","password":""}`,
	} {
		if status, answer := login(body); status != 401 || !strings.Contains(answer, "ERR_INVALID_CREDENTIALS") {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	_, token := login(`{"uid":"ann","password":"secret"}`)
	_, robot := login(signed("robot", now.Add(time.Minute), jwt.SigningMethodRS256, key))
	apps := w.MarathonURL() + "/v2/apps"
	get := func(url, auth string) (int, http.Header, string) {
		status, header, body, err := w.call(t.Context(), http.MethodGet, url, "", "Authorization", auth)
		if err != nil {
			t.Fatal(err)
		}
		return status, header, body
	}
	for _, auth := range []string{"token=" + token, "Bearer " + token, "token=" + robot} {
		if status, _, body := get(apps, auth); status != 200 {
			t.Errorf("%d %s", status, body)
		}
	}
	if status, _, _ := get(w.URL()+"/marathon/v2/apps", "token="+token); status != 200 {
		t.Errorf("the old path: %d", status)
	}
	if status, header, _ := get(w.URL()+"/marathon", "token="+token); status != 307 || header.Get("Location") != "/marathon/" {
		t.Errorf("/marathon: %d", status)
	}
	if status, _, body := get(w.URL()+"/ca/dcos-ca.crt", ""); status != 200 || body != "a certificate" {
		t.Errorf("certificate: %d", status)
	}
	refused := func(when string) {
		status, header, body := get(apps, "token="+token)
		if status != 401 || header.Get("Www-Authenticate") != "acsjwt" || !strings.Contains(body, "<script>") {
			t.Errorf("%s: %d %v %s", when, status, header, body)
		}
	}
	now = now.Add(6 * 24 * time.Hour)
	refused("after five days")
	_, token = login(`{"uid":"ann","password":"secret"}`)
	w.ExpireTokens()
	refused("revoked")
	for _, r := range w.Requests() {
		if strings.HasSuffix(r.Path, "/login") && len(r.Body) > 0 {
			t.Error("the log keeps a login")
		}
	}
}

func TestWritesAreLoggedWithTheirBodies(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2")
	w.do("GET", "/v2/apps", "")
	w.do("PUT", "/v2/apps/a?force=true", `{"cmd":"x"}`, "Content-Type", "application/json")
	writes := w.Writes()
	if len(writes) != 1 || writes[0].Query.Get("force") != "true" || string(writes[0].Body) != `{"cmd":"x"}` {
		t.Errorf("%+v", writes)
	}
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	w := started(t, marathontest.Options{Auto: &marathontest.Auto{Speed: 100}})
	const n = 20
	for i := range n {
		w.seed(fmt.Sprintf("/a%d", i), "reg/a:2")
	}
	done := make(chan int)
	for i := range n {
		go func() {
			status, _, _, _ := w.call(t.Context(), "PUT", fmt.Sprintf("%s/v2/apps/a%d", w.URL(), i), `{"cmd":"x"}`)
			done <- status
		}()
	}
	for range n {
		if s := <-done; s != 200 {
			t.Errorf("status %d", s)
		}
	}
	for i := range n {
		if !strings.Contains(string(w.App(fmt.Sprintf("/a%d", i))), `"cmd":"x"`) {
			t.Errorf("/a%d is not changed", i)
		}
	}
}

func TestPingAndInfoSpeakTheProfile(t *testing.T) {
	for profile, want := range map[marathontest.Profile]string{marathontest.Profile13: "pong\n", marathontest.Profile1_11: "pong"} {
		w := newWorld(t, marathontest.Options{Profile: profile})
		if got := w.do("GET", "/ping", "").body; got != want {
			t.Errorf("%s: %q", profile, got)
		}
	}
	w := newWorld(t, marathontest.Options{Profile: marathontest.Profile15, Version: "1.5.0-SNAPSHOT", Gzip: true})
	if v := w.do("GET", "/v2/info", "").at(t, "version"); v != "1.5.0-SNAPSHOT" {
		t.Errorf("version %v", v)
	}
	if z := w.do("GET", "/v2/info", "", "Accept-Encoding", "gzip").header.Get("Content-Encoding"); z != "gzip" {
		t.Errorf("encoding %q", z)
	}
	if _, err := marathontest.New(marathontest.Options{Profile: "2.0"}); err == nil {
		t.Error("an unknown profile is accepted")
	}
}

func TestTLS(t *testing.T) {
	lent := httptest.NewTLSServer(nil) // for its certificate
	defer lent.Close()
	w := started(t, marathontest.Options{TLS: lent.TLS})
	if _, _, _, err := w.call(t.Context(), http.MethodGet, w.URL()+"/ping", ""); err == nil {
		t.Error("a certificate that nobody vouches for is trusted")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+"/ping", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := lent.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if lead := resp.Header.Get("X-Marathon-Leader"); lead != w.URL() {
		t.Errorf("leader %s", lead)
	}
}
