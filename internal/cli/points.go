package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollback-project/rollback/core"
	"github.com/rollback-project/rollback/internal/report"
	"github.com/rollback-project/rollback/internal/view"
)

type pointsOptions struct {
	article
	format string
}

func newPoints(g *global) *cobra.Command {
	var o pointsOptions
	cmd := &cobra.Command{
		Use:     "points",
		Aliases: []string{"get"},
		GroupID: "main",
		Short:   "List the dates one can go back to",
		Long: `List the dates one can go back to, and what every repo would get at each.

A repo without a release at a date gets its nearest earlier one, because newer would be incompatible.`,
		Example: `  rollback points
  rollback points --env stage --format choices
  rollback get --repo=backend-a,frontend --env=master --registry=registry.example.com:5000 --dump=/tmp`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runPoints(cmd.Context(), g, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "table", "table, json, choices (one date a line, newest first) or html (a page)")
	o.register(f)
	f.StringVar(&o.dump, "dump", "", "also write rollback.json, as the article's job reads it, into `DIR`")
	completeWords(cmd, "format", "table", "json", "choices", "html")
	return cmd
}

// register adds the flags that stand for blocks of a policy.
func (a *article) register(f *pflag.FlagSet) {
	f.StringVar(&a.repos, "repo", "", "only these `REPOS`, separated by commas; without a policy, all there are")
	f.StringVar(&a.registry, "registry", "", "the registry's `HOST:PORT`, instead of the policy's")
}

func runPoints(ctx context.Context, g *global, o pointsOptions) error {
	if err := checkFormat("rollback points", o.format, []string{"table", "json", "choices", "html"}); err != nil {
		return err
	}
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	s, err := g.begin(o.article)
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
	w, err := s.engine.Read(ctx, env)
	if err != nil {
		return s.readFailed(err)
	}
	s.report(w.Timeline.Warnings)
	if o.dump != "" {
		if err := writeDump(filepath.Join(g.path(o.dump), "rollback.json"), w); err != nil {
			return s.fail("Dump not written", err)
		}
	}
	if err := s.showPoints(o.format, w); err != nil {
		return err
	}
	for _, r := range w.Repos {
		if r.Unknown != "" {
			// The warning has been shown; a list that is not complete is no success for a script.
			return exit{ExitError}
		}
	}
	return nil
}

func (s *session) showPoints(format string, w *core.World) error {
	out := s.app.Streams.Out
	doc := w.Timeline.Document(w.Environment.Name, w.Environment.Branch, w.Running())
	switch {
	case s.json:
		s.stream.Write("info", "points", fmt.Sprintf("%d points", len(doc.Points)), map[string]any{"points": doc})
		return s.stream.Err()
	case format == "json":
		return view.WriteJSON(out, doc)
	case format == "choices":
		view.Choices(out, w.Timeline.Choices())
	case format == "html":
		return report.PointsPage(out, w.Timeline.Matrix(w.Running()), s.head(w), s.app.Now())
	default:
		view.Points(out, s.look(), w.Timeline.Matrix(w.Running()), s.head(w))
	}
	return nil
}

func (s *session) head(w *core.World) view.PointsHead {
	zone := "UTC"
	if s.policy.Settings.Timezone != nil {
		zone = s.policy.Settings.Timezone.String()
	}
	return view.PointsHead{Environment: w.Environment.Name, Branch: w.Environment.Branch, Timezone: zone}
}

func writeDump(path string, w *core.World) error {
	raw, err := json.Marshal(w.Timeline.Dump())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return replaceFile(path, append(raw, '\n'))
}

// readFailed shows why registry or orchestrator could not be read.
func (s *session) readFailed(err error) error {
	if interrupted(err) {
		fmt.Fprintln(s.app.Streams.Err, "\nInterrupted. Nothing was changed.")
		return exit{ExitInterrupted}
	}
	return s.fail("Nothing could be planned", err)
}
