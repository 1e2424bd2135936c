//go:build !windows

package gate

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// separate gives a program a process group of its own: Ctrl-C at our terminal does not reach it, and what ends it ends
// its children as well.
func separate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// endGroup ends what a program has left behind, if anything.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
