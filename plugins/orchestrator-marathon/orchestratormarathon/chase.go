package orchestratormarathon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/rollout"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// chase is the following of deployments until every app has arrived.
type chase struct {
	operation string
	targets   []*target
	timeout   time.Duration
	began     time.Time
	accepted  []orchestrator.Accepted
	emit      func(orchestrator.Event)
	memory    *memory
}

// target is one app that is followed, and what was told of it.
type target struct {
	*rollout.Target
	told orchestrator.Progress
	done bool
}

func (s *server) newChase(operation string, goals []goal, timeout time.Duration, emit func(orchestrator.Event)) *chase {
	c := &chase{operation: operation, timeout: timeout, began: s.now(), emit: emit, memory: s.memory}
	for _, g := range goals {
		c.targets = append(c.targets, &target{Target: rollout.NewTarget(g.app, g.images)})
	}
	return c
}

// accept tells of a deployment that was accepted, now or before.
func (c *chase) accept(a orchestrator.Accepted) {
	c.accepted = append(c.accepted, a)
	for _, t := range c.targets {
		if slices.Contains(a.Apps, t.App) {
			t.Deployed = true
		}
	}
	c.emit(orchestrator.Event{Accepted: &a})
}

// acceptNow tells of a deployment that was accepted just now, and remembers it.
func (c *chase) acceptNow(a orchestrator.Accepted, version string) {
	if a.DeploymentID == "" {
		a.DeploymentID = byVersion + version
	}
	c.memory.keep(c.operation, a)
	c.accept(a)
}

func (c *chase) deploymentIDs() []string {
	var ids []string
	for _, a := range c.accepted {
		ids = append(ids, a.DeploymentID)
	}
	return ids
}

func (c *chase) log(level, app, format string, args ...any) {
	c.emit(orchestrator.Event{Log: &orchestrator.Log{Level: level, App: app, Message: fmt.Sprintf(format, args...)}})
}

// look reads what a verdict needs, for the targets that are open.
func (s *server) look(ctx context.Context, c *chase) (*rollout.View, error) {
	var open []string
	for _, t := range c.targets {
		if !t.done {
			open = append(open, t.App)
		}
	}
	v := &rollout.View{Queue: map[string]marathon.Queued{}, At: s.now()}
	var err error
	// The deployments first: what has ended by now has left its mark on the apps that are read after.
	if v.Deployments, err = s.client.Deployments(ctx); err != nil {
		return nil, err
	}
	for _, d := range v.Deployments {
		s.memory.seen(d.ID)
	}
	if len(open) == 0 {
		return v, nil
	}
	if v.Specs, err = s.specs(ctx, open); err != nil {
		return nil, err
	}
	queue, err := s.client.Queue(ctx)
	switch {
	case fault.Is(err, fault.PermissionDenied):
		// It only helps to explain.
	case err != nil:
		return nil, err
	}
	for _, q := range queue {
		v.Queue[q.ID] = q
	}
	return v, nil
}

// overtime is how much longer than the time limit a look may take, with all of its repetitions.
const overtime = 5 * time.Second

// lookInTime looks, and gives the look up when the time limit has passed.
func (s *server) lookInTime(ctx context.Context, c *chase) (*rollout.View, error) {
	if c.timeout <= 0 {
		return s.look(ctx, c)
	}
	short, cancel := context.WithTimeout(ctx, max(0, c.timeout-s.now().Sub(c.began))+overtime)
	defer cancel()
	v, err := s.look(short, c)
	if err != nil && ctx.Err() == nil && short.Err() != nil {
		return nil, fault.New(fault.Unavailable, "Marathon at %s does not answer in time", s.client.URL())
	}
	return v, err
}

// settleFor is how long an own deployment may stay listed after all of its apps are healthy.
const settleFor = 30 * time.Second

// follow looks until every app is healthy, one has failed, or time is up.
func (s *server) follow(ctx context.Context, c *chase) error {
	inner, stop := context.WithCancel(ctx)
	wake, finished := s.listen(inner, c)
	defer func() { stop(); <-finished }()
	var blind blindness
	var settled time.Time
	for {
		v, err := s.lookInTime(ctx, c)
		if ctx.Err() != nil {
			return c.left(ctx)
		}
		if err != nil {
			if err := blind.tolerate(err, c); err != nil {
				return err
			}
			if c.late(s.now()) && !c.arrived() {
				return c.unknown(err)
			}
		} else {
			blind.over(c)
			if err := s.tell(c, v); err != nil {
				return err
			}
			if c.arrived() {
				if settled.IsZero() {
					settled = s.now()
				}
				if s.ended(c, v, settled) {
					c.emit(orchestrator.Event{Completed: &orchestrator.Completed{}})
					return nil
				}
			}
		}
		if s.pause(ctx, s.nextLook(c), wake) != nil {
			return c.left(ctx)
		}
	}
}

// tell judges every open target, and emits what is new. The error is the fault of the first app that failed.
func (s *server) tell(c *chase, v *rollout.View) error {
	late := c.late(v.At)
	var failed *fault.Fault
	for _, t := range c.targets {
		if t.done {
			continue
		}
		j := t.Judge(v, s.crashes)
		if j.Fault == nil && !j.Done && late {
			j.Fault = t.slow(c.timeout, j.Message)
		}
		switch {
		case j.Fault != nil:
			c.emit(orchestrator.Event{AppFailed: &orchestrator.AppFailed{App: t.App, Fault: j.Fault}})
			if failed == nil {
				failed = j.Fault
			}
		case j.Done:
			t.done = true
			image, _ := v.Specs[t.App].Image(t.Images[0].Container)
			if j.Message != "" {
				c.log("info", t.App, "%s", j.Message)
			}
			c.emit(orchestrator.Event{AppHealthy: &orchestrator.AppHealthy{App: t.App, Image: image}})
		default:
			news := orchestrator.Progress{App: t.App, Ready: min(j.Ready, j.Total), Total: j.Total, Message: j.Message}
			if t.told != news {
				t.told = news
				c.emit(orchestrator.Event{Progress: &news})
			}
		}
	}
	if failed != nil {
		return failed
	}
	return nil
}

// slow is the fault of an app that has not arrived in time.
func (t *target) slow(timeout time.Duration, why string) *fault.Fault {
	return fault.New(fault.Unhealthy, "app %s was not healthy within %s: %s", t.App, timeout, why).On(t.App)
}

func (c *chase) arrived() bool {
	return !slices.ContainsFunc(c.targets, func(t *target) bool { return !t.done })
}

func (c *chase) late(now time.Time) bool { return c.timeout > 0 && now.Sub(c.began) >= c.timeout }

// ended reports whether our deployments have let go of their apps, or have had time enough to.
func (s *server) ended(c *chase, v *rollout.View, settled time.Time) bool {
	var open []string
	for _, d := range v.Deployments {
		if slices.Contains(c.deploymentIDs(), d.ID) {
			open = append(open, d.ID)
		}
	}
	if len(open) == 0 {
		return true
	}
	if c.late(v.At) || v.At.Sub(settled) >= settleFor {
		c.log("warn", "", "every app is healthy, but deployment %s is still listed", strings.Join(open, ", "))
		return true
	}
	return false
}

// nextLook is the time between two looks, or what is left of the time limit.
func (s *server) nextLook(c *chase) time.Duration {
	if c.timeout <= 0 {
		return s.poll
	}
	return max(min(s.poll, c.timeout-s.now().Sub(c.began)), time.Millisecond)
}

// left is the error of a call that was cancelled: the deployments go on.
func (c *chase) left(ctx context.Context) error {
	if len(c.accepted) == 0 {
		return ctx.Err()
	}
	return fmt.Errorf("the following of deployment %s was ended; it goes on: %w", strings.Join(c.deploymentIDs(), ", "), ctx.Err())
}

// unknown is the error when Marathon cannot be asked at the end of the time limit.
func (c *chase) unknown(cause error) error {
	f := fault.New(fault.Indeterminate, "what became of the apps is not known after %s: %w", c.timeout, cause)
	f.Deployments = c.deploymentIDs()
	return f
}

// blindness is a time in which Marathon cannot be asked.
type blindness struct {
	told bool
}

// tolerate keeps a fault that may pass, such as a change of leader, and returns one that will not.
func (b *blindness) tolerate(err error, c *chase) error {
	f := fault.Of(err)
	if f == nil {
		return err
	}
	switch f.Code {
	case fault.Unauthenticated, fault.PermissionDenied, fault.Unsupported, fault.Invalid:
		if len(c.accepted) == 0 {
			return err
		}
		g := *f
		g.Message += "; deployment " + strings.Join(c.deploymentIDs(), ", ") + " goes on unwatched"
		g.Deployments = c.deploymentIDs()
		return &g
	}
	if len(c.accepted) == 0 && c.timeout <= 0 {
		return err
	}
	if !b.told {
		b.told = true
		c.log("warn", "", "Marathon cannot be asked, and is asked again: %s", f.Message)
	}
	return nil
}

// over notes that Marathon answers.
func (b *blindness) over(c *chase) {
	if b.told {
		c.log("info", "", "Marathon answers again")
	}
	*b = blindness{}
}
