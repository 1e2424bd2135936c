package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/rollback-project/rollback/internal/cli"
)

// manPages writes a compressed page for every command. Their date is that of the commit, so that the same commit gives the
// same bytes.
func manPages(dir string, date time.Time, version string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // documentation is for everybody
		return fmt.Errorf("write the man pages: %w", err)
	}
	root := cli.Reference()
	root.DisableAutoGenTag = true
	for _, cmd := range pagesOf(root) {
		var page bytes.Buffer
		header := doc.GenManHeader{Section: "1", Date: &date, Source: "rollback " + version, Manual: "rollback"}
		if err := doc.GenMan(cmd, &header, &page); err != nil {
			return fmt.Errorf("write the man page of %s: %w", cmd.CommandPath(), err)
		}
		if err := compress(filepath.Join(dir, manName(cmd)), page.Bytes()); err != nil {
			return fmt.Errorf("write the man page of %s: %w", cmd.CommandPath(), err)
		}
	}
	return nil
}

// pagesOf are a command and all below it that people see.
func pagesOf(cmd *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && !c.IsAdditionalHelpTopicCommand() {
			out = append(out, pagesOf(c)...)
		}
	}
	return out
}

// manName is rollback-history-show.1.gz for `rollback history show`.
func manName(cmd *cobra.Command) string {
	name := cmd.Name()
	for p := cmd.Parent(); p != nil; p = p.Parent() {
		name = p.Name() + "-" + name
	}
	return name + ".1.gz"
}

// compress writes a file as gzip, without a date of its own.
func compress(path string, text []byte) error {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(text)
	if err = errors.Join(err, z.Close()); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644) //nolint:gosec // documentation is for everybody
}

// completions writes what each shell needs to complete the command line.
func completions(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // documentation is for everybody
		return fmt.Errorf("write the completions: %w", err)
	}
	root := cli.Reference()
	for ending, generate := range map[string]func(io.Writer) error{
		"bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":  root.GenZshCompletion,
		"fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
		"ps1":  root.GenPowerShellCompletionWithDesc,
	} {
		var b bytes.Buffer
		if err := generate(&b); err != nil {
			return fmt.Errorf("write the completion for %s: %w", ending, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "rollback."+ending), b.Bytes(), 0o644); err != nil { //nolint:gosec // for everybody
			return fmt.Errorf("write the completion for %s: %w", ending, err)
		}
	}
	return nil
}
