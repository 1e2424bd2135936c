package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/backend"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/notice"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/policies"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/host/redact"
	"github.com/rollback-project/rollback/sdk/schema"
)

// session is one command at work: its policy, its plugins, its output.
type session struct {
	*global
	policy   *policy.Policy
	sources  *policy.Sources
	redactor *redact.Redactor
	set      *backend.Set
	engine   *core.Engine
	// stream is the machine-readable stream; nil without --json and --json-into.
	stream *view.Stream
	closes []io.Closer
	// sink takes the engine's events; set before apply.
	sink event.Sink
}

// needs says what a command reaches.
type needs struct {
	orchestrator, notifiers bool
	// registry is needed by everything but validate.
	registry bool
	// operate: the state is written, not only read.
	operate bool
	// recordOnly: the state is written, but no snapshot is, so that no key is needed.
	recordOnly bool
	// recorded: there must be a state already; one that is not there is not taken for an empty one.
	recorded bool
}

// article are the flags of the article's own calls, which work without a policy.
type article struct {
	repos    string
	registry string
	slack    string
	user     string
	password string
	dump     string
}

// begin opens the stream and loads the policy. It has said what went wrong when it returns an exit.
func (g *global) begin(a article) (*session, error) {
	s := &session{global: g, redactor: redact.New()}
	if err := s.openStream(); err != nil {
		return nil, err
	}
	p, sources, ds := policy.Load(policy.LoadOptions{
		Paths: g.files, WorkDir: g.app.WorkDir, Vars: g.vars, VarFiles: g.varFiles,
		Environ: g.app.Environ, Version: coreVersion(g.app.Build.Version), Builtin: policies.All(),
	})
	if a.repos != "" && len(g.files) == 0 && len(sources.Files()) == 0 {
		// The article's call without any policy: everything is on the command line.
		p, ds = policy.Defaults(), nil
	}
	s.policy, s.sources = p, sources
	ds = append(ds, a.lay(p, g.env, g.getenv)...)
	s.redactor = redact.New(append(append([]string{}, p.Secrets...), a.secret(g.getenv), a.webhook(g.getenv))...)
	if s.report(ds) {
		s.close()
		return nil, exit{ExitError}
	}
	return s, nil
}

// coreVersion is the version without its pre-release part: a development build satisfies what its release will.
func coreVersion(v string) string {
	v, _, _ = strings.Cut(strings.TrimPrefix(v, "v"), "-")
	return v
}

// lay puts the article's flags over the policy.
func (a article) lay(p *policy.Policy, env string, getenv func(string) string) diag.Diagnostics {
	var ds diag.Diagnostics
	if a.repos != "" {
		named := map[string]policy.Repo{}
		for _, r := range p.Repos {
			named[r.Name] = r
		}
		p.Repos = nil
		for _, name := range strings.Split(a.repos, ",") {
			name = strings.TrimSpace(name)
			if r, ok := named[name]; ok {
				p.Repos = append(p.Repos, r)
			} else if name != "" {
				p.AddRepo(name)
			}
		}
	}
	if a.registry != "" {
		b := policy.NewBackend(schema.Registry, "docker", map[string]cty.Value{"address": cty.StringVal(a.registry)})
		p.Registry = &b
	}
	if len(p.Environments) == 0 && env != "" {
		// The article's `get` names the branch itself.
		p.Environments = []policy.Environment{{Name: env, Branch: env, Scope: "/ds/" + env}}
	}
	if a.slack != "" {
		ds = append(ds, onCommandLine("--slack", "a webhook's URL", slackVariable))
	}
	if slack := a.webhook(getenv); slack != "" {
		p.Notifiers = []policy.Notifier{{Backend: policy.NewBackend(schema.Notify, "slack", map[string]cty.Value{"webhook_url": cty.StringVal(slack)})}}
	}
	if a.password != "" {
		ds = append(ds, onCommandLine("--pwd", "a password", passwordVariable))
	}
	password := a.secret(getenv)
	if a.user != "" && p.Orchestrator == nil {
		if url := getenv("ROLLBACK_DCOS_URL"); url != "" {
			b := policy.NewBackend(schema.Orchestrator, "marathon", map[string]cty.Value{
				"dcos_url": cty.StringVal(url), "username": cty.StringVal(a.user), "password": cty.StringVal(password),
			})
			p.Orchestrator = &b
		} else {
			ds = append(ds, diag.Errorf("No orchestrator", "--user and --pwd need to know which cluster to log in to: set ROLLBACK_DCOS_URL, or write an orchestrator \"marathon\" block in a policy."))
		}
	}
	return ds
}

// The environment variables for what should not stand on a command line.
const (
	slackVariable    = "ROLLBACK_SLACK_URL"
	passwordVariable = "ROLLBACK_PASSWORD"
)

// webhook is the Slack webhook's URL in the place of the policy's notifiers; "" when none was given.
func (a article) webhook(getenv func(string) string) string {
	if a.slack != "" {
		return a.slack
	}
	return getenv(slackVariable)
}

// secret is the password of DC/OS; "" when none was given.
func (a article) secret(getenv func(string) string) string {
	if a.password != "" {
		return a.password
	}
	return getenv(passwordVariable)
}

func onCommandLine(flag, what, variable string) diag.Diagnostic {
	return diag.Warnf("Secret on the command line", "%s carries %s, which other users of this machine can see in its list of processes, and which stays in the shell's history. Use the environment variable %s instead.", flag, what, variable)
}

func (s *session) openStream() error {
	switch {
	case s.json:
		s.stream = view.NewStream(s.app.Streams.Out, s.app.Build.Version, s.app.Now)
	case s.jsonInto != "":
		f, err := os.OpenFile(s.path(s.jsonInto), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("open the file of --json-into: %w", err)
		}
		s.closes = append(s.closes, f)
		s.stream = view.NewStream(f, s.app.Build.Version, s.app.Now)
	}
	return nil
}

// report shows diagnostics and returns whether there is an error among them.
func (s *session) report(ds diag.Diagnostics) bool {
	if len(ds) == 0 {
		return false
	}
	if s.sources != nil {
		ds = s.sources.Annotate(ds)
	}
	clean := make(diag.Diagnostics, len(ds))
	for i, d := range ds {
		d.Detail = s.redactor.String(d.Detail)
		clean[i] = d
	}
	s.reports.saw(clean)
	if s.stream != nil {
		view.DiagnosticsTo(s.stream, clean)
	}
	if !s.json {
		view.Diagnostics(s.app.Streams.Err, s.errLook(), clean)
	}
	return ds.HasErrors()
}

// fail shows an error and returns the exit for it.
func (s *session) fail(summary string, err error) error {
	s.report(diag.Diagnostics{errorDiagnostic(summary, err)})
	return exit{ExitError}
}

// open starts the plugins that a command needs, and makes the engine.
func (s *session) open(ctx context.Context, n needs) error {
	logger, closer, err := s.logger()
	if err != nil {
		return s.fail("Log not opened", err)
	}
	s.closes = append(s.closes, closer)
	wants, targets, ds := s.wants(n)
	if s.report(ds) {
		return exit{ExitError}
	}
	opts := s.backendOptions()
	opts.Logger = logger
	set, ds := backend.Open(ctx, opts, wants)
	if s.report(ds) {
		return exit{ExitError}
	}
	s.set = set
	for _, nt := range set.Notifiers() {
		for i := range targets {
			if targets[i].want == nt.Index {
				targets[i].Notifier = nt
			}
		}
	}
	st, err := s.openState(ctx, s.policy, n)
	if err != nil {
		return s.fail("State not usable", err)
	}
	s.closes = append(s.closes, st)
	o := core.Options{
		Policy: s.policy, State: st, Registry: set.Registry(), Capabilities: set.Description(schema.Orchestrator),
		Now: s.app.Now, Parallelism: s.parallelism, Recorded: s.app.Recorded, Environ: s.app.Environ,
		Emit: func(e event.Event) {
			if s.sink != nil {
				s.sink(e)
			}
		},
	}
	if n.orchestrator && s.policy.Orchestrator != nil {
		o.Orchestrator = set.Orchestrator()
	}
	for _, t := range targets {
		o.Notifiers = append(o.Notifiers, t.Target)
	}
	s.engine = core.New(o)
	return nil
}

// target is a notifier of the policy and its place among the wants.
type target struct {
	notice.Target
	want int
}

// wants lists the plugins that a command needs, and says which blocks are missing.
func (s *session) wants(n needs) ([]backend.Want, []target, diag.Diagnostics) {
	var wants []backend.Want
	var targets []target
	var ds diag.Diagnostics
	add := func(b *policy.Backend) {
		w := backend.Want{Kind: b.Kind, Name: b.Name, Block: *b}
		for _, p := range s.policy.Plugins {
			if p.Kind == b.Kind && p.Name == b.Name {
				w.Path, w.SHA256 = p.Path, p.SHA256
			}
		}
		wants = append(wants, w)
	}
	switch {
	case s.policy.Registry != nil:
		add(s.policy.Registry)
	case n.registry:
		ds = append(ds, diag.Errorf("No registry", "The policy does not say where the images are. Add a block such as: registry \"docker\" { address = \"registry.example.com:5000\" }"))
	}
	switch {
	case n.orchestrator && s.policy.Orchestrator != nil:
		add(s.policy.Orchestrator)
	case n.orchestrator:
		ds = append(ds, diag.Errorf("No orchestrator", "The policy does not say where the apps run. Add a block such as: orchestrator \"marathon\" { url = \"https://dcos.example.com/service/marathon\" }"))
	}
	if n.notifiers {
		for i := range s.policy.Notifiers {
			nt := &s.policy.Notifiers[i]
			targets = append(targets, target{Target: notice.Target{Name: nt.Name, On: nt.On}, want: len(wants)})
			add(&nt.Backend)
		}
	}
	return wants, targets, ds
}

func (s *session) backendOptions() backend.Options {
	o := backend.Options{
		SelfPath: s.app.Self, Dirs: s.pluginDirs, UserDir: backend.UserDir(s.app.Streams.Getenv),
		WorkDir: s.policy.Dir, LockFile: filepath.Join(s.policy.Dir, ".rollback.lock.hcl"),
		Environ: s.app.Environ, Redactor: s.redactor,
		UserAgent: "rollback/" + s.app.Build.Version, Parallelism: s.parallelism,
	}
	for i, dir := range o.Dirs {
		o.Dirs[i] = s.path(dir)
	}
	for _, name := range s.app.Builtins {
		kind, label, _ := strings.Cut(name, "-")
		o.Builtins = append(o.Builtins, backend.Builtin{Kind: schema.Kind(kind), Name: label})
	}
	return o
}

// close ends plugins and files. It may be called more than once.
func (s *session) close() {
	if s.set != nil {
		s.set.Close()
		s.set = nil
	}
	for _, c := range s.closes {
		// Logs and streams were written before; there is nothing left to lose.
		_ = c.Close()
	}
	s.closes = nil
}

// start is begin and open in one.
func (g *global) start(ctx context.Context, a article, n needs) (*session, error) {
	s, err := g.begin(a)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx, n); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}
