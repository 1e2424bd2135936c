package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
)

// startState opens only the state of a policy: no plugin is started. The environment is "" when none is named and the
// policy has no default.
func (g *global) startState(ctx context.Context, n needs) (*session, *state.Store, string, error) {
	asJSON := g.json
	g.json = false // each of these commands prints one document, not a stream
	s, err := g.begin(article{})
	g.json = asJSON
	if err != nil {
		return nil, nil, "", err
	}
	st, err := g.openState(ctx, s.policy, n)
	if err != nil {
		err = s.fail("State not usable", err)
		s.close()
		return nil, nil, "", err
	}
	s.closes = append(s.closes, st)
	env, err := core.New(core.Options{Policy: s.policy, State: st, Now: g.app.Now}).Environment(g.env)
	if err != nil && g.env != "" {
		err = s.fail("Environment not found", err)
		s.close()
		return nil, nil, "", err
	}
	return s, st, env.Name, nil
}

func newHistory(g *global) *cobra.Command {
	limit := 20
	cmd := &cobra.Command{
		Use:     "history",
		GroupID: "look",
		Short:   "Past operations: who, when, what, how it ended",
		Example: "  rollback history\n  rollback history --env prod --limit 5\n  rollback history show",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usageError{err: fmt.Errorf("--limit is %d: it must be at least 0", limit), cmd: cmd.CommandPath()}
			}
			return runHistory(cmd.Context(), g, limit)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many, newest first; 0 is all")
	cmd.AddCommand(&cobra.Command{
		Use:     "show [OPERATION]",
		Short:   "One operation: who asked, who approved, its plan, what happened when",
		Example: "  rollback history show\n  rollback history show 01JD4V3K7Q8ZC2N5M9X0T1R6BS --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := ""
			if len(args) == 1 {
				id = args[0]
			}
			return runHistoryShow(cmd.Context(), g, id)
		},
	})
	return cmd
}

func runHistory(ctx context.Context, g *global, limit int) error {
	s, st, _, err := g.startState(ctx, needs{})
	if err != nil {
		return err
	}
	defer s.close()
	// Only what was asked for narrows it: the policy's default environment is for doing, not for looking.
	name := ""
	if g.env != "" {
		env, err := core.New(core.Options{Policy: s.policy}).Environment(g.env)
		if err != nil {
			return s.fail("Environment not found", err)
		}
		name = env.Name
	}
	operations, err := st.Operations(ctx, name, limit)
	if err != nil {
		return s.fail("State not readable", err)
	}
	doc := view.HistoryDoc{FormatVersion: "1.0", Operations: []view.HistoryOperation{}}
	for _, o := range operations {
		doc.Operations = append(doc.Operations, view.NewHistoryOperation(o))
	}
	if g.json {
		return view.WriteJSON(g.app.Streams.Out, doc)
	}
	view.History(g.app.Streams.Out, g.look(), doc)
	return nil
}

func runHistoryShow(ctx context.Context, g *global, id string) error {
	s, st, env, err := g.startState(ctx, needs{})
	if err != nil {
		return err
	}
	defer s.close()
	op, err := find(ctx, st, env, id)
	if err != nil {
		return s.fail("Operation not found", err)
	}
	entries, err := st.Entries(ctx, op.OperationID)
	if err != nil {
		return s.fail("State not readable", err)
	}
	events, err := st.Events(ctx, op.OperationID)
	if err != nil {
		return s.fail("State not readable", err)
	}
	doc, err := view.NewOperationDoc(*op, entries, events)
	if err != nil {
		return s.fail("State not readable", err)
	}
	if g.json {
		return view.WriteJSON(g.app.Streams.Out, doc)
	}
	view.Operation(g.app.Streams.Out, g.look(), doc)
	fmt.Fprintln(g.app.Streams.Out)
	view.Plan(g.app.Streams.Out, g.look(), op.Plan, view.PlanNext{})
	return nil
}

// find returns the operation of that id, or the environment's last.
func find(ctx context.Context, st *state.Store, env, id string) (*state.Operation, error) {
	if id != "" {
		op, err := st.Operation(ctx, id)
		if err == nil && op == nil {
			err = fmt.Errorf("find operation %s: there is no operation of that id; see `rollback history`", id)
		}
		return op, err
	}
	last, err := st.Operations(ctx, env, 1)
	if err == nil && len(last) == 0 {
		err = errors.New("find the last operation: none is on record")
	}
	if err != nil {
		return nil, err
	}
	return &last[0], nil
}

func newUnlock(g *global) *cobra.Command {
	var autoApprove bool
	cmd := &cobra.Command{
		Use:     "unlock",
		GroupID: "main",
		Short:   "Release a stale lock",
		Long: `Release the lock of an environment whose holder is gone. A holder that is alive keeps it: stop its operation with
"rollback cancel". The operation itself stays unfinished until it is taken up with "rollback resume".`,
		Example: "  rollback unlock --env prod",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !autoApprove && !g.interactive() {
				return usageError{err: errors.New("--auto-approve is required: there is nobody to ask"), cmd: cmd.CommandPath()}
			}
			return runUnlock(cmd.Context(), g, autoApprove)
		},
	}
	cmd.Flags().BoolVar(&autoApprove, "auto-approve", false, "do not ask")
	return cmd
}

func runUnlock(ctx context.Context, g *global, autoApprove bool) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	s, st, env, err := g.startState(ctx, needs{recordOnly: true})
	if err != nil {
		return err
	}
	defer s.close()
	if env == "" {
		return s.fail("Environment not found", errors.New("choose an environment: name one with --env"))
	}
	h, err := st.Holder(ctx, env)
	if err != nil {
		return s.fail("State not readable", err)
	}
	out := g.app.Streams.Out
	if h == nil {
		fmt.Fprintf(out, "%s is not locked.\n", term.Clean(env))
		return nil
	}
	fmt.Fprintf(out, "%s is locked by %s (%s, process %d on %s, operation %s) since %s; last sign of life %s.\n",
		term.Clean(env), term.Clean(h.Who), term.Clean(h.Command), h.PID, term.Clean(h.Host), term.Clean(h.Operation),
		h.Since.UTC().Format(time.RFC3339), h.Heartbeat.UTC().Format(time.RFC3339))
	if !autoApprove {
		fmt.Fprintf(out, "Only release it when that process is certain to have ended: two operations at once leave things half done.\n\n  Type %s to release it: ", term.Clean(env))
		line, _ := bufio.NewReader(g.app.Streams.In).ReadString('\n') // what was not typed is not that name
		if strings.TrimSpace(line) != env {
			fmt.Fprintln(out, "\nThe lock was left alone.")
			return exit{ExitError}
		}
	}
	if err := st.Unlock(ctx, env, *h); err != nil {
		return s.fail("Lock not released", err)
	}
	fmt.Fprintf(out, "The lock is released. Operation %s is unfinished; take it up with\n    rollback resume\n", term.Clean(h.Operation))
	return nil
}
