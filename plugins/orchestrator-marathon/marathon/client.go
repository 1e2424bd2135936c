// Package marathon speaks the Marathon v2 REST API.
//
// It is typed where rollback looks and lossless where it must echo: documents
// are kept as Marathon sent them, so that no field is lost that this package
// does not know. Reads are repeated when they fail; writes never are. Trouble
// becomes a fault of package sdk/fault, whose class says whether anything can
// have changed.
package marathon

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Config says how to speak to a Marathon.
type Config struct {
	// URL is the base of the API, such as https://dcos.example.com/service/marathon; a slash at its end is ignored.
	URL *url.URL
	// Transport carries requests and adds what authenticates them.
	Transport http.RoundTripper
	// Timeout bounds one request with its answer.
	Timeout time.Duration
	// Retries is how often a read is repeated; FirstWait is before the first repetition, doubled for each further
	// one, and LongestWait bounds them. So it is with connections to the event stream.
	Retries                int
	FirstWait, LongestWait time.Duration
	// MaxResponse bounds an answer, in bytes.
	MaxResponse int64
	// Concurrency bounds the requests at once; at least 1.
	Concurrency int
	UserAgent   string
	// Now gives the time, for Retry-After by date; nil means time.Now.
	Now func() time.Time
	// Redact takes secrets out of what Marathon or the transport says; nil leaves it.
	Redact func(string) string
	Logger hclog.Logger
}

// Client asks one Marathon. It may be used by several goroutines.
type Client struct {
	base   string
	host   string
	now    func() time.Time
	redact func(string) string
	log    hclog.Logger
	// firstWait and longestWait are between two connections to the event stream.
	firstWait, longestWait time.Duration
	// reads repeats, writes and events do not.
	reads, writes, events *http.Client

	mu      sync.Mutex
	version *Version // nil: not known yet
}

// New makes a client; it reaches nothing.
func New(c Config) *Client {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Redact == nil {
		c.Redact = func(s string) string { return s }
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	x := &exchange{inner: c.Transport, slots: make(chan struct{}, max(1, c.Concurrency)), timeout: c.Timeout, userAgent: c.UserAgent, max: c.MaxResponse}
	return &Client{
		base:   strings.TrimRight(c.URL.String(), "/"),
		host:   c.URL.Host,
		now:    c.Now,
		redact: c.Redact,
		log:    c.Logger,

		firstWait: c.FirstWait, longestWait: c.LongestWait,

		reads:  &http.Client{Transport: retrying(x, c), CheckRedirect: redirect},
		writes: &http.Client{Transport: x, CheckRedirect: redirect},
		events: &http.Client{Transport: agent{c.Transport, c.UserAgent}, CheckRedirect: redirect},
	}
}

// URL is the base of the API.
func (c *Client) URL() string { return c.base }

// NewTransport is a transport that carries requests to Marathon without logging in anywhere.
func NewTransport(t *tls.Config, concurrency int) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        t,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    concurrency + 1,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// errElsewhere: a redirect leads to another host, or would turn a write into a read.
var errElsewhere = errors.New("the answer is a redirect that is not followed")

// redirect follows a redirect only where the same request goes to the same host: credentials must not reach another
// one, and a PATCH that becomes a GET would look like a success.
func redirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) >= 5 || req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme || req.Method != first.Method {
		return errElsewhere
	}
	return nil
}

// Version returns Marathon's version. It is asked once; where /v2/info may not be read, it is inferred from what else
// the server answers.
func (c *Client) Version(ctx context.Context) (Version, error) {
	c.mu.Lock()
	known := c.version
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	v, err := c.askVersion(ctx)
	if err != nil {
		return Version{}, err
	}
	c.mu.Lock()
	c.version = &v
	c.mu.Unlock()
	return v, nil
}
