package notifyslack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/slack-go/slack"
)

// bot speaks the Web API.
type bot struct {
	wire
	api            *slack.Client
	base           string
	channel        string
	username, icon string
}

func newBot(w wire, c config) *bot {
	return &bot{
		wire: w, channel: c.Channel, username: c.Username, icon: c.Icon, base: c.api(),
		api: slack.New(c.Token, slack.OptionAPIURL(c.api()), slack.OptionHTTPClient(w.client)),
	}
}

// body is what every request with a message has.
func (b *bot) body(m message) []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(m.text, false), slack.MsgOptionBlocks(m.blocks...),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}

// post posts a message, as an answer in a thread if the thread has a ts, and also in the channel if it is to be broadcast.
func (b *bot) post(ctx context.Context, m message, in thread, broadcast bool) (thread, error) {
	options := b.body(m)
	channel := b.channel
	if in.ts != "" {
		channel = in.channel
		options = append(options, slack.MsgOptionTS(in.ts))
		if broadcast {
			options = append(options, slack.MsgOptionBroadcast())
		}
	}
	if b.username != "" {
		options = append(options, slack.MsgOptionUsername(b.username))
	}
	switch {
	case emoji.MatchString(b.icon):
		options = append(options, slack.MsgOptionIconEmoji(b.icon))
	case b.icon != "":
		options = append(options, slack.MsgOptionIconURL(b.icon))
	}
	var posted thread
	err := b.do(ctx, call{doing: "post to Slack"}, func(ctx context.Context) error {
		var err error
		posted.channel, posted.ts, err = b.api.PostMessageContext(ctx, channel, options...)
		if err == nil && posted.ts == "" {
			return io.ErrUnexpectedEOF
		}
		return err
	})
	return posted, err
}

// edit replaces a message.
func (b *bot) edit(ctx context.Context, m message, t thread) error {
	return b.do(ctx, call{doing: "edit the message in Slack", harmless: true}, func(ctx context.Context) error {
		_, _, _, err := b.api.UpdateMessageContext(ctx, t.channel, t.ts, b.body(m)...)
		return err
	})
}

// webhook posts to an incoming webhook.
type webhook struct {
	wire
	url            string
	username, icon string
}

// post posts a message.
func (h *webhook) post(ctx context.Context, m message) error {
	unfurl := false
	msg := slack.WebhookMessage{
		Text: m.text, Blocks: &slack.Blocks{BlockSet: m.blocks}, Username: h.username,
		UnfurlLinks: &unfurl, UnfurlMedia: &unfurl,
	}
	if emoji.MatchString(h.icon) {
		msg.IconEmoji = h.icon
	} else {
		msg.IconURL = h.icon
	}
	raw, err := json.Marshal(msg)
	if err != nil {
		return h.classify(ctx, call{doing: "write the message for Slack"}, err)
	}
	return h.do(ctx, call{doing: "post to Slack's webhook"}, func(ctx context.Context) error {
		return h.send(ctx, raw)
	})
}

// send is not the library's PostWebhook, which keeps neither the text of a refusal nor the URL out of its errors.
func (h *webhook) send(ctx context.Context, raw []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(raw))
	if err != nil {
		return errors.New("the webhook's URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if res.StatusCode == http.StatusOK {
		// Others that speak like Slack answer an empty 200; what counts is the status.
		return nil
	}
	if err != nil {
		text = nil
	}
	said := &slackError{status: res.StatusCode}
	if code := strings.TrimSpace(string(text)); errorCode(code) {
		said.code = code
	}
	if res.StatusCode == http.StatusTooManyRequests {
		said.code = "rate_limited"
		said.retryAfter = seconds(retryAfter(res.Header.Get("Retry-After")))
	}
	return said
}
