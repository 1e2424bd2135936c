package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/host/redact"
	"github.com/rollback-project/rollback/sdk/schema"
)

// pluginChecks are those for plugins of every kind.
func pluginChecks() []check {
	return []check{
		{"plugin/describe-is-stable", []string{"P10"}, "The host asks for the description at any time and caches it: it must be there at once and always the same.", describeIsStable},
		{"plugin/identity", []string{"P11"}, "The policy's block label finds the plugin by kind and name, and messages name its version.", identity},
		{"plugin/schema-is-sound", []string{"P12"}, "The host decodes the policy's block against the schema; what is contradictory there cannot be written in any policy.", schemaIsSound},
		{"plugin/valid-config-is-accepted", []string{"P13"}, "A configuration that works must pass ValidateConfig, each time, offline.", validIsAccepted},
		{"plugin/all-problems-at-once", []string{"P13"}, "A person corrects a policy once, not once for every problem: each attribute at fault is named by its path.", allProblems},
		{"plugin/diagnostics-have-form", []string{"P14"}, "The summary is a headline, the detail says what to do, and the path gets the line of the policy.", diagnosticsHaveForm},
		{"plugin/configure-reaches-nobody", []string{"P15"}, "Configure runs for commands that never speak to the remote system; it must work when that is down.", configureReachesNobody},
		{"plugin/probe-names-the-system", []string{"P16"}, "`rollback plugins check` shows what a plugin reached; a probe without a name or without a fault says nothing.", probeNames},
		{"plugin/probe-needs-the-system", []string{"P16", "P26"}, "A probe that succeeds although nothing is there hides the outage until the apply.", probeNeeds},
		{"plugin/cancelled-call-ends", []string{"P18"}, "Ctrl-C must work: a cancelled call ends within two seconds, with an error.", cancelledEnds},
	}
}

// closingChecks judge what was heard during all the others.
func closingChecks() []check {
	return []check{
		{"plugin/no-secrets-heard", []string{"P7", "P14", "P27", "N8"}, "Logs and errors are kept in CI for years, and read by many: no value of a sensitive attribute may be in them.", noSecrets},
	}
}

func describeIsStable(ctx context.Context, s *session) error {
	var first string
	for range 2 {
		p, err := s.plugin(ctx)
		if err != nil {
			return err
		}
		for range 2 {
			var d schema.Description
			if err := promptly(time.Second, "Describe", func() { d = p.Describe() }); err != nil {
				return err
			}
			text := render(d)
			if first == "" {
				first = text
			}
			if text != first {
				return fmt.Errorf("another answer of Describe:\n%s\n%s", first, text)
			}
		}
	}
	return nil
}

// render writes a description in one form, for comparison.
func render(d schema.Description) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %q %v\n", d.Kind, d.Name, d.Version, d.Doc, d.Capabilities)
	attributes := func(list []schema.Attribute) {
		for _, a := range list {
			fmt.Fprintf(&b, "%s %#v %v %v %#v %v %q\n", a.Name, a.Type, a.Required, a.Sensitive, a.Default, a.OneOf, a.Doc)
		}
	}
	attributes(d.Schema.Attributes)
	for _, block := range d.Schema.Blocks {
		fmt.Fprintf(&b, "block %s %d %d %q\n", block.Name, block.Min, block.Max, block.Doc)
		attributes(block.Attributes)
	}
	return b.String()
}

var (
	pluginName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	identifier = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	semVer     = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

func identity(ctx context.Context, s *session) error {
	d, err := s.describe(ctx)
	if err != nil {
		return err
	}
	var problems []error
	if d.Kind != s.target.kind() {
		problems = append(problems, fmt.Errorf("the kind is %q; expected %q", d.Kind, s.target.kind()))
	}
	if !pluginName.MatchString(d.Name) {
		problems = append(problems, fmt.Errorf("the name %q is not lower-case letters, digits and dashes", d.Name))
	}
	if !semVer.MatchString(d.Version) {
		problems = append(problems, fmt.Errorf("the version %q is no SemVer version", d.Version))
	}
	return errors.Join(problems...)
}

func schemaIsSound(ctx context.Context, s *session) error {
	d, err := s.describe(ctx)
	if err != nil {
		return err
	}
	problems := unsoundAttributes("", d.Schema.Attributes)
	seen := map[string]bool{}
	for _, a := range d.Schema.Attributes {
		seen[a.Name] = true
	}
	for _, b := range d.Schema.Blocks {
		if !identifier.MatchString(b.Name) || seen[b.Name] {
			problems = append(problems, fmt.Errorf("block %q: not a lower-case identifier, or twice", b.Name))
		}
		seen[b.Name] = true
		if b.Min < 0 || b.Max < 0 || (b.Max > 0 && b.Min > b.Max) {
			problems = append(problems, fmt.Errorf("block %s: occurs %d to %d times", b.Name, b.Min, b.Max))
		}
		problems = append(problems, unsoundAttributes(b.Name+".", b.Attributes)...)
	}
	return errors.Join(problems...)
}

func unsoundAttributes(prefix string, list []schema.Attribute) []error {
	var problems []error
	seen := map[string]bool{}
	for _, a := range list {
		bad := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("attribute "+prefix+a.Name+": "+format, args...))
		}
		if !identifier.MatchString(a.Name) {
			bad("the name is no lower-case identifier")
		}
		if seen[a.Name] {
			bad("is there twice")
		}
		seen[a.Name] = true
		if a.Type == cty.NilType {
			bad("has no type")
			continue
		}
		if _, err := ctyjson.MarshalType(a.Type); err != nil {
			bad("the type cannot be written in JSON: %v", err)
		}
		if a.Default != cty.NilVal {
			if a.Required {
				bad("is required and has a default")
			}
			if !a.Default.Type().Equals(a.Type) {
				bad("the default is %s, not %s", a.Default.Type().FriendlyName(), a.Type.FriendlyName())
			}
		}
		if len(a.OneOf) > 0 && a.Type != cty.String {
			bad("has a list of allowed values and is no string")
		}
		if a.Doc == "" {
			bad("has no doc")
		}
	}
	return problems
}

func (s *session) validate(ctx context.Context, cfg json.RawMessage) (diag.Diagnostics, error) {
	p, err := s.plugin(ctx)
	if err != nil {
		return nil, err
	}
	var ds diag.Diagnostics
	err = promptly(grace, "ValidateConfig", func() { ds = p.ValidateConfig(schema.Config{JSON: cfg}) })
	if err != nil {
		return nil, err
	}
	for _, d := range ds {
		fmt.Fprintln(s, d.Summary, d.Detail)
	}
	return ds, nil
}

func validIsAccepted(ctx context.Context, s *session) error {
	if s.fixture.Config == nil {
		return skip("the fixture has no config")
	}
	configs := []json.RawMessage{s.fixture.Config}
	if s.fixture.Unreachable != nil {
		configs = append(configs, s.fixture.Unreachable)
	}
	for _, cfg := range configs {
		ds, err := s.validate(ctx, cfg)
		if err != nil {
			return err
		}
		if ds.HasErrors() {
			return fmt.Errorf("the valid configuration is refused: %w", ds[0])
		}
	}
	return nil
}

func allProblems(ctx context.Context, s *session) error {
	if len(s.fixture.Invalid) == 0 {
		return skip("the fixture has no invalid configurations")
	}
	for i, c := range s.fixture.Invalid {
		ds, err := s.validate(ctx, c.Config)
		if err != nil {
			return err
		}
		var named []string
		for _, d := range ds {
			if d.Severity == diag.Error {
				named = append(named, d.Path.String())
			}
		}
		if len(named) == 0 {
			return fmt.Errorf("invalid configuration %d is accepted", i)
		}
		for _, path := range c.Paths {
			if !slices.Contains(named, path) {
				return fmt.Errorf("invalid configuration %d: no error names %s, only %q", i, path, named)
			}
		}
	}
	return nil
}

func diagnosticsHaveForm(ctx context.Context, s *session) error {
	if len(s.fixture.Invalid) == 0 {
		return skip("the fixture has no invalid configurations")
	}
	for _, c := range s.fixture.Invalid {
		ds, err := s.validate(ctx, c.Config)
		if err != nil {
			return err
		}
		for _, d := range ds {
			if err := s.formOf(d); err != nil {
				return fmt.Errorf("diagnostic %q: %w", d.Summary, err)
			}
		}
	}
	return nil
}

func (s *session) formOf(d diag.Diagnostic) error {
	switch first := []rune(d.Summary + " ")[0]; {
	case d.Severity != diag.Error && d.Severity != diag.Warning:
		return fmt.Errorf("the severity %q is neither error nor warning", d.Severity)
	case strings.ContainsAny(d.Summary, "\n\r") || !unicode.IsUpper(first) || strings.HasSuffix(d.Summary, "."):
		return errors.New("the summary is not one line in sentence case without a full stop")
	case d.Detail == "":
		return errors.New("there is no detail")
	}
	if len(d.Path) == 0 {
		return nil
	}
	for _, a := range s.description.Schema.Attributes {
		if a.Name == d.Path[0] {
			return nil
		}
	}
	for _, b := range s.description.Schema.Blocks {
		if b.Name == d.Path[0] {
			return blockPath(b, d.Path[1:])
		}
	}
	return fmt.Errorf("the path %s leads to nothing in the schema", d.Path)
}

// blockPath checks the part of a path inside a block: perhaps an index, perhaps an attribute.
func blockPath(b schema.Block, rest diag.Path) error {
	if len(rest) > 0 {
		if _, err := strconv.Atoi(rest[0]); err == nil {
			rest = rest[1:]
		}
	}
	if len(rest) > 0 && !slices.ContainsFunc(b.Attributes, func(a schema.Attribute) bool { return a.Name == rest[0] }) {
		return fmt.Errorf("the path %s.%s leads to nothing in the schema", b.Name, rest)
	}
	return nil
}

func configureReachesNobody(ctx context.Context, s *session) error {
	if s.fixture.Unreachable == nil {
		return skip("the fixture has no unreachable configuration")
	}
	var err error
	if late := promptly(grace, "Configure", func() { _, err = s.configure(ctx, s.fixture.Unreachable) }); late != nil {
		return late
	}
	return err
}

func probeNames(ctx context.Context, s *session) error {
	c, err := s.configure(ctx, s.fixture.Config)
	if err != nil {
		return err
	}
	res, err := c.Probe(ctx)
	if s.hear(err) != nil {
		return fmt.Errorf("probe: %w", err)
	}
	if strings.TrimSpace(res.System) == "" {
		return errors.New("the probe does not name the system")
	}
	return nil
}

func probeNeeds(ctx context.Context, s *session) error {
	if s.fixture.Unreachable == nil {
		return skip("the fixture has no unreachable configuration")
	}
	c, err := s.configure(ctx, s.fixture.Unreachable)
	if err != nil {
		return skip("the unreachable configuration cannot be configured")
	}
	_, err = c.Probe(ctx)
	return want(s.hear(err), fault.Unavailable)
}

func cancelledEnds(ctx context.Context, s *session) error {
	c, err := s.configure(ctx, s.fixture.Config)
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late := promptly(grace, "a cancelled Probe", func() { _, err = c.Probe(cancelled) })
	if late != nil {
		return late
	}
	if err == nil {
		return errors.New("a cancelled Probe reports success")
	}
	return nil
}

func noSecrets(_ context.Context, s *session) error {
	secrets := s.secrets()
	if len(secrets) == 0 {
		return skip("no sensitive attribute has a value of six characters or more in the fixture")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := redact.New(secrets...).String(s.heard.String()) // finds encoded secrets too
	if heard == s.heard.String() && !s.target.redacted {
		return nil // a mark in it is the plugin's own
	}
	if i := strings.Index(heard, redact.Mark); i >= 0 {
		return fmt.Errorf("a sensitive value is in a log line, error or diagnostic, after %q", heard[max(0, i-60):i])
	}
	return nil
}
