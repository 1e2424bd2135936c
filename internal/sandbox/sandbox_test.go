package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// today is the day of the tests, in the afternoon.
var today = time.Date(2019, 6, 3, 16, 0, 0, 0, time.UTC)

// start runs a sandbox until the test ends.
func start(t *testing.T, fail ...string) (State, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), Dir)
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan State, 1), make(chan error, 1)
	go func() {
		ended <- Serve(ctx, Options{Dir: dir, Fail: fail, Now: today, Speed: 20}, func(s State) { ready <- s })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	select {
	case s := <-ready:
		return s, dir
	case err := <-ended:
		ended <- err
		t.Fatalf("Serve ended at once: %v", err)
	}
	panic("unreachable")
}

func TestTheHistoryHoldsTheArticlesPicture(t *testing.T) {
	images := history(today)
	yesterday := today.AddDate(0, 0, -1).Format(time.DateOnly)
	var released []string
	for _, i := range images {
		if i.branch == "master" && i.created.Format(time.DateOnly) == yesterday {
			released = append(released, i.repo)
		}
		if i.created.After(today) {
			t.Errorf("%s:%s is of the future: %s", i.repo, i.tag, i.created)
		}
	}
	if diff := cmp.Diff([]string{"backend-a", "backend-c", "frontend"}, released); diff != "" {
		t.Errorf("released on %s (-want +got):\n%s", yesterday, diff)
	}
	if !slices.ContainsFunc(images, func(i image) bool { return i.repo == "backend-a" && i.tag == "10-master" }) {
		t.Error("builds 9 and 10 do not both occur: the order of numbers would not be seen")
	}
}

func TestTheRegistryHoldsTheHistory(t *testing.T) {
	s, _ := start(t)
	for _, service := range services {
		repo, err := name.NewRepository(s.Registry+"/"+service, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		got, err := remote.List(repo, remote.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, i := range history(today) {
			if i.repo == service {
				want = append(want, i.tag)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tags of %s (-want +got):\n%s", service, diff)
		}
	}
}

func TestEveryServiceRunsItsNewestImage(t *testing.T) {
	s, _ := start(t)
	apps, err := s.Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, e := range environments {
		for _, service := range services {
			want[e.scope+"/shop/"+service] = s.Registry + "/" + service + ":" + newest(history(today), service, e)
		}
	}
	got := map[string]string{}
	for _, a := range apps {
		got[a.ID] = a.Image
		if a.Healthy != a.Instances || a.Instances != 2 {
			t.Errorf("%s: %d of %d healthy, want 2 of 2", a.ID, a.Healthy, a.Instances)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("apps (-want +got):\n%s", diff)
	}
}

func TestASandboxIsFoundWhileItRuns(t *testing.T) {
	s, dir := start(t, "frontend@11-master")
	found, err := Find(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, found); diff != "" {
		t.Errorf("Find (-want +got):\n%s", diff)
	}
	for _, path := range []string{statePath(dir), s.Policy} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is readable for others: %s", path, info.Mode())
		}
	}
	if err := found.SetFail(t.Context(), []string{"frontend@12-master"}); err != nil {
		t.Error(err)
	}
	if err := found.SetFail(t.Context(), []string{"frontend"}); err == nil {
		t.Error("SetFail takes what is no APP@TAG")
	}
	if err := found.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTheMessagesOfTheSandboxsSlackCanBeRead(t *testing.T) {
	s, _ := start(t)
	if got, err := s.Messages(t.Context()); got != "" || err != nil {
		t.Errorf("Messages at first: %q, %v", got, err)
	}
	res, err := http.Post(s.Slack+"/services/T0/B0/x", "application/json", strings.NewReader(`{"text":"hello"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got, err := s.Messages(t.Context()); !strings.Contains(got, "hello") || err != nil {
		t.Errorf("Messages: %q, %v", got, err)
	}
}

func TestASandboxThatEndedIsDown(t *testing.T) {
	dir := t.TempDir()
	if _, err := Find(t.Context(), dir); !errors.Is(err, ErrDown) {
		t.Errorf("Find without a file: %v, want ErrDown", err)
	}
	raw, err := json.Marshal(State{PID: 1, Control: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(statePath(dir), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), dir); !errors.Is(err, ErrDown) {
		t.Errorf("Find of a process that is gone: %v, want ErrDown", err)
	}
	if err := os.WriteFile(statePath(dir), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), dir); err == nil || errors.Is(err, ErrDown) {
		t.Errorf("Find of half a file: %v, want an error that says so", err)
	}
}

func TestOnlyTheOwnerControlsASandbox(t *testing.T) {
	s, _ := start(t)
	other := s
	other.Token = "guessed"
	if err := other.Stop(t.Context()); err == nil {
		t.Error("Stop with a wrong token: no error")
	}
	if err := s.call(t.Context(), http.MethodGet, "/alive", nil); err != nil {
		t.Errorf("the sandbox ended all the same: %v", err)
	}
}

func TestParseFail(t *testing.T) {
	for _, s := range []string{"", "frontend", "@11-master", "frontend@"} {
		if _, _, err := ParseFail(s); err == nil {
			t.Errorf("ParseFail(%q): no error", s)
		}
	}
	app, tag, err := ParseFail("/ds/prod/shop/frontend@11-master")
	if err != nil || app != "/ds/prod/shop/frontend" || tag != "11-master" {
		t.Errorf("ParseFail: %q %q %v", app, tag, err)
	}
}
