package policy

import (
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/rollback-project/rollback/core/policy/source"
	"github.com/rollback-project/rollback/sdk/diag"
)

// Format brings the text of a policy into its one layout. A text that cannot be parsed is returned as it is, with
// diagnostics that name filename. Formatting twice changes nothing more.
func Format(src []byte, filename string) ([]byte, diag.Diagnostics) {
	sources := source.NewSet(&source.Secrets{})
	if _, diags := sources.Parse(filename, src); diags.HasErrors() {
		return src, sources.Diagnostics(diags)
	}
	out := hclwrite.Format(src)
	if _, diags := hclsyntax.ParseConfig(out, filename, hcl.InitialPos); diags.HasErrors() {
		// The formatter must never break what was right.
		return src, nil
	}
	return out, nil
}

// FormatFiles lists what fmt works on below path: path itself when it is a file, else the folder's *.hcl files, and
// those of its folders when recursive. Hidden files (.x) and those of editors (~x, x~, #x#) are left out, and so is
// everything in folders of such names. The list is sorted.
func FormatFiles(path string, recursive bool) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == path && !entry.IsDir():
			files = append(files, name)
		case name == path:
		case entry.IsDir() && (!recursive || ignored(entry.Name())):
			return filepath.SkipDir
		case !entry.IsDir() && isPolicyFile(entry.Name()):
			files = append(files, name)
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}
