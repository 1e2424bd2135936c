package registrydocker_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
)

func TestResolveTellsWhetherAllOfAnImageIsThere(t *testing.T) {
	reg, host := memory(t)
	ctx := t.Context()
	img := func(n int) registrytest.Image {
		return registrytest.Image{Created: day(n), Labels: map[string]string{"n": day(n).String()}, Layers: []string{day(n).String()}, Foreign: true}
	}
	whole := push(t, reg, "app:1-master", img(1))
	noLayer := push(t, reg, "app:2-master", img(2))
	noConfig := push(t, reg, "app:3-master", img(3))
	arm := img(4)
	arm.Platform = "linux/arm64"
	push(t, reg, "app:4-master", arm)
	index, err := reg.PushIndex(ctx, "app:5-master", registrytest.Index{
		Images: []registrytest.Image{{Created: day(5), Layers: []string{"amd"}}, {Created: day(6), Platform: "linux/arm64", Layers: []string{"arm"}}}, Attestation: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := reg.PushArtifact(ctx, "app:6-master", registrytest.Chart)
	if err != nil {
		t.Fatal(err)
	}
	// The newest layer of the index's second image is gone: only arm64 suffers.
	for _, blob := range []string{noLayer.Layers[1], noConfig.Configs[0], registrytest.Digest([]byte("arm"))} {
		if err := reg.Delete(ctx, "app", "blobs/"+blob); err != nil {
			t.Fatal(err)
		}
	}
	const absent = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	labels := func(n int) map[string]string { return map[string]string{"n": day(n).String()} }
	type result = registry.ResolveResult
	cases := []struct {
		name string
		req  registry.ResolveRequest
		want result
	}{
		{
			"a whole image by tag",
			registry.ResolveRequest{Tag: "1-master", Platform: "linux/amd64"},
			result{Found: true, Digest: whole.Digest, Pullable: true, Created: day(1), Labels: labels(1)},
		},
		{
			"by digest",
			registry.ResolveRequest{Digest: whole.Digest, Platform: "linux/amd64"},
			result{Found: true, Digest: whole.Digest, Pullable: true, Created: day(1), Labels: labels(1)},
		},
		{
			"by both",
			registry.ResolveRequest{Tag: "1-master", Digest: whole.Digest},
			result{Found: true, Digest: whole.Digest, Pullable: true, Created: day(1), Labels: labels(1)},
		},
		{
			"the tag points elsewhere",
			registry.ResolveRequest{Tag: "2-master", Digest: whole.Digest},
			result{Found: true, Digest: whole.Digest, TagMoved: true, Pullable: true, Created: day(1), Labels: labels(1)},
		},
		{
			"the tag is gone",
			registry.ResolveRequest{Tag: "99-master", Digest: whole.Digest},
			result{Found: true, Digest: whole.Digest, TagMoved: true, Pullable: true, Created: day(1), Labels: labels(1)},
		},
		{"nothing by tag", registry.ResolveRequest{Tag: "99-master"}, result{}},
		{"nothing by digest", registry.ResolveRequest{Digest: absent}, result{Digest: absent}},
		{"nothing in another repo", registry.ResolveRequest{Repository: host + "/other", Tag: "1-master"}, result{}},
		{
			"a layer is gone",
			registry.ResolveRequest{Tag: "2-master", Platform: "linux/amd64"},
			result{Found: true, Digest: noLayer.Digest, Missing: []string{"layer " + noLayer.Layers[1]}, Created: day(2), Labels: labels(2)},
		},
		{
			"the config is gone",
			registry.ResolveRequest{Tag: "3-master", Platform: "linux/amd64"},
			result{Found: true, Digest: noConfig.Digest, Missing: []string{"config " + noConfig.Configs[0]}},
		},
		{
			"the index has the platform",
			registry.ResolveRequest{Digest: index.Digest, Platform: "linux/amd64"},
			result{Found: true, Digest: index.Digest, Pullable: true, Created: day(5)},
		},
		{
			"one platform of an index has lost a layer",
			registry.ResolveRequest{Digest: index.Digest, Platform: "linux/arm64"},
			result{Found: true, Digest: index.Digest, Missing: []string{"layer " + registrytest.Digest([]byte("arm"))}, Created: day(6)},
		},
		{
			"any platform means all",
			registry.ResolveRequest{Digest: index.Digest},
			result{Found: true, Digest: index.Digest, Missing: []string{"layer " + registrytest.Digest([]byte("arm"))}, Created: day(5)},
		},
		{
			"the index lacks the platform",
			registry.ResolveRequest{Digest: index.Digest, Platform: "linux/s390x"},
			result{Found: true, Digest: index.Digest, Missing: []string{"platform linux/s390x"}},
		},
		{
			"an artifact is no image",
			registry.ResolveRequest{Tag: "6-master"},
			result{Found: true, Digest: artifact.Digest, Missing: []string{"image (it is an artifact of the type application/vnd.cncf.helm.config.v1+json)"}},
		},
	}
	plugin := configure(t, block{"address": host}, quick())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.req.Repository == "" {
				c.req.Repo = "app"
			}
			got, err := plugin.Resolve(ctx, c.req)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	t.Run("the platform of a single image", func(t *testing.T) {
		got, err := plugin.Resolve(ctx, registry.ResolveRequest{Repo: "app", Tag: "4-master", Platform: "linux/amd64"})
		if err != nil || got.Pullable || !cmp.Equal(got.Missing, []string{"platform linux/amd64"}) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestResolveOfSchema1ChecksItsLayers(t *testing.T) {
	reg, host := memory(t)
	p, err := reg.PushSchema1(t.Context(), "app:1-master", registrytest.Schema1{History: []time.Time{day(2), day(1)}})
	if err != nil {
		t.Fatal(err)
	}
	plugin := configure(t, block{"address": host}, quick())
	got, err := plugin.Resolve(t.Context(), registry.ResolveRequest{Repo: "app", Digest: p.Digest, Platform: "linux/amd64"})
	if err != nil || !got.Pullable || !got.Created.Equal(day(2)) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := reg.Delete(t.Context(), "app", "blobs/"+p.Layers[0]); err != nil {
		t.Fatal(err)
	}
	got, err = plugin.Resolve(t.Context(), registry.ResolveRequest{Repo: "app", Digest: p.Digest, Platform: "linux/amd64"})
	if err != nil || got.Pullable || !cmp.Equal(got.Missing, []string{"layer " + p.Layers[0]}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestResolveOfAnotherHostIsUnsupported(t *testing.T) {
	_, host := memory(t)
	plugin := configure(t, block{"address": host + "/team"}, quick())
	for _, repository := range []string{"registry.example.com/team/app", "docker.io/library/nginx", "nginx", "127.0.0.1:1/app"} {
		_, err := plugin.Resolve(t.Context(), registry.ResolveRequest{Repository: repository, Tag: "1-master"})
		if !fault.Is(err, fault.Unsupported) {
			t.Errorf("%s: err = %v", repository, err)
		}
	}
}

func TestResolveRefusesNonsense(t *testing.T) {
	_, host := memory(t)
	plugin := configure(t, block{"address": host}, quick())
	for name, req := range map[string]registry.ResolveRequest{
		"neither tag nor digest": {Repo: "app"},
		"a tag with a slash":     {Repo: "app", Tag: "../../x"},
		"half a digest":          {Repo: "app", Digest: "sha256:12"},
		"a repo that climbs":     {Repo: "../x", Tag: "1"},
		"an upper-case repo":     {Repo: "App", Tag: "1"},
		"half a platform":        {Repo: "app", Tag: "1", Platform: "linux"},
		"a full reference":       {Repository: host + "/app:1", Tag: "1"},
	} {
		if _, err := plugin.Resolve(t.Context(), req); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}
