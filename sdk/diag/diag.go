// Package diag holds diagnostics: messages about something a person wrote,
// with the place they wrote it.
//
// A diagnostic differs from an error in that it points at a policy, that many
// are collected before anything stops, and that a part which knows only a path
// inside a block (a plugin) can return one and let the host add file and line.
// The JSON form is that of Terraform's `validate -json`, so editors that parse
// one parse the other.
package diag

import (
	"fmt"
	"strings"
)

// Severity says how much a diagnostic matters.
type Severity string

// The two severities. An Error stops the command, a Warning does not.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Pos is a place in a source file.
type Pos struct {
	// Line counts from 1.
	Line int `json:"line"`
	// Column counts characters (grapheme clusters) from 1.
	Column int `json:"column"`
	// Byte counts bytes from 0.
	Byte int `json:"byte"`
}

// Range is a stretch of a source file; End is exclusive.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// String renders the range as file:line.
func (r Range) String() string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// Value is what one reference inside a snippet stood for when the problem was found.
type Value struct {
	// Traversal is the reference as written, such as var.base.
	Traversal string `json:"traversal"`
	// Statement completes the sentence, such as `is "https://dcos"`; sensitive values are never shown.
	Statement string `json:"statement"`
}

// Snippet is the source around a diagnostic, in the shape of Terraform's JSON.
type Snippet struct {
	// Context names the enclosing block, such as `orchestrator "marathon"`; nil at top level.
	Context *string `json:"context"`
	// Code holds the source lines, without a trailing newline.
	Code string `json:"code"`
	// StartLine is the line number of the first line of Code, from 1.
	StartLine int `json:"start_line"`
	// HighlightStartOffset and HighlightEndOffset are byte offsets into Code.
	HighlightStartOffset int     `json:"highlight_start_offset"`
	HighlightEndOffset   int     `json:"highlight_end_offset"`
	Values               []Value `json:"values"`
}

// Path leads from the top of a block to an attribute inside it:
// attribute and block names, block labels, and list indexes in decimal.
type Path []string

// String renders the path with dots.
func (p Path) String() string { return strings.Join(p, ".") }

// Diagnostic is one message.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	// Summary names the kind of problem: one line, sentence case, no names, no full stop.
	Summary string `json:"summary"`
	// Detail says in full sentences what is wrong, on what, and what to do.
	// Lines that begin with a space are preformatted.
	Detail string `json:"detail"`
	// Address names the object concerned, such as orchestrator.marathon or repo.backend-a.
	Address string `json:"address,omitempty"`
	// Path is set by those who know only the block's inside; the host turns it into Range.
	Path Path `json:"-"`
	// Range and Snippet are absent where there is no source.
	Range   *Range   `json:"range,omitempty"`
	Snippet *Snippet `json:"snippet,omitempty"`
}

// Error makes a Diagnostic usable as an error where a single one must be returned.
func (d Diagnostic) Error() string {
	if d.Range != nil {
		return fmt.Sprintf("%s: %s: %s", d.Range, d.Summary, d.Detail)
	}
	return fmt.Sprintf("%s: %s", d.Summary, d.Detail)
}

// Diagnostics is a list of messages in the order they were found.
type Diagnostics []Diagnostic

// HasErrors reports whether any of them is an Error.
func (ds Diagnostics) HasErrors() bool {
	for _, d := range ds {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// Count returns how many have the given severity.
func (ds Diagnostics) Count(s Severity) int {
	n := 0
	for _, d := range ds {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// Errorf makes an error diagnostic without a place.
func Errorf(summary, format string, args ...any) Diagnostic {
	return Diagnostic{Severity: Error, Summary: summary, Detail: fmt.Sprintf(format, args...)}
}

// Warnf makes a warning diagnostic without a place.
func Warnf(summary, format string, args ...any) Diagnostic {
	return Diagnostic{Severity: Warning, Summary: summary, Detail: fmt.Sprintf(format, args...)}
}

// At returns a copy of d that points at path.
func (d Diagnostic) At(path ...string) Diagnostic {
	d.Path = path
	return d
}
