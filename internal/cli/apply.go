package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/internal/view/live"
)

type applyOptions struct {
	planOptions
	operating
	reporting
	file        string
	autoApprove bool
}

func newApply(g *global) *cobra.Command {
	var o applyOptions
	cmd := &cobra.Command{
		Use:     "apply [PLANFILE]",
		Aliases: []string{"run"},
		GroupID: "main",
		Short:   "Take the environment back, all of it or nothing",
		Long: `Take the environment back: change the image of every app, deploy, wait until everything is healthy.
When anything goes wrong, everything is put back.

A saved plan is applied as it is, without a question: the file is the approval. Without one, the plan is made and
shown, and you are asked; on a terminal, --to may be left out and the point be picked from a list.

Exit codes: 0 done or nothing to do, 1 refused and nothing was changed, 3 failed and everything was put back,
4 failed and a person is needed, 5 somebody else holds the environment, 130 interrupted.`,
		Example: `  rollback apply
  rollback apply --to -1 --auto-approve --approved-by alice --reason "checkout is broken"
  rollback apply prod.plan
  rollback run --date=2019-06-01 --env=prod`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.file = args[0]
			}
			if err := o.check(cmd, g); err != nil {
				return err
			}
			return g.reporting(cmd, o.reporting, func() error { return runApply(cmd.Context(), g, o) })
		},
	}
	f := cmd.Flags()
	o.registerPlan(f)
	f.BoolVar(&o.autoApprove, "auto-approve", false, "do not ask")
	o.operating.register(f)
	o.reporting.register(cmd)
	f.StringVar(&o.dump, "dump", "", "`DIR` with the rollback.json of `get`, as the article's job has it")
	f.StringVar(&o.slack, "slack", "", "a Slack webhook's `URL`, instead of the policy's notifiers (better: ROLLBACK_SLACK_URL)")
	f.StringVar(&o.user, "user", "", "`USER` of DC/OS, as in the article's call")
	f.StringVar(&o.password, "pwd", "", "`PASSWORD` of DC/OS, as in the article's call (better: ROLLBACK_PASSWORD)")
	completePlan(g, cmd)
	return cmd
}

// check refuses combinations that make no sense, and recognises the article's call.
func (o *applyOptions) check(cmd *cobra.Command, g *global) error {
	bad := func(format string, args ...any) error {
		return usageError{err: fmt.Errorf(format, args...), cmd: cmd.CommandPath()}
	}
	f := cmd.Flags()
	if o.file != "" {
		for _, name := range []string{"to", "date", "only", "except", "override", "allow-partial", "allow-quarantined", "repo", "registry"} {
			if f.Changed(name) {
				return bad("--%s cannot be used with a saved plan: the plan was made already", name)
			}
		}
		return nil
	}
	if cmd.CalledAs() == "run" && f.Changed("date") {
		// The article's script never asks: its Jenkins job has asked before.
		o.autoApprove = true
	}
	if g.json && !o.autoApprove {
		return bad("Plan file or auto-approve required: with --json nobody is asked, so give a saved plan or --auto-approve")
	}
	if !o.autoApprove && !g.interactive() {
		return bad("--auto-approve or a saved plan is required: there is no terminal to ask on")
	}
	return nil
}

func runApply(ctx context.Context, g *global, o applyOptions) error {
	ctx, ints, stop := g.onInterrupts(ctx)
	defer stop()
	planning, stopPlanning := core.Until(ctx, ints.first)
	defer stopPlanning()
	if err := o.readDump(g); err != nil {
		return err
	}
	s, err := g.start(planning, o.article, needs{registry: true, orchestrator: true, notifiers: true, operate: true})
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.nothingUnfinished(planning); err != nil {
		return err
	}
	p, err := s.approvedPlan(planning, o)
	if err != nil || p == nil {
		return err
	}
	run, err := s.run("apply", o.operating, o.overrides, ints)
	if err != nil {
		return err
	}
	run.Operator.ApprovedBy = o.approvedBy
	return s.operate(ctx, p, run, func(ctx context.Context) core.ApplyResult {
		return s.engine.Apply(ctx, core.ApplyRequest{Plan: p, Run: run})
	})
}

// nothingUnfinished refuses, before anybody reads a plan, what would be refused after it: an operation was broken off, and
// nobody carries it out.
func (s *session) nothingUnfinished(ctx context.Context) error {
	// Without an environment there is nothing to look for: a saved plan names its own, and what asks for one says so.
	env, _ := s.engine.Environment(s.env)
	left, err := s.engine.State.Unfinished(ctx, env.Name)
	if err != nil {
		return s.fail("State not readable", err)
	}
	if left == nil {
		return nil
	}
	holder, err := s.engine.State.Holder(ctx, env.Name)
	if err != nil {
		return s.fail("State not readable", err)
	}
	if holder != nil {
		return nil // Somebody is at it: the lock says who.
	}
	return s.fail("Apply refused", &core.UnfinishedError{Operation: left.OperationID, Environment: env.Name})
}

// readDump takes the repos from the article's rollback.json, where nothing else names them.
func (o *applyOptions) readDump(g *global) error {
	if o.dump == "" || o.repos != "" {
		return nil
	}
	path := filepath.Join(g.path(o.dump), "rollback.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the dump of `rollback get`: %w", err)
	}
	var d point.Dump
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("read the dump of `rollback get`: %s: %w", path, err)
	}
	o.repos = strings.Join(d.All, ",")
	return nil
}

// approvedPlan returns the plan to apply; nil without an error when there is nothing to do.
func (s *session) approvedPlan(ctx context.Context, o applyOptions) (*plan.Plan, error) {
	if o.file != "" {
		p, err := plan.Load(s.path(o.file))
		if err != nil {
			return nil, s.fail("Saved plan not usable", err)
		}
		s.showSaved(o.file, p)
		return p, nil
	}
	if o.to == "" && s.policy.Settings.To == "" && s.interactive() {
		to, err := s.pick(ctx)
		if err != nil {
			return nil, err
		}
		o.to = to
	}
	p, err := s.plan(ctx, o.planOptions)
	if err != nil {
		return nil, err
	}
	failed := s.report(p.Diagnostics)
	if err := s.showPlan("text", p, view.PlanNext{}); err != nil {
		return nil, err
	}
	switch {
	case failed:
		return nil, exit{ExitError}
	case p.Empty():
		s.ended(core.ApplyResult{}, p, core.Run{})
		return nil, nil
	case o.autoApprove:
		return p, nil
	default:
		return p, s.ask(ctx, p.Environment)
	}
}

func (s *session) showSaved(file string, p *plan.Plan) {
	s.reports.planned(p)
	if s.stream != nil {
		view.PlanTo(s.stream, p)
	}
	if s.json {
		return
	}
	view.Plan(s.app.Streams.Out, s.look(), p, view.PlanNext{})
	fmt.Fprintf(s.app.Streams.Out, "\nApplying the saved plan %s, made by %s at %s.\n", term.Clean(file), term.Clean(p.Operator), p.Timestamp.Format(time.RFC3339))
}

// pick lets a person choose the point from the matrix.
func (s *session) pick(ctx context.Context) (string, error) {
	env, err := s.engine.Environment(s.env)
	if err != nil {
		return "", s.fail("Environment not found", err)
	}
	w, err := s.engine.Read(ctx, env)
	if err != nil {
		return "", s.readFailed(err)
	}
	date, ok, err := live.Pick(ctx, s.app.Streams.In, s.app.Streams.Out, s.look(), w.Timeline.Matrix(w.Running()), s.head(w))
	if err != nil {
		return "", s.readFailed(err)
	}
	if !ok {
		fmt.Fprintln(s.app.Streams.Out, "Apply cancelled.")
		return "", exit{ExitError}
	}
	return date, nil
}
