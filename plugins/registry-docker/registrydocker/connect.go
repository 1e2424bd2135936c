package registrydocker

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/rollback-project/rollback/plugins/registry-docker/distribution"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/schema"
)

// connection makes of the block and of what the host grants how to speak to the registry.
func connection(s settings, rt schema.Runtime, o Options) (distribution.Config, error) {
	tlsConfig, err := tlsSettings(s, rt.WorkDir)
	if err != nil {
		return distribution.Config{}, err
	}
	c := distribution.Config{
		Address:     s.at,
		PlainHTTP:   s.plain(),
		TLS:         tlsConfig,
		Keychain:    keychain(s, rt.WorkDir),
		Concurrency: orElse(s.Concurrency, defaultConcurrency),
		Timeout:     s.timeout,
		Retries:     orElse(s.Retries, defaultRetries),
		FirstWait:   o.FirstWait,
		LongestWait: o.LongestWait,
		PageSize:    orElse(s.PageSize, defaultPageSize),
		MaxResponse: int64(orElse(s.MaxResponse, defaultMaxResponse)),
		UserAgent:   rt.UserAgent,
		Now:         o.Now,
		Logger:      rt.Logger,
	}
	if s.RequestsPerSecond != nil {
		c.RequestsPerSecond = *s.RequestsPerSecond
	}
	if rt.Parallelism > 0 {
		c.Concurrency = min(c.Concurrency, rt.Parallelism)
	}
	return c, nil
}

// keychain is where credentials come from.
func keychain(s settings, workDir string) authn.Keychain {
	switch {
	case given(s.Token):
		return distribution.Fixed(authn.AuthConfig{RegistryToken: *s.Token})
	case given(s.Username):
		return distribution.Fixed(authn.AuthConfig{Username: *s.Username, Password: *s.Password})
	case given(s.DockerConfig):
		return distribution.DockerConfig(underWorkDir(workDir, *s.DockerConfig))
	}
	return authn.DefaultKeychain
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
