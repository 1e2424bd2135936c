package orchestratormarathon

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// longestDeaf is how long further events are not heard after one that was.
const longestDeaf = 250 * time.Millisecond

// listen reads Marathon's events until ctx ends, and wakes whoever waits when one is about a target. An event proves
// nothing: they get lost, come late and change places. finished is closed when nothing runs any more.
func (s *server) listen(ctx context.Context, c *chase) (wake <-chan struct{}, finished <-chan struct{}) {
	done := make(chan struct{})
	if !s.events {
		close(done)
		return nil, done
	}
	bell := make(chan struct{}, 1)
	deaf := min(longestDeaf, s.poll/4)
	var ids []string
	for _, t := range c.targets {
		ids = append(ids, strconv.Quote(t.App))
	}
	go func() {
		defer close(done)
		var last time.Time
		s.client.Events(ctx, func(data string) {
			now := s.now()
			if now.Sub(last) < deaf || !slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(data, id) }) {
				return
			}
			last = now
			select {
			case bell <- struct{}{}:
			default:
			}
		})
	}()
	return bell, done
}
