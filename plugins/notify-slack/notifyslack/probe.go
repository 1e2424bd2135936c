package notifyslack

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Probe implements notify.Notifier. Nobody is told anything.
func (n *notifier) Probe(ctx context.Context) (schema.ProbeResult, error) {
	if n.hook != nil {
		return n.hook.probe(ctx)
	}
	return n.bot.probe(ctx)
}

// probe asks the webhook's host for its front page: the webhook itself can only post.
func (h *webhook) probe(ctx context.Context) (schema.ProbeResult, error) {
	u, err := url.Parse(h.url)
	if err != nil {
		return schema.ProbeResult{}, fault.New(fault.Invalid, "look for the webhook's host: the URL cannot be read")
	}
	front := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}).String()
	err = h.do(ctx, call{doing: "look for the webhook's host " + u.Host, harmless: true}, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, front, nil)
		if err != nil {
			return err
		}
		res, err := h.client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		return err
	})
	if err != nil {
		return schema.ProbeResult{}, err
	}
	return schema.ProbeResult{
		System: "Slack, incoming webhook at " + u.Host,
		Notes: []string{
			"Nothing was posted. Whether the webhook is still valid shows with the first message.",
			"A webhook has no threads: the beginning and the end of an operation are posted, progress is not.",
		},
	}, nil
}

// probe asks who we are, and looks at the channel if the app may.
func (b *bot) probe(ctx context.Context) (schema.ProbeResult, error) {
	var who *slack.AuthTestResponse
	err := b.do(ctx, call{doing: "ask Slack who we are", harmless: true}, func(ctx context.Context) error {
		var err error
		who, err = b.api.AuthTestContext(ctx)
		return err
	})
	if err != nil {
		return schema.ProbeResult{}, err
	}
	res := schema.ProbeResult{System: "Slack", Identity: printable(who.User)}
	if team := printable(who.Team); team != "" {
		res.System = "Slack, workspace " + team
	}
	granted := scopes(who.Header.Get("X-Oauth-Scopes"))
	if len(granted) > 0 && !slices.Contains(granted, "chat:write") {
		return schema.ProbeResult{}, fault.New(fault.PermissionDenied, "ask Slack who we are: the token lacks the scope chat:write").
			On("Slack").WithHint(hintScope)
	}
	if (b.username != "" || b.icon != "") && len(granted) > 0 && !slices.Contains(granted, "chat:write.customize") {
		res.Notes = append(res.Notes, "The token lacks the scope chat:write.customize, so username and icon have no effect.")
	}
	notes, err := b.probeChannel(ctx, granted)
	if err != nil {
		return schema.ProbeResult{}, err
	}
	res.Notes = append(res.Notes, notes...)
	return res, nil
}

// probeChannel looks at the channel. That needs its ID and a scope that the plugin does not ask for.
func (b *bot) probeChannel(ctx context.Context, granted []string) ([]string, error) {
	if !channelID.MatchString(b.channel) {
		return []string{"The channel was not checked: that needs its ID instead of its name."}, nil
	}
	var channel *slack.Channel
	err := b.do(ctx, call{doing: "look at the channel " + b.channel, harmless: true}, func(ctx context.Context) error {
		var err error
		channel, err = b.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: b.channel})
		return err
	})
	switch {
	case fault.Is(err, fault.PermissionDenied):
		return []string{"The channel was not checked: that needs the scope channels:read or groups:read."}, nil
	case err != nil:
		return nil, err
	case channel.IsArchived:
		return nil, fault.New(fault.NotFound, "look at the channel %s: it is archived", b.channel).On("Slack").WithHint(hintArchived)
	case !channel.IsMember && !channel.IsIM && !slices.Contains(granted, "chat:write.public"):
		return []string{"The app is no member of the channel. " + hintInvite}, nil
	}
	return nil, nil
}

// scopes takes Slack's list of scopes apart.
func scopes(header string) []string {
	var all []string
	for s := range strings.SplitSeq(header, ",") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, s)
		}
	}
	return all
}
