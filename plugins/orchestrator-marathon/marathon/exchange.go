package marathon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
)

// errTooLarge: an answer is longer than the limit.
var errTooLarge = errors.New("the answer is longer than the limit")

// maxErrorBody bounds what is read of a refusal; the rest is cut off.
const maxErrorBody = 64 << 10

// exchange carries out one request and reads the whole answer, so that a body that breaks off is an error of the
// request. It keeps all limits.
type exchange struct {
	inner     http.RoundTripper
	slots     chan struct{}
	timeout   time.Duration
	userAgent string
	max       int64
}

func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	select {
	case x.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-x.slots }()
	ctx, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	out := req.Clone(ctx)
	out.Header.Set("User-Agent", x.userAgent)
	resp, err := x.inner.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	body, err := x.read(resp)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.Request = req
	return resp, nil
}

// read takes the body off the line.
func (x *exchange) read(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		return io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	}
	if resp.ContentLength > x.max {
		return nil, fmt.Errorf("%w: %d bytes of at most %d", errTooLarge, resp.ContentLength, x.max)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, x.max+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > x.max {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, x.max)
	}
	return body, nil
}

// agent names us in requests whose answers have no end.
type agent struct {
	inner http.RoundTripper
	name  string
}

func (a agent) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.Header.Set("User-Agent", a.name)
	return a.inner.RoundTrip(out)
}

// request is one call of the API.
type request struct {
	method string
	// path follows the base and is escaped.
	path  string
	query url.Values
	// body is sent by writes.
	body []byte
	// doing and subject are for messages: "read app /a".
	doing, subject string
}

// writes reports whether the request may change something.
func (r request) writes() bool { return r.method != http.MethodGet && r.method != http.MethodHead }

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ok reports a success.
func (a *answer) ok() bool { return a.status >= http.StatusOK && a.status < http.StatusMultipleChoices }

// json reports whether the answer says that it is JSON.
func (a *answer) json() bool { return strings.Contains(a.header.Get("Content-Type"), "json") }

// ask carries out a request and returns the answer whatever its status is. Its errors are faults or the context's.
func (c *Client) ask(ctx context.Context, r request) (*answer, error) {
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	u := c.base + r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	// A reader of bytes gives the request a Content-Length, without which a standby forwards nothing.
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), r.method, u, bytes.NewReader(r.body))
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s: %w", r.doing, err).On(r.subject)
	}
	req.Header.Set("Accept", "application/json")
	via := c.reads
	if r.writes() {
		via = c.writes
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Body, req.GetBody = http.NoBody, nil
	}
	resp, err := via.Do(req)
	if err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		if errors.Is(err, errElsewhere) && resp != nil {
			return nil, c.ledAway(r, resp)
		}
		return nil, c.failed(ctx, r, err, sent.Load())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, c.failed(ctx, r, err, true)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// get reads a JSON document into a pointer; every other answer is a fault.
func (c *Client) get(ctx context.Context, r request, into any) error {
	r.method = http.MethodGet
	a, err := c.ask(ctx, r)
	if err != nil {
		return err
	}
	if !a.ok() {
		return c.refused(r, a)
	}
	return c.decode(r, a, into)
}

// decode reads an answer's body.
func (c *Client) decode(r request, a *answer, into any) error {
	if err := unmarshal(a.body, into); err != nil {
		return c.garbled(r, a, err)
	}
	return nil
}
