package buildinfo

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{
			{Key: "vcs", Value: "git"},
			{Key: "vcs.revision", Value: "0f1e2d"},
			{Key: "vcs.time", Value: "2019-06-01T10:00:00Z"},
			{Key: "vcs.modified", Value: modified},
		}
	}
	recorded := func(version string, settings []debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}

	for _, tc := range []struct {
		name     string
		stamped  Info
		recorded *debug.BuildInfo
		want     Info
	}{
		{
			name: "nothing known is an unreleased build",
			want: Info{Version: Unreleased},
		},
		{
			name:     "the stamp wins over what the toolchain recorded",
			stamped:  Info{Version: "1.2.3", Commit: "aaaaaa", Date: "2020-01-01T00:00:00Z"},
			recorded: recorded("v9.9.9", vcs("true")),
			want:     Info{Version: "1.2.3", Commit: "aaaaaa", Date: "2020-01-01T00:00:00Z"},
		},
		{
			name:     "go install at a version has a version and no commit",
			recorded: recorded("v1.2.3", nil),
			want:     Info{Version: "1.2.3"},
		},
		{
			name:     "a build from a checkout has a commit and no release",
			recorded: recorded("(devel)", vcs("false")),
			want:     Info{Version: Unreleased, Commit: "0f1e2d", Date: "2019-06-01T10:00:00Z"},
		},
		{
			name:     "uncommitted changes are said",
			recorded: recorded("(devel)", vcs("true")),
			want:     Info{Version: Unreleased, Commit: "0f1e2d-dirty", Date: "2019-06-01T10:00:00Z"},
		},
		{
			name:     "a pseudo-version without a tag below it is no release",
			recorded: recorded("v0.0.0-20190601100000-0f1e2d3c4b5a+dirty", nil),
			want:     Info{Version: Unreleased},
		},
		{
			name:     "a stamped commit never takes another commit's date",
			stamped:  Info{Commit: "aaaaaa"},
			recorded: recorded("(devel)", vcs("false")),
			want:     Info{Version: Unreleased, Commit: "aaaaaa"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, merge(tc.stamped, tc.recorded)); diff != "" {
				t.Errorf("merge (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadAlwaysKnowsVersionAndToolchain(t *testing.T) {
	got := Read()
	if got.Version == "" || got.GoVersion != runtime.Version() {
		t.Errorf("Read() = %+v, want a version and toolchain %s", got, runtime.Version())
	}
}
