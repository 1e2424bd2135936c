package notifyslack

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/notify"
)

// Slack takes about one message a second in a channel, and some fifty edits a minute. Progress that comes faster is
// gathered: it goes out with the next message.
const (
	postEvery = time.Second
	editEvery = 3 * time.Second
	// maxOperations bounds the operations whose pace is kept; a process of the plugin serves one or a few.
	maxOperations = 64
)

// notifier is a configured plugin: with a bot or with a webhook.
type notifier struct {
	opts     Options
	log      hclog.Logger
	mentions string
	channel  string
	secrets  secrets
	bot      *bot
	hook     *webhook

	mu         sync.Mutex
	operations map[string]*operation
}

// operation is the pace of one operation's messages. Only the goroutine that tells about the operation uses it.
type operation struct {
	posted, edited time.Time
	waiting        []string
}

// Notify implements notify.Notifier.
func (n *notifier) Notify(ctx context.Context, req notify.Request) (notify.Result, error) {
	if err := ctx.Err(); err != nil {
		return notify.Result{}, err
	}
	w := writer{mentions: n.mentions, secrets: n.secrets}
	if n.hook != nil {
		if req.Kind == notify.Progress {
			return notify.Result{}, nil
		}
		return notify.Result{}, n.hook.post(ctx, w.root(req))
	}
	op := n.operation(req)
	t, ok := n.thread(req.Thread)
	if !ok {
		return n.begin(ctx, w, req, op)
	}
	return n.goOn(ctx, w, req, op, t)
}

// operation finds the pace of the request's operation; what ends is forgotten.
func (n *notifier) operation(req notify.Request) *operation {
	n.mu.Lock()
	defer n.mu.Unlock()
	op := n.operations[req.OperationID]
	if op == nil {
		op = &operation{}
		if len(n.operations) >= maxOperations {
			clear(n.operations)
		}
		n.operations[req.OperationID] = op
	}
	switch req.Kind {
	case notify.Succeeded, notify.Restored, notify.NeedsPerson, notify.Interrupted:
		delete(n.operations, req.OperationID)
	}
	return op
}

// thread reads the handle. One that leads to another channel than the policy's is not followed.
func (n *notifier) thread(handle string) (thread, bool) {
	t, ok := parseThread(handle)
	if !ok || channelID.MatchString(n.channel) && n.channel != t.channel {
		return thread{}, false
	}
	return t, true
}

// begin posts the operation's message: the first, or a new one when the first is gone. It stands in the channel,
// so that a failure needs no further message there.
func (n *notifier) begin(ctx context.Context, w writer, req notify.Request, op *operation) (notify.Result, error) {
	t, err := n.bot.post(ctx, w.root(req), thread{}, false)
	if err != nil {
		return notify.Result{}, err
	}
	now := n.opts.Now()
	*op = operation{posted: now, edited: now}
	return notify.Result{Thread: t.String()}, nil
}

// goOn edits the operation's message and answers in its thread.
func (n *notifier) goOn(ctx context.Context, w writer, req notify.Request, op *operation, t thread) (notify.Result, error) {
	same := notify.Result{Thread: req.Thread}
	now := n.opts.Now()
	if req.Kind != notify.Progress || now.Sub(op.edited) >= editEvery {
		err := n.bot.edit(ctx, w.root(req), t)
		switch {
		case gone(err):
			return n.begin(ctx, w, req, op)
		case err != nil && (ctx.Err() != nil || fault.Is(err, fault.Unauthenticated)):
			return notify.Result{}, err
		case err != nil:
			// The answer in the thread says the same; if it cannot be posted either, that is reported.
			n.log.Warn("the operation's message in Slack is not up to date", "error", err.Error())
		default:
			op.edited = now
		}
	}
	if req.Kind == notify.Progress {
		if text := strings.TrimSpace(req.Message); text != "" {
			op.waiting = append(op.waiting, req.Message)
		}
		if len(op.waiting) == 0 || now.Sub(op.posted) < postEvery {
			return same, nil
		}
	}
	said := op.waiting
	if req.Kind != notify.Progress {
		n.flush(ctx, w, req, op, t)
		said = []string{req.Message}
	}
	_, err := n.bot.post(ctx, w.reply(req, said), t, broken(req.Kind))
	if gone(err) {
		return n.begin(ctx, w, req, op)
	}
	if err != nil {
		return notify.Result{}, err
	}
	op.posted, op.waiting = n.opts.Now(), nil
	return same, nil
}

// flush tells what progress is still waiting, before the news that matter more. If it cannot be told, the edited
// message shows it all the same.
func (n *notifier) flush(ctx context.Context, w writer, req notify.Request, op *operation, t thread) {
	if len(op.waiting) == 0 {
		return
	}
	req.Kind = notify.Progress
	if _, err := n.bot.post(ctx, w.reply(req, op.waiting), t, false); err != nil {
		n.log.Debug("progress was not told", "error", err.Error())
	}
	op.waiting = nil
}
