package registrytest

import (
	"context"
	"errors"
	"time"

	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/registry"
)

// Story fills a registry with one repo of everything that is met in real ones, and returns what a plugin must see of it,
// for the conformance suite. The registry must allow deletes; schema1 says that it still takes manifests of that kind.
func Story(ctx context.Context, r *Registry, schema1 bool) (conformance.RegistryFixture, error) {
	s := &story{ctx: ctx, registry: r}
	s.releases()
	s.oddities(schema1)
	s.otherBranches()
	// A repo of which everything was deleted.
	p := s.push("story/empty:1-master", Image{Created: storyDay(1)})
	s.try(r.Delete(ctx, "story/empty", "manifests/"+p.Digest))
	_ = r.Delete(ctx, "story/empty", "manifests/1-master") // some delete the tag with the digest, some must be told
	return conformance.RegistryFixture{
		Repo: storyRepo, Branch: "master", Items: s.items,
		MissingRepo: "story/there-is-no-such-repo", EmptyRepo: "story/empty",
		IndexTag: "10-master", BrokenTag: "4-master", ForeignRepository: "registry.example.com/" + storyRepo,
	}, s.err
}

const storyRepo = "story/backend-a"

// storyDay is ten o'clock on a day of June 2019.
func storyDay(n int) time.Time { return time.Date(2019, 6, n, 10, 0, 0, 0, time.UTC) }

// story keeps the first error, so that its steps read as a list.
type story struct {
	ctx      context.Context //nolint:containedctx // lives as long as one call of Story
	registry *Registry
	items    []conformance.Item
	err      error
}

func (s *story) try(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *story) push(ref string, img Image) Pushed {
	p, err := s.registry.Push(s.ctx, ref, img)
	s.try(err)
	return p
}

// releases are images of every form, newest build first, which is not the order of their names or dates.
func (s *story) releases() {
	created := func(n int) *time.Time { at := storyDay(n); return &at }
	p := s.push(storyRepo+":1042-master", Image{Created: storyDay(5), Labels: map[string]string{"version": "1042"}, Docker: true, Layers: []string{"1042"}})
	s.items = append(s.items, conformance.Item{
		Tag: "1042-master", Digest: p.Digest, Created: created(5), CreatedFrom: registry.FromConfig, Labels: map[string]string{"version": "1042"},
	})
	p, err := s.registry.PushIndex(s.ctx, storyRepo+":10-master", Index{Docker: true, Images: []Image{
		{Created: storyDay(7), Platform: "linux/arm64/v8"}, {Created: storyDay(6), Platform: "linux/amd64"},
	}})
	s.try(err)
	s.items = append(s.items, conformance.Item{Tag: "10-master", Digest: p.Digest, Created: created(6), CreatedFrom: registry.FromConfig})
	p = s.push(storyRepo+":9-master", Image{
		Created: time.Unix(0, 0), Annotations: map[string]string{"org.opencontainers.image.created": storyDay(4).Format(time.RFC3339), "team": "blue"},
	})
	s.items = append(s.items, conformance.Item{
		Tag: "9-master", Digest: p.Digest, Created: created(4), CreatedFrom: registry.FromAnnotation, Labels: map[string]string{"team": "blue"},
	})
	p, err = s.registry.PushIndex(s.ctx, storyRepo+":8-master", Index{
		Images:      []Image{{Labels: map[string]string{"org.opencontainers.image.created": storyDay(3).Format(time.RFC3339)}}},
		Attestation: true,
	})
	s.try(err)
	s.items = append(s.items, conformance.Item{Tag: "8-master", Digest: p.Digest, Created: created(3), CreatedFrom: registry.FromLabel})
}

// oddities are tags of the branch that are no releases, or no whole ones.
func (s *story) oddities(schema1 bool) {
	_, err := s.registry.PushArtifact(s.ctx, storyRepo+":7-master", Chart)
	s.try(err)
	s.items = append(s.items, conformance.Item{Tag: "7-master", Skip: registry.SkipNotImage})
	s.push(storyRepo+":6-master", Image{Created: time.Unix(0, 0), Labels: map[string]string{"reproducible": "yes"}})
	s.items = append(s.items, conformance.Item{Tag: "6-master", Skip: registry.SkipNoDate})
	if schema1 {
		p, err := s.registry.PushSchema1(s.ctx, storyRepo+":5-master", Schema1{
			History: []time.Time{storyDay(1), storyDay(2)}, Labels: map[string]string{"old": "yes"}, Signed: true,
		})
		s.try(err)
		at := storyDay(2)
		s.items = append(s.items, conformance.Item{
			Tag: "5-master", Digest: p.Digest, Created: &at, CreatedFrom: registry.FromConfig, Labels: map[string]string{"old": "yes"},
		})
	}
	broken := s.push(storyRepo+":4-master", Image{Created: storyDay(1), Labels: map[string]string{"broken": "yes"}, Layers: []string{"of build 4"}})
	at := storyDay(1)
	s.items = append(s.items, conformance.Item{Tag: "4-master", Digest: broken.Digest, Created: &at})
	headless := s.push(storyRepo+":3-master", Image{Created: storyDay(1), Labels: map[string]string{"headless": "yes"}})
	s.items = append(s.items, conformance.Item{Tag: "3-master", Skip: registry.SkipGone})
	if len(broken.Layers) < 2 || len(headless.Configs) < 1 {
		s.try(errors.New("an image was pushed without its parts"))
		return
	}
	s.try(s.registry.Delete(s.ctx, storyRepo, "blobs/"+broken.Layers[1]))
	s.try(s.registry.Delete(s.ctx, storyRepo, "blobs/"+headless.Configs[0]))
}

// otherBranches are tags that only look like the branch's.
func (s *story) otherBranches() {
	for _, tag := range []string{"12-premaster", "11-master-hotfix", "13-stage", "latest", "master"} {
		s.push(storyRepo+":"+tag, Image{Created: storyDay(20)})
	}
}
