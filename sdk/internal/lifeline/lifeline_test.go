package lifeline_test

import (
	"io"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/rollback-project/rollback/sdk/internal/lifeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAHostIsGoneWhenItsPipeEnds(t *testing.T) {
	r, w := io.Pipe()
	gone := lifeline.Watch(r, func() int { return 7 }, nil)
	select {
	case <-gone:
		t.Fatal("too early")
	default:
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	<-gone
}

func TestAHostIsGoneWhenTheParentIsAnother(t *testing.T) {
	var asked atomic.Int64
	<-lifeline.Watch(nil, func() int {
		if asked.Add(1) > 3 {
			return 1
		}
		return 7
	}, nil)
}

func TestAWatchCanBeStopped(t *testing.T) {
	stop := make(chan struct{})
	gone := lifeline.Watch(nil, func() int { return 7 }, stop)
	close(stop)
	<-gone
}
