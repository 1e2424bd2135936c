// Package buildinfo says which build of rollback is running.
//
// `make build` stamps the three variables below with the linker. A binary that
// was built otherwise (`go install …@v1.2.3`, `go run`) falls back to what the
// Go toolchain records in every binary.
package buildinfo

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// Unreleased is the version of a build that no tag names. Its numbers are
// those of the release that is being worked on, so that a policy's
// required_version can be compared with it.
const Unreleased = "0.1.0-dev"

// Stamped by the linker: -ldflags "-X …/internal/buildinfo.Version=1.2.3". They
// are empty otherwise, and nothing but the linker writes them.
var (
	// Version is the release without a leading v, as `git describe` names it:
	// "1.2.3", or "1.2.3-4-gabc1234" four commits later.
	Version string
	// Commit is the full hash of the commit that was built.
	Commit string
	// Date is the commit's time, RFC 3339 in UTC; not the time of the build, so
	// that the same commit gives the same binary.
	Date string
)

// Info is one build of rollback. Fields that nobody recorded are empty, except
// for Version and GoVersion, which are always known.
type Info struct {
	// Version is the release without a leading v; Unreleased where no tag names it.
	Version string
	// Commit is the full hash of the commit, with "-dirty" after it if the Go
	// toolchain saw uncommitted changes.
	Commit string
	// Date is the time of the commit, RFC 3339 in UTC.
	Date string
	// GoVersion is the toolchain that built the binary: "go1.26.8".
	GoVersion string
}

// Read returns the running binary's build. It cannot fail: what is not recorded
// stays empty or takes its default.
func Read() Info {
	recorded, _ := debug.ReadBuildInfo() // nil where the toolchain recorded nothing
	return merge(Info{Version: Version, Commit: Commit, Date: Date, GoVersion: runtime.Version()}, recorded)
}

// merge fills what the linker did not stamp from what the toolchain recorded.
// Commit and date are taken together or not at all: a stamped commit with the
// toolchain's date would be no build that ever was.
func merge(stamped Info, recorded *debug.BuildInfo) Info {
	info := stamped
	if recorded != nil {
		if info.Version == "" {
			info.Version = moduleVersion(recorded.Main.Version)
		}
		if info.Commit == "" {
			info.Commit, info.Date = revision(recorded.Settings)
		}
	}
	if info.Version == "" {
		info.Version = Unreleased
	}
	return info
}

// moduleVersion returns the version of the main module without its v, or ""
// for a build from a checkout, whose invented version ("(devel)", or one with
// the zero base v0.0.0) would sort before every release.
func moduleVersion(v string) string {
	if !strings.HasPrefix(v, "v") || strings.HasPrefix(v, "v0.0.0-") {
		return ""
	}
	return strings.TrimPrefix(v, "v")
}

// revision returns the commit and its time from the toolchain's settings.
func revision(settings []debug.BuildSetting) (commit, date string) {
	dirty := false
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.time":
			date = s.Value
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if commit != "" && dirty {
		commit += "-dirty"
	}
	return commit, date
}
