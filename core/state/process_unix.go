//go:build !windows

package state

import (
	"errors"
	"syscall"
)

// running reports whether a process of this machine exists.
func running(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
