package distribution

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rollback-project/rollback/sdk/fault"
)

// maxToken bounds a token server's answer.
const maxToken = 1 << 20

// login knows how to answer the registry's challenges. Nothing is sent, and no credential helper
// is run, before the registry asks for it.
type login struct {
	client   *Client
	keychain authn.Keychain

	mu sync.Mutex
	// basic answers every request once the registry has asked for it.
	basic string
	// bearers are the tokens, by scope.
	bearers map[string]string

	// once lets one goroutine at a time find credentials and tokens.
	once chan struct{}
	// found are the credentials, after the first challenge.
	found *authn.AuthConfig
}

// ready returns the Authorization that is known to be asked for, or "".
func (l *login) ready(scope string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if token, ok := l.bearers[scope]; ok {
		return token, nil
	}
	return l.basic, nil
}

// answer returns the Authorization that a challenge asks for. used is the one that was refused;
// the same again means that there is no other.
func (l *login) answer(ctx context.Context, r request, challenges []string, used string) (string, error) {
	select {
	case l.once <- struct{}{}:
	case <-ctx.Done():
		return "", fmt.Errorf("%s: %w", r.doing, ctx.Err())
	}
	defer func() { <-l.once }()
	if now, err := l.ready(r.scope); err != nil || now != used {
		return now, err // somebody else has just logged in
	}
	auth, err := l.credentials(ctx, r)
	if err != nil {
		return "", err
	}
	for _, c := range parseChallenges(challenges) {
		switch c.scheme {
		case "basic":
			if auth.Username == "" && auth.Auth == "" {
				continue
			}
			header := "Basic " + basicAuth(auth)
			l.mu.Lock()
			l.basic = header
			l.mu.Unlock()
			return header, nil
		case "bearer":
			token, err := l.bearer(ctx, r, c, auth)
			if err != nil {
				return "", err
			}
			header := "Bearer " + token
			l.mu.Lock()
			l.bearers[r.scope] = header
			l.mu.Unlock()
			return header, nil
		}
	}
	return used, nil
}

// credentials asks the keychain, once.
func (l *login) credentials(ctx context.Context, r request) (*authn.AuthConfig, error) {
	if l.found != nil {
		return l.found, nil
	}
	target, err := name.NewRegistry(l.client.at.api(), name.WeakValidation)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s: %w", r.doing, err).On(r.subject)
	}
	var found *authn.AuthConfig
	auth, err := authn.Resolve(ctx, l.keychain, target)
	if err == nil {
		found, err = authn.Authorization(ctx, auth)
	}
	if err != nil {
		// The text of a helper's error is a program's output: it may say anything.
		return nil, fault.New(fault.Unauthenticated, "%s: read the credentials of %s from the Docker configuration: %s",
			r.doing, l.client.at.host, l.client.clean(err.Error())).On(r.subject).
			WithHint(`Check docker_config, DOCKER_CONFIG and the credential helpers, or set username and password in the block registry "docker".`)
	}
	l.mu.Lock()
	l.found = found
	l.mu.Unlock()
	return found, nil
}

// bearer gets a token from the server that the challenge names.
func (l *login) bearer(ctx context.Context, r request, c challenge, auth *authn.AuthConfig) (string, error) {
	if auth.RegistryToken != "" {
		return auth.RegistryToken, nil
	}
	realm, err := l.realm(c.params["realm"])
	if err != nil {
		return "", fault.New(fault.Unauthenticated, "%s: %w", r.doing, err).On(r.subject)
	}
	ask := request{doing: "log in to " + l.client.at.host + " at " + realm.Host, subject: l.client.at.host, limit: maxToken}
	scope := r.scope
	if scope == "" {
		scope = c.params["scope"]
	}
	var a *answer
	if auth.IdentityToken != "" {
		a, err = l.exchangeIdentity(ctx, ask, realm, c.params["service"], scope, auth)
	} else {
		a, err = l.fetchToken(ctx, ask, realm, c.params["service"], scope, auth)
	}
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", l.client.refused(ask, a)
	}
	var token struct {
		Token  string `json:"token"`
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(a.body, &token); err != nil {
		return "", fault.New(fault.Internal, "%s: the answer is no JSON", ask.doing).On(ask.subject)
	}
	if token.Token == "" {
		token.Token = token.Access
	}
	if token.Token == "" {
		return "", fault.New(fault.Internal, "%s: the answer holds no token", ask.doing).On(ask.subject)
	}
	return token.Token, nil
}

// fetchToken is the flow of the Docker token specification: GET, with Basic where there are credentials.
func (l *login) fetchToken(ctx context.Context, r request, realm *url.URL, service, scope string, auth *authn.AuthConfig) (*answer, error) {
	u := *realm
	q := u.Query()
	if service != "" {
		q.Set("service", service)
	}
	if scope != "" {
		q.Set("scope", scope)
	}
	u.RawQuery = q.Encode()
	return l.send(ctx, r, l.client.reads, http.MethodGet, u.String(), http.NoBody, func(h http.Header) {
		if auth.Username != "" || auth.Auth != "" {
			h.Set("Authorization", "Basic "+basicAuth(auth))
		}
	})
}

// exchangeIdentity is the OAuth 2 flow, which takes the identity token that docker login may have kept.
func (l *login) exchangeIdentity(ctx context.Context, r request, realm *url.URL, service, scope string, auth *authn.AuthConfig) (*answer, error) {
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {auth.IdentityToken}, "client_id": {"rollback"},
		"service": {service}, "scope": {scope},
	}
	return l.send(ctx, r, l.client.once, http.MethodPost, realm.String(), strings.NewReader(form.Encode()), func(h http.Header) {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	})
}

func (l *login) send(ctx context.Context, r request, via *http.Client, method, to string, body io.Reader, with func(http.Header)) (*answer, error) {
	req, err := http.NewRequestWithContext(limitBody(ctx, r.limit), method, to, body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s: the realm is no URL", r.doing).On(r.subject)
	}
	with(req.Header)
	a, err := receive(via, req)
	if err != nil {
		return nil, l.client.failed(ctx, r, err)
	}
	return a, nil
}

// realm checks where the registry sends us with our credentials: never to plain HTTP unless the registry
// itself is, and never to the link-local addresses where clouds keep theirs.
func (l *login) realm(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, errors.New("the registry's challenge names no token server")
	}
	u.User = nil
	if u.Scheme != "https" && (u.Scheme != "http" || l.client.scheme != "http") {
		return nil, fmt.Errorf("the registry names a token server at %s that is not HTTPS", u.Host)
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && (ip.IsLinkLocalUnicast() || ip.IsUnspecified()) {
		return nil, fmt.Errorf("the registry names a token server at %s, an address of this machine's network alone", u.Host)
	}
	return u, nil
}

// identity says as whom the registry knows us; "" when it has not asked.
func (l *login) identity() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.found == nil {
		return ""
	}
	return l.found.Username
}

// secrets are the texts that must not appear in any message.
func (l *login) secrets() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	if f, ok := l.keychain.(fixed); ok {
		all = append(all, f.auth.Password, f.auth.RegistryToken)
	}
	if f := l.found; f != nil {
		all = append(all, f.Password, f.RegistryToken, f.IdentityToken, f.Auth)
		if f.Username != "" {
			all = append(all, basicAuth(f))
		}
	}
	for _, b := range l.bearers {
		all = append(all, strings.TrimPrefix(b, "Bearer "))
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func basicAuth(a *authn.AuthConfig) string {
	if a.Username == "" {
		return a.Auth
	}
	return base64.StdEncoding.EncodeToString([]byte(a.Username + ":" + a.Password))
}
