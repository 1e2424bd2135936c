// Command rollback-orchestrator-marathon is the orchestrator plugin for Marathon.
package main

import (
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/orchestratormarathon"
	"github.com/rollback-project/rollback/sdk"
)

func main() { sdk.ServeOrchestrator(orchestratormarathon.Plugin()) }
