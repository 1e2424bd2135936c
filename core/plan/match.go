package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// Target is one container of one app that runs a repo.
type Target struct {
	App orchestrator.App
	// Container is its name; "" in an app with a single, unnamed container.
	Container string
	// Image is the reference as the orchestrator has it, Ref the same taken apart.
	Image string
	Ref   Ref
}

// Matched is the apps of one repo.
type Matched struct {
	Repo string
	// Targets are sorted by app; containers keep the app's order.
	Targets []Target
}

// Match finds the apps of each repo (DESIGN.md section 2, "Apps of a repo"). apps are those of the environment's scope;
// what lies outside of it is not looked at. Every container that changes runs the repo's own repository, whatever rule
// found its app: an app that runs the repo from another registry, and a repo without an app, are errors that list what
// was seen. A repo that could not be read has no targets and no error here: what it gets is unknown anyway.
func Match(rules []policy.Repo, repos []point.Repo, scope string, apps []orchestrator.App) ([]Matched, diag.Diagnostics) {
	m := matcher{scope: scope, refs: map[string]Ref{}}
	for _, app := range apps {
		if inScope(scope, app.ID) {
			m.apps = append(m.apps, app)
			m.read(app)
		}
	}
	slices.SortFunc(m.apps, func(a, b orchestrator.App) int { return strings.Compare(a.ID, b.ID) })
	out := make([]Matched, len(rules))
	for i, rule := range rules {
		out[i].Repo = rule.Name
		at := slices.IndexFunc(repos, func(r point.Repo) bool { return r.Name == rule.Name })
		if at < 0 || repos[at].Repository == "" {
			continue
		}
		m.rule, m.repository = rule, repos[at].Repository
		if full, err := ParseRef(m.repository); err == nil {
			m.repository = full.Repository
		}
		out[i].Targets = m.targets()
	}
	return out, m.ds
}

// Runs says what runs now, for point.Timeline.
func Runs(matches []Matched) []point.Running {
	var out []point.Running
	for _, m := range matches {
		for _, t := range m.Targets {
			out = append(out, point.Running{Repo: m.Repo, App: t.App.ID, Tag: t.Ref.Tag, Digest: t.Ref.Digest})
		}
	}
	return out
}

// matcher matches one repo after the other.
type matcher struct {
	scope string
	apps  []orchestrator.App
	// refs are the images of all apps, taken apart; those that cannot be read are not in it and run no repo.
	refs map[string]Ref
	rule policy.Repo
	// repository is the full name.
	repository string
	ds         diag.Diagnostics
}

// read takes an app's images apart.
func (m *matcher) read(app orchestrator.App) {
	for _, c := range app.Images {
		if ref, err := ParseRef(c.Image); err == nil {
			m.refs[c.Image] = ref
		}
	}
}

func (m *matcher) fail(summary, format string, args ...any) {
	d := diag.Errorf(summary, format, args...)
	d.Address = "repo." + m.rule.Name
	if m.rule.Range.Filename != "" {
		r := m.rule.Range
		d.Range = &r
	}
	m.ds = append(m.ds, d)
}

// targets finds the containers of the present repo.
func (m *matcher) targets() []Target {
	found, known := m.chosen()
	var out []Target
	for _, app := range found {
		out = append(out, m.containers(app, known)...)
	}
	before := len(m.ds)
	if len(m.rule.Apps) == 0 {
		m.foreign()
	}
	if len(out) == 0 && len(found) == 0 && len(m.rule.Apps) == 0 && len(m.ds) == before {
		m.fail("No app runs the repo", "No app in scope %s %s. Seen: %s.", quoteScope(m.scope), m.wanted(), m.seen())
	}
	return out
}

func (m *matcher) wanted() string {
	if m.rule.Match == policy.MatchID {
		return fmt.Sprintf("has an id that ends in /%s", m.rule.Name)
	}
	if m.rule.Container != "" {
		return fmt.Sprintf("runs %s in a container named %s", m.repository, m.rule.Container)
	}
	return "runs " + m.repository
}

// chosen returns the apps that the rule selects. known says that the rule named them,
// so that one which does not run the repo is an error rather than just another app.
func (m *matcher) chosen() (apps []orchestrator.App, known bool) {
	switch {
	case len(m.rule.Apps) > 0:
		return m.explicit(), true
	case m.rule.Match == policy.MatchID:
		for _, app := range m.apps {
			if endsIn(app.ID, m.rule.Name) {
				apps = append(apps, app)
			}
		}
		return apps, true
	}
	for _, app := range m.apps {
		if slices.ContainsFunc(app.Images, func(c orchestrator.ContainerImage) bool { return m.named(c) && m.runs(c) }) {
			apps = append(apps, app)
		}
	}
	return apps, false
}

// explicit finds the apps that the repo's block names.
func (m *matcher) explicit() []orchestrator.App {
	var out []orchestrator.App
	for _, want := range m.rule.Apps {
		at := slices.IndexFunc(m.apps, func(a orchestrator.App) bool {
			return a.ID == want || a.ID == strings.TrimSuffix(m.scope, "/")+"/"+strings.TrimPrefix(want, "/")
		})
		if at < 0 {
			ids := make([]string, len(m.apps))
			for i, a := range m.apps {
				ids[i] = strings.TrimPrefix(strings.TrimPrefix(a.ID, m.scope), "/")
			}
			m.fail("App not found", "There is no app %q in scope %s.%s Seen: %s.", clean(want), quoteScope(m.scope), suggest(strings.TrimPrefix(strings.TrimPrefix(want, m.scope), "/"), ids), m.seen())
			continue
		}
		if !slices.ContainsFunc(out, func(a orchestrator.App) bool { return a.ID == m.apps[at].ID }) {
			out = append(out, m.apps[at])
		}
	}
	slices.SortFunc(out, func(a, b orchestrator.App) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// containers returns those of an app that run the repo.
func (m *matcher) containers(app orchestrator.App, known bool) []Target {
	var out []Target
	for _, c := range app.Images {
		if m.named(c) && m.runs(c) {
			out = append(out, Target{App: app, Container: c.Container, Image: c.Image, Ref: m.refs[c.Image]})
		}
	}
	if len(out) == 0 && known {
		in := ""
		if m.rule.Container != "" {
			in = " in its container " + m.rule.Container
		}
		m.fail("App runs another image", "%s is to be an app of %s, but does not run %s%s. It runs %s.",
			clean(app.ID), m.rule.Name, m.repository, in, images(app))
	}
	return out
}

func (m *matcher) named(c orchestrator.ContainerImage) bool {
	return m.rule.Container == "" || m.rule.Container == c.Container
}

func (m *matcher) runs(c orchestrator.ContainerImage) bool {
	ref, ok := m.refs[c.Image]
	return ok && ref.Repository == m.repository
}

// foreign reports apps that run the repo from another registry.
func (m *matcher) foreign() {
	want := path(m.repository)
	var seen []string
	for _, app := range m.apps {
		for _, c := range app.Images {
			ref, ok := m.refs[c.Image]
			if ok && ref.Repository != m.repository && path(ref.Repository) == want {
				seen = append(seen, fmt.Sprintf("%s runs %s", clean(app.ID), clean(c.Image)))
			}
		}
	}
	if len(seen) > 0 {
		m.fail("App runs the repo from another registry",
			"The policy's registry has %s as %s, but %s. Which of them is meant cannot be told; name the repo's apps with apps = [...].",
			m.rule.Name, m.repository, some(seen))
	}
}

// seen lists what is in scope.
func (m *matcher) seen() string {
	if len(m.apps) == 0 {
		return "no app at all"
	}
	names := make([]string, len(m.apps))
	for i, app := range m.apps {
		names[i] = fmt.Sprintf("%s (%s)", clean(app.ID), images(app))
	}
	return some(names)
}

func images(app orchestrator.App) string {
	if len(app.Images) == 0 {
		return "no image"
	}
	out := make([]string, len(app.Images))
	for i, c := range app.Images {
		out[i] = clean(c.Image)
	}
	return strings.Join(out, ", ")
}

// mostListed bounds how many things one message lists.
const mostListed = 12

func some(names []string) string {
	if len(names) <= mostListed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostListed], ", "), len(names)-mostListed)
}

func quoteScope(scope string) string {
	if scope == "" {
		return "(everything)"
	}
	return clean(scope)
}

// inScope guards against a plugin that lists too much: /ds/prod2 is no part of /ds/prod.
// Scopes that are no absolute path are the plugin's own affair.
func inScope(scope, id string) bool {
	scope = strings.TrimSuffix(scope, "/")
	if !strings.HasPrefix(scope, "/") || !strings.HasPrefix(id, "/") {
		return true
	}
	return id == scope || strings.HasPrefix(id, scope+"/")
}

// endsIn reports whether the last path segments of id are those of name.
func endsIn(id, name string) bool { return id == name || strings.HasSuffix(id, "/"+name) }
