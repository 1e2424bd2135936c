package registrydocker

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/plugins/registry-docker/image"
)

// Bounds of the cache: 256 folders of so many files and bytes each; longer content is not kept.
const (
	cacheFiles   = 512
	cacheBytes   = 1 << 20
	cacheLongest = 256 << 10
	// cachePrune is how many files a folder gets before it is counted again.
	cachePrune = 32
)

// cache keeps content by its digest in files. What it returns has that digest; trouble with it is
// logged and otherwise means that it is empty. A nil cache is empty and keeps nothing.
type cache struct {
	dir string
	log hclog.Logger

	mu sync.Mutex
	// written counts the files put into each folder since it was last pruned.
	written map[string]int
	broken  bool
}

// newCache opens the folder; "" gives nil.
func newCache(dir string, log hclog.Logger) *cache {
	if dir == "" {
		return nil
	}
	return &cache{dir: dir, log: log, written: map[string]int{}}
}

// path is where a digest is kept.
func (c *cache) path(digest string) (folder, file string) {
	hexa := digest[len("sha256:"):]
	folder = filepath.Join(c.dir, "sha256", hexa[:2])
	return folder, filepath.Join(folder, hexa)
}

// get returns content that has the digest.
func (c *cache) get(digest string) ([]byte, bool) {
	if c == nil || !image.IsDigest(digest) {
		return nil, false
	}
	_, file := c.path(digest)
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > cacheLongest {
		return nil, false
	}
	body, err := os.ReadFile(file)
	if err != nil {
		c.complain("read", err)
		return nil, false
	}
	if image.Digest(body) != digest {
		c.complain("verify", errors.New("the content does not have the digest of its name"))
		_ = os.Remove(file) // it is of no use to anybody
		return nil, false
	}
	return body, true
}

// put keeps content, of which the caller has checked the digest.
func (c *cache) put(digest string, body []byte) {
	if c == nil || len(body) > cacheLongest || !image.IsDigest(digest) {
		return
	}
	folder, file := c.path(digest)
	if err := c.write(folder, file, body); err != nil {
		c.complain("write", err)
		return
	}
	c.mu.Lock()
	n := c.written[folder]
	c.written[folder] = (n + 1) % cachePrune
	c.mu.Unlock()
	if n == 0 {
		if err := prune(folder); err != nil {
			c.complain("prune", err)
		}
	}
}

// write makes the file appear whole or not at all. Configs may hold secrets: nobody else may read them.
func (c *cache) write(folder, file string, body []byte) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// prune removes the oldest files of a folder until it keeps its bounds.
func prune(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	type aged struct {
		path string
		at   time.Time
		size int64
	}
	var all []aged
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process prunes as well
		}
		if err != nil {
			return err
		}
		all = append(all, aged{filepath.Join(folder, e.Name()), info.ModTime(), info.Size()})
	}
	slices.SortFunc(all, func(a, b aged) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.path, b.path)) })
	var files, bytes int64
	for _, f := range all {
		files, bytes = files+1, bytes+f.size
		if files <= cacheFiles && bytes <= cacheBytes {
			continue
		}
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// complain logs the first trouble: the rest is the same.
func (c *cache) complain(doing string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.broken {
		c.broken = true
		c.log.Warn("the cache of configs does not work; everything is asked from the registry", "doing", doing, "folder", c.dir, "error", err)
	}
}
