package orchestratormarathon

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
)

const (
	// loginPath is where a DC/OS cluster gives out tokens.
	loginPath = "/acs/api/v1/auth/login"
	// loginLives is how long the token is valid that a service account signs to log in with.
	loginLives = 5 * time.Minute
	// mostOfLogin bounds the answer to a login, in bytes.
	mostOfLogin = 1 << 20
)

// dcos adds a DC/OS token to requests to one cluster, and to no other server. It logs in when there is no token, and
// once more when one is refused: a request that the Admin Router refuses has not reached Marathon, and may be repeated.
type dcos struct {
	inner   http.RoundTripper
	cluster *url.URL
	// credentials make the body of a login; nil when there is only a token.
	credentials func() (any, error)
	// uid is as whom we log in.
	uid string
	// turn holds the token, for whoever has taken it.
	turn chan string
}

func newDCOS(inner http.RoundTripper, cluster *url.URL, token, uid string, credentials func() (any, error)) *dcos {
	d := &dcos{inner: inner, cluster: cluster, uid: uid, credentials: credentials, turn: make(chan string, 1)}
	d.turn <- token
	return d
}

// RoundTrip sends a request with a token.
func (d *dcos) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != d.cluster.Scheme || req.URL.Host != d.cluster.Host {
		return d.inner.RoundTrip(req)
	}
	token, err := d.token(req.Context(), "")
	if err != nil {
		return nil, err
	}
	resp, err := d.inner.RoundTrip(withToken(req, token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || d.credentials == nil {
		return resp, err
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

// token returns a token other than the refused one, and logs in for it if it must.
func (d *dcos) token(ctx context.Context, refused string) (string, error) {
	var have string
	select {
	case have = <-d.turn:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if d.credentials != nil && have == refused {
		fresh, err := d.login(ctx)
		if err != nil {
			d.turn <- have
			return "", err
		}
		have = fresh
	}
	d.turn <- have
	return have, nil
}

// bare is a context without values: what watches the request that needs a login must not take the login for it.
type bare struct{ context.Context }

func (bare) Value(any) any { return nil }

// login asks for a token.
func (d *dcos) login(ctx context.Context) (string, error) {
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
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, mostOfLogin))
	if err != nil {
		return "", err
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

// refused is the fault of a login that was not let in.
func (d *dcos) refused(status int, answer []byte) error {
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
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusBadRequest:
		f.Code = fault.Unauthenticated
		return f.WithHint("Check the credentials in the block orchestrator \"marathon\".")
	case status == http.StatusTooManyRequests:
		f.Code = fault.RateLimited
		return f
	}
	return f.WithHint("Check that %s is a DC/OS cluster with a login.", d.cluster.Host)
}

// byPassword logs a person in.
func byPassword(uid, password string) func() (any, error) {
	return func() (any, error) { return map[string]string{"uid": uid, "password": password}, nil }
}

// account is the secret of a service account. Its login_endpoint is an address of the cluster's inside, and not used.
type account struct {
	Scheme     string `json:"scheme"`
	UID        string `json:"uid"`
	PrivateKey string `json:"private_key"`
	key        *rsa.PrivateKey
}

// readAccount takes the secret from the block, or from the file that it names.
func readAccount(s settings, workDir string) (account, error) {
	var a account
	text, where := []byte(nil), "service_account"
	if given(s.ServiceAccountFile) {
		where = underWorkDir(workDir, *s.ServiceAccountFile)
		var err error
		if text, err = os.ReadFile(where); err != nil {
			return a, fault.New(fault.Invalid, "read service_account_file: %w", err).On(where)
		}
	} else {
		text = []byte(*s.ServiceAccount)
	}
	// What is wrong with it is not quoted: it is a secret.
	if json.Unmarshal(text, &a) != nil || a.UID == "" || a.PrivateKey == "" {
		return a, fault.New(fault.Invalid, "read %s: it is not the JSON secret of a service account, with uid and private_key", where).On(where)
	}
	if a.Scheme != "" && a.Scheme != "RS256" {
		return a, fault.New(fault.Unsupported, "read %s: logins of the scheme %s are not known, only RS256", where, marathon.Printable(a.Scheme)).On(where)
	}
	var err error
	if a.key, err = jwt.ParseRSAPrivateKeyFromPEM([]byte(a.PrivateKey)); err != nil {
		return a, fault.New(fault.Invalid, "read %s: its private_key is no RSA key in PEM", where).On(where)
	}
	return a, nil
}

// credentials sign a login.
func (a account) credentials(now func() time.Time) func() (any, error) {
	return func() (any, error) {
		token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"uid": a.UID, "exp": now().Add(loginLives).Unix(),
		}).SignedString(a.key)
		if err != nil {
			return nil, errors.New("sign with the service account's key")
		}
		return map[string]string{"uid": a.UID, "token": token}, nil
	}
}

// uidOf is as whom a token makes us known; "" when it does not say. It is not verified: that is the cluster's business.
func uidOf(token string) string {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		return ""
	}
	uid, _ := claims["uid"].(string)
	return marathon.Printable(uid)
}
