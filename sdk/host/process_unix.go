//go:build unix

package host

import (
	"os/exec"
	"syscall"
)

// separate puts the plugin into a process group of its own: Ctrl-C on the terminal then reaches the host alone,
// which decides what it means, also when the plugin is written in another language and does not ignore it.
func separate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
