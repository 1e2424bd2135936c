package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/registry"
)

// days are the days of June 2019 on which the repos of the picture were released, oldest first; builds count up from 8.
var days = []struct {
	repo string
	days []int
}{
	{"backend-a", []int{1, 2, 5, 6, 7}},
	{"backend-b", []int{1, 4, 5, 7}},
	{"backend-c", []int{1, 4, 6, 7}},
	{"frontend", []int{1, 2, 5, 6, 7}},
}

// matrix is the picture of `rollback points`, in colour: four repos and a week, in which backend-b was not released
// on the last day but one.
func matrix() string {
	p := policy.Defaults()
	var repos []point.Repo
	var running []point.Running
	for _, d := range days {
		p.AddRepo(d.repo)
		repo := point.Repo{Name: d.repo, Repository: "registry.example.com/" + d.repo, Tags: len(d.days), Matched: len(d.days), Complete: true}
		for i := len(d.days) - 1; i >= 0; i-- {
			repo.Releases = append(repo.Releases, point.Release{
				Repo: d.repo, Tag: fmt.Sprintf("%d-master", 8+i), Build: fmt.Sprint(8 + i),
				Digest: fmt.Sprintf("sha256:%060d%02d%02d", 0, len(repos), i), Created: time.Date(2019, 6, d.days[i], 10, 0, 0, 0, time.UTC),
				CreatedFrom: registry.FromConfig,
			})
		}
		repos = append(repos, repo)
		newest := repo.Releases[0]
		running = append(running, point.Running{Repo: d.repo, App: "/ds/prod/" + d.repo, Tag: newest.Tag, Digest: newest.Digest})
	}
	timeline := point.Build(repos, point.Options{Rules: p.Repos, By: p.Points.By, Zone: time.UTC})
	look := view.Look{
		Paint: term.Paint{On: true}, Unicode: true, Width: 100,
		Now: func() time.Time { return time.Date(2019, 6, 7, 12, 0, 0, 0, time.UTC) },
	}
	var b bytes.Buffer
	view.Points(&b, look, timeline.Matrix(running), view.PointsHead{Environment: "prod", Branch: "master", Timezone: "UTC"})
	return svg("The output of rollback points: which release each repo would get at which date", b.String())
}
