package marathon

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"

	"github.com/rollback-project/rollback/sdk/fault"
)

// Below reports whether an id is in a scope: the scope itself, or below it by whole segments. An empty scope is everything.
func Below(id, scope string) bool {
	scope = strings.Trim(scope, "/")
	id = strings.TrimPrefix(id, "/")
	return scope == "" || id == scope || strings.HasPrefix(id, scope+"/")
}

// ListApps returns the apps of a scope, sorted by id. What our credentials may not see is left out by Marathon, silently.
func (c *Client) ListApps(ctx context.Context, scope string, embed ...string) ([]App, error) {
	q := url.Values{"embed": append([]string{"apps.counts", "apps.deployments"}, embed...)}
	if s := strings.Trim(scope, "/"); s != "" {
		q.Set("id", s) // a substring, of any case: it only makes the answer shorter
	}
	var list struct {
		Apps *[]App `json:"apps"`
	}
	r := request{path: "/v2/apps", query: q, doing: "list the apps", subject: scope}
	if err := c.get(ctx, r, &list); err != nil {
		return nil, err
	}
	if list.Apps == nil {
		return nil, fault.New(fault.Internal, "list the apps: the answer of %s has no list", c.host).
			WithHint("Is %s the API of a Marathon?", c.base)
	}
	apps := slices.DeleteFunc(*list.Apps, func(a App) bool { return !Below(a.ID, scope) })
	sort.Slice(apps, func(i, j int) bool { return apps[i].ID < apps[j].ID })
	return apps, nil
}

// Full are the embeds that following an app needs.
func Full() []string { return []string{"apps.tasks", "apps.lastTaskFailure", "apps.readiness"} }

// App returns one app with its tasks, deployments and last failure. NotFound: Marathon says that there is none.
func (c *Client) App(ctx context.Context, id string) (*App, error) {
	var doc struct {
		App *App `json:"app"`
	}
	r := request{
		path: "/v2/apps" + escape(id), query: url.Values{"embed": {"app.tasks", "app.counts", "app.deployments", "app.lastTaskFailure", "app.readiness"}},
		doing: "read app " + Printable(id), subject: id,
	}
	if err := c.get(ctx, r, &doc); err != nil {
		return nil, err
	}
	if doc.App == nil || doc.App.ID != id {
		return nil, fault.New(fault.Internal, "read app %s: the answer of %s is not that app", id, c.host).On(id)
	}
	return doc.App, nil
}

// AppVersions lists the versions that Marathon remembers of an app, newest first.
func (c *Client) AppVersions(ctx context.Context, id string) ([]string, error) {
	var doc struct {
		Versions []string `json:"versions"`
	}
	r := request{path: "/v2/apps" + escape(id) + "/versions", doing: "list the versions of app " + Printable(id), subject: id}
	if err := c.get(ctx, r, &doc); err != nil {
		return nil, err
	}
	sortVersions(doc.Versions)
	return doc.Versions, nil
}

func sortVersions(versions []string) {
	sort.SliceStable(versions, func(i, j int) bool { return ParseTime(versions[i]).After(ParseTime(versions[j])) })
}

// AppVersion returns an app as it was at a version.
func (c *Client) AppVersion(ctx context.Context, id, version string) (*App, error) {
	var app App
	r := request{
		path:  "/v2/apps" + escape(id) + "/versions/" + url.PathEscape(version),
		doing: "read version " + Printable(version) + " of app " + Printable(id), subject: id,
	}
	if err := c.get(ctx, r, &app); err != nil {
		return nil, err
	}
	return &app, nil
}

// Accepted is what Marathon says of a change that it has taken.
type Accepted struct {
	// Version is the version that every app gets that really changes.
	Version string `json:"version"`
	// Deployment is its id; "" when Marathon does not say.
	Deployment string `json:"deploymentId"`
}

// Update changes apps in one deployment, all or none. Each document has an id; its other members replace those of the
// app, one level deep. With create, apps that are missing are made.
// Every fault but Indeterminate means that nothing was changed. An answer without content gives an empty Accepted.
func (c *Client) Update(ctx context.Context, updates []Document, create bool) (Accepted, error) {
	v, err := c.Version(ctx)
	if err != nil {
		return Accepted{}, err
	}
	r := request{method: http.MethodPut, path: "/v2/apps", body: Raw(updates), doing: "change " + names(updates), subject: names(updates)}
	if v.HasPatch() && !create {
		r.method = http.MethodPatch
	}
	return c.change(ctx, r)
}

// change carries out a write whose answer is an Accepted.
func (c *Client) change(ctx context.Context, r request) (Accepted, error) {
	a, err := c.ask(ctx, r)
	if err != nil {
		return Accepted{}, err
	}
	if !a.ok() {
		return Accepted{}, c.refused(r, a)
	}
	acc := Accepted{Deployment: a.header.Get("Marathon-Deployment-Id")}
	if len(strings.TrimSpace(string(a.body))) == 0 {
		return acc, nil // 0.15 did this
	}
	if err := c.decode(r, a, &acc); err != nil {
		if acc.Deployment != "" {
			return acc, nil // the header has said enough
		}
		return Accepted{}, err
	}
	acc.Version, acc.Deployment = Printable(acc.Version), Printable(acc.Deployment)
	return acc, nil
}

// names lists the ids of updates for a message: the first few.
func names(updates []Document) string {
	var ids []string
	for _, u := range updates {
		ids = append(ids, Printable(u.String("id")))
	}
	const most = 3
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + " and others"
	}
	return strings.Join(ids, ", ")
}

// escape makes an id a path.
func escape(id string) string {
	segments := strings.Split(strings.Trim(id, "/"), "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return "/" + strings.Join(segments, "/")
}
