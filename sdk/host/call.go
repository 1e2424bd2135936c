package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/internal/wire"
)

// errIdle ends a call in which the plugin gave nothing for too long.
var errIdle = errors.New("the plugin gives no answer")

// call is what the translation of errors must know about one call.
type call struct {
	// name is the RPC's.
	name string
	// changing calls may have changed something when they break off after their request was sent.
	changing bool
	// limit is how long the plugin may give nothing; 0 takes the idle timeout, below 0 is no limit.
	limit time.Duration
	// introduce asks for the plugin's name also in front of its own faults, where the caller does not say it.
	introduce bool
	// deployments are those that were accepted so far.
	deployments []string
}

// calls keeps track of what is under way, so that Close can end it.
type calls struct {
	mu      sync.Mutex
	closed  bool
	next    int
	cancels map[int]context.CancelCauseFunc
	wg      sync.WaitGroup
}

func newCalls() *calls { return &calls{cancels: map[int]context.CancelCauseFunc{}} }

// begin gives a call a context that Close cancels. end must be called.
func (c *calls) begin(ctx context.Context) (_ context.Context, end func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ctx, func() {}, false
	}
	// The caller's deadline stays here: a plugin that knew it could answer with its own idea of the end first.
	callCtx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	id := c.next
	c.next++
	c.cancels[id] = cancel
	c.wg.Add(1)
	return callCtx, func() {
		stop()
		cancel(nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.cancels, id)
		c.wg.Done()
	}, true
}

// close refuses new calls, cancels those under way and waits until they have read their streams to the end.
func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	for _, cancel := range c.cancels {
		cancel(ErrEnded)
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// sentKey marks the place in a call's context where sentWatch notes that its request has left.
type sentKey struct{}

// sentWatch notes when a call's request was handed to the connection. Before that, a broken connection means that
// the plugin has not seen the call; afterwards, nobody knows.
type sentWatch struct{}

// TagRPC changes nothing.
func (sentWatch) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC looks for requests that leave.
func (sentWatch) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.OutPayload); !ok {
		return
	}
	if sent, ok := ctx.Value(sentKey{}).(*atomic.Bool); ok {
		sent.Store(true)
	}
}

// TagConn changes nothing.
func (sentWatch) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (sentWatch) HandleConn(context.Context, stats.ConnStats) {}

// watchdog ends a call in which nothing happens.
type watchdog struct {
	limit time.Duration
	timer *time.Timer
}

// pause stops the clock while the host itself is at work; resume starts it again.
func (w *watchdog) pause() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watchdog) resume() {
	if w.timer != nil {
		w.timer.Reset(w.limit)
	}
}

// unary makes a call with one answer.
func (p *Plugin) unary(ctx context.Context, c call, do func(context.Context) error) error {
	return p.run(ctx, &c, func(ctx context.Context, _ *watchdog) error { return do(ctx) })
}

// run makes a call, and translates how it ended. do may add to c while it runs.
// An error that do has made itself, by own, is returned as it is.
func (p *Plugin) run(ctx context.Context, c *call, do func(context.Context, *watchdog) error) error {
	// A call that is cancelled already must not reach a plugin that would act first and look afterwards.
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %s: %w", p.cfg.label(), c.name, context.Cause(ctx))
	}
	callCtx, end, ok := p.calls.begin(ctx)
	if !ok {
		return &fault.Fault{
			Code: fault.Unavailable, Err: ErrEnded,
			Message: fmt.Sprintf("%s: %s: nothing was sent, the plugin is closed", p.cfg.label(), c.name),
		}
	}
	defer end()
	var sent atomic.Bool
	callCtx = context.WithValue(callCtx, sentKey{}, &sent)
	callCtx, cancel := context.WithCancelCause(callCtx)
	defer cancel(nil)
	dog := &watchdog{limit: c.limit}
	if dog.limit == 0 {
		dog.limit = p.cfg.IdleTimeout
	}
	if dog.limit > 0 {
		dog.timer = time.AfterFunc(dog.limit, func() { cancel(errIdle) })
		defer dog.timer.Stop()
	}
	log := p.cfg.Logger.Named(p.cfg.logName())
	log.Debug("call", "name", c.name)
	began := time.Now()
	err := do(callCtx, dog)
	var mine *ownError
	switch {
	case err == nil:
		log.Debug("call answered", "name", c.name, "took", time.Since(began))
		return nil
	case errors.As(err, &mine):
		err = mine.err
	default:
		err = p.translate(ctx, callCtx, *c, sent.Load(), err)
	}
	log.Debug("call failed", "name", c.name, "took", time.Since(began), "error", p.text(err.Error()))
	return err
}

// ownError is an error of the host's, on its way through run.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }

// own marks an error that run must not translate.
func own(err error) error {
	if err == nil {
		return nil
	}
	return &ownError{err}
}

// translate turns what gRPC says about a call into what the caller can decide by.
func (p *Plugin) translate(ctx, callCtx context.Context, c call, sent bool, err error) error {
	if f := wire.DecodeError(err); f != nil {
		if c.introduce {
			f.Message = fmt.Sprintf("%s: %s: %s", p.cfg.label(), c.name, f.Message)
		}
		return p.redacted(f)
	}
	unsure := c.changing && sent
	out := &fault.Fault{Code: fault.Internal}
	var what string
	switch {
	case ctx.Err() != nil:
		cause := context.Cause(ctx)
		if !unsure {
			return fmt.Errorf("%s: %s: %w", p.cfg.label(), c.name, cause)
		}
		what, out.Err = "the call was ended: "+cause.Error(), cause
	case errors.Is(context.Cause(callCtx), errIdle):
		limit := c.limit
		if limit == 0 {
			limit = p.cfg.IdleTimeout
		}
		what, out.Code = fmt.Sprintf("it has given no answer for %s", limit), fault.Unavailable
	case errors.Is(context.Cause(callCtx), ErrEnded):
		what, out.Code, out.Err = "the plugin was closed", fault.Unavailable, ErrEnded
	case status.Code(err) == codes.Unimplemented:
		what, out.Code, unsure = "it does not know this call", fault.Unsupported, false
	default:
		what = status.Convert(err).Message()
		if how := p.end(); how != "" {
			what, out.Code, out.Err = how, fault.Unavailable, ErrEnded
		} else if status.Code(err) == codes.Unavailable {
			out.Code = fault.Unavailable
		}
	}
	if unsure {
		out.Code, out.Deployments = fault.Indeterminate, c.deployments
		out.Hint = "Read the apps back before anything else is done: the request was sent, and its outcome is unknown."
	}
	out.Message = p.text(fmt.Sprintf("%s: %s: %s", p.cfg.label(), c.name, what))
	return out
}

// redacted takes secrets out of a fault.
func (p *Plugin) redacted(f *fault.Fault) *fault.Fault {
	f.Message, f.Subject, f.Hint = p.text(f.Message), p.text(f.Subject), p.text(f.Hint)
	return f
}

// text is what a plugin said, without secrets and control characters.
func (p *Plugin) text(s string) string { return printable(p.cfg.Redactor.String(s)) }
