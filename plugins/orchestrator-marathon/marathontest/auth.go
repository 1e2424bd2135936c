package marathontest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// DCOS is the Admin Router and the identity service of a DC/OS cluster in
// front of Marathon, which then lives below /service/NAME.
type DCOS struct {
	// Service is Marathon's name; empty means marathon. Any other is a
	// Marathon on Marathon.
	Service string
	// Users maps names to passwords.
	Users map[string]string
	// Accounts maps service accounts to their public keys; they log in with an
	// RS256 token that they signed.
	Accounts map[string]*rsa.PublicKey
	// Lifetime is how long a token is valid; zero means five days.
	Lifetime time.Duration
	// Challenge is what WWW-Authenticate says; empty means acsjwt, as in the
	// enterprise edition. The open one says oauthjwt.
	Challenge string
	// CA is served at /ca/dcos-ca.crt, if not empty.
	CA []byte
}

// service is Marathon's name in paths.
func (d *DCOS) service() string {
	if d.Service == "" {
		return "marathon"
	}
	return d.Service
}

// loginPath is where tokens come from.
const loginPath = "/acs/api/v1/auth/login"

// newSignKey makes the key that signs the server's own tokens.
func newSignKey() ([]byte, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a key for tokens: %w", err)
	}
	return key, nil
}

// strip takes the prefix of the DC/OS service off a path.
func (s *Server) strip(path string) string {
	if s.opts.DCOS == nil {
		return path
	}
	for _, prefix := range []string{"/service/" + s.opts.DCOS.service(), "/marathon"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && strings.HasPrefix(rest, "/") {
			return rest
		}
	}
	return path
}

// admin answers what the Admin Router answers itself: logins, refusals, paths
// that are not Marathon's. It returns nil for what goes on to Marathon.
func (s *Server) admin(r *http.Request, body []byte) *reply {
	d := s.opts.DCOS
	if d == nil {
		return nil
	}
	switch p := r.URL.Path; {
	case p == loginPath && r.Method == http.MethodPost:
		return s.login(body)
	case p == "/acs/api/v1/auth/providers":
		return jsonReply(http.StatusOK, map[string]any{"dcos-users": map[string]any{
			"authentication-type": "dcos-uid-password", "client-method": "dcos-usercredential-post-receive-authtoken",
			"config":      map[string]any{"start_flow_url": loginPath},
			"description": "Default DC/OS login provider",
		}})
	case p == "/ca/dcos-ca.crt" && len(d.CA) > 0:
		return &reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/x-x509-ca-cert"}}, body: d.CA}
	case !s.authorized(r):
		return s.unauthorized()
	case p == "/pkgpanda/active.buildinfo.full.json":
		return jsonReply(http.StatusOK, map[string]any{})
	case p == "/marathon":
		return &reply{status: http.StatusTemporaryRedirect, header: http.Header{"Location": {"/marathon/"}}}
	case s.strip(p) == p:
		return htmlReply(http.StatusNotFound, "not found")
	}
	return nil
}

// unauthorized is the Admin Router's page for those without a valid token.
func (s *Server) unauthorized() *reply {
	challenge := s.opts.DCOS.Challenge
	if challenge == "" {
		challenge = "acsjwt"
	}
	return &reply{
		status: http.StatusUnauthorized,
		header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}, "Www-Authenticate": {challenge}},
		body: []byte("<!DOCTYPE html>\n<html>\n<head><title>Login required</title>\n" +
			"<script>window.location = \"/login?redirect_uri=\" + encodeURIComponent(window.location)</script>\n" +
			"</head>\n<body>Login required.</body>\n</html>\n"),
	}
}

// authorized tells whether the request has a token that is still valid.
func (s *Server) authorized(r *http.Request) bool {
	h := r.Header.Get("Authorization")
	token, ok := strings.CutPrefix(h, "token=")
	if !ok {
		if token, ok = strings.CutPrefix(h, "Bearer "); !ok {
			return false
		}
	}
	s.mu.Lock()
	_, known := s.tokens[token]
	s.mu.Unlock()
	_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return s.signKey, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(s.opts.WallClock))
	return known && err == nil
}

// login answers POST /acs/api/v1/auth/login.
func (s *Server) login(body []byte) *reply {
	var in struct {
		UID      string `json:"uid"`
		Password string `json:"password"`
		Token    string `json:"token"`
		Exp      int64  `json:"exp"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return jsonReply(http.StatusBadRequest, map[string]any{
			"title": "Bad Request", "description": "Malformed JSON", "code": "ERR_INVALID_DATA",
		})
	}
	if !s.credentials(in.UID, in.Password, in.Token) {
		return jsonReply(http.StatusUnauthorized, map[string]any{
			"title": "Unauthorized", "description": "Provided credentials are invalid.", "code": "ERR_INVALID_CREDENTIALS",
		})
	}
	until := s.opts.WallClock().Add(s.lifetime())
	if in.Exp > 0 {
		until = time.Unix(in.Exp, 0)
	}
	token, err := s.issue(in.UID, until)
	if err != nil {
		return message(http.StatusInternalServerError, "%s", err)
	}
	rep := jsonReply(http.StatusOK, map[string]any{"token": token})
	//nolint:gosec // as DC/OS sets it; Secure would need https, which tests do without
	rep.header.Set("Set-Cookie", (&http.Cookie{Name: "dcos-acs-auth-cookie", Value: token, Path: "/", HttpOnly: true}).String())
	return rep
}

func (s *Server) lifetime() time.Duration {
	if s.opts.DCOS.Lifetime > 0 {
		return s.opts.DCOS.Lifetime
	}
	return 5 * 24 * time.Hour
}

// credentials checks a password, or the token that a service account signed.
func (s *Server) credentials(uid, password, token string) bool {
	if token == "" {
		want, ok := s.opts.DCOS.Users[uid]
		return ok && subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1
	}
	key, ok := s.opts.DCOS.Accounts[uid]
	if !ok {
		return false
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(s.opts.WallClock))
	return err == nil && claims["uid"] == uid
}

// issue signs a token and remembers it.
func (s *Server) issue(uid string, until time.Time) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Serial++
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"uid": uid, "exp": until.Unix(), "jti": s.st.Serial,
	}).SignedString(s.signKey)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	s.tokens[token] = uid
	return token, nil
}

// Token gives a valid token for the user, as if it came from a login. It is an
// error only if signing is.
func (s *Server) Token(uid string) (string, error) {
	return s.issue(uid, s.opts.WallClock().Add(s.lifetime()))
}

// ExpireTokens makes every token invalid that was given out so far.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// basic demands Basic auth where it is configured.
func (s *Server) basic(c *call) *reply {
	if len(s.opts.Basic) == 0 {
		return nil
	}
	user, password, ok := (&http.Request{Header: c.header}).BasicAuth()
	want, known := s.opts.Basic[user]
	if ok && known && subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1 {
		return nil
	}
	rep := htmlReply(http.StatusUnauthorized, "Unauthorized")
	rep.header.Set("WWW-Authenticate", `basic realm="Mesosphere"`)
	return rep
}
