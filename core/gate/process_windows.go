package gate

import "os/exec"

// separate leaves a program as it is: what ends it does not end its children here.
func separate(*exec.Cmd) {}

// endGroup ends nothing here.
func endGroup(*exec.Cmd) {}
