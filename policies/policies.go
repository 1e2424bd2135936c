// Package policies holds the ready-made guards that a policy includes as builtin:NAME.
package policies

import (
	"embed"
	"slices"
	"strings"
)

//go:embed *.hcl
var files embed.FS

// Names lists the ready-made policies, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil // The folder was put in when the binary was built.
	}
	var names []string
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".hcl"))
	}
	slices.Sort(names)
	return names
}

// Get returns the text of a ready-made policy by its name, such as max-changes.
func Get(name string) ([]byte, bool) {
	text, err := files.ReadFile(name + ".hcl")
	return text, err == nil
}

// All returns the texts by name, in the form that policy.LoadOptions.Builtin has.
func All() map[string][]byte {
	all := map[string][]byte{}
	for _, name := range Names() {
		all[name], _ = Get(name)
	}
	return all
}
