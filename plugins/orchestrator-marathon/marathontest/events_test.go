package marathontest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// reader reads an event stream as bytes, line ends included.
type reader struct {
	t    *testing.T
	resp *http.Response
	r    *bufio.Reader
}

// frame is one event, or a heartbeat if it has no kind.
type frame struct {
	kind string
	data map[string]any
}

// listen opens an event stream of a handler.
func (w world) listen(query string) *reader {
	w.t.Helper()
	srv := httptest.NewServer(w.Server)
	w.t.Cleanup(srv.Close)
	w.t.Cleanup(w.Disconnect)
	return w.open(srv.URL + "/v2/events" + query)
}

func (w world) open(url string) *reader {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	return &reader{t: w.t, resp: resp, r: bufio.NewReader(resp.Body)}
}

// next reads a frame and demands CRLF; false means the stream ended.
func (r *reader) next() (frame, bool) {
	r.t.Helper()
	var f frame
	for {
		line, err := r.r.ReadString('\n')
		if err != nil {
			return f, false
		}
		line, ok := strings.CutSuffix(line, "\r\n")
		if !ok {
			r.t.Fatalf("line %q does not end with CRLF", line)
		}
		if line == "" {
			return f, true
		}
		if kind, ok := strings.CutPrefix(line, "event: "); ok {
			f.kind = kind
			continue
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			r.t.Fatalf("strange line %q", line)
		}
		if err := json.Unmarshal([]byte(data), &f.data); err != nil {
			r.t.Fatal(err)
		}
	}
}

// until reads frames up to one of a kind.
func (r *reader) until(kind string) []frame {
	r.t.Helper()
	var all []frame
	for {
		f, ok := r.next()
		if !ok {
			r.t.Fatalf("the stream ended before %s; got %v", kind, kinds(all))
		}
		all = append(all, f)
		if f.kind == kind {
			return all
		}
	}
}

func kinds(frames []frame) []string {
	var k []string
	for _, f := range frames {
		k = append(k, f.kind)
	}
	return k
}

func TestEventsTellADeployment(t *testing.T) {
	each(t, marathontest.Profiles(), func(t *testing.T, w world) {
		w.seed("/a", "reg/a:2", health)
		r := w.listen("")
		if first, _ := r.next(); first.kind != "event_stream_attached" {
			t.Errorf("first event is %q", first.kind)
		}
		got := w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
		w.Settle(time.Minute)
		all := r.until("deployment_success")
		want := []string{
			"group_change_success", "deployment_info", "api_post_event", "status_update_event",
			"health_status_changed_event", "deployment_step_success", "deployment_success",
		}
		for _, k := range want {
			if !slices.Contains(kinds(all), k) {
				t.Errorf("no %s in %v", k, kinds(all))
			}
		}
		last := all[len(all)-1].data
		if last["id"] != got.at(t, "deploymentId") || last["eventType"] != "deployment_success" || last["timestamp"] == nil {
			t.Errorf("deployment_success: %v", last)
		}
	})
}

func TestEventsHaveTheMembersOfRecordedOnes(t *testing.T) {
	w := newWorld(t, marathontest.Options{Profile: marathontest.Profile14})
	w.seed("/a", "reg/a:2", health)
	w.Script(marathontest.Behaviour{App: "/a", Tag: "1", Unhealthy: true})
	r := w.listen("")
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	w.Advance(5 * time.Second)
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:3")).want(t, 409)
	w.do("DELETE", "/v2/deployments/"+at(t, w.deployments(), "0.id").(string), "").want(t, 200)
	w.Settle(time.Minute)
	seen := map[string]map[string]any{}
	for _, f := range r.until("deployment_success") {
		seen[f.kind] = f.data
	}
	tested := 0
	for name, doc := range recordings(t, "marathon-docs-events/*.json", "go-marathon/events/*.json") {
		var want map[string]any
		if err := json.Unmarshal(doc, &want); err != nil {
			t.Fatal(err)
		}
		got, ok := seen[want["eventType"].(string)]
		if !ok || want["eventType"] == "event_stream_attached" { // whose example is of the callbacks of old
			continue
		}
		if want["eventType"] == "health_status_changed_event" && want["taskId"] != nil {
			continue // 1.3 and older
		}
		tested++
		sameKeys(t, name, want, got)
	}
	if tested < 10 {
		t.Errorf("only %d recorded events were compared", tested)
	}
}

func TestEventStreamsNeedTheExactAccept(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.do("GET", "/v2/events", "", "Accept", "application/json").want(t, 405)
	w.do("GET", "/v2/events", "", "Accept", "text/event-stream; charset=utf-8").want(t, 405)
}

func TestEventTypeFilter(t *testing.T) {
	for profile, filtered := range map[marathontest.Profile]bool{marathontest.Profile11: false, marathontest.Profile13: true} {
		w := newWorld(t, marathontest.Options{Profile: profile})
		w.seed("/a", "reg/a:2")
		r := w.listen("?event_type=deployment_success&event_type=deployment_failed")
		w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
		w.Settle(time.Minute)
		if n := len(r.until("deployment_success")); (n == 1) != filtered {
			t.Errorf("%s: %d events", profile, n)
		}
	}
}

func TestHeavyPlansCarryTheRootGroup(t *testing.T) {
	for _, tt := range []struct {
		profile marathontest.Profile
		query   string
		heavy   bool
	}{
		{marathontest.Profile14, "?plan-format=light", true},
		{marathontest.Profile15, "", true},
		{marathontest.Profile15, "?plan-format=light", false},
		{marathontest.Profile17, "", false},
		{marathontest.Profile18, "?plan-format=heavy", false},
	} {
		w := newWorld(t, marathontest.Options{Profile: tt.profile})
		w.seed("/a", "reg/a:2")
		r := w.listen(tt.query)
		w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
		w.Settle(time.Minute)
		all := r.until("deployment_success")
		plan := all[len(all)-1].data["plan"].(map[string]any)
		if _, heavy := plan["original"]; heavy != tt.heavy {
			t.Errorf("%s%s: heavy is %v; plan has %v", tt.profile, tt.query, heavy, slices.Sorted(maps.Keys(plan)))
		}
	}
}

func TestHeartbeatIsAnEmptyFrame(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	r := w.listen("")
	r.until("event_stream_attached")
	w.Advance(10 * time.Second)
	if f, ok := r.next(); !ok || f.kind != "" {
		t.Errorf("got %v", f)
	}
}

func TestNoOpDeploymentTellsSuccessWithoutBeingListed(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:1")
	r := w.listen("?event_type=deployment_success")
	got := w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	w.Step()
	all := r.until("deployment_success")
	if diff := cmp.Diff(got.at(t, "deploymentId"), all[0].data["id"]); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedAndCancelledDeploymentsAreTold(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	w.seed("/a", "reg/a:2")
	w.Script(marathontest.Behaviour{NoOffers: true})
	r := w.listen("?event_type=group_change_failed&event_type=deployment_failed")
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:1")).want(t, 200)
	w.do("PUT", "/v2/apps/a", image("/a", "reg/a:3")).want(t, 409)
	w.do("PUT", "/v2/apps/a?force=true", image("/a", "reg/a:3")).want(t, 200)
	all := r.until("deployment_failed")
	if diff := cmp.Diff([]string{"group_change_failed", "deployment_failed"}, kinds(all)); diff != "" {
		t.Error(diff)
	}
	if all[1].data["reason"] != "The upgrade has been cancelled" {
		t.Errorf("reason: %v", all[1].data["reason"])
	}
}

func TestEventsAreDroppedReorderedAndCutOff(t *testing.T) {
	w := newWorld(t, marathontest.Options{})
	r := w.listen("?event_type=one&event_type=two&event_type=three")
	if err := w.Wait(t.Context(), func() bool { return w.Streams() == 1 }); err != nil {
		t.Fatal(err)
	}
	w.DropEvents(1)
	w.Emit("one", map[string]any{})
	w.ReorderEvents(true)
	w.Emit("two", map[string]any{})
	w.Emit("three", map[string]any{})
	w.ReorderEvents(false)
	if diff := cmp.Diff([]string{"three", "two"}, kinds(r.until("two"))); diff != "" {
		t.Error(diff)
	}
	w.Disconnect()
	if f, ok := r.next(); ok {
		t.Errorf("the stream goes on with %v", f)
	}
}

func TestSlowConsumersLoseEventsOrTheirConnection(t *testing.T) {
	for profile, closed := range map[marathontest.Profile]bool{marathontest.Profile17: false, marathontest.Profile18: true} {
		w := newWorld(t, marathontest.Options{Profile: profile})
		ctx, cancel := context.WithCancel(t.Context())
		stuck := make(chan struct{})
		rec := &stuckWriter{header: http.Header{}, stuck: stuck}
		req := httptest.NewRequestWithContext(ctx, "GET", "/v2/events", nil)
		req.Header.Set("Accept", "text/event-stream")
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.ServeHTTP(rec, req)
		}()
		if err := w.Wait(t.Context(), func() bool { return w.Streams() == 1 }); err != nil {
			t.Fatal(err)
		}
		for range 3000 {
			w.Emit("noise", map[string]any{})
		}
		if got := w.Streams() == 0; got != closed {
			t.Errorf("%s: cut off: %v", profile, got)
		}
		cancel()
		close(stuck)
		<-done
	}
}

// stuckWriter is a client that does not read.
type stuckWriter struct {
	header http.Header
	stuck  chan struct{}
}

func (w *stuckWriter) Header() http.Header { return w.header }
func (w *stuckWriter) WriteHeader(int)     {}
func (w *stuckWriter) Flush()              {}
func (w *stuckWriter) Write(b []byte) (int, error) {
	<-w.stuck
	return len(b), nil
}

func TestStandbyForwardsOrRedirects(t *testing.T) {
	for profile, status := range map[marathontest.Profile]int{marathontest.Profile16: 200, marathontest.Profile17: 302} {
		w := newWorld(t, marathontest.Options{Profile: profile})
		w.seed("/a", "reg/a:2")
		standby := httptest.NewServer(w.Standby())
		t.Cleanup(standby.Close)
		t.Cleanup(w.Disconnect)
		r := w.open(standby.URL + "/v2/events?event_type=x")
		if r.resp.StatusCode != status {
			t.Errorf("%s: events: %d", profile, r.resp.StatusCode)
		}
		if to := r.resp.Header.Get("Location"); status == 302 && to != "http://marathon.test:8080/v2/events?event_type=x" {
			t.Errorf("redirected to %s", to)
		}
		for _, chunked := range []bool{false, true} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, standby.URL+"/v2/apps/a", strings.NewReader(`{"cmd":"x"}`))
			if err != nil {
				t.Fatal(err)
			}
			if chunked {
				req.ContentLength = -1
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			want := 200
			if chunked {
				want = map[int]int{200: 200, 302: 400}[status] // a new leader gets an empty body
			}
			if resp.StatusCode != want || resp.Header.Get("X-Marathon-Via") == "" {
				t.Errorf("%s, chunked %v: %d, want %d", profile, chunked, resp.StatusCode, want)
			}
		}
	}
}
