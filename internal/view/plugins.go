package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/sdk/conformance"
)

// PluginRow is one plugin that can be seen.
type PluginRow struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Source says where it was found: built-in, the policy, a folder.
	Source string `json:"source"`
	Path   string `json:"path"`
	// Hidden: another one of that name comes first.
	Hidden bool `json:"hidden"`
}

// Plugins lists plugins.
func Plugins(w io.Writer, l Look, rows []PluginRow) {
	table := [][]string{{l.Paint.Dim("KIND"), l.Paint.Dim("NAME"), l.Paint.Dim("FROM"), l.Paint.Dim("FILE")}}
	for _, r := range rows {
		from, path := term.Clean(r.Source), term.Clean(r.Path)
		if r.Source == "built-in" {
			path = ""
		}
		if r.Hidden {
			from += ", not used: another of this name comes first"
		}
		table = append(table, []string{r.Kind, l.Paint.Bold(term.Clean(r.Name)), from, path})
	}
	writeTable(w, "", table)
}

// PluginProbe is what a plugin's server answered.
type PluginProbe struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// System is what answered, and Identity as whom it knows us.
	System   string   `json:"system"`
	Identity string   `json:"identity"`
	Notes    []string `json:"notes"`
	// Problem says why it was not reached; "" when it was.
	Problem string `json:"problem"`
}

// PluginCheck says which servers were reached.
func PluginCheck(w io.Writer, l Look, rows []PluginProbe) {
	for _, r := range rows {
		name := fmt.Sprintf("%s %q", r.Kind, term.Clean(r.Name))
		if !r.OK {
			fmt.Fprintf(w, "%s %s: %s\n", l.Paint.Red(l.sym("✗", "X")), l.Paint.Bold(name), term.Clean(r.Problem))
			continue
		}
		fmt.Fprintf(w, "%s %s: %s", l.Paint.Green(l.sym("✓", "ok")), l.Paint.Bold(name), term.Clean(r.System))
		if r.Identity != "" {
			fmt.Fprintf(w, ", as %s", term.Clean(r.Identity))
		}
		fmt.Fprintln(w)
		for _, n := range r.Notes {
			fmt.Fprintf(w, "    %s\n", term.Clean(n))
		}
	}
}

// Conformance shows the checks of the conformance suite, those that failed with what was expected.
func Conformance(w io.Writer, l Look, r conformance.Report) {
	fmt.Fprintf(w, "%s %s %s\n\n", r.Kind, l.Paint.Bold(term.Clean(r.Plugin)), term.Clean(r.Version))
	for _, x := range r.Results {
		mark := l.Paint.Green(l.sym("✓", "ok  "))
		switch x.Outcome {
		case conformance.Fail:
			mark = l.Paint.Red(l.sym("✗", "FAIL"))
		case conformance.Skip:
			mark = l.Paint.Dim(l.sym("·", "skip"))
		}
		fmt.Fprintf(w, "%s %s %s\n", mark, x.Name, l.Paint.Dim("("+strings.Join(x.Rules, ", ")+")"))
		for _, text := range []string{x.Message, x.Rule} {
			if text != "" {
				fmt.Fprintf(w, "    %s\n", term.Clean(text))
			}
		}
	}
	verdict := l.Paint.BoldGreen("Conforms.")
	if !r.Passed() {
		verdict = l.Paint.BoldRed("Does not conform.")
	}
	fmt.Fprintf(w, "\n%s %d passed, %d failed, %d skipped.\n", verdict, r.Count(conformance.Pass), r.Count(conformance.Fail), r.Count(conformance.Skip))
}
