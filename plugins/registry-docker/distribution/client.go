// Package distribution asks a registry over the Docker Registry API v2, which the
// OCI distribution specification continues.
//
// It logs in when it is asked to, repeats reads that break off, keeps limits of
// pace and size, and turns trouble into faults that say what to do. What a
// registry holds is the business of package image.
package distribution

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"github.com/rollback-project/rollback/sdk/fault"
)

// Config says how to speak to a registry.
type Config struct {
	Address Address
	// PlainHTTP speaks HTTP; otherwise nothing is ever sent without TLS.
	PlainHTTP bool
	TLS       *tls.Config
	// Keychain is asked for credentials when the registry wants some.
	Keychain authn.Keychain
	// RequestsPerSecond is a limit where it is above 0.
	RequestsPerSecond float64
	// Concurrency bounds the requests at once; at least 1.
	Concurrency int
	// Timeout bounds one request with its answer.
	Timeout time.Duration
	// Retries is how often a read is repeated; FirstWait is before the first repetition, doubled for each further one, and
	// LongestWait bounds them. A registry that asks for a longer one is not waited for.
	Retries                int
	FirstWait, LongestWait time.Duration
	// PageSize is how many tags to ask for at once; 0 leaves it to the registry.
	PageSize int
	// MaxResponse bounds an answer, in bytes.
	MaxResponse int64
	UserAgent   string
	Now         func() time.Time
	Logger      hclog.Logger
}

// Client asks one registry. It may be used by several goroutines.
type Client struct {
	at     Address
	scheme string
	// reads repeats, once does not; both follow redirects and never take credentials to another host.
	reads, once *http.Client
	login       *login
	pageSize    int
	now         func() time.Time
}

// New makes a client; it reaches nothing.
func New(c Config) *Client {
	x := &exchange{
		inner: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        c.TLS,
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    c.Concurrency,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 1 << 20,
		},
		slots:     make(chan struct{}, c.Concurrency),
		timeout:   c.Timeout,
		userAgent: c.UserAgent,
		plain:     c.PlainHTTP,
		max:       c.MaxResponse,
		now:       c.Now,
	}
	if c.RequestsPerSecond > 0 {
		x.pace = rate.NewLimiter(rate.Limit(c.RequestsPerSecond), max(1, int(c.RequestsPerSecond)))
	}
	client := &Client{at: c.Address, scheme: "https", pageSize: c.PageSize, now: c.Now}
	if c.PlainHTTP {
		client.scheme = "http"
	}
	client.once = &http.Client{Transport: x, CheckRedirect: redirect}
	client.reads = &http.Client{Transport: retrying(x, c), CheckRedirect: redirect}
	client.login = &login{client: client, keychain: c.Keychain, bearers: map[string]string{}, once: make(chan struct{}, 1)}
	return client
}

// redirect lets a request go where the registry keeps its blobs, without the registry's credentials.
func redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("too many redirects")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errPlain
	}
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		req.Header.Del("Authorization")
	}
	return nil
}

// request is one read from the API.
type request struct {
	method string
	// path follows the scheme and the host, and is escaped.
	path, query string
	accept      []string
	// scope is what a bearer token must allow; "" for none.
	scope string
	// limit bounds the answer's body, in bytes.
	limit int64
	// doing and subject are for messages: "list the tags of NAME".
	doing, subject string
}

// answer is a whole answer.
type answer struct {
	status int
	header http.Header
	body   []byte
	// size is what the header promises of the body; -1 when it does not. A HEAD has no other.
	size int64
	// url is where it came from in the end.
	url *url.URL
}

// ask carries out a read, logs in if it must, and returns the answer whatever its status is.
// Its errors are faults or the context's.
func (c *Client) ask(ctx context.Context, r request) (*answer, error) {
	auth, err := c.login.ready(r.scope)
	if err != nil {
		return nil, c.failed(ctx, r, err)
	}
	a, err := c.send(ctx, r, auth)
	if err != nil || a.status != http.StatusUnauthorized || a.url.Host != c.at.api() {
		return a, err
	}
	again, err := c.login.answer(ctx, r, a.header.Values("WWW-Authenticate"), auth)
	if err != nil || again == auth {
		return a, err
	}
	return c.send(ctx, r, again)
}

func (c *Client) send(ctx context.Context, r request, auth string) (*answer, error) {
	u := url.URL{Scheme: c.scheme, Host: c.at.api(), RawQuery: r.query}
	req, err := http.NewRequestWithContext(limitBody(ctx, r.limit), r.method, u.Scheme+"://"+u.Host+r.path, http.NoBody)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s: %w", r.doing, err).On(r.subject)
	}
	req.URL.RawQuery = r.query
	if len(r.accept) > 0 {
		req.Header.Set("Accept", strings.Join(r.accept, ", "))
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	a, err := receive(c.reads, req)
	if err != nil {
		return nil, c.failed(ctx, r, err)
	}
	return a, nil
}

// receive sends a request and takes the answer over.
func receive(via *http.Client, req *http.Request) (*answer, error) {
	resp, err := via.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body, size: resp.ContentLength, url: resp.Request.URL}, nil
}
