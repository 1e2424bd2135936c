package core_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/notice"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk/schema"
)

// host is the registry of the shop.
const host = "registry.example.com:5000/"

// usual is the shop's policy.
const usual = `
rollback { environment = "prod" }
registry "file" { path = "world.json" }
orchestrator "file" { path = "world.json" }
environment "prod" {
  branch = "master"
  scope  = "/ds/prod"
}
environment "stage" { scope = "/ds/stage" }
repo "a" {}
repo "b" {}
repo "c" { depends_on = ["a"] }
`

type object = map[string]any

// world is the shop's: three repos, of which b was not released on the second day, and their apps.
func world() object {
	release := func(day string) object { return object{"created": day + "T10:00:00Z"} }
	return object{
		"format_version": "1",
		"registry": object{"address": "registry.example.com:5000", "repos": object{
			"a": object{"tags": object{"1-master": release("2019-06-01"), "2-master": release("2019-06-02"), "3-master": release("2019-06-03")}},
			"b": object{"tags": object{"1-master": release("2019-06-01"), "2-master": release("2019-06-03")}},
			"c": object{"tags": object{"1-master": release("2019-06-01"), "2-master": release("2019-06-02"), "3-master": release("2019-06-03")}},
		}},
		"orchestrator": object{"apps": object{
			"/ds/prod/a": object{"image": host + "a:3-master", "instances": 2},
			"/ds/prod/b": object{"image": host + "b:2-master", "instances": 2},
			"/ds/prod/c": object{"image": host + "c:3-master", "instances": 2},
		}},
	}
}

// shop is an engine on the file plugins, in this process.
type shop struct {
	*core.Engine
	t   *testing.T
	dir string

	mu     sync.Mutex
	events []event.Event
	// on is called with every event, from the goroutine of the operation.
	on func(event.Event)
}

// now is the day of the tests.
var now = time.Date(2019, 6, 3, 18, 0, 0, 0, time.UTC)

func open(t *testing.T, text string, w object) *shop {
	t.Helper()
	s := &shop{t: t, dir: t.TempDir()}
	s.write(w)
	file := filepath.Join(s.dir, "policy.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, _, ds := policy.Load(policy.LoadOptions{Paths: []string{file}, WorkDir: s.dir, Version: "0.1.0"})
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	rt := schema.Runtime{Logger: hclog.NewNullLogger(), WorkDir: s.dir, Parallelism: 4}
	cfg := func(v object) schema.Config {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return schema.Config{JSON: raw}
	}
	reg, err := registryfile.Plugin().Configure(t.Context(), cfg(object{"path": "world.json"}), rt)
	if err != nil {
		t.Fatal(err)
	}
	orch, err := orchestratorfile.New(orchestratorfile.Options{Crash: func() {}}).Configure(t.Context(), cfg(object{"path": "world.json", "tick": "1ms"}), rt)
	if err != nil {
		t.Fatal(err)
	}
	note, err := notifyfile.Plugin().Configure(t.Context(), cfg(object{"path": "told.jsonl"}), rt)
	if err != nil {
		t.Fatal(err)
	}
	st := s.openState(state.Options{Path: filepath.Join(s.dir, "state.db")})
	s.Engine = core.New(core.Options{
		Policy: p, Registry: reg, Orchestrator: orch, Capabilities: orchestratorfile.Plugin().Describe(),
		Notifiers: []notice.Target{{Name: "file", Notifier: note}},
		State:     st,
		Now:       func() time.Time { return now }, Parallelism: 4, Emit: s.take,
	})
	return s
}

// openState opens a state as the shop's.
func (s *shop) openState(o state.Options) *state.Store {
	s.t.Helper()
	o.Key, o.Now = testKey(s.t), func() time.Time { return now }
	st, err := state.Open(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = st.Close() }) // a test may have closed it
	return st
}

func (s *shop) take(e event.Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	if s.on != nil {
		s.on(e)
	}
}

// count says how many events of a type there were.
func (s *shop) count(of event.Type) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.events {
		if e.Type == of {
			n++
		}
	}
	return n
}

func (s *shop) write(w object) {
	s.t.Helper()
	raw, err := json.Marshal(w)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "world.json"), raw, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) read() object {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "world.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var w object
	if err := json.Unmarshal(raw, &w); err != nil {
		s.t.Fatal(err)
	}
	return w
}

// edit changes the world as somebody else would.
func (s *shop) edit(f func(w object)) {
	s.t.Helper()
	w := s.read()
	f(w)
	s.write(w)
}

// fail scripts failures of the orchestrator.
func (s *shop) fail(failures ...object) {
	s.edit(func(w object) { w["orchestrator"].(object)["failures"] = failures })
}

// runs are the tags that the apps run.
func (s *shop) runs() map[string]string {
	tags := map[string]string{}
	for id, a := range s.read()["orchestrator"].(object)["apps"].(object) {
		ref, err := plan.ParseRef(a.(object)["image"].(string))
		if err != nil {
			s.t.Fatal(err)
		}
		tags[filepath.Base(id)] = ref.Tag
	}
	return tags
}

// before and after are what runs before a rollback to the second day, and after it.
func before() map[string]string {
	return map[string]string{"a": "3-master", "b": "2-master", "c": "3-master"}
}

func after() map[string]string {
	return map[string]string{"a": "2-master", "b": "1-master", "c": "2-master"}
}

func (s *shop) plan(to string) *plan.Plan {
	s.t.Helper()
	p, _, err := s.tryPlan(s.t.Context(), core.PlanRequest{To: to})
	if err != nil {
		s.t.Fatal(err)
	}
	if p.Diagnostics.HasErrors() {
		s.t.Fatal(p.Diagnostics)
	}
	return p
}

func (s *shop) tryPlan(ctx context.Context, req core.PlanRequest) (*plan.Plan, *core.World, error) {
	s.t.Helper()
	env, err := s.Environment("")
	if err != nil {
		s.t.Fatal(err)
	}
	req.Environment, req.Operator = env, policy.OperatorFacts{User: "alice@here"}
	return s.Plan(ctx, req)
}

// apply applies a plan; interrupt may be nil.
func (s *shop) apply(ctx context.Context, p *plan.Plan, interrupt <-chan struct{}) core.ApplyResult {
	s.t.Helper()
	return s.Apply(ctx, core.ApplyRequest{Plan: p, Run: run(interrupt)})
}

// run is alice, who has a reason.
func run(interrupt <-chan struct{}) core.Run {
	return core.Run{
		Operator: policy.OperatorFacts{User: "alice@here"}, Reason: "it is broken",
		Holder: state.Holder{Who: "alice@here", Host: "here", PID: 1, Command: "rollback apply"},
		Host:   "here", NotifyTimeout: time.Second, Interrupt: interrupt,
	}
}

// wellKept checks the journal of an operation against the state machine.
func (s *shop) wellKept(operation string) {
	s.t.Helper()
	entries, err := s.State.Entries(s.t.Context(), operation)
	if err != nil || len(entries) == 0 {
		s.t.Fatalf("the journal: %v, %v", entries, err)
	}
	if err := journal.Check(entries); err != nil {
		s.t.Error(err)
	}
}

func testKey(t *testing.T) *state.Key {
	t.Helper()
	key, err := state.ParseKey("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	if err != nil {
		t.Fatal(err)
	}
	return key
}
