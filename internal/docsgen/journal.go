package main

import (
	"fmt"
	"strings"

	"github.com/rollback-project/rollback/core/journal"
)

// steps is the state machine of an operation, as a drawing and a table.
func steps() string {
	var b strings.Builder
	b.WriteString(generated + "# The steps of an operation\n\n" +
		"Each step is an entry of the operation's journal, durable before what it announces is done. The table is that of " +
		"`core/journal/machine.go`; a step may also be followed by `failing`, `stopped` and `ended` where the drawing does not show it, " +
		"and `resumed` leads back to where the operation was broken off.\n\n```mermaid\n" + journal.Diagram() + "```\n\n" +
		"| step | it means | broken off after it, `rollback resume` | may follow |\n|---|---|---|---|\n")
	for _, row := range journal.Machine() {
		var after []string
		for _, s := range row.After {
			after = append(after, "`"+string(s)+"`")
		}
		if len(after) == 0 {
			after = []string{"nothing: it is the first"}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row.Step, row.Means, row.Resume, strings.Join(after, ", "))
	}
	return b.String()
}
