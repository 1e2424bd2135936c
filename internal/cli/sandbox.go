package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollback-project/rollback/internal/sandbox"
	"github.com/rollback-project/rollback/internal/view"
)

// sandboxStart is how long a sandbox may take to be there; it takes well under a second.
const sandboxStart = 60 * time.Second

type sandboxOptions struct {
	dir   string
	fail  []string
	today string
	speed float64
}

func newSandbox(g *global) *cobra.Command {
	var o sandboxOptions
	cmd := &cobra.Command{
		Use:     "sandbox",
		GroupID: "try",
		Short:   "A registry, a Marathon and a Slack receiver on loopback, to try everything",
		Long: `A registry, a Marathon and a Slack receiver on this machine, reachable from this machine only.

They hold four services (three backends and a frontend) in two environments, and a week of releases, in which
backend-b was not released yesterday. The Marathon is a test server of ours that behaves like one.`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&o.dir, "dir", sandbox.Dir, "the sandbox's `FOLDER`")
	up := &cobra.Command{
		Use:   "up",
		Short: "Start the sandbox, or change which releases fail in it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return sandboxUp(cmd.Context(), g, o) },
	}
	up.Flags().StringArrayVar(&o.fail, "fail", nil, "`APP@TAG` never becomes healthy; may be repeated")
	up.Flags().StringVar(&o.today, "today", "", "the `DATE` on which the history ends (default: today)")
	up.Flags().Float64Var(&o.speed, "speed", 1, "how much faster than usual apps start")
	serve := &cobra.Command{
		Use:    "serve",
		Short:  "Run the sandbox in the foreground",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return sandboxServe(cmd.Context(), g, o) },
	}
	serve.Flags().AddFlagSet(up.Flags())
	cmd.AddCommand(up, serve,
		&cobra.Command{
			Use:   "down",
			Short: "Stop the sandbox",
			Args:  cobra.NoArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return sandboxDown(cmd.Context(), g, o) },
		},
		&cobra.Command{
			Use:   "status",
			Short: "Say what runs in the sandbox",
			Args:  cobra.NoArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return sandboxStatus(cmd.Context(), g, o) },
		},
	)
	return cmd
}

func (o sandboxOptions) options(g *global) (sandbox.Options, error) {
	for _, f := range o.fail {
		if _, _, err := sandbox.ParseFail(f); err != nil {
			return sandbox.Options{}, usageError{err: err, cmd: "rollback sandbox up"}
		}
	}
	opts := sandbox.Options{Dir: g.path(o.dir), Fail: o.fail, Now: g.app.Now(), Speed: o.speed}
	if o.speed <= 0 {
		return sandbox.Options{}, usageError{err: fmt.Errorf("--speed is %g: it must be above 0", o.speed), cmd: "rollback sandbox up"}
	}
	if o.today != "" {
		day, err := time.Parse(time.DateOnly, o.today)
		if err != nil {
			return sandbox.Options{}, usageError{err: fmt.Errorf("--today %q: it must be a date such as 2019-06-03", o.today), cmd: "rollback sandbox up"}
		}
		opts.Now = day.Add(16 * time.Hour)
	}
	return opts, nil
}

func sandboxServe(ctx context.Context, g *global, o sandboxOptions) error {
	opts, err := o.options(g)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return sandbox.Serve(ctx, opts, func(s sandbox.State) { view.SandboxUp(g.app.Streams.Out, g.look(), sandboxView(s, nil)) })
}

func sandboxUp(ctx context.Context, g *global, o sandboxOptions) error {
	opts, err := o.options(g)
	if err != nil {
		return err
	}
	if s, err := sandbox.Find(ctx, opts.Dir); err == nil {
		if err := s.SetFail(ctx, o.fail); err != nil {
			return err
		}
		view.SandboxFail(g.app.Streams.Out, o.fail)
		return nil
	} else if !errors.Is(err, sandbox.ErrDown) {
		return err
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return fmt.Errorf("make the sandbox's folder: %w", err)
	}
	args := []string{"sandbox", "serve", "--dir", opts.Dir, "--today", o.today, "--speed", fmt.Sprint(o.speed)}
	for _, f := range o.fail {
		args = append(args, "--fail", f)
	}
	s, err := startSandbox(ctx, g, opts.Dir, args)
	if err != nil {
		return err
	}
	view.SandboxUp(g.app.Streams.Out, g.look(), sandboxView(s, nil))
	return nil
}

// errEnded says that the sandbox's process is gone.
var errEnded = errors.New("its process has ended")

// startSandbox starts the sandbox as a process of its own, and waits until it answers or ends.
func startSandbox(ctx context.Context, g *global, dir string, args []string) (sandbox.State, error) {
	logPath := filepath.Join(dir, "log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return sandbox.State{}, fmt.Errorf("open the sandbox's log: %w", err)
	}
	defer func() { _ = log.Close() }()         // the sandbox has it now
	child := exec.Command(g.app.Self, args...) //nolint:noctx // our own executable, which is to outlive this command
	child.Stdout, child.Stderr = log, log
	child.Dir = g.app.WorkDir
	detach(child)
	if err := child.Start(); err != nil {
		return sandbox.State{}, fmt.Errorf("start the sandbox: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, sandboxStart)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			text, _ := os.ReadFile(logPath)
			return sandbox.State{}, fmt.Errorf("start the sandbox: it ended at once: %w: %s", errors.Join(errEnded, err), text)
		case <-ctx.Done():
			return sandbox.State{}, errors.Join(fmt.Errorf("start the sandbox: %w", ctx.Err()), child.Process.Kill())
		case <-tick.C:
			if s, err := sandbox.Find(ctx, dir); err == nil {
				return s, nil
			}
		}
	}
}

func sandboxDown(ctx context.Context, g *global, o sandboxOptions) error {
	dir := g.path(o.dir)
	s, err := sandbox.Find(ctx, dir)
	if errors.Is(err, sandbox.ErrDown) {
		view.SandboxDown(g.app.Streams.Out, false)
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.Stop(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sandboxStart)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := sandbox.Find(ctx, dir); errors.Is(err, sandbox.ErrDown) {
			view.SandboxDown(g.app.Streams.Out, true)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stop the sandbox (process %d): %w", s.PID, ctx.Err())
		case <-tick.C:
		}
	}
}

func sandboxStatus(ctx context.Context, g *global, o sandboxOptions) error {
	s, err := sandbox.Find(ctx, g.path(o.dir))
	if errors.Is(err, sandbox.ErrDown) {
		view.SandboxDown(g.app.Streams.Out, false)
		return exit{ExitError}
	}
	if err != nil {
		return err
	}
	apps, err := s.Apps(ctx)
	if err != nil {
		return err
	}
	if g.json {
		return view.WriteJSON(g.app.Streams.Out, sandboxView(s, apps))
	}
	view.SandboxUp(g.app.Streams.Out, g.look(), sandboxView(s, apps))
	messages, err := s.Messages(ctx)
	if err != nil {
		return err
	}
	view.SandboxApps(g.app.Streams.Out, g.look(), sandboxView(s, apps))
	view.SandboxMessages(g.app.Streams.Out, messages)
	return nil
}

// sandboxView is what people may see of a sandbox: all but the token.
func sandboxView(s sandbox.State, apps []sandbox.App) view.Sandbox {
	v := view.Sandbox{FormatVersion: "1.0", PID: s.PID, Registry: s.Registry, Marathon: s.Marathon, Slack: s.Slack, Policy: s.Policy, Apps: []view.SandboxApp{}}
	for _, a := range apps {
		v.Apps = append(v.Apps, view.SandboxApp(a))
	}
	return v
}
