package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/state"
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
		RunE: func(_ *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usageError{err: fmt.Errorf("--format is %q: it must be text or json", format), cmd: "rollback show"}
			}
			return runShow(g, args[0], format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	completeWords(cmd, "format", "text", "json")
	return cmd
}

func runShow(g *global, file, format string) error {
	p, err := plan.Load(g.path(file))
	if err != nil {
		view.Diagnostics(g.app.Streams.Err, g.errLook(), diag.Diagnostics{errorDiagnostic("Saved plan not readable", err)})
		return exit{ExitError}
	}
	// Offline nothing is known of the world; what is known is whether this state has seen it applied.
	var stale []string
	by, err := state.OpenLocal(g.stateDir(g.quietPolicy()), g.app.Now).PlanClaimedBy(p.ID)
	if err == nil && by != "" {
		stale = append(stale, "it was applied by operation "+by)
	}
	if format == "json" || g.json {
		return view.WriteJSON(g.app.Streams.Out, plan.NewDocument(p, stale))
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

func newStatus(g *global) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		GroupID: "look",
		Short:   "What runs now, and what was done last",
		Example: "  rollback status --env stage\n  rollback status --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runStatus(cmd.Context(), g) },
	}
}

func runStatus(ctx context.Context, g *global) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	asJSON := g.json
	g.json = false // status is one document, not a stream
	s, err := g.start(ctx, article{}, needs{registry: true, orchestrator: true})
	if err != nil {
		return err
	}
	defer s.close()
	env, err := s.engine.Environment(g.env)
	if err != nil {
		return s.fail("Environment not found", err)
	}
	w, err := s.engine.Read(ctx, env)
	if err != nil {
		return s.readFailed(err)
	}
	s.report(append(append(diag.Diagnostics{}, w.Timeline.Warnings...), w.MatchDiagnostics...))
	doc, err := s.status(w)
	if err != nil {
		return s.fail("State not readable", err)
	}
	if asJSON {
		return view.WriteJSON(g.app.Streams.Out, doc)
	}
	view.Status(g.app.Streams.Out, g.look(), doc)
	return nil
}

func (s *session) status(w *core.World) (view.StatusDoc, error) {
	current, _ := w.Timeline.Current(w.Running())
	doc := view.StatusDoc{FormatVersion: "1.0", Environment: w.Environment.Name, Branch: w.Environment.Branch, Point: current.Date}
	for _, m := range w.Matches {
		for _, t := range m.Targets {
			a := view.StatusApp{
				Repo: m.Repo, App: t.App.ID, Image: t.Image, Tag: t.Ref.Tag,
				Instances: t.App.Instances, Running: t.App.Running, Healthy: t.App.Healthy, Deployments: t.App.Deployments,
			}
			if rel := w.Timeline.Lookup(m.Repo, t.Ref.Tag, t.Ref.Digest); rel != nil {
				created := rel.When()
				a.Created = &created
			}
			doc.Apps = append(doc.Apps, a)
		}
	}
	st := s.engine.State
	last, ok, err := st.Last(w.Environment.Name)
	if err != nil {
		return doc, err
	}
	if ok {
		doc.Last = lastOperation(last)
	}
	holder, err := st.Holder(w.Environment.Name)
	if err != nil {
		return doc, err
	}
	if holder != nil {
		doc.Lock = &view.StatusLock{Operation: holder.Operation, Who: holder.Who, Host: holder.Host, PID: holder.PID, Since: holder.Since}
	}
	return doc, nil
}

func lastOperation(p journal.Progress) *view.StatusOperation {
	op := &view.StatusOperation{
		ID: p.Header.OperationID, At: p.StartedAt, To: p.Header.Plan.To, Outcome: string(p.Outcome),
		Operator: p.Header.Operator, ApprovedBy: p.Header.ApprovedBy, Reason: p.Header.Reason,
	}
	if p.Outcome == "" {
		op.Outcome = "unfinished"
	}
	return op
}
