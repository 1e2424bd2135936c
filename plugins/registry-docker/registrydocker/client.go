package registrydocker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/schema"
)

// client asks one registry.
type client struct {
	at     address
	scheme string
	// reads repeats, once does not; both follow redirects and never take credentials to another host.
	reads, once *http.Client
	login       *login
	pageSize    int
	window      int
	now         func() time.Time
	log         hclog.Logger
}

func newClient(s settings, rt schema.Runtime, o Options) (*client, error) {
	tlsConfig, err := tlsSettings(s, rt.WorkDir)
	if err != nil {
		return nil, err
	}
	concurrency := orElse(s.Concurrency, defaultConcurrency)
	if rt.Parallelism > 0 {
		concurrency = min(concurrency, rt.Parallelism)
	}
	x := &exchange{
		inner: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        tlsConfig,
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    concurrency,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 1 << 20,
		},
		slots:     make(chan struct{}, concurrency),
		timeout:   s.timeout,
		userAgent: rt.UserAgent,
		plain:     s.plain(),
		max:       int64(orElse(s.MaxResponse, defaultMaxResponse)),
		now:       o.Now,
	}
	if s.RequestsPerSecond != nil {
		x.pace = rate.NewLimiter(rate.Limit(*s.RequestsPerSecond), max(1, int(*s.RequestsPerSecond)))
	}
	c := &client{
		at:       s.at,
		scheme:   "https",
		pageSize: orElse(s.PageSize, defaultPageSize),
		window:   concurrency,
		now:      o.Now,
		log:      rt.Logger,
	}
	if s.plain() {
		c.scheme = "http"
	}
	c.once = &http.Client{Transport: x, CheckRedirect: c.redirect}
	c.reads = &http.Client{Transport: retrying(x, orElse(s.Retries, defaultRetries), o, rt.Logger), CheckRedirect: c.redirect}
	c.login = newLogin(s, rt.WorkDir, c)
	return c, nil
}

// tlsSettings reads the certificate files.
func tlsSettings(s settings, workDir string) (*tls.Config, error) {
	t := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: s.skipVerify(), //nolint:gosec // the policy says so, and was warned
	}
	if given(s.CAFile) {
		path := underWorkDir(workDir, *s.CAFile)
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fault.New(fault.Invalid, "read ca_file: %w", err).On(path)
		}
		t.RootCAs, err = x509.SystemCertPool()
		if err != nil {
			t.RootCAs = x509.NewCertPool()
		}
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "read ca_file: %s holds no PEM certificate", path).On(path)
		}
	}
	if given(s.ClientCertFile) {
		cert, err := tls.LoadX509KeyPair(underWorkDir(workDir, *s.ClientCertFile), underWorkDir(workDir, *s.ClientKeyFile))
		if err != nil {
			return nil, fault.New(fault.Invalid, "read the client certificate: %w", err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

// redirect lets a request go where the registry keeps its blobs, without the registry's credentials.
func (c *client) redirect(req *http.Request, via []*http.Request) error {
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
	url  *url.URL
}

// ask carries out a read, logs in if it must, and returns the answer whatever its status is.
// Its errors are faults or the context's.
func (c *client) ask(ctx context.Context, r request) (*answer, error) {
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

func (c *client) send(ctx context.Context, r request, auth string) (*answer, error) {
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
