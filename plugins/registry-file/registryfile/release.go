package registryfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/registry"
)

// created is the key of the annotation and the label that say when an image was made (OCI image spec, annotations).
const created = "org.opencontainers.image.created"

// implausible is the last instant that counts as no date: reproducible builds set 1970 or 1980.
var implausible = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// judge says whether a tag of the branch is a release, and if not, why.
func judge(req registry.ListRequest, c candidate) registry.Item {
	img := c.image
	skip := func(why registry.SkipReason, format string, args ...any) registry.Item {
		return registry.Item{Skipped: &registry.Skipped{
			Tag: c.tag.Name, Digest: img.Digest, Reason: why, Detail: fmt.Sprintf(format, args...),
		}}
	}
	switch {
	case img.lacks("manifest"):
		return skip(registry.SkipGone, "The tag is listed, but its manifest is not there.")
	case img.Kind == kindUnknown:
		return skip(registry.SkipUnsupported, "The manifest is of a kind that cannot be read.")
	case img.Kind == kindArtifact:
		return skip(registry.SkipNotImage, "The manifest is of an artifact that is no image.")
	case img.Kind == kindIndex && req.Platform != "" && !slices.Contains(img.Platforms, req.Platform):
		return skip(registry.SkipNoPlatform, "The index has %s, not %s.", strings.Join(img.Platforms, ", "), req.Platform)
	case img.lacks("config"):
		return skip(registry.SkipGone, "The manifest is there, but its config is not.")
	}
	at, from, tried := img.date(req.DateFrom, c.tag.Date, req.NotAfter)
	if at.IsZero() {
		return skip(registry.SkipNoDate, "No plausible date: %s.", strings.Join(tried, "; "))
	}
	return registry.Item{Release: &registry.Release{
		Repo: req.Repo, Tag: c.tag.Name, Digest: img.Digest, Created: at, CreatedFrom: from, Labels: img.labels(),
	}}
}

// labels are the config's, and the annotations that the config lacks.
func (i image) labels() map[string]string {
	if len(i.Labels)+len(i.Annotations) == 0 {
		return nil
	}
	all := maps.Clone(i.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, i.Labels)
	return all
}

// date tries the sources in order and returns the first plausible instant, or what was tried.
// A zero notAfter accepts any future.
func (i image) date(sources []registry.DateSource, tagDate string, notAfter time.Time) (time.Time, registry.DateSource, []string) {
	var tried []string
	for _, source := range sources {
		text := i.dateText(source, tagDate)
		if text == "" {
			tried = append(tried, fmt.Sprintf("%s has none", source))
			continue
		}
		at, ok := parseDate(text)
		switch {
		case !ok:
			tried = append(tried, fmt.Sprintf("%s has %q, which is no date", source, text))
		case !at.After(implausible):
			tried = append(tried, fmt.Sprintf("%s has %s, which reproducible builds set", source, text))
		case !notAfter.IsZero() && at.After(notAfter):
			tried = append(tried, fmt.Sprintf("%s has %s, which is in the future", source, text))
		default:
			return at.UTC(), source, nil
		}
	}
	if tried == nil {
		tried = []string{"no source is to be tried"}
	}
	return time.Time{}, "", tried
}

func (i image) dateText(source registry.DateSource, tagDate string) string {
	switch source {
	case registry.FromAnnotation:
		if i.Kind == kindSchema1 {
			return "" // schema 1 has no annotations
		}
		return i.Annotations[created]
	case registry.FromLabel:
		return i.Labels[created]
	case registry.FromConfig:
		return i.Created
	case registry.FromTag:
		return tagDate
	}
	return ""
}

// layouts are what dates in images and tags look like.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02", "20060102150405", "20060102"}

func parseDate(text string) (time.Time, bool) {
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
