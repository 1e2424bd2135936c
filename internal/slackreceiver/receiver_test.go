package slackreceiver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// noon is the time of the tests.
func noon() time.Time { return time.Date(2019, 6, 3, 12, 0, 0, 0, time.UTC) }

func receiver(t *testing.T) (*Receiver, string) {
	t.Helper()
	r := New(WithClock(noon))
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	return r, srv.URL
}

func get(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", address, res.Status)
	}
	return string(raw)
}

func post(t *testing.T, address, kind, body string) (int, string) {
	t.Helper()
	res, err := http.Post(address, kind, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// call calls a method of the Web API as a bot.
func call(t *testing.T, base, method string, form url.Values) map[string]any {
	t.Helper()
	form.Set("token", "xoxb-test")
	status, body := post(t, base+"/api/"+method, "application/x-www-form-urlencoded", form.Encode())
	if status != http.StatusOK {
		t.Fatalf("%s: %d", method, status)
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return answer
}

func section(text string) string {
	raw, err := json.Marshal([]any{map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text}}})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func TestAWebhookIsAnsweredAsSlackDoes(t *testing.T) {
	const hook = "/services/T0/B0/x"
	for _, tc := range []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"a text", hook, `{"text":"hello"}`, 200, "ok"},
		{"blocks", hook, `{"text":"hello","blocks":` + section("*hello*") + `}`, 200, "ok"},
		{"no such hook", "/services/T0", `{"text":"hello"}`, 404, "no_service"},
		{"no JSON", hook, `hello`, 400, "invalid_payload"},
		{"null", hook, `null`, 400, "invalid_payload"},
		{"nothing to say", hook, `{}`, 400, "no_text"},
		{"blocks that are none", hook, `{"text":"x","blocks":"{"}`, 400, "invalid_blocks_format"},
		{"an unknown block", hook, `{"text":"x","blocks":[{"type":"table"}]}`, 400, "invalid_blocks"},
		{"a section that is too long", hook, `{"text":"x","blocks":` + section(strings.Repeat("a", maxSection+1)) + `}`, 400, "invalid_blocks"},
		{"too many blocks", hook, `{"text":"x","blocks":[` + strings.TrimSuffix(strings.Repeat(`{"type":"divider"},`, maxBlocks+1), ",") + `]}`, 400, "invalid_blocks"},
		{"a text that is too long", hook, `{"text":"` + strings.Repeat("a", postTextLimit+1) + `"}`, 400, "msg_too_long"},
		{"a header in mrkdwn", hook, `{"text":"x","blocks":[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]}`, 400, "invalid_blocks"},
		{"a button without text", hook, `{"text":"x","blocks":[{"type":"actions","elements":[{"type":"button","url":"https://x"}]}]}`, 400, "invalid_blocks"},
		{"an endless body", hook, strings.Repeat(" ", maxBody+1), 400, "invalid_payload"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, base := receiver(t)
			status, body := post(t, base+tc.path, "application/json", tc.body)
			if status != tc.status || body != tc.want {
				t.Errorf("got %d %q, want %d %q", status, body, tc.status, tc.want)
			}
			if kept := len(r.Messages()) == 1; kept != (tc.status == 200) {
				t.Errorf("the message was kept: %v", kept)
			}
		})
	}
}

func TestABotPostsEditsAndAnswers(t *testing.T) {
	r, base := receiver(t)
	root := call(t, base, "chat.postMessage", url.Values{"channel": {"#releases"}, "text": {"Rolling back"}, "blocks": {section("*Rolling back*")}})
	if root["ok"] != true {
		t.Fatalf("chat.postMessage: %v", root)
	}
	channel, ts := fmt.Sprint(root["channel"]), fmt.Sprint(root["ts"])
	for _, answer := range []map[string]any{
		call(t, base, "chat.postMessage", url.Values{"channel": {channel}, "text": {"frontend is healthy"}, "thread_ts": {ts}}),
		call(t, base, "chat.postMessage", url.Values{"channel": {channel}, "text": {"Failed"}, "thread_ts": {ts}, "reply_broadcast": {"true"}}),
		call(t, base, "chat.update", url.Values{"channel": {channel}, "ts": {ts}, "text": {"Rolled back"}}),
		call(t, base, "auth.test", url.Values{}),
		call(t, base, "conversations.info", url.Values{"channel": {channel}}),
	} {
		if answer["ok"] != true {
			t.Errorf("answer: %v", answer)
		}
	}
	want := `#releases · rollback · 12:00:00 · edited 12:00:00
  │ Rolled back
  ↳ rollback · 12:00:00
    │ frontend is healthy
  ↳ rollback · 12:00:00 · also sent to the channel
    │ Failed
`
	if diff := cmp.Diff(want, r.Text()); diff != "" {
		t.Errorf("Text (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, get(t, base+"/messages.txt")); diff != "" {
		t.Errorf("messages.txt (-want +got):\n%s", diff)
	}
}

func TestABotIsRefusedAsSlackDoes(t *testing.T) {
	_, base := receiver(t)
	for _, tc := range []struct {
		name, method string
		form         url.Values
		want         string
	}{
		{"no channel", "chat.postMessage", url.Values{"text": {"x"}}, "channel_not_found"},
		{"no text", "chat.postMessage", url.Values{"channel": {"#a"}}, "no_text"},
		{"an edit by the channel's name", "chat.update", url.Values{"channel": {"#a"}, "ts": {"1.0"}, "text": {"x"}}, "channel_not_found"},
		{"an edit of nothing", "chat.update", url.Values{"channel": {"C00000000"}, "ts": {"1.0"}, "text": {"x"}}, "message_not_found"},
		{"an edit that is too long", "chat.update", url.Values{"channel": {"C00000000"}, "ts": {"1.0"}, "text": {strings.Repeat("x", updateTextLimit+1)}}, "msg_too_long"},
		{"a channel's name as its ID", "conversations.info", url.Values{"channel": {"#a"}}, "channel_not_found"},
		{"a method of which nobody knows", "chat.meow", url.Values{}, "unknown_method"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := call(t, base, tc.method, tc.form)
			if diff := cmp.Diff(map[string]any{"ok": false, "error": tc.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for body, want := range map[string]string{"": "not_authed", "token=xoxp-1": "invalid_auth"} {
		_, got := post(t, base+"/api/auth.test", "application/x-www-form-urlencoded", body)
		if !strings.Contains(got, want) {
			t.Errorf("auth.test with %q: %s, want %s", body, got, want)
		}
	}
}

func TestThePageShowsMessagesAndRunsNothingOfThem(t *testing.T) {
	_, base := receiver(t)
	text := "*bold* _it_ ~gone~ `code` <https://ci.example.com|the job> <!here> &lt;script&gt;alert(1)&lt;/script&gt; <script>alert(2)</script> <javascript:alert(3)|click> \x1b[31mred"
	post(t, base+"/services/T0/B0/x", "application/json", `{"text":"fallback","blocks":`+section(text)+`}`)
	page := get(t, base+"/")
	for _, want := range []string{"<b>bold</b>", "<i>it</i>", "<s>gone</s>", "<code>code</code>", `href="https://ci.example.com"`, "@here"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, not := range []string{"<script>alert", `href="javascript:`, "\x1b"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
	if strings.Contains(get(t, base+"/messages.txt"), "\x1b") {
		t.Error("the text could steer a terminal")
	}
	var doc struct {
		FormatVersion string    `json:"format_version"`
		Messages      []Message `json:"messages"`
	}
	if err := json.Unmarshal([]byte(get(t, base+"/api/messages")), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.FormatVersion != "1.0" || len(doc.Messages) != 1 || doc.Messages[0].Text != "fallback" {
		t.Errorf("api/messages: %+v", doc)
	}
}

func TestTheOldestMessagesGoFirst(t *testing.T) {
	r := New(WithClock(noon))
	for i := range maxMessages + 5 {
		r.add(Message{Text: fmt.Sprint(i), Channel: "C00000000"})
	}
	all := r.Messages()
	if len(all) != maxMessages || all[0].Text != "5" {
		t.Errorf("%d messages are kept, the first is %q", len(all), all[0].Text)
	}
	if all[0].TS == all[1].TS {
		t.Error("two messages have one ts")
	}
}

func FuzzMarkup(f *testing.F) {
	for _, s := range []string{"*a*", "<https://x|y>", "<!here>", "`a`*b*_c_~d~", "&lt;<@U1>&gt;", "*_~`<", "\x1b]0;x\x07"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o := textObject{"mrkdwn", s}
		for _, r := range o.plain() {
			if r == 0x1b || r == 0x07 {
				t.Errorf("plain(%q) has a control character", s)
			}
		}
		if strings.Contains(string(o.markup()), "<script") {
			t.Errorf("markup(%q) has a script", s)
		}
	})
}
