package marathon

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/rollback-project/rollback/sdk/fault"
)

// failed turns an error of the connection into a fault; the end of ctx stays what it is, unless a write is open.
func (c *Client) failed(ctx context.Context, r request, err error, sent bool) error {
	// The URL is named by the subject, and might hold a password: keep the cause alone.
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	// A fault comes from whatever logs us in: what was sent then was a login.
	if f := fault.Of(err); f != nil {
		g := *f
		g.Message = r.doing + ": " + c.clean(f.Message)
		return &g
	}
	if r.writes() && sent {
		return fault.New(fault.Indeterminate, "%s: the request was sent to %s, and its answer was lost: %s", r.doing, c.host, c.clean(err.Error())).
			On(r.subject).WithHint("Whether Marathon made the change is not known.")
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", r.doing, ctx.Err())
	}
	return c.unreached(r, err)
}

// unreached is the fault of a request that did not get through.
func (c *Client) unreached(r request, err error) error {
	f := fault.New(fault.Unavailable, "%s: Marathon at %s cannot be reached: %s", r.doing, c.host, c.clean(err.Error())).On(r.subject)
	var unknown x509.UnknownAuthorityError
	var wrongHost x509.HostnameError
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, errTooLarge):
		f.Code = fault.Internal
		f.Message = fmt.Sprintf("%s: %s", r.doing, c.clean(err.Error()))
		return f.WithHint("If this Marathon really answers that much, raise max_response.")
	case errors.Is(err, http.ErrSchemeMismatch):
		return f.WithHint("%s speaks HTTP without TLS: begin url with http:// if that is meant.", c.host)
	case errors.As(err, &unknown):
		return f.WithHint("The certificate was issued by %s, which is not trusted here: name the PEM file of that authority in ca_file.", issuer(unknown.Cert))
	case errors.As(err, &wrongHost):
		return f.WithHint("The certificate is for %s: check url, or who answers there.", certified(wrongHost.Certificate))
	case certificate(err):
		return f.WithHint("The server's certificate is not valid: have it renewed, or name its authority in ca_file.")
	case refusedTLS(err):
		return f.WithHint("The server refuses the TLS connection.")
	case errors.Is(err, syscall.ECONNREFUSED):
		return f.WithHint("Nothing listens at %s: check url, and whether Marathon runs.", c.host)
	case errors.As(err, &dns):
		return f.WithHint("Check the host name in url.")
	case errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded):
		f.Message = fmt.Sprintf("%s: Marathon at %s did not answer in time", r.doing, c.host)
		return f.WithHint("Check the network, or raise timeout.")
	}
	return f.WithHint("Check url, and whether Marathon runs.")
}

// issuer names the authority that signed a certificate.
func issuer(cert *x509.Certificate) string {
	if cert == nil || cert.Issuer.String() == "" {
		return "an unknown authority"
	}
	return Printable(cert.Issuer.String())
}

// certified lists whom a certificate is for.
func certified(cert *x509.Certificate) string {
	if cert == nil || len(cert.DNSNames) == 0 {
		return "another name"
	}
	return Printable(strings.Join(cert.DNSNames, ", "))
}

// ledAway is the fault of a redirect to elsewhere.
func (c *Client) ledAway(r request, resp *http.Response) error {
	to := "somewhere else"
	if u, err := resp.Location(); err == nil {
		to = u.Scheme + "://" + u.Host + u.EscapedPath()
	}
	return fault.New(fault.Unavailable, "%s: %s answers %d and leads to %s, which is not followed", r.doing, c.host, resp.StatusCode, c.clean(to)).
		On(r.subject).WithHint("Set url to where Marathon's API is, or log in if this is a login page.")
}

// refused turns an answer that is no success into a fault. Of a write, every class but Indeterminate means that nothing
// was changed.
func (c *Client) refused(r request, a *answer) error {
	p := parseProblem(a)
	f := fault.New(fault.Internal, "%s: Marathon answers %d %s%s", r.doing, a.status, http.StatusText(a.status), c.words(p)).On(r.subject)
	switch {
	case a.status == http.StatusUnauthorized:
		f.Code = fault.Unauthenticated
		if way := a.header.Get("WWW-Authenticate"); way == "acsjwt" || way == "oauthjwt" {
			return f.WithHint("%s is a DC/OS cluster that wants a login: give username and password, a service account or a token, "+
				"and a url whose path begins with /service/, or dcos_url. A ready token may have expired.", c.host)
		}
		return f.WithHint("The credentials for %s are missing, wrong or expired: check the block orchestrator \"marathon\".", c.host)
	case a.status == http.StatusForbidden && strings.HasPrefix(p.Message, "Max number"):
		f.Code = fault.Busy
		return f.WithHint("Marathon runs as many deployments as it may: wait for some to end.")
	case a.status == http.StatusForbidden:
		f.Code = fault.PermissionDenied
		return f.WithHint("The credentials for %s may not do this: ask for permission on %s.", c.host, subject(r))
	case a.status == http.StatusTooManyRequests || strings.HasPrefix(p.Message, "Too many concurrent requests"):
		f.Code = fault.RateLimited
		f.RetryAfter = retryAfter(a.header, c.now())
		return f.WithHint("Marathon, or a proxy before it, is asked too often.")
	case a.status == http.StatusNotFound && p.marathons:
		f.Code = fault.NotFound
		return f
	case a.status == http.StatusNotFound:
		f.Code = fault.Unavailable
		return f.WithHint("What answers at %s seems to be no Marathon, or does not find it: check url, which ends in /service/marathon on DC/OS.", c.host)
	case a.status == http.StatusMethodNotAllowed || strings.HasPrefix(p.Message, "URI not found"):
		f.Code = fault.Unsupported
		return f.WithHint("This Marathon does not have the call.")
	case a.status == http.StatusConflict:
		return c.conflict(r, f, p)
	case a.status == http.StatusBadRequest || a.status == http.StatusUnprocessableEntity:
		f.Code = fault.Invalid
		return f.WithHint("Marathon checks all of its apps with every change: the problem may be another app's.")
	case a.status >= 500 && r.writes() && !p.refusedUnread():
		f.Code = fault.Indeterminate
		return f.WithHint("Whether Marathon made the change is not known.")
	case a.status >= 500:
		f.Code = fault.Unavailable
		return f.WithHint("Marathon, or a proxy before it, has trouble; while a new leader is elected this passes by itself.")
	case a.status >= 300 && a.status < 400:
		f.Code = fault.Unavailable
		return f.WithHint("Set url to where Marathon's API is.")
	}
	return f
}

func subject(r request) string {
	if r.subject == "" {
		return "Marathon's API"
	}
	return r.subject
}

// conflict is the fault of a 409: a lock, or a thing that is there already.
func (c *Client) conflict(r request, f *fault.Fault, p problem) error {
	if !p.locked {
		f.Code = fault.Invalid
		return f
	}
	f.Code = fault.Busy
	for _, d := range p.Deployments {
		f.Deployments = append(f.Deployments, Printable(d.ID))
	}
	held := "a scale, a kill or a deployment that is not listed yet"
	if len(f.Deployments) > 0 {
		held = "deployment " + strings.Join(f.Deployments, ", ")
	}
	f.Message = fmt.Sprintf("%s: %s is held by %s; nothing was changed", r.doing, subject(r), held)
	return f.WithHint("Wait until it has ended, or stop it.")
}

// garbled is for answers that make no sense.
func (c *Client) garbled(r request, a *answer, err error) error {
	what := err.Error()
	if !a.json() && strings.HasPrefix(strings.TrimSpace(string(a.body)), "<") {
		what = "it is an HTML page"
	}
	code := fault.Internal
	if r.writes() {
		code = fault.Indeterminate
	}
	return fault.New(code, "%s: the answer of %s makes no sense: %s", r.doing, c.host, c.clean(what)).On(r.subject).
		WithHint("Something between here and Marathon changes or cuts answers, or it is no Marathon: check url and proxies.")
}

// problem is what an error's body says.
type problem struct {
	Message     string          `json:"message"`
	Details     json.RawMessage `json:"details"`
	Deployments []struct {
		ID string `json:"id"`
	} `json:"deployments"`
	// Errors is the form of before 0.15.
	Errors []struct {
		Attribute string `json:"attribute"`
		Error     string `json:"error"`
	} `json:"errors"`
	// locked: the answer has a list of deployments, if only an empty one.
	locked bool
	// marathons: the answer is in Marathon's own form, not a page of a proxy.
	marathons bool
	// page is what an HTML page says.
	page string
}

// refusedUnread reports answers of a server that has not looked at the request.
func (p problem) refusedUnread() bool {
	return strings.Contains(p.page, "determine the current leader")
}

// parseProblem reads the body of an answer that is no success.
func parseProblem(a *answer) problem {
	var p problem
	var keys map[string]json.RawMessage
	if json.Unmarshal(a.body, &keys) == nil {
		// A message of another type leaves the rest readable.
		_ = json.Unmarshal(a.body, &p)
		_, p.locked = keys["deployments"]
		_, p.marathons = keys["message"]
		return p
	}
	p.page = pageText(string(a.body))
	if strings.HasPrefix(p.page, "Too many concurrent requests") {
		p.Message = p.page
	}
	return p
}

// pageText is what a person would read on an HTML page, or a plain text.
func pageText(body string) string {
	var b strings.Builder
	depth := 0
	for _, r := range body {
		switch {
		case r == '<':
			depth++
			b.WriteByte(' ')
		case r == '>' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// words is what an error's body says, ready to be appended, or "".
func (c *Client) words(p problem) string {
	parts := []string{p.Message}
	var text string
	var list []struct {
		Path   string   `json:"path"`
		Errors []string `json:"errors"`
	}
	switch {
	case json.Unmarshal(p.Details, &text) == nil:
		parts = append(parts, text)
	case json.Unmarshal(p.Details, &list) == nil:
		for _, d := range list {
			parts = append(parts, strings.TrimSpace(d.Path+" "+strings.Join(d.Errors, ", ")))
		}
	}
	for _, e := range p.Errors {
		parts = append(parts, strings.TrimSpace(e.Attribute+" "+e.Error))
	}
	if p.page != "" && p.Message == "" {
		parts = append(parts, "a page that says “"+cut(p.page, 120)+"”")
	}
	kept := parts[:0]
	for _, s := range parts {
		if s != "" {
			kept = append(kept, s)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return ": " + c.clean(strings.TrimSuffix(strings.Join(kept, "; "), "."))
}

// clean makes foreign text fit for a message: short, without control characters, without secrets.
func (c *Client) clean(text string) string { return cut(Printable(c.redact(text)), 400) }

// Printable replaces control characters and the like, so that text from outside cannot write to a terminal.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		return '\ufffd'
	}, text)
}

// cut shortens text to at most n characters.
func cut(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}

// ParseTime reads an instant as Marathon writes it; zero for what is none.
func ParseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
