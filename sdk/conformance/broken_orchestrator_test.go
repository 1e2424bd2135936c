package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/conformance"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

type (
	appT    = orchestrator.App
	eventT  = orchestrator.Event
	deployT = orchestrator.DeployRequest
	emitT   = func(orchestrator.Event)
)

func TestABrokenOrchestratorFailsExactlyItsCheck(t *testing.T) {
	all := slices.Concat(brokenPlugins(), brokenReads(), brokenDeploys(), brokenRestores(), brokenFailures(), brokenOptions())
	failsExactly(t, all, orchestratorFixture)
}

var token = schema.Attribute{Name: "token", Type: cty.String, Sensitive: true, Doc: "A secret."}

func TestASecretThatIsKeptPasses(t *testing.T) {
	target := ofPlugin(oddPlugin{describe: func(d *schema.Description) { d.Schema.Attributes = append(d.Schema.Attributes, token) }})
	for _, res := range conformance.Run(t.Context(), target, orchestratorFixture(t)).Results {
		if res.Outcome != conformance.Pass {
			t.Errorf("%s: %s %s", res.Name, res.Outcome, res.Message)
		}
	}
}

func brokenPlugins() []broken {
	var counter atomic.Int64
	describing := func(f func(*schema.Description)) conformance.Target { return ofPlugin(oddPlugin{describe: f}) }
	probing := func(f func(o full, ctx context.Context) (schema.ProbeResult, error)) conformance.Target {
		return of(func() odd { return odd{probe: f} })
	}
	return []broken{
		{check: "plugin/describe-is-stable", target: describing(func(d *schema.Description) { d.Doc += fmt.Sprint(counter.Add(1)) })},
		{check: "plugin/identity", target: describing(func(d *schema.Description) { d.Version = "newest" })},
		{check: "plugin/schema-is-sound", target: describing(func(d *schema.Description) {
			d.Schema.Attributes = append(d.Schema.Attributes, schema.Attribute{Name: "Odd", Type: cty.Number, Required: true, Default: cty.True})
		})},
		{check: "plugin/valid-config-is-accepted", target: ofPlugin(oddPlugin{validate: func(_ schema.Config, ds diag.Diagnostics) diag.Diagnostics {
			if ds == nil {
				return diag.Diagnostics{diag.Errorf("No", "Not today.")}
			}
			return ds
		}})},
		{check: "plugin/all-problems-at-once", target: ofPlugin(oddPlugin{validate: func(_ schema.Config, ds diag.Diagnostics) diag.Diagnostics {
			return ds[:min(1, len(ds))]
		}})},
		{check: "plugin/diagnostics-have-form", target: ofPlugin(oddPlugin{validate: func(_ schema.Config, ds diag.Diagnostics) diag.Diagnostics {
			for i := range ds {
				ds[i].Summary += "."
			}
			return ds
		}})},
		{check: "plugin/configure-reaches-nobody", target: ofPlugin(oddPlugin{configured: func(o full, cfg schema.Config, rt schema.Runtime) (orchestrator.Orchestrator, error) {
			var c struct{ Path string }
			if err := cfg.Decode(&c); err != nil {
				return nil, err
			}
			if _, err := os.Stat(rt.WorkDir + "/" + c.Path); err != nil {
				return nil, err
			}
			return o, nil
		}})},
		{check: "plugin/probe-names-the-system", target: probing(func(o full, ctx context.Context) (schema.ProbeResult, error) {
			_, err := o.Probe(ctx)
			return schema.ProbeResult{}, err
		})},
		{check: "plugin/probe-needs-the-system", target: probing(func(o full, ctx context.Context) (schema.ProbeResult, error) {
			res, err := o.Probe(ctx)
			if fault.Is(err, fault.Unavailable) {
				return schema.ProbeResult{System: "fine"}, nil
			}
			return res, err
		})},
		{check: "plugin/cancelled-call-ends", target: probing(func(o full, ctx context.Context) (schema.ProbeResult, error) {
			return o.Probe(context.WithoutCancel(ctx))
		})},
		{check: "plugin/no-secrets-heard", target: ofPlugin(leakyPlugin())},
	}
}

// leakyPlugin logs a secret.
func leakyPlugin() oddPlugin {
	return oddPlugin{
		describe: func(d *schema.Description) { d.Schema.Attributes = append(d.Schema.Attributes, token) },
		configured: func(o full, cfg schema.Config, rt schema.Runtime) (orchestrator.Orchestrator, error) {
			var c struct{ Token string }
			if err := json.Unmarshal(cfg.JSON, &c); err != nil {
				return nil, err
			}
			rt.Logger.Debug("configured", "token", c.Token)
			return o, nil
		},
	}
}

// apps changes each app that is listed. f gets a state that lives as long as the plugin.
func apps(f func(*appT)) conformance.Target {
	return of(func() odd { return odd{list: listing2(f)} })
}

func listing2(f func(*appT)) func(full, context.Context, orchestrator.ListRequest, func(appT) error) error {
	return func(o full, ctx context.Context, req orchestrator.ListRequest, y func(appT) error) error {
		return o.ListApps(ctx, req, func(a appT) error {
			f(&a)
			return y(a)
		})
	}
}

func brokenReads() []broken {
	var processes atomic.Int64
	twice := func(c []orchestrator.ContainerImage) []orchestrator.ContainerImage {
		return append(slices.Clone(c), c...)
	}
	return []broken{
		{check: "orchestrator/apps-once-sorted-complete", target: of(func() odd {
			return odd{list: func(o full, ctx context.Context, req orchestrator.ListRequest, y func(appT) error) error {
				var all []appT
				if err := o.ListApps(ctx, req, func(a appT) error { all = append(all, a); return nil }); err != nil {
					return err
				}
				slices.Reverse(all)
				for _, a := range all {
					if err := y(a); err != nil {
						return err
					}
				}
				return nil
			}}
		})},
		{check: "orchestrator/scope-ends-at-a-segment", target: of(func() odd {
			return odd{list: func(o full, ctx context.Context, req orchestrator.ListRequest, y func(appT) error) error {
				return o.ListApps(ctx, orchestrator.ListRequest{}, func(a appT) error {
					if !strings.HasPrefix(a.ID, req.Scope) {
						return nil
					}
					return y(a)
				})
			}}
		})},
		{check: "orchestrator/images-as-spelt", target: of(func() odd {
			return odd{
				list: listing2(func(a *appT) {
					if a.ID == "/ds/prod/b" {
						a.Images = twice(a.Images)
					}
				}),
				snapshot: func(o full, ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
					all, err := o.Snapshot(ctx, apps)
					for i := range all {
						if all[i].App == "/ds/prod/b" {
							all[i].Images = twice(all[i].Images)
						}
					}
					return all, err
				},
			}
		})},
		{check: "orchestrator/fingerprint-is-stable", target: of(func() odd {
			mark := fmt.Sprint("-", processes.Add(1))
			return odd{
				list: listing2(func(a *appT) { a.Fingerprint += mark }),
				snapshot: func(o full, ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
					all, err := o.Snapshot(ctx, apps)
					for i := range all {
						all[i].Fingerprint += mark
					}
					return all, err
				},
				deploy: func(o full, ctx context.Context, req deployT, emit emitT) error {
					req.Changes = slices.Clone(req.Changes)
					for i := range req.Changes {
						req.Changes[i].ExpectedFingerprint = strings.TrimSuffix(req.Changes[i].ExpectedFingerprint, mark)
					}
					return o.Deploy(ctx, req, emit)
				},
				preview: func(o full, ctx context.Context, req deployT) (orchestrator.PreviewResult, error) {
					req.Changes = slices.Clone(req.Changes)
					req.Changes[0].ExpectedFingerprint = ""
					return o.Preview(ctx, req)
				},
			}
		})},
		{check: "orchestrator/yield-error-stops", target: of(func() odd {
			return odd{list: func(o full, ctx context.Context, req orchestrator.ListRequest, y func(appT) error) error {
				return o.ListApps(ctx, req, func(a appT) error {
					_ = y(a)
					return nil
				})
			}}
		})},
		{check: "orchestrator/concurrent-reads", target: of(func() odd {
			var inside atomic.Int64
			return odd{list: func(o full, ctx context.Context, req orchestrator.ListRequest, y func(appT) error) error {
				if inside.Add(1) > 1 {
					return errors.New("one at a time")
				}
				defer inside.Add(-1)
				time.Sleep(10 * time.Millisecond) // so that calls at the same time meet
				return o.ListApps(ctx, req, y)
			}}
		})},
		{check: "orchestrator/snapshot-as-asked", target: of(func() odd {
			return odd{snapshot: func(o full, ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
				return o.Snapshot(ctx, slices.Sorted(slices.Values(apps)))
			}}
		})},
		{check: "orchestrator/snapshot-of-missing-app", target: of(func() odd {
			return odd{snapshot: func(o full, ctx context.Context, apps []string) ([]orchestrator.Snapshot, error) {
				return o.Snapshot(ctx, slices.DeleteFunc(slices.Clone(apps), func(a string) bool { return strings.Contains(a, "no-such") }))
			}}
		})},
	}
}

func brokenDeploys() []broken {
	var operations atomic.Int64
	asked := func(f func(*deployT)) conformance.Target {
		return of(func() odd {
			return odd{deploy: func(o full, ctx context.Context, req deployT, emit emitT) error {
				req.Changes = slices.Clone(req.Changes)
				f(&req)
				return o.Deploy(ctx, req, emit)
			}}
		})
	}
	return []broken{
		{check: "orchestrator/deploy-changes-the-image", target: events(func(_ deployT, e eventT) []eventT {
			if e.AppHealthy != nil {
				e.AppHealthy.Image = "something else"
			}
			return []eventT{e}
		}, nil)},
		{check: "orchestrator/deploy-changes-nothing-else", target: of(func() odd {
			var more atomic.Int64
			return odd{
				deploy: func(o full, ctx context.Context, req deployT, emit emitT) error {
					more.Store(1)
					return o.Deploy(ctx, req, emit)
				},
				list: listing2(func(a *appT) {
					a.Instances += int(more.Load())
					a.Running += int(more.Load())
					a.Healthy += int(more.Load())
				}),
			}
		})},
		{check: "orchestrator/events-in-order", target: events(func(req deployT, e eventT) []eventT {
			if e.Accepted != nil && len(req.Changes) == 2 {
				return []eventT{{Progress: &orchestrator.Progress{App: req.Changes[0].App, Total: 1}}, e}
			}
			return []eventT{e}
		}, nil)},
		{check: "orchestrator/completed-means-success", target: events(func(_ deployT, e eventT) []eventT {
			if e.Completed != nil {
				return nil
			}
			return []eventT{e}
		}, nil)},
		{check: "orchestrator/labels-are-added", target: asked(func(req *deployT) { req.Labels = nil })},
		{check: "orchestrator/nothing-to-do", target: of(func() odd {
			return odd{deploy: func(o full, ctx context.Context, req deployT, emit emitT) error {
				if req.Changes[0].From == req.Changes[0].To {
					emit(eventT{Accepted: &orchestrator.Accepted{DeploymentID: "for nothing"}})
				}
				return o.Deploy(ctx, req, emit)
			}}
		})},
		{check: "orchestrator/operation-is-carried-out-once", target: asked(func(req *deployT) { req.OperationID += fmt.Sprint(operations.Add(1)) })},
		{check: "orchestrator/drifted-changes-nothing", target: asked(func(req *deployT) {
			for i := range req.Changes {
				req.Changes[i].ExpectedFingerprint = ""
			}
		})},
		{check: "orchestrator/cancel-ends-the-following-only", tick: "60ms", patience: "4s", target: of(func() odd {
			return odd{deploy: func(o full, ctx context.Context, req deployT, emit emitT) error {
				err := o.Deploy(ctx, req, emit)
				if ctx.Err() != nil {
					err = errors.Join(err, o.Cancel(context.WithoutCancel(ctx), orchestrator.CancelRequest{OperationID: req.OperationID}))
				}
				return err
			}}
		})},
	}
}

func brokenRestores() []broken {
	return []broken{
		{check: "orchestrator/restore-puts-back", target: of(func() odd {
			return odd{restore: func(o full, ctx context.Context, req orchestrator.RestoreRequest, emit emitT) error {
				if !strings.HasSuffix(req.OperationID, "-restore") {
					return o.Restore(ctx, req, emit)
				}
				emit(eventT{AppHealthy: &orchestrator.AppHealthy{App: req.Snapshots[0].App}})
				emit(eventT{Completed: &orchestrator.Completed{}})
				return nil
			}}
		})},
		{check: "orchestrator/restore-leaves-alone", target: of(func() odd {
			return odd{restore: func(o full, ctx context.Context, req orchestrator.RestoreRequest, emit emitT) error {
				began := false
				return o.Restore(ctx, req, func(e eventT) {
					if e.Accepted == nil && !began {
						emit(eventT{Accepted: &orchestrator.Accepted{DeploymentID: "for nothing"}})
					}
					began = true
					emit(e)
				})
			}}
		})},
	}
}

// otherwise classifies a failure otherwise, in the events and in the error.
func otherwise(from, to fault.Code) (func(deployT, eventT) []eventT, func(error) error) {
	change := func(f *fault.Fault) {
		if f != nil && f.Code == from {
			f.Code = to
		}
	}
	return func(_ deployT, e eventT) []eventT {
			if e.AppFailed != nil {
				change(e.AppFailed.Fault)
			}
			return []eventT{e}
		}, func(err error) error {
			change(fault.Of(err))
			return err
		}
}

func brokenFailures() []broken {
	return []broken{
		{check: "orchestrator/unhealthy-ends-by-timeout", target: events(otherwise(fault.Unhealthy, fault.Internal))},
		{check: "orchestrator/doomed-ends-at-once", target: events(otherwise(fault.Doomed, fault.Unhealthy))},
		{check: "orchestrator/busy-app-is-refused", target: events(otherwise(fault.Busy, fault.Internal))},
		{check: "orchestrator/failure-is-not-undone", target: of(func() odd {
			var undone atomic.Pointer[orchestrator.Change]
			return odd{
				deploy: func(o full, ctx context.Context, req deployT, emit emitT) error {
					err := o.Deploy(ctx, req, emit)
					if fault.Is(err, fault.Unhealthy) {
						undone.Store(&req.Changes[0])
					}
					return err
				},
				list: listing2(func(a *appT) {
					if c := undone.Load(); c != nil && c.App == a.ID {
						a.Images = []orchestrator.ContainerImage{{Image: c.From}}
					}
				}),
			}
		})},
		{check: "orchestrator/app-names-its-deployments", target: apps(func(a *appT) { a.Deployments = nil })},
		{check: "orchestrator/cancel-stops", target: of(func() odd {
			return odd{cancel: func(full, context.Context, orchestrator.CancelRequest) error { return nil }}
		})},
		{check: "orchestrator/attach-to-running", target: of(func() odd {
			_, end := otherwise(fault.Unhealthy, fault.Internal)
			return odd{attach: func(o full, ctx context.Context, req orchestrator.AttachRequest, emit emitT) error {
				return end(o.Attach(ctx, req, emit))
			}}
		})},
	}
}

func brokenOptions() []broken {
	return []broken{
		{check: "orchestrator/capabilities-are-implemented", target: ofPlugin(oddPlugin{
			configured: func(o full, _ schema.Config, _ schema.Runtime) (orchestrator.Orchestrator, error) {
				return struct{ orchestrator.Orchestrator }{o}, nil
			},
		})},
		{check: "orchestrator/preview-changes-nothing", target: of(func() odd {
			return odd{preview: func(o full, ctx context.Context, req deployT) (orchestrator.PreviewResult, error) {
				res, err := o.Preview(ctx, req)
				return res, errors.Join(err, o.Deploy(ctx, req, func(eventT) {}))
			}}
		})},
		{check: "orchestrator/attach-to-ended", target: of(func() odd {
			return odd{attach: func(o full, ctx context.Context, req orchestrator.AttachRequest, emit emitT) error {
				err := o.Attach(ctx, req, emit)
				if fault.Is(err, fault.Drifted) {
					emit(eventT{Completed: &orchestrator.Completed{}})
					return nil
				}
				return err
			}}
		})},
		{check: "orchestrator/hold", target: of(func() odd {
			return odd{list: func(o full, ctx context.Context, req orchestrator.ListRequest, y func(appT) error) error {
				return o.ListApps(ctx, req, func(a appT) error { a.Hold = nil; return y(a) })
			}}
		})},
		{check: "orchestrator/deploy-revision", target: of(func() odd {
			return odd{deploy: func(o full, ctx context.Context, req deployT, emit emitT) error {
				if !strings.HasPrefix(req.Changes[0].Revision, "1970") {
					req.Changes = slices.Clone(req.Changes)
					req.Changes[0].Revision = ""
				}
				return o.Deploy(ctx, req, emit)
			}}
		})},
		{check: "orchestrator/unknown-revision", target: of(func() odd {
			return odd{deploy: func(o full, ctx context.Context, req deployT, emit emitT) error {
				if strings.HasPrefix(req.Changes[0].Revision, "1970") {
					req.Changes = slices.Clone(req.Changes)
					req.Changes[0].Revision = ""
				}
				return o.Deploy(ctx, req, emit)
			}}
		})},
		{check: "orchestrator/revisions-newest-first", target: of(func() odd {
			return odd{revisions: func(o full, ctx context.Context, app string, y func(orchestrator.Revision) error) error {
				var all []orchestrator.Revision
				if err := o.ListRevisions(ctx, app, func(r orchestrator.Revision) error { all = append(all, r); return nil }); err != nil {
					return err
				}
				slices.Reverse(all)
				for _, r := range all {
					if err := y(r); err != nil {
						return err
					}
				}
				return nil
			}}
		})},
		{check: "orchestrator/atomic-set-is-one-deployment", target: events(func(req deployT, e eventT) []eventT {
			if e.Accepted != nil && len(req.Changes) == 2 {
				return []eventT{e, {Accepted: &orchestrator.Accepted{DeploymentID: e.Accepted.DeploymentID + "-b"}}}
			}
			return []eventT{e}
		}, nil)},
		{check: "orchestrator/digest-reference", target: of(func() odd {
			return odd{deploy: func(o full, ctx context.Context, req deployT, emit emitT) error {
				req.Changes = slices.Clone(req.Changes)
				for i := range req.Changes {
					req.Changes[i].To, _, _ = strings.Cut(req.Changes[i].To, "@")
				}
				return o.Deploy(ctx, req, emit)
			}}
		})},
	}
}
