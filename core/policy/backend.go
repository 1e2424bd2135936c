package policy

import (
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Backend is a block whose body only its plugin understands.
type Backend struct {
	Kind schema.Kind
	// Name is the block's label: the plugin.
	Name  string
	Range diag.Range

	body body
}

// body is what Backend keeps of the HCL block.
type body interface {
	decode(schema.Schema) (schema.Config, diag.Diagnostics)
	locate(diag.Diagnostics) diag.Diagnostics
	texts() []string
}

// Decode checks the body against the plugin's schema and returns its values.
// All problems are reported at once, each with its place.
func (b Backend) Decode(s schema.Schema) (schema.Config, diag.Diagnostics) { return b.body.decode(s) }

// Locate adds file, line and snippet to diagnostics that carry only a path inside the block.
func (b Backend) Locate(ds diag.Diagnostics) diag.Diagnostics { return b.body.locate(ds) }

// Secrets are the values that must not be shown, as far as Decode has met them: those of sensitive attributes, and
// what sensitive variables put into others. Policy.Secrets does not contain the former. Longest first.
func (b Backend) Secrets() []string { return b.body.texts() }
