package host

import (
	"context"
	"errors"
	"io"
)

// receiver is the host's end of a stream.
type receiver[M any] interface{ Recv() (M, error) }

// list makes a call whose answer is a stream of batches. open starts it; each takes the items of one batch, and an
// error of each ends the call and is returned as it is. The plugin's clock stands while each is at work.
func list[M any, S receiver[M]](
	ctx context.Context, p *Plugin, name string,
	open func(context.Context) (S, error), each func(M) error,
) error {
	return p.run(ctx, &call{name: name}, func(ctx context.Context, dog *watchdog) error {
		stream, err := open(ctx)
		if err != nil {
			return err
		}
		for {
			batch, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			dog.pause()
			if err := each(batch); err != nil {
				return own(err)
			}
			dog.resume()
		}
	})
}
