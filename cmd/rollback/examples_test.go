package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestEveryExampleRollsTheSandboxBack plans and applies each policy of examples/ in a sandbox of its own.
func TestEveryExampleRollsTheSandboxBack(t *testing.T) {
	examples, err := filepath.Glob("../../examples/*.hcl")
	if err != nil || len(examples) == 0 {
		t.Fatalf("there are no examples: %v", err)
	}
	var scripts []string
	dir := t.TempDir()
	for _, example := range examples {
		text, err := os.ReadFile(example)
		if err != nil {
			t.Fatal(err)
		}
		// On a working day in the morning, on which no guard minds.
		script := fmt.Sprintf(`sandbox --speed 10
env REGISTRY_ADDRESS=$REGISTRY
env MARATHON_URL=$MARATHON
env SLACK_CALLBACK=$SLACK/services/T/B/x
exec rollback validate
exec rollback plan --env prod --to -1 --approved-by bob
stdout '^Plan: [234] to roll back'
exec rollback apply --env prod --to -1 --auto-approve --approved-by bob --reason test
stdout 'Apply complete!'
exec rollback sandbox status
stdout '/ds/prod/shop/frontend +11-master +2 of 2 healthy'
-- policy.hcl --
%s`, text)
		name := filepath.Join(dir, strings.TrimSuffix(filepath.Base(example), ".hcl")+".txtar")
		if err := os.WriteFile(name, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, name)
	}
	testscript.Run(t, testscript.Params{Files: scripts, RequireExplicitExec: true, Setup: setUp, Cmds: commands()})
}
