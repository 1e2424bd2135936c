package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host/redact"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// suite is one run.
type suite struct {
	target      Target
	fixture     Fixture
	description schema.Description
	operations  int

	mu sync.Mutex
	// heard is everything the plugin said: logs, errors, diagnostics.
	heard bytes.Buffer
	// original is the apps as they were before the first change.
	original []orchestrator.Snapshot
}

// Write takes log lines.
func (s *suite) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard.Write(p)
}

// hear keeps what an error says, for the check on secrets, and returns it.
func (s *suite) hear(err error) error {
	if err != nil {
		text := err.Error()
		if f := fault.Of(err); f != nil {
			text += "\n" + f.Subject + "\n" + f.Hint
		}
		fmt.Fprintln(s, text)
	}
	return err
}

// redact takes the configuration's secrets out of what the suite itself says.
func (s *suite) redact(text string) string {
	return redact.New(s.secrets()...).String(text)
}

// secrets are the values of sensitive attributes in the configurations of the fixture.
func (s *suite) secrets() []string {
	var found []string
	for _, cfg := range append(s.invalidConfigs(), s.fixture.Config, s.fixture.Unreachable) {
		var values map[string]any
		if json.Unmarshal(cfg, &values) != nil {
			continue
		}
		found = append(found, sensitive(s.description.Schema.Attributes, values)...)
		for _, b := range s.description.Schema.Blocks {
			list, ok := values[b.Name].([]any)
			if !ok {
				list = []any{values[b.Name]}
			}
			for _, v := range list {
				inner, _ := v.(map[string]any)
				found = append(found, sensitive(b.Attributes, inner)...)
			}
		}
	}
	return found
}

// sensitive collects values long enough not to occur by chance.
func sensitive(attributes []schema.Attribute, values map[string]any) []string {
	var found []string
	for _, a := range attributes {
		if v, ok := values[a.Name].(string); ok && a.Sensitive && len(v) >= 6 {
			found = append(found, v)
		}
	}
	return found
}

func (s *suite) invalidConfigs() []json.RawMessage {
	var all []json.RawMessage
	for _, c := range s.fixture.Invalid {
		all = append(all, c.Config)
	}
	return all
}

// logger keeps log lines, for the check on secrets.
func (s *suite) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: s, JSONFormat: true})
}

func (s *suite) runtime() schema.Runtime {
	return schema.Runtime{
		Logger:      s.logger(),
		UserAgent:   "rollback-conformance/1",
		WorkDir:     s.fixture.WorkDir,
		Parallelism: 4,
	}
}

// describe starts a plugin and asks what it is.
func (s *suite) describe(ctx context.Context) (d schema.Description, err error) {
	p, end, err := s.start(ctx)
	if err != nil {
		return schema.Description{}, err
	}
	defer end()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the plugin panicked in Describe: %v", r)
		}
	}()
	return p.Describe(), nil
}

// described is what plugins of all kinds have in common.
type described interface {
	Describe() schema.Description
	ValidateConfig(cfg schema.Config) diag.Diagnostics
}

// start gives a plugin that is not configured.
func (s *suite) start(ctx context.Context) (described, func(), error) {
	switch {
	case s.target.Registry != nil:
		return started(s.target.Registry(ctx, s.logger()))
	case s.target.Orchestrator != nil:
		return started(s.target.Orchestrator(ctx, s.logger()))
	case s.target.Notify != nil:
		return started(s.target.Notify(ctx, s.logger()))
	}
	return nil, nil, errors.New("the target has no plugin")
}

func started[P described](p P, end func(), err error) (described, func(), error) {
	if err != nil {
		return nil, nil, fmt.Errorf("start the plugin: %w", err)
	}
	return p, end, nil
}

// session is what one check works with. It ends the plugins it started.
type session struct {
	*suite
	ends []func()
	// changed: apps are to be put back after the check.
	changed bool
}

func (s *session) close() {
	for _, end := range s.ends {
		end()
	}
	s.ends = nil
}

// plugin gives a new plugin that is not configured.
func (s *session) plugin(ctx context.Context) (described, error) {
	p, end, err := s.start(ctx)
	if err != nil {
		return nil, err
	}
	s.ends = append(s.ends, end)
	return p, nil
}

// probe is what configured plugins of all kinds have in common.
type probe interface {
	Probe(ctx context.Context) (schema.ProbeResult, error)
}

// configure gives a new plugin, configured.
func (s *session) configure(ctx context.Context, cfg json.RawMessage) (probe, error) {
	if cfg == nil {
		return nil, skip("the fixture has no config")
	}
	p, err := s.plugin(ctx)
	if err != nil {
		return nil, err
	}
	var out probe
	switch p := p.(type) {
	case registry.Plugin:
		out, err = p.Configure(ctx, schema.Config{JSON: cfg}, s.runtime())
	case orchestrator.Plugin:
		out, err = p.Configure(ctx, schema.Config{JSON: cfg}, s.runtime())
	case notify.Plugin:
		out, err = p.Configure(ctx, schema.Config{JSON: cfg}, s.runtime())
	}
	if s.hear(err) != nil {
		return nil, fmt.Errorf("configure: %w", err)
	}
	return out, nil
}

func (s *session) registry(ctx context.Context) (registry.Registry, *RegistryFixture, error) {
	if s.fixture.Registry == nil {
		return nil, nil, skip("the fixture says nothing about a registry")
	}
	c, err := s.configure(ctx, s.fixture.Config)
	if err != nil {
		return nil, nil, err
	}
	return c.(registry.Registry), s.fixture.Registry, nil
}

func (s *session) orchestrator(ctx context.Context) (orchestrator.Orchestrator, *OrchestratorFixture, error) {
	f := s.fixture.Orchestrator
	if f == nil || len(f.Apps) < 2 {
		return nil, nil, skip("the fixture names fewer than two apps of an orchestrator")
	}
	c, err := s.configure(ctx, s.fixture.Config)
	if err != nil {
		return nil, nil, err
	}
	return c.(orchestrator.Orchestrator), f, nil
}

func (s *session) notifier(ctx context.Context) (notify.Notifier, error) {
	c, err := s.configure(ctx, s.fixture.Config)
	if err != nil {
		return nil, err
	}
	return c.(notify.Notifier), nil
}

// want asks for a fault of one class.
func want(err error, code fault.Code) error {
	switch {
	case err == nil:
		return fmt.Errorf("no fault was returned; expected %s", code)
	case fault.Of(err) == nil:
		return fmt.Errorf("an error without a class, expected %s: %w", code, err)
	case !fault.Is(err, code):
		return fmt.Errorf("the fault is %s (%w); expected %s", fault.CodeOf(err), err, code)
	}
	return nil
}

// promptly runs a call that has been cancelled, or is offline, and fails when it takes longer than limit.
func promptly(limit time.Duration, what string, call func()) error {
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	select {
	case <-done:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s did not end within %s (%s)", what, limit, time.Since(began).Round(time.Millisecond))
	}
}
