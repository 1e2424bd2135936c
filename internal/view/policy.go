package view

import (
	"fmt"
	"io"

	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/sdk/diag"
)

// ValidateDocument is `validate --json`, in the shape of Terraform's (conventions.md section 4.4).
type ValidateDocument struct {
	FormatVersion string           `json:"format_version"`
	Valid         bool             `json:"valid"`
	ErrorCount    int              `json:"error_count"`
	WarningCount  int              `json:"warning_count"`
	Diagnostics   diag.Diagnostics `json:"diagnostics"`
}

// NewValidateDocument counts the messages.
func NewValidateDocument(ds diag.Diagnostics) ValidateDocument {
	doc := ValidateDocument{FormatVersion: "1.0", Valid: !ds.HasErrors(), Diagnostics: append(diag.Diagnostics{}, ds...)}
	for _, d := range ds {
		if d.Severity == diag.Error {
			doc.ErrorCount++
		} else {
			doc.WarningCount++
		}
	}
	return doc
}

// Validate says whether a policy may be used. What is wrong with it was said before.
func Validate(w io.Writer, l Look, valid bool, files []string) {
	if !valid {
		return
	}
	what := fmt.Sprintf("%d files", len(files))
	if len(files) == 1 {
		what = term.Clean(files[0])
	}
	fmt.Fprintf(w, "%s The policy is valid (%s).\n", l.Paint.BoldGreen("Success!"), what)
}
