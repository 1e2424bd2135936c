package point

import (
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/registry"
)

// Deployment is one thing that an orchestrator remembers an app of a repo to have run.
type Deployment struct {
	Repo, App string
	// Tag and Digest are those of the image reference; either may be "".
	Tag, Digest string
	// At is when it became the app's configuration.
	At time.Time
}

// Deployed puts what the orchestrator remembers in the place of the registry's releases
// (points.source = "deployments"): each Repo of the result has a Release a deployment, placed at its instant,
// and is complete, for an orchestrator's memory has no older part to read. An app's deployments that change
// only configuration, not the image, are one. What the registry knows of an image (digest, creation,
// labels, what is gone) is taken over; of one that it does not know only the tag and digest are told.
// The pattern gives the builds of such tags. A repo that is unknown stays so.
func Deployed(repos []Repo, deployments []Deployment, pattern *registry.Pattern) []Repo {
	out := make([]Repo, len(repos))
	for i, repo := range repos {
		out[i] = repo
		if repo.Unknown != "" {
			continue
		}
		out[i].Complete, out[i].Horizon, out[i].Releases = true, time.Time{}, nil
		for _, d := range changes(repo.Name, deployments) {
			out[i].Releases = append(out[i].Releases, deployed(&repos[i], d, pattern))
		}
		slices.Reverse(out[i].Releases)
		slices.SortStableFunc(out[i].Releases, func(a, b Release) int { return newestFirst(&a, &b) })
	}
	return out
}

// changes returns the deployments of a repo, oldest first, without those that repeat the image before.
func changes(repo string, all []Deployment) []Deployment {
	var mine []Deployment
	for _, d := range all {
		if d.Repo == repo {
			mine = append(mine, d)
		}
	}
	slices.SortFunc(mine, func(a, b Deployment) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.App+" "+a.Tag+a.Digest, b.App+" "+b.Tag+b.Digest)
	})
	// First app by app, so that another app's change does not hide a mere change of configuration.
	image := map[string]string{}
	mine = slices.DeleteFunc(mine, func(d Deployment) bool {
		same := image[d.App] == d.Tag+"@"+d.Digest
		image[d.App] = d.Tag + "@" + d.Digest
		return same
	})
	return slices.CompactFunc(mine, func(a, b Deployment) bool { return a.Tag == b.Tag && a.Digest == b.Digest })
}

func deployed(repo *Repo, d Deployment, pattern *registry.Pattern) Release {
	r := Release{Repo: repo.Name, Tag: d.Tag, Digest: d.Digest}
	if known := repo.Lookup(d.Tag, d.Digest); known != nil {
		r = *known
	} else if tag, ok := pattern.Parse(d.Tag); ok {
		r.Build = tag.Build
	}
	r.Deployed = d.At
	return r
}
