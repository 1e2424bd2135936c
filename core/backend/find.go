package backend

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Source is where a plugin was found.
type Source string

// The sources, in the order in which they win.
const (
	// FromPolicy: a plugin block of the policy names the path.
	FromPolicy Source = "policy"
	// FromSelf: built in.
	FromSelf Source = "built-in"
	// FromDir: a folder of --plugin-dir or ROLLBACK_PLUGIN_DIR.
	FromDir Source = "plugin-dir"
	// FromUser: the user's plugin folder.
	FromUser Source = "user"
)

// Found is a plugin that could be run.
type Found struct {
	Kind   schema.Kind
	Name   string
	Source Source
	// Path is the executable, absolute.
	Path string
	// Hidden says that another one of that kind and name wins.
	Hidden bool
	// SHA256 is the checksum that the policy's block gives, in hex; usually "".
	SHA256 string
}

// Title names the plugin in sentences.
func (f Found) Title() string { return fmt.Sprintf("%s plugin %q", f.Kind, f.Name) }

// UserDir is the user's plugin folder by the rules of XDG: rollback/plugins below XDG_DATA_HOME, or below
// ~/.local/share; "" when the home is not known.
func UserDir(getenv func(string) string) string {
	base := getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(base) { // XDG: a relative path is to be ignored
		home := getenv("HOME")
		if home == "" {
			home = getenv("USERPROFILE")
		}
		if home == "" {
			return ""
		}
		base = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(base, "rollback", "plugins")
}

// Find lists every plugin that can be seen, sorted by kind and name, for each the one that wins first.
// Of wants, those with a path count. A file that has the name of a built-in plugin is reported: it never wins silently.
func Find(opts Options, wants []Want) ([]Found, diag.Diagnostics) {
	var (
		all []Found
		ds  diag.Diagnostics
	)
	for _, w := range wants {
		if w.Path != "" {
			all = append(all, Found{
				Kind: w.Kind, Name: w.Name, Source: FromPolicy, Path: below(opts.WorkDir, w.Path), SHA256: w.SHA256,
			})
		}
	}
	for _, b := range opts.Builtins {
		all = append(all, Found{Kind: b.Kind, Name: b.Name, Source: FromSelf, Path: opts.SelfPath})
	}
	for _, dir := range opts.Dirs {
		found, more := look(opts, dir, FromDir)
		all, ds = append(all, found...), append(ds, more...)
	}
	if opts.UserDir != "" {
		found, more := look(opts, opts.UserDir, FromUser)
		all, ds = append(all, found...), append(ds, more...)
	}
	slices.SortStableFunc(all, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	for i := 1; i < len(all); i++ {
		// The sort is stable, so the first of a name is the one that wins.
		if all[i].Kind != all[i-1].Kind || all[i].Name != all[i-1].Name {
			continue
		}
		all[i].Hidden = true
		if winner := first(all, all[i]); winner.Source == FromSelf {
			ds = append(ds, diag.Warnf("Plugin file is not used",
				"The file %s has the name of the built-in %s, which is used instead. To use the file, name it in the policy: plugin %q %q { path = … }.",
				all[i].Path, all[i].Title(), all[i].Kind, all[i].Name))
		}
	}
	return all, ds
}

// first returns the plugin that wins over f.
func first(all []Found, f Found) Found {
	return all[indexOf(all, Want{Kind: f.Kind, Name: f.Name})]
}

// look lists the plugins in a folder. A folder that does not exist holds none; one that a person named and
// that cannot be read is reported.
func look(opts Options, dir string, source Source) ([]Found, diag.Diagnostics) {
	// An empty entry of a path list means the current directory elsewhere. Here it means nothing: whoever can leave a
	// file where a command happens to be run must not get it started.
	if source == FromDir && isCurrent(dir) {
		return nil, diag.Diagnostics{diag.Warnf("Current directory is no plugin folder",
			"Plugins are never taken from the current directory. Name another folder, by its full path.")}
	}
	dir = below(opts.WorkDir, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		if source == FromUser && os.IsNotExist(err) {
			return nil, nil
		}
		return nil, diag.Diagnostics{diag.Warnf("Unreadable plugin folder", "The plugin folder cannot be read: %s.", err)}
	}
	var found []Found
	for _, entry := range entries {
		kind, name, ok := parseName(entry.Name())
		if !ok {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || !runnable(info) {
			continue
		}
		found = append(found, Found{Kind: kind, Name: name, Source: source, Path: path})
	}
	return found, nil
}

// isCurrent says whether a folder is the current directory, however it is written.
func isCurrent(dir string) bool {
	if dir == "" || filepath.Clean(dir) == "." {
		return true
	}
	here, err := os.Stat(".")
	if err != nil {
		return false
	}
	there, err := os.Stat(dir)
	return err == nil && filepath.IsAbs(dir) && os.SameFile(here, there)
}

// parseName takes a file name apart: rollback-<kind>-<name>, with .exe on Windows (rule P1).
func parseName(file string) (schema.Kind, string, bool) {
	if runtime.GOOS == "windows" {
		var ok bool
		if file, ok = strings.CutSuffix(file, ".exe"); !ok {
			return "", "", false
		}
	}
	rest, ok := strings.CutPrefix(file, "rollback-")
	if !ok {
		return "", "", false
	}
	for _, kind := range []schema.Kind{schema.Registry, schema.Orchestrator, schema.Notify} {
		if name, ok := strings.CutPrefix(rest, string(kind)+"-"); ok && validName(name) {
			return kind, name, true
		}
	}
	return "", "", false
}

// validName says whether a name is lower-case letters, digits and dashes, beginning with a letter.
func validName(name string) bool {
	for i, r := range name {
		letter := 'a' <= r && r <= 'z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != ""
}

// runnable says whether a file may be executed by somebody; Windows knows no such mark.
func runnable(info os.FileInfo) bool {
	return runtime.GOOS == "windows" || info.Mode().Perm()&0o111 != 0
}

// below resolves a relative path from dir.
func below(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
