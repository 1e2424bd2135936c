package view

import (
	"fmt"
	"io"

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

// Points writes the matrix: rows are repos, columns points with the newest last; the columns that fit are the newest.
func Points(w io.Writer, l Look, m point.Matrix, head PointsHead) {
	fmt.Fprintf(w, "%s (branch %s, days in %s)\n\n", l.Paint.Bold(term.Clean(head.Environment)), term.Clean(head.Branch), head.Timezone)
	const name, cell = 20, 12
	columns := max((l.Width-name)/cell, 1)
	from := max(len(m.Dates)-columns, 0)
	fmt.Fprintf(w, "%-*s", name, "")
	for _, d := range m.Dates[from:] {
		fmt.Fprintf(w, " %-*.*s", cell-1, cell-1, term.Clean(d))
	}
	fmt.Fprintln(w)
	for _, r := range m.Rows {
		fmt.Fprintf(w, "%-*.*s", name, name-1, term.Clean(r.Repo))
		for _, c := range r.Cells[from:] {
			text := string(c.Mark)
			if c.Release != nil {
				text = c.Release.Tag
			}
			if c.Mark == point.MarkGapFilled {
				text = "(" + text + ")"
			}
			if c.Current {
				text = "*" + text
			}
			fmt.Fprintf(w, " %-*.*s", cell-1, cell-1, term.Clean(text))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\n* runs now, ( ) gap-filled with its nearest earlier release")
	if from > 0 {
		fmt.Fprintf(w, "; %d older points are not shown (--format json)", from)
	}
	fmt.Fprintf(w, "\n%d points, %d repos.\n", len(m.Dates), len(m.Rows))
}
