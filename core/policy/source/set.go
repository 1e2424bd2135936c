// Package source keeps the text of a policy, so that every problem can be shown where it was written.
//
// It parses files, remembers their bytes, and turns hcl's diagnostics into the
// project's own: with address, range, snippet and the values involved, but
// never with a sensitive value.
package source

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"

	"github.com/rollback-project/rollback/sdk/diag"
)

// File is one file of a policy.
type File struct {
	// Name is as in diagnostics.
	Name string
	// Bytes are the text, without a byte order mark.
	Bytes []byte
	HCL   *hcl.File
}

// Set is the files of one policy, in the order in which they were read. The zero value is an empty set.
// Once loading is over it is only read, and then safe for concurrent use but for Hide.
type Set struct {
	files  []*File
	byName map[string]*File
	// secrets are redacted from whatever a diagnostic says.
	secrets *Secrets
}

// NewSet returns an empty set whose diagnostics never show what secrets holds.
func NewSet(secrets *Secrets) *Set {
	return &Set{byName: map[string]*File{}, secrets: secrets}
}

// Parse adds a file. Problems of syntax are returned; the file is added nevertheless, so that they can be shown.
func (s *Set) Parse(name string, src []byte) (*File, hcl.Diagnostics) {
	src = stripBOM(src)
	parsed, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	return s.add(name, src, parsed), diags
}

// Files are the files read so far.
func (s *Set) Files() []*File { return slices.Clone(s.files) }

// File returns a file by its name in diagnostics; nil when there is none.
func (s *Set) File(name string) *File { return s.byName[name] }

func (s *Set) add(name string, src []byte, parsed *hcl.File) *File {
	f := &File{Name: name, Bytes: src, HCL: parsed}
	s.files = append(s.files, f)
	s.byName[name] = f
	return f
}

// ParseValues parses a file of variable values (HCL, or JSON when the name ends so) without making it part of the
// policy. What it shows of the file in diagnostics are the names, never the values: any of them may be secret.
func (s *Set) ParseValues(name string, src []byte) (*hcl.File, hcl.Diagnostics) {
	src = stripBOM(src)
	if strings.HasSuffix(name, ".json") {
		return json.Parse(src, name)
	}
	parsed, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return parsed, diags
	}
	masked := slices.Clone(src)
	if body, ok := parsed.Body.(*hclsyntax.Body); ok {
		for _, attr := range body.Attributes {
			mask(masked, attr.Expr.Range())
		}
		for _, block := range body.Blocks {
			mask(masked, hcl.RangeBetween(block.OpenBraceRange, block.CloseBraceRange))
		}
	}
	maskComments(masked, name)
	s.byName[name] = &File{Name: name, Bytes: masked, HCL: parsed}
	return parsed, diags
}

// maskComments hides comments: a value that is commented out is still a value.
func maskComments(src []byte, name string) {
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenComment {
			mask(src, t.Range)
		}
	}
}

func mask(src []byte, r hcl.Range) {
	for i := r.Start.Byte; i < min(r.End.Byte, len(src)); i++ {
		if src[i] != '\n' && src[i] != '\r' {
			src[i] = '*'
		}
	}
}

func stripBOM(src []byte) []byte { return []byte(strings.TrimPrefix(string(src), "\ufeff")) }

// order says where a file stands among those read; files that are not part of the policy come last.
func (s *Set) order(name string) int {
	if i := slices.IndexFunc(s.files, func(f *File) bool { return f.Name == name }); i >= 0 {
		return i
	}
	return len(s.files)
}

// Sort orders diagnostics by place: those without one first, then file by file in the order they were read.
// Equal ones are reported once.
func (s *Set) Sort(ds diag.Diagnostics) diag.Diagnostics {
	slices.SortStableFunc(ds, func(a, b diag.Diagnostic) int {
		switch {
		case a.Range == nil || b.Range == nil:
			return boolOrder(a.Range != nil) - boolOrder(b.Range != nil)
		case a.Range.Filename != b.Range.Filename:
			return cmp.Or(
				s.order(a.Range.Filename)-s.order(b.Range.Filename),
				strings.Compare(a.Range.Filename, b.Range.Filename))
		}
		return a.Range.Start.Byte - b.Range.Start.Byte
	})
	return slices.CompactFunc(ds, func(a, b diag.Diagnostic) bool {
		return a.Summary == b.Summary && a.Detail == b.Detail && a.Severity == b.Severity && a.Address == b.Address &&
			(a.Range == nil) == (b.Range == nil) && (a.Range == nil || *a.Range == *b.Range)
	})
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}
