package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/internal/term"
)

// PointsHead says what the matrix is about.
type PointsHead struct {
	Environment, Branch, Timezone string
}

// Choices writes one date a line, newest first, and nothing else.
func Choices(w io.Writer, dates []string) {
	for _, d := range dates {
		fmt.Fprintln(w, term.Clean(d))
	}
}

// mark is how a cell is shown.
type mark struct {
	unicode, ascii string
	meaning        string
	paint          func(term.Paint, string) string
	// alone: the cell is only the mark, there is no tag.
	alone bool
}

// running is the mark of what runs now, whatever else the cell is.
var running = mark{unicode: "▶", ascii: "*", meaning: "runs now", paint: term.Paint.BoldGreen}

// marks are the others, in the order of the legend.
var marks = []struct {
	of point.Mark
	mark
}{
	{point.MarkReleased, mark{unicode: "●", ascii: "o", meaning: "released", paint: plainly}},
	{point.MarkGapFilled, mark{unicode: "○", ascii: "-", meaning: "no release: filled with the nearest earlier one", paint: term.Paint.Dim}},
	{point.MarkKept, mark{unicode: "=", ascii: "=", meaning: "no release: stays as it runs", paint: term.Paint.Dim, alone: true}},
	{point.MarkMissing, mark{unicode: "∅", ascii: "0", meaning: "nothing to go back to", paint: term.Paint.Red, alone: true}},
	{point.MarkRefused, mark{unicode: "✗", ascii: "X", meaning: "refused by the gap-fill rule", paint: term.Paint.Red, alone: true}},
	{point.MarkUnknown, mark{unicode: "?", ascii: "?", meaning: "could not be read", paint: term.Paint.Yellow, alone: true}},
	{point.MarkUnpullable, mark{unicode: "!", ascii: "!", meaning: "image is incomplete", paint: term.Paint.Red}},
	{point.MarkQuarantined, mark{unicode: "#", ascii: "#", meaning: "known bad", paint: term.Paint.Red}},
}

// Sign is how a mark is shown, and what it means; one of a later version is a question.
func Sign(m point.Mark) (sign, meaning string) {
	for _, known := range marks {
		if known.of == m {
			return known.unicode, known.meaning
		}
	}
	return "?", string(m)
}

func plainly(_ term.Paint, s string) string { return s }

// markOf is how a cell is shown; a mark of a later version is shown as a question.
func markOf(c point.Cell) mark {
	if c.Current {
		return running
	}
	for _, m := range marks {
		if m.of == c.Mark {
			return m.mark
		}
	}
	return mark{unicode: "?", ascii: "?", meaning: string(c.Mark), paint: term.Paint.Yellow, alone: true}
}

// Grid is a matrix laid out in columns: that of the repos' names, and one for each point that fits.
type Grid struct {
	look   Look
	matrix point.Matrix
	// names is the width of the first column, widths are those of the points from the column first on.
	names  int
	first  int
	widths []int
	// heads are the lines above each column.
	heads [][]string
	short bool
}

// mostName is the longest repo name that is shown whole, in columns.
const mostName = 28

// leastCell is what a cell keeps where there is no room at all: a mark and a little of the tag, in columns.
const leastCell = 4

// NewGrid lays a matrix out in the look's width: with whole tags if all points fit so, else with build numbers, and
// then with the newest points that fit, or those around the column at (-1: the newest).
func NewGrid(l Look, m point.Matrix, at int) Grid {
	g := Grid{look: l, matrix: m}
	for _, r := range m.Rows {
		g.names = max(g.names, min(ansi.StringWidth(term.Clean(r.Repo)), mostName))
	}
	g.measure()
	if g.total() > l.Width {
		g.short = true
		g.measure()
	}
	for g.total() > l.Width && len(g.widths) > 1 {
		if at >= 0 && g.first == at {
			g.widths = g.widths[:len(g.widths)-1]
			continue
		}
		g.first++
		g.widths = g.widths[1:]
	}
	// The column that begins the year may not have fitted: the first one shown says it then.
	for i := g.first - 1; g.short && i >= 0 && g.heads[g.first][0] == ""; i-- {
		g.heads[g.first][0] = g.heads[i][0]
	}
	return g
}

// measure finds the width of every column.
func (g *Grid) measure() {
	g.heads, g.widths = make([][]string, len(g.matrix.Dates)), make([]int, len(g.matrix.Dates))
	back := g.backwards()
	year := ""
	for i, date := range g.matrix.Dates {
		g.heads[i] = append(g.dateHead(date, &year), back[i])
		for _, h := range g.heads[i] {
			g.widths[i] = max(g.widths[i], ansi.StringWidth(h))
		}
		for _, r := range g.matrix.Rows {
			g.widths[i] = max(g.widths[i], ansi.StringWidth(g.text(r.Cells[i])))
		}
		// A column that does not fit even alone is cut: a line that wraps makes the whole matrix unreadable.
		g.widths[i] = min(g.widths[i], max(g.look.Width-g.names-len(gutter), leastCell))
	}
}

// dateHead is a date above its column; the short form has the year only where it begins.
func (g *Grid) dateHead(date string, year *string) []string {
	if !g.short {
		return []string{term.Clean(date)}
	}
	lines := []string{"", term.Clean(date), ""}
	if at, err := time.Parse(time.DateOnly, date); err == nil {
		lines = []string{at.Format("2006"), at.Format("01-02"), ""}
	} else if at, err := time.Parse(time.RFC3339, date); err == nil {
		lines = []string{at.Format("2006"), at.Format("01-02"), at.Format("15:04")}
	}
	if lines[0] == *year {
		lines[0] = ""
	} else {
		*year = lines[0]
	}
	if lines[2] == "" {
		lines = lines[:2]
	}
	return lines
}

// backwards says for each column how --to would name it from what runs now: now, -1, -2, … Points with an image that
// is incomplete or known bad are skipped, as --to does.
func (g *Grid) backwards() []string {
	out := make([]string, len(g.matrix.Dates))
	if g.matrix.Current < 0 {
		return out
	}
	out[g.matrix.Current] = "now"
	n := 0
	for i := g.matrix.Current - 1; i >= 0; i-- {
		skipped := false
		for _, r := range g.matrix.Rows {
			skipped = skipped || r.Cells[i].Mark == point.MarkUnpullable || r.Cells[i].Mark == point.MarkQuarantined
		}
		if !skipped {
			n++
			out[i] = fmt.Sprint(-n)
		}
	}
	return out
}

// text is a cell without colour.
func (g *Grid) text(c point.Cell) string {
	m := markOf(c)
	sign := g.look.sym(m.unicode, m.ascii)
	switch {
	case m.alone || c.Release == nil:
		return sign
	case g.short && c.Release.Build != "":
		return sign + term.Clean(c.Release.Build)
	default:
		return sign + " " + term.Clean(c.Release.Tag)
	}
}

// total is the width of the whole grid.
func (g *Grid) total() int {
	n := g.names
	for _, w := range g.widths {
		n += len(gutter) + w
	}
	return n
}

// Hidden is how many older points did not fit, and how many newer ones.
func (g *Grid) Hidden() (older, newer int) {
	return g.first, len(g.matrix.Dates) - g.first - len(g.widths)
}

// Write draws the grid. The column chosen is shown inverted; -1 chooses none.
func (g *Grid) Write(w io.Writer, chosen int) {
	lines := 0
	for i := range g.widths {
		lines = max(lines, len(g.heads[g.first+i]))
	}
	for n := range lines {
		g.line(w, "", func(i int) (string, func(string) string) {
			// Heads stand on the same lowest line.
			head := g.heads[i]
			text := ""
			if k := n - (lines - len(head)); k >= 0 {
				text = head[k]
			}
			paint := g.look.Paint.Bold
			if n == lines-1 {
				paint = g.look.Paint.Cyan
			}
			return text, paint
		}, chosen)
	}
	for _, r := range g.matrix.Rows {
		g.line(w, shorten(term.Clean(r.Repo), g.names), func(i int) (string, func(string) string) {
			m := markOf(r.Cells[i])
			return g.text(r.Cells[i]), func(s string) string { return m.paint(g.look.Paint, s) }
		}, chosen)
	}
}

// line draws one line of the grid.
func (g *Grid) line(w io.Writer, name string, cell func(column int) (string, func(string) string), chosen int) {
	var b strings.Builder
	b.WriteString(name + strings.Repeat(" ", g.names-ansi.StringWidth(name)))
	for i, width := range g.widths {
		text, paint := cell(g.first + i)
		text = shorten(text, width)
		fill := strings.Repeat(" ", width-ansi.StringWidth(text))
		if g.first+i == chosen {
			if !g.look.Paint.On {
				b.WriteString(gutter[:1] + ">" + text + fill)
				continue
			}
			b.WriteString(gutter[:1] + g.look.Paint.Invert(" "+text+fill))
			continue
		}
		// The cell after a chosen one begins where the inverted space ends.
		b.WriteString(gutter + paint(text) + fill)
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

// shorten cuts the middle out of a text that is too wide: both ends of a name say what it is.
func shorten(s string, width int) string {
	if ansi.StringWidth(s) <= width {
		return s
	}
	head := (width - 1) / 2
	return ansi.Truncate(s, head, "") + "~" + ansi.TruncateLeft(s, ansi.StringWidth(s)-(width-1-head), "")
}

// Points writes the matrix: rows are repos, columns points with the newest last.
func Points(w io.Writer, l Look, m point.Matrix, head PointsHead) {
	fmt.Fprintln(w, Headline(l, head))
	fmt.Fprintln(w)
	g := NewGrid(l, m, -1)
	if len(m.Dates) > 0 {
		g.Write(w, -1)
		fmt.Fprintln(w)
		legend(w, l, m)
	}
	notes(w, l, m)
	fmt.Fprintf(w, "%s, %s.", count(len(m.Dates), "point"), count(len(m.Rows), "repo"))
	if older, _ := g.Hidden(); older > 0 {
		fmt.Fprintf(w, "\n%s not shown, for want of width. All of them: --format choices, or json.", count(older, "older point"))
	}
	fmt.Fprintln(w)
}

// Headline is the line above a matrix.
func Headline(l Look, head PointsHead) string {
	return fmt.Sprintf("Restore points of %s (branch %s, days in %s)", l.Paint.Bold(term.Clean(head.Environment)), term.Clean(head.Branch), term.Clean(head.Timezone))
}

// mostPreviewed bounds how many repos a preview names.
const mostPreviewed = 3

// Preview says in a few lines what the point in a column means: how many repos were released, which are filled with
// what, and which run it already.
func Preview(l Look, m point.Matrix, column int) string {
	released, runs := 0, 0
	var others []string
	for _, r := range m.Rows {
		c := r.Cells[column]
		if c.Current {
			runs++
		}
		if c.Mark == point.MarkReleased {
			released++
			continue
		}
		others = append(others, fmt.Sprintf("%s: %s", l.Paint.Bold(term.Clean(r.Repo)), term.Clean(firstWords(c))))
	}
	text := fmt.Sprintf("%s: %d of %s released", l.Paint.Bold(term.Clean(m.Dates[column])), released, count(len(m.Rows), "repo"))
	if runs > 0 {
		text += fmt.Sprintf(", %d of them run now", runs)
	}
	lines := []string{text}
	for i, o := range others {
		if i == mostPreviewed {
			lines = append(lines, fmt.Sprintf("and %d more without a release", len(others)-i))
			break
		}
		lines = append(lines, ansi.Truncate(o, max(l.Width-1, 1), ""))
	}
	return strings.Join(lines, "\n")
}

func firstWords(c point.Cell) string {
	if c.Problem != "" {
		return c.Problem
	}
	return c.Words
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// legend explains the marks that occur.
func legend(w io.Writer, l Look, m point.Matrix) {
	occurs := map[string]bool{}
	for _, r := range m.Rows {
		for _, c := range r.Cells {
			occurs[markOf(c).meaning] = true
		}
	}
	line := ""
	add := func(m mark) {
		if !occurs[m.meaning] {
			return
		}
		entry := m.paint(l.Paint, l.sym(m.unicode, m.ascii)) + " " + m.meaning
		if line != "" && ansi.StringWidth(line)+len("   ")+ansi.StringWidth(entry) > l.Width {
			fmt.Fprintln(w, line)
			line = ""
		}
		if line != "" {
			line += "   "
		}
		line += entry
	}
	add(running)
	for _, m := range marks {
		add(m.mark)
	}
	fmt.Fprintln(w, line)
}

// mostNotes bounds how many notes are shown.
const mostNotes = 12

// notes tell what the marks cannot: why a cell is not well, and what runs that is no release.
func notes(w io.Writer, l Look, m point.Matrix) {
	var all []string
	for _, r := range m.Rows {
		current, seen := false, map[string]bool{}
		for i, c := range r.Cells {
			current = current || c.Current
			why := c.Problem
			if why == "" && markOf(c).alone && c.Mark != point.MarkKept {
				why = c.Words
			}
			if why == "" || seen[why] {
				continue
			}
			seen[why] = true
			sign := markOf(c)
			all = append(all, fmt.Sprintf("%s %s at %s: %s", sign.paint(l.Paint, l.sym(sign.unicode, sign.ascii)), l.Paint.Bold(term.Clean(r.Repo)), term.Clean(m.Dates[i]), term.Clean(why)))
		}
		if len(r.Running) > 0 && !current {
			all = append(all, fmt.Sprintf("%s runs %s, which is none of these releases", l.Paint.Bold(term.Clean(r.Repo)), term.Clean(strings.Join(r.Running, ", "))))
		}
	}
	if len(all) > 0 {
		fmt.Fprintln(w)
	}
	for i, n := range all {
		if i == mostNotes {
			fmt.Fprintf(w, "%s and %d more\n", l.sym("…", "..."), len(all)-mostNotes)
			break
		}
		fmt.Fprintln(w, n)
	}
	fmt.Fprintln(w)
}
