package plan

import (
	"slices"

	"github.com/rollback-project/rollback/core/point"
)

// MostColumns bounds how many points a plan's matrix holds.
const MostColumns = 60

// Matrix is the picture that a plan was chosen from, as it was then: rows are repos in the policy's order, columns points
// with the newest last. It is for people; nothing is decided by it.
type Matrix struct {
	Dates []string `json:"dates"`
	// Current is the column of the point that ran, Target that of the plan's; -1 when it is none of the columns.
	Current int         `json:"current"`
	Target  int         `json:"target"`
	Rows    []MatrixRow `json:"rows"`
	// Older and Newer points are left out.
	Older int `json:"older,omitempty"`
	Newer int `json:"newer,omitempty"`
}

// MatrixRow is one repo.
type MatrixRow struct {
	Repo  string       `json:"repo"`
	Cells []MatrixCell `json:"cells"`
}

// MatrixCell is one repo at one point.
type MatrixCell struct {
	Mark point.Mark `json:"mark"`
	// Tag is "" where the point has no image for the repo.
	Tag string `json:"tag,omitempty"`
	// Current: one of the repo's apps ran it.
	Current bool `json:"current,omitempty"`
	// Words say why, where the repo had no release at the point.
	Words string `json:"words,omitempty"`
}

// NewMatrix keeps of a timeline's matrix what a plan to the point named to needs: the newest points, or where that one is
// older, those from it on. to may be "" for the matrix of no plan.
func NewMatrix(m point.Matrix, to string) *Matrix {
	target := slices.Index(m.Dates, to)
	first := max(0, len(m.Dates)-MostColumns)
	if target >= 0 && target < first {
		// One older point shows that there is more.
		first = max(0, target-1)
	}
	last := min(len(m.Dates), first+MostColumns)
	out := &Matrix{
		Dates: slices.Clone(m.Dates[first:last]), Current: column(m.Current, first, last), Target: column(target, first, last),
		Rows: make([]MatrixRow, len(m.Rows)), Older: first, Newer: len(m.Dates) - last,
	}
	for i, r := range m.Rows {
		row := MatrixRow{Repo: r.Repo, Cells: make([]MatrixCell, 0, last-first)}
		for _, c := range r.Cells[first:last] {
			row.Cells = append(row.Cells, matrixCell(c))
		}
		out.Rows[i] = row
	}
	return out
}

// column is where a column of the whole lies in the part [first, last); -1 when it does not.
func column(i, first, last int) int {
	if i < first || i >= last {
		return -1
	}
	return i - first
}

func matrixCell(c point.Cell) MatrixCell {
	out := MatrixCell{Mark: c.Mark, Current: c.Current}
	if c.Release != nil {
		out.Tag = c.Release.Tag
	}
	if c.Mark != point.MarkReleased {
		out.Words = c.Words
		if c.Problem != "" {
			out.Words = c.Problem
		}
	}
	return out
}
