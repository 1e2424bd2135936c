//go:build !windows

// Package pgtest starts a PostgreSQL of its own for a test, on a free port of 127.0.0.1.
package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ErrNoPostgres says that PostgreSQL is not installed.
var ErrNoPostgres = exec.ErrNotFound

// Install is how to install what Start needs.
const Install = "apt-get install -y --no-install-recommends postgresql"

// Server is a PostgreSQL server with an empty database.
type Server struct {
	// URL leads to its database.
	URL string

	programs, dir string
	port          int
	owner         *syscall.SysProcAttr
	cmd           *exec.Cmd
	ended         chan struct{}
}

// Start makes a cluster in dir, which must exist, and starts it. Stop ends it. The error is ErrNoPostgres where PostgreSQL
// is not installed.
func Start(ctx context.Context, dir string) (*Server, error) {
	programs, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{programs: programs, dir: filepath.Join(dir, "cluster")}
	if s.owner, err = owner(); err != nil {
		return nil, err
	}
	if s.port, err = freePort(ctx); err != nil {
		return nil, err
	}
	s.URL = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	if err := s.makeFolder(); err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "-D", s.dir, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
	initdb.SysProcAttr, initdb.Dir = s.owner, s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s, s.StartAgain(ctx)
}

// makeFolder makes the cluster's folder for its owner, who must be able to get there.
func (s *Server) makeFolder() error {
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return err
	}
	if s.owner == nil {
		return nil
	}
	for at := filepath.Dir(s.dir); at != filepath.Dir(at); at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && info.Mode().Perm()&0o005 != 0o005 && strings.HasPrefix(at, os.TempDir()) {
			if err := os.Chmod(at, info.Mode().Perm()|0o005); err != nil {
				return err
			}
		}
	}
	return os.Chown(s.dir, int(s.owner.Credential.Uid), int(s.owner.Credential.Gid))
}

// StartAgain starts the server, and returns when it takes connections.
func (s *Server) StartAgain(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.programs, "postgres"), "-D", s.dir, "-p", fmt.Sprint(s.port), "-h", "127.0.0.1",
		"-c", "unix_socket_directories="+s.dir, "-c", "fsync=off", "-c", "max_connections=300")
	cmd.SysProcAttr, cmd.Dir = s.owner, s.dir
	log, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var said []string
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), "ready to accept connections") {
			s.cmd, s.ended = cmd, make(chan struct{})
			go func(ended chan struct{}) {
				defer close(ended)
				_, _ = io.Copy(io.Discard, log) // so that it never waits for a reader
				_ = cmd.Wait()                  // how it ended is its own affair
			}(s.ended)
			return nil
		}
	}
	return errors.Join(fmt.Errorf("postgres ended: %s", strings.Join(said, "\n")), cmd.Wait())
}

// Stop ends the server and all its connections, and returns when it has ended. It may be called when it is not running.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended by itself
	<-s.ended
	s.cmd = nil
}

// find returns the folder of the newest installed version's programs.
func find() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found)), nil
	}
	program, err := exec.LookPath("postgres")
	if err != nil {
		return "", ErrNoPostgres
	}
	program, err = filepath.EvalSymlinks(program)
	return filepath.Dir(program), err
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // it listens on TCP
	return port, l.Close()
}
