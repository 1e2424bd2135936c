package registrydocker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/plugins/registry-docker/distribution"
	"github.com/rollback-project/rollback/plugins/registry-docker/image"
	"github.com/rollback-project/rollback/sdk/registry"
)

// maxDepth bounds indexes inside indexes, and maxUnnamed the images without a platform that are looked into.
const (
	maxDepth   = 3
	maxUnnamed = 8
)

// unusable is why something is no image of the platform.
type unusable struct {
	reason registry.SkipReason
	detail string
}

func (u *unusable) Error() string { return u.detail }

func unfit(reason registry.SkipReason, format string, args ...any) error {
	return &unusable{reason, fmt.Sprintf(format, args...)}
}

// reader finds images in one repository. Content that a digest names may come from the cache.
type reader struct {
	client *distribution.Client
	repo   distribution.Repository
	// cache may be nil.
	cache *cache
}

// image reads what a tag or digest leads to. *unusable when that is no image of the platform,
// with the digest in the result where it is known.
func (r reader) image(ctx context.Context, ref string, want *image.Platform) (*image.Image, error) {
	d, _, err := r.client.Manifest(ctx, r.repo, ref)
	if errors.Is(err, distribution.ErrGone) {
		return &image.Image{}, unfit(registry.SkipGone, "The tag is listed, but its manifest is no longer in the registry.")
	}
	if err != nil {
		return nil, err
	}
	img := &image.Image{Digest: d.Digest}
	return img, r.into(ctx, img, d, want, 0)
}

// into follows indexes down to an image.
func (r reader) into(ctx context.Context, img *image.Image, d *image.Document, want *image.Platform, depth int) error {
	img.Annotations = append(img.Annotations, d.Annotations)
	switch d.Kind() {
	case image.Single:
		return r.readConfig(ctx, img, d)
	case image.Schema1:
		return readSchema1(img, d)
	case image.Artifact:
		return unfit(registry.SkipNotImage, "It is no image but an artifact of the type %s.", d.What())
	case image.Index:
		if depth == maxDepth {
			return unfit(registry.SkipUnsupported, "Indexes are nested more than %d deep.", maxDepth)
		}
		return r.choose(ctx, img, d, want, depth)
	case image.Unknown:
	}
	return unfit(registry.SkipUnsupported, "The manifest has the media type %q, which cannot be read.", image.Printable(d.Type))
}

// choose goes on with the entry of an index that fits the platform best.
func (r reader) choose(ctx context.Context, img *image.Image, index *image.Document, want *image.Platform, depth int) error {
	named, unnamed := index.Entries()
	if len(named)+len(unnamed) == 0 {
		return unfit(registry.SkipNoPlatform, "The index holds no image.")
	}
	best := 0
	if want != nil {
		best = image.BestFit(*want, named)
	} else if len(named) == 0 {
		best = -1
	}
	if best >= 0 {
		return r.descend(ctx, img, named[best], want, depth)
	}
	for _, e := range unnamed[:min(len(unnamed), maxUnnamed)] {
		tried := &image.Image{Digest: img.Digest, Annotations: slices.Clone(img.Annotations)}
		err := r.descend(ctx, tried, e, want, depth)
		var no *unusable
		if errors.As(err, &no) && no.reason != registry.SkipGone {
			continue
		}
		if err == nil && !image.Serves(want, tried.Config.Platform) {
			continue
		}
		*img = *tried
		return err
	}
	return unfit(registry.SkipNoPlatform, "The index has %s, not %s.", platforms(named), want)
}

func (r reader) descend(ctx context.Context, img *image.Image, e image.Descriptor, want *image.Platform, depth int) error {
	d, err := r.child(ctx, e.Digest)
	if errors.Is(err, distribution.ErrGone) {
		return unfit(registry.SkipGone, "The index is there, but its manifest %s is no longer in the registry.", image.Printable(e.Digest))
	}
	if err != nil {
		return err
	}
	return r.into(ctx, img, d, want, depth+1)
}

// child reads a manifest by its digest.
func (r reader) child(ctx context.Context, digest string) (*image.Document, error) {
	if !image.IsDigest(digest) {
		return nil, unfit(registry.SkipUnsupported, "The index names a manifest by %q, which is no digest that can be checked.", image.Printable(digest))
	}
	if body, ok := r.cache.get(digest); ok {
		if d, err := image.Parse(body, ""); err == nil && d.MediaType != "" {
			return d, nil
		}
	}
	d, body, err := r.client.Manifest(ctx, r.repo, digest)
	if err == nil {
		r.cache.put(digest, body)
	}
	return d, err
}

// platforms lists those of an index.
func platforms(entries []image.Descriptor) string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Platform.String())
	}
	if len(all) == 0 {
		return "images without a platform"
	}
	return strings.Join(all, ", ")
}

// readConfig reads the config that an image's manifest names.
func (r reader) readConfig(ctx context.Context, img *image.Image, d *image.Document) error {
	digest := d.Config.Digest
	if !image.IsDigest(digest) {
		return unfit(registry.SkipUnsupported, "The manifest names its config by %q, which is no digest that can be checked.", image.Printable(digest))
	}
	body, ok := r.cache.get(digest)
	if !ok {
		var err error
		body, err = r.client.Blob(ctx, r.repo, digest)
		if errors.Is(err, distribution.ErrGone) {
			return unfit(registry.SkipGone, "The manifest is there, but its config %s is no longer in the registry.", digest)
		}
		if err != nil {
			return err
		}
		r.cache.put(digest, body)
	}
	cfg, err := image.ParseConfig(body)
	if err != nil {
		return unfit(registry.SkipUnsupported, "The config %s cannot be read: %v.", digest, err)
	}
	img.Config = cfg
	return nil
}

// readSchema1 reads the config that is part of the manifest.
func readSchema1(img *image.Image, d *image.Document) error {
	cfg, err := d.ConfigOfSchema1()
	if err != nil {
		return unfit(registry.SkipUnsupported, "The history of the schema 1 manifest cannot be read: %v.", err)
	}
	img.Config = cfg
	return nil
}
