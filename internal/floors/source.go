package floors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listed is what `go list -json` says of one package.
type listed struct {
	ImportPath, Dir                                              string
	GoFiles, CgoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
}

// Read returns the packages of the module that is rooted at dir. Files of other
// platforms are among them, and so are packages that do not compile just now:
// what can be parsed can be judged.
func Read(ctx context.Context, dir, module string) ([]Package, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e",
		"-json=ImportPath,Dir,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = dir
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, problems.Bytes())
	}
	var packages []Package
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		switch err := decoder.Decode(&l); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, fmt.Errorf("read the output of go list: %w", err)
		}
		p := Package{Path: "."}
		if rel, ok := strings.CutPrefix(l.ImportPath, module+"/"); ok {
			p.Path = rel
		}
		for _, name := range slices.Concat(l.GoFiles, l.CgoFiles, l.IgnoredGoFiles, l.TestGoFiles, l.XTestGoFiles) {
			f, err := readFile(filepath.Join(l.Dir, name))
			if err != nil {
				return nil, err
			}
			p.Files = append(p.Files, f)
		}
		packages = append(packages, p)
	}
}

// readFile reads one Go file from disk.
func readFile(name string) (File, error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return File{}, fmt.Errorf("read source: %w", err)
	}
	return parseFile(filepath.Base(name), src)
}

// parseFile finds in a Go file what the rules ask for.
func parseFile(name string, src []byte) (File, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return File{}, fmt.Errorf("read source: %w", err)
	}
	f := File{
		Name:      name,
		Test:      strings.HasSuffix(name, "_test.go"),
		Generated: ast.IsGenerated(parsed),
		Lines:     bytes.Count(src, []byte("\n")),
	}
	osName := "" // what the file calls package os
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("read the imports of %s: %w", name, err)
		}
		f.Imports = append(f.Imports, imported)
		if imported == "os" {
			osName = "os"
			if spec.Name != nil {
				osName = spec.Name.Name
			}
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				f.Inits = append(f.Inits, fset.Position(n.Pos()).Line)
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && osName != "" && x.Name == osName && (n.Sel.Name == "Exit" || n.Sel.Name == "Args") {
				f.MainOnly = append(f.MainOnly,
					fmt.Sprintf("os.%s in line %d", n.Sel.Name, fset.Position(n.Pos()).Line))
			}
		}
		return true
	})
	return f, nil
}
