//go:build windows

package cli

import (
	"os/exec"
	"syscall"
)

// detach gives a child a process group of its own: Ctrl-C in this console does not end it.
func detach(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
