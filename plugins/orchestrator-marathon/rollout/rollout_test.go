package rollout

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

const (
	before = "2019-06-01T08:00:00.000Z"
	change = "2019-06-02T08:00:00.000Z"
)

func newApp(t *testing.T, members string) *Spec {
	t.Helper()
	var app marathon.App
	text := fmt.Sprintf(`{"id":"/a","instances":2,"version":%q,"versionInfo":{"lastConfigChangeAt":%q},"container":{"docker":{"image":"r/a:1"}},%s}`, change, change, members)
	if err := json.Unmarshal([]byte(text), &app); err != nil {
		t.Fatal(err)
	}
	return &Spec{ID: "/a", App: &app}
}

func task(id, state, version, rest string) string {
	return fmt.Sprintf(`{"id":%q,"state":%q,"version":%q,"startedAt":"x"%s}`, id, state, version, rest)
}

func tasks(all ...string) string { return `"tasks":[` + strings.Join(all, ",") + `]` }

func TestTasksDecide(t *testing.T) {
	const checks = `,"healthChecks":[{"protocol":"HTTP"}]`
	const alive, dead = `,"healthCheckResults":[{"alive":true}]`, `,"healthCheckResults":[{"alive":true},{"alive":false,"lastFailureCause":"503"}]`
	running := task("1", "TASK_RUNNING", change, "")
	for _, c := range []struct {
		name, members string
		deploying     bool
		ready         int
		done          bool
		says          string
	}{
		{"all run and nothing is checked", tasks(running, running), true, 2, true, ""},
		{"one is missing", tasks(running), true, 1, false, "1 of 2 new instances are healthy"},
		{"one is old", tasks(running, running, task("0", "TASK_RUNNING", before, "")), true, 2, false, "1 old instance still runs"},
		{"an old one is being stopped", tasks(running, running, task("0", "TASK_KILLING", before, "")), true, 2, true, ""},
		{"ended ones have no version", tasks(running, running, `{"id":"0","state":"TASK_FAILED"}`), true, 2, true, ""},
		{"one starts", tasks(running, task("2", "TASK_STARTING", change, "")), true, 1, false, "1 instance starting"},
		{"checked and without a result", tasks(running, running) + checks, true, 0, false, "waiting for the first health check"},
		{"checked and passed", tasks(task("1", "TASK_RUNNING", change, alive), task("2", "TASK_RUNNING", change, alive)) + checks, true, 2, true, ""},
		{"one of two checks fails", tasks(task("1", "TASK_RUNNING", change, alive), task("2", "TASK_RUNNING", change, dead)) + checks, true, 1, false, "the health check fails (503)"},
		{"a new one on a lost agent", tasks(running, task("2", "TASK_UNREACHABLE", change, "")), true, 1, false, "1 instance on agents that cannot be reached"},
		{"an old one on a lost agent, while deploying", tasks(running, running, task("0", "TASK_UNREACHABLE", before, "")), true, 2, false, "cannot be reached"},
		{"an old one on a lost agent, given up", tasks(running, running, task("0", "TASK_UNREACHABLE", before, "")), false, 2, true, "may still run"},
		{"scaled since: the tasks are of the configuration", `"versionInfo":{"lastConfigChangeAt":"` + before + `"},` + tasks(task("1", "TASK_RUNNING", before, ""), running), false, 2, true, ""},
		{"not ready while deploying", `"readinessChecks":[{"name":"r"}],` + tasks(running, running), true, 0, false, "not ready"},
		{"readiness is forgotten after the deployment", `"readinessChecks":[{"name":"r"}],` + tasks(running, running), false, 2, true, ""},
		{"states of 0.16", tasks(`{"id":"1","version":"`+change+`","startedAt":"x"}`, `{"id":"2","version":"`+change+`","stagedAt":"x"}`), true, 1, false, "1 instance starting"},
		{"nothing is wanted", `"instances":0,` + tasks(), true, 0, true, "proves nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &View{Specs: map[string]*Spec{"/a": newApp(t, c.members)}, At: marathon.ParseTime(change)}
			if c.deploying {
				v.Deployments = []marathon.Deployment{{ID: "d", AffectedApps: []string{"/a"}}}
			}
			target := NewTarget("/a", []orchestrator.ContainerImage{{Image: "r/a:1"}})
			target.Deployed = true
			got := target.Judge(v, 3)
			if got.Done != c.done || got.Ready != c.ready || got.Fault != nil || !strings.Contains(got.Message, c.says) || c.says == "" && got.Message != "" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestOnlyOwnFailuresCount(t *testing.T) {
	failure := func(state, version, at, message string) string {
		return tasks() + fmt.Sprintf(`,"lastTaskFailure":{"state":%q,"version":%q,"timestamp":%q,"taskId":%q,"message":%q}`, state, version, at, at, message)
	}
	for _, c := range []struct {
		name     string
		deployed bool
		looks    []string
		code     fault.Code
	}{
		{"three of the new version", true, []string{failure("TASK_FAILED", change, "1", "x"), failure("TASK_FAILED", change, "2", "x"), failure("TASK_FAILED", change, "3", "x")}, fault.Doomed},
		{"the same again and again", true, []string{failure("TASK_FAILED", change, "1", "x"), failure("TASK_FAILED", change, "1", "x"), failure("TASK_FAILED", change, "1", "x")}, ""},
		{"of the old version", true, []string{failure("TASK_FAILED", before, "1", "x"), failure("TASK_FAILED", before, "2", "x"), failure("TASK_FAILED", before, "3", "x")}, ""},
		{"kills", true, []string{failure("TASK_KILLED", change, "1", "x"), failure("TASK_KILLED", change, "2", "x"), failure("TASK_KILLED", change, "3", "x")}, ""},
		{"lost agents", true, []string{failure("TASK_LOST", change, "1", "x"), failure("TASK_LOST", change, "2", "x"), failure("TASK_LOST", change, "3", "x")}, ""},
		{"an image that is not there", true, []string{failure("TASK_FAILED", change, "1", "docker: manifest for r/a:1 not found: manifest unknown")}, fault.Doomed},
		{"an image that may not be pulled", true, []string{failure("TASK_FAILED", change, "1", "pull access denied for r/a, repository does not exist or may require 'docker login'")}, fault.Doomed},
		{"an image that was not there long ago", false, []string{failure("TASK_FAILED", change, "1", "manifest unknown"), failure("TASK_FAILED", change, "1", "manifest unknown")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := NewTarget("/a", []orchestrator.ContainerImage{{Image: "r/a:1"}})
			target.Deployed = c.deployed
			var got Verdict
			for _, members := range c.looks {
				got = target.Judge(&View{
					Specs:       map[string]*Spec{"/a": newApp(t, members)},
					Deployments: []marathon.Deployment{{ID: "d", AffectedApps: []string{"/a"}}},
				}, 3)
			}
			if c.code == "" && got.Fault != nil || c.code != "" && (got.Fault == nil || got.Fault.Code != c.code) {
				t.Errorf("got %+v", got.Fault)
			}
		})
	}
}

func TestAbsenceFromTheListIsNoVerdictByItself(t *testing.T) {
	at := marathon.ParseTime(change)
	old := tasks(task("0", "TASK_RUNNING", before, ""))
	for _, c := range []struct {
		name           string
		listed         bool
		members        string
		looks          int
		every          time.Duration
		wantsAbandoned bool
	}{
		{"not listed yet", false, old, 5, time.Second, false},
		{"never listed", false, old, 20, time.Second, true},
		{"gone for a moment", true, old, 3, time.Second, false},
		{"gone", true, old, 7, time.Second, true},
		{"gone, and nothing old is left", true, tasks(), 20, time.Second, false},
		{"looked at often", true, old, 100, 10 * time.Millisecond, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := NewTarget("/a", []orchestrator.ContainerImage{{Image: "r/a:1"}})
			target.Deployed = true
			v := &View{Specs: map[string]*Spec{"/a": newApp(t, c.members)}, At: at}
			if c.listed {
				v.Deployments = []marathon.Deployment{{ID: "d", AffectedApps: []string{"/a"}}}
				target.Judge(v, 3)
				v.Deployments = nil
			}
			var got Verdict
			for i := range c.looks {
				v.At = at.Add(time.Duration(i) * c.every)
				if got = target.Judge(v, 3); got.Fault != nil {
					break
				}
			}
			if (got.Fault != nil) != c.wantsAbandoned {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestQueueInWords(t *testing.T) {
	for _, c := range []struct {
		q    marathon.Queued
		want string
	}{
		{marathon.Queued{Count: 2, SecondsLeft: 7}, "2 instances wait for the next try, some seconds from now, because of failures"},
		{marathon.Queued{Count: 1, Overdue: true, Processed: -1}, "1 instance waits for an offer of resources"},
		{marathon.Queued{Count: 1, Overdue: true}, "none has come yet"},
		{marathon.Queued{Count: 1, Overdue: true, Processed: 4}, "none of those that came has fitted"},
		{
			marathon.Queued{Count: 1, Overdue: true, Processed: 4, Rejects: []marathon.Reject{{Reason: "InsufficientMemory", Declined: 1, Processed: 5}, {Reason: "UnfulfilledConstraint", Declined: 3}, {Reason: "New\x1b", Declined: 1}, {Reason: "InsufficientCpus"}}},
			"of the last 5 none has fitted, for want of an agent that fulfils the constraints (3), memory (1), New\ufffd (1)",
		},
	} {
		if got := explainQueue(c.q); !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
