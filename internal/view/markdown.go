package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/sdk/diag"
)

// mostMarkdown is how many characters a comment on a pull request may have; GitHub takes 65,536, and others no less.
const mostMarkdown = 65000

// PlanMarkdown writes a plan for a comment on a pull request: what it is about and what it would do at a glance, and each
// change behind a fold. What would not fit is left out, and counted.
func PlanMarkdown(w io.Writer, p *plan.Plan) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s → %s\n\n%s\n", cell(p.Environment), cell(p.To), planFacts(p))
	for _, d := range p.Diagnostics {
		if d.Severity == diag.Error {
			fmt.Fprintf(&b, "\n> ❌ **%s**: %s\n", cell(d.Summary), cell(d.Detail))
		}
	}
	repoMatrix(&b, p)
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
	facts := []string{fmt.Sprintf("**%d to roll back, %d to move forward, %d kept, %d unchanged**", p.Summary.Rollback, p.Summary.Forward, p.Summary.Keep, p.Summary.None)}
	if p.Asked.To != "" && p.Asked.To != p.To {
		facts = append(facts, "asked for "+cell(p.Asked.To))
	}
	if p.Asked.Current != "" {
		facts = append(facts, cell(p.Asked.Current)+" runs now")
	}
	for _, s := range p.Asked.Skipped {
		facts = append(facts, "skipped "+cell(s))
	}
	return strings.Join(facts, " · ") + fmt.Sprintf("  \nplan `%s`, made by %s at %s", cell(p.ID), cell(p.Operator), p.Timestamp.UTC().Format("2006-01-02 15:04 MST"))
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
		fmt.Fprintf(b, "| %s | %d | %s | %s | %s |\n", cell(r.repo), r.apps, cell(r.from), r.mark, cell(r.to))
	}
	b.WriteString("\n↓ roll back · ○ roll back, the gap is filled with the nearest earlier release · ↑ move forward · = unchanged · ⊘ kept\n")
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

// label is what people call an image.
func label(i plan.Image) string {
	if i.Tag != "" {
		return i.Tag
	}
	if i.Digest != "" {
		return ShortDigest(i.Digest)
	}
	return Tag(i.Image)
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
			fmt.Fprintf(b, "✓ %s", cell(g.Name))
		case g.Overridden != "":
			fmt.Fprintf(b, "⚠ %s, overridden: %s", cell(g.Name), cell(g.Overridden))
		default:
			fmt.Fprintf(b, "✗ %s: %s", cell(g.Name), cell(g.Message))
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
		line := fmt.Sprintf("- **%s**: %s\n", cell(d.Summary), cell(d.Detail))
		if left -= len(line); left < 0 {
			more++
			continue
		}
		lines = append(lines, line)
	}
	if len(lines)+more == 0 {
		return
	}
	fmt.Fprintf(b, "\n<details><summary>%d warnings</summary>\n\n%s", len(lines)+more, strings.Join(lines, ""))
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
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s |\n", cell(c.App), cell(label(c.From)), cell(label(c.To)), cell(why)))
	}
	return lines
}
