package orchestratormarathon

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/dcos"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/schema"
)

// access is where Marathon is and how requests get in.
type access struct {
	base      *url.URL
	transport http.RoundTripper
	// identity is as whom we come; "" when anonymous or not known.
	identity string
	// secrets must not appear in messages.
	secrets *secrets
}

// secrets are what must not appear in messages; tokens come to them as they are given out.
type secrets struct {
	mu  sync.Mutex
	all []string
}

// add takes one more. Short ones would take common words out of messages.
func (s *secrets) add(secret string) {
	if len(secret) < 4 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, secret, "(sensitive value)")
}

// hide takes them out of a text.
func (s *secrets) hide(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.NewReplacer(s.all...).Replace(text)
}

// connect makes of the block, and of what the host grants, how to speak to Marathon.
func connect(s settings, rt schema.Runtime, o Options) (*marathon.Client, string, error) {
	parallel := max(1, rt.Parallelism)
	a, err := enter(s, rt, o.Wall, parallel)
	if err != nil {
		return nil, "", err
	}
	client := marathon.New(marathon.Config{
		URL:         a.base,
		Transport:   a.transport,
		Timeout:     s.timeout,
		Retries:     orElse(s.Retries, defaultRetries),
		FirstWait:   o.FirstWait,
		LongestWait: o.LongestWait,
		MaxResponse: int64(orElse(s.MaxResponse, defaultMaxResponse)),
		Concurrency: parallel,
		UserAgent:   rt.UserAgent,
		Now:         o.Now,
		Redact:      a.secrets.hide,
		Logger:      rt.Logger,
	})
	return client, a.identity, nil
}

// enter chooses the way to log in.
func enter(s settings, rt schema.Runtime, now func() time.Time, parallel int) (access, error) {
	token := ""
	if given(s.Token) {
		token = *s.Token
	}
	if s.DCOSCluster != nil {
		c, err := dcos.ReadCLI(*s.DCOSCluster)
		if err != nil {
			return access{}, err
		}
		s.cluster, s.at = c.URL, c.Marathon
		if s.CAFile == nil && c.CAFile != "" {
			s.CAFile = &c.CAFile
		}
		if c.SkipVerify && s.InsecureSkipVerify == nil && s.CAFile == nil {
			rt.Logger.Warn("the dcos command is set up not to verify this cluster's certificate", "cluster", c.ID)
			s.InsecureSkipVerify = &c.SkipVerify
		}
		if token == "" {
			token = c.Token
		}
		if token == "" && !s.logsIn() {
			return access{}, fault.New(fault.Unauthenticated, "dcos_cluster: the dcos command is not logged in to %s", c.URL.Host).On(c.URL.Host).
				WithHint("Run dcos auth login, or give credentials in the block.")
		}
	}
	conf, err := tlsSettings(s, rt.WorkDir)
	if err != nil {
		return access{}, err
	}
	a := access{base: s.at, transport: marathon.NewTransport(conf, parallel), secrets: &secrets{}}
	if s.cluster == nil {
		a.plain(s, token)
		return a, nil
	}
	return a, a.cluster(s, rt.WorkDir, token, now)
}

// plain logs in to a Marathon of its own.
func (a *access) plain(s settings, token string) {
	switch {
	case given(s.Username):
		a.identity = *s.Username
		a.secrets.add(*s.Password)
		a.transport = sealed{inner: a.transport, to: s.at, seal: func(r *http.Request) { r.SetBasicAuth(*s.Username, *s.Password) }}
	case token != "":
		a.identity = dcos.UIDOf(token)
		a.secrets.add(token)
		a.transport = sealed{inner: a.transport, to: s.at, seal: func(r *http.Request) { r.Header.Set("Authorization", "token="+token) }}
	}
}

// cluster logs in to a DC/OS cluster.
func (a *access) cluster(s settings, workDir, token string, now func() time.Time) error {
	switch {
	case given(s.Username):
		a.identity = *s.Username
		a.secrets.add(*s.Password)
		a.transport = dcos.New(a.transport, s.cluster, "", a.identity, dcos.Password(*s.Username, *s.Password), a.secrets.add)
	case given(s.ServiceAccountFile), given(s.ServiceAccount):
		who, err := readAccount(s, workDir)
		if err != nil {
			return err
		}
		a.identity = who.UID
		a.transport = dcos.New(a.transport, s.cluster, "", a.identity, who.Credentials(now), a.secrets.add)
	case token != "":
		a.identity = dcos.UIDOf(token)
		a.secrets.add(token)
		a.transport = dcos.New(a.transport, s.cluster, token, a.identity, nil, a.secrets.add)
	}
	return nil
}

// sealed adds credentials to requests to one server, and to no other.
type sealed struct {
	inner http.RoundTripper
	to    *url.URL
	seal  func(*http.Request)
}

func (t sealed) RoundTrip(req *http.Request) (*http.Response, error) {
	if dcos.SameServer(req.URL, t.to) {
		req = req.Clone(req.Context())
		t.seal(req)
	}
	return t.inner.RoundTrip(req)
}

// readAccount takes the secret of a service account from the block, or from the file that it names.
func readAccount(s settings, workDir string) (*dcos.Account, error) {
	if !given(s.ServiceAccountFile) {
		return dcos.ParseAccount([]byte(*s.ServiceAccount), "service_account")
	}
	path := underWorkDir(workDir, *s.ServiceAccountFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "read service_account_file: %w", err).On(path)
	}
	return dcos.ParseAccount(text, path)
}

// tlsSettings reads the certificate file.
func tlsSettings(s settings, workDir string) (*tls.Config, error) {
	conf := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: s.skipVerify(), //nolint:gosec // the policy says so, and was warned
	}
	if !given(s.CAFile) {
		return conf, nil
	}
	path := underWorkDir(workDir, *s.CAFile)
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "read ca_file: %w", err).On(path)
	}
	if conf.RootCAs, err = x509.SystemCertPool(); err != nil {
		conf.RootCAs = x509.NewCertPool()
	}
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, "read ca_file: %s holds no PEM certificate", path).On(path)
	}
	return conf, nil
}

// underWorkDir makes a path of the policy absolute.
func underWorkDir(workDir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(workDir, path)
}

// loopback reports a host that is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
