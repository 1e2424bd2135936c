package conformance

import (
	"slices"

	"github.com/rollback-project/rollback/sdk/schema"
)

// Covered returns the checks that stand for each rule of docs/plugin-protocol.md, by rule.
func Covered() map[string][]string {
	all := map[string][]string{}
	for _, kind := range []schema.Kind{schema.Registry, schema.Orchestrator, schema.Notify} {
		for _, c := range checksFor(kind) {
			for _, rule := range c.rules {
				if !slices.Contains(all[rule], c.name) {
					all[rule] = append(all[rule], c.name)
				}
			}
		}
	}
	return all
}

// Uncheckable returns the rules that this suite cannot check from outside, with the reason.
func Uncheckable() map[string]string {
	const (
		process = "about the process, which this suite does not see: sdk and sdk/host have tests of their own"
		remote  = "needs a remote system that breaks down on purpose: the plugin's own tests"
		told    = "only the one who is told can see it: the plugin's own tests"
	)
	return map[string]string{
		"P1":  "the name of the executable is known to the host alone, which compares it with the description",
		"P2":  process,
		"P3":  process,
		"P4":  process,
		"P5":  process,
		"P6":  process,
		"P8":  process,
		"P9":  "which files a plugin writes cannot be seen from here",
		"P19": process,
		"P21": "what a plugin decides shows only in what it does not do",
		"P22": "a defect cannot be ordered",
		"P24": process,
		"P25": process,
		"R5":  remote,
		"R18": "what has not changed cannot be seen through the plugin alone",
		"O27": "binds the host",
		"N5":  told,
		"N7":  remote,
	}
}
