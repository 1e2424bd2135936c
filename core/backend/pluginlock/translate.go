package pluginlock

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/rollback-project/rollback/sdk/diag"
)

// translate turns HCL's diagnostics into ours.
func translate(hds hcl.Diagnostics) diag.Diagnostics {
	var ds diag.Diagnostics
	for _, h := range hds {
		d := diag.Diagnostic{Severity: diag.Error, Summary: h.Summary, Detail: h.Detail}
		if h.Severity == hcl.DiagWarning {
			d.Severity = diag.Warning
		}
		if h.Subject != nil {
			d = at(*h.Subject, d)
		}
		ds = append(ds, d)
	}
	return ds
}

// at gives a diagnostic its place.
func at(r hcl.Range, d diag.Diagnostic) diag.Diagnostic {
	pos := func(p hcl.Pos) diag.Pos { return diag.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }
	d.Range = &diag.Range{Filename: r.Filename, Start: pos(r.Start), End: pos(r.End)}
	return d
}
