package notifyslack

import (
	"net/url"
	"slices"
	"strings"
)

// redacted stands in the place of a secret.
const redacted = "(sensitive)"

// secrets are texts that must be neither told nor reported, longest first.
type secrets []string

// secrets lists the token, and the webhook's URL with the parts of it that would do on their own.
func (c config) secrets() secrets {
	var s secrets
	add := func(v string) {
		if len(v) >= 6 && !slices.Contains(s, v) {
			s = append(s, v)
		}
	}
	add(c.Token)
	add(url.QueryEscape(c.Token))
	add(c.WebhookURL)
	if u, err := url.Parse(c.WebhookURL); err == nil {
		for _, path := range []string{u.Path, u.EscapedPath()} {
			add(path)
			add(strings.Trim(path, "/"))
			add(path[strings.LastIndex(path, "/")+1:])
		}
		add(u.RawQuery)
	}
	slices.SortFunc(s, func(a, b string) int { return len(b) - len(a) })
	return s
}

// redact takes the secrets out of a text.
func (s secrets) redact(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return text
}
