package marathontest

import (
	"context"
	"fmt"
	"time"
)

// stampFormat is how Marathon writes an instant: milliseconds, UTC.
const stampFormat = "2006-01-02T15:04:05.000Z"

// stamp writes an instant as Marathon does.
func stamp(t time.Time) string { return t.UTC().Format(stampFormat) }

// Now is the virtual time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.Now
}

// Step moves the virtual clock by one tick.
func (s *Server) Step() { s.Advance(s.opts.Pace.Tick) }

// Advance moves the virtual clock by d, tick by tick, and lets tasks and
// deployments go on accordingly.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d > 0 {
		dt := min(d, s.opts.Pace.Tick)
		d -= dt
		s.st.Now = s.st.Now.Add(dt)
		s.tick()
	}
	s.notify()
}

// Settle advances the clock until no deployment is left, but at most by limit.
// It tells whether all deployments ended.
func (s *Server) Settle(limit time.Duration) bool {
	for ; limit > 0; limit -= s.opts.Pace.Tick {
		if s.Running() == 0 {
			return true
		}
		s.Step()
	}
	return s.Running() == 0
}

// Running is the number of deployments that are under way, listed or not.
func (s *Server) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, d := range s.st.Deployments {
		if !d.Finished {
			n++
		}
	}
	return n
}

// Wait blocks until cond is true. It looks after each request and each move of
// time, and ends with an error when ctx or the server does. cond may call the
// server's methods.
func (s *Server) Wait(ctx context.Context, cond func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the Marathon test server: %w", ctx.Err())
		case <-s.done:
			return fmt.Errorf("wait for the Marathon test server: it is closed")
		}
	}
}

// notify wakes those who Wait. The lock is held.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// run is the automatic mode.
func (s *Server) run(a Auto) {
	defer s.wg.Done()
	if a.Every <= 0 {
		a.Every = 5 * time.Millisecond
	}
	if a.Speed <= 0 {
		a.Speed = 1
	}
	t := time.NewTicker(a.Every)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-s.done:
			return
		case now := <-t.C:
			// By what really passed, so that a busy machine does not slow
			// the virtual clock down; bounded, so that a suspended one does
			// not jump.
			d := min(now.Sub(last), 10*a.Every)
			last = now
			s.Advance(time.Duration(float64(d) * a.Speed))
		}
	}
}

// nextVersion is a new version stamp, later than all before it.
func (s *Server) nextVersion() string {
	t := s.st.Now.Truncate(time.Millisecond)
	if !t.After(s.st.LastVersion) {
		t = s.st.LastVersion.Add(time.Millisecond)
	}
	s.st.LastVersion = t
	return stamp(t)
}
