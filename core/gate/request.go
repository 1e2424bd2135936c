package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/core/policy"
)

// longestAnswer is how many bytes are read of an answer; a body must match within them.
const longestAnswer = 1 << 20

// newClient makes the client of all gates. Every attempt has a connection of its own, so that it is also one at what
// balances the load; a redirect is an answer like any other and is not followed.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: longestAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// request is a gate of kind http.
type request struct {
	*policy.VerifyHTTP
	client *http.Client
	said   said
}

func (r *request) subject() string { return r.Method + " " + address(r.URL) }

func (r *request) expected() string {
	codes := make([]string, len(r.Status))
	for i, code := range r.Status {
		codes[i] = fmt.Sprint(code)
	}
	text := "status " + strings.Join(codes, " or ")
	if r.Body != nil {
		text += fmt.Sprintf(" and a body that matches %q", r.said.start(r.Body.String()))
	}
	return text
}

func (r *request) try(ctx context.Context) error {
	resp, err := ask(ctx, r.client, r.Method, r.URL, r.Headers)
	if err != nil {
		return r.said.noAnswer(ctx, err)
	}
	defer resp.Body.Close()
	if !slices.Contains(r.Status, resp.StatusCode) {
		return r.otherStatus(resp)
	}
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	switch {
	case r.Body.Match(body):
		return nil
	case err != nil:
		return fmt.Errorf("status %d, but the body broke off: %w", resp.StatusCode, r.said.noAnswer(ctx, err))
	}
	return fmt.Errorf("status %d, but body %q", resp.StatusCode, r.said.start(string(body)))
}

func (r *request) otherStatus(resp *http.Response) error {
	// What can be read of it is enough for a message.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	hint := ""
	if resp.StatusCode/100 == 3 {
		hint = " (redirects are not followed)"
	}
	return fmt.Errorf("status %d%s, body %q", resp.StatusCode, hint, r.said.start(string(body)))
}

// ask sends a request without a body.
func ask(ctx context.Context, client *http.Client, method, to string, headers map[string]string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "rollback")
	for name, value := range headers {
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	return client.Do(req)
}

// noAnswer says why nothing came back. It leaves out the URL, which may hold a password.
func (s said) noAnswer(ctx context.Context, err error) error {
	if overdue(ctx) {
		return errors.New("no answer")
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return errors.New(s.start(err.Error()))
}

// address is a URL as it may be shown: without user, password, query and fragment, any of which may be a secret.
func address(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "a URL"
	}
	shown := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	if u.RawQuery != "" {
		shown += "?…"
	}
	return shown
}
