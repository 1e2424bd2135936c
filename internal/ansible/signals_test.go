package ansible

import (
	"context"
	"os"
	"syscall"
	"testing"
)

// TestASignalNeverMeansToLeaveThingsAsTheyAre: a second Ctrl-C would, at a terminal.
func TestASignalNeverMeansToLeaveThingsAsTheyAre(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	signals := make(chan os.Signal)
	got := once(ctx, signals)
	for range 3 {
		signals <- os.Interrupt
		if s := <-got; s != syscall.SIGTERM {
			t.Errorf("got %v", s)
		}
	}
	// Those that nobody has taken yet are one.
	for range 3 {
		signals <- os.Interrupt
	}
	<-got
	cancel()
}
