package marathontest

import (
	"net/http"
	"net/url"
	"strings"
)

// ping answers GET /ping.
func (s *Server) ping(c *call) *reply {
	body, kind := "pong", "text/plain"
	switch {
	case c.header.Get("Accept") == "application/json":
		body, kind = `"pong"`, "application/json"
	case s.habits.oldPing:
		body = "pong\n"
	}
	return &reply{status: http.StatusOK, header: http.Header{"Content-Type": {kind}}, body: []byte(body)}
}

// leaderHost is host:port of the leader.
func (s *Server) leaderHost() string {
	if s.st.Leader != "" {
		return s.st.Leader
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return s.url
	}
	return u.Host
}

// leaderURL is what X-Marathon-Leader says.
func (s *Server) leaderURL() string {
	scheme, _, _ := strings.Cut(s.url, "://")
	return scheme + "://" + s.leaderHost()
}

// leaderRoute answers /v2/leader.
func (s *Server) leaderRoute(c *call) *reply {
	switch c.method {
	case http.MethodGet:
		return jsonReply(http.StatusOK, map[string]any{"leader": s.leaderHost()})
	case http.MethodDelete:
		s.failover()
		return message(http.StatusOK, "Leadership abdicated")
	}
	return notAllowed()
}

// info answers GET /v2/info.
func (s *Server) info() *reply {
	if s.st.Recorded.Info != nil {
		return jsonReply(http.StatusOK, s.st.Recorded.Info)
	}
	features := []string{}
	if s.habits.pods {
		features = append(features, "secrets", "external_volumes", "task_killing")
	}
	return jsonReply(http.StatusOK, map[string]any{
		"name": "marathon", "version": s.habits.version, "elected": true, "leader": s.leaderHost(),
		"frameworkId": "20140730-222531-1863654316-5050-10422-0000",
		"marathon_config": map[string]any{
			"master": "zk://localhost:2181/mesos", "ha": true, "checkpoint": true, "failover_timeout": 604800,
			"hostname": "127.0.0.1", "local_port_min": 10000, "local_port_max": 20000, "features": features,
			"max_running_deployments": s.opts.MaxRunning,
		},
		"zookeeper_config": map[string]any{"zk": "zk://localhost:2181/marathon", "zk_timeout": 10000},
		"http_config":      map[string]any{"http_port": 8080, "https_port": 8443},
	})
}

// LoseLeader leaves the cluster without a leader: every request gets the
// profile's 503 or 502 page, event streams end, and time stands still for
// deployments until ElectLeader.
func (s *Server) LoseLeader() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = true
	s.closeStreams()
}

// ElectLeader makes host:port the leader, or the server itself if it is
// empty. Deployments begin their plans again and go on.
func (s *Server) ElectLeader(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = false
	s.st.Leader = host
	s.failover()
	s.notify()
}

// failover is what a change of leader does to the state: event streams end,
// backoffs are forgotten, and plans are read from the store and begun again.
func (s *Server) failover() {
	s.closeStreams()
	for _, r := range s.st.Specs {
		r.Delay, r.Until = 0, s.st.Now
	}
	for _, d := range s.st.Deployments {
		if d.Finished {
			continue
		}
		d.Current = 0
		for _, step := range d.Steps {
			for _, a := range step {
				a.Done, a.Began = false, false
			}
		}
	}
}
