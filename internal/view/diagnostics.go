package view

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muesli/reflow/wordwrap"

	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/sdk/diag"
)

// Diagnostics writes messages in Terraform's form (conventions.md section 4.5): warnings first, then errors;
// with a rule at the left where colour is on, plain otherwise so that logs can be parsed.
func Diagnostics(w io.Writer, l Look, ds diag.Diagnostics) {
	sorted := slices.Clone(ds)
	slices.SortStableFunc(sorted, func(a, b diag.Diagnostic) int { return rank(a) - rank(b) })
	sorted = consolidate(sorted)
	compact := l.CompactWarnings && !ds.HasErrors()
	for _, d := range sorted {
		if compact {
			fmt.Fprintf(w, "- %s\n  %s\n", term.Clean(d.Summary), term.Clean(place(d)))
			continue
		}
		writeDiagnostic(w, l, d)
	}
}

func rank(d diag.Diagnostic) int {
	if d.Severity == diag.Warning {
		return 0
	}
	return 1
}

func place(d diag.Diagnostic) string {
	switch {
	case d.Range != nil:
		return d.Range.String()
	case d.Address != "":
		return d.Address
	default:
		return term.Clean(d.Detail)
	}
}

// consolidateAbove is how many warnings of one kind are shown one by one.
const consolidateAbove = 2

// consolidate merges warnings of one summary when there are many of them.
func consolidate(ds diag.Diagnostics) diag.Diagnostics {
	count := map[string]int{}
	for _, d := range ds {
		if d.Severity == diag.Warning {
			count[d.Summary]++
		}
	}
	shown := map[string]bool{}
	var out diag.Diagnostics
	for _, d := range ds {
		n := count[d.Summary]
		if d.Severity != diag.Warning || n <= consolidateAbove {
			out = append(out, d)
			continue
		}
		if shown[d.Summary] {
			continue
		}
		shown[d.Summary] = true
		d.Detail += fmt.Sprintf("\n\n(and %d more similar warnings elsewhere)", n-1)
		out = append(out, d)
	}
	return out
}

func writeDiagnostic(w io.Writer, l Look, d diag.Diagnostic) {
	paint, label := l.Paint.Red, l.Paint.BoldRed("Error: ")
	if d.Severity == diag.Warning {
		paint, label = l.Paint.Yellow, l.Paint.Yellow("Warning: ")
	}
	ruled := l.Paint.On
	var b strings.Builder
	b.WriteString(label + l.Paint.Bold(term.Clean(d.Summary)) + "\n")
	b.WriteString("\n")
	writeSource(&b, l, d)
	width := l.Width - 2
	if !ruled {
		width = l.Width
	}
	b.WriteString(wrapDetail(d.Detail, max(width, 40)))
	text := strings.TrimRight(b.String(), "\n")
	if !ruled {
		fmt.Fprintf(w, "\n%s\n", text)
		return
	}
	top, side, bottom := l.sym("╷", "+"), l.sym("│", "|"), l.sym("╵", "+")
	fmt.Fprintln(w, paint(top))
	for _, line := range strings.Split(text, "\n") {
		fmt.Fprintln(w, paint(side)+" "+line)
	}
	fmt.Fprintln(w, paint(bottom))
}

func writeSource(b *strings.Builder, l Look, d diag.Diagnostic) {
	if d.Range == nil {
		if d.Address != "" {
			fmt.Fprintf(b, "  with %s\n\n", term.Clean(d.Address))
		}
		return
	}
	if d.Address != "" {
		fmt.Fprintf(b, "  with %s,\n", term.Clean(d.Address))
	}
	fmt.Fprintf(b, "  on %s line %d", term.Clean(d.Range.Filename), d.Range.Start.Line)
	s := d.Snippet
	if s == nil {
		b.WriteString(":\n  (source code not available)\n\n")
		return
	}
	if s.Context != nil {
		fmt.Fprintf(b, ", in %s", term.Clean(*s.Context))
	}
	b.WriteString(":\n")
	offset := 0
	for i, line := range strings.Split(s.Code, "\n") {
		fmt.Fprintf(b, "%4d: %s\n", s.StartLine+i, highlight(l, line, s.HighlightStartOffset-offset, s.HighlightEndOffset-offset))
		offset += len(line) + 1
	}
	if len(s.Values) > 0 {
		fmt.Fprintf(b, "    %s\n", l.sym("├────────────────", "|----------------"))
		for _, v := range s.Values {
			fmt.Fprintf(b, "    %s %s %s\n", l.sym("│", "|"), term.Clean(v.Traversal), term.Clean(v.Statement))
		}
	}
	b.WriteString("\n")
}

// highlight underlines the bytes from start to end of a line; both may lie outside of it.
func highlight(l Look, line string, start, end int) string {
	start, end = min(max(start, 0), len(line)), min(max(end, 0), len(line))
	if !l.Paint.On || start >= end {
		return cleanLine(line)
	}
	return cleanLine(line[:start]) + "\x1b[4m" + cleanLine(line[start:end]) + "\x1b[0m" + cleanLine(line[end:])
}

// cleanLine keeps tabs, which indent source code.
func cleanLine(s string) string {
	parts := strings.Split(s, "\t")
	for i, p := range parts {
		parts[i] = term.Clean(p)
	}
	return strings.Join(parts, "\t")
}

// wrapDetail wraps paragraphs; lines that begin with a space are preformatted.
func wrapDetail(detail string, width int) string {
	var b strings.Builder
	for _, line := range strings.Split(detail, "\n") {
		if !strings.HasPrefix(line, " ") {
			line = Wrap(term.Clean(line), width)
		} else {
			line = cleanLine(line)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// Wrap breaks a line into lines of at most width columns, at spaces only: a tag or a path that is broken at its hyphens
// cannot be searched for, nor copied.
func Wrap(line string, width int) string {
	w := wordwrap.NewWriter(width)
	w.Breakpoints = nil
	_, _ = w.Write([]byte(line)) // into memory
	if err := w.Close(); err != nil {
		return line
	}
	return w.String()
}

// DiagnosticsTo adds messages to the stream.
func DiagnosticsTo(s *Stream, ds diag.Diagnostics) {
	for _, d := range ds {
		level, label := "error", "Error: "
		if d.Severity == diag.Warning {
			level, label = "warn", "Warning: "
		}
		s.Write(level, "diagnostic", label+d.Summary, map[string]any{"diagnostic": d})
	}
}
