// Command rollback-registry-file is the reference registry plugin.
package main

import (
	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk"
)

func main() { sdk.ServeRegistry(registryfile.Plugin()) }
