package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
)

// listingChecks are about the shape of ListReleases.
func listingChecks() []check {
	return []check{
		{"registry/listing-comes-first", []string{"R1"}, "The host sizes its work and names images by the Listing; it must come once, and before everything else.", listingFirst},
		{"registry/listing-is-complete", []string{"R2", "P20"}, "A shorter list than announced selects an older image without anybody noticing.", listingComplete},
		{"registry/branch-is-whole", []string{"R3"}, "12-premaster taken for a release of master puts the wrong software into production.", branchWhole},
		{"registry/newest-build-first", []string{"R4"}, "The host stops reading when it has enough; with another order it stops too early.", newestFirst},
		{"registry/yield-error-stops", []string{"R6"}, "The host says that it has enough by an error of yield: it gets that very error, and nothing more.", yieldStops},
		{"registry/cancel-stops-listing", []string{"R6", "P18"}, "A listing that was cancelled half-way ends, and not as if it were complete.", cancelStopsListing},
		{"registry/missing-repo-is-not-found", []string{"R7"}, "A misspelt repo that looks like an empty one would silently be left out of the rollback.", missingRepo},
		{"registry/empty-repo-is-a-listing", []string{"R7"}, "A repo without tags exists: that is an answer.", emptyRepo},
		{"registry/same-answer-under-concurrency", []string{"R13", "P17"}, "Repos are listed in parallel; a plan must not depend on timing.", sameAnswer},
	}
}

// request is the fixture's.
func (f *RegistryFixture) request() registry.ListRequest {
	req := registry.ListRequest{
		Repo: f.Repo, Pattern: f.Pattern, Branch: f.Branch, Platform: f.Platform,
		DateFrom: []registry.DateSource{registry.FromAnnotation, registry.FromLabel, registry.FromConfig, registry.FromTag},
		NotAfter: time.Now().Add(24 * time.Hour),
	}
	if req.Pattern == "" {
		req.Pattern = registry.DefaultPattern
	}
	if req.Platform == "" {
		req.Platform = "linux/amd64"
	}
	return req
}

// list collects a listing.
func (s *session) list(ctx context.Context, r registry.Registry, req registry.ListRequest) ([]registry.Item, error) {
	var items []registry.Item
	err := r.ListReleases(ctx, req, func(i registry.Item) error {
		items = append(items, i)
		return nil
	})
	if s.hear(err) != nil {
		return items, fmt.Errorf("list releases of %s: %w", req.Repo, err)
	}
	return items, nil
}

// listFixture lists the fixture's repo.
func (s *session) listFixture(ctx context.Context) ([]registry.Item, *RegistryFixture, error) {
	r, f, err := s.registry(ctx)
	if err != nil {
		return nil, nil, err
	}
	if f.Repo == "" {
		return nil, nil, skip("the fixture names no repo")
	}
	items, err := s.list(ctx, r, f.request())
	return items, f, err
}

func tagOf(i registry.Item) string {
	switch {
	case i.Release != nil:
		return i.Release.Tag
	case i.Skipped != nil:
		return i.Skipped.Tag
	}
	return ""
}

func listingFirst(ctx context.Context, s *session) error {
	items, _, err := s.listFixture(ctx)
	if err != nil {
		return err
	}
	for n, i := range items {
		if (i.Listing != nil) != (n == 0) {
			return fmt.Errorf("message %d of %d: the Listing comes first, and only there", n+1, len(items))
		}
	}
	if len(items) == 0 {
		return errors.New("there is no Listing")
	}
	l := items[0].Listing
	if l.Repository == "" {
		return errors.New("the Listing has no repository")
	}
	if l.Matched < 0 || l.Matched > l.Tags {
		return fmt.Errorf("the Listing says that %d of %d tags are of the branch", l.Matched, l.Tags)
	}
	return nil
}

func listingComplete(ctx context.Context, s *session) error {
	items, f, err := s.listFixture(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	announced := -1
	for n, i := range items {
		fields := 0
		for _, set := range []bool{i.Listing != nil, i.Release != nil, i.Skipped != nil} {
			if set {
				fields++
			}
		}
		if fields != 1 {
			return fmt.Errorf("message %d has %d contents instead of one", n+1, fields)
		}
		if i.Listing != nil {
			announced = i.Listing.Matched
			continue
		}
		if seen[tagOf(i)] {
			return fmt.Errorf("tag %s comes twice", tagOf(i))
		}
		seen[tagOf(i)] = true
	}
	if announced >= 0 && announced != len(seen) {
		return fmt.Errorf("the Listing announced %d tags, %d came", announced, len(seen))
	}
	for _, item := range f.Items {
		if !seen[item.Tag] {
			return fmt.Errorf("tag %s is missing", item.Tag)
		}
	}
	return nil
}

func branchWhole(ctx context.Context, s *session) error {
	items, f, err := s.listFixture(ctx)
	if err != nil {
		return err
	}
	pattern, err := registry.CompilePattern(f.request().Pattern)
	if err != nil {
		return skip("the fixture's pattern: %v", err)
	}
	known := map[string]bool{}
	for _, i := range f.Items {
		known[i.Tag] = true
	}
	for _, i := range items {
		tag := tagOf(i)
		if tag == "" {
			continue
		}
		if t, ok := pattern.Parse(tag); !ok || t.Branch != f.Branch {
			return fmt.Errorf("tag %s is not of branch %s", tag, f.Branch)
		}
		if len(known) > 0 && !known[tag] {
			return fmt.Errorf("tag %s is not in the fixture", tag)
		}
	}
	return nil
}

func newestFirst(ctx context.Context, s *session) error {
	items, f, err := s.listFixture(ctx)
	if err != nil {
		return err
	}
	pattern, err := registry.CompilePattern(f.request().Pattern)
	if err != nil {
		return skip("the fixture's pattern: %v", err)
	}
	var last registry.Tag
	for _, i := range items {
		t, ok := pattern.Parse(tagOf(i))
		if !ok {
			continue
		}
		if last.Name != "" && registry.CompareTags(last, t) < 0 {
			return fmt.Errorf("tag %s comes after %s, which is older", t.Name, last.Name)
		}
		last = t
	}
	return nil
}

func yieldStops(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	if f.Repo == "" {
		return skip("the fixture names no repo")
	}
	enough := errors.New("the host has enough")
	calls := 0
	err = r.ListReleases(ctx, f.request(), func(registry.Item) error {
		calls++
		if calls >= 2 {
			return enough
		}
		return nil
	})
	if calls < 2 {
		return skip("the repo has no tags of the branch")
	}
	if calls > 2 {
		return fmt.Errorf("yield was called %d times more after its error", calls-2)
	}
	if !errors.Is(err, enough) {
		return fmt.Errorf("the error of yield came back as %v", err) //nolint:errorlint // what came back is shown, not passed on
	}
	return nil
}

func cancelStopsListing(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	if len(f.Items) < 2 {
		return skip("the fixture has fewer than two items")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	came := 0
	late := promptly(s.fixture.patience()+grace, "a cancelled listing", func() {
		err = r.ListReleases(ctx, f.request(), func(registry.Item) error {
			came++
			cancel()
			return nil
		})
	})
	if late != nil {
		return late
	}
	// A short listing may have been under way whole when it was cancelled.
	if err == nil && came < 1+len(f.Items) {
		return fmt.Errorf("a listing that was cancelled reports success after %d of %d messages", came, 1+len(f.Items))
	}
	return nil
}

func missingRepo(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	if f.MissingRepo == "" {
		return skip("the fixture names no missing repo")
	}
	req := f.request()
	req.Repo = f.MissingRepo
	_, err = s.list(ctx, r, req)
	return want(err, fault.NotFound)
}

func emptyRepo(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	if f.EmptyRepo == "" {
		return skip("the fixture names no empty repo")
	}
	req := f.request()
	req.Repo = f.EmptyRepo
	items, err := s.list(ctx, r, req)
	if err != nil {
		return err
	}
	if len(items) != 1 || items[0].Listing == nil || items[0].Listing.Tags != 0 {
		return fmt.Errorf("an empty repo gave %d messages instead of one Listing of zero tags", len(items))
	}
	return nil
}

func sameAnswer(ctx context.Context, s *session) error {
	r, f, err := s.registry(ctx)
	if err != nil {
		return err
	}
	if f.Repo == "" {
		return skip("the fixture names no repo")
	}
	const callers = 6
	answers := make([]string, callers)
	problems := make([]error, callers)
	var wait sync.WaitGroup
	for n := range callers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			var busy atomic.Int32
			problems[n] = s.hear(r.ListReleases(ctx, f.request(), func(i registry.Item) error {
				if busy.Add(1) > 1 {
					return errors.New("yield was called from two goroutines at once")
				}
				defer busy.Add(-1)
				answers[n] += renderItem(i) + "\n"
				return nil
			}))
		}()
	}
	wait.Wait()
	if err := errors.Join(problems...); err != nil {
		return err
	}
	for _, a := range answers {
		if a != answers[0] {
			return fmt.Errorf("concurrent listings differ:\n%s\n%s", answers[0], a)
		}
	}
	return nil
}

func renderItem(i registry.Item) string {
	switch {
	case i.Listing != nil:
		return fmt.Sprintf("%+v", *i.Listing)
	case i.Release != nil:
		return fmt.Sprintf("%+v", *i.Release)
	case i.Skipped != nil:
		return fmt.Sprintf("%+v", *i.Skipped)
	}
	return "nothing"
}
