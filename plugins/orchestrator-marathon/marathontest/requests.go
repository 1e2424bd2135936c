package marathontest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Request is one that the server got.
type Request struct {
	Method string
	Path   string // as it was sent, with the prefix of a DC/OS service
	Query  url.Values
	Header http.Header // without Authorization
	// Auth is the scheme of the Authorization header: Basic, Bearer, token, or
	// empty.
	Auth string
	// ContentLength is -1 for a chunked body.
	ContentLength int64
	Body          []byte // empty for logins, whose bodies are secret
}

// record appends a request to the log.
func (s *Server) record(r *http.Request, body []byte) {
	q := Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header.Clone(),
		ContentLength: r.ContentLength, Body: body,
	}
	q.Header.Del("Authorization")
	q.Auth, _, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	q.Auth, _, _ = strings.Cut(q.Auth, "=")
	if r.URL.Path == loginPath {
		q.Body = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, q)
	if len(s.log) > logCap {
		s.log = slices.Delete(s.log, 0, len(s.log)-logCap)
	}
}

// logCap bounds the request log of a server that runs for long.
const logCap = 10000

// Requests are the requests so far, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Writes are the requests so far that are no GET or HEAD, logins left out.
func (s *Server) Writes() []Request {
	return slices.DeleteFunc(s.Requests(), func(r Request) bool {
		return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Path == loginPath
	})
}

// ForgetRequests empties the log.
func (s *Server) ForgetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}
