package journal_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
)

func TestReplaySaysWhatIsLeftToDo(t *testing.T) {
	started := journal.Entry{Step: journal.Started}
	snapshotted := journal.Entry{Step: journal.Snapshotted}
	wave := func(step journal.Step, n int) journal.Entry { return journal.Entry{Step: step, Wave: n} }
	accepted := journal.Entry{Step: journal.Accepted, Wave: 1, DeploymentID: "d1", Apps: []string{"/a"}}
	failing := journal.Entry{Step: journal.Failing, Reason: "/a crashes"}
	cases := []struct {
		name    string
		entries []journal.Entry
		want    journal.Progress
	}{
		{"no entries: nothing has happened", nil, journal.Progress{Next: journal.Begin}},
		{"begun, and nothing read yet", []journal.Entry{started}, journal.Progress{Next: journal.Begin}},
		{"before the first wave nothing is touched", []journal.Entry{started, snapshotted}, journal.Progress{Next: journal.Continue}},
		{
			"a wave that was about to be sent may have changed something",
			[]journal.Entry{started, snapshotted, wave(journal.WaveStarting, 1)},
			journal.Progress{Next: journal.Continue, Begun: []int{1}},
		},
		{
			"an accepted deployment is open until its wave is healthy",
			[]journal.Entry{started, wave(journal.WaveStarting, 1), accepted},
			journal.Progress{Next: journal.Continue, Begun: []int{1}, Open: []string{"d1"}, Sent: map[int][]string{1: {"/a"}}},
		},
		{
			"one that is accepted again, after it was taken up, is one",
			[]journal.Entry{started, wave(journal.WaveStarting, 1), accepted, {Step: journal.Resumed}, wave(journal.WaveStarting, 1), accepted},
			journal.Progress{Next: journal.Continue, Begun: []int{1}, Open: []string{"d1"}, Sent: map[int][]string{1: {"/a", "/a"}}},
		},
		{
			"a healthy wave leaves no deployment",
			[]journal.Entry{started, wave(journal.WaveStarting, 1), accepted, wave(journal.WaveHealthy, 1)},
			journal.Progress{Next: journal.Continue, Begun: []int{1}, Healthy: []int{1}, Sent: map[int][]string{1: {"/a"}}},
		},
		{
			"one that failed is put back, whoever takes it up",
			[]journal.Entry{started, wave(journal.WaveStarting, 1), failing, {Step: journal.Resumed}},
			journal.Progress{Next: journal.PutBack, Begun: []int{1}, Cause: "/a crashes"},
		},
		{
			"one that was stopped at once is put back",
			[]journal.Entry{started, wave(journal.WaveStarting, 1), {Step: journal.Stopped, Interrupted: true, Reason: "interrupted"}},
			journal.Progress{Next: journal.PutBack, Begun: []int{1}, Cause: "interrupted", Interrupted: true},
		},
		{
			"a restored operation is over",
			[]journal.Entry{
				started, wave(journal.WaveStarting, 1), failing, wave(journal.RestoreStarting, 1),
				{Step: journal.RestoreAccepted, DeploymentID: "d2"},
				wave(journal.WaveRestored, 1),
				{Step: journal.Ended, Outcome: event.Restored},
			},
			journal.Progress{Next: journal.Nothing, Begun: []int{1}, Restored: []int{1}, Cause: "/a crashes", Outcome: event.Restored, Ends: 1},
		},
		{
			"one that needed a person is put back from the start when it is taken up",
			[]journal.Entry{
				started, wave(journal.WaveStarting, 1), failing, wave(journal.WaveRestored, 1),
				{Step: journal.Ended, Outcome: event.NeedsPerson},
				{Step: journal.Resumed},
			},
			journal.Progress{Next: journal.PutBack, Begun: []int{1}, Cause: "/a crashes", Ends: 1},
		},
		{
			"a step of a newer version is passed over",
			[]journal.Entry{started, {Step: "pondered"}},
			journal.Progress{Next: journal.Begin},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := journal.Replay(c.entries)
			if len(c.entries) > 0 {
				c.want.Last = c.entries[len(c.entries)-1]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Resumable() != (c.want.Next != journal.Nothing || c.want.Outcome == event.NeedsPerson) {
				t.Errorf("resumable: %v", got.Resumable())
			}
		})
	}
}

func TestTheMachineNamesEveryStepOnceAndLeadsEverywhere(t *testing.T) {
	rows := journal.Machine()
	var steps []journal.Step
	for _, row := range rows {
		if slices.Contains(steps, row.Step) {
			t.Errorf("%s stands in the table twice", row.Step)
		}
		steps = append(steps, row.Step)
		if row.Means == "" || row.Resume == "" {
			t.Errorf("%s is not explained", row.Step)
		}
		if (len(row.After) == 0) != (row.Step == journal.Started) {
			t.Errorf("%s can never be reached, or begins twice", row.Step)
		}
	}
	for _, row := range rows {
		for _, from := range row.After {
			if !slices.Contains(steps, from) {
				t.Errorf("%s follows %s, which is no step", row.Step, from)
			}
			if from == journal.Ended && row.Step != journal.Resumed {
				t.Errorf("%s follows the end", row.Step)
			}
		}
	}
	if d := journal.Diagram(); !strings.Contains(d, "wave_starting --> accepted") || !strings.Contains(d, "wave_healthy --> failing") {
		t.Errorf("the drawing lacks the usual way:\n%s", d)
	}
}

func TestCheckFindsEntriesOutOfOrder(t *testing.T) {
	entries := func(steps ...journal.Step) []journal.Entry {
		var out []journal.Entry
		for i, s := range steps {
			out = append(out, journal.Entry{Seq: i + 1, Step: s})
		}
		return out
	}
	good := entries(journal.Started, journal.Snapshotted, journal.WaveStarting, journal.Accepted, journal.WaveHealthy, journal.WaveVerified, journal.Ended)
	if err := journal.Check(good); err != nil {
		t.Error(err)
	}
	for want, bad := range map[string][]journal.Entry{
		"the first entry is snapshotted":      entries(journal.Snapshotted),
		"accepted, follows started":           entries(journal.Started, journal.Accepted),
		"wave_starting, follows failing":      entries(journal.Started, journal.Failing, journal.WaveStarting),
		"ended, follows ended":                entries(journal.Started, journal.Ended, journal.Ended),
		"entry 2 has the number 3":            {{Seq: 1, Step: journal.Started}, {Seq: 3, Step: journal.Snapshotted}},
		"wave_starting, follows wave_healthy": entries(journal.Started, journal.Snapshotted, journal.WaveStarting, journal.WaveHealthy, journal.WaveStarting),
	} {
		if err := journal.Check(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
