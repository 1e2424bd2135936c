package registrytest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrNoDebian says that the package docker-registry, or htpasswd, is not installed.
var ErrNoDebian = exec.ErrNotFound

// InstallDebian is how to install what StartDebian needs.
const InstallDebian = "apt-get install -y --no-install-recommends docker-registry apache2-utils"

// StartDebian starts Debian's docker-registry 2.8 on a free port of 127.0.0.1, with its data in an empty folder, and
// returns when it listens. With a username it wants Basic. stop ends it. The error is ErrNoDebian where it, or htpasswd,
// is not installed.
func StartDebian(ctx context.Context, folder, username, password string) (r *Registry, stop func(), err error) {
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		return nil, nil, err
	}
	config, err := debianConfig(ctx, folder, username, password)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", config)
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	drained := make(chan struct{})
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-drained
		_ = cmd.Wait() // killed: it has nothing to say
	}
	lines := bufio.NewScanner(log)
	host := ""
	var last string
	for host == "" && lines.Scan() {
		last = lines.Text()
		if m := listening.FindStringSubmatch(last); m != nil {
			host = m[1]
		}
	}
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, log) // so that it never waits for a reader
	}()
	if host == "" {
		stop()
		return nil, nil, fmt.Errorf("start docker-registry: it ended with %q", last)
	}
	return &Registry{URL: "http://" + host, Username: username, Password: password, Client: &http.Client{}}, stop, nil
}

// listening is what it says when it is ready.
var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

func debianConfig(ctx context.Context, folder, username, password string) (file string, err error) {
	text := fmt.Sprintf(`version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: true}
http: {addr: "127.0.0.1:0", secret: "for tests"}
compatibility: {schema1: {enabled: true}}
`, filepath.Join(folder, "data"))
	if username != "" {
		users := filepath.Join(folder, "htpasswd")
		cmd := exec.CommandContext(ctx, "htpasswd", "-Bic", "-C", "4", users, username)
		cmd.Stdin = strings.NewReader(password)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("run htpasswd: %w: %s", err, out)
		}
		text += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", users)
	}
	file = filepath.Join(folder, "config.yml")
	return file, os.WriteFile(file, []byte(text), 0o600)
}
