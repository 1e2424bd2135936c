package conformance

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/registry"
)

// releaseChecks are about what ListReleases says of each tag.
func releaseChecks() []check {
	return []check{
		{"registry/digest-of-the-tag", []string{"R8"}, "The plan pins what the tag points at; the digest of one platform's manifest deploys on one platform only.", digests},
		{"registry/date-and-its-source", []string{"R9"}, "The date decides which release is taken.", dates},
		{"registry/date-sources-in-order", []string{"R9"}, "The policy's order of sources decides, not the plugin's.", dateSources},
		{"registry/implausible-date-is-absent", []string{"R9", "R10"}, "A date in the future would make a release the newest for ever; one that is not plausible is no date.", implausible},
		{"registry/skipped-says-why", []string{"R10"}, "What is left out is reported, with what was found and tried; it never becomes a release of today.", skippedSaysWhy},
		{"registry/platform-of-an-index", []string{"R11"}, "An index without the platform cannot run there.", indexPlatform},
		{"registry/labels", []string{"R12"}, "Guards and reports read revision and version from the labels.", labels},
	}
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// releases are the fixture's items with what was listed for each.
func (s *session) releases(ctx context.Context) (map[string]*registry.Release, *RegistryFixture, error) {
	items, f, err := s.listFixture(ctx)
	if err != nil {
		return nil, nil, err
	}
	found := map[string]*registry.Release{}
	for _, i := range items {
		if i.Release != nil {
			found[i.Release.Tag] = i.Release
		}
	}
	if len(found) == 0 {
		return nil, nil, skip("the fixture's repo has no releases")
	}
	return found, f, nil
}

func digests(ctx context.Context, s *session) error {
	found, f, err := s.releases(ctx)
	if err != nil {
		return err
	}
	for tag, r := range found {
		if !digestForm.MatchString(r.Digest) {
			return fmt.Errorf("tag %s: the digest %q is not sha256: and 64 hexadecimal digits", tag, r.Digest)
		}
	}
	for _, i := range f.Items {
		if r := found[i.Tag]; r != nil && i.Digest != "" && r.Digest != i.Digest {
			return fmt.Errorf("tag %s: the digest is %s; expected %s", i.Tag, r.Digest, i.Digest)
		}
	}
	return nil
}

func dates(ctx context.Context, s *session) error {
	found, f, err := s.releases(ctx)
	if err != nil {
		return err
	}
	sources := f.request().DateFrom
	for tag, r := range found {
		if !r.Created.After(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			return fmt.Errorf("tag %s: %s counts as no date", tag, r.Created)
		}
		if !slices.Contains(sources, r.CreatedFrom) {
			return fmt.Errorf("tag %s: the source of the date is %q", tag, r.CreatedFrom)
		}
	}
	for _, i := range f.Items {
		r := found[i.Tag]
		if r == nil {
			continue
		}
		if i.Created != nil && !r.Created.Equal(*i.Created) {
			return fmt.Errorf("tag %s: created %s; expected %s", i.Tag, r.Created, i.Created)
		}
		if i.CreatedFrom != "" && r.CreatedFrom != i.CreatedFrom {
			return fmt.Errorf("tag %s: the date is from %s; expected %s", i.Tag, r.CreatedFrom, i.CreatedFrom)
		}
	}
	return nil
}

func dateSources(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	req := f.request()
	for _, only := range req.DateFrom {
		req.DateFrom = []registry.DateSource{only}
		items, err := s.list(ctx, r, req)
		if err != nil {
			return err
		}
		for _, i := range items {
			if i.Release != nil && i.Release.CreatedFrom != only {
				return fmt.Errorf("tag %s: asked for the date from %s alone, it is from %s", i.Release.Tag, only, i.Release.CreatedFrom)
			}
		}
	}
	return nil
}

func implausible(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	req := f.request()
	req.NotAfter = time.Date(1980, 1, 2, 0, 0, 0, 0, time.UTC)
	items, err := s.list(ctx, r, req)
	if err != nil {
		return err
	}
	for _, i := range items {
		if i.Release != nil && i.Release.Created.After(req.NotAfter) {
			return fmt.Errorf("tag %s: %s is after the latest instant to be accepted, %s", i.Release.Tag, i.Release.Created, req.NotAfter)
		}
	}
	return nil
}

var reasons = []registry.SkipReason{
	registry.SkipNoDate, registry.SkipNotImage, registry.SkipNoPlatform, registry.SkipGone, registry.SkipUnsupported,
}

func skippedSaysWhy(ctx context.Context, s *session) error {
	items, f, err := s.listFixture(ctx)
	if err != nil {
		return err
	}
	got := map[string]registry.SkipReason{}
	for _, i := range items {
		if i.Skipped == nil {
			continue
		}
		got[i.Skipped.Tag] = i.Skipped.Reason
		if !slices.Contains(reasons, i.Skipped.Reason) {
			return fmt.Errorf("tag %s: %q is no reason", i.Skipped.Tag, i.Skipped.Reason)
		}
		if strings.TrimSpace(i.Skipped.Detail) == "" {
			return fmt.Errorf("tag %s: skipped without a detail", i.Skipped.Tag)
		}
	}
	for _, i := range f.Items {
		if got[i.Tag] != i.Skip {
			return fmt.Errorf("tag %s: skipped as %q; expected %q", i.Tag, got[i.Tag], i.Skip)
		}
	}
	return nil
}

func indexPlatform(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	if f.IndexTag == "" {
		return skip("the fixture names no index")
	}
	req := f.request()
	req.Platform = "plan9/mips"
	items, err := s.list(ctx, r, req)
	if err != nil {
		return err
	}
	for _, i := range items {
		if tagOf(i) == f.IndexTag {
			if i.Skipped == nil || i.Skipped.Reason != registry.SkipNoPlatform {
				return fmt.Errorf("tag %s has no plan9/mips and is not skipped as no_platform: %s", f.IndexTag, renderItem(i))
			}
			return nil
		}
	}
	return fmt.Errorf("tag %s is missing", f.IndexTag)
}

func labels(ctx context.Context, s *session) error {
	found, f, err := s.releases(ctx)
	if err != nil {
		return err
	}
	compared := false
	for _, i := range f.Items {
		r := found[i.Tag]
		if r == nil {
			continue
		}
		for k, v := range i.Labels {
			compared = true
			if r.Labels[k] != v {
				return fmt.Errorf("tag %s: label %s is %q; expected %q", i.Tag, k, r.Labels[k], v)
			}
		}
	}
	if !compared {
		return skip("the fixture's items have no labels")
	}
	return nil
}
