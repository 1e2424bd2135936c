package view

import (
	"fmt"
	"io"
	"time"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/internal/term"
)

// Explain shows every tag that was considered for a repo at a point, the chosen one marked.
func Explain(w io.Writer, l Look, ex point.Explanation) {
	fmt.Fprintf(w, "%s at %s: %s\n", l.Paint.Bold(term.Clean(ex.Repo)), l.Paint.Bold(term.Clean(ex.Point)), term.Clean(ex.Words))
	if ex.Problem != "" {
		fmt.Fprintf(w, "%s %s\n", l.Paint.Red(l.sym("✗", "X")), term.Clean(ex.Problem))
	}
	if len(ex.Candidates) > 0 {
		fmt.Fprintln(w)
	}
	var rows [][]string
	for _, c := range ex.Candidates {
		created := "no date"
		if c.Created != nil {
			created = c.Created.UTC().Format(time.RFC3339)
		}
		tag := term.Clean(c.Tag)
		for _, also := range c.AlsoTags {
			tag += ", " + term.Clean(also)
		}
		row := []string{" ", tag, created, ShortDigest(c.Digest), term.Clean(c.Words)}
		switch c.Verdict {
		case point.Chosen:
			row[0], row[1] = l.Paint.Green(l.sym("▸", ">")), l.Paint.Bold(row[1])
		case point.LeftOut:
			row[0] = l.Paint.Yellow("!")
		default:
			for i := range row {
				row[i] = l.Paint.Dim(row[i])
			}
		}
		rows = append(rows, row)
	}
	writeTable(w, "  ", rows)
	for _, n := range ex.Notes {
		fmt.Fprintf(w, "\n%s", term.Clean(n))
	}
	if len(ex.Notes) > 0 {
		fmt.Fprintln(w)
	}
}
