package slackreceiver

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's template, style and script
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

var page = template.Must(template.New("page").Parse(pageSource))

// policy lets the page load nothing but itself: the only script is the embedded one.
var policy = "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; script-src '" + digest(pageScript) + "'"

func digest(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// conversationView is one message of a channel with its thread.
type conversationView struct {
	Message messageView
	Replies []messageView
}

// messageView is a message for the page.
type messageView struct {
	Sender, Icon, Channel, At, Edited string
	Webhook, Broadcast                bool
	Fallback                          string
	Blocks                            []blockView
}

// blockView is a block for the page; Kind is its type.
type blockView struct {
	Kind    string
	Text    template.HTML
	Fields  []template.HTML
	Buttons []buttonView
}

type buttonView struct{ Label, URL, Style string }

// conversations sorts messages into threads, newest first.
func conversations(all []Message) []conversationView {
	var out []conversationView
	for _, m := range slices.Backward(all) {
		if m.ThreadTS != "" {
			continue
		}
		c := conversationView{Message: m.view()}
		for _, reply := range all {
			if reply.ThreadTS == m.TS && reply.Channel == m.Channel {
				c.Replies = append(c.Replies, reply.view())
			}
		}
		out = append(out, c)
	}
	return out
}

const clock = "15:04:05"

func (m Message) view() messageView {
	v := messageView{
		Sender: visible(m.Username), Icon: "⏪", Channel: visible(m.ChannelName), At: m.Posted.UTC().Format(clock),
		Webhook: m.Via == "webhook", Broadcast: m.Broadcast, Fallback: textObject{"mrkdwn", m.Text}.plain(),
	}
	if m.Edits > 0 {
		v.Edited = fmt.Sprintf("edited %s, %d times", m.Edited.UTC().Format(clock), m.Edits)
		if m.Edits == 1 {
			v.Edited = "edited " + m.Edited.UTC().Format(clock)
		}
	}
	blocks, _ := parse(m.Blocks) // they were checked when they came
	for _, b := range blocks {
		v.Blocks = append(v.Blocks, b.view())
	}
	if len(blocks) == 0 {
		v.Blocks = []blockView{{Kind: "section", Text: textObject{"mrkdwn", m.Text}.markup()}}
	}
	return v
}

func (b block) view() blockView {
	v := blockView{Kind: b.Type}
	if b.Text != nil {
		v.Text = b.Text.markup()
	}
	for _, f := range b.Fields {
		v.Fields = append(v.Fields, f.markup())
	}
	for _, e := range b.Elements {
		t, _ := e.object()
		if b.Type == "context" {
			v.Fields = append(v.Fields, t.markup())
			continue
		}
		button := buttonView{Label: t.plain(), Style: e.Style}
		if u, err := url.Parse(e.URL); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
			button.URL = e.URL
		}
		v.Buttons = append(v.Buttons, button)
	}
	return v
}

func (r *Receiver) servePage(w http.ResponseWriter, _ *http.Request) {
	all := r.Messages()
	var b bytes.Buffer
	err := page.Execute(&b, map[string]any{
		"Conversations": conversations(all),
		"Count":         len(all),
		"Style":         template.CSS(pageStyle), //nolint:gosec // a file of ours
		"Script":        template.JS(pageScript), //nolint:gosec // a file of ours
	})
	if err != nil {
		http.Error(w, "the page cannot be drawn", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	guard(w)
	_, _ = w.Write(b.Bytes())
}

func (r *Receiver) serveJSON(w http.ResponseWriter, _ *http.Request) {
	all := r.Messages()
	if all == nil {
		all = []Message{}
	}
	raw, err := json.MarshalIndent(map[string]any{"format_version": "1.0", "messages": all}, "", "  ")
	if err != nil {
		http.Error(w, "the messages cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	guard(w)
	_, _ = w.Write(append(raw, '\n'))
}

func (r *Receiver) serveText(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	guard(w)
	_, _ = w.Write([]byte(r.Text()))
}

// guard keeps a browser from guessing and from keeping.
func guard(w http.ResponseWriter) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

// Text draws all messages for a terminal, oldest first, threads under their message. It has no control characters
// but line breaks.
func (r *Receiver) Text() string {
	all := r.Messages()
	var b strings.Builder
	for _, m := range all {
		if m.ThreadTS != "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		m.write(&b, "")
		for _, reply := range all {
			if reply.ThreadTS == m.TS && reply.Channel == m.Channel {
				reply.write(&b, "  ")
			}
		}
	}
	return b.String()
}

// write draws one message, indented.
func (m Message) write(b *strings.Builder, indent string) {
	v := m.view()
	head := fmt.Sprintf("#%s · %s · %s", v.Channel, v.Sender, v.At)
	if m.ThreadTS != "" {
		head = fmt.Sprintf("↳ %s · %s", v.Sender, v.At)
	}
	if m.Broadcast {
		head += " · also sent to the channel"
	}
	if v.Edited != "" {
		head += " · " + v.Edited
	}
	fmt.Fprintf(b, "%s%s\n", indent, head)
	blocks, _ := parse(m.Blocks)
	if len(blocks) == 0 {
		indented(b, indent, v.Fallback)
		return
	}
	for _, bl := range blocks {
		bl.write(b, indent)
	}
}

// write draws one block, indented.
func (b block) write(out *strings.Builder, indent string) {
	if b.Type == "divider" {
		indented(out, indent, strings.Repeat("─", 40))
		return
	}
	if b.Text != nil {
		indented(out, indent, b.Text.plain())
	}
	for pair := range slices.Chunk(b.Fields, 2) {
		line := pair[0].plain()
		if len(pair) == 2 {
			line += ": " + pair[1].plain()
		}
		indented(out, indent, line)
	}
	var parts []string
	for _, e := range b.Elements {
		t, _ := e.object()
		part := t.plain()
		if e.URL != "" {
			part = fmt.Sprintf("[%s] %s", part, visible(e.URL))
		}
		parts = append(parts, part)
	}
	if len(parts) > 0 {
		indented(out, indent, strings.Join(parts, " · "))
	}
}

func indented(b *strings.Builder, indent, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(b, "%s  │ %s\n", indent, line)
	}
}
