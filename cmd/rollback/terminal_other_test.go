//go:build !unix

package main

import "github.com/rogpeppe/go-internal/testscript"

// terminal is for scripts that begin with [!unix] skip.
func terminal(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("there is no pseudo-terminal here")
}
