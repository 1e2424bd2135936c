package registrydocker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/registry-docker/image"
)

func TestTheCacheReturnsOnlyWhatHasTheDigest(t *testing.T) {
	dir := t.TempDir()
	c := newCache(dir, hclog.NewNullLogger())
	body := []byte(`{"created":"2019-06-01T10:00:00Z"}`)
	digest := image.Digest(body)
	if _, ok := c.get(digest); ok {
		t.Error("an empty cache has something")
	}
	c.put(digest, body)
	if got, ok := c.get(digest); !ok || string(got) != string(body) {
		t.Errorf("got %q", got)
	}
	_, file := c.path(digest)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if err := os.WriteFile(file, []byte("forged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.get(digest); ok {
		t.Errorf("the forged content %q was taken", got)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the forged content is still there")
	}
	for _, odd := range []string{"", "sha256:", "sha256:../../../../etc/passwd", "md5:1"} {
		c.put(odd, body)
		if _, ok := c.get(odd); ok {
			t.Errorf("%q was taken", odd)
		}
	}
	c.put(digest, make([]byte, cacheLongest+1))
	if _, ok := c.get(digest); ok {
		t.Error("something enormous was kept")
	}
	var none *cache
	none.put(digest, body)
	if _, ok := none.get(digest); ok {
		t.Error("no cache has something")
	}
}

func TestABrokenCacheIsAnEmptyOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCache(filepath.Join(file, "cache"), hclog.NewNullLogger())
	c.put(image.Digest(nil), nil)
	if _, ok := c.get(image.Digest(nil)); ok {
		t.Error("it has something")
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	folder := t.TempDir()
	for i := range cacheFiles + 10 {
		path := filepath.Join(folder, strings.Repeat("a", i+1)[:min(i+1, 200)]+string(rune('a'+i%26))+time.Duration(i).String())
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(i), 0)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := prune(folder); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != cacheFiles {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	for _, e := range left {
		info, err := e.Info()
		if err != nil || info.ModTime().Unix() < 10 {
			t.Errorf("%s is among the oldest", e.Name())
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "big"), make([]byte, cacheBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prune(folder); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 || left[0].Name() != "big" {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}
