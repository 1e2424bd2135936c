package marathontest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxBody is the largest request body that is read.
const maxBody = 16 << 20

// A call is one request to the Marathon API, its path without the prefix of a
// DC/OS service.
type call struct {
	method string
	path   string
	query  url.Values
	header http.Header
	body   []byte
	remote string
}

// flag is a boolean query parameter.
func (c *call) flag(name string) bool { return c.query.Get(name) == "true" }

// ServeHTTP answers as Marathon, or as the DC/OS cluster in front of it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return // the client is gone
	}
	s.record(r, body)
	path := s.strip(r.URL.Path)
	fault := s.takeFault(r.Method, path)
	if fault != nil && !fault.After {
		if !s.wait(r, fault) {
			abort()
		}
		if fault.Kind != FaultPass && fault.Kind != FaultTruncate {
			s.strike(w, r, fault, nil)
			return
		}
	}
	rep := s.reply(w, r, body, path)
	if rep == nil {
		return
	}
	if fault == nil {
		rep.write(w, r, s.opts.Gzip)
		return
	}
	if fault.After && !s.wait(r, fault) {
		abort()
	}
	s.strike(w, r, fault, rep)
}

// reply is the answer to a request; nil for an event stream, which was
// answered.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, body []byte, path string) *reply {
	if rep := s.admin(r, body); rep != nil {
		return rep
	}
	c := &call{
		method: r.Method, path: path, query: r.URL.Query(),
		header: r.Header, body: body, remote: r.RemoteAddr,
	}
	if rep := s.guard(c); rep != nil {
		return rep
	}
	if path == "/v2/events" && r.Method == http.MethodGet {
		s.serveEvents(w, r)
		return nil
	}
	return s.answer(c)
}

// guard refuses what Marathon refuses before it looks at the request.
func (s *Server) guard(c *call) *reply {
	if rep := s.basic(c); rep != nil {
		return rep
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		return htmlReply(s.habits.noLeader, "Could not determine the current leader")
	}
	return nil
}

// answer routes the call; what it does is one atomic step.
func (s *Server) answer(c *call) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	rep := s.route(c)
	if rep.header == nil {
		rep.header = http.Header{}
	}
	rep.header.Set("X-Marathon-Leader", s.leaderURL())
	rep.header.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	rep.header.Set("Pragma", "no-cache")
	rep.header.Set("Expires", "0")
	return rep
}

// route finds the resource that the path names.
func (s *Server) route(c *call) *reply {
	if c.path == "/ping" {
		return s.ping(c)
	}
	resource, rest, ok := resourceOf(c.path)
	if !ok {
		return s.unknownRoute(c)
	}
	switch resource {
	case "apps":
		return s.appsRoute(c, rest)
	case "deployments":
		return s.deploymentsRoute(c, rest)
	case "groups":
		return s.groupsRoute(c, rest)
	case "pods":
		if s.habits.pods {
			return s.podsRoute(c, rest)
		}
	case "queue":
		return s.queueRoute(c, rest)
	case "tasks":
		return s.tasksRoute(c, rest)
	case "info":
		if c.method == http.MethodGet && rest == "" {
			return s.info()
		}
	case "leader":
		return s.leaderRoute(c)
	}
	return s.unknownRoute(c)
}

// resourceOf splits /v2/RESOURCE/rest; pod paths may have no slash before ::.
func resourceOf(path string) (resource, rest string, ok bool) {
	p, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return "", "", false
	}
	resource, rest, _ = strings.Cut(p, "/")
	if tail, pods := strings.CutPrefix(resource, "pods::"); pods {
		resource, rest = "pods", "::"+tail
	}
	return resource, strings.Trim(rest, "/"), true
}

// unknownRoute is the answer to a path that no resource has.
func (s *Server) unknownRoute(c *call) *reply {
	if s.habits.unknownRoute == http.StatusInternalServerError {
		return message(s.habits.unknownRoute, "URI not found")
	}
	return message(s.habits.unknownRoute, "URI not found: %s", strings.TrimPrefix(c.path, "/"))
}

// notAllowed is the answer to a method that a resource does not have.
func notAllowed() *reply {
	return htmlReply(http.StatusMethodNotAllowed, "HTTP method GET is not supported by this URL")
}

// object reads the call's body as one JSON object.
func (s *Server) object(c *call) (object, *reply) {
	return s.parseObject(c.body)
}

// parseObject reads one JSON object.
func (s *Server) parseObject(b []byte) (object, *reply) {
	if !json.Valid(b) {
		return nil, syntaxError(json.Unmarshal(b, new(any)))
	}
	o := fields(b)
	if o == nil {
		return nil, s.typeError("", "error.expected.jsobject")
	}
	return o, nil
}

// segments splits an id without its leading slash.
func segments(id string) []string { return strings.Split(strings.Trim(id, "/"), "/") }

// cutLast splits off a last path segment that is one of words.
func cutLast(rest string, words ...string) (id, word string) {
	if i := strings.LastIndexByte(rest, '/'); i > 0 && slices.Contains(words, rest[i+1:]) {
		return rest[:i], rest[i+1:]
	}
	return rest, ""
}
