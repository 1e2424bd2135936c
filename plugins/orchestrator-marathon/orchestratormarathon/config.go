package orchestratormarathon

import (
	"context"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
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
	URL          string   `json:"url"`
	Timeout      *string  `json:"timeout"`
	Retries      *float64 `json:"retries"`
	PollInterval *string  `json:"poll_interval"`
	Events       *bool    `json:"events"`
	CrashLoop    *float64 `json:"crash_loop_failures"`
	MaxResponse  *float64 `json:"max_response"`

	at            *url.URL
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
	at, problem := parseURL(s.URL)
	if problem != "" {
		ds = append(ds, diag.Errorf("Invalid URL", "%s", problem).At("url"))
	}
	s.at = at
	s.timeout = duration(&ds, "timeout", s.Timeout, defaultTimeout, time.Millisecond, time.Hour)
	s.poll = duration(&ds, "poll_interval", s.PollInterval, defaultPoll, time.Millisecond, time.Minute)
	whole(&ds, "retries", s.Retries, 0, 10)
	whole(&ds, "crash_loop_failures", s.CrashLoop, 1, 100)
	whole(&ds, "max_response", s.MaxResponse, leastMaxResponse, 1<<30)
	s.crashes = orElse(s.CrashLoop, defaultCrashes)
	return s, ds
}

func (s settings) events() bool { return s.Events == nil || *s.Events }

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

// connect makes of the block, and of what the host grants, how to speak to Marathon.
func connect(_ context.Context, s settings, rt schema.Runtime, o Options) (*marathon.Client, func(context.Context) (string, error), error) {
	parallel := max(1, rt.Parallelism)
	client := marathon.New(marathon.Config{
		URL:         s.at,
		Transport:   marathon.NewTransport(nil, parallel),
		Timeout:     s.timeout,
		Retries:     orElse(s.Retries, defaultRetries),
		FirstWait:   o.FirstWait,
		LongestWait: o.LongestWait,
		MaxResponse: int64(orElse(s.MaxResponse, defaultMaxResponse)),
		Concurrency: parallel,
		UserAgent:   rt.UserAgent,
		Now:         o.Now,
		Logger:      rt.Logger,
	})
	return client, func(context.Context) (string, error) { return "", nil }, nil
}
