//go:build !windows

package gate

import (
	"os/exec"
	"syscall"
)

// ownGroup makes a program the head of a process group, so that what it has started ends with it.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
