// Package notifyfile is the reference notifier plugin: it appends what it is
// told to a file, one JSON object a line.
package notifyfile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Plugin returns the plugin as its executable serves it.
func Plugin() notify.Plugin { return plugin{} }

type plugin struct{}

// config is the body of the policy's block.
type config struct {
	Path string `json:"path"`
}

func (plugin) Describe() schema.Description {
	return schema.Description{
		Kind:    schema.Notify,
		Name:    "file",
		Version: "0.1.0",
		Doc:     "Appends every event to a file, one JSON object a line (docs/file-plugins.md).",
		Schema: schema.Schema{Attributes: []schema.Attribute{{
			Name:     "path",
			Type:     cty.String,
			Required: true,
			Doc:      "The file; made when it is not there. A relative path starts at the policy's folder.",
		}}},
		Capabilities: []schema.Capability{schema.Threads},
	}
}

func (plugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	var c config
	if err := cfg.Decode(&c); err != nil {
		return diag.Diagnostics{diag.Errorf("Invalid configuration", "The block of the file notifier cannot be read: %v.", err)}
	}
	if c.Path == "" {
		return diag.Diagnostics{diag.Errorf("Missing path",
			`The attribute path must name the file to append to, such as path = "events.jsonl".`).At("path")}
	}
	return nil
}

func (plugin) Configure(_ context.Context, cfg schema.Config, rt schema.Runtime) (notify.Notifier, error) {
	var c config
	if err := cfg.Decode(&c); err != nil {
		return nil, fault.New(fault.Invalid, "configure the file notifier: %w", err)
	}
	path := c.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(rt.WorkDir, path)
	}
	return notifier{path}, nil
}

type notifier struct{ path string }

// Probe looks whether the file's folder is there; it does not make the file.
func (n notifier) Probe(ctx context.Context) (schema.ProbeResult, error) {
	if err := ctx.Err(); err != nil {
		return schema.ProbeResult{}, err
	}
	dir := filepath.Dir(n.path)
	info, err := os.Stat(dir)
	if err != nil {
		return schema.ProbeResult{}, fault.New(fault.Unavailable, "look for the folder of %s: %w", n.path, err)
	}
	if !info.IsDir() {
		return schema.ProbeResult{}, fault.New(fault.Unavailable, "look for the folder of %s: %s is a file", n.path, dir)
	}
	return schema.ProbeResult{System: "file", Notes: []string{"Events are appended to " + n.path + "."}}, nil
}

// line is one event in the file.
type line struct {
	At          time.Time   `json:"at"`
	Kind        notify.Kind `json:"kind"`
	OperationID string      `json:"operation_id,omitempty"`
	Thread      string      `json:"thread,omitempty"`
	Environment string      `json:"environment,omitempty"`
	Point       string      `json:"point,omitempty"`
	Operator    string      `json:"operator,omitempty"`
	Approver    string      `json:"approver,omitempty"`
	Reason      string      `json:"reason,omitempty"`
	Ticket      string      `json:"ticket,omitempty"`
	Link        string      `json:"link,omitempty"`
	Host        string      `json:"host,omitempty"`
	Changes     []change    `json:"changes,omitempty"`
	Kept        []string    `json:"kept,omitempty"`
	Message     string      `json:"message,omitempty"`
	StopHint    string      `json:"stop_hint,omitempty"`
	StartedAt   *time.Time  `json:"started_at,omitempty"`
}

type change struct {
	Repo    string `json:"repo,omitempty"`
	App     string `json:"app,omitempty"`
	Action  string `json:"action,omitempty"`
	FromTag string `json:"from_tag,omitempty"`
	ToTag   string `json:"to_tag,omitempty"`
	Reason  string `json:"reason,omitempty"`
	State   string `json:"state,omitempty"`
}

// Notify appends one line. The thread is the operation's id.
func (n notifier) Notify(ctx context.Context, req notify.Request) (notify.Result, error) {
	if err := ctx.Err(); err != nil {
		return notify.Result{}, err
	}
	thread := req.Thread
	if thread == "" {
		thread = req.OperationID
	}
	text, err := render(req, thread)
	if err != nil {
		return notify.Result{}, fault.New(fault.Internal, "write event %s: %w", req.Kind, err)
	}
	if err := appendTo(ctx, n.path, text); err != nil {
		return notify.Result{}, fault.New(fault.Unavailable, "write event %s: %w", req.Kind, err)
	}
	return notify.Result{Thread: thread}, nil
}

func render(req notify.Request, thread string) ([]byte, error) {
	out := line{
		At: req.At.UTC(), Kind: req.Kind, OperationID: req.OperationID, Thread: thread,
		Environment: req.Environment, Point: req.Point, Operator: req.Operator, Approver: req.Approver,
		Reason: req.Reason, Ticket: req.Ticket, Link: req.Link, Host: req.Host,
		Kept: req.Kept, Message: req.Message, StopHint: req.StopHint,
	}
	if !req.StartedAt.IsZero() {
		at := req.StartedAt.UTC()
		out.StartedAt = &at
	}
	for _, c := range req.Changes {
		out.Changes = append(out.Changes, change(c))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // people read it
	if err := enc.Encode(out); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b.Bytes(), nil
}

// appendTo adds a line in one piece, also when several processes do.
// A line that a dying process left half written is ended first.
func appendTo(ctx context.Context, path string, text []byte) error {
	l := flock.New(path + ".lock")
	if _, err := l.TryLockContext(ctx, 2*time.Millisecond); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	defer func() { _ = l.Close() }()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil && end > 0 {
		last := make([]byte, 1)
		if _, err = f.ReadAt(last, end-1); err == nil && last[0] != '\n' {
			text = append([]byte{'\n'}, text...)
		}
	}
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("append to %s: %w", path, err)
	}
	return nil
}
