package dcos

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
)

// loginLives is how long the token is valid that a service account signs to log in with.
const loginLives = 5 * time.Minute

// Account is the secret of a service account. Its login_endpoint is an address of the cluster's inside, and not used.
type Account struct {
	Scheme     string `json:"scheme"`
	UID        string `json:"uid"`
	PrivateKey string `json:"private_key"`
	key        *rsa.PrivateKey
}

// ParseAccount reads the JSON secret of a service account; where names its place in messages. What is wrong with it is
// not quoted: it is a secret.
func ParseAccount(text []byte, where string) (*Account, error) {
	var a Account
	if json.Unmarshal(text, &a) != nil || a.UID == "" || a.PrivateKey == "" {
		return nil, fault.New(fault.Invalid, "read %s: it is not the JSON secret of a service account, with uid and private_key", where).On(where)
	}
	if a.Scheme != "" && a.Scheme != "RS256" {
		return nil, fault.New(fault.Unsupported, "read %s: logins of the scheme %s are not known, only RS256", where, marathon.Printable(a.Scheme)).On(where)
	}
	var err error
	if a.key, err = jwt.ParseRSAPrivateKeyFromPEM([]byte(a.PrivateKey)); err != nil {
		return nil, fault.New(fault.Invalid, "read %s: its private_key is no RSA key in PEM", where).On(where)
	}
	return &a, nil
}

// Credentials sign a login, by the time that now gives.
func (a *Account) Credentials(now func() time.Time) Credentials {
	return func() (map[string]string, error) {
		token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"uid": a.UID, "exp": now().Add(loginLives).Unix(),
		}).SignedString(a.key)
		if err != nil {
			return nil, errors.New("sign with the service account's key")
		}
		return map[string]string{"uid": a.UID, "token": token}, nil
	}
}
