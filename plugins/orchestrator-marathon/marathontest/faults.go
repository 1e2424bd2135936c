package marathontest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A FaultKind says what a Fault does to an answer.
type FaultKind int

// The kinds of fault.
const (
	// FaultAnswer answers with the fault's Status, Header and Body.
	FaultAnswer FaultKind = iota
	// FaultPass changes nothing; with Wait it delays.
	FaultPass
	// FaultClose closes the connection without an answer.
	FaultClose
	// FaultHang never answers: it waits for the client or the server to end.
	FaultHang
	// FaultTruncate sends half of the answer and closes the connection. It
	// always does what the request asks.
	FaultTruncate
	// FaultGarbage answers 200 with what says it is JSON and is not.
	FaultGarbage
	// FaultEnormous answers 200 with Size bytes of JSON that never closes.
	FaultEnormous
)

// A Fault is something that goes wrong with requests.
type Fault struct {
	// Method is the requests' method; empty matches all.
	Method string
	// Path is matched against the path without the prefix of a DC/OS service;
	// * stands for any text. Empty matches all.
	Path string
	// Times is how many requests it strikes; 0 means one, -1 all.
	Times int
	// Skip lets that many matching requests pass first.
	Skip int
	// After lets the server do what the request asks before it strikes: the
	// change is made, its answer lost.
	After bool
	// Kind is what it does.
	Kind FaultKind
	// Status, Header and Body are for FaultAnswer; Status 0 means 500.
	Status int
	Header http.Header
	Body   string
	// Wait, if not nil, delays the fault until it is closed. Without After the
	// request is not looked at before that.
	Wait <-chan struct{}
	// Size is for FaultEnormous, in bytes; 0 means 64 MiB.
	Size int64
}

// Inject adds a fault. Faults are tried in the order in which they came.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults = append(s.faults, &f)
}

// ClearFaults forgets the faults that are left.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// FuturesTimedOut makes a write answer 503 although it is done, as Marathon
// before 1.6 does when it is busy.
func FuturesTimedOut(method, path string) Fault {
	return Fault{
		Method: method, Path: path, After: true, Status: http.StatusServiceUnavailable,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   `{"message":"Futures timed out after [10000 milliseconds]"}`,
	}
}

// EmptyOK makes a write that is done answer 200 without a body, as 0.15 did.
func EmptyOK(method, path string) Fault {
	return Fault{Method: method, Path: path, After: true, Status: http.StatusOK}
}

// LostAnswer makes a write that is done close the connection.
func LostAnswer(method, path string) Fault {
	return Fault{Method: method, Path: path, After: true, Kind: FaultClose}
}

// Page answers with an HTML error page of that status instead of doing what is
// asked, as a proxy does.
func Page(method, path string, status int) Fault {
	rep := htmlReply(status, http.StatusText(status))
	return Fault{Method: method, Path: path, Status: status, Header: rep.header, Body: string(rep.body)}
}

// TooManyRequests is Marathon's own limit of concurrent requests.
func TooManyRequests(method, path string) Fault {
	return Fault{
		Method: method, Path: path, Status: http.StatusServiceUnavailable,
		Body: "Too many concurrent requests! Allowed: 50.",
	}
}

// takeFault finds the fault that strikes a request, and uses it up.
func (s *Server) takeFault(method, path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Method != "" && f.Method != method || f.Path != "" && !glob(f.Path, path) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			f.Times--
			if f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f
	}
	return nil
}

// glob matches a pattern in which * stands for any text.
func glob(pattern, path string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(path, parts[0])
	if !ok {
		return false
	}
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(rest, part)
		}
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			return false
		}
		rest = after
	}
	return rest == ""
}

// wait blocks until the fault may strike; false means that nobody waits for an
// answer any more.
func (s *Server) wait(r *http.Request, f *Fault) bool {
	if f.Wait == nil {
		return true
	}
	select {
	case <-f.Wait:
		return true
	case <-r.Context().Done():
	case <-s.done:
	}
	return false
}

// abort closes the connection without another byte.
func abort() { panic(http.ErrAbortHandler) }

// strike answers as the fault demands; rep is what the server would have said.
func (s *Server) strike(w http.ResponseWriter, r *http.Request, f *Fault, rep *reply) {
	switch f.Kind {
	case FaultPass:
		rep.write(w, r, s.opts.Gzip)
	case FaultClose:
		abort()
	case FaultHang:
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
		abort()
	case FaultTruncate:
		for k, v := range rep.header {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(rep.body)))
		w.WriteHeader(rep.status)
		_, _ = w.Write(rep.body[:len(rep.body)/2]) //nolint:gosec // JSON for test clients; cut off anyway
		if fl, ok := w.(http.Flusher); ok {
			fl.Flush()
		}
		abort()
	case FaultGarbage:
		garbage := &reply{
			status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}},
			body: []byte("\x00\xff{]garbage\x1b[31m\x07\"\\u{"),
		}
		garbage.write(w, r, false)
	case FaultEnormous:
		f.enormous(w)
	default:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		(&reply{status: status, header: f.Header, body: []byte(f.Body)}).write(w, r, false)
	}
}

// enormous sends JSON without an end.
func (f *Fault) enormous(w http.ResponseWriter) {
	size := f.Size
	if size == 0 {
		size = 64 << 20
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(`{"apps":[`))
	chunk := []byte(strings.Repeat(`{"id":"/x"},`, 4096))
	for ; size > 0; size -= int64(len(chunk)) {
		if _, err := w.Write(chunk); err != nil {
			return // the client had enough
		}
	}
}
