package policy

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormat(t *testing.T) {
	const src = "repo   \"a\" {\nmatch=\"id\"\n    depends_on = [\"b\"] # why\n}\n"
	const want = "repo \"a\" {\n  match      = \"id\"\n  depends_on = [\"b\"] # why\n}\n"
	got, ds := Format([]byte(src), "x.hcl")
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("Format (-want +got):\n%s", diff)
	}
	again, _ := Format(got, "x.hcl")
	if diff := cmp.Diff(string(got), string(again)); diff != "" {
		t.Errorf("Format again (-want +got):\n%s", diff)
	}
}

func TestFormatLeavesWhatItCannotRead(t *testing.T) {
	got, ds := Format([]byte("repo {"), "x.hcl")
	if string(got) != "repo {" {
		t.Errorf("Format = %q", got)
	}
	prefixes(t, []string{"x.hcl:1: Unclosed configuration block"}, texts(ds))
}

func TestWhatFmtWorksOn(t *testing.T) {
	dir := folder(t, map[string]string{
		"b.hcl": "", "a.hcl": "", "a.txt": "", ".x.hcl": "", "~y.hcl": "", "z.hcl~": "", "#q#": "", "#q.hcl#": "",
		"sub/c.hcl": "", "sub/deep/d.hcl": "", ".git/e.hcl": "", "~old/f.hcl": "", "other.hcl/g.hcl": "",
	})
	for _, tc := range []struct {
		rule, path string
		recursive  bool
		want       []string
	}{
		{"a folder", ".", false, []string{"a.hcl", "b.hcl"}},
		{"a folder and those inside", ".", true, []string{"a.hcl", "b.hcl", "other.hcl/g.hcl", "sub/c.hcl", "sub/deep/d.hcl"}},
		{"a file, whatever its name", "a.txt", true, []string{"a.txt"}},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			files, err := FormatFiles(filepath.Join(dir, tc.path), tc.recursive)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, file := range files {
				rel, _ := filepath.Rel(dir, file)
				got = append(got, filepath.ToSlash(rel))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := FormatFiles(filepath.Join(dir, "nothing"), false); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
