package marathon

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tmaxmax/go-sse"
)

// maxEvent is the longest event that is read, in bytes: before 1.7 an event may carry the whole root group.
const maxEvent = 8 << 20

// followed are the events that say that something has happened to a deployment or its tasks.
var followed = []string{
	"deployment_success", "deployment_failed", "deployment_step_success", "deployment_info", "status_update_event",
	"health_status_changed_event", "instance_changed_event", "instance_health_changed_event",
}

// errRefused: the server has no event stream for us.
var errRefused = errors.New("the event stream is refused")

// Events reads the event stream until ctx ends, and calls heard with each event's data, from one goroutine. It connects
// again when a stream ends, and gives up where streams are refused. Nothing that it hears is complete or in order.
func (c *Client) Events(ctx context.Context, heard func(data string)) {
	wait := c.firstWait
	for ctx.Err() == nil {
		began := c.now()
		err := c.readEvents(ctx, heard)
		if errors.Is(err, errRefused) {
			c.log.Debug("no event stream; deployments are followed by polling alone", "error", err)
			return
		}
		if c.now().Sub(began) > c.longestWait {
			wait = c.firstWait
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		wait = min(2*wait, c.longestWait)
	}
}

// readEvents reads one stream to its end.
func (c *Client) readEvents(ctx context.Context, heard func(data string)) error {
	q := url.Values{"event_type": followed, "plan-format": {"light"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v2/events?"+q.Encode(), http.NoBody)
	if err != nil {
		return errRefused
	}
	req.Header.Set("Accept", "text/event-stream") // exactly this, or it is refused
	resp, err := c.events.Do(req)
	if errors.Is(err, errElsewhere) {
		return errRefused
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= http.StatusInternalServerError:
		return errors.New(resp.Status)
	case resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		return errRefused
	}
	for e, err := range sse.Read(resp.Body, &sse.ReadConfig{MaxEventSize: maxEvent}) {
		if err != nil {
			return err
		}
		if e.Type != "" {
			heard(e.Data)
		}
	}
	return nil
}
