// Command rollback-orchestrator-file is the reference orchestrator plugin.
package main

import (
	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/sdk"
)

func main() { sdk.ServeOrchestrator(orchestratorfile.Plugin()) }
