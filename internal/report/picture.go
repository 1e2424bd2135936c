package report

import (
	"fmt"

	"github.com/charmbracelet/x/ansi"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
)

// Sizes of the matrix, in pixels.
const (
	columnWidth = 104
	rowHeight   = 46
	headHeight  = 46
	boxWidth    = 92
	boxHeight   = 26
	namesWidth  = 150
	// mostName is how much of a repo's name has room, in characters; the whole one is its tooltip.
	mostName = 20
	mostTag  = 12
)

// picture is a matrix laid out as a drawing.
type picture struct {
	Width, Height int
	Summary       string
	// Now is what the column and the cells are called that run: now, or in a report before.
	Now     string
	Columns []column
	Rows    []row
	Arrows  []arrow
	Legend  [][2]string
	// Target is nil where no point is chosen.
	Target *column
	Older  int
	Newer  int
}

type column struct {
	X, Middle int
	Date      string
	// Note stands under the date: now or target.
	Note string
}

type row struct {
	Y, Middle int
	Name      string
	Short     string
	Boxes     []box
	// Gaps are the lines from a release to the points that it fills.
	Gaps []line
}

type box struct {
	X, Y, Middle, TextY int
	Sign, Text          string
	// Class is the mark, for its colour.
	Class   string
	Current bool
	Tip     string
}

type line struct{ X1, X2, Y int }

// arrow leads from what ran to what is planned.
type arrow struct {
	Path, Label string
}

// draw lays a matrix out. From m's current cells an arrow leads to the target's column, where something changes.
func draw(m *plan.Matrix, now string) *picture {
	if m == nil || len(m.Dates) == 0 || len(m.Rows) == 0 {
		return nil
	}
	p := &picture{
		Width: namesWidth + len(m.Dates)*columnWidth + 8, Height: headHeight + len(m.Rows)*rowHeight + 8,
		Now: ran(now), Older: m.Older, Newer: m.Newer,
	}
	for i, date := range m.Dates {
		c := column{X: namesWidth + i*columnWidth, Date: term.Clean(date)}
		c.Middle = c.X + columnWidth/2
		if i == m.Current {
			c.Note = now
		}
		if i == m.Target {
			c.Note = "target"
		}
		p.Columns = append(p.Columns, c)
	}
	if m.Target >= 0 {
		p.Target = &p.Columns[m.Target]
	}
	for i, r := range m.Rows {
		p.Rows = append(p.Rows, drawRow(r, now, headHeight+i*rowHeight))
		if a, ok := drawArrow(m, r, headHeight+i*rowHeight); ok {
			p.Arrows = append(p.Arrows, a)
		}
	}
	p.Legend = legendOf(m)
	p.Summary = fmt.Sprintf("%d repos at %d points", len(m.Rows), len(m.Dates))
	return p
}

func drawRow(r plan.MatrixRow, now string, y int) row {
	out := row{Y: y, Middle: y + rowHeight/2 + 4, Name: term.Clean(r.Repo)}
	out.Short = ansi.Truncate(out.Name, mostName, "…")
	from := -1
	for i, c := range r.Cells {
		sign, meaning := view.Sign(c.Mark)
		x := namesWidth + i*columnWidth + (columnWidth-boxWidth)/2
		b := box{
			X: x, Y: y + (rowHeight-boxHeight)/2, Middle: x + boxWidth/2, TextY: y + rowHeight/2 + 4,
			Sign: sign, Text: ansi.Truncate(term.Clean(c.Tag), mostTag, "…"), Class: string(c.Mark), Current: c.Current,
			Tip: meaning,
		}
		if c.Tag != "" {
			b.Tip = term.Clean(c.Tag) + ": " + meaning
		}
		if c.Words != "" {
			b.Tip += " (" + term.Clean(c.Words) + ")"
		}
		if c.Current {
			b.Tip += "; " + ran(now)
		}
		out.Boxes = append(out.Boxes, b)
		switch {
		case c.Mark == point.MarkReleased:
			from = i
		case c.Mark == point.MarkGapFilled && from >= 0:
			out.Gaps = append(out.Gaps, line{X1: namesWidth + (i-1)*columnWidth + (columnWidth+boxWidth)/2, X2: x, Y: y + rowHeight/2})
		}
	}
	return out
}

// drawArrow is the way of one repo, from the newest cell that runs to the target's. What runs may be none of the cells: then
// the arrow comes from the right edge.
func drawArrow(m *plan.Matrix, r plan.MatrixRow, y int) (arrow, bool) {
	if m.Target < 0 || m.Target >= len(r.Cells) {
		return arrow{}, false
	}
	from := -1
	for i, c := range r.Cells {
		if c.Current {
			from = i
		}
	}
	to := r.Cells[m.Target]
	if to.Tag == "" || to.Current || from >= 0 && (from == m.Target || r.Cells[from].Tag == to.Tag) {
		return arrow{}, false
	}
	base := y + rowHeight/2 + boxHeight/2
	x1, x2 := namesWidth+len(r.Cells)*columnWidth, namesWidth+m.Target*columnWidth+columnWidth/2
	label := "to " + term.Clean(to.Tag)
	if from >= 0 {
		x1 = namesWidth + from*columnWidth + columnWidth/2
		label = term.Clean(r.Cells[from].Tag) + " → " + term.Clean(to.Tag)
	}
	return arrow{Path: fmt.Sprintf("M %d %d C %d %d, %d %d, %d %d", x1, base, x1, base+12, x2, base+14, x2, base+4), Label: term.Clean(r.Repo) + ": " + label}, true
}

// legendOf explains the marks that occur.
func legendOf(m *plan.Matrix) [][2]string {
	var out [][2]string
	seen := map[string]bool{}
	for _, r := range m.Rows {
		for _, c := range r.Cells {
			sign, meaning := view.Sign(c.Mark)
			if !seen[sign] {
				seen[sign] = true
				out = append(out, [2]string{sign, meaning})
			}
		}
	}
	return out
}

// ran says of what runs, or ran, when that is.
func ran(when string) string {
	if when == "now" {
		return "runs now"
	}
	return "ran " + when
}
