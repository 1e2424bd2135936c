package cli

import (
	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/policies"
)

// complete is what cobra asks for the values of a flag.
type complete func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

func register(cmd *cobra.Command, flag string, f complete) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // a flag that the command does not have: a mistake of ours
	}
}

func completeWords(cmd *cobra.Command, flag string, words ...string) {
	register(cmd, flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	})
}

// quietPolicy is the policy for completion: problems are not shown, what can be understood is used.
func (g *global) quietPolicy() *policy.Policy {
	p, _, _ := policy.Load(policy.LoadOptions{
		Paths: g.files, WorkDir: g.app.WorkDir, Vars: g.vars, VarFiles: g.varFiles, Environ: g.app.Environ, Builtin: policies.All(),
	})
	return p
}

// completePlan makes the shell offer environments, repos and dates.
func completePlan(g *global, cmd *cobra.Command) {
	repos := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, r := range g.quietPolicy().Repos {
			names = append(names, r.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	dates := func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		s := &session{global: g, policy: g.quietPolicy(), redactor: newRedactor(g.quietPolicy())}
		defer s.close()
		if s.policy.Registry == nil || s.open(cmd.Context(), needs{registry: true}) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		env, err := s.engine.Environment(g.env)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		w, err := s.engine.Read(cmd.Context(), env)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return append(w.Timeline.Choices(), "yesterday", "-1", "-2"), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
	for _, flag := range []string{"only", "except", "repo"} {
		if cmd.Flags().Lookup(flag) != nil {
			register(cmd, flag, repos)
		}
	}
	for _, flag := range []string{"to", "date"} {
		if cmd.Flags().Lookup(flag) != nil {
			register(cmd, flag, dates)
		}
	}
}

// completeEnv makes the shell offer environments for the root's --env.
func completeEnv(g *global, root *cobra.Command) {
	register(root, "env", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, e := range g.quietPolicy().Environments {
			names = append(names, e.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	completeWords(root, "color", "auto", "always", "never")
	completeWords(root, "log-level", "trace", "debug", "info", "warn", "error")
}
