package view

import (
	"fmt"
	"io"
)

// VersionDoc is `version --json`.
type VersionDoc struct {
	FormatVersion string `json:"format_version"`
	Version       string `json:"version"`
	Commit        string `json:"commit"`
	// Date is the commit's, RFC 3339; "" when it is not known.
	Date      string `json:"date"`
	GoVersion string `json:"go_version"`
	// PluginProtocols are the versions of the plugin protocol that are spoken.
	PluginProtocols []int `json:"plugin_protocols"`
	// Platform is os/arch.
	Platform string `json:"platform"`
}

// Version says which version this is.
func Version(w io.Writer, d VersionDoc) {
	fmt.Fprintf(w, "rollback %s\non %s, %s, plugin protocol %v\n", d.Version, d.Platform, d.GoVersion, d.PluginProtocols)
	if d.Commit != "" {
		fmt.Fprintf(w, "commit %s %s\n", d.Commit, d.Date)
	}
}
