package distribution

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// errTooLarge: an answer is longer than the limit.
var errTooLarge = errors.New("the answer is longer than the limit")

// errPlain: a request to the registry would leave without TLS.
var errPlain = errors.New("refusing to speak plain HTTP")

// maxErrorBody bounds what is read of an error's page; the rest is cut off.
const maxErrorBody = 64 << 10

type limitKey struct{}

// limitBody bounds the body of the answers to requests made with the context.
func limitBody(ctx context.Context, most int64) context.Context {
	return context.WithValue(ctx, limitKey{}, most)
}

// exchange carries out one request and reads the whole answer, so that a body that breaks off
// is an error of the request and is repeated like one. It keeps all limits.
type exchange struct {
	inner     http.RoundTripper
	slots     chan struct{}
	pace      *rate.Limiter // nil: no limit
	timeout   time.Duration
	userAgent string
	plain     bool
	max       int64
	now       func() time.Time

	mu sync.Mutex
	// heldUntil: a registry asked everybody to wait.
	heldUntil time.Time
}

func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !x.plain {
		return nil, errPlain
	}
	ctx := req.Context()
	if err := x.admit(ctx); err != nil {
		return nil, err
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
	body, err := x.read(ctx, resp)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	// Whoever follows a redirect or reads the answer knows the request by its own context.
	resp.Request = req
	return resp, nil
}

// read takes the body off the line.
func (x *exchange) read(ctx context.Context, resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	most := x.max
	if l, ok := ctx.Value(limitKey{}).(int64); ok {
		most = min(most, l)
	}
	if resp.Request.Method == http.MethodHead {
		return nil, nil
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	}
	if resp.ContentLength > most {
		return nil, fmt.Errorf("%w: %d bytes of at most %d", errTooLarge, resp.ContentLength, most)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(body)) > most {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, most)
	}
	return body, nil
}

// admit waits until a request may leave; its caller then owns a slot.
func (x *exchange) admit(ctx context.Context) error {
	select {
	case x.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := x.waitOut(ctx)
	if err == nil && x.pace != nil {
		err = x.pace.Wait(ctx)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		<-x.slots
	}
	return err
}

// hold keeps all further requests back for d: a registry that limits counts them all.
func (x *exchange) hold(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if until := x.now().Add(d); until.After(x.heldUntil) {
		x.heldUntil = until
	}
}

func (x *exchange) waitOut(ctx context.Context) error {
	x.mu.Lock()
	d := x.heldUntil.Sub(x.now())
	x.mu.Unlock()
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
