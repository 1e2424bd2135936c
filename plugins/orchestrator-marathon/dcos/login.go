// Package dcos logs in to a DC/OS cluster, and reads what the dcos command knows of clusters.
package dcos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
)

const (
	// loginPath is where a DC/OS cluster gives out tokens.
	loginPath = "/acs/api/v1/auth/login"
	// mostOfLogin bounds the answer to a login, in bytes.
	mostOfLogin = 1 << 20
	// longestLogin bounds the time of a login: the request that needs it may have no limit of its own, and others wait.
	longestLogin = 20 * time.Second
)

// Login is a transport that adds a DC/OS token to requests to one cluster, and to no other server. It logs in when there is no token, and
// once more when one is refused: a request that the Admin Router refuses has not reached Marathon, and may be repeated.
type Login struct {
	inner   http.RoundTripper
	cluster *url.URL
	// credentials make the body of a login; nil when there is only a token.
	credentials Credentials
	// uid is as whom we log in.
	uid string
	// learned is told every token that was given out.
	learned func(token string)
	// turn holds the state, for whoever has taken it.
	turn chan state
	// logins counts the logins that have ended.
	logins atomic.Int64
}

// state is what is known of the token.
type state struct {
	token string
	// err is how the last login failed; nil when it did not.
	err error
}

// Credentials make the body of a login.
type Credentials func() (map[string]string, error)

// New makes a transport for a cluster, with a token where there is one ("" logs in first) and credentials to get another,
// which may be nil. uid is as whom they log in, for messages. learned is told every token that is given out, to keep it
// out of messages.
func New(inner http.RoundTripper, cluster *url.URL, token, uid string, credentials Credentials, learned func(token string)) *Login {
	d := &Login{inner: inner, cluster: cluster, uid: uid, credentials: credentials, learned: learned, turn: make(chan state, 1)}
	d.turn <- state{token: token}
	return d
}

// SameServer reports whether two URLs lead to one server: scheme, host and port are the same, however they are written.
func SameServer(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		switch {
		case u.Port() != "":
			return u.Port()
		case u.Scheme == "https":
			return "443"
		default:
			return "80"
		}
	}
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// RoundTrip sends a request with a token.
func (d *Login) RoundTrip(req *http.Request) (*http.Response, error) {
	if !SameServer(req.URL, d.cluster) {
		return d.inner.RoundTrip(req)
	}
	token, err := d.token(req.Context(), "")
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := d.inner.RoundTrip(withToken(req, token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	if d.credentials == nil {
		resp.Body.Close()
		return nil, fault.New(fault.Unauthenticated, "DC/OS at %s refuses the token: it has expired, or is not one of this cluster", d.cluster.Host).On(d.cluster.Host).
			WithHint("Get another with dcos auth login, or give credentials in the block, with which tokens are renewed.")
	}
	again, err := rewound(req)
	if err != nil {
		return resp, nil //nolint:nilerr // a body that cannot be sent twice: the refusal is the answer
	}
	resp.Body.Close()
	if token, err = d.token(req.Context(), token); err != nil {
		return nil, err
	}
	return d.inner.RoundTrip(withToken(again, token))
}

// closeBody does what a transport that returns an error has to do.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

func withToken(req *http.Request, token string) *http.Request {
	out := req.Clone(req.Context())
	if token != "" {
		out.Header.Set("Authorization", "token="+token)
	}
	return out
}

// rewound is the request with its body from the beginning.
func rewound(req *http.Request) (*http.Request, error) {
	out := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return out, nil
	}
	if req.GetBody == nil {
		return nil, errors.New("the body cannot be read again")
	}
	var err error
	out.Body, err = req.GetBody()
	return out, err
}

// token returns a token other than the refused one, and logs in for it if it must. Whoever has waited for a login that
// failed does not try again: wrong credentials that are tried often lock an account.
func (d *Login) token(ctx context.Context, refused string) (string, error) {
	before := d.logins.Load()
	var s state
	select {
	case s = <-d.turn:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if d.credentials != nil && s.token == refused && (s.err == nil || d.logins.Load() == before) {
		s = d.renewed(ctx, s)
	}
	if ctx.Err() != nil {
		// It was interrupted, and has not failed for others.
		d.turn <- state{token: s.token}
		return "", ctx.Err()
	}
	d.turn <- s
	return s.token, s.err
}

// renewed is the state after a login.
func (d *Login) renewed(ctx context.Context, s state) state {
	defer d.logins.Add(1)
	limited, cancel := context.WithTimeout(ctx, longestLogin)
	defer cancel()
	fresh, err := d.login(limited)
	if err != nil {
		return state{token: s.token, err: err}
	}
	d.learned(fresh)
	return state{token: fresh}
}

// bare is a context without values: what watches the request that needs a login must not take the login for it.
type bare struct {
	context.Context //nolint:containedctx // it is a context
}

// Value is nil.
func (bare) Value(any) any { return nil }

// login asks for a token.
func (d *Login) login(ctx context.Context) (string, error) {
	in, err := d.credentials()
	if err != nil {
		return "", fault.New(fault.Internal, "log in to DC/OS: %w", err)
	}
	body := marathon.Raw(in)
	req, err := http.NewRequestWithContext(bare{ctx}, http.MethodPost, strings.TrimRight(d.cluster.String(), "/")+loginPath, bytes.NewReader(body))
	if err != nil {
		return "", fault.New(fault.Invalid, "log in to DC/OS: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := d.inner.RoundTrip(req)
	if err != nil {
		return "", d.unreached(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, mostOfLogin))
	if err != nil {
		return "", d.unreached(err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", d.refused(resp.StatusCode, answer)
	}
	var out struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(answer, &out); err != nil || out.Token == "" {
		return "", fault.New(fault.Internal, "log in to DC/OS at %s: the answer has no token", d.cluster.Host).
			WithHint("Is %s a DC/OS cluster?", d.cluster.Host)
	}
	return out.Token, nil
}

// unreached is the fault of a login without an answer. What needed the login was not sent.
func (d *Login) unreached(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fault.New(fault.Unavailable, "log in to DC/OS at %s: %s", d.cluster.Host, marathon.Printable(err.Error())).On(d.cluster.Host).
		WithHint("Check the network, the address of the cluster, and whether its login works.")
}

// refused is the fault of a login that was not let in.
func (d *Login) refused(status int, answer []byte) error {
	var why struct{ Title, Description, Code string }
	text := ""
	if json.Unmarshal(answer, &why) == nil {
		text = marathon.Printable(strings.TrimSpace(why.Description + " " + why.Code))
	}
	if text != "" {
		text = ": " + text
	}
	f := fault.New(fault.Unavailable, "log in to DC/OS at %s as %s: the cluster answers %d %s%s",
		d.cluster.Host, marathon.Printable(d.uid), status, http.StatusText(status), text).On(d.cluster.Host)
	switch status {
	case http.StatusForbidden:
		f.Code = fault.PermissionDenied
		return f.WithHint("Ask who runs the cluster whether %s may log in.", marathon.Printable(d.uid))
	case http.StatusUnauthorized, http.StatusBadRequest:
		f.Code = fault.Unauthenticated
		return f.WithHint("Check the credentials in the block orchestrator \"marathon\".")
	case http.StatusTooManyRequests:
		f.Code = fault.RateLimited
		return f
	}
	return f.WithHint("Check that %s is a DC/OS cluster with a login.", d.cluster.Host)
}

// Password logs a person in.
func Password(uid, password string) Credentials {
	return func() (map[string]string, error) { return map[string]string{"uid": uid, "password": password}, nil }
}

// UIDOf is as whom a token makes us known; "" when it does not say. It is not verified: that is the cluster's business.
func UIDOf(token string) string {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		return ""
	}
	uid, _ := claims["uid"].(string)
	return marathon.Printable(uid)
}
