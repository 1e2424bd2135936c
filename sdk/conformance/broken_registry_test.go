package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/registry"
)

type (
	ctxT  = context.Context
	regT  = registry.Registry
	reqT  = registry.ListRequest
	yield = func(registry.Item) error
)

func TestABrokenRegistryFailsExactlyItsCheck(t *testing.T) {
	failsExactly(t, append(brokenListings(), append(brokenReleases(), brokenResolves()...)...), registryFixture)
}

func brokenListings() []broken {
	var counter atomic.Int64
	return []broken{
		{check: "registry/listing-comes-first", target: items(func(all []registry.Item) []registry.Item {
			if len(all) == 1 {
				return all
			}
			return append(all, all[0])
		})},
		{check: "registry/listing-is-complete", target: items(func(all []registry.Item) []registry.Item {
			return all[:max(1, len(all)-1)]
		})},
		{check: "registry/branch-is-whole", target: items(func(all []registry.Item) []registry.Item {
			if len(all) == 1 {
				return all
			}
			all[0].Listing.Matched++
			stray := &registry.Skipped{Tag: "8-premaster", Reason: registry.SkipGone, Detail: "A stray."}
			return append(all, registry.Item{Skipped: stray})
		})},
		{check: "registry/newest-build-first", target: items(func(all []registry.Item) []registry.Item {
			slices.Reverse(all[1:])
			return all
		})},
		{check: "registry/yield-error-stops", target: listing(func(r regT, ctx ctxT, req reqT, y yield) error {
			return r.ListReleases(ctx, req, func(i registry.Item) error {
				_ = y(i)
				return nil
			})
		})},
		{check: "registry/cancel-stops-listing", target: listing(func(r regT, ctx ctxT, req reqT, y yield) error {
			err := r.ListReleases(ctx, req, y)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		})},
		{check: "registry/missing-repo-is-not-found", target: listing(func(r regT, ctx ctxT, req reqT, y yield) error {
			err := r.ListReleases(ctx, req, y)
			if fault.Is(err, fault.NotFound) {
				return y(registry.Item{Listing: &registry.Listing{Repository: req.Repo}})
			}
			return err
		})},
		{check: "registry/empty-repo-is-a-listing", target: listing(func(r regT, ctx ctxT, req reqT, y yield) error {
			return r.ListReleases(ctx, req, func(i registry.Item) error {
				if i.Listing != nil && i.Listing.Tags == 0 {
					return fault.New(fault.NotFound, "no tags")
				}
				return y(i)
			})
		})},
		{check: "registry/same-answer-under-concurrency", target: items(func(all []registry.Item) []registry.Item {
			for _, i := range all {
				if i.Skipped != nil {
					i.Skipped.Detail += fmt.Sprint(counter.Add(1))
				}
			}
			return all
		})},
	}
}

func brokenReleases() []broken {
	oldest := func(f func(*registry.Release)) func(*registry.Release) {
		return func(r *registry.Release) {
			if r.Tag == "9-master" {
				f(r)
			}
		}
	}
	return []broken{
		{check: "registry/digest-of-the-tag", target: releases(oldest(func(r *registry.Release) { r.Digest = "sha256:" + strings.Repeat("b", 64) }))},
		{check: "registry/date-and-its-source", target: releases(oldest(func(r *registry.Release) { r.Created = r.Created.Add(time.Hour) }))},
		{check: "registry/date-sources-in-order", target: requests(func(req *reqT) {
			if len(req.DateFrom) == 1 {
				req.DateFrom = []registry.DateSource{registry.FromConfig, registry.FromAnnotation}
			}
		})},
		{check: "registry/implausible-date-is-absent", target: requests(func(req *reqT) { req.NotAfter = time.Now() })},
		{check: "registry/skipped-says-why", target: items(func(all []registry.Item) []registry.Item {
			for _, i := range all {
				if i.Skipped != nil {
					i.Skipped.Detail = ""
				}
			}
			return all
		})},
		{check: "registry/platform-of-an-index", target: requests(func(req *reqT) { req.Platform = "linux/amd64" })},
		{check: "registry/labels", target: releases(func(r *registry.Release) { r.Labels = nil })},
	}
}

func brokenResolves() []broken {
	type request = registry.ResolveRequest
	type result = registry.ResolveResult
	return []broken{
		{check: "registry/resolve-missing-is-an-answer", target: resolving(func(_ request, res *result, err error) error {
			if err == nil && !res.Found {
				return fault.New(fault.NotFound, "no such image")
			}
			return err
		})},
		{check: "registry/resolve-tag-and-digest", target: resolving(func(req request, res *result, err error) error {
			res.TagMoved = req.Tag != "" && req.Digest != ""
			return err
		})},
		{check: "registry/resolve-moved-tag", target: resolving(func(_ request, res *result, err error) error {
			res.TagMoved = false
			return err
		})},
		{check: "registry/pullable-means-all-of-it", target: resolving(func(_ request, res *result, err error) error {
			res.Pullable = false
			return err
		})},
		{check: "registry/broken-image-names-what-is-missing", target: resolving(func(req request, res *result, err error) error {
			if req.Tag == "12-master" {
				res.Missing, res.Pullable = nil, true
			}
			return err
		})},
		{check: "registry/platform-is-checked", target: resolving(func(req request, res *result, err error) error {
			if req.Platform == "plan9/mips" {
				res.Missing, res.Pullable = nil, true
			}
			return err
		})},
		{check: "registry/own-repository", target: resolving(func(req request, res *result, err error) error {
			if req.Repository != "" && err == nil {
				*res = result{}
			}
			return err
		})},
		{check: "registry/foreign-repository-is-unsupported", target: resolving(func(_ request, _ *result, err error) error {
			if fault.Is(err, fault.Unsupported) {
				return nil
			}
			return err
		})},
	}
}

func TestABrokenNotifierFailsExactlyItsCheck(t *testing.T) {
	refuse := func(when func(notify.Request) bool) func(notify.Notifier, context.Context, notify.Request) (notify.Result, error) {
		return func(n notify.Notifier, ctx context.Context, req notify.Request) (notify.Result, error) {
			if when(req) {
				return notify.Result{}, errors.New("refused")
			}
			return n.Notify(ctx, req)
		}
	}
	failsExactly(t, []broken{
		{check: "notify/every-kind-is-told", target: telling(refuse(func(r notify.Request) bool { return r.Kind == notify.NeedsPerson }))},
		{check: "notify/unknown-kind-is-told", target: telling(refuse(func(r notify.Request) bool { return strings.Contains(string(r.Kind), "future") }))},
		{check: "notify/bare-event-is-told", target: telling(refuse(func(r notify.Request) bool { return r.Operator == "" }))},
		{check: "notify/thread-handle", target: telling(func(n notify.Notifier, ctx context.Context, req notify.Request) (notify.Result, error) {
			_, err := n.Notify(ctx, req)
			return notify.Result{}, err
		})},
		{check: "notify/unknown-thread-begins-a-new-one", target: telling(refuse(func(r notify.Request) bool { return strings.Contains(r.Thread, "gone") }))},
		{check: "notify/long-message-is-cut", target: telling(refuse(func(r notify.Request) bool { return len(r.Message) > 10_000 }))},
		{check: "notify/cancelled-call-ends", target: telling(func(n notify.Notifier, ctx context.Context, req notify.Request) (notify.Result, error) {
			return n.Notify(context.WithoutCancel(ctx), req)
		})},
	}, notifyFixture)
}
