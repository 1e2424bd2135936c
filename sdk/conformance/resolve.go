package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
)

// resolveChecks are about Resolve.
func resolveChecks() []check {
	return []check{
		{"registry/resolve-missing-is-an-answer", []string{"R14"}, "“It is gone” and “could not look” lead to different plans.", resolveMissing},
		{"registry/resolve-tag-and-digest", []string{"R15"}, "The plan is checked against what the tag points at now.", resolveTagAndDigest},
		{"registry/resolve-moved-tag", []string{"R15"}, "A tag that was pushed again is not the image that was planned.", resolveMoved},
		{"registry/pullable-means-all-of-it", []string{"R16"}, "An image that lacks a layer is deployed, and never starts.", resolvePullable},
		{"registry/broken-image-names-what-is-missing", []string{"R16"}, "An image that lacks a layer is deployed, and never starts.", resolveBroken},
		{"registry/platform-is-checked", []string{"R16"}, "An image for another platform is deployed, and never starts.", resolvePlatform},
		{"registry/own-repository", []string{"R17"}, "The image that an app runs is looked up by its full name.", resolveOwn},
		{"registry/foreign-repository-is-unsupported", []string{"R17"}, "Credentials must not be sent to a host they are not for.", resolveForeign},
	}
}

func (s *session) resolve(ctx context.Context, r registry.Registry, req registry.ResolveRequest) (registry.ResolveResult, error) {
	res, err := r.Resolve(ctx, req)
	if s.hear(err) != nil {
		return res, fmt.Errorf("resolve %s %s %s: %w", req.Repo, req.Tag, req.Digest, err)
	}
	return res, nil
}

// resolvable gives two releases of the fixture with different digests that are not broken, newest first.
func (s *session) resolvable(ctx context.Context) (registry.Registry, *RegistryFixture, []*registry.Release, error) {
	r, f, err := s.registry(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	items, err := s.list(ctx, r, f.request())
	if err != nil {
		return nil, nil, nil, err
	}
	var two []*registry.Release
	for _, i := range items {
		if i.Release == nil || i.Release.Tag == f.BrokenTag {
			continue
		}
		if len(two) == 0 || (len(two) == 1 && two[0].Digest != i.Release.Digest) {
			two = append(two, i.Release)
		}
	}
	if len(two) < 2 {
		return nil, nil, nil, skip("the fixture's repo has fewer than two whole releases")
	}
	return r, f, two, nil
}

func resolveMissing(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	absent := []registry.ResolveRequest{
		{Repo: f.Repo, Tag: "there-is-no-such-tag"},
		{Repo: f.Repo, Digest: "sha256:" + strings.Repeat("0", 64)},
	}
	for _, req := range absent {
		res, err := s.resolve(ctx, r, req)
		if err != nil {
			return err
		}
		if res.Found || res.Pullable {
			return fmt.Errorf("%s%s is not there, yet found=%v pullable=%v", req.Tag, req.Digest, res.Found, res.Pullable)
		}
	}
	return nil
}

func resolveTagAndDigest(ctx context.Context, s *session) error {
	r, f, two, err := s.resolvable(ctx)
	if err != nil {
		return err
	}
	for _, rel := range two {
		for _, req := range []registry.ResolveRequest{
			{Repo: f.Repo, Tag: rel.Tag},
			{Repo: f.Repo, Digest: rel.Digest},
			{Repo: f.Repo, Tag: rel.Tag, Digest: rel.Digest},
		} {
			res, err := s.resolve(ctx, r, req)
			if err != nil {
				return err
			}
			if !res.Found || res.Digest != rel.Digest {
				return fmt.Errorf("tag %q digest %q: found=%v digest=%s; expected %s", req.Tag, req.Digest, res.Found, res.Digest, rel.Digest)
			}
			if res.TagMoved {
				return fmt.Errorf("tag %q digest %q: tag_moved although it points there", req.Tag, req.Digest)
			}
		}
	}
	return nil
}

func resolveMoved(ctx context.Context, s *session) error {
	r, f, two, err := s.resolvable(ctx)
	if err != nil {
		return err
	}
	for _, tag := range []string{two[1].Tag, "there-is-no-such-tag"} {
		res, err := s.resolve(ctx, r, registry.ResolveRequest{Repo: f.Repo, Tag: tag, Digest: two[0].Digest})
		if err != nil {
			return err
		}
		if !res.TagMoved {
			return fmt.Errorf("tag %s does not point at %s, and tag_moved is false", tag, two[0].Digest)
		}
		if !res.Found || res.Digest != two[0].Digest {
			return fmt.Errorf("with tag and digest the digest is checked: found=%v digest=%s", res.Found, res.Digest)
		}
	}
	return nil
}

func resolvePullable(ctx context.Context, s *session) error {
	r, f, two, err := s.resolvable(ctx)
	if err != nil {
		return err
	}
	for _, rel := range two {
		res, err := s.resolve(ctx, r, registry.ResolveRequest{Repo: f.Repo, Tag: rel.Tag, Platform: f.request().Platform})
		if err != nil {
			return err
		}
		if !res.Pullable || len(res.Missing) > 0 {
			return fmt.Errorf("tag %s is whole, yet pullable=%v missing=%v", rel.Tag, res.Pullable, res.Missing)
		}
	}
	return nil
}

func resolveBroken(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	if f.BrokenTag == "" {
		return skip("the fixture names no broken image")
	}
	res, err := s.resolve(ctx, r, registry.ResolveRequest{Repo: f.Repo, Tag: f.BrokenTag, Platform: f.request().Platform})
	if err != nil {
		return err
	}
	if !res.Found || res.Pullable || len(res.Missing) == 0 || slices.Contains(res.Missing, "") {
		return fmt.Errorf("tag %s lacks a layer: found=%v pullable=%v missing=%q", f.BrokenTag, res.Found, res.Pullable, res.Missing)
	}
	return nil
}

func resolvePlatform(ctx context.Context, s *session) error {
	r, f, two, err := s.resolvable(ctx)
	if err != nil {
		return err
	}
	res, err := s.resolve(ctx, r, registry.ResolveRequest{Repo: f.Repo, Tag: two[0].Tag, Platform: "plan9/mips"})
	if err != nil {
		return err
	}
	if res.Pullable || len(res.Missing) == 0 {
		return fmt.Errorf("tag %s is not for plan9/mips, yet pullable=%v missing=%q", two[0].Tag, res.Pullable, res.Missing)
	}
	return nil
}

func resolveOwn(ctx context.Context, s *session) error {
	r, f, two, err := s.resolvable(ctx)
	if err != nil {
		return err
	}
	items, err := s.list(ctx, r, f.request())
	if err != nil {
		return err
	}
	if len(items) == 0 || items[0].Listing == nil {
		return errors.New("the listing names no repository")
	}
	res, err := s.resolve(ctx, r, registry.ResolveRequest{Tag: two[0].Tag, Repository: items[0].Listing.Repository})
	if err != nil {
		return err
	}
	if !res.Found || res.Digest != two[0].Digest {
		return fmt.Errorf("%s:%s: found=%v digest=%s; expected %s", items[0].Listing.Repository, two[0].Tag, res.Found, res.Digest, two[0].Digest)
	}
	return nil
}

func resolveForeign(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	if f.ForeignRepository == "" {
		return skip("the fixture names no foreign repository")
	}
	_, err = s.resolve(ctx, r, registry.ResolveRequest{Repo: f.Repo, Tag: "1", Repository: f.ForeignRepository})
	return want(err, fault.Unsupported)
}
