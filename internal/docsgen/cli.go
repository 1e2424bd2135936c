package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollback-project/rollback/internal/cli"
)

// generated stands at the top of each page.
const generated = "<!-- Written by `make docs` from the code. Change the code, not this file. -->\n\n"

// commandLine is the reference of all commands and flags.
func commandLine() string {
	root := cli.Reference()
	var b strings.Builder
	b.WriteString(generated + "# The command line\n\n")
	fmt.Fprintf(&b, "```\n%s\n```\n", strings.TrimSpace(root.Long))
	b.WriteString("\n## Flags that most commands take\n\n")
	flags(&b, root.PersistentFlags())
	commands(&b, root)
	b.WriteString("\n" + strings.TrimSpace(exitCodes) + "\n")
	return b.String()
}

// commands writes every command below one, in the order of the help.
func commands(b *strings.Builder, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if c.Hidden || c.Name() == "help" {
			continue
		}
		fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.CommandPath(), c.Short)
		if c.Long != "" && c.Name() != "completion" {
			fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(c.Long))
		}
		if c.Runnable() && !c.HasSubCommands() {
			fmt.Fprintf(b, "\n```\n%s\n```\n", c.UseLine())
		}
		if len(c.Aliases) > 0 {
			fmt.Fprintf(b, "\nAlso: `%s`.\n", strings.Join(c.Aliases, "`, `"))
		}
		if c.Example != "" {
			fmt.Fprintf(b, "\nExamples:\n\n```\n%s\n```\n", c.Example)
		}
		if c.LocalNonPersistentFlags().HasAvailableFlags() {
			b.WriteString("\n")
			flags(b, c.LocalNonPersistentFlags())
		}
		if c.Name() != "completion" {
			commands(b, c)
		}
	}
}

// flags writes a table of flags.
func flags(b *strings.Builder, set *pflag.FlagSet) {
	b.WriteString("| flag | meaning |\n|---|---|\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "`--" + f.Name
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		if value != "" {
			name += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0s" && !strings.Contains(usage, "default") {
			usage += fmt.Sprintf(" (default `%s`)", f.DefValue)
		}
		fmt.Fprintf(b, "| %s` | %s |\n", name, strings.ReplaceAll(usage, "|", `\|`))
	})
}

const exitCodes = `
## Exit codes

| code | meaning |
|---|---|
| 0 | done, or nothing was to do |
| 1 | an error; nothing was changed |
| 2 | ` + "`plan --detailed-exitcode`" + `: there are changes |
| 3 | apply failed, and everything was put back; ` + "`fmt --check`" + `: a file is not formatted |
| 4 | apply failed, and something is not as before: a person is needed, and the output says for what |
| 5 | somebody else holds the environment |
| 130 | interrupted; the output says what is where |

## Environment variables

| variable | meaning |
|---|---|
| ` + "`ROLLBACK_VAR_name`" + ` | sets the policy's variable ` + "`name`" + ` |
| ` + "`ROLLBACK_CLI_ARGS`, `ROLLBACK_CLI_ARGS_command`" + ` | arguments to put before those that are typed |
| ` + "`ROLLBACK_INPUT=0`, `ROLLBACK_IN_AUTOMATION=1`, `CI=…`" + ` | ask nobody; the last two leave out hints as well |
| ` + "`ROLLBACK_LOG`, `ROLLBACK_LOG_PATH`" + ` | level of the log, and the file to write it to |
| ` + "`ROLLBACK_DATA_DIR`" + ` | replaces the folder ` + "`.rollback`" + ` |
| ` + "`ROLLBACK_PLUGIN_DIR`" + ` | folders with plugins |
| ` + "`ROLLBACK_PASSWORD`, `ROLLBACK_DCOS_URL`" + ` | for the article's ` + "`run --user`" + ` without a policy |
| ` + "`ROLLBACK_SLACK_URL`" + ` | a Slack webhook's URL, instead of the policy's notifiers: as ` + "`--slack`" + `, but not on the command line |
| ` + "`NO_COLOR`, `FORCE_COLOR`, `TERM=dumb`" + ` | as everywhere |
| ` + "`BUILD_URL`, `CI_JOB_URL`, `GITHUB_…`" + ` | the link in notifications |
`
