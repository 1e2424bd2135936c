package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/notice"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// TestChaos breaks operations in random ways, several at once, and takes them up until they have ended. Whatever was
// broken, everything is as planned or as before; or it is said which app is not, and putting it back once more, in a
// better world, makes it so. CHAOS_RUNS and CHAOS_SEED repeat a run; CHAOS_TABLE is a file for the counts.
func TestChaos(t *testing.T) {
	runs, seed := uint64(500), rand.Uint64()
	if testing.Short() {
		runs = 50
	}
	if n, err := strconv.ParseUint(os.Getenv("CHAOS_RUNS"), 10, 64); err == nil {
		runs = n
	}
	if n, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("CHAOS_SEED=%d CHAOS_RUNS=%d", seed, runs)
	var mu sync.Mutex
	counts := map[string]map[string]int{}
	t.Run("runs", func(t *testing.T) {
		for i := range runs {
			t.Run(fmt.Sprintf("CHAOS_SEED=%d CHAOS_RUNS=1", seed+i), func(t *testing.T) {
				t.Parallel()
				c := newChaos(t, seed+i)
				c.live()
				mu.Lock()
				defer mu.Unlock()
				for _, fault := range c.faults {
					if counts[fault] == nil {
						counts[fault] = map[string]int{}
					}
					counts[fault][c.end]++
				}
			})
		}
	})
	writeTable(t, counts, runs)
}

// writeTable writes how many runs had a fault, and how they ended.
func writeTable(t *testing.T, counts map[string]map[string]int, runs uint64) {
	ends := []string{"done", "restored", "interrupted", "refused", "person, then restored"}
	var b strings.Builder
	fmt.Fprintf(&b, "| fault | runs | %s |\n|---|---|%s\n", strings.Join(ends, " | "), strings.Repeat("---|", len(ends)))
	for _, fault := range slices.Sorted(maps.Keys(counts)) {
		total := 0
		var cells []string
		for _, end := range ends {
			total += counts[fault][end]
			cells = append(cells, fmt.Sprint(counts[fault][end]))
		}
		fmt.Fprintf(&b, "| %s | %d | %s |\n", fault, total, strings.Join(cells, " | "))
	}
	t.Logf("%d runs\n%s", runs, b.String())
	if file := os.Getenv("CHAOS_TABLE"); file != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// killed is what a process that is killed panics with.
type killed struct{}

// chaos is one run.
type chaos struct {
	*shop
	random *rand.Rand
	faults []string
	// killAt are the numbers of recorded entries, in each process, after which it is killed; 0 is never.
	killAt []int
	// interruptAt and stopAt are the numbers of events at which somebody presses Ctrl-C, once and twice.
	interruptAt, stopAt int
	end                 string
}

func newChaos(t *testing.T, seed uint64) *chaos {
	t.Helper()
	c := &chaos{random: rand.New(rand.NewPCG(seed, 0))}
	policy := strings.Replace(usual, `orchestrator "file" { path = "world.json" }`, `orchestrator "file" { path = "world.json" }`, 1)
	apply := []string{`timeout = "400ms"`}
	switch c.random.IntN(3) {
	case 0:
		apply = append(apply, `strategy = "waves"`)
	case 1:
		apply = append(apply, `strategy = "waves"`, `max_parallel = 1`)
	}
	c.shop = open(t, policy+"apply {\n"+strings.Join(apply, "\n")+"\n}\n", world())
	c.Wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	c.choose()
	return c
}

// chance is true once in n.
func (c *chaos) chance(n int) bool { return c.random.IntN(n) == 0 }

func (c *chaos) suffers(fault string) { c.faults = append(c.faults, fault) }

// choose draws what goes wrong.
func (c *chaos) choose() {
	if c.chance(3) {
		c.suffers("core killed after a step")
		for range 1 + c.random.IntN(3) {
			c.killAt = append(c.killAt, 1+c.random.IntN(12))
		}
	}
	if c.chance(4) {
		c.suffers("Ctrl-C")
		c.interruptAt = 1 + c.random.IntN(25)
		if c.chance(3) {
			c.suffers("Ctrl-C twice")
			c.stopAt = c.interruptAt + 1 + c.random.IntN(10)
		}
	}
	if c.chance(5) {
		c.suffers("notifier down throughout")
		c.Notifiers = []notice.Target{{Name: "down", Notifier: down{}}}
	}
	if c.chance(6) {
		c.suffers("clock jumps")
		c.jumpingClock()
	}
	if c.chance(6) {
		c.suffers("state cannot be written for a while")
		c.stateAway(1+c.random.IntN(10), 1+c.random.IntN(3))
	}
	if len(c.faults) == 0 && c.chance(8) {
		c.suffers("nothing")
	}
}

// failures draws what goes wrong in the orchestrator.
func (c *chaos) failures() []object {
	var out []object
	add := func(name string, f object) {
		c.suffers(name)
		out = append(out, f)
	}
	app := "/ds/prod/" + string("abc"[c.random.IntN(3)])
	if c.chance(4) {
		fate := []string{"doomed", "unhealthy", "stuck", "overwritten"}[c.random.IntN(4)]
		f := object{"app": app, "do": fate, "message": "by chance", "tag": after()[filepath.Base(app)]}
		if fate == "overwritten" {
			f["image"] = host + filepath.Base(app) + ":1-master"
			f["tag"] = after()[filepath.Base(app)]
		}
		add("app "+fate, f)
	}
	if c.chance(8) {
		add("image that was left is gone", object{"app": app, "do": "doomed", "message": "image not found", "tag": before()[filepath.Base(app)]})
	}
	for _, call := range []string{"snapshot", "deploy", "restore", "attach", "cancel", "list_apps"} {
		if !c.chance(6) {
			continue
		}
		codes := []string{"unavailable", "indeterminate", "internal", "rate_limited", "busy", "unauthenticated", "permission_denied", "crash"}
		f := object{"call": call, "do": codes[c.random.IntN(len(codes))], "times": 1 + c.random.IntN(3)}
		if call == "deploy" || call == "restore" {
			points := []string{"before_accept", "unanswered", "after_accept", "during", "after_done"}
			f["at"] = points[c.random.IntN(len(points))]
			if f["at"] != "before_accept" {
				f["do"] = []string{"indeterminate", "crash", "internal"}[c.random.IntN(3)]
			}
		}
		add(fmt.Sprintf("%s: %s", call, f["do"]), f)
	}
	return out
}

// live applies, and takes up what was broken off, until it has ended; then it looks what is left.
func (c *chaos) live() {
	t := c.t
	p := c.plan("-1")
	c.fail(c.failures()...)
	res, died := c.process(func(ctx context.Context, r core.Run) core.ApplyResult {
		return c.Apply(ctx, core.ApplyRequest{Plan: p, Run: r})
	})
	for try := 0; ; try++ {
		left, err := c.State.Unfinished(context.Background(), "prod")
		if err != nil {
			t.Fatal(err)
		}
		if left == nil {
			break
		}
		if try == 6 {
			t.Fatalf("operation %s does not end: %+v", left.OperationID, res.Result)
		}
		if try == 3 {
			c.better()
		}
		res, died = c.process(func(ctx context.Context, r core.Run) core.ApplyResult {
			return c.Resume(ctx, core.ResumeRequest{Environment: c.Policy.Environments[0], Run: r})
		})
	}
	if died {
		// Killed after the last entry: the record says how it ended.
		last, err := c.State.Operations(context.Background(), "prod", 1)
		if err != nil || len(last) != 1 {
			t.Fatal(last, err)
		}
		res.OperationID, res.Outcome = last[0].OperationID, last[0].Outcome
		res.AsBefore = res.Outcome != event.Done && res.Outcome != event.NeedsPerson
	}
	c.judge(res)
}

// judge compares what was said with what is.
func (c *chaos) judge(res core.ApplyResult) {
	t := c.t
	c.end = string(res.Outcome)
	switch {
	case res.Outcome == event.Done:
		c.must(after(), res)
	case res.AsBefore:
		c.must(before(), res)
	default:
		c.toldTruly(res)
		c.better()
		c.killAt = nil
		again, died := c.process(func(ctx context.Context, r core.Run) core.ApplyResult {
			return c.Resume(ctx, core.ResumeRequest{Environment: c.Policy.Environments[0], Operation: res.OperationID, PutBack: true, Run: r})
		})
		if died || !again.AsBefore {
			t.Errorf("put back once more: %+v", again.Result)
		}
		c.end = "person, then restored"
		c.must(before(), again)
	}
	if h, err := c.State.Holder(context.Background(), "prod"); h != nil || err != nil {
		t.Errorf("the lock is held: %+v, %v", h, err)
	}
	if res.OperationID != "" {
		entries, err := c.State.Entries(context.Background(), res.OperationID)
		if err != nil {
			t.Fatal(err)
		}
		if err := journal.Check(entries); err != nil {
			t.Errorf("%v\n%+v", err, entries)
		}
	}
	c.once()
}

func (c *chaos) must(want map[string]string, res core.ApplyResult) {
	c.t.Helper()
	if got := c.runs(); !maps.Equal(got, want) {
		c.t.Errorf("%s, but %v runs, not %v\nfaults: %v\n%+v", res.Outcome, got, want, c.faults, res.Result)
	}
}

// better is a world in which nothing goes wrong any more, and what did not start does.
func (c *chaos) better() {
	c.edit(func(w object) {
		o := w["orchestrator"].(object)
		delete(o, "failures")
		deployments, _ := o["deployments"].([]any)
		for _, d := range deployments {
			for _, p := range d.(object)["parts"].([]any) {
				delete(p.(object), "fate")
			}
		}
	})
}

// toldTruly: what is said of an app that is not as before is so.
func (c *chaos) toldTruly(res core.ApplyResult) {
	runs := c.runs()
	for _, a := range res.Apps {
		if a.Running == "" {
			continue
		}
		_, tag, _ := strings.Cut(a.Running[strings.LastIndexByte(a.Running, '/'):], ":")
		if tag, _, _ = strings.Cut(tag, "@"); tag != runs[filepath.Base(a.App)] {
			c.t.Errorf("%s is said to run %s, and runs %s", a.App, a.Running, runs[filepath.Base(a.App)])
		}
	}
}

// once: no wave is deployed twice, and none put back twice.
func (c *chaos) once() {
	raw, err := json.Marshal(c.read()["orchestrator"].(object)["deployments"])
	if err != nil {
		c.t.Fatal(err)
	}
	var deployments []struct {
		OperationID string `json:"operation_id"`
		Restores    bool   `json:"restores"`
	}
	if err := json.Unmarshal(raw, &deployments); err != nil {
		c.t.Fatal(err)
	}
	seen := map[string]int{}
	for _, d := range deployments {
		if d.OperationID != "" {
			seen[fmt.Sprint(d.OperationID, d.Restores)]++
		}
	}
	for id, n := range seen {
		if n > 1 {
			c.t.Errorf("%s was deployed %d times", id, n)
		}
	}
}

// process runs one process, which may be killed, or interrupted by a person.
func (c *chaos) process(do func(context.Context, core.Run) core.ApplyResult) (res core.ApplyResult, died bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	interrupt := make(chan struct{})
	events, entries, killAt := 0, 0, 0
	if len(c.killAt) > 0 {
		killAt, c.killAt = c.killAt[0], c.killAt[1:]
	}
	interruptAt, stopAt := c.interruptAt, c.stopAt
	c.interruptAt, c.stopAt = 0, 0
	c.on = func(event.Event) {
		events++
		if events == interruptAt {
			close(interrupt)
		}
		if events == stopAt {
			cancel()
		}
	}
	c.Recorded = func(journal.Entry) {
		if entries++; entries == killAt {
			panic(killed{})
		}
	}
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			died = true
		}
	}()
	r := run(interrupt)
	return do(ctx, r), false
}

// jumpingClock makes the engine's clock jump to and fro.
func (c *chaos) jumpingClock() {
	var mu sync.Mutex
	at := now
	random := rand.New(rand.NewPCG(c.random.Uint64(), 1))
	c.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(5) == 0 {
			at = now.Add(time.Duration(random.IntN(7200)-3600) * time.Second)
		}
		return at
	}
}

// stateAway lets the orchestrator's calls find, for a while, that the state is locked by somebody who does not let go.
func (c *chaos) stateAway(from, times int) {
	c.Orchestrator = &hindering{Orchestrator: c.Orchestrator, c: c, from: from, times: times}
}

// hindering makes the state's folder read-only for SQLite's rollback journal while calls are made.
type hindering struct {
	orchestrator.Orchestrator
	c           *chaos
	from, times int
	calls       int
}

func (h *hindering) Deploy(ctx context.Context, req orchestrator.DeployRequest, emit func(orchestrator.Event)) error {
	return h.during(func() error { return h.Orchestrator.Deploy(ctx, req, emit) })
}

func (h *hindering) Restore(ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) error {
	return h.during(func() error { return h.Orchestrator.Restore(ctx, req, emit) })
}

// during puts a folder in the place of SQLite's journal file, so that nothing can be written.
func (h *hindering) during(call func() error) error {
	h.calls++
	if h.calls < h.from%3 || h.times <= 0 {
		return call()
	}
	h.times--
	block := filepath.Join(h.c.dir, "state.db-journal")
	if err := os.Mkdir(block, 0o700); err != nil {
		return call()
	}
	defer func() { _ = os.Remove(block) }()
	return call()
}

// Attach and Cancel are those of the orchestrator that is hindered.
func (h *hindering) Attach(ctx context.Context, req orchestrator.AttachRequest, emit func(orchestrator.Event)) error {
	return h.Orchestrator.(orchestrator.Attacher).Attach(ctx, req, emit)
}

func (h *hindering) Cancel(ctx context.Context, req orchestrator.CancelRequest) error {
	return h.Orchestrator.(orchestrator.Canceler).Cancel(ctx, req)
}

// down is a notifier that cannot be reached.
type down struct{}

func (down) Notify(context.Context, notify.Request) (notify.Result, error) {
	return notify.Result{}, errors.New("no route to Slack")
}
