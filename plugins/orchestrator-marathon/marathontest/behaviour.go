package marathontest

import (
	"slices"
	"strings"
	"time"
)

// A Behaviour says how instances of an app or pod fare that its selectors
// match. The last one that matches wins; instances launched for an older
// configuration are not touched by Unhealthy and CrashLoop.
type Behaviour struct {
	// App is an id; empty matches all. An id without a leading slash matches
	// the last segments of an app's id.
	App string `json:"app,omitempty"`
	// Image is matched against the image reference as a substring; empty
	// matches all.
	Image string `json:"image,omitempty"`
	// Tag is the image's whole tag; empty matches all.
	Tag string `json:"tag,omitempty"`

	// Unhealthy lets health checks fail. As in Marathon it has no effect on an
	// app without health checks.
	Unhealthy bool `json:"unhealthy,omitempty"`
	// Unready lets readiness checks fail.
	Unready bool `json:"unready,omitempty"`
	// CrashLoop lets each instance fail soon after its start.
	CrashLoop bool `json:"crash_loop,omitempty"`
	// PullFails lets each instance fail before its start, as with an image
	// that is not there.
	PullFails bool `json:"pull_fails,omitempty"`
	// NoOffers lets no instance be launched.
	NoOffers bool `json:"no_offers,omitempty"`
	// Slow is added to the time between staging and running.
	Slow time.Duration `json:"slow,omitempty"`
	// Message replaces the text of the task failures that this causes.
	Message string `json:"message,omitempty"`
}

// message is the text of a failure.
func (b Behaviour) message(def string) string {
	if b.Message != "" {
		return b.Message
	}
	return def
}

// Script adds a behaviour. It holds for instances of now and of later.
func (s *Server) Script(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Behaviours = append(s.st.Behaviours, b)
	s.notify()
}

// Unscript forgets the behaviours that name the app and tag; with two empty
// strings it forgets all.
func (s *Server) Unscript(app, tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []Behaviour
	for _, b := range s.st.Behaviours {
		if app+tag != "" && (b.App != app || b.Tag != tag) {
			left = append(left, b)
		}
	}
	s.st.Behaviours = left
	s.notify()
}

// Behaviours are those that were scripted, in their order.
func (s *Server) Behaviours() []Behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.st.Behaviours)
}

// behaviour is what the script says of a spec as it is now.
func (s *Server) behaviour(r *runSpec) Behaviour {
	for i := len(s.st.Behaviours) - 1; i >= 0; i-- {
		if b := s.st.Behaviours[i]; b.matches(r) {
			return b
		}
	}
	return Behaviour{}
}

// matches tells whether a behaviour is about a spec.
func (b Behaviour) matches(r *runSpec) bool {
	if strings.HasPrefix(b.App, "/") && b.App != r.ID {
		return false
	}
	if !strings.HasSuffix(r.ID, "/"+strings.TrimPrefix(b.App, "/")) && b.App != "" {
		return false
	}
	if b.Image == "" && b.Tag == "" {
		return true
	}
	for _, image := range images(r) {
		if strings.Contains(image, b.Image) && (b.Tag == "" || b.Tag == tagOf(image)) {
			return true
		}
	}
	return false
}

// images are the images of a spec: one of an app, several of a pod.
func images(r *runSpec) []string {
	if !r.Pod {
		if image := text(fields(fields(r.Doc["container"])["docker"])["image"]); image != "" {
			return []string{image}
		}
		return nil
	}
	var all []string
	for _, c := range list(r.Doc["containers"]) {
		if image := text(fields(fields(c)["image"])["id"]); image != "" {
			all = append(all, image)
		}
	}
	return all
}

// tagOf is an image reference's tag, or latest.
func tagOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	rest := image[strings.LastIndexByte(image, '/')+1:]
	if _, tag, ok := strings.Cut(rest, ":"); ok {
		return tag
	}
	return "latest"
}
