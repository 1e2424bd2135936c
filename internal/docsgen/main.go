// Command docsgen writes what follows from the code: the pages of docs/ on the
// command line and on the settings of the built-in plugins; and for packages,
// with -man and -completions, man pages and the shells' completions.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rollback-project/rollback/internal/buildinfo"
	"github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/plugins/notify-slack/notifyslack"
	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/orchestratormarathon"
	"github.com/rollback-project/rollback/plugins/registry-docker/registrydocker"
	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk/schema"
)

func main() {
	man := flag.String("man", "", "write man pages into this folder")
	shells := flag.String("completions", "", "write the shells' completions into this folder")
	date := flag.String("date", "", "the date of the man pages, RFC 3339")
	version := flag.String("version", buildinfo.Read().Version, "the version that the man pages name")
	flag.Parse()
	if err := run(*man, *shells, *date, *version); err != nil {
		fmt.Fprintf(os.Stderr, "Error: %s\n", err)
		os.Exit(1)
	}
}

// run writes for packages what is asked for, else the pages of docs/.
func run(man, shells, date, version string) error {
	if man == "" && shells == "" {
		return write("docs")
	}
	if man != "" {
		at, err := time.Parse(time.RFC3339, date)
		if err != nil {
			return fmt.Errorf("read the date of the man pages, %q: %w; give that of the commit with -date", date, err)
		}
		if err := manPages(man, at.UTC(), version); err != nil {
			return err
		}
	}
	if shells == "" {
		return nil
	}
	return completions(shells)
}

// write replaces the generated pages of a folder.
func write(dir string) error {
	for name, text := range pages() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // documentation is for everybody
			return fmt.Errorf("write the documentation: %w", err)
		}
	}
	return nil
}

// pages are the generated pages by their file name.
func pages() map[string]string {
	return map[string]string{"cli.md": commandLine(), "plugins.md": plugins(descriptions()), "matrix.svg": matrix(), "journal.md": steps()}
}

// descriptions are those of the built-in plugins.
func descriptions() []schema.Description {
	return []schema.Description{
		registrydocker.Plugin().Describe(), orchestratormarathon.Plugin().Describe(), notifyslack.Plugin().Describe(),
		registryfile.Plugin().Describe(), orchestratorfile.Plugin().Describe(), notifyfile.Plugin().Describe(),
	}
}
