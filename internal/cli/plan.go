package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/internal/view"
)

// planOptions are the flags that decide what a plan holds; apply has them as well.
type planOptions struct {
	article
	to           string
	only, except []string
	overrides    []string
	allowPartial bool
	approvedBy   string

	allowQuarantined bool

	out      string
	format   string
	detailed bool
}

func newPlan(g *global) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:     "plan",
		GroupID: "main",
		Short:   "Show what a rollback would do",
		Long: `Show what a rollback would do. Nothing is changed.

WHEN is a date (2019-06-01), an RFC 3339 instant, "yesterday", or -1, -2, … : so many points before what runs now.`,
		Example: `  rollback plan --to -1
  rollback plan --to 2019-06-01 --out prod.plan
  rollback plan --to yesterday --detailed-exitcode`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runPlan(cmd.Context(), g, o) },
	}
	f := cmd.Flags()
	o.registerPlan(f)
	f.StringVar(&o.out, "out", "", "save the plan to `FILE`, to apply exactly this")
	f.StringVar(&o.format, "format", "text", planFormatsMean)
	f.BoolVar(&o.detailed, "detailed-exitcode", false, "exit with 2 when something would change")
	completeWords(cmd, "format", planFormats...)
	completePlan(g, cmd)
	return cmd
}

func (o *planOptions) registerPlan(f *pflag.FlagSet) {
	o.register(f)
	f.StringVar(&o.to, "to", "", "`WHEN` to go back to")
	f.StringVar(&o.to, "date", "", "same as --to, as the article calls it")
	f.StringArrayVar(&o.only, "only", nil, "only this `REPO`; may be repeated; for exceptional cases")
	f.StringArrayVar(&o.except, "except", nil, "not this `REPO`; may be repeated; for exceptional cases")
	f.StringArrayVar(&o.overrides, "override", nil, "let an overridable guard pass, as `NAME=REASON`; may be repeated")
	f.BoolVar(&o.allowPartial, "allow-partial", false, "go on although a repo could not be read; its apps stay as they are")
	f.BoolVar(&o.allowQuarantined, "allow-quarantined", false, "go to images that are known bad")
	f.StringVar(&o.approvedBy, "approved-by", "", "`NAME` of who approves, for guards and the record")
}

// parseOverrides takes NAME=REASON apart.
func parseOverrides(cmd string, overrides []string) (map[string]string, error) {
	m := map[string]string{}
	for _, s := range overrides {
		name, reason, ok := strings.Cut(s, "=")
		if !ok || name == "" || strings.TrimSpace(reason) == "" {
			return nil, usageError{err: fmt.Errorf("--override %q: it must be NAME=REASON, with the reason why", s), cmd: cmd}
		}
		m[name] = reason
	}
	return m, nil
}

func runPlan(ctx context.Context, g *global, o planOptions) error {
	if err := checkFormat("rollback plan", o.format, planFormats); err != nil {
		return err
	}
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	s, err := g.start(ctx, o.article, needs{registry: true, orchestrator: true})
	if err != nil {
		return err
	}
	defer s.close()
	p, err := s.plan(ctx, o)
	if err != nil {
		return err
	}
	failed := s.report(p.Diagnostics)
	if o.out != "" && !failed {
		if err := plan.Save(g.path(o.out), p); err != nil {
			return s.fail("Plan not saved", err)
		}
	}
	if err := s.showPlan(o.format, p, view.PlanNext{Saved: o.out, Hint: true}); err != nil {
		return err
	}
	switch {
	case failed:
		return exit{ExitError}
	case o.detailed && !p.Empty():
		return exit{ExitChanges}
	default:
		return nil
	}
}

// plan makes the plan; what stands in its way is in its diagnostics, not shown yet.
func (s *session) plan(ctx context.Context, o planOptions) (*plan.Plan, error) {
	overrides, err := parseOverrides("rollback plan", o.overrides)
	if err != nil {
		return nil, err
	}
	env, err := s.engine.Environment(s.env)
	if err != nil {
		return nil, s.fail("Environment not found", err)
	}
	p, w, err := s.engine.Plan(ctx, core.PlanRequest{
		Environment: env, To: o.to, Only: o.only, Except: o.except, AllowPartial: o.allowPartial, AllowQuarantined: o.allowQuarantined,
		Overrides: overrides, Operator: policy.OperatorFacts{User: s.user(), ApprovedBy: o.approvedBy},
	})
	if err != nil {
		if w != nil && !interrupted(err) {
			s.report(w.Timeline.Warnings)
			return nil, s.fail("No such point", err)
		}
		return nil, s.readFailed(err)
	}
	return p, nil
}

func (s *session) showPlan(format string, p *plan.Plan, next view.PlanNext) error {
	s.reports.planned(p)
	if s.stream != nil {
		view.PlanTo(s.stream, p)
	}
	switch {
	case s.json:
		return s.stream.Err()
	case format == "json":
		return view.WriteJSON(s.app.Streams.Out, p)
	}
	if done, err := writePlan(s.app.Streams.Out, format, p); done {
		return err
	}
	view.Plan(s.app.Streams.Out, s.look(), p, next)
	return nil
}
