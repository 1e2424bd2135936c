package orchestratormarathon

import "context"

// listen reads Marathon's events until ctx ends, and wakes whoever waits. An event proves nothing: they get lost, come
// late and change places. finished is closed when nothing runs any more.
func (s *server) listen(ctx context.Context) (wake <-chan struct{}, finished <-chan struct{}) {
	done := make(chan struct{})
	if !s.events {
		close(done)
		return nil, done
	}
	bell := make(chan struct{}, 1)
	go func() {
		defer close(done)
		s.client.Events(ctx, func(string) {
			select {
			case bell <- struct{}{}:
			default:
			}
		})
	}()
	return bell, done
}
