package journal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
)

func TestReplay(t *testing.T) {
	at := time.Date(2019, 6, 3, 3, 0, 0, 0, time.UTC)
	header := &journal.Header{OperationID: "01", Environment: "prod"}
	started := journal.Entry{Step: journal.Started, Header: header, At: at}
	cases := []struct {
		name    string
		entries []journal.Entry
		want    journal.Progress
	}{
		{"no entries: nothing has happened", nil, journal.Progress{}},
		{
			"before the first wave nothing is touched",
			[]journal.Entry{started, {Step: journal.Snapshotted}},
			journal.Progress{Header: header, StartedAt: at},
		},
		{
			"a wave that was about to be sent may have changed something",
			[]journal.Entry{started, {Step: journal.Snapshotted}, {Step: journal.WaveStarting, Wave: 1}},
			journal.Progress{Header: header, StartedAt: at, Touched: []int{1}},
		},
		{
			"an accepted deployment is under way until its wave is healthy",
			[]journal.Entry{started, {Step: journal.WaveStarting, Wave: 1}, {Step: journal.Accepted, Wave: 1, DeploymentID: "d1"}},
			journal.Progress{Header: header, StartedAt: at, Touched: []int{1}, Deployments: []string{"d1"}},
		},
		{
			"a healthy wave leaves no deployment",
			[]journal.Entry{started, {Step: journal.WaveStarting, Wave: 1}, {Step: journal.Accepted, DeploymentID: "d1"}, {Step: journal.WaveHealthy, Wave: 1}},
			journal.Progress{Header: header, StartedAt: at, Touched: []int{1}},
		},
		{
			"a restored operation names the waves it put back",
			[]journal.Entry{
				started,
				{Step: journal.WaveStarting, Wave: 1},
				{Step: journal.Failing},
				{Step: journal.RestoreStarting, Wave: 1},
				{Step: journal.RestoreAccepted, DeploymentID: "d2"},
				{Step: journal.WaveRestored, Wave: 1},
				{Step: journal.Ended, Outcome: event.Restored, At: at},
			},
			journal.Progress{Header: header, StartedAt: at, EndedAt: at, Touched: []int{1}, Restored: []int{1}, Failing: true, Outcome: event.Restored},
		},
		{
			"a step of a newer version is passed over",
			[]journal.Entry{started, {Step: "quarantined"}},
			journal.Progress{Header: header, StartedAt: at},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, journal.Replay(c.entries)); d != "" {
				t.Error(d)
			}
		})
	}
}
