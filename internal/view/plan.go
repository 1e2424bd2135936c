package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/dustin/go-humanize"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/internal/term"
)

// PlanNext says what a person does after reading a plan.
type PlanNext struct {
	// Saved is the file the plan was saved to; "" when it was not.
	Saved string
	// Hint leaves the next step out when false: the plan is about to be applied.
	Hint bool
}

// Plan writes a plan as Terraform would (conventions.md section 4.3).
func Plan(w io.Writer, l Look, p *plan.Plan, next PlanNext) {
	planHead(w, l, p)
	if len(p.Changes) > 0 && !p.Empty() {
		planLegend(w, l, p)
		if p.Errored {
			fmt.Fprintf(w, "rollback planned the following actions, but then encountered a problem:\n")
		} else {
			fmt.Fprintf(w, "rollback will perform the following actions:\n")
		}
		planWaves(w, l, p)
	} else {
		for _, c := range p.Changes {
			planChange(w, l, c, p.Timestamp)
		}
	}
	planGuards(w, l, p)
	fmt.Fprintf(w, "\n%s\n", PlanCounts(l, p))
	planNext(w, l, p, next)
}

func planHead(w io.Writer, l Look, p *plan.Plan) {
	line := fmt.Sprintf("%s %s %s", l.Paint.Bold(term.Clean(p.Environment)), l.Arrow(), l.Paint.Bold(term.Clean(p.To)))
	var notes []string
	if p.Asked.To != "" && p.Asked.To != p.To && p.Undoes == "" {
		notes = append(notes, fmt.Sprintf("asked for %s", term.Clean(p.Asked.To)))
	}
	if p.Asked.Current != "" {
		notes = append(notes, fmt.Sprintf("%s runs now", term.Clean(p.Asked.Current)))
	}
	if len(notes) > 0 {
		line += " (" + strings.Join(notes, "; ") + ")"
	}
	fmt.Fprintln(w, line)
	for _, s := range p.Asked.Skipped {
		fmt.Fprintf(w, "%s skipped %s\n", l.sym("·", "-"), term.Clean(s))
	}
	fmt.Fprintln(w)
}

// symbol is an action's mark and its meaning.
func symbol(l Look, a plan.Action) (mark, meaning string) {
	switch a {
	case plan.Rollback:
		return l.Paint.Yellow(l.sym("↓", "<-")), "roll back to an older release"
	case plan.Forward:
		return l.Paint.Cyan(l.sym("↑", "->")), "move forward to a newer release"
	case plan.Keep:
		return l.Paint.Dim(l.sym("·", ".")), "keep as it is"
	default:
		return l.Paint.Dim("="), "unchanged"
	}
}

var actionOrder = []plan.Action{plan.Rollback, plan.Forward, plan.Keep, plan.None}

func planLegend(w io.Writer, l Look, p *plan.Plan) {
	occurs := map[plan.Action]bool{}
	for _, c := range p.Changes {
		occurs[c.Action] = true
	}
	fmt.Fprintln(w, "Actions are indicated with the following symbols:")
	for _, a := range actionOrder {
		if occurs[a] {
			mark, meaning := symbol(l, a)
			fmt.Fprintf(w, "  %s %s\n", mark, meaning)
		}
	}
	fmt.Fprintln(w)
}

func planWaves(w io.Writer, l Look, p *plan.Plan) {
	waves := p.Waves()
	for i, changes := range waves {
		if len(waves) > 1 {
			fmt.Fprintf(w, "\n%s\n", l.Paint.Bold(fmt.Sprintf("Wave %d of %d", i+1, len(waves))))
		}
		for _, c := range changes {
			planChange(w, l, c, p.Timestamp)
		}
	}
	for _, c := range p.Changes {
		if c.Wave == 0 {
			planChange(w, l, c, p.Timestamp)
		}
	}
}

func planChange(w io.Writer, l Look, c plan.Change, now time.Time) {
	mark, _ := symbol(l, c.Action)
	name := l.Paint.Bold(term.Clean(c.App))
	if c.App == "" {
		name = l.Paint.Bold("repo " + term.Clean(c.Repo))
	}
	if c.Container != "" {
		name += " (container " + term.Clean(c.Container) + ")"
	}
	switch c.Action {
	case plan.Rollback:
		fmt.Fprintf(w, "\n  # %s will be rolled back\n", name)
	case plan.Forward:
		fmt.Fprintf(w, "\n  # %s will be moved forward\n", name)
	case plan.Keep:
		fmt.Fprintf(w, "\n  # %s stays as it is\n", name)
	default:
		fmt.Fprintf(w, "\n  # %s is unchanged\n", name)
	}
	if c.Words != "" {
		fmt.Fprintf(w, "  # (%s)\n", term.Clean(c.Words))
	}
	if c.Separate != "" {
		fmt.Fprintf(w, "  # (a deployment of its own: %s)\n", term.Clean(c.Separate))
	}
	if c.Action == plan.Rollback || c.Action == plan.Forward {
		fmt.Fprintf(w, "  %s image = %s\n          %s %s\n", mark, imageLine(l, c.From, now), l.Arrow(), imageLine(l, c.To, now))
	} else {
		fmt.Fprintf(w, "  %s image = %s\n", mark, imageLine(l, c.From, now))
	}
	if len(c.Config) > 0 {
		verdict := "not rolled back"
		if c.Revision != "" {
			verdict = "rolled back with the image, to version " + c.Revision
		}
		fmt.Fprintf(w, "      # configuration: %s: %s\n", term.Clean(strings.Join(c.Config, ", ")), term.Clean(verdict))
	}
}

// imageLine shows tag, age and short digest.
func imageLine(l Look, i plan.Image, now time.Time) string {
	tag := i.Tag
	if tag == "" {
		tag = i.Image
	}
	var notes []string
	if i.Created != nil {
		notes = append(notes, i.Created.UTC().Format(time.DateOnly), Age(*i.Created, now)+" old")
	}
	if d := ShortDigest(i.Digest); d != "" {
		notes = append(notes, d)
	}
	s := fmt.Sprintf("%q", term.Clean(tag))
	if len(notes) > 0 {
		s += l.Paint.Dim("  " + strings.Join(notes, ", "))
	}
	return s
}

// Age says how long before now t was, in one unit: "3 days".
func Age(t, now time.Time) string {
	return strings.TrimSpace(humanize.RelTime(t, now, "", ""))
}

// ShortDigest shortens sha256:… to its first twelve digits. Digests come from plugins and saved plans: what would
// steer the terminal is replaced.
func ShortDigest(digest string) string {
	const digits = 12
	_, hex, ok := strings.Cut(digest, ":")
	if !ok {
		return ""
	}
	return ansi.Truncate(term.Clean(hex), digits, "")
}

func planGuards(w io.Writer, l Look, p *plan.Plan) {
	if len(p.Guards) == 0 {
		return
	}
	fmt.Fprintf(w, "\nGuards:\n")
	for _, g := range p.Guards {
		switch {
		case g.Passed:
			fmt.Fprintf(w, "  %s %s\n", l.Paint.Green(l.sym("✓", "ok")), term.Clean(g.Name))
		case g.Overridden != "":
			fmt.Fprintf(w, "  %s %s: %s (overridden: %s)\n", l.Paint.Yellow("!"), term.Clean(g.Name), term.Clean(g.Message), term.Clean(g.Overridden))
		default:
			fmt.Fprintf(w, "  %s %s: %s\n", l.Paint.Red(l.sym("✗", "X")), term.Clean(g.Name), term.Clean(g.Message))
		}
	}
}

// PlanCounts is the plan's last line. Scripts read it: its words are an interface.
func PlanCounts(l Look, p *plan.Plan) string {
	s := p.Summary
	if p.Empty() {
		return l.Paint.BoldGreen("No changes.") + fmt.Sprintf(" Everything stays as it runs: %d kept, %d unchanged.", s.Keep, s.None)
	}
	counts := []string{fmt.Sprintf("%d to roll back", s.Rollback)}
	if s.Forward > 0 {
		counts = append(counts, fmt.Sprintf("%d to move forward", s.Forward))
	}
	counts = append(counts, fmt.Sprintf("%d kept", s.Keep), fmt.Sprintf("%d unchanged", s.None))
	return l.Paint.Bold("Plan:") + " " + strings.Join(counts, ", ") + "."
}

func planNext(w io.Writer, l Look, p *plan.Plan, next PlanNext) {
	if !next.Hint || l.Automation || p.Empty() || p.Errored {
		return
	}
	fmt.Fprintln(w)
	if next.Saved != "" {
		fmt.Fprintf(w, "Saved the plan to: %s\n\nTo perform exactly these actions, run the following command to apply:\n    rollback apply %s\n", term.Clean(next.Saved), quoteArg(next.Saved))
		return
	}
	fmt.Fprintf(w, "Note: You did not use --out to save this plan, so rollback cannot guarantee to take\nexactly these actions if you run the following command now:\n    rollback apply%s --env %s --to %s\n", l.policyFlag(), quoteArg(p.Environment), quoteArg(p.To))
}

// policyFlag is the -f of a hint.
func (l Look) policyFlag() string {
	if l.Policy == "" {
		return ""
	}
	return " -f " + quoteArg(l.Policy)
}

// quoteArg quotes an argument for a POSIX shell where it must be.
func quoteArg(s string) string {
	plain := s != ""
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_", r) {
			plain = false
		}
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(term.Clean(s), "'", `'\''`) + "'"
}

// PlanTo adds a plan to the stream: a line for each change, one of counts, and the whole document.
func PlanTo(s *Stream, p *plan.Plan) {
	for _, c := range p.Changes {
		name := c.App
		if name == "" {
			name = "repo " + c.Repo
		}
		s.Write("info", "planned_change", fmt.Sprintf("%s: plan to %s", name, c.Action), map[string]any{"change": c})
	}
	s.Write("info", "change_summary", PlanCounts(Look{}, p), map[string]any{"changes": p.Summary})
	s.Write("info", "plan", fmt.Sprintf("Plan of %s to %s", p.Environment, p.To), map[string]any{"plan": p})
}
