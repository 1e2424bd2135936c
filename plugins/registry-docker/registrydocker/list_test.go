package registrydocker_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
)

func TestAListingIsNewestBuildFirstAndOfTheWholeBranch(t *testing.T) {
	reg, host := memory(t)
	for i, tag := range []string{"9-master", "10-master", "1042-master", "12-premaster", "11-master-hotfix", "latest", "7-stage"} {
		push(t, reg, "backend-a:"+tag, registrytest.Image{Created: day(i + 1)})
	}
	got := mustList(t, configure(t, block{"address": host}, quick()), request("backend-a"))
	if d := cmp.Diff([]string{"1042-master", "10-master", "9-master"}, got.Order); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(registry.Listing{Repository: host + "/backend-a", Tags: 7, Matched: 3}, got.Listing); d != "" {
		t.Error(d)
	}
}

func TestAReleaseSaysWhatItIs(t *testing.T) {
	reg, host := memory(t)
	p := push(t, reg, "team/backend:3-master", registrytest.Image{
		Created:     day(3),
		Labels:      map[string]string{"version": "1.2", "both": "label"},
		Annotations: map[string]string{"both": "annotation", "only": "annotation"},
	})
	got := mustList(t, configure(t, block{"address": host + "/team"}, quick()), request("backend"))
	want := []registry.Release{{
		Repo: "backend", Tag: "3-master", Digest: p.Digest, Created: day(3), CreatedFrom: registry.FromConfig,
		Labels: map[string]string{"version": "1.2", "both": "label", "only": "annotation"},
	}}
	if d := cmp.Diff(want, got.Releases); d != "" {
		t.Error(d)
	}
	if got.Listing.Repository != host+"/team/backend" {
		t.Errorf("repository = %s", got.Listing.Repository)
	}
}

func TestTheDateComesFromTheFirstPlausibleSource(t *testing.T) {
	const key = "org.opencontainers.image.created"
	at := func(n int) map[string]string { return map[string]string{key: day(n).Format(time.RFC3339)} }
	text := func(s string) map[string]string { return map[string]string{key: s} }
	cases := []struct {
		name    string
		image   registrytest.Image
		tag     string
		sources []registry.DateSource
		want    time.Time
		from    registry.DateSource
	}{
		{"annotation first", registrytest.Image{Annotations: at(1), Labels: at(2), Created: day(3)}, "1-master", every, day(1), registry.FromAnnotation},
		{"then the label", registrytest.Image{Labels: at(2), Created: day(3)}, "1-master", every, day(2), registry.FromLabel},
		{"then the config", registrytest.Image{Created: day(3)}, "1-master", every, day(3), registry.FromConfig},
		{"then the tag", registrytest.Image{}, "20190604-1-master", every, time.Date(2019, 6, 4, 0, 0, 0, 0, time.UTC), registry.FromTag},
		{"the policy's order counts", registrytest.Image{Annotations: at(1), Labels: at(2), Created: day(3)}, "1-master", []registry.DateSource{registry.FromConfig, registry.FromAnnotation}, day(3), registry.FromConfig},
		{"1970 is no date", registrytest.Image{Annotations: text("1970-01-01T00:00:00Z"), Created: day(3)}, "1-master", every, day(3), registry.FromConfig},
		{"the first instant of 1980 is no date", registrytest.Image{Labels: text("1980-01-01T00:00:00Z"), Created: day(3)}, "1-master", every, day(3), registry.FromConfig},
		{"the next one is", registrytest.Image{Labels: text("1980-01-01T00:00:01Z"), Created: day(3)}, "1-master", every, time.Date(1980, 1, 1, 0, 0, 1, 0, time.UTC), registry.FromLabel},
		{"the future is no date", registrytest.Image{Annotations: text("2019-07-02T00:00:00Z"), Created: day(3)}, "1-master", every, day(3), registry.FromConfig},
		{"a day of clock skew is granted", registrytest.Image{Annotations: text("2019-07-01T12:00:00Z"), Created: day(3)}, "1-master", every, time.Date(2019, 7, 1, 12, 0, 0, 0, time.UTC), registry.FromAnnotation},
		{"nonsense is no date", registrytest.Image{Annotations: text("yesterday"), Created: day(3)}, "1-master", every, day(3), registry.FromConfig},
		{"a zone is honoured", registrytest.Image{Labels: text("2019-06-05T01:00:00+02:00")}, "1-master", every, time.Date(2019, 6, 4, 23, 0, 0, 0, time.UTC), registry.FromLabel},
		{"an empty config leaves the tag", registrytest.Image{Config: []byte("{}")}, "20190604-1-master", every, time.Date(2019, 6, 4, 0, 0, 0, 0, time.UTC), registry.FromTag},
		{"a config with odd fields leaves the tag", registrytest.Image{Config: []byte(`{"created":7,"config":{"Labels":["x"]}}`)}, "20190604-1-master", every, time.Date(2019, 6, 4, 0, 0, 0, 0, time.UTC), registry.FromTag},
		{"no source, no date", registrytest.Image{Created: time.Unix(0, 0)}, "1-master", every, time.Time{}, ""},
	}
	reg, host := memory(t)
	plugin := configure(t, block{"address": host}, quick())
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			repo := fmt.Sprintf("repo%d", i)
			push(t, reg, repo+":"+c.tag, c.image)
			req := request(repo)
			req.Pattern, req.DateFrom = `^(?:(?P<date>\d{8})-)?(?P<build>\d+)-(?P<branch>.+)$`, c.sources
			got := mustList(t, plugin, req)
			if c.want.IsZero() {
				if len(got.Skipped) != 1 || got.Skipped[0].Reason != registry.SkipNoDate {
					t.Fatalf("got %+v, want a skipped tag", got)
				}
				for _, source := range every {
					if !strings.Contains(got.Skipped[0].Detail, string(source)) {
						t.Errorf("the detail does not say that %s was tried: %s", source, got.Skipped[0].Detail)
					}
				}
				return
			}
			if len(got.Releases) != 1 {
				t.Fatalf("got %+v", got)
			}
			r := got.Releases[0]
			if !r.Created.Equal(c.want) || r.CreatedFrom != c.from {
				t.Errorf("got %s from %s, want %s from %s", r.Created, r.CreatedFrom, c.want, c.from)
			}
		})
	}
}

func TestTagsThatAreNoReleasesAreSkippedWithTheirReason(t *testing.T) {
	reg, host := memory(t)
	ctx := t.Context()
	ok := must[registrytest.Pushed](t)
	ok(reg.PushArtifact(ctx, "app:1-master", registrytest.Signature))
	ok(reg.PushArtifact(ctx, "app:2-master", registrytest.SBOM))
	ok(reg.PushArtifact(ctx, "app:3-master", registrytest.Chart))
	ok(reg.PushIndex(ctx, "app:4-master", registrytest.Index{Images: []registrytest.Image{{Created: day(4), Platform: "linux/arm64"}}}))
	if err := reg.Manifest(ctx, "app", "5-master", "application/vnd.example.thing+json", []byte(`{"schemaVersion":2,"mediaType":"application/vnd.example.thing+json"}`)); err != nil {
		t.Fatal(err)
	}
	gone := push(t, reg, "app:6-master", registrytest.Image{Created: day(6)})
	if err := reg.Delete(ctx, "app", "blobs/"+gone.Configs[0]); err != nil {
		t.Fatal(err)
	}
	ok(reg.PushIndex(ctx, "app:7-master", registrytest.Index{ArtifactType: "application/vnd.dev.sigstore.bundle.v0.3+json"}))
	ok(reg.PushIndex(ctx, "app:8-master", registrytest.Index{Attestation: true}))
	child := ok(reg.PushIndex(ctx, "app:9-master", registrytest.Index{Images: []registrytest.Image{{Created: day(9)}}}))
	if err := reg.Delete(ctx, "app", "manifests/"+child.Manifests[0]); err != nil {
		t.Fatal(err)
	}
	push(t, reg, "app:10-master", registrytest.Image{Config: []byte(`[]`)})
	push(t, reg, "app:11-master", registrytest.Image{Created: day(11)})
	got := mustList(t, configure(t, block{"address": host}, quick()), request("app"))
	want := map[string]registry.SkipReason{
		"1-master": registry.SkipNotImage, "2-master": registry.SkipNotImage, "3-master": registry.SkipNotImage,
		"4-master": registry.SkipNoPlatform, "5-master": registry.SkipUnsupported, "6-master": registry.SkipGone,
		"7-master": registry.SkipNotImage, "8-master": registry.SkipNoPlatform, "9-master": registry.SkipGone,
		"10-master": registry.SkipUnsupported,
	}
	if d := cmp.Diff(want, reasons(got)); d != "" {
		t.Error(d)
	}
	if len(got.Releases) != 1 || got.Listing.Matched != 11 {
		t.Errorf("got %+v", got)
	}
	for _, s := range got.Skipped {
		if s.Detail == "" || s.Digest == "" {
			t.Errorf("%s is skipped without detail or digest: %+v", s.Tag, s)
		}
	}
}

func TestATagThatIsDeletedWhileListingIsGone(t *testing.T) {
	var reg *registrytest.Registry
	reg, host := memory(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			next.ServeHTTP(w, req)
			if isList(req) {
				if err := reg.Delete(t.Context(), "app", "manifests/2-master"); err != nil {
					t.Error(err)
				}
			}
		})
	})
	push(t, reg, "app:1-master", registrytest.Image{Created: day(1)})
	push(t, reg, "app:2-master", registrytest.Image{Created: day(2)})
	got := mustList(t, configure(t, block{"address": host}, quick()), request("app"))
	if d := cmp.Diff(map[string]registry.SkipReason{"2-master": registry.SkipGone}, reasons(got)); d != "" || len(got.Releases) != 1 {
		t.Errorf("%+v %s", got, d)
	}
}

func TestAnIndexGivesItsOwnDigestAndThePlatformsImage(t *testing.T) {
	images := []registrytest.Image{
		{Created: day(1), Platform: "linux/amd64"},
		{Created: day(2), Platform: "linux/arm/v6"},
		{Created: day(3), Platform: "linux/arm/v7"},
		{Created: day(4), Platform: "linux/arm64/v8"},
		{Created: day(5), Platform: "windows/amd64"},
		{Created: day(6), Platform: "linux/amd64/v3"},
	}
	cases := []struct {
		platform string
		want     time.Time
	}{
		{"linux/amd64", day(1)},
		{"linux/amd64/v2", day(1)},
		{"linux/amd64/v3", day(6)},
		{"linux/amd64/v4", day(6)},
		{"linux/arm", day(3)},
		{"linux/arm/v6", day(2)},
		{"linux/arm64", day(4)},
		{"windows/amd64", day(5)},
		{"", day(1)},
		{"linux/arm/v5", time.Time{}},
		{"linux/s390x", time.Time{}},
	}
	for _, docker := range []bool{false, true} {
		reg, host := memory(t)
		p, err := reg.PushIndex(t.Context(), "app:1-master", registrytest.Index{Images: images, Docker: docker, Attestation: !docker})
		if err != nil {
			t.Fatal(err)
		}
		plugin := configure(t, block{"address": host}, quick())
		for _, c := range cases {
			t.Run(fmt.Sprintf("docker=%v %s", docker, c.platform), func(t *testing.T) {
				req := request("app")
				req.Platform = c.platform
				got := mustList(t, plugin, req)
				if c.want.IsZero() {
					if reasons(got)["1-master"] != registry.SkipNoPlatform {
						t.Errorf("got %+v", got)
					}
					return
				}
				if len(got.Releases) != 1 || !got.Releases[0].Created.Equal(c.want) || got.Releases[0].Digest != p.Digest {
					t.Errorf("got %+v, want %s", got, c.want)
				}
			})
		}
	}
}

func TestAnIndexWithoutPlatformsIsLookedInto(t *testing.T) {
	reg, host := memory(t)
	p, err := reg.PushIndex(t.Context(), "app:1-master", registrytest.Index{Nameless: true, Images: []registrytest.Image{
		{Created: day(1), Platform: "linux/arm64"}, {Created: day(2), Platform: "linux/amd64"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	plugin := configure(t, block{"address": host}, quick())
	got := mustList(t, plugin, request("app"))
	if len(got.Releases) != 1 || !got.Releases[0].Created.Equal(day(2)) {
		t.Errorf("got %+v", got)
	}
	res, err := plugin.Resolve(t.Context(), registry.ResolveRequest{Repo: "app", Digest: p.Digest, Platform: "linux/amd64"})
	if err != nil || !res.Pullable || !res.Created.Equal(day(2)) {
		t.Errorf("got %+v, %v", res, err)
	}
}

func TestSchema1IsDatedByItsNewestLayer(t *testing.T) {
	for _, signed := range []bool{false, true} {
		reg, host := memory(t)
		p, err := reg.PushSchema1(t.Context(), "app:1-master", registrytest.Schema1{
			History: []time.Time{day(3), day(5), day(1)}, Labels: map[string]string{"a": "b"}, Signed: signed,
		})
		if err != nil {
			t.Fatal(err)
		}
		plugin := configure(t, block{"address": host}, quick())
		if signed {
			// The registry in memory promises the digest of the whole text, which real ones do not.
			if _, err := list(t.Context(), plugin, request("app")); !fault.Is(err, fault.Internal) {
				t.Errorf("err = %v", err)
			}
			continue
		}
		got := mustList(t, plugin, request("app"))
		want := []registry.Release{{Repo: "app", Tag: "1-master", Digest: p.Digest, Created: day(5), CreatedFrom: registry.FromConfig, Labels: map[string]string{"a": "b"}}}
		if d := cmp.Diff(want, got.Releases); d != "" {
			t.Error(d)
		}
	}
}

func TestAnEmptyRepoIsAListingOfNothing(t *testing.T) {
	for _, tags := range []string{"null", "[]"} {
		_, host := memory(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"name":"app","tags":%s}`, tags)
			})
		})
		got := mustList(t, configure(t, block{"address": host}, quick()), request("app"))
		if d := cmp.Diff(listed{Listing: registry.Listing{Repository: host + "/app"}}, got); d != "" {
			t.Error(d)
		}
	}
}

func TestARepoThatDoesNotExistIsNotFound(t *testing.T) {
	_, host := memory(t)
	_, err := list(t.Context(), configure(t, block{"address": host}, quick()), request("nothing"))
	if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), host+"/nothing") {
		t.Errorf("err = %v", err)
	}
}

func TestTheHostStopsAListing(t *testing.T) {
	var asked atomic.Int64
	reg, host := memory(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			asked.Add(1)
			next.ServeHTTP(w, req)
		})
	})
	for i := range 300 {
		push(t, reg, fmt.Sprintf("app:%d-master", i), registrytest.Image{Created: day(1).Add(time.Duration(i) * time.Minute)})
	}
	enough := errors.New("enough")
	n := 0
	err := configure(t, block{"address": host}, quick()).ListReleases(t.Context(), request("app"), func(registry.Item) error {
		if n++; n == 1+20 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("err = %v", err)
	}
	// A list, and two requests for each tag that was yielded or looked at ahead.
	if got := asked.Load(); got > 1+2*(20+28) {
		t.Errorf("%d requests for 20 releases", got)
	}
}

func TestAWarmListingAsksForNoConfigAgain(t *testing.T) {
	var blobs, all atomic.Int64
	reg, host := memory(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			all.Add(1)
			if strings.Contains(req.URL.Path, "/blobs/") {
				blobs.Add(1)
			}
			next.ServeHTTP(w, req)
		})
	})
	for i := range 30 {
		push(t, reg, fmt.Sprintf("app:%d-master", i), registrytest.Image{Created: day(1).Add(time.Duration(i) * time.Minute)})
	}
	o := quick()
	o.CacheDir = t.TempDir()
	cold := mustList(t, configure(t, block{"address": host}, o), request("app"))
	if got := all.Swap(0); got != 61 {
		t.Errorf("cold: %d requests, want 61", got)
	}
	blobs.Store(0)
	warm := mustList(t, configure(t, block{"address": host}, o), request("app"))
	if d := cmp.Diff(cold, warm); d != "" {
		t.Error(d)
	}
	if blobs.Load() != 0 || all.Load() != 31 {
		t.Errorf("warm: %d blobs, %d requests", blobs.Load(), all.Load())
	}
}
