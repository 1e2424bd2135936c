// Command rollback-notify-file is the reference notify plugin.
package main

import (
	"github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/sdk"
)

func main() { sdk.ServeNotify(notifyfile.Plugin()) }
