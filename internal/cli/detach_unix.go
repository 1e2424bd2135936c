//go:build unix

package cli

import (
	"os/exec"
	"syscall"
)

// detach gives a child a session of its own: closing the terminal does not end it.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
