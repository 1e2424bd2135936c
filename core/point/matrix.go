package point

import "slices"

// Mark is what a cell of the matrix shows.
type Mark string

// The marks: those of Reason, and two that say more of a release that was chosen.
const (
	MarkReleased         = Mark(Released)
	MarkGapFilled        = Mark(GapFilled)
	MarkKept             = Mark(Kept)
	MarkMissing          = Mark(Missing)
	MarkUnknown          = Mark(UnknownReason)
	MarkRefused          = Mark(Refused)
	MarkUnpullable  Mark = "unpullable"
	MarkQuarantined Mark = "quarantined"
)

// Cell is one repo at one point.
type Cell struct {
	Mark Mark
	// Release is nil where nothing was chosen.
	Release *Release
	// Current: what one of the repo's apps runs now was released at this point.
	Current bool
	// Words and Problem are the choice's.
	Words, Problem string
}

// Row is one repo.
type Row struct {
	Repo string
	// Cells has one element a column.
	Cells []Cell
	// Running are the tags (or digests, or "" for an image without either) that the repo's apps run now, each once.
	Running []string
}

// Matrix is the timeline as a table: rows are repos in the policy's order, columns points with the newest last.
type Matrix struct {
	Dates []string
	// Current is the column of the point that runs now; -1 when there is none.
	Current int
	Rows    []Row
}

// Matrix draws the timeline. running is what the apps run now; nil when that is not known.
func (t *Timeline) Matrix(running []Running) Matrix {
	current, _ := t.Current(running)
	m := Matrix{Dates: make([]string, len(t.Points)), Current: -1, Rows: make([]Row, len(t.repos))}
	last := len(t.Points) - 1
	for i := range t.Points {
		m.Dates[last-i] = t.Points[i].Date
		if t.Points[i].Date == current.Date {
			m.Current = last - i
		}
	}
	for i := range t.repos {
		row := Row{Repo: t.repos[i].Name, Cells: make([]Cell, len(t.Points))}
		var runs []*Release
		for _, run := range running {
			if run.Repo != row.Repo {
				continue
			}
			if name := firstOf(run.Tag, run.Digest); !slices.Contains(row.Running, name) {
				row.Running = append(row.Running, name)
			}
			if r := t.repos[i].Lookup(run.Tag, run.Digest); r != nil {
				runs = append(runs, r)
			}
		}
		for j := range t.Points {
			row.Cells[last-j] = cell(t.Points[j].Choices[i], runs)
		}
		m.Rows[i] = row
	}
	return m
}

func cell(c Choice, runs []*Release) Cell {
	out := Cell{Mark: Mark(c.Reason), Release: c.Release, Words: c.Words, Problem: c.Problem}
	if c.Release == nil {
		return out
	}
	switch {
	case c.Release.Quarantined != "":
		out.Mark = MarkQuarantined
	case c.Release.Unpullable != "":
		out.Mark = MarkUnpullable
	}
	out.Current = c.Reason == Released && slices.ContainsFunc(runs, func(r *Release) bool { return newestFirst(r, c.Release) == 0 })
	return out
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
