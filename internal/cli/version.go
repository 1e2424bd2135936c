package cli

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/internal/view"
	"github.com/rollback-project/rollback/sdk/host/redact"
)

// pluginProtocols are the versions of the plugin protocol that this program speaks.
var pluginProtocols = []int{1}

func newVersion(g *global) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: "try",
		Short:   "Say which version this is",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := g.app.Build
			doc := view.VersionDoc{
				FormatVersion: "1.0", Version: b.Version, Commit: b.Commit, Date: b.Date, GoVersion: b.GoVersion,
				PluginProtocols: pluginProtocols, Platform: runtime.GOOS + "/" + runtime.GOARCH,
			}
			if g.json {
				return view.WriteJSON(g.app.Streams.Out, doc)
			}
			view.Version(g.app.Streams.Out, doc)
			return nil
		},
	}
}

func newRedactor(p *policy.Policy) *redact.Redactor { return redact.New(p.Secrets...) }
