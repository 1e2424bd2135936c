package cli

import (
	"context"
	"fmt"
	"os"
)

// cancelOnInterrupt returns a context that the first Ctrl-C ends: for commands that change nothing.
func (g *global) cancelOnInterrupt(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-g.app.Interrupts:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-done }
}

// interrupts are the two steps of stopping an apply.
type interrupts struct {
	// first is closed by the first Ctrl-C: stop, and put everything back.
	first chan struct{}
}

// onInterrupts returns a context that a second Ctrl-C ends, and the channel that the first interrupt closes. SIGTERM and
// SIGHUP come from machines, which repeat themselves when they abort a job: they never mean to leave things half done.
func (g *global) onInterrupts(ctx context.Context) (context.Context, interrupts, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	i := interrupts{first: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-g.app.Interrupts:
		case <-ctx.Done():
			return
		}
		fmt.Fprintln(g.app.Streams.Err, "\nInterrupt received. Stopping, and putting everything back. Press Ctrl-C once more to stop at once and leave things as they are.")
		close(i.first)
		for {
			select {
			case signal := <-g.app.Interrupts:
				if signal != os.Interrupt {
					continue
				}
				fmt.Fprintln(g.app.Streams.Err, "\nTwo interrupts received. Stopping at once; what follows says what is where.")
				cancel()
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, i, func() { cancel(); <-done }
}
