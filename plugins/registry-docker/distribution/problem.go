package distribution

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/rollback-project/rollback/plugins/registry-docker/image"
	"github.com/rollback-project/rollback/sdk/fault"
)

// failed turns an error of the connection into a fault; the end of ctx stays what it is.
func (c *Client) failed(ctx context.Context, r request, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", r.doing, ctx.Err())
	}
	if f := fault.Of(err); f != nil {
		return err
	}
	// An URL may hold a signature, and the subject is named anyway: keep the cause alone.
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	f := fault.New(fault.Unavailable, "%s: %s", r.doing, c.clean(err.Error())).On(r.subject)
	var unknown x509.UnknownAuthorityError
	var wrongHost x509.HostnameError
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.Is(err, errTooLarge):
		f.Code = fault.Internal
		return f.WithHint("If the registry really answers that much, raise max_response.")
	case errors.Is(err, errPlain):
		return f.WithHint("The registry leads away from HTTPS. Set plain_http = true only if that is meant.")
	case errors.Is(err, http.ErrSchemeMismatch):
		return f.WithHint("%s speaks HTTP without TLS: set plain_http = true if that is meant.", c.at.host)
	case errors.As(err, &unknown):
		return f.WithHint("Name the PEM file of the authority that signed the registry's certificate in ca_file.")
	case errors.As(err, &wrongHost):
		return f.WithHint("The certificate is for another name: check address, or who answers there.")
	case certificate(err):
		return f.WithHint("The registry's certificate is not valid: have it renewed, or name its authority in ca_file.")
	case refusedTLS(err):
		return f.WithHint("The registry refuses the TLS connection. If it asks for a client certificate, set client_cert_file and client_key_file.")
	case errors.Is(err, syscall.ECONNREFUSED):
		return f.WithHint("Nothing listens at %s: check address, and whether the registry runs.", c.at.host)
	case errors.As(err, &dns):
		return f.WithHint("Check the host name in address.")
	case errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded):
		f.Message = r.doing + ": the registry did not answer in time"
		return f.WithHint("Check the network, or raise timeout.")
	case c.scheme == "http":
		return f.WithHint("If the registry speaks HTTPS, remove plain_http or set it to false.")
	}
	return f
}

// refused turns an answer that is no success into a fault.
func (c *Client) refused(r request, a *answer) error {
	reply := c.words(a)
	f := fault.New(fault.Internal, "%s: the registry answers %d %s%s", r.doing, a.status, http.StatusText(a.status), reply).On(r.subject)
	switch {
	case a.status == http.StatusUnauthorized:
		f.Code = fault.Unauthenticated
		if c.login.identity() == "" && len(c.login.secrets()) == 0 {
			return f.WithHint(`No credentials were found for %s: set username and password in the block registry "docker", `+
				"or run docker login %s. Some registries answer so for repos that do not exist.", c.at.host, c.at.host)
		}
		return f.WithHint("The credentials for %s were refused: check username and password or token, and whether they may pull.", c.at.host)
	case a.status == http.StatusForbidden:
		f.Code = fault.PermissionDenied
		return f.WithHint("The credentials for %s may not read this. Some registries answer so for repos that do not exist.", c.at.host)
	case a.status == http.StatusNotFound:
		f.Code = fault.Invalid
		return f.WithHint("What answers there seems to be no registry: check address, its port and its prefix.")
	case a.status == http.StatusTooManyRequests:
		f.Code = fault.RateLimited
		f.RetryAfter = retryAfter(a.header, c.now())
		if f.RetryAfter > 0 {
			return f.WithHint("The registry asks to come back in %s; requests_per_second slows us down.", f.RetryAfter.Round(time.Second))
		}
		return f.WithHint("Set requests_per_second, or log in: many registries allow more then.")
	case a.status >= 500:
		f.Code = fault.Unavailable
		return f.WithHint("The registry itself has trouble: try again, or ask who runs it.")
	case a.status == http.StatusBadRequest && c.scheme == "http":
		return f.WithHint("If the registry speaks HTTPS, remove plain_http or set it to false.")
	}
	return f
}

// garbled is for answers that make no sense.
func (c *Client) garbled(r request, format string, args ...any) error {
	return fault.New(fault.Internal, "%s: %s", r.doing, c.clean(fmt.Sprintf(format, args...))).On(r.subject).
		WithHint("Something between here and the registry changes or cuts answers, or it is no registry: check address and proxies.")
}

// codes are the error codes that an answer carries in the form of the specification.
func codes(a *answer) []transport.ErrorCode {
	var t *transport.Error
	if !errors.As(structured(a), &t) {
		return nil
	}
	var all []transport.ErrorCode
	for _, d := range t.Errors {
		if d.Code != "" {
			all = append(all, d.Code)
		}
	}
	return all
}

// gone reports whether the registry itself says that there is no such thing. A bare 404, which may
// as well come from a proxy or a web server, says nothing about the registry.
func gone(a *answer) bool { return a.status == http.StatusNotFound && len(codes(a)) > 0 }

func structured(a *answer) error {
	return transport.CheckError(&http.Response{
		StatusCode: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), Request: nil,
	}, http.StatusOK)
}

// words is what the registry says of its refusal, ready to be appended, or "".
func (c *Client) words(a *answer) string {
	var t *transport.Error
	if !errors.As(structured(a), &t) || len(t.Errors) == 0 {
		return ""
	}
	d := t.Errors[0]
	return ": " + c.clean(strings.TrimSuffix(strings.TrimSpace(string(d.Code)+" "+d.Message), "."))
}

// clean makes foreign text fit for a message: short, without control characters, without secrets.
func (c *Client) clean(text string) string {
	for _, s := range c.login.secrets() {
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, "(sensitive value)")
		}
	}
	return image.Printable(text)
}
