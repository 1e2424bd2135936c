package sandbox

import (
	"fmt"
	"time"
)

// services are the four of the article: three backends and one frontend.
var services = []string{"backend-a", "backend-b", "backend-c", "frontend"}

// environment is one environment of the sandbox.
type environment struct {
	name, branch, scope string
}

var environments = []environment{
	{"prod", "master", "/ds/prod"},
	{"stage", "stage", "/ds/stage"},
}

// built says which services were released how many days ago, oldest first. One day ago backend-b was not:
// that is the article's picture. Builds count up from 8, so that 9 and 10 both occur.
var built = []struct {
	daysAgo  int
	services []string
}{
	{6, []string{"backend-a", "backend-b", "backend-c", "frontend"}},
	{5, []string{"backend-a", "frontend"}},
	{3, []string{"backend-b", "backend-c"}},
	{2, []string{"backend-a", "backend-b", "frontend"}},
	{1, []string{"backend-a", "backend-c", "frontend"}},
	{0, []string{"backend-a", "backend-b", "backend-c", "frontend"}},
}

// firstBuild is the build number of each service's first release.
const firstBuild = 8

// image is one image to push.
type image struct {
	repo, tag, branch string
	created           time.Time
}

// history lists every image of every environment, oldest first, as seen at now.
func history(now time.Time) []image {
	now = now.UTC()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	next := map[string]int{}
	var images []image
	for _, day := range built {
		at := today.AddDate(0, 0, -day.daysAgo).Add(10 * time.Hour)
		if day.daysAgo == 0 {
			// Today's release is of today, and never in the future.
			at = today.Add(now.Sub(today) / 2)
		}
		for i, s := range day.services {
			if next[s] == 0 {
				next[s] = firstBuild
			}
			for _, e := range environments {
				images = append(images, image{repo: s, tag: fmt.Sprintf("%d-%s", next[s], e.branch), branch: e.branch, created: at.Add(time.Duration(i) * time.Second)})
			}
			next[s]++
		}
	}
	// A branch whose name ends like another's: the article's script took it for a release of master.
	images = append(images, image{repo: "backend-b", tag: "12-premaster", branch: "premaster", created: today.AddDate(0, 0, -1).Add(11 * time.Hour)})
	return images
}

// newest is the tag that a service runs in an environment at first: its last.
func newest(images []image, service string, e environment) string {
	tag := ""
	for _, i := range images {
		if i.repo == service && i.branch == e.branch {
			tag = i.tag
		}
	}
	return tag
}

// tagsOf lists a service's tags in an environment, oldest first.
func tagsOf(images []image, service string, e environment) []image {
	var out []image
	for _, i := range images {
		if i.repo == service && i.branch == e.branch {
			out = append(out, i)
		}
	}
	return out
}
