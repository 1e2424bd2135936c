package notifyslack

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/rollback-project/rollback/sdk/diag"
)

// defaultTimeout and maxTimeout bound one request.
const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 2 * time.Minute
)

// defaultAPI is where Slack's Web API is.
const defaultAPI = "https://slack.com/api/"

// config is the body of the policy's block; null reads as "".
type config struct {
	WebhookURL string   `json:"webhook_url"`
	Token      string   `json:"token"`
	Channel    string   `json:"channel"`
	Mention    []string `json:"mention"`
	Username   string   `json:"username"`
	Icon       string   `json:"icon"`
	APIURL     string   `json:"api_url"`
	Timeout    string   `json:"timeout"`
	CAFile     string   `json:"ca_file"`
}

// validate reports all problems. It never quotes a secret.
func (c config) validate() diag.Diagnostics {
	var ds diag.Diagnostics
	switch {
	case c.WebhookURL == "" && c.Token == "":
		ds = append(ds, diag.Errorf("Missing webhook or token",
			"Slack can be told by an incoming webhook or by a bot: set webhook_url, or token and channel. "+
				"If the value comes from an environment variable, check that the variable is set.").At("webhook_url"))
	case c.WebhookURL != "" && c.Token != "":
		ds = append(ds, diag.Errorf("Webhook and token together",
			"The attributes webhook_url and token exclude each other. Keep token, which gives threads, or webhook_url.").At("token"))
	}
	if c.WebhookURL != "" {
		ds = append(ds, c.validateWebhook()...)
	}
	if c.Token != "" {
		ds = append(ds, c.validateToken()...)
	}
	ds = append(ds, c.validateLooks()...)
	for i, m := range c.Mention {
		if _, ok := mention(m); !ok {
			ds = append(ds, diag.Errorf("Invalid mention", "%q cannot be pinged. Slack pings @here, @channel, @everyone, "+
				"and IDs of users (U…, W…) and user groups (S…): in Slack, open the profile and choose “Copy member ID”.",
				printable(m)).At("mention", fmt.Sprint(i)))
		}
	}
	if c.APIURL != "" {
		if problem := badURL(c.APIURL); problem != "" {
			ds = append(ds, diag.Errorf("Invalid API URL", "The attribute api_url %s. It is the base of the Web API, such as %s.",
				problem, defaultAPI).At("api_url"))
		} else if exposed(c.APIURL) {
			ds = append(ds, diag.Warnf("Token sent without TLS",
				"The attribute api_url begins with http, so anybody on the way can read the token. Use https.").At("api_url"))
		}
	}
	if d, err := time.ParseDuration(c.Timeout); c.Timeout != "" && (err != nil || d <= 0 || d > maxTimeout) {
		ds = append(ds, diag.Errorf("Invalid timeout",
			`The attribute timeout is %q; it must be a duration above zero and of at most 2m, such as "10s".`,
			printable(c.Timeout)).At("timeout"))
	}
	return ds
}

func (c config) validateWebhook() diag.Diagnostics {
	var ds diag.Diagnostics
	problem := badURL(c.WebhookURL)
	u, err := url.Parse(c.WebhookURL)
	if problem == "" && err == nil && strings.Trim(u.Path, "/") == "" {
		problem = "has no path"
	}
	switch {
	case problem != "":
		ds = append(ds, diag.Errorf("Invalid webhook URL", "The attribute webhook_url %s. Copy it from the page "+
			"“Incoming Webhooks” of your Slack app: it looks like https://hooks.slack.com/services/T…/B…/….", problem).At("webhook_url"))
	case exposed(c.WebhookURL):
		ds = append(ds, diag.Warnf("Webhook without TLS",
			"The attribute webhook_url begins with http, so anybody on the way can read it and post with it. Use https.").At("webhook_url"))
	case u.Hostname() == "hooks.slack.com" && !webhookPath.MatchString(u.Path):
		ds = append(ds, diag.Warnf("Unusual webhook URL", "The attribute webhook_url leads to hooks.slack.com, but its path is not "+
			"that of an incoming webhook, /services/T…/B…/…. Check that it was copied whole.").At("webhook_url"))
	}
	if c.Channel != "" {
		ds = append(ds, diag.Warnf("Channel has no effect",
			"An incoming webhook posts to the channel it was made for. Remove channel, or use token instead of webhook_url.").At("channel"))
	}
	if c.APIURL != "" {
		ds = append(ds, diag.Warnf("API URL has no effect",
			"The attribute api_url is used with token only. Remove it.").At("api_url"))
	}
	return ds
}

var webhookPath = regexp.MustCompile(`^/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]+$`)

func (c config) validateToken() diag.Diagnostics {
	var ds diag.Diagnostics
	switch {
	case strings.IndexFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
		ds = append(ds, diag.Errorf("Invalid token",
			"The attribute token contains a space, a line break or another character that no token has. "+
				"If it is read from a file, wrap it in trimspace(…).").At("token"))
	case strings.HasPrefix(c.Token, "xapp-"):
		ds = append(ds, diag.Errorf("App-level token",
			"The attribute token is an app-level token (xapp-…), which cannot post. Use the bot token (xoxb-…) "+
				"of the page “OAuth & Permissions”.").At("token"))
	case !strings.HasPrefix(c.Token, "xoxb-") && !strings.HasPrefix(c.Token, "xoxe.xoxb-"):
		ds = append(ds, diag.Warnf("Not a bot token", "The attribute token is not a bot token, which begins with xoxb-. "+
			"Messages may appear as a person's, and stop when that person leaves.").At("token"))
	}
	if c.Channel == "" {
		ds = append(ds, diag.Errorf("Missing channel",
			"A bot must be told where to post: set channel to the channel's ID, such as C0123456789.").At("channel"))
	} else if strings.ContainsFunc(c.Channel, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		ds = append(ds, diag.Errorf("Invalid channel", "The attribute channel is %q; a channel's ID or name has no spaces.",
			printable(c.Channel)).At("channel"))
	}
	return ds
}

func (c config) validateLooks() diag.Diagnostics {
	var ds diag.Diagnostics
	if len([]rune(c.Username)) > 80 || printable(c.Username) != c.Username {
		ds = append(ds, diag.Errorf("Invalid username",
			"The attribute username must have at most 80 characters and no control characters.").At("username"))
	}
	if c.Icon != "" && !emoji.MatchString(c.Icon) && (badURL(c.Icon) != "" || !strings.HasPrefix(c.Icon, "https://")) {
		ds = append(ds, diag.Errorf("Invalid icon",
			"The attribute icon is %q; it must be an emoji such as :rewind:, or an https URL of a picture.", printable(c.Icon)).At("icon"))
	}
	return ds
}

var emoji = regexp.MustCompile(`^:[a-z0-9_+'-]+:$`)

// badURL says what is wrong with a URL, without quoting it; "" when it is sound.
func badURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "contains a space or a line break"
	case err != nil:
		return "is no URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return "does not begin with https://"
	case u.Hostname() == "":
		return "names no host"
	case u.User != nil:
		return "contains a user name"
	}
	return ""
}

// exposed reports whether what is sent to the URL can be read on the way.
func exposed(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

var (
	userID  = regexp.MustCompile(`^[UW][A-Z0-9]{5,30}$`)
	groupID = regexp.MustCompile(`^S[A-Z0-9]{5,30}$`)
)

// mention gives Slack's markup for one entry of the attribute mention.
func mention(entry string) (markup string, ok bool) {
	name := strings.TrimPrefix(strings.TrimSpace(entry), "@")
	switch {
	case name == "here", name == "channel", name == "everyone":
		return "<!" + name + ">", true
	case userID.MatchString(name):
		return "<@" + name + ">", true
	case groupID.MatchString(name):
		return "<!subteam^" + name + ">", true
	}
	return "", false
}

// mentions is the markup of all entries; "" when there are none.
func (c config) mentions() string {
	var all []string
	for _, m := range c.Mention {
		if markup, ok := mention(m); ok {
			all = append(all, markup)
		}
	}
	return strings.Join(all, " ")
}

// timeout is that of one request.
func (c config) timeout() time.Duration {
	if d, err := time.ParseDuration(c.Timeout); err == nil && d > 0 {
		return d
	}
	return defaultTimeout
}

// api is the base of the Web API, with a slash at its end.
func (c config) api() string {
	if c.APIURL == "" {
		return defaultAPI
	}
	return strings.TrimSuffix(c.APIURL, "/") + "/"
}
