package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/journal"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

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
	if err != nil && !interrupted(err) {
		// What is on record is known all the same, and wanted above all when a server is away.
		return errors.Join(s.readFailed(err), s.recorded(ctx, env, asJSON))
	}
	if err != nil {
		return s.readFailed(err)
	}
	s.report(append(append(diag.Diagnostics{}, w.Timeline.Warnings...), w.MatchDiagnostics...))
	doc, err := s.status(ctx, w)
	if err != nil {
		return s.fail("State not readable", err)
	}
	if asJSON {
		return view.WriteJSON(g.app.Streams.Out, doc)
	}
	view.Status(g.app.Streams.Out, g.look(), doc)
	return nil
}

// recorded shows what the state knows of an environment whose apps could not be read.
func (s *session) recorded(ctx context.Context, env policy.Environment, asJSON bool) error {
	doc := view.StatusDoc{FormatVersion: "1.0", Environment: env.Name, Branch: env.Branch, AppsUnknown: true}
	if err := s.lastAndLock(ctx, env.Name, &doc); err != nil {
		return s.fail("State not readable", err)
	}
	if asJSON {
		return view.WriteJSON(s.app.Streams.Out, doc)
	}
	view.Status(s.app.Streams.Out, s.look(), doc)
	return nil
}

func (s *session) status(ctx context.Context, w *core.World) (view.StatusDoc, error) {
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
	return doc, s.statusOfState(ctx, w, &doc)
}

// statusOfState adds what the state knows: what was done last, what has changed since, what is unfinished, held and locked.
func (s *session) statusOfState(ctx context.Context, w *core.World, doc *view.StatusDoc) error {
	drifts, of, err := s.engine.Drifts(ctx, w)
	if err != nil {
		return err
	}
	for _, d := range drifts {
		doc.Drift = append(doc.Drift, view.StatusDrift{Repo: d.Repo, App: d.App, Left: d.Left, Runs: d.Runs, Operation: of.OperationID})
	}
	holds, err := s.engine.Holds(ctx, w.Environment)
	if err != nil {
		return err
	}
	for _, h := range holds {
		doc.Holds = append(doc.Holds, view.StatusHold{App: h.App, Image: h.Image, Operation: h.Operation, Reason: h.Reason, HeldBy: h.HeldBy, At: h.At})
	}
	return s.lastAndLock(ctx, w.Environment.Name, doc)
}

// lastAndLock adds the last operation, who is at it, and whether nobody is although it has not ended.
func (s *session) lastAndLock(ctx context.Context, environment string, doc *view.StatusDoc) error {
	st := s.engine.State
	last, err := st.Operations(ctx, environment, 1)
	if err != nil {
		return err
	}
	if len(last) > 0 {
		doc.Last = lastOperation(last[0])
	}
	holder, err := st.Holder(ctx, environment)
	if err != nil {
		return err
	}
	if holder != nil {
		doc.Lock = &view.StatusLock{Operation: holder.Operation, Who: holder.Who, Host: holder.Host, PID: holder.PID, Since: holder.Since, Gone: holder.Gone}
	}
	if doc.Last != nil && doc.Last.Outcome == unfinished && (holder == nil || holder.Gone) {
		doc.Unfinished, err = s.unfinished(ctx, doc.Last.ID)
	}
	return err
}

// unfinished says how far an operation came that nobody carries out any more.
func (s *session) unfinished(ctx context.Context, id string) (*view.StatusUnfinished, error) {
	entries, err := s.engine.State.Entries(ctx, id)
	if err != nil {
		return nil, err
	}
	p := journal.Replay(entries)
	return &view.StatusUnfinished{Operation: id, Step: string(p.Last.Step), Wave: p.Last.Wave, At: p.Last.At, Next: string(p.Next)}, nil
}

const unfinished = "unfinished"

func lastOperation(o state.Operation) *view.StatusOperation {
	op := &view.StatusOperation{
		ID: o.OperationID, At: o.StartedAt, Kind: string(o.Kind), To: o.Plan.To, Outcome: string(o.Outcome),
		Operator: o.Operator, ApprovedBy: o.ApprovedBy, Reason: o.Reason,
	}
	if o.Outcome == "" {
		op.Outcome = unfinished
	}
	return op
}
