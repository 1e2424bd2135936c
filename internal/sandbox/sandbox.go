// Package sandbox is a world to try everything in: an OCI registry, a Marathon
// and a Slack receiver on loopback, seeded with four services and their history.
package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/rollback-project/rollback/internal/slackreceiver"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// Dir is the sandbox's folder, below the current one.
const Dir = ".rollback-sandbox"

// State says where a running sandbox is. It is kept in the sandbox's folder, readable by its owner only.
type State struct {
	PID int `json:"pid"`
	// Registry is host:port, the others are base URLs.
	Registry string `json:"registry"`
	Marathon string `json:"marathon"`
	Slack    string `json:"slack"`
	Control  string `json:"control"`
	// Token must come with every request to Control.
	Token string `json:"token"`
	// Policy is the policy's path.
	Policy string `json:"policy"`
}

// Options is what a sandbox is started with.
type Options struct {
	// Dir is the folder for state and policy.
	Dir string
	// Fail lists APP@TAG: releases that never become healthy.
	Fail []string
	// Now is today, as far as the history is concerned.
	Now time.Time
	// Speed is how much faster than a real one the Marathon works; 1 deploys in a few seconds.
	Speed float64
}

// ParseFail takes APP@TAG apart.
func ParseFail(s string) (app, tag string, err error) {
	app, tag, ok := strings.Cut(s, "@")
	if !ok || app == "" || tag == "" {
		return "", "", fmt.Errorf("--fail %q: it must be APP@TAG, such as frontend@11-master", s)
	}
	return app, tag, nil
}

// Serve runs a sandbox until ctx ends or somebody asks it to stop. ready is called once everything is there.
func Serve(ctx context.Context, o Options, ready func(State)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	images := history(o.Now)

	regLn, err := listen(ctx)
	if err != nil {
		return err
	}
	reg := serve(regLn, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer reg.Close()
	address := regLn.Addr().String()
	if err := push(ctx, address, images); err != nil {
		return err
	}

	m, err := marathontest.Start(ctx, marathontest.Options{Auto: &marathontest.Auto{Speed: o.Speed}, Start: o.Now})
	if err != nil {
		return fmt.Errorf("start the sandbox's Marathon: %w", err)
	}
	defer m.Close()
	if err := deploy(m, address, images); err != nil {
		return err
	}

	slackLn, err := listen(ctx)
	if err != nil {
		return err
	}
	slack := serve(slackLn, slackreceiver.New())
	defer slack.Close()

	controlLn, err := listen(ctx)
	if err != nil {
		return err
	}
	s := State{
		PID: os.Getpid(), Registry: address, Marathon: m.URL(), Slack: "http://" + slackLn.Addr().String(),
		Control: "http://" + controlLn.Addr().String(), Token: rand.Text(), Policy: filepath.Join(o.Dir, "policy.hcl"),
	}
	if err := script(m, o.Fail); err != nil {
		return err
	}
	control := serve(controlLn, controlHandler(s, m, stop))
	defer func() {
		// Whoever has asked it to stop gets the answer first.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = control.Shutdown(last)
	}()
	if err := s.save(o.Dir); err != nil {
		return err
	}
	// Find recognises a state that outlived its sandbox, so a file that stays does no harm.
	defer func() { _ = os.Remove(statePath(o.Dir)) }()
	ready(s)
	<-ctx.Done()
	return nil
}

func listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	return ln, nil
}

func serve(ln net.Listener, h http.Handler) *http.Server {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		// Serve ends when the server is closed; there is nobody to tell of anything else.
		_ = srv.Serve(ln)
	}()
	return srv
}

// script makes releases fail. What failed before and is not named any more becomes well.
func script(m *marathontest.Server, fail []string) error {
	m.Unscript("", "")
	for _, f := range fail {
		app, tag, err := ParseFail(f)
		if err != nil {
			return err
		}
		m.Script(marathontest.Behaviour{App: app, Tag: tag, Unhealthy: true})
	}
	return nil
}

// controlHandler lets `sandbox up --fail` and `sandbox down` reach a running sandbox.
func controlHandler(s State, m *marathontest.Server, stop func()) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /alive", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /fail", func(w http.ResponseWriter, r *http.Request) {
		var fail []string
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&fail); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := script(m, fail); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		stop()
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+s.Token {
			http.Error(w, "this is not your sandbox", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func statePath(dir string) string { return filepath.Join(dir, "state.json") }

// save writes the policy, then the state: whoever sees the state finds everything ready.
func (s State) save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the sandbox's folder: %w", err)
	}
	policy, err := policyFile(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.Policy, policy, 0o600); err != nil {
		return fmt.Errorf("write the sandbox's policy: %w", err)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write the sandbox's state: %w", err)
	}
	tmp := statePath(dir) + ".new"
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return fmt.Errorf("write the sandbox's state: %w", err)
	}
	if err := os.Rename(tmp, statePath(dir)); err != nil {
		return fmt.Errorf("write the sandbox's state: %w", err)
	}
	return nil
}

// ErrDown says that no sandbox runs in a folder.
var ErrDown = errors.New("no sandbox is running here")

// Find returns the sandbox that runs in dir, or ErrDown.
func Find(ctx context.Context, dir string) (State, error) {
	raw, err := os.ReadFile(statePath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return State{}, ErrDown
	}
	if err != nil {
		return State{}, fmt.Errorf("read the sandbox's state: %w", err)
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil {
		return State{}, fmt.Errorf("read the sandbox's state: %w", err)
	}
	if err := s.call(ctx, http.MethodGet, "/alive", nil); err != nil {
		// The file outlived its process.
		return State{}, ErrDown
	}
	return s, nil
}

// SetFail replaces the list of releases that never become healthy.
func (s State) SetFail(ctx context.Context, fail []string) error {
	for _, f := range fail {
		if _, _, err := ParseFail(f); err != nil {
			return err
		}
	}
	if fail == nil {
		fail = []string{}
	}
	return s.call(ctx, http.MethodPost, "/fail", fail)
}

// Stop ends a running sandbox.
func (s State) Stop(ctx context.Context) error { return s.call(ctx, http.MethodPost, "/stop", nil) }

// client asks a sandbox on this machine; it answers at once or not at all.
func client() *http.Client { return &http.Client{Timeout: 10 * time.Second} }

func (s State) call(ctx context.Context, method, path string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("ask the sandbox: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Control+path, strings.NewReader(string(raw)))
	if err != nil {
		return fmt.Errorf("ask the sandbox: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	res, err := client().Do(req)
	if err != nil {
		return fmt.Errorf("ask the sandbox: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return fmt.Errorf("ask the sandbox: %s: %s", res.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// Messages is what the sandbox's Slack got, as text for a terminal; "" when nothing.
func (s State) Messages(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Slack+"/messages.txt", nil)
	if err != nil {
		return "", fmt.Errorf("read the sandbox's messages: %w", err)
	}
	res, err := client().Do(req)
	if err != nil {
		return "", fmt.Errorf("read the sandbox's messages: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<22))
	if err != nil {
		return "", fmt.Errorf("read the sandbox's messages: %w", err)
	}
	return string(raw), nil
}

// App is an app of the sandbox and what it runs.
type App struct {
	ID, Image string
	Healthy   int
	Instances int
}

// Apps lists what runs, straight from the sandbox's Marathon.
func (s State) Apps(ctx context.Context) ([]App, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Marathon+"/v2/apps", nil)
	if err != nil {
		return nil, fmt.Errorf("read the sandbox's apps: %w", err)
	}
	res, err := client().Do(req)
	if err != nil {
		return nil, fmt.Errorf("read the sandbox's apps: %w", err)
	}
	defer res.Body.Close()
	var doc struct {
		Apps []struct {
			ID           string `json:"id"`
			Instances    int    `json:"instances"`
			TasksHealthy int    `json:"tasksHealthy"`
			Container    struct {
				Docker struct {
					Image string `json:"image"`
				} `json:"docker"`
			} `json:"container"`
		} `json:"apps"`
	}
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		return nil, fmt.Errorf("read the sandbox's apps: %w", err)
	}
	apps := make([]App, 0, len(doc.Apps))
	for _, a := range doc.Apps {
		apps = append(apps, App{ID: a.ID, Image: a.Container.Docker.Image, Healthy: a.TasksHealthy, Instances: a.Instances})
	}
	return apps, nil
}
