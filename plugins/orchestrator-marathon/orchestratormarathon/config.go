package orchestratormarathon

import (
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Defaults and bounds of the settings.
const (
	defaultTimeout     = 30 * time.Second
	defaultRetries     = 4
	defaultPoll        = time.Second
	defaultCrashes     = 3
	defaultMaxResponse = 64 << 20
	leastMaxResponse   = 64 << 10
)

// settings is the block; absent attributes are nil.
type settings struct {
	login

	URL          *string  `json:"url"`
	DCOSURL      *string  `json:"dcos_url"`
	DCOSCluster  *string  `json:"dcos_cluster"`
	Timeout      *string  `json:"timeout"`
	Retries      *float64 `json:"retries"`
	PollInterval *string  `json:"poll_interval"`
	Events       *bool    `json:"events"`
	CrashLoop    *float64 `json:"crash_loop_failures"`
	MaxResponse  *float64 `json:"max_response"`

	// at is Marathon's base URL; nil where dcos_cluster is to say it.
	at *url.URL
	// cluster is the URL of the DC/OS cluster; nil outside of one.
	cluster       *url.URL
	timeout, poll time.Duration
	crashes       int
}

// decode reads the block and reports everything that is wrong with it.
func decode(cfg schema.Config) (settings, diag.Diagnostics) {
	var s settings
	if err := cfg.Decode(&s); err != nil {
		return s, diag.Diagnostics{diag.Errorf("Invalid configuration", "The block of the marathon orchestrator cannot be read: %v.", err)}
	}
	var ds diag.Diagnostics
	ds = append(ds, s.place()...)
	ds = append(ds, s.login.check(s)...)
	s.timeout = duration(&ds, "timeout", s.Timeout, defaultTimeout, time.Millisecond, time.Hour)
	s.poll = duration(&ds, "poll_interval", s.PollInterval, defaultPoll, time.Millisecond, time.Minute)
	whole(&ds, "retries", s.Retries, 0, 10)
	whole(&ds, "crash_loop_failures", s.CrashLoop, 1, 100)
	whole(&ds, "max_response", s.MaxResponse, leastMaxResponse, 1<<30)
	s.crashes = orElse(s.CrashLoop, defaultCrashes)
	return s, ds
}

func (s settings) events() bool { return s.Events == nil || *s.Events }

// place finds out where Marathon is, of the attributes that say so.
func (s *settings) place() diag.Diagnostics {
	var ds diag.Diagnostics
	given := 0
	for _, v := range []*string{s.URL, s.DCOSURL, s.DCOSCluster} {
		if v != nil {
			given++
		}
	}
	switch {
	case given == 0:
		return append(ds, diag.Errorf("Missing URL",
			`Say where Marathon is: url = "https://dcos.example.com/service/marathon", or dcos_url, or dcos_cluster = "attached".`).At("url"))
	case given > 1:
		ds = append(ds, diag.Errorf("Conflicting places", "Of url, dcos_url and dcos_cluster only one can say where Marathon is: keep one.").At("url"))
	}
	if s.URL != nil {
		at, problem := parseURL(*s.URL)
		if problem != "" {
			return append(ds, diag.Errorf("Invalid URL", "%s", problem).At("url"))
		}
		s.at = at
		if strings.HasPrefix(at.Path, "/service/") {
			s.cluster = &url.URL{Scheme: at.Scheme, Host: at.Host}
		}
	}
	if s.DCOSURL != nil {
		cluster, problem := parseURL(*s.DCOSURL)
		if problem != "" {
			return append(ds, diag.Errorf("Invalid URL", "%s", problem).At("dcos_url"))
		}
		s.cluster = cluster
		s.at = cluster.JoinPath("service", "marathon")
	}
	if s.DCOSCluster != nil && strings.TrimSpace(*s.DCOSCluster) == "" {
		ds = append(ds, diag.Errorf("Missing cluster", `The attribute dcos_cluster is empty: name a cluster, or write "attached".`).At("dcos_cluster"))
	}
	return ds
}

// parseURL reads the base URL, or says what is wrong with it.
func parseURL(text string) (u *url.URL, problem string) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, "The URL cannot be read: it must look like https://dcos.example.com/service/marathon."
	case u.User != nil:
		return nil, "The URL contains a user name or password: give them in username and password."
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, "The URL must begin with http:// or https:// and name a host, such as https://dcos.example.com/service/marathon."
	case u.RawQuery != "" || u.Fragment != "":
		return nil, "The URL must end with a path: remove what follows ? or #."
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/v2")
	u.RawPath = ""
	return u, ""
}

func duration(ds *diag.Diagnostics, name string, text *string, otherwise, least, most time.Duration) time.Duration {
	if text == nil {
		return otherwise
	}
	d, err := time.ParseDuration(*text)
	if err != nil || d < least || d > most {
		*ds = append(*ds, diag.Errorf("Invalid duration",
			`The attribute %s is %q; it must be a duration from %s to %s, such as "2s".`, name, *text, least, most).At(name))
		return otherwise
	}
	return d
}

func whole(ds *diag.Diagnostics, name string, v *float64, least, most float64) {
	if v != nil && (*v < least || *v > most || *v != math.Trunc(*v)) {
		*ds = append(*ds, diag.Errorf("Number out of range",
			"The attribute %s is %v; it must be a whole number from %.0f to %.0f.", name, *v, least, most).At(name))
	}
}

func orElse(v *float64, otherwise int) int {
	if v == nil {
		return otherwise
	}
	return int(*v)
}

// invalidConfig is for a host that configures without validating first.
func invalidConfig(ds diag.Diagnostics) error {
	var texts []string
	for _, d := range ds {
		if d.Severity == diag.Error {
			texts = append(texts, d.Detail)
		}
	}
	return fault.New(fault.Invalid, "configure the marathon orchestrator: %s", strings.Join(texts, " "))
}
