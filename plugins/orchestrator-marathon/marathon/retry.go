package marathon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/rollback-project/rollback/sdk/fault"
)

// retrying repeats reads. It must not be given anything but GET and HEAD.
func retrying(x *exchange, c Config) http.RoundTripper {
	check := func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil:
			return !hopeless(err), nil
		}
		again := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusBadGateway ||
			resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusGatewayTimeout
		return again && retryAfter(resp.Header, c.Now()) <= c.LongestWait, nil
	}
	wait := func(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
		d := most
		if attempt < 16 {
			d = min(most, least<<attempt)
		}
		d = d/2 + rand.N(d/2+1)
		if resp != nil {
			d += retryAfter(resp.Header, c.Now())
			c.Logger.Debug("Marathon asks to come back", "status", resp.StatusCode, "wait", d.Round(time.Millisecond))
		}
		return d
	}
	return &retryablehttp.RoundTripper{Client: &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: x,
			// Redirects are followed above, where it is known whither.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:     c.Retries,
		RetryWaitMin: c.FirstWait,
		RetryWaitMax: c.LongestWait,
		CheckRetry:   check,
		Backoff:      wait,
		ErrorHandler: func(resp *http.Response, err error, _ int) (*http.Response, error) {
			if err != nil {
				return nil, err
			}
			return resp, nil // the last refusal, for whoever makes a fault of it
		},
	}}
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110, 10.2.3); 0 when there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// hopeless reports errors that a repetition cannot mend.
func hopeless(err error) bool {
	// A fault comes from whatever logs us in, which repeats by itself what may be repeated.
	if fault.Of(err) != nil || errors.Is(err, errTooLarge) || errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	var dns *net.DNSError
	var dial *net.OpError
	if errors.As(err, &dns) && dns.IsNotFound || errors.As(err, &dial) && dial.Op == "dial" && dial.Timeout() {
		return true
	}
	var record tls.RecordHeaderError
	return certificate(err) || errors.As(err, &record) || refusedTLS(err)
}

// refusedTLS reports an alert of the other side, which crypto/tls gives no type of its own.
func refusedTLS(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// certificate reports whether the server's certificate was the trouble.
func certificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
