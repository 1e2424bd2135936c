package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

func newShow(g *global) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "show PLANFILE",
		GroupID: "look",
		Short:   "Read a saved plan, offline, even a stale or applied one",
		Example: "  rollback show prod.plan\n  rollback show prod.plan --format json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat("rollback show", format, planFormats); err != nil {
				return err
			}
			return runShow(cmd.Context(), g, args[0], format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", planFormatsMean)
	completeWords(cmd, "format", planFormats...)
	return cmd
}

func runShow(ctx context.Context, g *global, file, format string) error {
	p, err := plan.Load(g.path(file))
	if err != nil {
		view.Diagnostics(g.app.Streams.Err, g.errLook(), diag.Diagnostics{errorDiagnostic("Saved plan not readable", err)})
		return exit{ExitError}
	}
	// Offline nothing is known of the world; what is known is whether this state has seen it applied.
	var stale []string
	if st, err := g.openState(ctx, g.quietPolicy(), needs{}); err == nil {
		if by, err := st.PlanClaimedBy(ctx, p.ID); err == nil && by != "" {
			stale = append(stale, "it was applied by operation "+by)
		}
		_ = st.Close() // it was only read
	}
	if format == "json" || g.json {
		return view.WriteJSON(g.app.Streams.Out, plan.NewDocument(p, stale))
	}
	if done, err := writePlan(g.app.Streams.Out, format, p); done {
		return err
	}
	view.Plan(g.app.Streams.Out, g.look(), p, view.PlanNext{})
	for _, reason := range stale {
		fmt.Fprintf(g.app.Streams.Out, "\nThis plan can no longer be applied: %s.\n", reason)
	}
	return nil
}

type explainOptions struct {
	to, repo, format string
}

func newExplain(g *global) *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:     "explain",
		GroupID: "look",
		Short:   "Every tag considered for one repo at one point, and why it won or lost",
		Example: "  rollback explain --to 2019-06-01 --repo backend-b",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runExplain(cmd.Context(), g, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "`WHEN`, as for plan")
	f.StringVar(&o.repo, "repo", "", "the `REPO`")
	f.StringVar(&o.format, "format", "text", "text or json")
	for _, name := range []string{"to", "repo"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined three lines above
		}
	}
	completeWords(cmd, "format", "text", "json")
	completePlan(g, cmd)
	return cmd
}

func runExplain(ctx context.Context, g *global, o explainOptions) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	s, err := g.begin(article{})
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.open(ctx, needs{registry: true, orchestrator: s.policy.Orchestrator != nil}); err != nil {
		return err
	}
	env, err := s.engine.Environment(g.env)
	if err != nil {
		return s.fail("Environment not found", err)
	}
	ex, w, err := s.engine.Explain(ctx, env, o.to, o.repo)
	if err != nil {
		if w == nil {
			return s.readFailed(err)
		}
		return s.fail("Nothing to explain", err)
	}
	if o.format == "json" || g.json {
		return view.WriteJSON(g.app.Streams.Out, ex)
	}
	view.Explain(g.app.Streams.Out, g.look(), ex)
	return nil
}
