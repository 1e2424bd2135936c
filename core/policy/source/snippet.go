package source

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcled"

	"github.com/rollback-project/rollback/sdk/diag"
)

// contextLines bounds how many lines a snippet has; an expression may be long, and its first lines tell enough.
const contextLines = 12

// Snippet cuts the lines of r out of src: whole lines, with the range highlighted. It returns nil when r does not
// lie in src. Context and Values are left empty; Set.Snippet fills in the first.
func Snippet(src []byte, r diag.Range) *diag.Snippet { return cut(src, r, r.Start.Byte, r.End.Byte) }

// cut makes a snippet of the lines from first to last (bytes), with r highlighted.
func cut(src []byte, r diag.Range, first, last int) *diag.Snippet {
	start, end := r.Start.Byte, r.End.Byte
	if start < 0 || start > len(src) || end < start {
		return nil
	}
	if end == start {
		end++ // Nothing can be highlighted only where something is.
	}
	end = min(end, len(src))
	first = max(0, min(first, start))
	last = min(max(last, end), len(src))

	codeStart := bytes.LastIndexByte(src[:first], '\n') + 1
	codeEnd := len(src)
	if last > codeStart && src[last-1] == '\n' {
		last-- // A range that ends behind its line break does not take in the next line.
	}
	if i := bytes.IndexByte(src[last:], '\n'); i >= 0 {
		codeEnd = last + i
	}
	code := bytes.TrimSuffix(src[codeStart:codeEnd], []byte("\r"))
	code = firstLines(code, contextLines)
	highlightEnd := min(max(end, start)-codeStart, len(code))
	return &diag.Snippet{
		Code:                 printableInPlace(code),
		StartLine:            r.Start.Line - bytes.Count(src[codeStart:start], []byte("\n")),
		HighlightStartOffset: min(start-codeStart, len(code)),
		HighlightEndOffset:   highlightEnd,
		Values:               []diag.Value{},
	}
}

func firstLines(code []byte, n int) []byte {
	for i, b := range code {
		if b != '\n' {
			continue
		}
		if n--; n == 0 {
			return code[:i]
		}
	}
	return code
}

// Snippet is the function Snippet for a file of the set, with the enclosing block named and secrets blanked;
// nil when the file's text is not known.
func (s *Set) Snippet(r diag.Range) *diag.Snippet {
	f := s.byName[r.Filename]
	if f == nil {
		return nil
	}
	return s.finish(f, r, Snippet(f.Bytes, r))
}

func (s *Set) snippet(subject hcl.Range, context *hcl.Range) *diag.Snippet {
	f := s.byName[subject.Filename]
	if f == nil {
		return nil
	}
	r := Range(subject)
	first, last := r.Start.Byte, r.End.Byte
	if context != nil && context.Filename == subject.Filename {
		first, last = min(first, context.Start.Byte), max(last, context.End.Byte)
	}
	return s.finish(f, r, cut(f.Bytes, r, first, last))
}

func (s *Set) finish(f *File, r diag.Range, snippet *diag.Snippet) *diag.Snippet {
	if snippet == nil {
		return nil
	}
	snippet.Code = s.secrets.Blank(snippet.Code)
	if f.HCL != nil {
		if name := printable(hcled.ContextString(f.HCL, r.Start.Byte)); name != "" {
			snippet.Context = &name
		}
	}
	return snippet
}
