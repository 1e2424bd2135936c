package registrydocker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/distribution/reference"

	"github.com/rollback-project/rollback/plugins/registry-docker/image"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
)

// firstWindow is how many tags are looked at ahead when a listing begins. It grows by one for each tag
// that the host takes: it often has enough after a few.
const firstWindow = 8

// ListReleases lists the tags, then reads those of the branch, newest build first, several at a time.
func (s *server) ListReleases(ctx context.Context, req registry.ListRequest, yield func(registry.Item) error) error {
	repo, err := s.at.Repo(req.Repo)
	if err != nil {
		return err
	}
	pattern, err := registry.CompilePattern(req.Pattern)
	if err != nil {
		return fault.New(fault.Invalid, "list releases of %s: %w", req.Repo, err).On(req.Repo)
	}
	want, err := image.ParsePlatform(req.Platform)
	if err != nil {
		return err
	}
	all, err := s.client.Tags(ctx, repo)
	if err != nil {
		return err
	}
	matched := ofBranch(all, pattern, req.Branch)
	listing := &registry.Listing{Repository: repo.Name, Tags: len(all), Matched: len(matched)}
	if err := yield(registry.Item{Listing: listing}); err != nil {
		return err
	}
	r := reader{client: s.client, repo: repo, cache: s.cache}
	return inOrder(ctx, matched, s.window, func(ctx context.Context, tag registry.Tag) (registry.Item, error) {
		return r.judge(ctx, req, want, tag)
	}, yield)
}

// ofBranch are the tags of the branch, newest build first.
func ofBranch(all []string, pattern *registry.Pattern, branch string) []registry.Tag {
	var matched []registry.Tag
	for _, name := range all {
		if tag, ok := pattern.Parse(name); ok && tag.Branch == branch {
			matched = append(matched, tag)
		}
	}
	slices.SortFunc(matched, func(a, b registry.Tag) int { return registry.CompareTags(b, a) })
	return matched
}

// result is what became of one tag.
type result struct {
	item registry.Item
	err  error
}

// inOrder does work for each tag, up to window of them at once, and yields the results in the tags' order.
// It stops at the first error in that order, and returns when all its goroutines have ended.
func inOrder(
	ctx context.Context, tags []registry.Tag, window int,
	work func(context.Context, registry.Tag) (registry.Item, error), yield func(registry.Item) error,
) error {
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	pending := make([]chan result, 0, window)
	next := 0
	start := func() {
		tag, done := tags[next], make(chan result, 1)
		next++
		pending = append(pending, done)
		running.Go(func() {
			item, err := work(ctx, tag)
			done <- result{item, err}
		})
	}
	for ahead := min(firstWindow, window); ; ahead = min(ahead+1, window) {
		for next < len(tags) && len(pending) < ahead {
			start()
		}
		if len(pending) == 0 {
			return nil
		}
		var got result
		select {
		case got = <-pending[0]:
		case <-parent.Done():
			return parent.Err()
		}
		pending = pending[1:]
		if got.err != nil {
			return got.err
		}
		if err := yield(got.item); err != nil {
			return err
		}
	}
}

// judge says whether a tag of the branch is a release, and if not, why.
func (r reader) judge(ctx context.Context, req registry.ListRequest, want *image.Platform, tag registry.Tag) (registry.Item, error) {
	skip := func(digest string, reason registry.SkipReason, detail string) (registry.Item, error) {
		return registry.Item{Skipped: &registry.Skipped{Tag: tag.Name, Digest: digest, Reason: reason, Detail: detail}}, nil
	}
	if !isTag(tag.Name) {
		return skip("", registry.SkipUnsupported, "The registry lists it, but it is no valid name of a tag.")
	}
	img, err := r.image(ctx, tag.Name, want)
	var no *unusable
	if errors.As(err, &no) {
		return skip(img.Digest, no.reason, no.detail)
	}
	if err != nil {
		return registry.Item{}, err
	}
	at, from, tried := img.Date(req.DateFrom, tag.Date, req.NotAfter)
	if at.IsZero() {
		return skip(img.Digest, registry.SkipNoDate, fmt.Sprintf("No plausible date: %s.", tried))
	}
	return registry.Item{Release: &registry.Release{
		Repo: req.Repo, Tag: tag.Name, Digest: img.Digest, Created: at, CreatedFrom: from, Labels: img.Labels(),
	}}, nil
}

// isTag reports whether the text is a tag as the specification has it.
func isTag(text string) bool {
	return reference.TagRegexp.FindString(text) == text && text != ""
}
