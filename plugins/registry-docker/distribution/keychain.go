package distribution

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/docker/cli/cli/config"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Fixed is a keychain of credentials that are known.
func Fixed(auth authn.AuthConfig) authn.Keychain { return fixed{auth} }

type fixed struct{ auth authn.AuthConfig }

func (f fixed) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(f.auth), nil
}

// DockerConfig is a keychain of one Docker configuration, a file or the folder of a config.json, with the credential
// helpers that it names.
func DockerConfig(path string) authn.Keychain { return dockerConfig{path} }

type dockerConfig struct{ path string }

func (d dockerConfig) Resolve(target authn.Resource) (authn.Authenticator, error) {
	path := d.path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "config.json")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file, err := config.LoadFromReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	host := target.RegistryStr()
	if host == name.DefaultRegistry {
		host = authn.DefaultAuthKey
	}
	got, err := file.GetAuthConfig(host)
	if err != nil {
		return nil, err
	}
	if got.Username == "" && got.Password == "" && got.Auth == "" && got.IdentityToken == "" && got.RegistryToken == "" {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: got.Username, Password: got.Password, Auth: got.Auth,
		IdentityToken: got.IdentityToken, RegistryToken: got.RegistryToken,
	}), nil
}
