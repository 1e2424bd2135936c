package notifyfile_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/schema"
)

func open(t *testing.T) (notify.Notifier, string) {
	t.Helper()
	dir := t.TempDir()
	n, err := notifyfile.Plugin().Configure(t.Context(), schema.Config{JSON: json.RawMessage(`{"path":"events.jsonl"}`)}, schema.Runtime{WorkDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return n, filepath.Join(dir, "events.jsonl")
}

func TestEventsAreLinesAndEmptyFieldsAreLeftOut(t *testing.T) {
	n, path := open(t)
	// A process died while it wrote.
	if err := os.WriteFile(path, []byte(`{"at":`), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2019, 6, 1, 10, 0, 0, 0, time.UTC)
	thread := ""
	for _, kind := range []notify.Kind{notify.Started, notify.Succeeded} {
		res, err := n.Notify(t.Context(), notify.Request{Kind: kind, OperationID: "op", Environment: "prod", Message: "a < b", At: at, Thread: thread})
		if err != nil {
			t.Fatal(err)
		}
		thread = res.Thread
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"at":
{"at":"2019-06-01T10:00:00Z","kind":"started","operation_id":"op","thread":"op","environment":"prod","message":"a < b"}
{"at":"2019-06-01T10:00:00Z","kind":"succeeded","operation_id":"op","thread":"op","environment":"prod","message":"a < b"}
`
	if d := cmp.Diff(want, string(data)); d != "" {
		t.Error(d)
	}
}

func TestLinesOfConcurrentOperationsDoNotMix(t *testing.T) {
	n, path := open(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range 5 {
				if _, err := n.Notify(t.Context(), notify.Request{Kind: notify.Progress, OperationID: "op", Message: strings.Repeat("x", 5000)}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wait.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Fatalf("no JSON: %.80s", line)
		}
	}
	if len(lines) != 40 {
		t.Errorf("%d lines instead of 40", len(lines))
	}
}
