package slackreceiver

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxBody bounds a request, in bytes.
const maxBody = 1 << 20

// errPayload says that a request cannot be read.
var errPayload = errors.New("invalid_payload")

// params are a request's arguments; blocks stay JSON.
type params map[string]json.RawMessage

// text reads an argument as text, whatever its JSON type.
func (p params) text(name string) string {
	raw, ok := p[name]
	if !ok {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// blocks gives the blocks as JSON; a form carries them as text, a JSON body as they are.
func (p params) blocks() json.RawMessage {
	raw := p["blocks"]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return json.RawMessage(s)
	}
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// read takes the arguments from a form, from JSON, or from a form whose field payload is JSON (webhooks).
func read(w http.ResponseWriter, req *http.Request) (params, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		return nil, errPayload
	}
	kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		kind = "application/x-www-form-urlencoded"
	}
	p := params{}
	if kind == "application/json" {
		if json.Unmarshal(raw, &p) != nil || p == nil {
			return nil, errPayload
		}
		return p, nil
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, errPayload
	}
	if payload := form.Get("payload"); payload != "" {
		if json.Unmarshal([]byte(payload), &p) != nil || p == nil {
			return nil, errPayload
		}
		return p, nil
	}
	for name, values := range form {
		quoted, err := json.Marshal(values[0])
		if err != nil {
			return nil, errPayload
		}
		p[name] = quoted
	}
	return p, nil
}

// webhook takes a message as an incoming webhook does: answers are text.
func (r *Receiver) webhook(w http.ResponseWriter, req *http.Request) {
	refuse := func(status int, code string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, code)
	}
	if strings.Count(strings.Trim(req.URL.Path, "/"), "/") != 3 {
		refuse(http.StatusNotFound, "no_service")
		return
	}
	p, err := read(w, req)
	if err != nil {
		refuse(http.StatusBadRequest, "invalid_payload")
		return
	}
	blocks, code := check(p.text("text"), p.blocks(), postTextLimit)
	if code != "" {
		refuse(http.StatusBadRequest, code)
		return
	}
	r.add(Message{
		Channel: "C0WEBHOOK", ChannelName: "webhook", Via: "webhook", Username: sender(p),
		Icon: icon(p), Text: p.text("text"), Blocks: blocks,
	})
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "ok")
}

// webAPI takes calls as Slack's Web API does: always 200, with ok or an error code.
func (r *Receiver) webAPI(w http.ResponseWriter, req *http.Request) {
	p, err := read(w, req)
	if err != nil {
		answer(w, refusal("invalid_form_data"))
		return
	}
	token := p.text("token")
	if bearer, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); ok {
		token = bearer
	}
	switch {
	case token == "":
		answer(w, refusal("not_authed"))
		return
	case !strings.HasPrefix(token, "xoxb-"):
		answer(w, refusal("invalid_auth"))
		return
	}
	w.Header().Set("X-OAuth-Scopes", "chat:write,chat:write.customize,channels:read")
	switch req.PathValue("method") {
	case "auth.test":
		answer(w, map[string]any{
			"ok": true, "url": "https://sandbox.slack.com/", "team": "Sandbox", "user": "rollback",
			"team_id": "T0SANDBOX", "user_id": "U0SANDBOX", "bot_id": "B0SANDBOX",
		})
	case "chat.postMessage":
		answer(w, r.postMessage(p))
	case "chat.update":
		answer(w, r.update(p))
	case "conversations.info":
		answer(w, conversation(p.text("channel")))
	default:
		answer(w, refusal("unknown_method"))
	}
}

func refusal(code string) map[string]any { return map[string]any{"ok": false, "error": code} }

func answer(w http.ResponseWriter, body map[string]any) {
	raw, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "internal_error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(raw)
}

func (r *Receiver) postMessage(p params) map[string]any {
	if p.text("channel") == "" {
		return refusal("channel_not_found")
	}
	blocks, code := check(p.text("text"), p.blocks(), postTextLimit)
	if code != "" {
		return refusal(code)
	}
	id, name := resolve(p.text("channel"))
	m := r.add(Message{
		Channel: id, ChannelName: name, ThreadTS: p.text("thread_ts"), Broadcast: p.text("reply_broadcast") == "true",
		Via: "bot", Username: sender(p), Icon: icon(p), Text: p.text("text"), Blocks: blocks,
	})
	return map[string]any{"ok": true, "channel": m.Channel, "ts": m.TS, "message": document(m)}
}

func (r *Receiver) update(p params) map[string]any {
	blocks, code := check(p.text("text"), p.blocks(), updateTextLimit)
	if code != "" {
		return refusal(code)
	}
	// Like Slack, an edit takes the channel's ID only.
	if !channelID.MatchString(p.text("channel")) {
		return refusal("channel_not_found")
	}
	m, ok := r.edit(p.text("channel"), p.text("ts"), p.text("text"), blocks)
	if !ok {
		return refusal("message_not_found")
	}
	return map[string]any{"ok": true, "channel": m.Channel, "ts": m.TS, "text": m.Text, "message": document(m)}
}

// document is a message in Slack's own shape.
func document(m Message) map[string]any {
	d := map[string]any{"type": "message", "text": m.Text, "ts": m.TS, "username": m.Username, "bot_id": "B0SANDBOX"}
	if len(m.Blocks) > 0 {
		d["blocks"] = m.Blocks
	}
	if m.ThreadTS != "" {
		d["thread_ts"] = m.ThreadTS
	}
	return d
}

func conversation(channel string) map[string]any {
	if !channelID.MatchString(channel) {
		return refusal("channel_not_found")
	}
	id, name := resolve(channel)
	return map[string]any{"ok": true, "channel": map[string]any{
		"id": id, "name": strings.ToLower(name), "is_channel": true, "is_member": true, "is_archived": false,
	}}
}

func sender(p params) string {
	if name := p.text("username"); name != "" {
		return name
	}
	return "rollback"
}

func icon(p params) string {
	if e := p.text("icon_emoji"); e != "" {
		return e
	}
	return p.text("icon_url")
}
