// Package floors holds the rules of the house: which package may import which,
// and what no file may contain. Its test applies them to the whole module.
//
// Packages stand on floors, and a package imports only from the floors below
// its own. Whoever is stopped by that has, nearly always, a type in the wrong
// place: it belongs further down, or the caller should pass it in.
package floors

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Package is what the rules look at of one package of the module.
type Package struct {
	// Path is relative to the module: "core/plan"; the module's root is ".".
	Path string
	// Files are all Go files, also those of other platforms and the tests.
	Files []File
}

// A File is one Go file of a package.
type File struct {
	Name      string // base name
	Test      bool   // it ends in _test.go
	Generated bool   // it says so in its first lines
	Lines     int
	Imports   []string // full import paths
	Inits     []int    // lines of its init functions
	// MainOnly are the uses of what belongs to main alone, as "os.Exit in line 12".
	MainOnly []string
}

// A Row puts the packages that match a pattern on a floor.
type Row struct {
	Floor int
	// Pattern is a path in the module. A * matches one folder's name; /... at
	// the end matches the folder itself and all below it, and lets these import
	// one another.
	Pattern string
	// Sees, if it is not empty, names all that the packages may import of the
	// module, besides their own folder.
	Sees []string
}

// A Guest is an import that only some packages may have.
type Guest struct {
	// Import is the path of a package or, with /... at the end, of a tree;
	// paths of the module are relative to it.
	Import string
	// Hosts are the patterns of the packages that may import it, outside tests.
	Hosts []string
	// Reason says why, as the end of a sentence.
	Reason string
}

// A House is the whole set of rules.
type House struct {
	Module    string // the module's path
	Rows      []Row  // the first row that matches counts
	Guests    []Guest
	Mains     []string          // patterns of the files that may use os.Args and os.Exit
	Unnamed   []string          // names that say nothing, for packages and files
	MaxLines  int               // of a file that is neither a test nor generated
	LongFiles map[string]string // files beyond it, with the reason
	MaxDepth  int               // folders below the module
}

// Check returns what breaks the rules, one sentence each, sorted; nothing if
// all is well. A rule about packages that do not exist is kept.
func (h House) Check(packages []Package) []string {
	var broken []string
	for _, p := range packages {
		broken = append(broken, h.checkPlace(p)...)
		for _, f := range p.Files {
			broken = append(broken, h.checkImports(p, f)...)
			broken = append(broken, h.checkFile(p, f)...)
		}
	}
	slices.Sort(broken)
	return slices.Compact(broken)
}

// row returns the row of a package and the folder that its pattern's /...
// stands for, or no folder where the pattern names single packages.
func (h House) row(pkg string) (row Row, tree string, ok bool) {
	for _, r := range h.Rows {
		if tree, ok := match(r.Pattern, pkg); ok {
			return r, tree, true
		}
	}
	return Row{}, "", false
}

// checkPlace judges where a package is and what it is called.
func (h House) checkPlace(p Package) []string {
	var broken []string
	if _, _, ok := h.row(p.Path); !ok {
		broken = append(broken, fmt.Sprintf(
			"%s stands on no floor: give it one in internal/floors/table.go", p.Path))
	}
	if depth := strings.Count(p.Path, "/") + 1; depth > h.MaxDepth && !generated(p) {
		broken = append(broken, fmt.Sprintf(
			"%s is %d folders deep, at most %d: a package so far down is part of the one above it, or a neighbour",
			p.Path, depth, h.MaxDepth))
	}
	if name := path.Base(p.Path); slices.Contains(h.Unnamed, name) {
		broken = append(broken, fmt.Sprintf(
			"%s is named %q, which says nothing: name it after the one thing it owns", p.Path, name))
	}
	return broken
}

// checkImports judges the imports of one file. Tests may look upwards: a test
// of the engine may well run the reference plugins. Only the folders that see
// nothing but the sdk keep that promise in their tests too.
func (h House) checkImports(p Package, f File) []string {
	row, tree, ok := h.row(p.Path)
	if !ok {
		return nil // said already
	}
	var broken []string
	for _, imported := range f.Imports {
		target, ours := h.relative(imported)
		if !f.Test {
			broken = append(broken, h.checkGuest(p, imported, target, ours)...)
		}
		if !ours || target == p.Path {
			continue
		}
		switch neighbour := within(tree, target); {
		case neighbour && tree != "":
		case len(row.Sees) > 0 && !matchAny(row.Sees, target):
			if f.Test && matchAny(testSees, target) {
				continue
			}
			broken = append(broken, fmt.Sprintf("%s imports %s: it may see only %s of ours",
				p.Path, target, strings.Join(row.Sees, ", ")))
		case !f.Test:
			broken = append(broken, h.checkFloor(p.Path, row, target)...)
		}
	}
	return broken
}

// checkFloor judges one import of the module outside the tests.
func (h House) checkFloor(from string, row Row, target string) []string {
	below, _, ok := h.row(target)
	switch {
	case !ok || below.Floor < row.Floor:
		return nil
	case below.Floor == row.Floor:
		return []string{fmt.Sprintf(
			"%s imports %s on its own floor %d: move what both need down, or let a higher floor pass it in",
			from, target, row.Floor)}
	default:
		return []string{fmt.Sprintf(
			"%s (floor %d) imports %s (floor %d): move the type down, or let a higher floor pass it in",
			from, row.Floor, target, below.Floor)}
	}
}

// checkGuest judges one import against the list of guests; the first guest that
// matches the import counts.
func (h House) checkGuest(p Package, imported, target string, ours bool) []string {
	name := imported
	if ours {
		name = target
	}
	for _, g := range h.Guests {
		tree, ok := match(g.Import, name)
		if !ok {
			continue
		}
		if matchAny(g.Hosts, p.Path) || within(tree, p.Path) && ours {
			return nil
		}
		return []string{fmt.Sprintf("%s imports %s, which only %s may: %s",
			p.Path, name, strings.Join(g.Hosts, ", "), g.Reason)}
	}
	return nil
}

// checkFile judges one file by itself.
func (h House) checkFile(p Package, f File) []string {
	name := path.Join(p.Path, f.Name)
	var broken []string
	if stem := strings.TrimSuffix(strings.TrimSuffix(f.Name, ".go"), "_test"); slices.Contains(h.Unnamed, stem) {
		broken = append(broken, fmt.Sprintf(
			"%s has a name that says nothing: name it after what stands in it", name))
	}
	if f.Generated {
		return broken
	}
	for _, line := range f.Inits {
		broken = append(broken, fmt.Sprintf(
			"%s has an init function in line %d: nothing happens because of an import; let main call it", name, line))
	}
	if f.Test {
		return broken
	}
	if !matchAny(h.Mains, name) {
		for _, use := range f.MainOnly {
			broken = append(broken, fmt.Sprintf(
				"%s uses %s: arguments and the exit code belong to main; take and return values", name, use))
		}
	}
	switch reason, listed := h.LongFiles[name]; {
	case f.Lines > h.MaxLines && !listed:
		broken = append(broken, fmt.Sprintf(
			"%s has %d lines, at most %d: split it by noun, or list it with a reason in internal/floors/table.go",
			name, f.Lines, h.MaxLines))
	case listed && reason == "":
		broken = append(broken, fmt.Sprintf("%s is listed as a long file without a reason", name))
	case listed && f.Lines <= h.MaxLines:
		broken = append(broken, fmt.Sprintf(
			"%s has %d lines: take it off the list of long files", name, f.Lines))
	}
	return broken
}

// relative returns an import path relative to the module, if it is of it.
func (h House) relative(imported string) (string, bool) {
	if imported == h.Module {
		return ".", true
	}
	return strings.CutPrefix(imported, h.Module+"/")
}

// generated says whether a package holds nothing but generated code and docs.
func generated(p Package) bool {
	for _, f := range p.Files {
		if !f.Generated && !f.Test && f.Name != "doc.go" {
			return false
		}
	}
	return true
}

// match compares a path with a pattern. For a pattern with /... it returns the
// folder that the part before it matched.
func match(pattern, name string) (tree string, ok bool) {
	prefix, isTree := strings.CutSuffix(pattern, "/...")
	if !isTree {
		ok, _ := path.Match(pattern, name) // patterns are constants; a test reads them all
		return "", ok
	}
	parts, want := strings.Split(name, "/"), strings.Count(prefix, "/")+1
	if len(parts) < want {
		return "", false
	}
	tree = path.Join(parts[:want]...)
	ok, _ = path.Match(prefix, tree)
	return tree, ok
}

// matchAny says whether a path matches one of the patterns.
func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		_, ok := match(p, name)
		return ok
	})
}

// within says whether a path is a folder or below it.
func within(tree, name string) bool {
	return tree != "" && (name == tree || strings.HasPrefix(name, tree+"/"))
}
