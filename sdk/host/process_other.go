//go:build !unix

package host

import "os/exec"

// separate does nothing where there are no process groups; plugins ignore Ctrl-C themselves.
func separate(*exec.Cmd) {}
