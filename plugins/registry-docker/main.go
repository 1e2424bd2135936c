// Command rollback-registry-docker is the registry plugin for Docker and OCI registries.
package main

import (
	"github.com/rollback-project/rollback/plugins/registry-docker/registrydocker"
	"github.com/rollback-project/rollback/sdk"
)

func main() { sdk.ServeRegistry(registrydocker.Plugin()) }
