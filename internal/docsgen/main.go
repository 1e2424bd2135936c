// Command docsgen writes the pages of docs/ that follow from the code: the
// command line and the settings of the built-in plugins.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/plugins/notify-slack/notifyslack"
	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/orchestratormarathon"
	"github.com/rollback-project/rollback/plugins/registry-docker/registrydocker"
	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk/schema"
)

func main() {
	if err := write("docs"); err != nil {
		fmt.Fprintf(os.Stderr, "Error: %s\n", err)
		os.Exit(1)
	}
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
