// Package sdk is where a plugin's main function begins: it serves a plugin to the host that started the process.
//
// A plugin implements one of the interfaces in sdk/registry, sdk/orchestrator and
// sdk/notify in plain Go; its main function is one line:
//
//	func main() { sdk.ServeRegistry(harbor.Plugin()) }
//
// Everything that docs/plugin-protocol.md asks of the process – handshake, mutual
// TLS, logs, signals, the end of the host – is done here. docs/plugin-authors.md is the guide.
package sdk

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/rollback-project/rollback/sdk/internal/handshake"
	"github.com/rollback-project/rollback/sdk/internal/lifeline"
	"github.com/rollback-project/rollback/sdk/internal/server"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Calls that are under way get this long to end: after an orderly end, of which the host waits two seconds,
// and after the host's death (rule P5).
const (
	orderlyEnd = 1500 * time.Millisecond
	suddenEnd  = 400 * time.Millisecond
)

// ServeRegistry serves a registry plugin and returns when the host ends it. It is the only call of a main function.
// Started by hand, it explains itself on standard error and ends the process with status 1.
func ServeRegistry(p registry.Plugin) {
	serve(p.Describe, func(l hclog.Logger) *server.Server { return server.Registry(p, l) })
}

// ServeOrchestrator serves an orchestrator plugin; see ServeRegistry.
func ServeOrchestrator(p orchestrator.Plugin) {
	serve(p.Describe, func(l hclog.Logger) *server.Server { return server.Orchestrator(p, l) })
}

// ServeNotify serves a notifier plugin; see ServeRegistry.
func ServeNotify(p notify.Plugin) {
	serve(p.Describe, func(l hclog.Logger) *server.Server { return server.Notify(p, l) })
}

// serve is the whole life of a plugin's process.
//
//nolint:forbidigo // this is the plugin's main function: streams and exit code are its own
func serve(describe func() schema.Description, newServer func(hclog.Logger) *server.Server) {
	stderr := os.Stderr
	if os.Getenv(handshake.CookieKey) != handshake.CookieValue {
		explain(stderr, describe())
		os.Exit(1)
	}
	ignoreSignals()
	logger := newLogger(stderr)
	// Libraries that know only the standard logger are heard too, at the level that their prefix says.
	log.SetFlags(0)
	log.SetOutput(logger.StandardWriter(&hclog.StandardLoggerOptions{InferLevels: true}))

	s := newServer(logger)
	// What authors print goes to the log. By go-plugin's way, which replaces both streams by pipes through gRPC, the last
	// words of a plugin that dies would be lost.
	s.BeforeFirst(func() { os.Stdout, os.Stderr = stderr, stderr })
	var stdin io.Reader
	if os.Getenv(handshake.EnvStdin) == handshake.Lifeline {
		stdin = os.Stdin
	}
	gone := lifeline.Watch(stdin, os.Getppid, nil)
	go func() {
		<-gone
		s.Wait(suddenEnd) // the broken connection has cancelled the calls
		removeSocket(os.Getenv(goplugin.EnvUnixSocketDir), os.Getenv("TMPDIR"))
		os.Exit(1)
	}()

	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  handshake.Config(),
		VersionedPlugins: handshake.Plugins(s.Register),
		Logger:           quiet(logger),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, s.Options()...)...)
		},
	})
	s.Wait(orderlyEnd)
}

// explain tells a person who has started a plugin what it is for.
func explain(w io.Writer, d schema.Description) {
	fmt.Fprintf(w, `This is the %[1]s plugin %[2]q of rollback, version %[3]s. It does nothing by itself: rollback starts it.

To use it, put the executable, named rollback-%[1]s-%[2]s, into rollback's plugin folder or name its path in the policy:

  plugin %[1]q %[2]q { path = "./rollback-%[1]s-%[2]s" }

then run "rollback plugins lock" once, and "rollback plugins check" to see whether it works.
`, d.Kind, d.Name, d.Version)
}

// ignoreSignals leaves it to the host what Ctrl-C means (rule P6). The signals are taken and dropped, not ignored,
// so that programs which the plugin starts still hear them.
func ignoreSignals() {
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}

// newLogger writes JSON to w, at the level that the host wants.
func newLogger(w io.Writer) hclog.Logger {
	level := hclog.LevelFromString(os.Getenv(handshake.EnvLog))
	if level == hclog.NoLevel {
		level = hclog.Info
	}
	return hclog.New(&hclog.LoggerOptions{Level: level, Output: w, JSONFormat: true})
}

// quiet keeps go-plugin's remarks on its own workings out of logs, its errors excepted.
func quiet(l hclog.Logger) hclog.Logger {
	named := l.ResetNamed("go-plugin")
	if l.GetLevel() != hclog.Trace {
		named = hclog.New(&hclog.LoggerOptions{Level: hclog.Off})
	}
	return named
}

// removeSocket removes what go-plugin and the host made for this process; nobody else is left to do it.
func removeSocket(socketDir, tempDir string) {
	if strings.HasPrefix(filepath.Base(socketDir), "plugin-dir") {
		_ = os.RemoveAll(socketDir) //nolint:gosec // the host made the folder, for this process alone
	}
	if tempDir != "" && filepath.Dir(socketDir) == filepath.Clean(tempDir) {
		_ = os.Remove(tempDir) //nolint:gosec // the host made it as well, and it goes only if it is empty
	}
}
