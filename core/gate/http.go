package gate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/core/policy"
)

// An answer's body is read up to mostBody, and shown up to mostShown characters.
const (
	mostBody  = 1 << 20
	mostShown = 200
)

// newClient is a client that judges a redirect by its own status: a login page that says 200 is no healthy app.
func newClient() (*http.Client, func()) {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented to be one
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, transport.CloseIdleConnections
}

// askHTTP sends a request and compares the answer with what is wanted.
func askHTTP(ctx context.Context, client *http.Client, v policy.VerifyHTTP) error {
	req, err := http.NewRequestWithContext(ctx, v.Method, v.URL, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "rollback")
	for name, value := range v.Headers {
		req.Header.Set(name, value)
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := client.Do(req)
	if err != nil {
		return err // it names method and URL, without a password
	}
	defer func() { _ = res.Body.Close() }() // what matters has been read
	body, err := io.ReadAll(io.LimitReader(res.Body, mostBody))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer of %s: %w", req.URL.Redacted(), err)
	case !slices.Contains(v.Status, res.StatusCode):
		return fmt.Errorf("%s %s answered %s, not %s%s", v.Method, req.URL.Redacted(), clean(res.Status), words(v.Status), shown(body))
	case v.Body != nil && !v.Body.Match(body):
		return fmt.Errorf("the answer of %s does not match %q%s", req.URL.Redacted(), v.Body, shown(body))
	default:
		return nil
	}
}

func words(statuses []int) string {
	var out []string
	for _, s := range statuses {
		out = append(out, fmt.Sprint(s))
	}
	return strings.Join(out, " or ")
}

// shown is the beginning of a body, inside a sentence.
func shown(body []byte) string {
	text := strings.TrimSpace(clean(string(body)))
	if text == "" {
		return ": its body is empty"
	}
	if runes := []rune(text); len(runes) > mostShown {
		text = string(runes[:mostShown]) + "…"
	}
	return ": " + text
}

// clean replaces control characters of text that came from outside.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
