package registrydocker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// maxBlobs bounds the blobs of one image, over all its platforms.
const maxBlobs = 20_000

// Resolve asks the registry itself for everything: what is in the cache may be gone from there.
func (s *server) Resolve(ctx context.Context, req registry.ResolveRequest) (registry.ResolveResult, error) {
	none := registry.ResolveResult{}
	repo, want, err := s.checkResolve(req)
	if err != nil {
		return none, err
	}
	ref := req.Digest
	moved := false
	if req.Tag != "" {
		tagged, err := s.client.manifest(ctx, repo, req.Tag)
		switch {
		case errors.Is(err, errGone):
			if req.Digest == "" {
				return none, nil
			}
			moved = true
		case err != nil:
			return none, err
		case req.Digest == "":
			return s.whole(ctx, repo, tagged, want)
		default:
			moved = tagged.digest != req.Digest
		}
	}
	d, err := s.client.manifest(ctx, repo, ref)
	if errors.Is(err, errGone) {
		return registry.ResolveResult{Digest: ref, TagMoved: moved}, nil
	}
	if err != nil {
		return none, err
	}
	res, err := s.whole(ctx, repo, d, want)
	res.TagMoved = moved
	return res, err
}

func (s *server) checkResolve(req registry.ResolveRequest) (repository, *platform, error) {
	var repo repository
	var err error
	if req.Repository != "" {
		repo, err = s.at.named(req.Repository)
	} else {
		repo, err = s.at.repo(req.Repo)
	}
	if err != nil {
		return repo, nil, err
	}
	switch {
	case req.Tag == "" && req.Digest == "":
		err = fault.New(fault.Invalid, "resolve an image of %s: neither tag nor digest is given", repo.name).On(repo.name)
	case req.Tag != "" && !isTag(req.Tag):
		err = fault.New(fault.Invalid, "resolve an image of %s: %q is no tag", repo.name, printable(req.Tag)).On(repo.name)
	case req.Digest != "" && !isDigest(req.Digest):
		err = fault.New(fault.Invalid, "resolve an image of %s: %q is no digest, such as sha256: and 64 hex digits",
			repo.name, printable(req.Digest)).On(repo.name)
	}
	if err != nil {
		return repo, nil, err
	}
	want, err := parsePlatform(req.Platform)
	return repo, want, err
}

// whole says whether all of what a manifest leads to is there.
func (s *server) whole(ctx context.Context, repo repository, d *document, want *platform) (registry.ResolveResult, error) {
	res := registry.ResolveResult{Found: true, Digest: d.digest}
	w := &walk{reader: reader{client: s.client, repo: repo}, want: want}
	if err := w.manifest(ctx, d, nil, 0); err != nil {
		return registry.ResolveResult{}, err
	}
	if err := w.checkBlobs(ctx); err != nil {
		return registry.ResolveResult{}, err
	}
	res.Missing = w.missing
	res.Pullable = len(w.missing) == 0
	if w.image != nil {
		sources := []registry.DateSource{registry.FromAnnotation, registry.FromLabel, registry.FromConfig}
		res.Created, _, _ = w.image.date(sources, "", time.Time{})
		res.Labels = w.image.labels()
	}
	return res, nil
}

// walk collects what belongs to an image.
type walk struct {
	reader

	want *platform
	// image is the first that was found whole enough to have a config.
	image   *image
	blobs   []descriptor
	missing []string
}

// manifest goes down from a manifest to the images of the platform, or of all.
func (w *walk) manifest(ctx context.Context, d *document, above []map[string]string, depth int) error {
	above = append(slices.Clip(above), d.Annotations)
	switch d.kind() {
	case kindIndex:
		return w.index(ctx, d, above, depth)
	case kindImage, kindSchema1:
		return w.found(ctx, &image{digest: d.digest, annotations: above}, d)
	case kindArtifact, kindUnknown:
		w.missing = append(w.missing, "image (it is an artifact of the type "+d.what()+")")
	}
	return nil
}

func (w *walk) index(ctx context.Context, d *document, above []map[string]string, depth int) error {
	if depth == maxDepth {
		return fault.New(fault.Unsupported, "resolve an image of %s: indexes are nested more than %d deep", w.repo.name, maxDepth).On(w.repo.name)
	}
	named, unnamed := d.entries()
	if w.want == nil {
		for _, e := range append(named, unnamed...) {
			if err := w.entry(ctx, e, above, depth); err != nil {
				return err
			}
		}
		return nil
	}
	if best := bestFit(*w.want, named); best >= 0 {
		return w.entry(ctx, named[best], above, depth)
	}
	// The entries do not say what they are for: their configs do.
	for _, e := range unnamed[:min(len(unnamed), maxUnnamed)] {
		trial := &walk{reader: w.reader, want: w.want}
		if err := trial.entry(ctx, e, above, depth); err != nil {
			return err
		}
		if trial.image != nil && serves(w.want, trial.image.config.platform) {
			w.image, w.blobs, w.missing = trial.image, trial.blobs, trial.missing
			return nil
		}
	}
	w.missing = append(w.missing, "platform "+w.want.String())
	return nil
}

// entry goes down to what an index names.
func (w *walk) entry(ctx context.Context, e descriptor, above []map[string]string, depth int) error {
	child, err := w.child(ctx, e.Digest)
	var no *unusable
	switch {
	case errors.Is(err, errGone) || errors.As(err, &no):
		w.missing = append(w.missing, "manifest "+printable(e.Digest))
		return nil
	case err != nil:
		return err
	}
	return w.manifest(ctx, child, above, depth+1)
}

// found reads the image's config and notes its blobs.
func (w *walk) found(ctx context.Context, img *image, d *document) error {
	var err error
	if d.kind() == kindSchema1 {
		err = readSchema1(img, d)
	} else {
		err = w.readConfig(ctx, img, d)
	}
	var no *unusable
	switch {
	case errors.As(err, &no):
		digest := "of the schema 1 manifest"
		if d.Config != nil {
			digest = printable(d.Config.Digest)
		}
		w.missing = append(w.missing, "config "+digest)
	case err != nil:
		return err
	case !serves(w.want, img.config.platform):
		w.missing = append(w.missing, "platform "+w.want.String())
	}
	if w.image == nil && err == nil {
		w.image = img
	}
	for _, l := range d.FSLayers {
		w.blobs = append(w.blobs, descriptor{Digest: l.BlobSum})
	}
	for _, l := range d.Layers {
		if types.MediaType(l.MediaType).IsDistributable() && len(l.URLs) == 0 {
			w.blobs = append(w.blobs, l)
		}
	}
	return nil
}

// checkBlobs asks for each blob once, several at a time, and notes those that are not there.
func (w *walk) checkBlobs(ctx context.Context) error {
	seen := map[string]bool{}
	w.blobs = slices.DeleteFunc(w.blobs, func(d descriptor) bool {
		was := seen[d.Digest]
		seen[d.Digest] = true
		return was
	})
	if len(w.blobs) > maxBlobs {
		return fault.New(fault.Unsupported, "resolve an image of %s: it has more than %d layers", w.repo.name, maxBlobs).On(w.repo.name)
	}
	lacks := make([]string, len(w.blobs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(w.client.window)
	for i, b := range w.blobs {
		g.Go(func() error {
			var err error
			lacks[i], err = w.client.lacks(ctx, w.repo, b)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, l := range lacks {
		if l != "" {
			w.missing = append(w.missing, l)
		}
	}
	return nil
}

// lacks asks whether a layer is there in full, and names what is not.
func (c *client) lacks(ctx context.Context, repo repository, d descriptor) (string, error) {
	name := "layer " + printable(d.Digest)
	if !isDigest(d.Digest) {
		return name, nil
	}
	r := request{
		method: http.MethodHead, path: "/v2/" + repo.path + "/blobs/" + d.Digest, scope: "repository:" + repo.path + ":pull",
		doing: "look for the layer " + d.Digest + " of " + repo.name, subject: repo.name,
	}
	a, err := c.ask(ctx, r)
	switch {
	case err != nil:
		return "", err
	case a.status == http.StatusNotFound:
		return name, nil
	case a.status != http.StatusOK:
		return "", c.refused(r, a)
	case d.Size > 0 && a.size >= 0 && a.size != d.Size:
		return fmt.Sprintf("%s (%d of %d bytes)", name, a.size, d.Size), nil
	}
	return "", nil
}

// Probe asks the registry who it is, and logs in if it wants that.
func (s *server) Probe(ctx context.Context) (schema.ProbeResult, error) {
	r := request{method: http.MethodGet, path: "/v2/", limit: maxErrorBody, doing: "reach the registry " + s.at.host, subject: s.at.host}
	a, err := s.client.ask(ctx, r)
	if err != nil {
		return schema.ProbeResult{}, err
	}
	if a.status != http.StatusOK {
		return schema.ProbeResult{}, s.client.refused(r, a)
	}
	res := schema.ProbeResult{System: "OCI registry " + s.at.host, Identity: s.client.login.identity()}
	if v := a.header.Get("Docker-Distribution-Api-Version"); v != "" {
		res.System = fmt.Sprintf("Docker registry %s (%s)", s.at.host, printable(v))
	}
	if s.client.scheme == "http" {
		res.Notes = append(res.Notes, "It is spoken to by plain HTTP.")
	}
	if res.Identity == "" {
		res.Notes = append(res.Notes, "It did not ask who we are.")
	}
	return res, nil
}
