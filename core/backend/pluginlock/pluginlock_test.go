package pluginlock_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/backend/pluginlock"
	"github.com/rollback-project/rollback/sdk/schema"
)

var sum = "sha256:" + strings.Repeat("0f", 32)

const wantText = `# This file is maintained by "rollback plugins lock".
# Manual edits may be lost in future updates.

plugin "notify" "pager" {
  version = "1.2.0"
  hashes = {
    darwin_arm64 = "SUM"
    linux_amd64  = "SUM"
  }
}

plugin "registry" "harbor" {
  hashes = {
    linux_amd64 = "SUM"
  }
}
`

func file() pluginlock.File {
	var f pluginlock.File
	f = f.With(pluginlock.Plugin{Kind: schema.Registry, Name: "harbor", Hashes: map[string]string{"linux_amd64": sum}})
	f = f.With(pluginlock.Plugin{Kind: schema.Notify, Name: "pager", Version: "old"})
	return f.With(pluginlock.Plugin{
		Kind: schema.Notify, Name: "pager", Version: "1.2.0", Hashes: map[string]string{"linux_amd64": sum, "darwin_arm64": sum},
	})
}

func TestTheFileReadsWell(t *testing.T) {
	want := strings.ReplaceAll(wantText, "SUM", sum)
	if diff := cmp.Diff(want, string(file().Bytes())); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), pluginlock.Name)
	if err := pluginlock.Write(path, file()); err != nil {
		t.Fatal(err)
	}
	got, ds := pluginlock.Read(path)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	if diff := cmp.Diff(file(), got); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Error("something is left beside the lock file:", entries, err)
	}
}

func TestAMissingFileLocksNothing(t *testing.T) {
	got, ds := pluginlock.Read(filepath.Join(t.TempDir(), pluginlock.Name))
	if len(ds) > 0 || len(got.Plugins) > 0 {
		t.Error(got, ds)
	}
}

func TestWritingWhereOneMayNotIsAnError(t *testing.T) {
	if err := pluginlock.Write(filepath.Join(t.TempDir(), "no", "such", "folder"), file()); err == nil {
		t.Error("no error")
	}
}

func TestAllMistakesAreReported(t *testing.T) {
	src := `
plugin "notify" "a" { hashes = { linux_amd64 = "md5:12" } }
plugin "other" "b" { hashes = {} }
plugin "notify" "c" {}
plugin "notify" "d" {
  version = 12
  hashes  = []
}
plugin "notify" "e" { hashes = {} }
plugin "notify" "e" { hashes = {} }
plugin "notify" "f" { hashes = { linux_amd64 = null } }
registry "x" {}
`
	got, ds := pluginlock.Parse("lock.hcl", []byte(src))
	var summaries []string
	for _, d := range ds {
		summaries = append(summaries, d.Range.String()+" "+d.Summary)
	}
	want := []string{
		"lock.hcl:12 Unsupported block type",
		"lock.hcl:2 Invalid hashes",
		"lock.hcl:3 Unknown kind of plugin",
		"lock.hcl:4 Missing required argument",
		"lock.hcl:6 Invalid version",
		"lock.hcl:7 Invalid hashes",
		"lock.hcl:10 Duplicate plugin in lock file",
		"lock.hcl:11 Invalid hashes",
	}
	if diff := cmp.Diff(want, summaries); diff != "" {
		t.Error(diff)
	}
	if len(got.Plugins) != 1 || got.Plugins[0].Name != "e" {
		t.Error(got)
	}
}

func TestChecksumsReadsWhatSha256sumWrites(t *testing.T) {
	hex := strings.TrimPrefix(sum, "sha256:")
	got := pluginlock.Checksums(hex+"  rollback-notify-pager_linux_amd64\r\n"+
		strings.ToUpper(hex)+" *rollback-notify-pager_windows_amd64.exe\n"+
		hex+"  rollback-notify-other_linux_amd64\n"+
		hex+"  rollback-notify-pager\n"+
		"short  rollback-notify-pager_linux_arm64\n\n# remark", "rollback-notify-pager")
	if diff := cmp.Diff(map[string]string{"linux_amd64": sum, "windows_amd64": sum}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(strings.ReplaceAll(wantText, "SUM", sum)))
	f.Add([]byte(`plugin "notify" "a" { hashes = { linux_amd64 = "${x}" } }`))
	f.Fuzz(func(t *testing.T, src []byte) {
		first, ds := pluginlock.Parse("lock.hcl", src)
		if ds.HasErrors() {
			return
		}
		second, ds := pluginlock.Parse("lock.hcl", first.Bytes())
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzChecksums(f *testing.F) {
	f.Add(strings.TrimPrefix(sum, "sha256:")+"  x_linux_amd64\n", "x")
	f.Fuzz(func(t *testing.T, manifest, executable string) {
		for platform, got := range pluginlock.Checksums(manifest, executable) {
			if platform == "" || len(got) != len(sum) {
				t.Errorf("%q: %q", platform, got)
			}
		}
	})
}
