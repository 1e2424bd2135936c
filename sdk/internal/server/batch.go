package server

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/internal/wire"
)

// maxItem is the size in bytes of the largest item of a list; a batch with one more always fits a message.
const maxItem = wire.MaxMessage / 2

// ahead is how many items the author may be ahead of the connection. It is small: an item may cost requests
// to a remote system, and a host that has enough should save them.
const ahead = 64

// errOver is what yield returns when the call has ended.
var errOver = errors.New("the host has ended the call")

// streamList runs list and sends what it yields in batches: each holds what is at hand when the connection can take it,
// so that a slow list is sent item by item and a fast one in large messages. It returns what list returns, but never
// nil for a stream that was cut short.
func streamList[T any, M proto.Message](
	ctx context.Context, list func(yield func(T) error) error, encode func(T) M, send func([]M) error,
) error {
	items := make(chan M, ahead)
	listed, sent, broken := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sent)
		if sendBatches(items, listed, send) != nil {
			close(broken)
		}
	}()
	var tooLarge error
	yield := func(v T) error {
		m := encode(v)
		if size := wire.Size(m); size > maxItem {
			tooLarge = fault.New(fault.Internal, "an item of the list has %d bytes, more than the %d that are allowed (rule P19)",
				size, maxItem)
			return tooLarge
		}
		select {
		case <-broken:
			return errOver
		case <-listed:
			return errOver
		case <-ctx.Done():
			return context.Cause(ctx)
		case items <- m:
			return nil
		}
	}
	err := func() error {
		defer func() { // also when list panics: nothing may use the stream after the handler
			close(listed)
			<-sent
		}()
		return list(yield)
	}()
	switch {
	case err != nil:
		return err
	case tooLarge != nil: // an author who does not look at what yield returns
		return tooLarge
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	select {
	case <-broken:
		return errOver
	default:
		return nil
	}
}

// sendBatches sends until the list has ended and all its items are sent, or send errs.
func sendBatches[M proto.Message](items <-chan M, listed <-chan struct{}, send func([]M) error) error {
	for {
		var first M
		select {
		case first = <-items:
		default:
			select {
			case first = <-items:
			case <-listed:
				select { // the last items may have come together with the end
				case first = <-items:
				default:
					return nil
				}
			}
		}
		if err := send(atHand(first, items)); err != nil {
			return err
		}
	}
}

// atHand collects what can be had without waiting, up to the size of a batch.
func atHand[M proto.Message](first M, items <-chan M) []M {
	batch, size := []M{first}, wire.Size(first)
	for len(batch) < wire.BatchCount && size < wire.BatchSize {
		select {
		case next := <-items:
			batch, size = append(batch, next), size+wire.Size(next)
		default:
			return batch
		}
	}
	return batch
}
