package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// console is a block of commands in a page: each line that begins with a dollar is typed.
var console = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestTheCommandsOfTheDocumentsWork types every command of each page, in order, in a folder with a sandbox and its
// policy; a page that starts the sandbox itself begins with nothing.
func TestTheCommandsOfTheDocumentsWork(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var scripts []string
	dir := t.TempDir()
	for _, page := range append(pages, "../../README.md") {
		if filepath.Base(page) == "plugin-authors.md" {
			continue // its commands build a plugin: sdk/host tests them
		}
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var commands []string
		for _, block := range console.FindAllStringSubmatch(string(raw), -1) {
			for line := range strings.Lines(block[1]) {
				if command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
					// testscript quotes as a shell does, but with single quotes only.
					commands = append(commands, "exec "+strings.ReplaceAll(command, `"`, "'"))
				}
			}
		}
		if len(commands) == 0 {
			continue
		}
		script := strings.Join(commands, "\n") + "\n"
		if !strings.Contains(script, "sandbox up") {
			script = "sandbox --speed 10\ncp .rollback-sandbox/policy.hcl policy.hcl\n" + script
		}
		name := filepath.Join(dir, strings.TrimSuffix(filepath.Base(page), ".md")+".txtar")
		if err := os.WriteFile(name, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, name)
	}
	if len(scripts) < 2 {
		t.Fatal("there are no commands in README.md or in docs/")
	}
	testscript.Run(t, testscript.Params{Files: scripts, RequireExplicitExec: true, Setup: setUp, Cmds: commands()})
}
