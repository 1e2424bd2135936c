package marathontest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say what kind of Marathon a Server is. The zero value is a usable
// server of DefaultProfile whose time stands still.
type Options struct {
	// Profile is the imitated release; empty means DefaultProfile.
	Profile Profile
	// Version overrides the version that GET /v2/info tells, such as the
	// "1.5.0-SNAPSHOT" of DC/OS 1.10.
	Version string
	// Start is the first instant of the virtual clock; zero means
	// 2019-06-03T08:00:00Z.
	Start time.Time
	// Auto lets the virtual clock run by itself; nil leaves it to Advance.
	Auto *Auto
	// Pace says how long tasks take; zero fields have defaults.
	Pace Pace
	// ListDelay is how long an accepted deployment stays absent from
	// GET /v2/deployments (F8). The deployment works meanwhile.
	ListDelay time.Duration
	// ForceDelay is the same for a deployment that cancelled others by force;
	// zero means 200ms. Such a deployment also starts only then.
	ForceDelay time.Duration
	// RemoveDelay is how long a deployment stays listed after its
	// deployment_success event (F8, Marathon before 1.6).
	RemoveDelay time.Duration
	// MaxRunning is the number of deployments at which a profile of late 1.5
	// and newer answers 403; zero means 100.
	MaxRunning int
	// Basic, if not empty, maps users to passwords and demands Basic auth.
	Basic map[string]string
	// DCOS, if not nil, puts the Admin Router of a DC/OS cluster in front.
	DCOS *DCOS
	// Gzip compresses answers to clients that accept it.
	Gzip bool
	// TLS, if not nil, makes Start serve https with this configuration.
	TLS *tls.Config
	// WallClock tells the time that tokens expire by; nil means time.Now.
	WallClock func() time.Time
	// Addr is where Start listens; empty means 127.0.0.1:0.
	Addr string
}

// Auto says how the virtual clock runs by itself.
type Auto struct {
	// Every is the real time between two moves; zero means 5ms.
	Every time.Duration
	// Speed is how many virtual seconds pass in a real one; zero means 1, at
	// which a healthy rolling deployment of two instances takes about a
	// second. At 1000 it takes milliseconds.
	Speed float64
}

// Pace says how long the steps of a task's life take in virtual time. A zero
// field has the default that its comment names.
type Pace struct {
	Launch  time.Duration // from staging to running, 600ms
	Health  time.Duration // between two health checks, 400ms
	Ready   time.Duration // from running to ready, 400ms
	Kill    time.Duration // from the order to kill to gone, 200ms
	Crash   time.Duration // from running to crashing in a crash loop, 200ms
	Tick    time.Duration // granularity of the virtual clock, 50ms
	Timeout time.Duration // heartbeat of event streams, 10s
}

// Server is a Marathon. Its methods may be called from any goroutine.
type Server struct {
	opts   Options
	habits habits

	mu          sync.Mutex
	st          state
	streams     map[*stream]struct{}
	streamFault streamFaults
	faults      []*Fault
	log         []Request
	tokens      map[string]string // token → uid
	lost        bool              // no leader
	changed     chan struct{}     // closed and replaced at each move of time or change
	signKey     []byte

	url      string
	listener net.Listener
	http     *http.Server
	done     chan struct{}
	stop     sync.Once
	wg       sync.WaitGroup
}

// New returns a server that does not listen: use it as an http.Handler, or
// call Start instead. With Auto, Close must be called in the end.
func New(opts Options) (*Server, error) {
	h, err := opts.Profile.habits()
	if err != nil {
		return nil, err
	}
	if opts.Version != "" {
		h.version = opts.Version
	}
	opts = opts.withDefaults()
	s := &Server{
		opts:    opts,
		habits:  h,
		st:      newState(opts.Start),
		streams: map[*stream]struct{}{},
		tokens:  map[string]string{},
		changed: make(chan struct{}),
		done:    make(chan struct{}),
		url:     "http://marathon.test:8080",
	}
	if s.signKey, err = newSignKey(); err != nil {
		return nil, err
	}
	if opts.Auto != nil {
		s.wg.Add(1)
		go s.run(*opts.Auto)
	}
	return s, nil
}

// Start returns a server that listens on opts.Addr until ctx ends or Close is
// called.
func Start(ctx context.Context, opts Options) (*Server, error) {
	addr := opts.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for Marathon clients: %w", err)
	}
	s, err := New(opts)
	if err != nil {
		_ = l.Close() // the other error is the one to tell
		return nil, err
	}
	s.listener = l
	s.url = "http://" + l.Addr().String()
	if opts.TLS != nil {
		l = tls.NewListener(l, opts.TLS)
		s.url = "https://" + s.listener.Addr().String()
	}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	s.wg.Add(2)
	go func() {
		defer s.wg.Done()
		_ = s.http.Serve(l) // ends with ErrServerClosed; nothing to tell
	}()
	go func() {
		defer s.wg.Done()
		select {
		case <-ctx.Done():
			s.shut()
		case <-s.done:
		}
	}()
	return s, nil
}

// shut makes everything that runs end, without waiting for it.
func (s *Server) shut() {
	s.stop.Do(func() {
		close(s.done)
		if s.http != nil {
			_ = s.http.Close()
		}
	})
}

// Close stops listening, ends event streams and hanging answers, and waits for
// the server's goroutines. It may be called more than once.
func (s *Server) Close() {
	s.shut()
	s.wg.Wait()
}

// URL is the server's own base URL, without a trailing slash and without the
// path of a DC/OS service: http://127.0.0.1:PORT after Start.
func (s *Server) URL() string { return s.url }

// MarathonURL is the base URL of the Marathon API: URL, or behind DC/OS URL
// followed by /service/NAME.
func (s *Server) MarathonURL() string {
	if s.opts.DCOS == nil {
		return s.url
	}
	return s.url + "/service/" + s.opts.DCOS.service()
}

// withDefaults fills in what the comments of the options promise.
func (o Options) withDefaults() Options {
	if o.Start.IsZero() {
		o.Start = time.Date(2019, time.June, 3, 8, 0, 0, 0, time.UTC)
	}
	if o.ForceDelay == 0 {
		o.ForceDelay = 200 * time.Millisecond
	}
	if o.MaxRunning == 0 {
		o.MaxRunning = 100
	}
	if o.WallClock == nil {
		o.WallClock = time.Now
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Pace.Launch, 600 * time.Millisecond},
		{&o.Pace.Health, 400 * time.Millisecond},
		{&o.Pace.Ready, 400 * time.Millisecond},
		{&o.Pace.Kill, 200 * time.Millisecond},
		{&o.Pace.Crash, 200 * time.Millisecond},
		{&o.Pace.Tick, 50 * time.Millisecond},
		{&o.Pace.Timeout, 10 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return o
}
