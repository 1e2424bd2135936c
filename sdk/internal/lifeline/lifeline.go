// Package lifeline notices that the host of a plugin is gone.
//
// go-plugin does not: a host that is killed with SIGKILL leaves its plugins
// behind, with open deployments and logins, and nobody who would end them.
package lifeline

import (
	"io"
	"time"
)

// interval is how often the parent is looked at; with it a plugin ends well within the second of rule P5.
const interval = 250 * time.Millisecond

// Watch returns a channel that is closed when the host is gone: when stdin, a pipe that only the host holds open, ends,
// or when the process has another parent than at the start. stdin may be nil; parent is os.Getppid.
// Watch runs until then, which is as long as the process; stop ends it earlier.
func Watch(stdin io.Reader, parent func() int, stop <-chan struct{}) <-chan struct{} {
	gone := make(chan struct{})
	ended := make(chan struct{})
	if stdin != nil {
		go func() {
			defer close(ended)
			// Nothing is ever sent; an error ends the pipe as well.
			_, _ = io.Copy(io.Discard, stdin)
		}()
	}
	go func() {
		defer close(gone)
		first := parent()
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for parent() == first {
			select {
			case <-tick.C:
			case <-ended:
				return
			case <-stop:
				return
			}
		}
	}()
	return gone
}
