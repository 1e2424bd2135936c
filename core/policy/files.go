package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/rollback-project/rollback/core/policy/source"
)

// defaultFile is the policy of a folder, when no file is named.
const defaultFile = "policy.hcl"

// builtinPrefix marks an included file that comes with the binary.
const builtinPrefix = "builtin:"

// policyFile is one file of the policy.
type policyFile struct {
	*source.File
	// depth counts the includes that led here.
	depth int
	// chain are the names of the files that include one another, this one last.
	chain []string
	// id tells files apart whatever they are called.
	id string
}

// readAll reads the files that were asked for and what they include.
func (l *loader) readAll() {
	paths := l.opts.Paths
	if len(paths) == 0 {
		paths = []string{defaultFile}
		if _, err := os.Stat(l.path(defaultFile)); errors.Is(err, fs.ErrNotExist) {
			paths = []string{"."}
		}
	}
	for i, path := range paths {
		files, isFolder, err := l.list(path)
		if i == 0 {
			l.policy.Dir = filepath.Clean(l.path(path))
			if !isFolder {
				l.policy.Dir = filepath.Dir(l.path(path))
			}
		}
		switch {
		case err != nil:
			l.placeless("Cannot read the policy", fmt.Sprintf("Read %s: %s.%s", path, reason(err), l.hintForMissing(path, err)))
		case len(files) == 0:
			l.placeless("No policy found", fmt.Sprintf("There is no %s, and no other file *.hcl, in the folder %s. Name one with"+
				" --file, or write one; the examples of rollback are a good start.", defaultFile, path))
		}
		for _, file := range files {
			l.read(file, nil, nil)
		}
	}
}

func (l *loader) placeless(summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail})
}

// path is where a path given on the command line is.
func (l *loader) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.opts.WorkDir, name)
}

// list returns path itself, or the policy files of the folder path.
func (l *loader) list(path string) (files []string, isFolder bool, err error) {
	info, err := os.Stat(l.path(path))
	switch {
	case err != nil:
		return nil, false, err
	case !info.IsDir():
		return []string{path}, false, nil
	}
	entries, err := os.ReadDir(l.path(path))
	if err != nil {
		return nil, true, err
	}
	for _, entry := range entries {
		if !entry.IsDir() && isPolicyFile(entry.Name()) {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	return files, true, nil
}

// isPolicyFile reports whether a name is that of a policy, and not an editor's leftover or a hidden file.
func isPolicyFile(name string) bool { return filepath.Ext(name) == ".hcl" && !ignored(name) }

// ignored reports whether a file or folder belongs to an editor or is hidden.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") || strings.HasSuffix(name, "~") ||
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#")
}

// reason is an error without the path, which the sentence around it names.
func reason(err error) string {
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		err = inPath.Err
	}
	return err.Error()
}

// hintForMissing suggests another policy of the folder.
func (l *loader) hintForMissing(path string, err error) string {
	if !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	entries, _ := os.ReadDir(filepath.Dir(l.path(path)))
	var names []string
	for _, entry := range entries {
		if entry.IsDir() || isPolicyFile(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return source.DidYouMean(filepath.Base(path), names)
}

// read reads one file and, depth first, what it includes. from is the file that includes it at the place at; nil for
// a file that was asked for.
func (l *loader) read(name string, from *policyFile, at *hcl.Range) {
	f := &policyFile{id: l.identity(name), chain: []string{name}}
	if from != nil {
		f.depth = from.depth + 1
		f.chain = append(slices.Clone(from.chain), name)
		if l.isCycle(f, from) {
			l.problem(*at, "Cycle of includes", "These files include each other: "+strings.Join(f.chain, " → ")+".")
			return
		}
	}
	if slices.ContainsFunc(l.files, func(have *policyFile) bool { return have.id == f.id }) {
		return // Two files may include a third.
	}
	src, ok := l.text(name, at)
	if !ok {
		return
	}
	var diags hcl.Diagnostics
	f.File, diags = l.sources.Parse(name, src)
	l.diags = append(l.diags, diags...)
	l.files = append(l.files, f)
	for _, include := range l.includes(f) {
		l.include(f, include)
	}
}

func (l *loader) text(name string, at *hcl.Range) ([]byte, bool) {
	if builtin, ok := strings.CutPrefix(name, builtinPrefix); ok {
		return l.opts.Builtin[builtin], true
	}
	src, err := l.readFile(l.path(name))
	if err != nil {
		l.diags = append(l.diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Cannot read the policy",
			Detail: fmt.Sprintf("Read %s: %s.", name, reason(err)), Subject: at,
		})
		return nil, false
	}
	return src, true
}

// identity is the same for two names of one file.
func (l *loader) identity(name string) string {
	if strings.HasPrefix(name, builtinPrefix) {
		return name
	}
	path := l.path(name)
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// isCycle reports whether f is among the files that include from.
func (l *loader) isCycle(f, from *policyFile) bool {
	return slices.ContainsFunc(from.chain, func(name string) bool { return l.identity(name) == f.id })
}

// included is one element of an attribute include.
type included struct {
	path string
	at   hcl.Range
}

// includes reads the attribute include, which is needed before anything has a value.
func (l *loader) includes(f *policyFile) []included {
	content, _, _ := f.HCL.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "include"}}})
	attr := content.Attributes["include"]
	if attr == nil {
		return nil
	}
	if refs := attr.Expr.Variables(); len(refs) > 0 {
		l.problem(refs[0].SourceRange(), "Include must be literal",
			"Files are included before variables and locals have values: write the paths as they are.")
		return nil
	}
	v, diags := attr.Expr.Value(nil)
	l.diags = append(l.diags, diags...)
	if diags.HasErrors() {
		return nil
	}
	list, err := convert.Convert(v, cty.List(cty.String))
	if err != nil || list.IsNull() {
		l.problem(attr.Expr.Range(), "Unsuitable value type",
			`The attribute "include" must be a list of paths, such as include = ["policies/freeze-window.hcl"].`)
		return nil
	}
	var all []included
	places := elementRanges(attr.Expr, list.LengthInt())
	for i, path := range list.AsValueSlice() {
		if path.IsNull() || path.AsString() == "" {
			l.problem(places[i], "Cannot include", "A path is empty.")
			continue
		}
		all = append(all, included{path: path.AsString(), at: places[i]})
	}
	return all
}

// elementRanges are the places of a list's elements, where they are written one by one.
func elementRanges(expr hcl.Expression, n int) []hcl.Range {
	ranges := make([]hcl.Range, n)
	elements, diags := hcl.ExprList(expr)
	for i := range ranges {
		ranges[i] = expr.Range()
		if !diags.HasErrors() && len(elements) == n {
			ranges[i] = elements[i].Range()
		}
	}
	return ranges
}

// include reads what one element of include names: a file, a folder, or a file that comes with the binary.
func (l *loader) include(f *policyFile, in included) {
	if builtin, ok := strings.CutPrefix(in.path, builtinPrefix); ok {
		if _, ok := l.opts.Builtin[builtin]; !ok {
			names := source.Sorted(l.opts.Builtin)
			detail := fmt.Sprintf("No policy named %q comes with this binary.%s", builtin, source.DidYouMean(builtin, names))
			if len(names) > 0 {
				detail += fmt.Sprintf(" There are %s.", source.OneOf(names))
			}
			l.problem(in.at, "Cannot include", detail)
			return
		}
		l.read(in.path, f, &in.at)
		return
	}
	if strings.HasPrefix(f.Name, builtinPrefix) {
		l.problem(in.at, "Cannot include", "A policy that comes with the binary can only include others that do.")
		return
	}
	path := filepath.FromSlash(in.path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.Name), path)
	}
	files, _, err := l.list(path)
	switch {
	case err != nil:
		l.problem(in.at, "Cannot include", fmt.Sprintf("Read %s: %s.%s", path, reason(err), l.hintForMissing(path, err)))
	case len(files) == 0:
		l.problem(in.at, "Cannot include", fmt.Sprintf("The folder %s has no file *.hcl.", path))
	}
	for _, file := range files {
		l.read(file, f, &in.at)
	}
}
