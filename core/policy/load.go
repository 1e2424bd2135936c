package policy

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/core/policy/function"
	"github.com/rollback-project/rollback/core/policy/scope"
	"github.com/rollback-project/rollback/core/policy/source"
	"github.com/rollback-project/rollback/sdk/diag"
)

// LoadOptions says what to load. The zero value loads ./policy.hcl, or else the *.hcl files of the working directory.
type LoadOptions struct {
	// Paths are files and folders; of a folder all *.hcl files are read, in the order of their names.
	Paths []string
	// WorkDir is where relative paths start; "" is the process's own. Diagnostics name files as they were given.
	WorkDir string
	// Vars are values of variables, each name=value; they win over VarFiles, which win over Environ.
	Vars []string
	// VarFiles hold values as name = value lines, or as a JSON object when the name ends in .json; later ones win.
	VarFiles []string
	// Environ has the form of os.Environ. ROLLBACK_VAR_name sets a variable, and the function env reads it.
	Environ []string
	// Version of this binary is held against required_version; "" and versions that are no SemVer satisfy all.
	Version string
	// Builtin are the files that include = ["builtin:NAME"] means, by NAME.
	Builtin map[string][]byte
}

// Sources are the files that a policy was read from.
type Sources struct{ set *source.Set }

// Files names the policy's files in the order in which they were read, as diagnostics name them.
func (s *Sources) Files() []string {
	var names []string
	for _, f := range s.set.Files() {
		names = append(names, f.Name)
	}
	return names
}

// Snippet returns the source lines of r; nil when r lies in no file of the policy.
func (s *Sources) Snippet(r diag.Range) *diag.Snippet { return s.set.Snippet(r) }

// Annotate adds snippets to diagnostics that have a range but no snippet, and an address where it is missing.
func (s *Sources) Annotate(ds diag.Diagnostics) diag.Diagnostics {
	out := make(diag.Diagnostics, len(ds))
	for i, d := range ds {
		if d.Range != nil && d.Snippet == nil {
			d.Snippet = s.set.Snippet(*d.Range)
		}
		out[i] = d
	}
	return out
}

// Snippet returns the lines of r in src, with r highlighted; nil when r does not lie in src.
func Snippet(src []byte, r diag.Range) *diag.Snippet { return source.Snippet(src, r) }

// Load reads a policy. It reports all problems at once, sorted by place. The policy is never nil: next to errors it
// holds what could be understood, fit for being looked at but not for being acted on. Sources is never nil either.
func Load(opts LoadOptions) (*Policy, *Sources, diag.Diagnostics) {
	l := newLoader(opts)
	l.load()
	l.policy.Secrets = l.secrets.All()
	ds := l.sources.Diagnostics(l.diags)
	return l.policy, &Sources{set: l.sources}, ds
}

// loader makes one policy.
type loader struct {
	opts     LoadOptions
	environ  map[string]string
	readFile func(name string) ([]byte, error)

	policy  *Policy
	sources *source.Set
	secrets *source.Secrets
	scope   *scope.Scope
	diags   hcl.Diagnostics

	files []*policyFile
	// blocks are those of all files by type, in the order in which they were read.
	blocks map[string][]*block
	values []scope.Value
}

// block is a top-level block.
type block struct {
	*hcl.Block
	file *policyFile
}

func newLoader(opts LoadOptions) *loader {
	secrets := &source.Secrets{}
	l := &loader{
		opts:     opts,
		environ:  environment(opts.Environ),
		readFile: os.ReadFile,
		policy:   Defaults(),
		sources:  source.NewSet(secrets),
		secrets:  secrets,
		blocks:   map[string][]*block{},
	}
	return l
}

func environment(environ []string) map[string]string {
	table := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			table[name] = value
		}
	}
	return table
}

// Defaults is the policy of someone who wrote nothing down: DESIGN.md's defaults, no environments, no repos, no
// backends. What the article's own calls bring on the command line is put into it.
func Defaults() *Policy {
	return &Policy{
		Dir:       ".",
		Settings:  Settings{Timezone: time.UTC},
		Tag:       Tag{Pattern: defaultPattern},
		Release:   Release{DateFrom: defaultDateFrom(), Platform: "linux/amd64"},
		Retention: Retention{Count: 10, Margin: 10},
		Points:    Points{By: ByDay, Source: SourceReleases},
		GapFill:   GapFill{Rule: NearestEarlier, Search: SearchAll, OnMissing: MissingFail},
		Apply: Apply{
			Strategy: Together, Timeout: 15 * time.Minute, OnFailure: Restore, Config: Current,
		},
		State:      State{Kind: StateLocal, Path: DefaultStatePath, Snapshots: SnapshotsSealed, Keep: DefaultStateKeep},
		AfterApply: AfterApply{Hold: HoldNone, Quarantine: true},
	}
}

// AddRepo adds a repo that follows the policy's own rules, as the block repo "NAME" {} does.
func (p *Policy) AddRepo(name string) {
	p.Repos = append(p.Repos, Repo{
		Name: name, Match: MatchImage, Tag: p.Tag, Release: p.Release, Retention: p.Retention, GapFill: p.GapFill,
	})
}

func (l *loader) load() {
	l.readAll()
	if l.diags.HasErrors() {
		// Half a file says things that its author did not.
		return
	}
	l.understand()
}

// understand makes a policy of the files that were read.
func (l *loader) understand() {
	l.collect()
	if l.tooOld() {
		return
	}
	l.resolveNames()
	l.decode()
	l.check()
	l.policy.Hash = l.hash()
}

// problem adds an error at a place.
func (l *loader) problem(at hcl.Range, summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: at.Ptr(),
	})
}

// warn adds a warning at a place.
func (l *loader) warn(at hcl.Range, summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{
		Severity: hcl.DiagWarning, Summary: summary, Detail: detail, Subject: at.Ptr(),
	})
}

// host is what functions of the policy see of the outside.
func (l *loader) host() function.Host {
	return function.Host{
		Environ: func(name string) (string, bool) {
			value, ok := l.environ[name]
			return value, ok
		},
		ReadFile: func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(l.policy.Dir, name)
			}
			return l.readFile(name)
		},
		Timezone: func() *time.Location { return l.policy.Settings.Timezone },
		Secret:   func(v cty.Value) { l.secrets.Add(v) },
	}
}
