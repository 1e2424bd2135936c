package registrydocker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/sdk/registry"
)

// maxDepth bounds indexes inside indexes, and maxUnnamed the images without a platform that are looked into.
const (
	maxDepth   = 3
	maxUnnamed = 8
)

// image is what a tag leads to on one platform.
type image struct {
	// digest is of what the tag points at.
	digest string
	// annotations are those of the index, then those of the manifest.
	annotations []map[string]string
	// manifest is of the platform's image.
	manifest *document
	config   imageConfig
}

// imageConfig is what matters of an image's config.
type imageConfig struct {
	created  string
	labels   map[string]string
	platform platform
}

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
	client *client
	repo   repository
	// cache may be nil.
	cache *cache
}

// image reads what a tag or digest leads to. *unusable when that is no image of the platform,
// with the digest in the result where it is known.
func (r reader) image(ctx context.Context, ref string, want *platform) (*image, error) {
	d, err := r.client.manifest(ctx, r.repo, ref)
	if errors.Is(err, errGone) {
		return &image{}, unfit(registry.SkipGone, "The tag is listed, but its manifest is no longer in the registry.")
	}
	if err != nil {
		return nil, err
	}
	img := &image{digest: d.digest}
	return img, r.into(ctx, img, d, want, 0)
}

// into follows indexes down to an image.
func (r reader) into(ctx context.Context, img *image, d *document, want *platform, depth int) error {
	img.annotations = append(img.annotations, d.Annotations)
	switch d.kind() {
	case kindImage:
		return r.readConfig(ctx, img, d)
	case kindSchema1:
		return readSchema1(img, d)
	case kindArtifact:
		return unfit(registry.SkipNotImage, "It is no image but an artifact of the type %s.", d.what())
	case kindIndex:
		if depth == maxDepth {
			return unfit(registry.SkipUnsupported, "Indexes are nested more than %d deep.", maxDepth)
		}
		return r.choose(ctx, img, d, want, depth)
	case kindUnknown:
	}
	return unfit(registry.SkipUnsupported, "The manifest has the media type %q, which cannot be read.", printable(d.mediaType))
}

// choose goes on with the entry of an index that fits the platform best.
func (r reader) choose(ctx context.Context, img *image, index *document, want *platform, depth int) error {
	named, unnamed := index.entries()
	if len(named)+len(unnamed) == 0 {
		return unfit(registry.SkipNoPlatform, "The index holds no image.")
	}
	best := 0
	if want != nil {
		best = bestFit(*want, named)
	} else if len(named) == 0 {
		best = -1
	}
	if best >= 0 {
		return r.descend(ctx, img, named[best], want, depth)
	}
	for _, e := range unnamed[:min(len(unnamed), maxUnnamed)] {
		tried := &image{digest: img.digest, annotations: slices.Clone(img.annotations)}
		err := r.descend(ctx, tried, e, want, depth)
		var no *unusable
		if errors.As(err, &no) && no.reason != registry.SkipGone {
			continue
		}
		if err == nil && !serves(want, tried.config.platform) {
			continue
		}
		*img = *tried
		return err
	}
	return unfit(registry.SkipNoPlatform, "The index has %s, not %s.", platforms(named), want)
}

func (r reader) descend(ctx context.Context, img *image, e descriptor, want *platform, depth int) error {
	d, err := r.child(ctx, e.Digest)
	if errors.Is(err, errGone) {
		return unfit(registry.SkipGone, "The index is there, but its manifest %s is no longer in the registry.", printable(e.Digest))
	}
	if err != nil {
		return err
	}
	return r.into(ctx, img, d, want, depth+1)
}

// child reads a manifest by its digest.
func (r reader) child(ctx context.Context, digest string) (*document, error) {
	if !isDigest(digest) {
		return nil, unfit(registry.SkipUnsupported, "The index names a manifest by %q, which is no digest that can be checked.", printable(digest))
	}
	if body, ok := r.cache.get(digest); ok {
		if d, err := parseManifest(body, ""); err == nil && d.MediaType != "" {
			return d, nil
		}
	}
	return r.client.manifestInto(ctx, r.repo, digest, r.cache)
}

// entries are the images of an index: those with a platform, and those without. Attestations are none.
func (d *document) entries() (named, unnamed []descriptor) {
	for _, e := range d.Manifests {
		switch {
		case e.Annotations["vnd.docker.reference.type"] != "" || e.ArtifactType != "":
		case e.Platform == nil || *e.Platform == platform{}:
			unnamed = append(unnamed, e)
		case e.Platform.real():
			named = append(named, e)
		}
	}
	return named, unnamed
}

func platforms(entries []descriptor) string {
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
func (r reader) readConfig(ctx context.Context, img *image, d *document) error {
	img.manifest = d
	digest := d.Config.Digest
	if !isDigest(digest) {
		return unfit(registry.SkipUnsupported, "The manifest names its config by %q, which is no digest that can be checked.", printable(digest))
	}
	body, ok := r.cache.get(digest)
	if !ok {
		var err error
		body, err = r.client.blob(ctx, r.repo, digest)
		if errors.Is(err, errGone) {
			return unfit(registry.SkipGone, "The manifest is there, but its config %s is no longer in the registry.", digest)
		}
		if err != nil {
			return err
		}
		r.cache.put(digest, body)
	}
	cfg, err := parseConfig(body)
	if err != nil {
		return unfit(registry.SkipUnsupported, "The config %s cannot be read: %v.", digest, err)
	}
	img.config = cfg
	return nil
}

// parseConfig reads a config. Its digest has been checked: what is odd in it was pushed so,
// and odd fields count as absent.
func parseConfig(body []byte) (imageConfig, error) {
	var c struct {
		Created any `json:"created"`
		platform
		Config struct {
			Labels map[string]any `json:"Labels"`
		} `json:"config"`
	}
	err := json.Unmarshal(body, &c)
	var wrongType *json.UnmarshalTypeError
	if err != nil && (!errors.As(err, &wrongType) || wrongType.Field == "") {
		return imageConfig{}, errors.New("it is no JSON object")
	}
	out := imageConfig{platform: c.platform}
	out.created, _ = c.Created.(string)
	for k, v := range c.Config.Labels {
		if text, ok := v.(string); ok {
			if out.labels == nil {
				out.labels = map[string]string{}
			}
			out.labels[k] = text
		}
	}
	return out, nil
}

// readSchema1 reads the history of a schema 1 manifest, in which the configs are: the first is the image's.
func readSchema1(img *image, d *document) error {
	img.manifest = d
	img.config.platform = platform{OS: "linux", Architecture: d.Architecture}
	for i, h := range d.History {
		c, err := parseConfig([]byte(h.V1Compatibility))
		if err != nil {
			return unfit(registry.SkipUnsupported, "The history of the schema 1 manifest cannot be read.")
		}
		if i == 0 {
			img.config.labels = c.labels
			if c.platform.OS != "" {
				img.config.platform.OS = c.platform.OS
			}
		}
		if later(c.created, img.config.created) {
			img.config.created = c.created
		}
	}
	return nil
}

// later reports whether a is a date, and b an earlier one or none.
func later(a, b string) bool {
	at, ok := parseDate(a)
	if !ok {
		return false
	}
	before, ok := parseDate(b)
	return !ok || at.After(before)
}

// labels are the config's, and the annotations that the config lacks.
func (i *image) labels() map[string]string {
	all := map[string]string{}
	for _, a := range slices.Backward(i.annotations) {
		maps.Copy(all, a)
	}
	maps.Copy(all, i.config.labels)
	if len(all) == 0 {
		return nil
	}
	return all
}
