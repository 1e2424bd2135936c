package marathontest

import (
	"fmt"
	"net/http"
	"slices"
)

// streamBuffer is how many events a slow consumer may be behind.
const streamBuffer = 1024

// A stream is one client of GET /v2/events.
type stream struct {
	kinds  []string // nil: all
	heavy  bool
	events chan event // an empty event is a heartbeat
	end    chan struct{}
	remote string
}

// streamFaults is what is scripted for events.
type streamFaults struct {
	drop    int
	reorder bool
	held    *event
}

// DropEvents makes the next n events reach nobody.
func (s *Server) DropEvents(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streamFault.drop = n
}

// ReorderEvents makes, until it is called with false, each two events change
// places.
func (s *Server) ReorderEvents(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streamFault.reorder = on
	if held := s.streamFault.held; held != nil && !on {
		s.streamFault.held = nil
		s.deliver(*held)
	}
}

// Disconnect ends all event streams; clients may come back at once.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeStreams()
}

// Emit sends an event of one's own to all streams; doc gets eventType and
// timestamp.
func (s *Server) Emit(kind string, doc map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(kind, doc)
}

// Streams is the number of clients that read events.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// publish applies the scripted faults and delivers.
func (s *Server) publish(e event) {
	f := &s.streamFault
	switch {
	case f.drop > 0:
		f.drop--
	case f.reorder && f.held == nil:
		f.held = &e
	case f.reorder:
		held := *f.held
		f.held = nil
		s.deliver(e)
		s.deliver(held)
	default:
		s.deliver(e)
	}
}

// deliver hands an event to each stream that wants it. A consumer that is too
// slow loses the event, or from 1.8 on its connection.
func (s *Server) deliver(e event) {
	for st := range s.streams {
		if st.kinds != nil && e.kind != "" && !slices.Contains(st.kinds, e.kind) {
			continue
		}
		select {
		case st.events <- e:
		default:
			if s.habits.closesSlow {
				s.closeStream(st)
			}
		}
	}
}

// heartbeat sends what keeps idle streams open.
func (s *Server) heartbeat() {
	if s.st.Now.Sub(s.st.Heartbeat) >= s.opts.Pace.Timeout {
		s.st.Heartbeat = s.st.Now
		s.deliver(event{})
	}
}

func (s *Server) closeStreams() {
	for st := range s.streams {
		s.closeStream(st)
	}
}

func (s *Server) closeStream(st *stream) {
	if _, ok := s.streams[st]; ok {
		delete(s.streams, st)
		close(st.end)
	}
}

// serveEvents answers GET /v2/events (F9).
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(r.Header.Values("Accept"), "text/event-stream") {
		notAllowed().write(w, r, false)
		return
	}
	flusher, ok := w.(http.Flusher)
	if !ok {
		htmlReply(http.StatusInternalServerError, "streaming is not possible").write(w, r, false)
		return
	}
	st := s.attach(r)
	defer s.detach(st)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream;charset=utf-8")
	h.Set("Connection", "close")
	h.Set("X-Marathon-Leader", s.URL())
	w.WriteHeader(http.StatusOK)
	flusher.Flush()
	for {
		select {
		case e := <-st.events:
			st.write(w, flusher, e)
			continue
		default:
		}
		select {
		case e := <-st.events:
			st.write(w, flusher, e)
		case <-st.end:
			return
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		}
	}
}

// attach opens a stream.
func (s *Server) attach(r *http.Request) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &stream{events: make(chan event, streamBuffer), end: make(chan struct{}), remote: r.RemoteAddr}
	q := r.URL.Query()
	if s.habits.filterEvents && len(q["event_type"]) > 0 {
		st.kinds = q["event_type"]
	}
	switch format := q.Get("plan-format"); s.habits.plans {
	case planHeavy:
		st.heavy = true
	case planParam:
		st.heavy = format != "light"
	case planLight:
		st.heavy = format == "heavy"
	}
	s.streams[st] = struct{}{}
	s.emit("event_stream_attached", map[string]any{"remoteAddress": st.remote})
	s.notify()
	return st
}

// detach closes a stream, however it ended.
func (s *Server) detach(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeStream(st)
	s.emit("event_stream_detached", map[string]any{"remoteAddress": st.remote})
	s.notify()
}

// write sends one frame with CRLF line ends, or a heartbeat in its two pieces.
func (st *stream) write(w http.ResponseWriter, f http.Flusher, e event) {
	if e.kind == "" {
		_, _ = w.Write([]byte{'\r'}) // a client that left is seen by its context
		f.Flush()
		_, _ = w.Write([]byte{'\n'})
		f.Flush()
		return
	}
	data := e.light
	if st.heavy {
		data = e.heavy
	}
	fmt.Fprintf(w, "event: %s\r\ndata: %s\r\n\r\n", e.kind, data)
	f.Flush()
}
