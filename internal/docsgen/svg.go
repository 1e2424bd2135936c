package main

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Sizes of a picture, in pixels; a cell's width is that of a monospaced font of this size.
const (
	fontSize   = 14
	cellWidth  = 8.43
	lineHeight = 20
	margin     = 16
)

// sgr is a sequence that sets colours and weight; the views write no others.
var sgr = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// colours are those of a terminal, readable on the picture's dark ground.
var colours = map[string]string{"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea"}

// svg draws what a terminal would show of text with colours.
func svg(title, text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	width := 0
	for _, l := range lines {
		width = max(width, ansi.StringWidth(l))
	}
	var b strings.Builder
	w, h := float64(width)*cellWidth+2*margin, len(lines)*lineHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" role="img" aria-label="%s">`+"\n", w, h, w, h, html.EscapeString(title))
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>`+"\n")
	fmt.Fprintf(&b, `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="%d" fill="#e6edf3" xml:space="preserve">`+"\n", fontSize)
	for i, l := range lines {
		drawLine(&b, l, margin+i*lineHeight+fontSize)
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// drawLine draws each run of one style at its own column, so that the font's true width does not matter.
func drawLine(b *strings.Builder, line string, y int) {
	style, column := "", 0
	draw := func(run string) {
		if strings.TrimSpace(run) != "" {
			fmt.Fprintf(b, `<text x="%.1f" y="%d"%s textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>`+"\n",
				margin+float64(column)*cellWidth, y, style, float64(ansi.StringWidth(run))*cellWidth, html.EscapeString(run))
		}
		column += ansi.StringWidth(run)
	}
	at := 0
	for _, m := range sgr.FindAllStringSubmatchIndex(line, -1) {
		draw(line[at:m[0]])
		style = styleOf(strings.Split(line[m[2]:m[3]], ";"))
		at = m[1]
	}
	draw(line[at:])
}

// styleOf turns the numbers of one sequence into attributes. The views end every style before they begin another.
func styleOf(codes []string) string {
	style := ""
	for _, c := range codes {
		if fill, ok := colours[c]; ok {
			style += ` fill="` + fill + `"`
		}
	}
	if slices.Contains(codes, "1") {
		style += ` font-weight="bold"`
	}
	if slices.Contains(codes, "2") {
		style += ` opacity="0.6"`
	}
	return style
}
