package registrydocker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/plugins/registry-docker/distribution"
	"github.com/rollback-project/rollback/plugins/registry-docker/image"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// blobsAtOnce bounds the blobs of one image that are asked for at once; the client has its own bound.
const blobsAtOnce = 32

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
		tagged, _, err := s.client.Manifest(ctx, repo, req.Tag)
		switch {
		case errors.Is(err, distribution.ErrGone):
			if req.Digest == "" {
				return none, nil
			}
			moved = true
		case err != nil:
			return none, err
		case req.Digest == "":
			return s.whole(ctx, repo, tagged, want)
		default:
			moved = tagged.Digest != req.Digest
		}
	}
	d, _, err := s.client.Manifest(ctx, repo, ref)
	if errors.Is(err, distribution.ErrGone) {
		return registry.ResolveResult{Digest: ref, TagMoved: moved}, nil
	}
	if err != nil {
		return none, err
	}
	res, err := s.whole(ctx, repo, d, want)
	res.TagMoved = moved
	return res, err
}

func (s *server) checkResolve(req registry.ResolveRequest) (distribution.Repository, *image.Platform, error) {
	var repo distribution.Repository
	var err error
	if req.Repository != "" {
		repo, err = s.at.Named(req.Repository)
	} else {
		repo, err = s.at.Repo(req.Repo)
	}
	if err != nil {
		return repo, nil, err
	}
	switch {
	case req.Tag == "" && req.Digest == "":
		err = fault.New(fault.Invalid, "resolve an image of %s: neither tag nor digest is given", repo.Name).On(repo.Name)
	case req.Tag != "" && !isTag(req.Tag):
		err = fault.New(fault.Invalid, "resolve an image of %s: %q is no tag", repo.Name, image.Printable(req.Tag)).On(repo.Name)
	case req.Digest != "" && !image.IsDigest(req.Digest):
		err = fault.New(fault.Invalid, "resolve an image of %s: %q is no digest, such as sha256: and 64 hex digits",
			repo.Name, image.Printable(req.Digest)).On(repo.Name)
	}
	if err != nil {
		return repo, nil, err
	}
	want, err := image.ParsePlatform(req.Platform)
	return repo, want, err
}

// whole says whether all of what a manifest leads to is there.
func (s *server) whole(ctx context.Context, repo distribution.Repository, d *image.Document, want *image.Platform) (registry.ResolveResult, error) {
	res := registry.ResolveResult{Found: true, Digest: d.Digest}
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
		res.Created, _, _ = w.image.Date(sources, "", time.Time{})
		res.Labels = w.image.Labels()
	}
	return res, nil
}

// walk collects what belongs to an image.
type walk struct {
	reader

	want *image.Platform
	// image is the first that was found whole enough to have a config.
	image   *image.Image
	blobs   []image.Descriptor
	missing []string
}

// manifest goes down from a manifest to the images of the platform, or of all.
func (w *walk) manifest(ctx context.Context, d *image.Document, above []map[string]string, depth int) error {
	above = append(slices.Clip(above), d.Annotations)
	switch d.Kind() {
	case image.Index:
		return w.index(ctx, d, above, depth)
	case image.Single, image.Schema1:
		return w.found(ctx, &image.Image{Digest: d.Digest, Annotations: above}, d)
	case image.Artifact, image.Unknown:
		w.missing = append(w.missing, "image (it is an artifact of the type "+d.What()+")")
	}
	return nil
}

func (w *walk) index(ctx context.Context, d *image.Document, above []map[string]string, depth int) error {
	if depth == maxDepth {
		return fault.New(fault.Unsupported, "resolve an image of %s: indexes are nested more than %d deep", w.repo.Name, maxDepth).On(w.repo.Name)
	}
	named, unnamed := d.Entries()
	if w.want == nil {
		for _, e := range append(named, unnamed...) {
			if err := w.entry(ctx, e, above, depth); err != nil {
				return err
			}
		}
		return nil
	}
	if best := image.BestFit(*w.want, named); best >= 0 {
		return w.entry(ctx, named[best], above, depth)
	}
	// The entries do not say what they are for: their configs do.
	for _, e := range unnamed[:min(len(unnamed), maxUnnamed)] {
		trial := &walk{reader: w.reader, want: w.want}
		if err := trial.entry(ctx, e, above, depth); err != nil {
			return err
		}
		if trial.image != nil && image.Serves(w.want, trial.image.Config.Platform) {
			w.image, w.blobs, w.missing = trial.image, trial.blobs, trial.missing
			return nil
		}
	}
	w.missing = append(w.missing, "platform "+w.want.String())
	return nil
}

// entry goes down to what an index names.
func (w *walk) entry(ctx context.Context, e image.Descriptor, above []map[string]string, depth int) error {
	child, err := w.child(ctx, e.Digest)
	var no *unusable
	switch {
	case errors.Is(err, distribution.ErrGone) || errors.As(err, &no):
		w.missing = append(w.missing, "manifest "+image.Printable(e.Digest))
		return nil
	case err != nil:
		return err
	}
	return w.manifest(ctx, child, above, depth+1)
}

// found reads the image's config and notes its blobs.
func (w *walk) found(ctx context.Context, img *image.Image, d *image.Document) error {
	var err error
	if d.Kind() == image.Schema1 {
		err = readSchema1(img, d)
	} else {
		err = w.readConfig(ctx, img, d)
	}
	var no *unusable
	switch {
	case errors.As(err, &no):
		digest := "of the schema 1 manifest"
		if d.Config != nil {
			digest = image.Printable(d.Config.Digest)
		}
		w.missing = append(w.missing, "config "+digest)
	case err != nil:
		return err
	case !image.Serves(w.want, img.Config.Platform):
		w.missing = append(w.missing, "platform "+w.want.String())
	}
	if w.image == nil && err == nil {
		w.image = img
	}
	for _, l := range d.FSLayers {
		w.blobs = append(w.blobs, image.Descriptor{Digest: l.BlobSum})
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
	w.blobs = slices.DeleteFunc(w.blobs, func(d image.Descriptor) bool {
		was := seen[d.Digest]
		seen[d.Digest] = true
		return was
	})
	if len(w.blobs) > maxBlobs {
		return fault.New(fault.Unsupported, "resolve an image of %s: it has more than %d layers", w.repo.Name, maxBlobs).On(w.repo.Name)
	}
	lacks := make([]string, len(w.blobs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(blobsAtOnce)
	for i, b := range w.blobs {
		g.Go(func() error {
			var err error
			lacks[i], err = w.lacks(ctx, b)
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
func (w *walk) lacks(ctx context.Context, d image.Descriptor) (string, error) {
	name := "layer " + image.Printable(d.Digest)
	if !image.IsDigest(d.Digest) {
		return name, nil
	}
	size, there, err := w.client.BlobSize(ctx, w.repo, d.Digest)
	switch {
	case err != nil:
		return "", err
	case !there:
		return name, nil
	case d.Size > 0 && size >= 0 && size != d.Size:
		return fmt.Sprintf("%s (%d of %d bytes)", name, size, d.Size), nil
	}
	return "", nil
}

// Probe asks the registry who it is, and logs in if it wants that.
func (s *server) Probe(ctx context.Context) (schema.ProbeResult, error) {
	hello, err := s.client.Ping(ctx)
	if err != nil {
		return schema.ProbeResult{}, err
	}
	res := schema.ProbeResult{System: "OCI registry " + s.at.Host(), Identity: hello.Username}
	if hello.API != "" {
		res.System = fmt.Sprintf("Docker registry %s (%s)", s.at.Host(), hello.API)
	}
	if s.plain {
		res.Notes = append(res.Notes, "It is spoken to by plain HTTP.")
	}
	if hello.Username == "" {
		res.Notes = append(res.Notes, "It did not ask for a name.")
	}
	return res, nil
}
