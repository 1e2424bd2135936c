// Command rollback takes a set of services back to an earlier release, together.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"syscall"
	"time"

	"github.com/rollback-project/rollback/internal/ansible"
	"github.com/rollback-project/rollback/internal/buildinfo"
	"github.com/rollback-project/rollback/internal/cli"
	"github.com/rollback-project/rollback/internal/term"
	notifyfile "github.com/rollback-project/rollback/plugins/notify-file/notifyfile"
	"github.com/rollback-project/rollback/plugins/notify-slack/notifyslack"
	"github.com/rollback-project/rollback/plugins/orchestrator-file/orchestratorfile"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/orchestratormarathon"
	"github.com/rollback-project/rollback/plugins/registry-docker/registrydocker"
	"github.com/rollback-project/rollback/plugins/registry-file/registryfile"
	"github.com/rollback-project/rollback/sdk"
)

// builtins are the plugins inside this executable. Each still runs as a process of its own.
var builtins = map[string]func(){
	"registry-docker":       func() { sdk.ServeRegistry(registrydocker.Plugin()) },
	"registry-file":         func() { sdk.ServeRegistry(registryfile.Plugin()) },
	"orchestrator-marathon": func() { sdk.ServeOrchestrator(orchestratormarathon.Plugin()) },
	"orchestrator-file":     func() { sdk.ServeOrchestrator(orchestratorfile.Plugin()) },
	"notify-slack":          func() { sdk.ServeNotify(notifyslack.Plugin()) },
	"notify-file":           func() { sdk.ServeNotify(notifyfile.Plugin()) },
}

func main() { os.Exit(run(os.Args)) }

// run is main with the exit code as its result. A plugin is served before any flag is parsed.
func run(args []string) int {
	if len(args) == 3 && args[1] == "serve-plugin" {
		return servePlugin(args[2])
	}
	app, err := newApp()
	if err != nil {
		fmt.Fprintf(os.Stderr, "Error: %s\n", err)
		return cli.ExitError
	}
	if file, ok := ansible.Called(args[1:]); ok {
		return ansible.Run(context.Background(), app, file)
	}
	return cli.Run(context.Background(), app, args[1:])
}

// newApp is what a command needs of this process.
func newApp() (*cli.App, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find our own executable: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the current folder: %w", err)
	}
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	return &cli.App{
		Streams:    term.New(os.Stdin, os.Stdout, os.Stderr, os.Getenv),
		Build:      buildinfo.Read(),
		Self:       self,
		Builtins:   builtinNames(),
		Environ:    os.Environ(),
		WorkDir:    dir,
		Interrupts: interrupts,
		Now:        time.Now,
	}, nil
}

func servePlugin(name string) int {
	serve, ok := builtins[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "Error: there is no built-in plugin %q.\n", name)
		return cli.ExitError
	}
	serve()
	return cli.ExitDone
}

func builtinNames() []string {
	names := make([]string, 0, len(builtins))
	for name := range builtins {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
