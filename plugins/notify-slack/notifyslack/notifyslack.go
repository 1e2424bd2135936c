// Package notifyslack is the notifier plugin for Slack, by incoming webhook or by bot token.
//
// With a token, an operation is one message that is posted before anything is
// changed and edited in place, with the progress in its thread and failures
// also in the channel. A webhook can neither edit nor answer in a thread: it
// posts the beginning and the end, and progress is left out.
package notifyslack

import (
	"context"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Options are what tests replace.
type Options struct {
	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// Sleep waits for d or the end of ctx, whose error it then returns; nil means a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Plugin returns the plugin as its executable serves it.
func Plugin() notify.Plugin { return New(Options{}) }

// New returns the plugin with parts replaced.
func New(o Options) notify.Plugin {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = pause
	}
	return plugin{o}
}

type plugin struct{ opts Options }

// Describe implements notify.Plugin.
func (plugin) Describe() schema.Description {
	text := func(name, doc string) schema.Attribute {
		return schema.Attribute{Name: name, Type: cty.String, Doc: doc}
	}
	secret := func(name, doc string) schema.Attribute {
		return schema.Attribute{Name: name, Type: cty.String, Sensitive: true, Doc: doc}
	}
	return schema.Description{
		Kind:    schema.Notify,
		Name:    "slack",
		Version: "0.1.0",
		Doc: "Tells a Slack channel about an operation. With token and channel, one message is posted before anything " +
			"is changed and edited in place, progress goes to its thread, and failures also to the channel. With webhook_url, " +
			"beginning and end are posted, and progress is left out: a webhook can neither edit nor answer in a thread.",
		Schema: schema.Schema{Attributes: []schema.Attribute{
			secret("webhook_url", "The URL of an incoming webhook. Give either this or token."),
			secret("token", "A bot token (xoxb-…) with the scope chat:write. Give either this or webhook_url."),
			text("channel", "The channel to post to with a token: its ID (best), or its name such as #releases."),
			{Name: "mention", Type: cty.List(cty.String), Doc: "Who is pinged when an operation fails: @here, @channel, " +
				"@everyone, or IDs of users (U…) and user groups (S…)."},
			text("username", "The name that messages bear instead of the app's. Needs the scope chat:write.customize."),
			text("icon", "The picture that messages bear: an emoji such as :rewind:, or an https URL. Needs the scope chat:write.customize."),
			text("api_url", "The base of the Web API, where it is not https://slack.com/api/: such as https://slack-gov.com/api/."),
			text("timeout", `How long one request may take, as a duration such as "10s", which is the default; at most 2m.`),
			text("ca_file", "A file of PEM certificates that are trusted besides the system's, for a proxy that opens TLS. A relative path starts at the policy's folder."),
		}},
		Capabilities: []schema.Capability{schema.Threads},
	}
}

// ValidateConfig implements notify.Plugin.
func (plugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	var c config
	if err := cfg.Decode(&c); err != nil {
		// The cause may quote a value, and values may be secrets.
		return diag.Diagnostics{diag.Errorf("Invalid configuration",
			"The block of the Slack notifier cannot be read: an attribute has a value of the wrong type.")}
	}
	return c.validate()
}

// Configure implements notify.Plugin.
func (p plugin) Configure(_ context.Context, cfg schema.Config, rt schema.Runtime) (notify.Notifier, error) {
	var c config
	if err := cfg.Decode(&c); err != nil {
		return nil, fault.New(fault.Invalid, "configure Slack: an attribute has a value of the wrong type")
	}
	if ds := c.validate(); ds.HasErrors() {
		return nil, fault.New(fault.Invalid, "configure Slack: %s", firstError(ds))
	}
	client, err := newHTTPClient(c, rt)
	if err != nil {
		return nil, err
	}
	n := &notifier{
		opts: p.opts, log: rt.Logger, mentions: c.mentions(), channel: c.Channel,
		secrets: c.secrets(), operations: map[string]*operation{},
	}
	w := wire{client: client, timeout: c.timeout(), sleep: p.opts.Sleep, now: p.opts.Now, secrets: n.secrets}
	if c.WebhookURL != "" {
		n.hook = &webhook{wire: w, url: c.WebhookURL, username: c.Username, icon: c.Icon}
	} else {
		n.bot = newBot(w, c)
	}
	return n, nil
}

func firstError(ds diag.Diagnostics) string {
	for _, d := range ds {
		if d.Severity == diag.Error {
			return fmt.Sprintf("%s: %s", d.Summary, d.Detail)
		}
	}
	return ""
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
