//go:build !linux

package main

// suffer is only on Linux, where a test can tell a process's children.
func suffer(args []string) int { return run(args) }
