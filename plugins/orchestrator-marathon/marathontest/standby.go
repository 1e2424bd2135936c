package marathontest

import (
	"bytes"
	"io"
	"net/http"
)

// Standby is a Marathon that is not the leader: it hands requests on to s. From
// 1.7 on it loses chunked bodies and redirects readers of events to the
// leader's own address (F9, F10).
func (s *Server) Standby() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.habits.redirectEvents && s.strip(r.URL.Path) == "/v2/events" {
			s.mu.Lock()
			to := s.leaderURL() + r.URL.RequestURI()
			s.mu.Unlock()
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return
		}
		w.Header().Set("X-Marathon-Via", "1.1 standby:8080")
		if s.habits.redirectEvents && r.ContentLength < 0 {
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(bytes.NewReader(nil))
		}
		s.ServeHTTP(w, r)
	})
}
