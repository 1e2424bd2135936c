// Package pgtest starts a PostgreSQL of its own for a test; not on Windows.
package pgtest

import (
	"context"
	"os/exec"
)

// ErrNoPostgres says that PostgreSQL is not installed.
var ErrNoPostgres = exec.ErrNotFound

// Install is how to install what Start needs.
const Install = "a machine with a Unix"

// Server is a PostgreSQL server.
type Server struct{ URL string }

// Start returns ErrNoPostgres.
func Start(context.Context, string) (*Server, error) { return nil, ErrNoPostgres }

// StartAgain returns ErrNoPostgres.
func (s *Server) StartAgain(context.Context) error { return ErrNoPostgres }

// Stop does nothing.
func (s *Server) Stop() {}
