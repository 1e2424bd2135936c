package registrydocker

import (
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollback-project/rollback/plugins/registry-docker/distribution"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Defaults and bounds of the settings.
const (
	defaultConcurrency = 32
	defaultTimeout     = 30 * time.Second
	defaultRetries     = 4
	defaultPageSize    = 1000
	defaultMaxResponse = 64 << 20
	leastMaxResponse   = 64 << 10
)

// settings is the block; absent attributes are nil.
type settings struct {
	Address            string   `json:"address"`
	Username           *string  `json:"username"`
	Password           *string  `json:"password"`
	Token              *string  `json:"token"`
	DockerConfig       *string  `json:"docker_config"`
	CAFile             *string  `json:"ca_file"`
	ClientCertFile     *string  `json:"client_cert_file"`
	ClientKeyFile      *string  `json:"client_key_file"`
	PlainHTTP          *bool    `json:"plain_http"`
	InsecureSkipVerify *bool    `json:"insecure_skip_verify"`
	RequestsPerSecond  *float64 `json:"requests_per_second"`
	Concurrency        *float64 `json:"concurrency"`
	Timeout            *string  `json:"timeout"`
	Retries            *float64 `json:"retries"`
	PageSize           *float64 `json:"page_size"`
	MaxResponse        *float64 `json:"max_response"`
	CacheDir           *string  `json:"cache_dir"`

	at      distribution.Address
	timeout time.Duration
}

// decode reads the block and reports everything that is wrong with it.
func decode(cfg schema.Config) (settings, diag.Diagnostics) {
	var s settings
	if err := cfg.Decode(&s); err != nil {
		return s, diag.Diagnostics{diag.Errorf("Invalid configuration", "The block of the docker registry cannot be read: %v.", err)}
	}
	var ds diag.Diagnostics
	at, err := distribution.ParseAddress(s.Address)
	if err != nil {
		ds = append(ds, diag.Errorf("Invalid address", "%s.", sentence(err)).At("address"))
	}
	s.at = at
	ds = append(ds, s.checkLogin()...)
	ds = append(ds, s.checkTLS()...)
	ds = append(ds, s.checkNumbers()...)
	s.timeout = defaultTimeout
	if s.Timeout != nil {
		d, err := time.ParseDuration(*s.Timeout)
		if err != nil || d <= 0 {
			ds = append(ds, diag.Errorf("Invalid duration",
				`The attribute timeout is %q; it must be a positive duration such as "30s" or "2m".`, *s.Timeout).At("timeout"))
		} else {
			s.timeout = d
		}
	}
	return s, ds
}

func (s settings) checkLogin() diag.Diagnostics {
	var ds diag.Diagnostics
	const clash = "Conflicting credentials"
	switch {
	case given(s.Token) && (given(s.Username) || given(s.Password)):
		ds = append(ds, diag.Errorf(clash, "There is a token, and a username or password: keep one way to log in.").At("token"))
	case given(s.Username) && !given(s.Password):
		ds = append(ds, diag.Errorf("Missing password",
			`The username needs a password, such as password = env("REGISTRY_PASSWORD").`).At("username"))
	case given(s.Password) && !given(s.Username):
		ds = append(ds, diag.Errorf("Missing username", "The password needs a username.").At("password"))
	}
	if given(s.DockerConfig) && (given(s.Token) || given(s.Username)) {
		ds = append(ds, diag.Errorf(clash,
			"There is a docker_config besides other credentials: keep one way to log in.").At("docker_config"))
	}
	if s.plain() && !s.at.Loopback() && (given(s.Token) || given(s.Password)) {
		ds = append(ds, diag.Warnf("Credentials without encryption",
			"With plain_http the credentials for %s can be read by everybody on the way.", s.at.Host()).At("plain_http"))
	}
	return ds
}

func (s settings) checkTLS() diag.Diagnostics {
	var ds diag.Diagnostics
	if s.skipVerify() {
		ds = append(ds, diag.Warnf("Certificates are not verified",
			"With insecure_skip_verify anybody on the way to %s can read the credentials and forge the list of releases. "+
				"Name the registry's authority in ca_file instead.", s.at.Host()).At("insecure_skip_verify"))
	}
	if given(s.ClientCertFile) != given(s.ClientKeyFile) {
		ds = append(ds, diag.Errorf("Incomplete client certificate",
			"client_cert_file and client_key_file belong together: give both or none.").At("client_cert_file"))
	}
	if s.PlainHTTP != nil && *s.PlainHTTP && s.tls() {
		ds = append(ds, diag.Errorf("Conflicting transport",
			"plain_http is without TLS, but there are settings for TLS (ca_file, client_cert_file or insecure_skip_verify): remove one or the other.").At("plain_http"))
	}
	return ds
}

func (s settings) checkNumbers() diag.Diagnostics {
	var ds diag.Diagnostics
	whole := func(name string, v *float64, least, most float64) {
		if v != nil && (*v < least || *v > most || *v != math.Trunc(*v)) {
			ds = append(ds, diag.Errorf("Number out of range",
				"The attribute %s is %v; it must be a whole number from %.0f to %.0f.", name, *v, least, most).At(name))
		}
	}
	whole("concurrency", s.Concurrency, 1, 256)
	whole("retries", s.Retries, 0, 10)
	whole("page_size", s.PageSize, 0, 10000)
	whole("max_response", s.MaxResponse, leastMaxResponse, 1<<30)
	if v := s.RequestsPerSecond; v != nil && (*v <= 0 || *v > 1e6) {
		ds = append(ds, diag.Errorf("Number out of range",
			"The attribute requests_per_second is %v; it must be greater than 0.", *v).At("requests_per_second"))
	}
	return ds
}

// plain reports whether HTTP without TLS is spoken.
func (s settings) plain() bool {
	if s.PlainHTTP != nil {
		return *s.PlainHTTP
	}
	return s.at.Loopback() && !s.tls()
}

func (s settings) skipVerify() bool { return s.InsecureSkipVerify != nil && *s.InsecureSkipVerify }

// tls reports whether the block says anything about TLS.
func (s settings) tls() bool {
	return given(s.CAFile) || given(s.ClientCertFile) || given(s.ClientKeyFile) || s.skipVerify()
}

func given(s *string) bool { return s != nil && *s != "" }

func orElse(v *float64, otherwise int) int {
	if v == nil {
		return otherwise
	}
	return int(*v)
}

// underWorkDir makes a path of the policy absolute; "" stays.
func underWorkDir(workDir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(workDir, path)
}

// invalidConfig is for a host that configures without validating first.
func invalidConfig(ds diag.Diagnostics) error {
	var texts []string
	for _, d := range ds {
		if d.Severity == diag.Error {
			texts = append(texts, d.Detail)
		}
	}
	return fault.New(fault.Invalid, "configure the docker registry: %s", strings.Join(texts, " "))
}

// sentence begins an error's text with a capital.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
