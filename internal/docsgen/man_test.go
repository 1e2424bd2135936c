package main

import (
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/internal/cli"
)

func TestEveryCommandHasAManPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	if err := run(dir, "", at.Format(time.RFC3339), "1.2.3"); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range pagesOf(cli.Reference()) {
		text := unpacked(t, filepath.Join(dir, manName(cmd)))
		for _, want := range []string{".TH ", "rollback 1.2.3", "Nov 2026", strings.ReplaceAll(cmd.Name(), "-", `\-`)} {
			if !strings.Contains(text, want) {
				t.Errorf("%s says nothing of %q", manName(cmd), want)
			}
		}
	}
	for _, name := range []string{"rollback.1.gz", "rollback-apply.1.gz", "rollback-history-show.1.gz"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func unpacked(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestShellsReadTheirCompletions asks each shell that is here.
func TestShellsReadTheirCompletions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "completions")
	if err := run("", dir, "", ""); err != nil {
		t.Fatal(err)
	}
	for ending, check := range map[string][]string{"bash": {"bash", "-n"}, "zsh": {"zsh", "-n"}, "fish": {"fish", "-n"}, "ps1": nil} {
		file := filepath.Join(dir, "rollback."+ending)
		raw, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(raw), "rollback") {
			t.Errorf("the completion for %s: %v", ending, err)
			continue
		}
		if check == nil {
			continue
		}
		if _, err := exec.LookPath(check[0]); err != nil {
			t.Logf("%s is not here", check[0])
			continue
		}
		if out, err := exec.Command(check[0], append(check[1:], file)...).CombinedOutput(); err != nil {
			t.Errorf("%s cannot read its completion: %v\n%s", check[0], err, out)
		}
	}
}

func TestADateThatIsNoneIsAnError(t *testing.T) {
	if err := run(t.TempDir(), "", "yesterday", "1"); err == nil {
		t.Error("no error")
	}
}
