package backend

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/rollback-project/rollback/core/backend/pluginlock"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/host"
)

// manifestName is the file beside an executable with the checksums of its builds for several platforms.
const manifestName = "checksums"

// Locked says what Lock did about one plugin.
type Locked struct {
	Found
	// Version and Hashes are the new entry's.
	Version string
	Hashes  map[string]string
	// Changed says that the entry was not there, or was another one.
	Changed bool
}

// Lock trusts the outside plugins among wants as they are now, and records their checksums in opts.LockFile: of this
// platform's executable, and of the other platforms that a file "checksums" beside it lists. It is the only way in
// which a plugin becomes trusted. Entries of other platforms stay while the plugin's version is the same.
// With readonly nothing is written: what would change is an error instead (--lockfile=readonly).
func Lock(ctx context.Context, opts Options, wants []Want, readonly bool) ([]Locked, diag.Diagnostics) {
	opts = opts.withDefaults()
	before, ds := readLock(opts)
	if ds.HasErrors() {
		return nil, ds
	}
	all, more := Find(opts, wants)
	ds = append(ds, more...)
	var done []Locked
	after := before
	for _, w := range wants {
		i := indexOf(all, w)
		if i < 0 {
			ds = append(ds, w.locate(diag.Diagnostics{notFound(opts, all, w)})...)
			continue
		}
		if all[i].Source == FromSelf {
			continue
		}
		locked, problem := lockOne(ctx, opts, before, all[i])
		if problem != nil {
			ds = append(ds, w.locate(diag.Diagnostics{*problem})...)
			continue
		}
		if locked.Changed && readonly {
			ds = append(ds, w.locate(diag.Diagnostics{diag.Errorf("Lock file is out of date",
				"The entry of the %s would change, and --lockfile=readonly forbids it. Run \"rollback plugins lock\" where the lock file may be written, and commit %s.",
				locked.Title(), pluginlock.Name)})...)
		}
		done = append(done, locked)
		after = after.With(pluginlock.Plugin{Kind: w.Kind, Name: w.Name, Version: locked.Version, Hashes: locked.Hashes})
	}
	if readonly || ds.HasErrors() || bytes.Equal(before.Bytes(), after.Bytes()) {
		return done, ds
	}
	if opts.LockFile == "" {
		return done, append(ds, diag.Errorf("No lock file", "There is no policy folder in which %s could be written.", pluginlock.Name))
	}
	if err := pluginlock.Write(opts.LockFile, after); err != nil {
		ds = append(ds, diag.Errorf("Lock file cannot be written", "%s.", err))
	}
	return done, ds
}

// lockOne makes the entry of one plugin. It starts the plugin, which is what trusting it means, to learn its version.
func lockOne(ctx context.Context, opts Options, before pluginlock.File, f Found) (Locked, *diag.Diagnostic) {
	problem := func(err error) (Locked, *diag.Diagnostic) {
		d := diag.Errorf("Plugin cannot be locked", "The %s: %s.", f.Title(), err)
		return Locked{}, &d
	}
	sum, err := checksum(f.Path)
	if err != nil {
		return problem(err)
	}
	if f.SHA256 != "" && plain(f.SHA256) != sum {
		return problem(fmt.Errorf("%s has the checksum sha256:%s, but its plugin block says sha256:%s", f.Path, sum, plain(f.SHA256)))
	}
	r := resolved{want: Want{Kind: f.Kind, Name: f.Name}, found: f, sum: sum, where: f.Path}
	p, err := host.Start(ctx, r.config(opts))
	if err != nil {
		d := startProblem(r, err)
		return Locked{}, &d
	}
	version := p.Description().Version
	p.Close()

	hashes, err := manifest(f.Path)
	if err != nil {
		return problem(err)
	}
	own := "sha256:" + sum
	if listed, ok := hashes[pluginlock.Platform()]; ok && listed != own {
		return problem(fmt.Errorf("%s has the checksum %s, but the file %s beside it lists %s for %s",
			f.Path, own, manifestName, listed, pluginlock.Platform()))
	}
	hashes[pluginlock.Platform()] = own
	old, _ := before.Find(f.Kind, f.Name)
	if old.Version == version {
		for platform, sum := range old.Hashes {
			if _, ok := hashes[platform]; !ok {
				hashes[platform] = sum
			}
		}
	}
	return Locked{
		Found: f, Version: version, Hashes: hashes,
		Changed: old.Version != version || !maps.Equal(old.Hashes, hashes),
	}, nil
}

// manifest reads the checksums that the plugin's makers ship beside it; none are none.
func manifest(executable string) (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(executable), manifestName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read checksums: %w", err)
	}
	return pluginlock.Checksums(string(text), filepath.Base(executable)), nil
}

// checksum is a file's SHA-256 in hex.
func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read executable: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", fmt.Errorf("read executable: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// indexOf finds the plugin that a want gets.
func indexOf(all []Found, w Want) int {
	for i, f := range all {
		if f.Kind == w.Kind && f.Name == w.Name {
			return i
		}
	}
	return -1
}
