package notifyslack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/slack-go/slack/slacktest"

	"github.com/rollback-project/rollback/plugins/notify-slack/notifyslack"
	"github.com/rollback-project/rollback/sdk"
	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/conformance/conformancetest"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// servePlugin makes this test's executable the plugin.
const servePlugin = "serve-plugin"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == servePlugin {
		sdk.ServeNotify(notifyslack.New(quick(nil)))
		return
	}
	os.Exit(m.Run())
}

// quick are options that never wait; waits are noted.
func quick(waits *[]time.Duration) notifyslack.Options {
	return notifyslack.Options{Sleep: func(ctx context.Context, d time.Duration) error {
		if waits != nil {
			*waits = append(*waits, d)
		}
		return ctx.Err()
	}}
}

type block map[string]any

func config(t testing.TB, b block) schema.Config {
	t.Helper()
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return schema.Config{JSON: raw}
}

func configure(t testing.TB, b block, o notifyslack.Options) notify.Notifier {
	t.Helper()
	n, err := notifyslack.New(o).Configure(t.Context(), config(t, b), schema.Runtime{Logger: hclog.NewNullLogger(), UserAgent: "rollback/test", WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sent is one request to Slack.
type sent struct {
	Method string
	Form   map[string]string
	JSON   json.RawMessage
}

// slack is a Slack that notes what it gets, and answers as it is told.
type slack struct {
	*httptest.Server
	mu     sync.Mutex
	got    []sent
	answer func(n int, method string) (status int, header http.Header, body string)
}

func newSlack(t testing.TB) *slack {
	t.Helper()
	s := &slack{answer: func(n int, method string) (int, http.Header, string) {
		if strings.HasPrefix(method, "services/") {
			return 200, nil, "ok"
		}
		if method == "conversations.info" {
			return 200, nil, `{"ok":true,"channel":{"id":"C0123456789","name":"releases","is_channel":true,"is_member":true}}`
		}
		return 200, nil, fmt.Sprintf(`{"ok":true,"channel":"C0123456789","ts":"1559556000.%06d","user":"rollback","team":"Shop"}`, n)
	}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *slack) serve(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	method := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"), "api/")
	one := sent{Method: method, Form: map[string]string{}}
	if r.Header.Get("Content-Type") == "application/json" {
		one.JSON = raw
	} else {
		r.Body = io.NopCloser(bytes.NewReader(raw))
		_ = r.ParseForm()
		for k, v := range r.PostForm {
			if k != "token" {
				one.Form[k] = v[0]
			}
		}
	}
	s.mu.Lock()
	s.got = append(s.got, one)
	n := len(s.got)
	s.mu.Unlock()
	status, header, body := s.answer(n, method)
	for k, v := range header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (s *slack) requests() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sent{}, s.got...)
}

func (s *slack) bot() block {
	return block{"token": "xoxb-1234-secret", "channel": "C0123456789", "api_url": s.URL + "/api/"}
}

func (s *slack) hook() block {
	return block{"webhook_url": s.URL + "/services/T0001/B0001/hookSecret"}
}

var noon = time.Date(2019, 6, 3, 12, 0, 0, 0, time.UTC)

// event is a whole event of a kind.
func event(kind notify.Kind) notify.Request {
	state := map[notify.Kind]string{
		notify.Started: "pending", notify.Progress: "healthy", notify.Succeeded: "healthy", notify.Failed: "failed",
		notify.Restored: "restored", notify.NeedsPerson: "unknown", notify.Interrupted: "restored",
	}[kind]
	req := notify.Request{
		Kind: kind, OperationID: "01OP", Environment: "prod", Point: "2019-06-01", Operator: "alice@ci", Approver: "bob",
		Reason: "checkout is broken", Ticket: "OPS-123", Link: "https://ci.example.com/job/7", Host: "ci",
		Message: "What has happened, and why: the frontend.", At: noon.Add(90 * time.Second), StartedAt: noon,
		Changes: []notify.Change{
			{Repo: "backend-a", App: "/ds/prod/backend-a", Action: "rollback", FromTag: "12-master", ToTag: "10-master", Reason: "released on 2019-06-01", State: state},
			{Repo: "frontend", App: "/ds/prod/frontend", Action: "forward", FromTag: "20-master", ToTag: "21-master", Reason: "gap filled", State: state},
		},
		Kept: []string{"backend-b: it is not to be changed"},
	}
	if kind == notify.Started || kind == notify.Progress {
		req.StopHint = "To stop it: press Ctrl-C where it runs (ci)."
	}
	return req
}

var kinds = []notify.Kind{notify.Started, notify.Progress, notify.Succeeded, notify.Failed, notify.Restored, notify.NeedsPerson, notify.Interrupted}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// pretty are the requests, with their blocks readable.
func pretty(t *testing.T, all []sent) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, s := range all {
		fmt.Fprintf(&b, "%s\n", s.Method)
		for _, k := range []string{"channel", "ts", "thread_ts", "reply_broadcast", "username", "icon_emoji", "icon_url", "text"} {
			if v, ok := s.Form[k]; ok {
				fmt.Fprintf(&b, "  %s: %s\n", k, v)
			}
		}
		raw := s.JSON
		if raw == nil {
			raw = json.RawMessage(s.Form["blocks"])
		}
		if err := json.Indent(&b, raw, "  ", "  "); err != nil {
			t.Fatalf("%s: %v: %s", s.Method, err, raw)
		}
		b.WriteString("\n\n")
	}
	return b.Bytes()
}

func TestWhatAWebhookGets(t *testing.T) {
	s := newSlack(t)
	b := s.hook()
	b["mention"], b["username"], b["icon"] = []string{"@here"}, "roller", ":rewind:"
	n := configure(t, b, quick(nil))
	for _, k := range kinds {
		res, err := n.Notify(t.Context(), event(k))
		if err != nil || res.Thread != "" {
			t.Errorf("%s: %+v, %v", k, res, err)
		}
	}
	golden(t, "webhook.golden", pretty(t, s.requests()))
}

func TestWhatABotPostsEditsAndAnswers(t *testing.T) {
	for _, end := range []notify.Kind{notify.Succeeded, notify.Restored, notify.NeedsPerson, notify.Interrupted} {
		t.Run(string(end), func(t *testing.T) {
			s := newSlack(t)
			now := noon
			o := quick(nil)
			o.Now = func() time.Time { now = now.Add(5 * time.Second); return now }
			b := s.bot()
			b["mention"], b["icon"] = []string{"U012345678", "S012345678"}, "https://example.com/i.png"
			n := configure(t, b, o)
			story := []notify.Kind{notify.Started, notify.Progress, end}
			if end != notify.Succeeded {
				story = []notify.Kind{notify.Started, notify.Progress, notify.Failed, end}
			}
			thread := ""
			for _, k := range story {
				req := event(k)
				req.Thread = thread
				res, err := n.Notify(t.Context(), req)
				if err != nil {
					t.Fatalf("%s: %v", k, err)
				}
				if thread != "" && res.Thread != thread {
					t.Errorf("%s: the thread became %q", k, res.Thread)
				}
				thread = res.Thread
			}
			golden(t, "bot_"+string(end)+".golden", pretty(t, s.requests()))
		})
	}
}

func TestProgressThatComesFastIsGathered(t *testing.T) {
	s := newSlack(t)
	o := quick(nil)
	o.Now = func() time.Time { return noon }
	n := configure(t, s.bot(), o)
	res, err := n.Notify(t.Context(), event(notify.Started))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		req := event(notify.Progress)
		req.Thread, req.Message = res.Thread, fmt.Sprintf("app %d is healthy", i)
		if _, err := n.Notify(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(s.requests()); got != 1 {
		t.Errorf("%d requests for twenty events in an instant", got)
	}
	req := event(notify.Succeeded)
	req.Thread = res.Thread
	if _, err := n.Notify(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	all := s.requests()
	text := fmt.Sprint(all)
	if !strings.Contains(text, "app 0 is healthy") || !strings.Contains(text, "app 19 is healthy") {
		t.Error("what was gathered is lost")
	}
}

func TestAThreadThatIsGoneBeginsAnew(t *testing.T) {
	s := newSlack(t)
	usual := s.answer
	s.answer = func(n int, method string) (int, http.Header, string) {
		if method == "chat.update" {
			return 200, nil, `{"ok":false,"error":"message_not_found"}`
		}
		return usual(n, method)
	}
	n := configure(t, s.bot(), quick(nil))
	for _, handle := range []string{"slack-1:C0123456789:1559556000.000001", "slack-1:C9999999999:1559556000.000001", "garbage", "slack-9:x"} {
		req := event(notify.Succeeded)
		req.Thread = handle
		res, err := n.Notify(t.Context(), req)
		if err != nil || res.Thread == handle || res.Thread == "" {
			t.Errorf("%s: %+v, %v", handle, res, err)
		}
	}
}

func TestAnOperationOf200AppsStaysWithinSlacksLimits(t *testing.T) {
	s := newSlack(t)
	n := configure(t, s.hook(), quick(nil))
	req := event(notify.NeedsPerson)
	req.Message, req.Reason, req.Operator = strings.Repeat("long <story> & more ", 500), strings.Repeat("ü", 5000), strings.Repeat("o", 500)
	req.Link = "https://ci.example.com/" + strings.Repeat("x", 4000)
	req.Changes, req.Kept = nil, nil
	for i := range 200 {
		states := []string{"pending", "deploying", "healthy", "failed", "restored", "unknown"}
		req.Changes = append(req.Changes, notify.Change{
			Repo: fmt.Sprintf("service-%d-%s", i, strings.Repeat("n", 100)), App: "/ds/prod/" + strings.Repeat("a", 200), Action: "rollback",
			FromTag: strings.Repeat("f", 128), ToTag: strings.Repeat("t", 128), Reason: strings.Repeat("why ", 100), State: states[i%len(states)],
		})
		req.Kept = append(req.Kept, strings.Repeat("kept ", 50))
	}
	if _, err := n.Notify(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	var msg struct {
		Text   string `json:"text"`
		Blocks []struct {
			Type     string                  `json:"type"`
			Text     struct{ Text string }   `json:"text"`
			Fields   []struct{ Text string } `json:"fields"`
			Elements []json.RawMessage       `json:"elements"`
		} `json:"blocks"`
	}
	if err := json.Unmarshal(s.requests()[0].JSON, &msg); err != nil {
		t.Fatal(err)
	}
	if len(msg.Blocks) == 0 || len(msg.Blocks) > 50 || len([]rune(msg.Text)) > 4000 {
		t.Errorf("%d blocks, a text of %d", len(msg.Blocks), len([]rune(msg.Text)))
	}
	total := 0
	for _, b := range msg.Blocks {
		limit := map[string]int{"header": 150, "section": 3000}[b.Type]
		if n := len([]rune(b.Text.Text)); limit > 0 && n > limit {
			t.Errorf("a %s of %d characters", b.Type, n)
		}
		if len(b.Fields) > 10 || len(b.Elements) > 25 {
			t.Errorf("%d fields, %d elements", len(b.Fields), len(b.Elements))
		}
		total += len([]rune(b.Text.Text))
		for _, f := range b.Fields {
			if n := len([]rune(f.Text)); n > 2000 {
				t.Errorf("a field of %d characters", n)
			}
			total += len([]rune(f.Text))
		}
	}
	if total > 13200 {
		t.Errorf("%d characters in all blocks", total)
	}
	if !strings.Contains(string(s.requests()[0].JSON), "200 apps") {
		t.Error("it does not say how many apps there are")
	}
}

func TestTextFromOutsideIsNoMarkup(t *testing.T) {
	s := newSlack(t)
	n := configure(t, s.hook(), quick(nil))
	req := event(notify.Failed)
	evil := "<!channel> <https://evil.example.com|click> *bold* _it_ ~no~ `code` &amp; @here \x1b[31m\x00 :boom: xoxb-9999-other"
	req.Message, req.Reason, req.Operator, req.Changes[0].Repo, req.Changes[0].FromTag = evil, evil, evil, evil, evil
	req.Kept = []string{evil}
	if _, err := n.Notify(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	raw := string(s.requests()[0].JSON)
	var text any
	if err := json.Unmarshal([]byte(raw), &text); err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprint(text)
	for _, not := range []string{"<!channel>", "<https://evil", "\x1b", "\x00"} {
		if strings.Contains(said, not) {
			t.Errorf("the message has %q:\n%s", not, said)
		}
	}
}

func TestSlackSaysNo(t *testing.T) {
	for name, tc := range map[string]struct {
		hook     bool
		status   int
		header   http.Header
		body     string
		code     fault.Code
		want     string
		requests int
	}{
		"a token that is not valid":   {false, 200, nil, `{"ok":false,"error":"invalid_auth"}`, fault.Unauthenticated, "invalid_auth", 1},
		"no such channel":             {false, 200, nil, `{"ok":false,"error":"channel_not_found"}`, "", "channel_not_found", 1},
		"not in the channel":          {false, 200, nil, `{"ok":false,"error":"not_in_channel"}`, "", "not_in_channel", 1},
		"a scope is missing":          {false, 200, nil, `{"ok":false,"error":"missing_scope"}`, fault.PermissionDenied, "missing_scope", 1},
		"out of order":                {false, 503, nil, "<html>", "", "Service Unavailable", 0},
		"garbage":                     {false, 200, nil, "<html>", "", "", 0},
		"nothing":                     {false, 200, nil, "", "", "", 0},
		"an enormous answer":          {false, 200, nil, `{"x":"` + strings.Repeat("x", 4<<20), "", "", 0},
		"too often, for long":         {false, 429, http.Header{"Retry-After": {"600"}}, "", fault.RateLimited, "", 1},
		"too often, without a number": {false, 429, http.Header{"Retry-After": {"soon"}}, "", fault.RateLimited, "", 4},
		"a webhook that is gone":      {true, 404, nil, "no_service", "", "no_service", 1},
		"a webhook that refuses":      {true, 400, nil, "invalid_blocks", "", "invalid_blocks", 1},
		"a webhook out of order":      {true, 500, nil, "<html>hookSecret</html>", "", "Internal Server Error", 0},
		"a webhook that leads away":   {true, 302, http.Header{"Location": {"https://evil.example.com"}}, "", "", "Found", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlack(t)
			s.answer = func(int, string) (int, http.Header, string) { return tc.status, tc.header, tc.body }
			b := s.bot()
			if tc.hook {
				b = s.hook()
			}
			_, err := configure(t, b, quick(nil)).Notify(t.Context(), event(notify.Started))
			if err == nil || tc.code != "" && !fault.Is(err, tc.code) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v (%s), want %s with %q", err, fault.CodeOf(err), tc.code, tc.want)
			}
			for _, secret := range []string{"xoxb-1234-secret", "hookSecret", "<html>"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error has %q: %v", secret, err)
				}
			}
			if got := len(s.requests()); tc.requests > 0 && got != tc.requests {
				t.Errorf("%d requests, want %d", got, tc.requests)
			}
			if f := fault.Of(err); f == nil || f.Code != fault.RateLimited && f.Hint == "" && f.Code != fault.Unavailable && f.Code != fault.Indeterminate && f.Code != fault.Internal {
				t.Errorf("it does not say what to do: %+v", f)
			}
		})
	}
}

func TestSlackIsAskedAgainAfterTheTimeItNames(t *testing.T) {
	s := newSlack(t)
	usual := s.answer
	s.answer = func(n int, method string) (int, http.Header, string) {
		if n <= 2 {
			return 429, http.Header{"Retry-After": {"3"}}, ""
		}
		return usual(n, method)
	}
	var waits []time.Duration
	if _, err := configure(t, s.bot(), quick(&waits)).Notify(t.Context(), event(notify.Started)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]time.Duration{3 * time.Second, 3 * time.Second}, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close()
	for name, b := range map[string]block{
		"bot":     {"token": "xoxb-1", "channel": "C0123456789", "api_url": nobody + "/api/"},
		"webhook": {"webhook_url": nobody + "/services/T1/B1/hookSecret"},
	} {
		n := configure(t, b, quick(nil))
		if _, err := n.Notify(t.Context(), event(notify.Started)); !fault.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "hookSecret") {
			t.Errorf("%s: Notify: %v", name, err)
		}
		if _, err := n.Probe(t.Context()); !fault.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "hookSecret") {
			t.Errorf("%s: Probe: %v", name, err)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := n.Notify(cancelled, event(notify.Started)); err == nil {
			t.Errorf("%s: cancelled: no error", name)
		}
	}
}

func TestACertificateOfOnesOwn(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer srv.Close()
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	hook := srv.URL + "/services/T1/B1/x"
	if _, err := configure(t, block{"webhook_url": hook}, quick(nil)).Notify(t.Context(), event(notify.Started)); err == nil || fault.Of(err).Hint == "" {
		t.Errorf("an unknown authority: %v", err)
	}
	if _, err := configure(t, block{"webhook_url": hook, "ca_file": ca}, quick(nil)).Notify(t.Context(), event(notify.Started)); err != nil {
		t.Errorf("with ca_file: %v", err)
	}
	for _, bad := range []string{filepath.Join(dir, "nowhere"), os.Args[0]} {
		_, err := notifyslack.Plugin().Configure(t.Context(), config(t, block{"webhook_url": hook, "ca_file": bad}), schema.Runtime{Logger: hclog.NewNullLogger()})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("ca_file = %s: %v", bad, err)
		}
	}
}

func TestProbeTellsNobody(t *testing.T) {
	s := newSlack(t)
	for _, b := range []block{s.bot(), s.hook()} {
		res, err := configure(t, b, quick(nil)).Probe(t.Context())
		if err != nil || !strings.HasPrefix(res.System, "Slack") {
			t.Errorf("%+v, %v", res, err)
		}
	}
	for _, one := range s.requests() {
		if strings.Contains(one.Method, "chat.") || strings.HasPrefix(one.Method, "services/") {
			t.Errorf("it posted: %s", one.Method)
		}
	}
}

// TestOnSlacksTestServer is the library's own idea of a Slack.
func TestOnSlacksTestServer(t *testing.T) {
	s := slacktest.NewTestServer()
	s.Start()
	defer s.Stop()
	n := configure(t, block{"token": "xoxb-1", "channel": "C0123456789", "api_url": s.GetAPIURL()}, quick(nil))
	res, err := n.Notify(t.Context(), event(notify.Started))
	if err != nil || res.Thread == "" {
		t.Fatalf("%+v, %v", res, err)
	}
	if !strings.HasPrefix(res.Thread, "slack-1:C0123456789:") {
		t.Errorf("the thread is %s", res.Thread)
	}
	if _, err := n.Probe(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPolicyThatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		block    block
		errors   []string
		warnings []string
	}{
		"nothing":               {block{}, []string{"webhook_url"}, nil},
		"both":                  {block{"webhook_url": "https://hooks.slack.com/services/T1/B1/x", "token": "xoxb-1", "channel": "C0123456789"}, []string{"token"}, []string{"channel"}},
		"a token and nowhere":   {block{"token": "xoxb-1"}, []string{"channel"}, nil},
		"a token of an app":     {block{"token": "xapp-1", "channel": "C0123456789"}, []string{"token"}, nil},
		"a token with a break":  {block{"token": "xoxb-1\n", "channel": "C0123456789"}, []string{"token"}, nil},
		"a person's token":      {block{"token": "xoxp-1", "channel": "C0123456789"}, nil, []string{"token"}},
		"a channel with spaces": {block{"token": "xoxb-1", "channel": "the releases"}, []string{"channel"}, nil},
		"no URL":                {block{"webhook_url": "hooks.slack.com/services/T1/B1/x"}, []string{"webhook_url"}, nil},
		"no path":               {block{"webhook_url": "https://hooks.slack.com/"}, []string{"webhook_url"}, nil},
		"cut off":               {block{"webhook_url": "https://hooks.slack.com/services/T1"}, nil, []string{"webhook_url"}},
		"without TLS":           {block{"webhook_url": "http://proxy.example.com/services/T1/B1/x"}, nil, []string{"webhook_url"}},
		"an API that is none":   {block{"token": "xoxb-1", "channel": "C0123456789", "api_url": "x"}, []string{"api_url"}, nil},
		"an API without TLS":    {block{"token": "xoxb-1", "channel": "C0123456789", "api_url": "http://slack.example.com/api/"}, nil, []string{"api_url"}},
		"an API of no use":      {block{"webhook_url": "https://hooks.slack.com/services/T1/B1/x", "api_url": "https://slack.example.com/api/"}, nil, []string{"api_url"}},
		"who is that":           {block{"webhook_url": "https://hooks.slack.com/services/T1/B1/x", "mention": []string{"@here", "bob"}}, []string{"mention.1"}, nil},
		"no time":               {block{"webhook_url": "https://hooks.slack.com/services/T1/B1/x", "timeout": "0s"}, []string{"timeout"}, nil},
		"too much time":         {block{"webhook_url": "https://hooks.slack.com/services/T1/B1/x", "timeout": "1h"}, []string{"timeout"}, nil},
		"a name that breaks":    {block{"webhook_url": "https://hooks.slack.com/services/T1/B1/x", "username": "a\nb"}, []string{"username"}, nil},
		"a picture that is not": {block{"webhook_url": "https://hooks.slack.com/services/T1/B1/x", "icon": "rewind"}, []string{"icon"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var failed, warned []string
			for _, d := range notifyslack.Plugin().ValidateConfig(config(t, tc.block)) {
				if d.Severity == diag.Error {
					failed = append(failed, strings.Join(d.Path, "."))
				} else {
					warned = append(warned, strings.Join(d.Path, "."))
				}
				if d.Detail == "" || strings.Contains(d.Detail, "/services/T1/B1/x") {
					t.Errorf("the detail is empty or has a secret: %q", d.Detail)
				}
			}
			if diff := cmp.Diff(tc.errors, failed); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.warnings, warned); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			_, err := notifyslack.Plugin().Configure(t.Context(), config(t, tc.block), schema.Runtime{Logger: hclog.NewNullLogger()})
			if (err != nil) != (len(tc.errors) > 0) {
				t.Errorf("Configure: %v", err)
			}
		})
	}
	bad := schema.Config{JSON: json.RawMessage(`{"webhook_url": 5}`)}
	if ds := notifyslack.Plugin().ValidateConfig(bad); !ds.HasErrors() {
		t.Error("a number for a URL: no error")
	}
	if _, err := notifyslack.Plugin().Configure(t.Context(), bad, schema.Runtime{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a number for a URL: %v", err)
	}
}

func TestConformance(t *testing.T) {
	s := newSlack(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close()
	fixture := conformance.Fixture{
		Config:      config(t, s.bot()).JSON,
		Unreachable: config(t, block{"webhook_url": nobody + "/services/T1/B1/hookSecret"}).JSON,
		Invalid: []conformance.InvalidConfig{
			{Config: config(t, block{}).JSON, Paths: []string{"webhook_url"}},
			{Config: config(t, block{"token": "xoxb-1", "timeout": "soon"}).JSON, Paths: []string{"channel", "timeout"}},
		},
		WorkDir: t.TempDir(),
	}
	t.Run("over the wire", func(t *testing.T) {
		conformancetest.Run(t, conformance.OfHost(schema.Notify, func(ctx context.Context, log hclog.Logger) (*host.Plugin, error) {
			return host.InProcessNotify(ctx, notifyslack.New(quick(nil)), host.Config{Logger: log})
		}), fixture)
	})
	t.Run("as a process", func(t *testing.T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		conformancetest.Run(t, conformance.OfExecutable(host.Config{
			Kind: schema.Notify, Name: "slack", Path: self, Args: []string{servePlugin}, Environ: os.Environ(),
		}), fixture)
	})
}
