package orchestratormarathon_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

func TestADeploymentThatDoesNotGetThereIsExplained(t *testing.T) {
	for _, c := range []struct {
		name      string
		behaviour marathontest.Behaviour
		members   map[string]any
		code      fault.Code
		says      string
		within    time.Duration
	}{
		{
			"health checks fail",
			marathontest.Behaviour{Unhealthy: true},
			map[string]any{"healthChecks": []any{map[string]any{"protocol": "HTTP", "maxConsecutiveFailures": 0}}},
			fault.Unhealthy, "the health check fails (ConnectException: Connection refused)", 0,
		},
		{
			"health checks fail and kill",
			marathontest.Behaviour{Unhealthy: true},
			nil,
			fault.Unhealthy, "Task was killed since health check failed", 0,
		},
		{
			"not ready",
			marathontest.Behaviour{Unready: true},
			map[string]any{"readinessChecks": []any{map[string]any{"name": "warm"}}},
			fault.Unhealthy, "not ready (readiness check warm answers 503)", 0,
		},
		{
			"no offers",
			marathontest.Behaviour{NoOffers: true},
			nil,
			fault.Unhealthy, "instances wait for an offer of resources; of the last 3", 0,
		},
		{
			"no offers, with reasons",
			marathontest.Behaviour{NoOffers: true},
			nil,
			fault.Unhealthy, "none has fitted, for want of CPUs (3)", 0,
		},
		{
			"slow",
			marathontest.Behaviour{Slow: time.Hour},
			nil,
			fault.Unhealthy, "2 instances starting", 0,
		},
		{
			"crash loop",
			marathontest.Behaviour{CrashLoop: true, Message: "\x1b[31mno database"},
			nil,
			fault.Doomed, "fails again and again, 3 times by now: TASK_FAILED: \ufffd[31mno database", 30 * time.Second,
		},
		{
			"image not there",
			marathontest.Behaviour{PullFails: true},
			nil,
			fault.Doomed, "cannot get its image", 10 * time.Second,
		},
		{
			"image not pulled for another reason",
			marathontest.Behaviour{PullFails: true, Message: "Failed to launch container: i/o timeout"},
			nil,
			fault.Doomed, "3 times by now", 30 * time.Second,
		},
	} {
		for _, p := range []marathontest.Profile{marathontest.Profile016, marathontest.Profile14, marathontest.Profile1_11} {
			t.Run(c.name+" on "+string(p), func(t *testing.T) {
				if p == marathontest.Profile016 && c.behaviour.NoOffers {
					t.Skip("tells nothing of offers")
				}
				m := start(t, marathontest.Options{Profile: p})
				add(t, m, "/a", "r/a:2", c.members)
				add(t, m, "/b", "r/b:2", nil)
				b := c.behaviour
				b.App, b.Tag = "/a", "1"
				m.Script(b)
				began := m.Now()
				var got told
				req := request("op", "/a", "r/a:1", "/b", "r/b:1")
				req.Timeout = 2 * time.Minute
				err := configure(t, m, nil).Deploy(t.Context(), req, got.emit)
				if !fault.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %s: %v", fault.CodeOf(err), err)
				}
				if last := got.events[len(got.events)-1]; last != "failed /a "+string(c.code) {
					t.Errorf("events: %q", got.events)
				}
				if took := m.Now().Sub(began); c.within > 0 && took > c.within {
					t.Errorf("it took %s", took)
				}
				if image(t, m, "/a") != "r/a:1" {
					t.Error("the plugin has put it back by itself")
				}
			})
		}
	}
}

func TestADependencyThatBlocksIsNamed(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/prod/db", "r/db:2", nil)
	add(t, m, "/prod/web", "r/web:2", map[string]any{"dependencies": []string{"/prod/db"}})
	m.Script(marathontest.Behaviour{App: "/prod/db", Tag: "1", Unhealthy: true})
	req := request("op", "/prod/web", "r/web:1", "/prod/db", "r/db:1")
	req.Timeout = time.Minute
	var got told
	err := configure(t, m, nil).Deploy(t.Context(), req, got.emit)
	if !fault.Is(err, fault.Unhealthy) {
		t.Fatal(err)
	}
	if text := strings.Join(got.progress, "\n"); !strings.Contains(text, "/prod/web: 0 of 2 new instances are healthy; it waits for /prod/db, on which it depends") {
		t.Error(text)
	}
	if d := cmp.Diff([]string{"accepted [/prod/web /prod/db]", "failed /prod/web unhealthy", "failed /prod/db unhealthy"}, got.events); d != "" {
		t.Error(d)
	}
}

func TestABusyAppIsNamedWithItsHolder(t *testing.T) {
	t.Run("another plugin", func(t *testing.T) {
		m := start(t, marathontest.Options{})
		add(t, m, "/a", "r/a:2", nil)
		add(t, m, "/b", "r/b:2", nil)
		m.Script(marathontest.Behaviour{App: "/a", Tag: "1", Unhealthy: true})
		req := request("first", "/a", "r/a:1")
		req.Timeout = 10 * time.Second
		var first told
		if err := configure(t, m, nil).Deploy(t.Context(), req, first.emit); !fault.Is(err, fault.Unhealthy) {
			t.Fatal(err)
		}
		var second told
		err := configure(t, m, nil).Deploy(t.Context(), request("second", "/b", "r/b:1", "/a", "r/a:3"), second.emit)
		if f := fault.Of(err); f == nil || f.Code != fault.Busy || !cmp.Equal(f.Deployments, first.ids()) || !strings.Contains(f.Message, first.ids()[0]) {
			t.Errorf("got %v", err)
		}
		if len(second.events) > 0 || image(t, m, "/b") != "r/b:2" {
			t.Error("something was changed")
		}
		for _, w := range m.Writes() {
			if w.Query.Has("force") {
				t.Error("a change was forced")
			}
		}
		third := told{}
		if err := configure(t, m, nil).Deploy(t.Context(), request("third", "/b", "r/b:1"), third.emit); err != nil {
			t.Errorf("an app that nobody holds: %v", err)
		}
	})
	t.Run("a lock without a deployment", func(t *testing.T) {
		m := start(t, marathontest.Options{Profile: marathontest.Profile13})
		add(t, m, "/a", "r/a:2", nil)
		m.Lock("/a")
		err := configure(t, m, nil).Deploy(t.Context(), request("op", "/a", "r/a:1"), (&told{}).emit)
		if f := fault.Of(err); f == nil || f.Code != fault.Busy || !strings.Contains(f.Message, "a scale, a kill") {
			t.Errorf("got %v", err)
		}
	})
}

// meddle runs do once, when the app's deployment has been under way for some looks.
func meddle(m *marathontest.Server, do func()) func(orchestrator.Event) {
	accepted, done := false, false
	return func(e orchestrator.Event) {
		accepted = accepted || e.Accepted != nil
		if accepted && e.Progress != nil && !done {
			done = true
			do()
		}
	}
}

func TestOthersInterfereWhileADeploymentIsFollowed(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, m *marathontest.Server)
		code fault.Code
		says string
	}{
		{"another image by force", func(t *testing.T, m *marathontest.Server) {
			put(t, m, "PUT", "/v2/apps/a?force=true", `{"container":{"type":"DOCKER","docker":{"image":"r/a:9"}}}`)
		}, fault.Drifted, "r/a:9"},
		{"the deployment is stopped", func(t *testing.T, m *marathontest.Server) {
			put(t, m, "DELETE", "/v2/deployments/"+deployment(t, m)+"?force=true", "")
		}, fault.Unhealthy, "somebody has stopped or overridden it"},
		{"the deployment is taken back", func(t *testing.T, m *marathontest.Server) {
			put(t, m, "DELETE", "/v2/deployments/"+deployment(t, m), "")
		}, fault.Drifted, "r/a:2"},
		{"the app is removed", func(t *testing.T, m *marathontest.Server) {
			put(t, m, "DELETE", "/v2/apps/a?force=true", "")
		}, fault.NotFound, "no longer there"},
		{"the app is scaled by force", func(t *testing.T, m *marathontest.Server) {
			put(t, m, "PUT", "/v2/apps/a?force=true", `{"instances":3}`)
		}, fault.Unhealthy, "somebody has stopped or overridden it"},
		{"the leader changes", func(_ *testing.T, m *marathontest.Server) {
			m.ElectLeader("10.0.0.9:8080")
		}, "", ""},
		{"there is no leader for a while", func(_ *testing.T, m *marathontest.Server) {
			m.Inject(marathontest.Fault{Method: "GET", Times: 20, Status: 502, Body: "<html><pre>Could not determine the current leader</pre></html>"})
		}, "", ""},
		{"a proxy answers 404", func(_ *testing.T, m *marathontest.Server) {
			m.Inject(marathontest.Fault{Method: "GET", Times: 6, Status: 404, Body: "<html>not found</html>"})
		}, "", ""},
		{"garbage for a while", func(_ *testing.T, m *marathontest.Server) {
			m.Inject(marathontest.Fault{Method: "GET", Times: 6, Kind: marathontest.FaultGarbage})
		}, "", ""},
		{"answers that are cut off", func(_ *testing.T, m *marathontest.Server) {
			m.Inject(marathontest.Fault{Method: "GET", Times: 6, Kind: marathontest.FaultTruncate})
		}, "", ""},
		{"the credentials expire for good", func(_ *testing.T, m *marathontest.Server) {
			m.Inject(marathontest.Page("GET", "", 401))
		}, fault.Unauthenticated, "goes on unwatched"},
		{"Marathon is gone for good", func(_ *testing.T, m *marathontest.Server) {
			m.Inject(marathontest.Fault{Times: -1, Kind: marathontest.FaultClose})
		}, fault.Indeterminate, "not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := start(t, marathontest.Options{Pace: marathontest.Pace{Launch: 8 * time.Second}})
			add(t, m, "/a", "r/a:2", nil)
			var got told
			interfere := meddle(m, func() { c.do(t, m) })
			err := configure(t, m, nil).Deploy(t.Context(), request("op", "/a", "r/a:1"), func(e orchestrator.Event) {
				got.emit(e)
				interfere(e)
			})
			if code := fault.CodeOf(err); code != c.code {
				t.Errorf("%v is %q, want %q", err, code, c.code)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if completed := got.events[len(got.events)-1] == "completed"; completed != (c.code == "") {
				t.Errorf("events: %q", got.events)
			}
		})
	}
}

// deployment is the id of the only one under way.
func deployment(t *testing.T, m *marathontest.Server) string {
	t.Helper()
	o := configure(t, m, nil)
	var ids []string
	if err := o.ListApps(t.Context(), orchestrator.ListRequest{}, func(a orchestrator.App) error {
		ids = append(ids, a.Deployments...)
		return nil
	}); err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	return ids[0]
}

func TestADeploymentThatIsListedLateIsNoLostOne(t *testing.T) {
	m := start(t, marathontest.Options{Profile: marathontest.Profile15, ListDelay: 4 * time.Second, RemoveDelay: 5 * time.Second})
	add(t, m, "/a", "r/a:2", nil)
	var got told
	if err := configure(t, m, nil).Deploy(t.Context(), request("op", "/a", "r/a:1"), got.emit); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"accepted [/a]", "healthy /a r/a:1", "completed"}, got.events); d != "" {
		t.Error(d)
	}
}

func TestCancelAndRestore(t *testing.T) {
	for _, p := range marathontest.Profiles() {
		t.Run(string(p), func(t *testing.T) {
			m := start(t, marathontest.Options{Profile: p, ListDelay: 2 * time.Second})
			add(t, m, "/a", "r/a:2", nil)
			add(t, m, "/b", "r/b:2", nil)
			m.Script(marathontest.Behaviour{App: "/a", Tag: "1", NoOffers: true})
			o := configure(t, m, nil)
			before, err := o.Snapshot(t.Context(), []string{"/b", "/a"})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var got told
			if err := o.Deploy(ctx, request("op", "/a", "r/a:1", "/b", "r/b:1"), func(e orchestrator.Event) {
				got.emit(e)
				if e.Accepted != nil {
					cancel() // the deployment is not listed yet
				}
			}); err == nil {
				t.Fatal("a cancelled call succeeded")
			}
			for range 2 {
				err := o.(orchestrator.Canceler).Cancel(t.Context(), orchestrator.CancelRequest{OperationID: "op", DeploymentIDs: append(got.ids(), "long-gone")})
				if err != nil {
					t.Fatal(err)
				}
				if m.Running() != 0 {
					t.Error("it is still under way")
				}
			}
			var back told
			req := orchestrator.RestoreRequest{OperationID: "op-r", Snapshots: before, Timeout: time.Minute}
			if err := configure(t, m, nil).Restore(t.Context(), req, back.emit); err != nil {
				t.Fatal(err)
			}
			if len(back.accepted) != 1 || back.events[len(back.events)-1] != "completed" {
				t.Errorf("events: %q", back.events)
			}
			after, err := o.Snapshot(t.Context(), []string{"/b", "/a"})
			if err != nil {
				t.Fatal(err)
			}
			for i := range after {
				if after[i].Fingerprint != before[i].Fingerprint {
					t.Errorf("%s is not as before:\n%s\n%s", after[i].App, before[i].Data, after[i].Data)
				}
			}
			if d := cmp.Diff(map[string]int{"r/a:2": 2}, m.RunningImages("/a")); d != "" {
				t.Error(d)
			}
			writes := len(m.Writes())
			if err := configure(t, m, nil).Restore(t.Context(), req, (&told{}).emit); err != nil || len(m.Writes()) != writes {
				t.Errorf("an app that is as its snapshot was touched: %v", err)
			}
		})
	}
}

func TestCancelByOperationStopsOnlyItsOwn(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	add(t, m, "/b", "r/b:2", nil)
	m.Script(marathontest.Behaviour{Tag: "1", NoOffers: true})
	for op, app := range map[string]string{"mine": "/a", "theirs": "/b"} {
		req := request(op, app, "r"+app+":1")
		req.Timeout = 2 * time.Second
		if err := configure(t, m, nil).Deploy(t.Context(), req, (&told{}).emit); !fault.Is(err, fault.Unhealthy) {
			t.Fatal(err)
		}
	}
	if err := configure(t, m, nil).(orchestrator.Canceler).Cancel(t.Context(), orchestrator.CancelRequest{OperationID: "mine"}); err != nil {
		t.Fatal(err)
	}
	if m.Running() != 1 {
		t.Errorf("%d deployments are left", m.Running())
	}
}

func TestAttachFollowsWhatAnotherProcessBegan(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	req := request("op", "/a", "r/a:1")
	ctx, cancel := context.WithCancel(t.Context())
	var first told
	_ = configure(t, m, nil).Deploy(ctx, req, func(e orchestrator.Event) { first.emit(e); cancel() })
	for _, ids := range [][]string{first.ids(), nil} {
		var got told
		err := configure(t, m, nil).(orchestrator.Attacher).Attach(t.Context(), orchestrator.AttachRequest{
			OperationID: "op", DeploymentIDs: ids, Changes: req.Changes, Timeout: time.Minute,
		}, got.emit)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"accepted [/a]", "healthy /a r/a:1", "completed"}, got.events); d != "" {
			t.Error(d)
		}
	}
	err := configure(t, m, nil).(orchestrator.Attacher).Attach(t.Context(), orchestrator.AttachRequest{
		OperationID: "unknown", Changes: req.Changes, Timeout: time.Minute,
	}, (&told{}).emit)
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAStandbyIsAsGoodAsTheLeader(t *testing.T) {
	for _, p := range []marathontest.Profile{marathontest.Profile15, marathontest.Profile1_11} {
		m := start(t, marathontest.Options{Profile: p, Auto: &marathontest.Auto{Speed: 200}})
		add(t, m, "/a", "r/a:2", nil)
		srv := newServer(t, m.Standby())
		opts := quick()
		o := configureWith(t, block{"events": true, "poll_interval": "5ms"}, srv, opts)
		if err := o.Deploy(t.Context(), request("op", "/a", "r/a:1"), (&told{}).emit); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// listenTo deploys with an interval so long that only events can end it in time, and lets do happen meanwhile.
func listenTo(t *testing.T, m *marathontest.Server, do func(ctx context.Context)) {
	t.Helper()
	add(t, m, "/a", "r/a:2", nil)
	o := configureWith(t, block{"events": true, "poll_interval": "1m"}, m.MarathonURL(), quick())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- o.Deploy(ctx, request("op", "/a", "r/a:1"), func(orchestrator.Event) {}) }()
	do(ctx)
	if err := m.Wait(ctx, func() bool { return m.Streams() > 0 }); err != nil {
		t.Fatal(err)
	}
	m.Settle(time.Minute)
	for len(done) == 0 && ctx.Err() == nil {
		m.Emit("status_update_event", map[string]any{"appId": "/a"}) // one that says nothing new wakes as well
		runtime.Gosched()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestEventsWakeTheFollowing(t *testing.T) {
	for name, trouble := range map[string]func(m *marathontest.Server){
		"as they come":   func(*marathontest.Server) {},
		"out of order":   func(m *marathontest.Server) { m.ReorderEvents(true) },
		"with some lost": func(m *marathontest.Server) { m.DropEvents(3) },
	} {
		t.Run(name, func(t *testing.T) {
			m := start(t, marathontest.Options{})
			trouble(m)
			listenTo(t, m, func(context.Context) {})
		})
	}
}

func TestTheEventStreamIsTakenUpAgain(t *testing.T) {
	m := start(t, marathontest.Options{})
	listenTo(t, m, func(ctx context.Context) {
		for range 2 {
			if err := m.Wait(ctx, func() bool { return m.Streams() > 0 }); err != nil {
				t.Error(err)
			}
			m.Disconnect()
		}
	})
}

func TestARefusedEventStreamDoesNotMatter(t *testing.T) {
	m := start(t, marathontest.Options{Auto: &marathontest.Auto{Speed: 100}})
	m.Inject(marathontest.Fault{Path: "/v2/events", Times: -1, Status: http.StatusMethodNotAllowed})
	add(t, m, "/a", "r/a:2", nil)
	o := configureWith(t, block{"events": true, "poll_interval": "5ms"}, m.MarathonURL(), quick())
	if err := o.Deploy(t.Context(), request("op", "/a", "r/a:1"), (&told{}).emit); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	m := start(t, marathontest.Options{Auto: &marathontest.Auto{Speed: 100}})
	add(t, m, "/a", "r/a:2", nil)
	o := configureWith(t, block{"events": true, "poll_interval": "5ms"}, m.MarathonURL(), quick())
	// The server's goroutines, and connections that are kept open, are not the plugin's.
	ours := goleak.IgnoreCurrent()
	if err := o.Deploy(t.Context(), request("op", "/a", "r/a:1"), (&told{}).emit); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, ours,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"))
}

func TestAChangeWhoseAnswerHangsIsIndeterminate(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	m.Inject(marathontest.Fault{Method: "PATCH", Kind: marathontest.FaultHang})
	err := configure(t, m, block{"timeout": "100ms"}).Deploy(t.Context(), request("op", "/a", "r/a:1"), (&told{}).emit)
	if f := fault.Of(err); f == nil || f.Code != fault.Indeterminate || !strings.Contains(f.Hint, "may still come") {
		t.Errorf("got %v", err)
	}
}

func TestCancelOutlastsAChangeOfLeader(t *testing.T) {
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	m.Script(marathontest.Behaviour{Tag: "1", NoOffers: true})
	req := request("op", "/a", "r/a:1")
	req.Timeout = 2 * time.Second
	var got told
	o := configure(t, m, nil)
	if err := o.Deploy(t.Context(), req, got.emit); !fault.Is(err, fault.Unhealthy) {
		t.Fatal(err)
	}
	m.Inject(marathontest.Fault{Method: "DELETE", Kind: marathontest.FaultClose, After: true})
	m.Inject(marathontest.Fault{Method: "GET", Path: "/v2/deployments", Skip: 1, Times: 6, Status: 502, Body: "<html>no leader</html>"})
	if err := o.(orchestrator.Canceler).Cancel(t.Context(), orchestrator.CancelRequest{OperationID: "op", DeploymentIDs: got.ids()}); err != nil {
		t.Fatal(err)
	}
	if m.Running() > 0 {
		t.Error("it is still under way")
	}
}

func TestALostLeaderIsWaitedFor(t *testing.T) {
	for _, p := range []marathontest.Profile{marathontest.Profile13, marathontest.Profile1_11} {
		m := start(t, marathontest.Options{Profile: p})
		add(t, m, "/a", "r/a:2", nil)
		var got told
		lose := meddle(m, m.LoseLeader)
		err := configure(t, m, nil).Deploy(t.Context(), request("op", "/a", "r/a:1"), func(e orchestrator.Event) {
			got.emit(e)
			lose(e)
			if e.Log != nil && strings.Contains(e.Log.Message, "current leader") {
				m.ElectLeader("10.0.0.7:8080")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.logs) != 2 || got.logs[1] != "Marathon answers again" {
			t.Errorf("logs: %q", got.logs)
		}
	}
}

func TestNothingIsToldTwice(t *testing.T) {
	for _, b := range []marathontest.Behaviour{{NoOffers: true}, {Slow: time.Hour}, {CrashLoop: true}} {
		m := start(t, marathontest.Options{})
		add(t, m, "/a", "r/a:2", nil)
		b.Tag = "1"
		m.Script(b)
		req := request("op", "/a", "r/a:1")
		req.Timeout = 10 * time.Minute
		var got told
		if err := configure(t, m, block{"crash_loop_failures": 30}).Deploy(t.Context(), req, got.emit); err == nil {
			t.Fatal("it succeeded")
		}
		if n := len(got.progress); n > 100 {
			t.Errorf("%+v: %d messages of progress", b, n)
		}
	}
}

// The time limit holds although a request may take longer.
func TestAHangingMarathonDoesNotOutlastTheTimeLimit(t *testing.T) {
	t.Parallel() // it waits
	m := start(t, marathontest.Options{})
	add(t, m, "/a", "r/a:2", nil)
	o := configureWith(t, block{"timeout": "1h", "retries": 10, "poll_interval": "5ms"}, m.MarathonURL(), quick())
	req := request("op", "/a", "r/a:1")
	req.Timeout = 50 * time.Millisecond
	err := o.Deploy(t.Context(), req, func(e orchestrator.Event) {
		if e.Accepted != nil {
			m.Inject(marathontest.Fault{Method: "GET", Times: -1, Kind: marathontest.FaultHang})
		}
	})
	if f := fault.Of(err); f == nil || f.Code != fault.Indeterminate || len(f.Deployments) != 1 {
		t.Errorf("got %v", err)
	}
}
