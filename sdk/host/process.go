package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollback-project/rollback/sdk/internal/handshake"
)

// maxHandshake is the longest first line that is read; the certificate in it has about a kilobyte.
const maxHandshake = 16 << 10

// leftover is how long pipes are read after the process has ended; a child of the plugin may hold them open forever.
const leftover = 500 * time.Millisecond

// process is a plugin's process as go-plugin's runner. It reads both streams itself: go-plugin stops reading standard
// output after a long line, which blocks the plugin, and panics on log lines with a number for a message.
type process struct {
	cmd       *exec.Cmd
	logs      *forwarder
	handshake *io.PipeReader
	done      chan struct{} // closed when the process has ended and its streams are read

	mu      sync.Mutex
	running *os.Process // nil before the start
	first   string      // the first line on standard output
	shot    bool        // we have killed it
	err     error       // how the process ended; set before done is closed
}

// newProcess prepares the process; env is what go-plugin wants it to know.
func newProcess(ctx context.Context, cfg Config, tempDir string, env []string, logs *forwarder) *process {
	// The plugin outlives the context of its start: its end is Close's to bring about.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), cfg.Path, cfg.Args...)
	cmd.Env = append(allowed(cfg.Environ), env...)
	cmd.Env = append(cmd.Env,
		"TMPDIR="+tempDir,
		handshake.EnvStdin+"="+handshake.Lifeline,
		handshake.EnvLog+"="+cfg.Logger.GetLevel().String(),
	)
	separate(cmd)
	return &process{cmd: cmd, logs: logs, done: make(chan struct{})}
}

// Start starts the process and the reading of its streams.
func (p *process) Start(context.Context) (err error) {
	var files []*os.File
	defer func() {
		if err != nil {
			for _, f := range files {
				_ = f.Close()
			}
		}
	}()
	pipe := func() (r, w *os.File) {
		if err != nil {
			return nil, nil
		}
		if r, w, err = os.Pipe(); err == nil {
			files = append(files, r, w)
		}
		return r, w
	}
	stdin, life := pipe()
	stdout, stdoutW := pipe()
	stderr, stderrW := pipe()
	if err != nil {
		return err
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, stdoutW, stderrW
	if err = p.cmd.Start(); err != nil {
		return err
	}
	for _, f := range []*os.File{stdin, stdoutW, stderrW} {
		_ = f.Close()
	}
	p.mu.Lock()
	p.running = p.cmd.Process
	if p.shot { // while it was being started
		_ = p.running.Kill()
	}
	p.mu.Unlock()
	var firstLine *io.PipeWriter
	p.handshake, firstLine = io.Pipe()
	var readers sync.WaitGroup
	readers.Go(func() { p.readStdout(stdout, firstLine) })
	readers.Go(func() { p.logs.read(stderr) })
	go func() {
		defer close(p.done)
		err := p.cmd.Wait()
		deadline := time.Now().Add(leftover)
		_ = stdout.SetReadDeadline(deadline)
		_ = stderr.SetReadDeadline(deadline)
		readers.Wait()
		p.logs.flush()
		for _, f := range []*os.File{stdout, stderr, life} {
			_ = f.Close()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.err = err
	}()
	return nil
}

// readStdout hands on the first line and drops the rest, so that a plugin that prints never waits for us.
func (p *process) readStdout(stdout io.Reader, firstLine *io.PipeWriter) {
	limited := bufio.NewReaderSize(stdout, maxHandshake)
	line, err := limited.ReadSlice('\n')
	p.mu.Lock()
	p.first = string(line)
	p.mu.Unlock()
	// go-plugin gets only what has the form of a handshake: its own message on others is about compilers.
	if err == nil && strings.Count(p.first, "|") >= 4 {
		_, _ = firstLine.Write(line)
	} else if len(line) > 0 {
		_ = firstLine.Close()
	}
	_, _ = io.Copy(io.Discard, limited)
	_ = firstLine.Close()
}

// firstLine is what standard output began with.
func (p *process) firstLine() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.TrimSpace(p.first)
}

// ending waits a little for the process to end, and says how it did; "" when it has not.
func (p *process) ending() string {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		return ""
	}
	p.mu.Lock()
	err, shot := p.err, p.shot
	p.mu.Unlock()
	how := "its process ended with exit status 0"
	var exit *exec.ExitError
	switch {
	case shot && errors.As(err, &exit) && !exit.Exited():
		how = "its process was ended"
	case errors.As(err, &exit):
		how = "its process ended: " + exit.String()
	case err != nil:
		how = "its process ended: " + err.Error()
	}
	if tail := p.logs.tail(); tail != "" {
		how += "\nits last log lines:\n" + tail
	}
	return how
}

// Wait waits for the end of the process and of its streams.
func (p *process) Wait(context.Context) error {
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Kill ends the process at once.
func (p *process) Kill(context.Context) error { return p.kill() }

func (p *process) kill() error {
	p.mu.Lock()
	p.shot = true
	running := p.running
	p.mu.Unlock()
	if running == nil {
		return nil // Start will see it
	}
	if err := running.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.Name(), err)
	}
	return nil
}

// Stdout gives go-plugin the handshake and nothing else.
func (p *process) Stdout() io.ReadCloser { return p.handshake }

// Stderr gives go-plugin nothing.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name is the executable.
func (p *process) Name() string { return p.cmd.Path }

// ID is the process id; "" before the start.
func (p *process) ID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return ""
	}
	return strconv.Itoa(p.running.Pid)
}

// Diagnose adds nothing: what can be said about a failed start, explainStart says.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost changes nothing: both sides see the same files.
func (p *process) PluginToHost(network, addr string) (hostNetwork, hostAddr string, err error) {
	return network, addr, nil
}

// HostToPlugin changes nothing either.
func (p *process) HostToPlugin(network, addr string) (pluginNetwork, pluginAddr string, err error) {
	return network, addr, nil
}
