// Command rollback-notify-slack is the notify plugin for Slack.
package main

import (
	"github.com/rollback-project/rollback/plugins/notify-slack/notifyslack"
	"github.com/rollback-project/rollback/sdk"
)

func main() { sdk.ServeNotify(notifyslack.Plugin()) }
