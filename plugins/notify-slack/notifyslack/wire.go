package notifyslack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/schema"
)

const (
	// patience is how long one Notify waits in all because Slack asks it to (rule N7).
	patience = 10 * time.Second
	// breather is the wait before something harmless is repeated.
	breather = 500 * time.Millisecond
	// attempts bounds how often one request is sent.
	attempts = 4
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 1 << 20
	// maxRetryAfter bounds what is believed of a Retry-After, in seconds.
	maxRetryAfter = 3600
)

// newHTTPClient makes the client for all requests. It follows no redirects: they would carry the secrets elsewhere.
func newHTTPClient(c config, rt schema.Runtime) (*http.Client, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          4,
		IdleConnTimeout:       time.Minute,
		TLSHandshakeTimeout:   c.timeout(),
		ResponseHeaderTimeout: c.timeout(),
	}
	if c.CAFile != "" {
		path := c.CAFile
		if !filepath.IsAbs(path) {
			path = filepath.Join(rt.WorkDir, path)
		}
		pool, err := trusted(path)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{
		Transport:     tracer{next: t, userAgent: rt.UserAgent},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// trusted is the system's certificates and those of a file.
func trusted(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "read the certificates for Slack: %w", err).
			WithHint(`Check the attribute ca_file of the block notify "slack".`)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, "read the certificates for Slack: %s has no certificate in PEM form", path).
			WithHint(`Check the attribute ca_file of the block notify "slack".`)
	}
	return pool, nil
}

// tracer finds out whether a request that failed had been sent, names us, and bounds answers.
type tracer struct {
	next      http.RoundTripper
	userAgent string
}

// RoundTrip implements http.RoundTripper.
func (t tracer) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	req = req.Clone(httptrace.WithClientTrace(req.Context(), trace))
	if t.userAgent != "" {
		req.Header.Set("User-Agent", t.userAgent)
	}
	res, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, &transportError{sent: sent.Load(), err: err}
	}
	res.Body = limited{io.LimitReader(res.Body, maxAnswer), res.Body}
	if res.StatusCode == http.StatusTooManyRequests {
		// The library gives up on a Retry-After that is no number.
		res.Header.Set("Retry-After", strconv.Itoa(retryAfter(res.Header.Get("Retry-After"))))
	}
	return res, nil
}

type limited struct {
	io.Reader
	io.Closer
}

// retryAfter reads the header of that name, in seconds from 1 to maxRetryAfter.
func retryAfter(header string) int {
	n, err := strconv.Atoi(header)
	if err != nil {
		return 1
	}
	return min(max(n, 1), maxRetryAfter)
}

// transportError is a request that got no answer. Its text has no URL in it, as that of *url.Error has.
type transportError struct {
	// sent: it may have arrived.
	sent bool
	err  error
}

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// wire sends requests, and sends them again where that does no harm.
type wire struct {
	client  *http.Client
	timeout time.Duration
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error
	secrets secrets
}

// call says how a request may be treated.
type call struct {
	// doing completes "…: reason", such as "post to Slack".
	doing string
	// harmless: it may be sent twice.
	harmless bool
}

// do sends a request until it is answered, refused or given up. What may have been taken is not sent again, unless
// that is harmless.
func (w wire) do(ctx context.Context, c call, request func(context.Context) error) error {
	budget, repeated := patience, false
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, w.timeout)
		err := request(bounded)
		cancel()
		if err == nil {
			return nil
		}
		f := w.classify(ctx, c, err)
		var wait time.Duration
		switch {
		case attempt == attempts || ctx.Err() != nil:
			return f
		case f.Code == fault.RateLimited && f.RetryAfter <= budget:
			wait = max(f.RetryAfter, time.Second)
			budget -= wait
		case transient(f.Code, c.harmless) && !repeated:
			wait, repeated = breather, true
		default:
			return f
		}
		if deadline, ok := ctx.Deadline(); ok && w.now().Add(wait).After(deadline) {
			return f
		}
		if w.sleep(ctx, wait) != nil {
			return f
		}
	}
}

// transient reports whether sending once more may help and cannot harm.
func transient(code fault.Code, harmless bool) bool {
	return code == fault.Unavailable || harmless && code == fault.Indeterminate
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
