package view

import (
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// gutter stands between two columns.
const gutter = "  "

// writeTable writes rows of cells in columns as wide as their widest cell, indented. Cells may be coloured; the last
// column is as long as it is.
func writeTable(w io.Writer, indent string, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			line += cell
			if i < len(row)-1 {
				line += strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)) + gutter
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, _ = io.WriteString(w, b.String()) // whoever reads has gone; there is nobody to tell
}
