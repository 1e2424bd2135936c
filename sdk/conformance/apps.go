package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// appChecks are about reading: ListApps and Snapshot.
func appChecks() []check {
	return []check{
		{"orchestrator/apps-once-sorted-complete", []string{"O1", "P20"}, "An app that is not listed is not rolled back.", appsListed},
		{"orchestrator/scope-ends-at-a-segment", []string{"O2"}, "Rolling back /ds/prod must not touch /ds/prod2.", scopeSegments},
		{"orchestrator/images-as-spelt", []string{"O3"}, "Apps are matched to repos by their images.", imagesAsSpelt},
		{"orchestrator/fingerprint-is-stable", []string{"O4"}, "A fingerprint that changes by itself makes every plan stale.", fingerprintStable},
		{"orchestrator/yield-error-stops", []string{"O1", "P18"}, "The host ends a listing by an error of yield and gets that very error.", appsYieldStops},
		{"orchestrator/concurrent-reads", []string{"P17"}, "The host reads in parallel; the answers must not depend on it.", concurrentReads},
		{"orchestrator/snapshot-as-asked", []string{"O6"}, "What is not in the snapshots cannot be put back.", snapshotAsAsked},
		{"orchestrator/snapshot-of-missing-app", []string{"O6"}, "A snapshot of nothing would be restored as nothing.", snapshotMissing},
	}
}

func appsListed(ctx context.Context, s *session) error {
	o, f, err := s.orchestrator(ctx)
	if err != nil {
		return err
	}
	var ids []string
	err = o.ListApps(ctx, orchestrator.ListRequest{Scope: f.Scope}, func(a orchestrator.App) error {
		ids = append(ids, a.ID)
		return nil
	})
	if s.hear(err) != nil {
		return fmt.Errorf("list apps of %q: %w", f.Scope, err)
	}
	if !slices.IsSorted(ids) {
		return fmt.Errorf("the apps are not sorted by id: %q", ids)
	}
	if once := slices.Compact(slices.Clone(ids)); len(once) != len(ids) {
		return fmt.Errorf("an app comes twice: %q", ids)
	}
	for _, a := range f.Apps {
		if !slices.Contains(ids, a.ID) {
			return fmt.Errorf("app %s is missing", a.ID)
		}
	}
	all, err := s.look(ctx, o, "")
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, ok := all[id]; !ok {
			return fmt.Errorf("app %s is in the scope %q and not in the empty one, which is everything", id, f.Scope)
		}
	}
	return nil
}

func scopeSegments(ctx context.Context, s *session) error {
	o, f, err := s.orchestrator(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, a := range f.Apps {
		known[a.ID] = true
	}
	apps, err := s.look(ctx, o, f.Scope)
	if err != nil {
		return err
	}
	for id := range apps {
		if !known[id] {
			return fmt.Errorf("app %s is listed in %q, and the fixture does not have it there", id, f.Scope)
		}
	}
	// A scope without its last letter is another one.
	if len(f.Scope) < 2 || strings.HasSuffix(f.Scope[:len(f.Scope)-1], "/") {
		return nil
	}
	apps, err = s.look(ctx, o, f.Scope[:len(f.Scope)-1])
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for id := range apps {
		if known[id] {
			return fmt.Errorf("app %s is listed in the scope %q", id, f.Scope[:len(f.Scope)-1])
		}
	}
	return nil
}

func imagesAsSpelt(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	for _, f := range w.Apps {
		a := w.apps[f.ID]
		names := map[string]bool{}
		for _, c := range a.Images {
			if c.Image == "" || names[c.Container] {
				return fmt.Errorf("app %s: container %q has no image or occurs twice", a.ID, c.Container)
			}
			names[c.Container] = true
		}
		if !names[f.Container] {
			return fmt.Errorf("app %s: there is no container %q, only %v", a.ID, f.Container, a.Images)
		}
	}
	return nil
}

func fingerprintStable(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	other, err := s.world(ctx)
	if err != nil {
		return err
	}
	again, err := s.look(ctx, w.Orchestrator, w.Scope)
	if err != nil {
		return err
	}
	for _, f := range w.Apps {
		first := w.apps[f.ID].Fingerprint
		if first == "" {
			return fmt.Errorf("app %s has no fingerprint", f.ID)
		}
		if again[f.ID].Fingerprint != first || other.apps[f.ID].Fingerprint != first {
			return fmt.Errorf("app %s, which did not change, has the fingerprints %s, %s and, in another process, %s",
				f.ID, first, again[f.ID].Fingerprint, other.apps[f.ID].Fingerprint)
		}
	}
	return nil
}

func appsYieldStops(ctx context.Context, s *session) error {
	o, f, err := s.orchestrator(ctx)
	if err != nil {
		return err
	}
	enough := errors.New("the host has enough")
	calls := 0
	err = o.ListApps(ctx, orchestrator.ListRequest{Scope: f.Scope}, func(orchestrator.App) error {
		calls++
		return enough
	})
	if calls != 1 {
		return fmt.Errorf("yield was called %d times", calls)
	}
	if !errors.Is(err, enough) {
		return fmt.Errorf("the error of yield came back as %v", err) //nolint:errorlint // what came back is shown, not passed on
	}
	return nil
}

func concurrentReads(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	problems := make([]error, 6)
	for n := range problems {
		wait.Add(1)
		go func() {
			defer wait.Done()
			apps, err := s.look(ctx, w.Orchestrator, w.Scope)
			if err != nil {
				problems[n] = err
				return
			}
			for id, a := range apps {
				if a.Fingerprint != w.apps[id].Fingerprint {
					problems[n] = fmt.Errorf("app %s has another fingerprint under concurrent reads", id)
				}
			}
			if _, err := w.Snapshot(ctx, []string{w.Apps[0].ID}); s.hear(err) != nil {
				problems[n] = fmt.Errorf("snapshot %s: %w", w.Apps[0].ID, err)
			}
		}()
	}
	wait.Wait()
	return errors.Join(problems...)
}

func snapshotAsAsked(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	ids := []string{w.Apps[1].ID, w.Apps[0].ID}
	all, err := w.Snapshot(ctx, ids)
	if s.hear(err) != nil {
		return fmt.Errorf("snapshot %q: %w", ids, err)
	}
	if len(all) != len(ids) {
		return fmt.Errorf("%d snapshots for %d apps", len(all), len(ids))
	}
	for n, snap := range all {
		a := w.apps[ids[n]]
		if snap.App != ids[n] {
			return fmt.Errorf("snapshot %d is of app %s; asked for %s", n+1, snap.App, ids[n])
		}
		if len(snap.Data) == 0 || snap.Fingerprint != a.Fingerprint || !cmp.Equal(snap.Images, a.Images) {
			return fmt.Errorf("snapshot of %s: %d bytes, fingerprint %s and images %v; the app has %s and %v",
				snap.App, len(snap.Data), snap.Fingerprint, snap.Images, a.Fingerprint, a.Images)
		}
	}
	return nil
}

func snapshotMissing(ctx context.Context, s *session) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	if w.MissingApp == "" {
		return skip("the fixture names no missing app")
	}
	_, err = w.Snapshot(ctx, []string{w.Apps[0].ID, w.MissingApp})
	return want(s.hear(err), fault.NotFound)
}
