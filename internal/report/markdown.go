package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/diag"
)

// mostMarkdown is how many characters a comment on a pull request may have; GitHub takes 65,536, and others no less.
const mostMarkdown = 65000

// PlanMarkdown writes a plan for a comment on a pull request: what it is about and what it would do at a glance, and each
// change behind a fold. What would not fit is left out, and counted.
func PlanMarkdown(w io.Writer, p *plan.Plan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s → %s\n\n%s\n", view.MarkdownCell(p.Environment), view.MarkdownCell(p.To), planFacts(p))
	for _, d := range p.Diagnostics {
		if d.Severity == diag.Error {
			fmt.Fprintf(&b, "\n> ❌ **%s**: %s\n", view.MarkdownCell(d.Summary), view.MarkdownCell(d.Detail))
		}
	}
	repoMatrix(&b, p)
	releaseMatrix(&b, p.Matrix)
	guardTable(&b, p)
	warnings(&b, p)
	end := "\n\n</details>\n"
	changes := changeLines(p)
	if len(changes) > 0 {
		b.WriteString("\n<details><summary>Changes</summary>\n\n| app | from | to | why |\n|---|---|---|---|\n")
		room := mostMarkdown - b.Len() - len(end) - len("\n… and 100000 more changes: see the plan itself.\n")
		for i, line := range changes {
			if room -= len(line); room < 0 {
				fmt.Fprintf(&b, "\n… and %d more changes: see the plan itself.\n", len(changes)-i)
				break
			}
			b.WriteString(line)
		}
		b.WriteString(end)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

// planFacts is the plan in a few words.
func planFacts(p *plan.Plan) string {
	said := []string{"**" + facts(p.Summary) + "**"}
	if p.Asked.To != "" && p.Asked.To != p.To {
		said = append(said, "asked for "+view.MarkdownCell(p.Asked.To))
	}
	if p.Asked.Current != "" {
		said = append(said, view.MarkdownCell(p.Asked.Current)+" runs now")
	}
	for _, s := range p.Asked.Skipped {
		said = append(said, "skipped "+view.MarkdownCell(s))
	}
	return strings.Join(said, " · ") + fmt.Sprintf("  \nplan `%s`, made by %s at %s", view.MarkdownCell(p.ID), view.MarkdownCell(p.Operator), p.Timestamp.UTC().Format("2006-01-02 15:04 MST"))
}

// mostRepos is how many repos the matrix has lines for.
const mostRepos = 100

// repoMatrix is a line for each repo: what its apps run, and what they would.
func repoMatrix(b *strings.Builder, p *plan.Plan) {
	type row struct {
		repo, from, to, mark string
		apps                 int
	}
	var rows []row
	for _, c := range p.Changes {
		r := row{c.Repo, label(c.From), label(c.To), actionMark(c), 1}
		if n := len(rows); n > 0 && rows[n-1].repo == r.repo && rows[n-1].from == r.from && rows[n-1].to == r.to && rows[n-1].mark == r.mark {
			rows[n-1].apps++
			continue
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return
	}
	b.WriteString("\n| repo | apps | from | | to |\n|---|---|---|---|---|\n")
	for i, r := range rows {
		if i == mostRepos {
			fmt.Fprintf(b, "| … and %d more | | | | |\n", len(rows)-i)
			break
		}
		fmt.Fprintf(b, "| %s | %d | %s | %s | %s |\n", view.MarkdownCell(r.repo), r.apps, view.MarkdownCell(r.from), r.mark, view.MarkdownCell(r.to))
	}
	b.WriteString("\n↓ roll back · ○ roll back, the gap is filled with the nearest earlier release · ↑ move forward · = unchanged · ⊘ kept\n")
}

// mostDates is how many points the matrix of a comment has columns for.
const mostDates = 8

// releaseMatrix is what the point was chosen from, behind a fold: the target, and the points around it.
func releaseMatrix(b *strings.Builder, m *plan.Matrix) {
	if m == nil || len(m.Dates) == 0 {
		return
	}
	last := len(m.Dates)
	if m.Target >= 0 {
		last = min(last, max(m.Target+mostDates-1, mostDates))
	}
	first := max(0, last-mostDates)
	b.WriteString("\n<details><summary>Releases</summary>\n\n| repo |")
	for i := first; i < last; i++ {
		date := view.MarkdownCell(m.Dates[i])
		switch i {
		case m.Target:
			date = "**→ " + date + "**"
		case m.Current:
			date += " (now)"
		}
		fmt.Fprintf(b, " %s |", date)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", last-first) + "\n")
	for i, r := range m.Rows {
		if i == mostRepos {
			fmt.Fprintf(b, "| … and %d more |%s\n", len(m.Rows)-i, strings.Repeat(" |", last-first))
			break
		}
		fmt.Fprintf(b, "| %s |", view.MarkdownCell(r.Repo))
		for _, c := range r.Cells[first:last] {
			fmt.Fprintf(b, " %s |", markdownCell(c))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, l := range legendOf(m) {
		fmt.Fprintf(b, "%s %s · ", l[0], l[1])
	}
	b.WriteString("**runs now**\n\n</details>\n")
}

// mostTagLength keeps a comment within its bounds, in characters.
const mostTagLength = 24

func markdownCell(c plan.MatrixCell) string {
	sign, _ := view.Sign(c.Mark)
	text := sign
	if c.Tag != "" {
		text += " " + view.MarkdownCell(ansi.Truncate(c.Tag, mostTagLength, "…"))
	}
	if c.Current {
		text = "**" + text + "**"
	}
	return text
}

func actionMark(c plan.Change) string {
	switch {
	case c.Action == plan.Forward:
		return "↑"
	case c.Action == plan.Keep:
		return "⊘"
	case c.Action == plan.None:
		return "="
	case c.Reason == "gap_filled":
		return "○"
	default:
		return "↓"
	}
}

func guardTable(b *strings.Builder, p *plan.Plan) {
	for i, g := range p.Guards {
		if i == 0 {
			b.WriteString("\n**Guards**: ")
		} else {
			b.WriteString(" · ")
		}
		switch {
		case g.Passed:
			fmt.Fprintf(b, "✓ %s", view.MarkdownCell(g.Name))
		case g.Overridden != "":
			fmt.Fprintf(b, "⚠ %s, overridden: %s", view.MarkdownCell(g.Name), view.MarkdownCell(g.Overridden))
		default:
			fmt.Fprintf(b, "✗ %s: %s", view.MarkdownCell(g.Name), view.MarkdownCell(g.Message))
		}
	}
	if len(p.Guards) > 0 {
		b.WriteString("\n")
	}
}

// mostWarnings is how many characters warnings may take.
const mostWarnings = 15000

func warnings(b *strings.Builder, p *plan.Plan) {
	var lines []string
	left := mostWarnings
	more := 0
	for _, d := range p.Diagnostics {
		if d.Severity == diag.Error {
			continue
		}
		line := fmt.Sprintf("- **%s**: %s\n", view.MarkdownCell(d.Summary), view.MarkdownCell(d.Detail))
		if left -= len(line); left < 0 {
			more++
			continue
		}
		lines = append(lines, line)
	}
	if len(lines)+more == 0 {
		return
	}
	fmt.Fprintf(b, "\n<details><summary>Warnings (%d)</summary>\n\n%s", len(lines)+more, strings.Join(lines, ""))
	if more > 0 {
		fmt.Fprintf(b, "- … and %d more\n", more)
	}
	b.WriteString("\n</details>\n")
}

// changeLines is a line for each app that would change.
func changeLines(p *plan.Plan) []string {
	var lines []string
	for _, c := range p.Changes {
		if c.Wave == 0 {
			continue
		}
		why := c.Words
		if len(c.Config) > 0 {
			why += "; configuration: " + strings.Join(c.Config, ", ")
		}
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s |\n", view.MarkdownCell(c.App), view.MarkdownCell(label(c.From)), view.MarkdownCell(label(c.To)), view.MarkdownCell(why)))
	}
	return lines
}

// OperationMarkdown writes what became of a plan for the summary of a CI's job.
func OperationMarkdown(w io.Writer, o Operation) error {
	var b strings.Builder
	verdict, class := o.verdict()
	fmt.Fprintf(&b, "### %s %s: %s\n\n", map[verdictClass]string{good: "✅", fair: "⚠️", bad: "❌"}[class], view.MarkdownCell(o.Environment), verdict)
	for _, f := range operationFacts(o) {
		fmt.Fprintf(&b, "- %s: %s\n", f.Name, view.MarkdownCell(f.Text))
	}
	for _, p := range o.problems() {
		fmt.Fprintf(&b, "\n> %s\n", view.MarkdownCell(p))
	}
	if o.Next != "" {
		fmt.Fprintf(&b, "\nPut everything back: `%s`\n", view.MarkdownCell(o.Next))
	}
	if len(o.Result.Apps) > 0 {
		b.WriteString("\n| app | state | runs | ran before | problem |\n|---|---|---|---|---|\n")
	}
	room := mostMarkdown - b.Len() - len("\n… and 100000 more apps: see the journal.\n")
	for i, a := range o.Result.Apps {
		line := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", view.MarkdownCell(a.App), a.Standing, view.MarkdownCell(view.Tag(a.Running)), view.MarkdownCell(view.Tag(a.From)), view.MarkdownCell(a.Problem))
		if room -= len(line); room < 0 {
			fmt.Fprintf(&b, "\n… and %d more apps: see the journal.\n", len(o.Result.Apps)-i)
			break
		}
		b.WriteString(line)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}
