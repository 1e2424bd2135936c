package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pmezard/go-difflib/difflib"
	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core/backend"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/policies"
	"github.com/rollback-project/rollback/sdk/diag"
)

func newValidate(g *global) *cobra.Command {
	return &cobra.Command{
		Use:     "validate",
		GroupID: "policy",
		Short:   "Check a policy, offline; all problems at once",
		Example: "  rollback validate\n  rollback validate -f policies/ --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runValidate(cmd.Context(), g) },
	}
}

func runValidate(ctx context.Context, g *global) error {
	ctx, stop := g.cancelOnInterrupt(ctx)
	defer stop()
	p, sources, ds := policy.Load(policy.LoadOptions{
		Paths: g.files, WorkDir: g.app.WorkDir, Vars: g.vars, VarFiles: g.varFiles,
		Environ: g.app.Environ, Version: coreVersion(g.app.Build.Version), Builtin: policies.All(),
	})
	s := &session{global: g, policy: p, sources: sources, redactor: newRedactor(p)}
	// A policy without a registry is no policy to roll back with, but a file of guards is no mistake.
	wants, _, _ := s.wants(needs{registry: true, orchestrator: p.Orchestrator != nil, notifiers: true})
	ds = append(ds, backend.Check(ctx, s.backendOptions(), wants)...)
	ds = sources.Annotate(ds)
	for i := range ds {
		ds[i].Detail = s.redactor.String(ds[i].Detail)
	}
	if g.json {
		if err := view.WriteJSON(g.app.Streams.Out, view.NewValidateDocument(ds)); err != nil {
			return err
		}
	} else {
		view.Diagnostics(g.app.Streams.Err, g.errLook(), ds)
		view.Validate(g.app.Streams.Out, g.look(), !ds.HasErrors(), sources.Files())
	}
	if ds.HasErrors() {
		return exit{ExitError}
	}
	return nil
}

type fmtOptions struct {
	check, diff, list, write, recursive bool
}

func newFmt(g *global) *cobra.Command {
	o := fmtOptions{}
	cmd := &cobra.Command{
		Use:     "fmt [FILE|DIR|-]...",
		GroupID: "policy",
		Short:   "Bring policies into their one layout",
		Long: `Bring policies into their one layout: this folder's by default, or the files and folders named; "-" formats
standard input to standard output. Exit codes: 0 all well, 2 a file cannot be parsed, 3 with --check: a file would change.`,
		RunE: func(_ *cobra.Command, args []string) error { return runFmt(g, o, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.check, "check", false, "change nothing; exit with 3 when something would change")
	f.BoolVar(&o.diff, "diff", false, "show what changes")
	f.BoolVar(&o.list, "list", true, "name the files that change")
	f.BoolVar(&o.write, "write", true, "write the files")
	f.BoolVar(&o.recursive, "recursive", false, "folders in folders as well")
	return cmd
}

// exitUnparsable is the exit code of fmt for a file that cannot be read or parsed.
const exitUnparsable = 2

func runFmt(g *global, o fmtOptions, args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	code := ExitDone
	for _, arg := range args {
		do := g.fmtPath
		if arg == "-" {
			do = g.fmtStdin
		}
		c, err := do(o, arg)
		if err != nil {
			return err
		}
		code = max(code, c)
	}
	if code != ExitDone {
		return exit{code}
	}
	return nil
}

func (g *global) fmtStdin(o fmtOptions, _ string) (int, error) {
	src, err := io.ReadAll(g.app.Streams.In)
	if err != nil {
		return 0, fmt.Errorf("read standard input: %w", err)
	}
	return g.fmtSource(o, src, "<stdin>", func(out []byte) error {
		_, err := g.app.Streams.Out.Write(out)
		return err
	}), nil
}

// fmtPath formats a file, or the files of a folder.
func (g *global) fmtPath(o fmtOptions, arg string) (int, error) {
	files, err := policy.FormatFiles(g.path(arg), o.recursive)
	if err != nil {
		return 0, fmt.Errorf("format %s: %w", arg, err)
	}
	code := ExitDone
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", file, err)
		}
		name := file
		if rel, err := filepath.Rel(g.app.WorkDir, file); err == nil && !filepath.IsAbs(arg) {
			name = rel
		}
		code = max(code, g.fmtSource(o, src, name, func(out []byte) error {
			if !o.write || o.check || bytes.Equal(out, src) {
				return nil
			}
			return replaceFile(file, out)
		}))
	}
	return code, nil
}

// fmtSource formats one text and returns the exit code for it.
func (g *global) fmtSource(o fmtOptions, src []byte, name string, write func([]byte) error) int {
	out, ds := policy.Format(src, name)
	if ds.HasErrors() {
		view.Diagnostics(g.app.Streams.Err, g.errLook(), ds)
		return exitUnparsable
	}
	if err := write(out); err != nil {
		view.Diagnostics(g.app.Streams.Err, g.errLook(), diag.Diagnostics{errorDiagnostic("File not written", err)})
		return exitUnparsable
	}
	if bytes.Equal(out, src) {
		return ExitDone
	}
	if name != "<stdin>" && o.list {
		fmt.Fprintln(g.app.Streams.Out, name)
	}
	if o.diff {
		text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
			A: difflib.SplitLines(string(src)), B: difflib.SplitLines(string(out)), FromFile: name, ToFile: name, Context: 3,
		})
		if err == nil {
			fmt.Fprint(g.app.Streams.Out, text)
		}
	}
	if o.check {
		return ExitFormat
	}
	return ExitDone
}
