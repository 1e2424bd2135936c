package registryfile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// server is a configured plugin. The file is read anew for every call: it may be edited at any time.
type server struct {
	path  string
	crash func()

	mu sync.Mutex
	// calls counts what scripted failures count, by failure.
	calls map[string]int
}

func (s *server) Probe(ctx context.Context) (schema.ProbeResult, error) {
	if err := ctx.Err(); err != nil {
		return schema.ProbeResult{}, err
	}
	w, err := load(s.path)
	if err != nil {
		return schema.ProbeResult{}, err
	}
	if err := s.breakdown(ctx, w, callProbe, "").before(); err != nil {
		return schema.ProbeResult{}, err
	}
	return schema.ProbeResult{
		System: "world file, format 1",
		Notes:  []string{fmt.Sprintf("%s serves %d repos as %s.", s.path, len(w.Registry.Repos), w.Registry.Address)},
	}, nil
}

// candidate is a tag of the branch asked for.
type candidate struct {
	tag   registry.Tag
	image image
}

func (s *server) ListReleases(ctx context.Context, req registry.ListRequest, yield func(registry.Item) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	pattern, err := registry.CompilePattern(req.Pattern)
	if err != nil {
		return fault.New(fault.Invalid, "list releases of %s: %w", req.Repo, err).On(req.Repo)
	}
	w, err := load(s.path)
	if err != nil {
		return err
	}
	trouble := s.breakdown(ctx, w, callList, req.Repo)
	if err := trouble.before(); err != nil {
		return err
	}
	r, ok := w.Registry.Repos[req.Repo]
	if !ok {
		return notFound(req.Repo, w)
	}
	matched := r.ofBranch(pattern, req.Branch)
	listing := &registry.Listing{
		Repository: w.Registry.Address + "/" + req.Repo,
		Tags:       len(r.Tags),
		Matched:    len(matched),
	}
	if err := yield(registry.Item{Listing: listing}); err != nil {
		return err
	}
	for n, c := range matched {
		end, err := trouble.during(n, len(matched))
		if end || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(judge(req, c)); err != nil {
			return err
		}
	}
	return nil
}

// ofBranch returns the tags whose branch is exactly the one asked for, newest build first.
func (r repo) ofBranch(pattern *registry.Pattern, branch string) []candidate {
	var found []candidate
	for name, img := range r.Tags {
		if tag, ok := pattern.Parse(name); ok && tag.Branch == branch {
			found = append(found, candidate{tag, img})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int { return registry.CompareTags(b.tag, a.tag) })
	return found
}

// Resolve looks for the digest if there is one, else for what the tag points at.
func (s *server) Resolve(ctx context.Context, req registry.ResolveRequest) (registry.ResolveResult, error) {
	none := registry.ResolveResult{}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if req.Tag == "" && req.Digest == "" {
		return none, fault.New(fault.Invalid, "resolve an image of %s: neither tag nor digest is given", req.Repo).On(req.Repo)
	}
	w, err := load(s.path)
	if err != nil {
		return none, err
	}
	name := req.Repo
	if req.Repository != "" {
		host, rest, _ := strings.Cut(req.Repository, "/")
		if host != w.Registry.Address {
			return none, fault.New(fault.Unsupported, "resolve %s: this registry is %s", req.Repository, w.Registry.Address).On(req.Repository)
		}
		name = rest
	}
	trouble := s.breakdown(ctx, w, callResolve, name)
	if err := trouble.before(); err != nil {
		return none, err
	}
	return w.resolve(name, req), nil
}

func (w *world) resolve(name string, req registry.ResolveRequest) registry.ResolveResult {
	r := w.Registry.Repos[name]
	tagged, present := r.Tags[req.Tag]
	present = present && !tagged.lacks("manifest")
	res := registry.ResolveResult{TagMoved: req.Tag != "" && req.Digest != "" && (!present || tagged.Digest != req.Digest)}
	img, found := tagged, present
	if req.Digest != "" {
		img, found = r.find(req.Digest)
		res.Digest = req.Digest
	}
	if !found || img.lacks("manifest") {
		return res
	}
	res.Found = true
	res.Digest = img.Digest
	for _, part := range img.Missing {
		if part == "config" {
			part = "config " + digestOf("config of "+img.Digest)
		}
		res.Missing = append(res.Missing, part)
	}
	if req.Platform != "" && !slices.Contains(img.Platforms, req.Platform) {
		res.Missing = append(res.Missing, "platform "+req.Platform)
	}
	res.Pullable = len(res.Missing) == 0
	sources := []registry.DateSource{registry.FromAnnotation, registry.FromLabel, registry.FromConfig}
	if at, _, _ := img.date(sources, "", time.Time{}); !at.IsZero() {
		res.Created = at
	}
	res.Labels = img.labels()
	return res
}
