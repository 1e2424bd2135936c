package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/rollback-project/rollback/sdk/internal/handshake"
	"github.com/rollback-project/rollback/sdk/internal/wire"
)

// maxSocketPath is the length of the longest path of a Unix socket on the systems that have the shortest.
const maxSocketPath = 103

// socketTail is as long as what go-plugin and we add to the folder for temporary files.
const socketTail = "/rb1234567890/plugin-dir1234567890/plugin1234567890"

// patience is how long an orderly end may take; go-plugin itself waits two seconds of it for the process.
const patience = 4 * time.Second

// session is a process with which hands were shaken.
type session struct {
	proc    *process
	client  *goplugin.Client
	conn    *grpc.ClientConn
	tempDir string
}

// startSession starts the process and connects to it.
func startSession(ctx context.Context, cfg Config) (*session, error) {
	tempDir, err := shortTempDir()
	if err != nil {
		return nil, fmt.Errorf("%s: make a folder for its socket: %w", cfg.label(), err)
	}
	logs := newForwarder(cfg)
	s := &session{tempDir: tempDir}
	created := make(chan *process, 1)
	s.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  handshake.Config(),
		VersionedPlugins: handshake.Plugins(nil),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     2 * cfg.StartTimeout, // ours comes first
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       logs.lines("standard output"),
		SyncStderr:       logs.lines("standard error"),
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: tempDir},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(
				grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)),
			grpc.WithStatsHandler(sentWatch{}),
		},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			p := newProcess(ctx, cfg, tempDir, cmd.Env, logs)
			created <- p
			return p, nil
		},
	})
	connected := make(chan error, 1)
	go func() { connected <- s.connect() }()
	timer := time.NewTimer(cfg.StartTimeout)
	defer timer.Stop()
	var cause error
	select {
	case err = <-connected:
	case <-timer.C:
		cause = fmt.Errorf("it has not answered within %s", cfg.StartTimeout)
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	select {
	case s.proc = <-created:
	default:
	}
	if cause != nil {
		if s.proc != nil {
			_ = s.proc.kill()
		}
		err = <-connected // the connection waits for the process
	}
	if cause == nil && err == nil {
		return s, nil
	}
	err = explainStart(cfg, s.proc, cause, err)
	s.close()
	return nil, err
}

// connect makes go-plugin start the process and shake hands.
func (s *session) connect() error {
	protocol, err := s.client.Client()
	if err != nil {
		return err
	}
	raw, err := protocol.Dispense(handshake.Name)
	if err != nil {
		return err
	}
	conn, ok := raw.(*grpc.ClientConn)
	if !ok {
		return fmt.Errorf("go-plugin dispensed a %T", raw)
	}
	s.conn = conn
	return nil
}

// close ends the process in good order if it can be had, by force if not, and cleans up.
func (s *session) close() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.client.Kill()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		if s.proc != nil { // a stopped process does not answer go-plugin, which waits for it
			_ = s.proc.kill()
		}
		<-ended
	}
	_ = os.RemoveAll(s.tempDir)
}

// explainStart says why a plugin did not start. cause is set when we gave up on it; err is go-plugin's view,
// which is told only where ours has nothing to say.
func explainStart(cfg Config, p *process, cause, err error) error {
	label := cfg.label()
	var notStarted *exec.Error
	var path *os.PathError
	if p == nil || errors.As(err, &notStarted) || errors.As(err, &path) {
		if cause != nil {
			err = cause
		}
		return fmt.Errorf("%s: start %s: %w", label, cfg.Path, err)
	}
	// What the process says goes through the redactor like any other text of its.
	first := cfg.Redactor.String(printable(p.firstLine()))
	if len(first) > 200 {
		first = first[:200] + "…"
	}
	parts := strings.Split(first, "|")
	var what string
	switch {
	case cause != nil && errors.Is(cause, context.Canceled):
		return fmt.Errorf("%s: start %s: %w", label, cfg.Path, cause)
	case first != "" && len(parts) < 5:
		what = fmt.Sprintf("it wrote %q to standard output, where only the handshake may stand (rule P3)", first)
	case first != "" && parts[1] != strconv.Itoa(handshake.Version):
		what = fmt.Sprintf("it speaks version %s of the plugin protocol, and this program version %d", parts[1], handshake.Version)
	case first != "" && parts[4] != string(goplugin.ProtocolGRPC):
		what = fmt.Sprintf("it speaks %s, but a plugin must speak gRPC (rule P4)", parts[4])
	case cause != nil:
		what = cause.Error()
	case first == "":
		what = "it ended before the handshake"
	default:
		what = err.Error()
	}
	if cause == nil || first == "" {
		if how := p.ending(); how != "" {
			what += ": " + how
		}
	}
	return fmt.Errorf("%s: start %s: %s", label, cfg.Path, what)
}

// shortTempDir makes a folder in which a socket's path is short enough; that of a CI job's workspace often is not.
func shortTempDir() (string, error) {
	candidates := []string{os.TempDir()}
	if runtime.GOOS != "windows" {
		candidates = append(candidates, "/tmp", "/var/tmp")
	}
	var problems []error
	for _, dir := range candidates {
		if runtime.GOOS != "windows" && len(dir)+len(socketTail) > maxSocketPath {
			problems = append(problems, fmt.Errorf("the path %s is too long for a socket", dir))
			continue
		}
		made, err := os.MkdirTemp(dir, "rb")
		if err == nil {
			return filepath.Abs(made)
		}
		problems = append(problems, err)
	}
	return "", errors.Join(problems...)
}
