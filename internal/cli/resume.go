package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

type resumeOptions struct {
	operating
	reporting
	operation        string
	plan             string
	restore, abandon bool
}

func newResume(g *global) *cobra.Command {
	var o resumeOptions
	cmd := &cobra.Command{
		Use:     "resume [OPERATION]",
		GroupID: "main",
		Short:   "Finish an operation that was broken off, or put it back",
		Long: `Take up an operation whose process has died. One that was on its way is finished: deployments that run are followed,
waves that are left are deployed. One that was failing is put back. Either is said, and recorded.

Without OPERATION it is the unfinished one of the environment, and with --plan only the one that has applied that plan. An operation that ended in need of a person may be taken
up as well, by its id: everything is put back once more.

Exit codes: 0 finished, 3 everything was put back, 4 a person is needed, 5 somebody is at it.`,
		Example: "  rollback resume\n  rollback resume --restore\n  rollback resume 01JD4V3K7Q8ZC2N5M9X0T1R6BS --abandon",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.operation = args[0]
			}
			if o.plan != "" && o.operation != "" {
				return usageError{err: errors.New("--plan and OPERATION exclude each other"), cmd: cmd.CommandPath()}
			}
			if o.restore && o.abandon {
				return usageError{err: errors.New("--restore and --abandon exclude each other"), cmd: cmd.CommandPath()}
			}
			return g.reporting(cmd, o.reporting, func() error { return runResume(cmd.Context(), g, o) })
		},
	}
	f := cmd.Flags()
	o.operating.register(f)
	o.reporting.register(cmd)
	f.StringVar(&o.plan, "plan", "", "the operation that has applied the saved plan in `FILE`, and no other")
	f.BoolVar(&o.restore, "restore", false, "put everything back, also where it could be finished")
	f.BoolVar(&o.abandon, "abandon", false, "change nothing; record that somebody has taken care of the apps")
	return cmd
}

func runResume(ctx context.Context, g *global, o resumeOptions) error {
	ctx, ints, stop := g.onInterrupts(ctx)
	defer stop()
	s, err := g.start(ctx, article{}, needs{registry: true, orchestrator: true, notifiers: true, operate: true})
	if err != nil {
		return err
	}
	defer s.close()
	if o.operation, err = s.appliedBy(ctx, o); err != nil {
		return s.fail("Not resumed", err)
	}
	env, err := s.engine.Environment(s.env)
	if err != nil {
		return s.fail("Environment not found", err)
	}
	op, progress, err := s.engine.FindResumable(ctx, env.Name, o.operation)
	if err != nil && (op == nil || !o.abandon) {
		return s.fail("Not resumed", err)
	}
	if holder, err := s.engine.State.Holder(ctx, env.Name); err == nil && holder == nil {
		s.announce(op, progress, o)
	}
	run, err := s.run("resume", o.operating, nil, ints)
	if err != nil {
		return err
	}
	return s.operate(ctx, op.Plan, run, func(ctx context.Context) core.ApplyResult {
		return s.engine.Resume(ctx, core.ResumeRequest{Environment: env, Operation: op.OperationID, PutBack: o.restore, Abandon: o.abandon, Run: run})
	})
}

// appliedBy is the operation that was asked for: by its id, or by the plan that it has applied.
func (s *session) appliedBy(ctx context.Context, o resumeOptions) (string, error) {
	if o.plan == "" {
		return o.operation, nil
	}
	p, err := plan.Load(s.path(o.plan))
	if err != nil {
		return "", err
	}
	if s.env == "" {
		s.env = p.Environment
	}
	id, err := s.engine.State.PlanClaimedBy(ctx, p.ID)
	if err == nil && id == "" {
		err = fmt.Errorf("resume: the plan %s has not been applied, so nothing is to be taken up", term.Clean(o.plan))
	}
	return id, err
}

// announce says what was broken off where, and what is done about it.
func (s *session) announce(op *state.Operation, p journal.Progress, o resumeOptions) {
	if s.json {
		return
	}
	what := "Finishing it."
	switch {
	case o.abandon:
		what = "Recording that it is abandoned."
	case o.restore || p.Next == journal.PutBack || p.Outcome != "":
		what = "Putting everything back."
	}
	fmt.Fprintf(s.app.Streams.Out, "Operation %s on %s, to %s, begun by %s at %s, was broken off after \"%s\". %s\n\n",
		term.Clean(op.OperationID), term.Clean(op.Environment), term.Clean(op.Plan.To), term.Clean(op.Operator), op.StartedAt.Format(time.RFC3339), p.Last.Step, what)
}

type undoOptions struct {
	operating
	reporting
	operation        string
	out              string
	autoApprove      bool
	approvedBy       string
	allowQuarantined bool
	only, except     []string
	overrides        []string
}

func newUndo(g *global) *cobra.Command {
	var o undoOptions
	cmd := &cobra.Command{
		Use:     "undo [OPERATION]",
		GroupID: "main",
		Short:   "Put an operation back: every app gets what it ran before",
		Long: `Plan and apply the way back of an operation: every app that still runs what the operation gave it gets what it ran
before. It is a plan like any other: shown, approved, guarded, applied and put back when it fails.

Without OPERATION it is the last one that has changed the environment. The images an operation has rolled away from are
in quarantine: to go back to them, say --allow-quarantined.`,
		Example: "  rollback undo --allow-quarantined\n  rollback undo 01JD4V3K7Q8ZC2N5M9X0T1R6BS --allow-quarantined --out undo.plan",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.operation = args[0]
			}
			if o.out == "" && !o.autoApprove && (g.json || !g.interactive()) {
				return usageError{err: errors.New("--auto-approve or --out is required: there is nobody to ask"), cmd: cmd.CommandPath()}
			}
			return g.reporting(cmd, o.reporting, func() error { return runUndo(cmd.Context(), g, o) })
		},
	}
	f := cmd.Flags()
	o.operating.register(f)
	o.reporting.register(cmd)
	f.StringVar(&o.out, "out", "", "only save the plan to `FILE`, to apply exactly this")
	f.BoolVar(&o.autoApprove, "auto-approve", false, "do not ask")
	f.StringVar(&o.approvedBy, "approved-by", "", "`NAME` of who approves, for guards and the record")
	f.BoolVar(&o.allowQuarantined, "allow-quarantined", false, "go back to images that are known bad")
	f.StringArrayVar(&o.only, "only", nil, "only this `REPO`; may be repeated; for exceptional cases")
	f.StringArrayVar(&o.except, "except", nil, "not this `REPO`; may be repeated; for exceptional cases")
	f.StringArrayVar(&o.overrides, "override", nil, "let an overridable guard pass, as `NAME=REASON`; may be repeated")
	completePlan(g, cmd)
	return cmd
}

func runUndo(ctx context.Context, g *global, o undoOptions) error {
	ctx, ints, stop := g.onInterrupts(ctx)
	defer stop()
	only := o.out != "" // is planned: nothing is recorded
	s, err := g.start(ctx, article{}, needs{registry: true, orchestrator: true, notifiers: !only, operate: !only})
	if err != nil {
		return err
	}
	defer s.close()
	run, err := s.run("undo", o.operating, o.overrides, ints)
	if err != nil {
		return err
	}
	run.Operator.ApprovedBy = o.approvedBy
	planning, stopPlanning := core.Until(ctx, ints.first)
	defer stopPlanning()
	p, err := s.planUndo(planning, o, run)
	if err != nil {
		return err
	}
	switch {
	case p.Empty():
		s.ended(core.ApplyResult{}, p, run)
		return nil
	case o.out != "":
		if err := plan.Save(s.path(o.out), p); err != nil {
			return s.fail("Plan not saved", err)
		}
		return s.showPlan("text", p, view.PlanNext{Saved: o.out, Hint: true})
	}
	if err := s.showPlan("text", p, view.PlanNext{}); err != nil {
		return err
	}
	if !o.autoApprove {
		if err := s.ask(planning, p.Environment); err != nil {
			return err
		}
	}
	return s.operate(ctx, p, run, func(ctx context.Context) core.ApplyResult {
		return s.engine.Apply(ctx, core.ApplyRequest{Plan: p, Run: run})
	})
}

// planUndo makes the plan, and shows what stands in its way.
func (s *session) planUndo(ctx context.Context, o undoOptions, run core.Run) (*plan.Plan, error) {
	env, err := s.engine.Environment(s.env)
	if err != nil {
		return nil, s.fail("Environment not found", err)
	}
	p, _, err := s.engine.PlanUndo(ctx, core.UndoRequest{
		Environment: env, Operation: o.operation, AllowQuarantined: o.allowQuarantined, Only: o.only, Except: o.except,
		Overrides: run.Overrides, Operator: policy.OperatorFacts{User: run.Operator.User, ApprovedBy: o.approvedBy},
	})
	if err != nil {
		return nil, s.fail("Nothing to undo", err)
	}
	if s.report(p.Diagnostics) {
		if err := s.showPlan("text", p, view.PlanNext{}); err != nil {
			return nil, err
		}
		return nil, exit{ExitError}
	}
	return p, nil
}

func newCancel(g *global) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "cancel [OPERATION]",
		GroupID: "main",
		Short:   "Stop a running operation, from any machine that shares its state",
		Long: `Ask a running operation to stop and to put everything back, as the first Ctrl-C where it runs does, and wait until it
has ended. Without OPERATION it is the one that runs on the environment.

Exit codes: 0 it has ended, 1 there is none that runs, or it could not be asked.`,
		Example: "  rollback cancel --reason \"wrong point\"",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) == 1 {
				id = args[0]
			}
			return runCancel(cmd.Context(), g, id, reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

func runCancel(ctx context.Context, g *global, id, reason string) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	s, st, env, err := g.startState(ctx, needs{recordOnly: true})
	if err != nil {
		return err
	}
	defer s.close()
	var op *state.Operation
	if id != "" {
		op, err = st.Operation(ctx, id)
	} else {
		op, err = st.Unfinished(ctx, env)
	}
	switch {
	case err != nil:
		return s.fail("State not readable", err)
	case op == nil || op.Outcome != "":
		return s.fail("Nothing to cancel", nothingRuns(env, id, op))
	}
	holder, err := st.Holder(ctx, op.Environment)
	if err != nil {
		return s.fail("State not readable", err)
	}
	if holder == nil || holder.Operation != op.OperationID || holder.Gone {
		return s.fail("Nothing to cancel", diag.Errorf("Nobody carries it out", "Operation %s was broken off: there is no process to stop. Put everything back with\n    rollback resume %s --restore", op.OperationID, op.OperationID))
	}
	if _, err := st.RequestCancel(ctx, op.OperationID, s.user(), reason); err != nil {
		return s.fail("Operation not cancelled", err)
	}
	fmt.Fprintf(s.app.Streams.Err, "Asked process %d on %s to stop and to put everything back.\n", holder.PID, term.Clean(holder.Host))
	return s.awaitEnd(ctx, st, op)
}

// nothingRuns says why there is nothing to cancel.
func nothingRuns(env, id string, op *state.Operation) error {
	switch {
	case op != nil:
		return fmt.Errorf("cancel operation %s: it has ended: %s", id, op.Outcome)
	case id != "":
		return fmt.Errorf("cancel operation %s: there is no operation of that id; see `rollback history`", id)
	default:
		return fmt.Errorf("cancel: no operation on %s is unfinished", env)
	}
}

// endPoll is how often it is asked whether an operation has ended.
const endPoll = 500 * time.Millisecond

// awaitEnd waits until an operation has ended, or nobody carries it out any more.
func (s *session) awaitEnd(ctx context.Context, st *state.Store, op *state.Operation) error {
	ticker := time.NewTicker(endPoll)
	defer ticker.Stop()
	for {
		now, err := st.Operation(ctx, op.OperationID)
		switch {
		case err != nil:
			return s.fail("State not readable", err)
		case now != nil && now.Outcome != "":
			fmt.Fprintf(s.app.Streams.Out, "Operation %s has ended: %s.\n", term.Clean(op.OperationID), now.Outcome)
			return nil
		}
		if holder, err := st.Holder(ctx, op.Environment); err == nil && holder == nil {
			// It may have ended between the two questions.
			if now, err = st.Operation(ctx, op.OperationID); err == nil && now != nil && now.Outcome != "" {
				continue
			}
			return s.fail("Operation not ended", diag.Errorf("Operation was left", "Nobody carries operation %s out any more, and it has not ended. See\n    rollback status", op.OperationID))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return exit{ExitInterrupted}
		}
	}
}
