package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// built builds the program as it is shipped.
func built(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "rollback")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// BenchmarkCommand measures whole commands, from the start of the process to its end. What `plan` takes beyond
// `version` is its policy, three plugins as processes of their own, and three repos on the file plugins.
func BenchmarkCommand(b *testing.B) {
	program := built(b)
	info, err := os.Stat(program)
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	for _, name := range []string{"policy.hcl", "world.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "shop", name))
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for _, args := range [][]string{{"version"}, {"validate"}, {"points"}, {"plan", "--to", "-1"}} {
		b.Run(args[0], func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command(program, args...)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
			b.ReportMetric(float64(info.Size())/1e6, "MB/program")
		})
	}
}
