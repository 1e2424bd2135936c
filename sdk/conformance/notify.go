package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/schema"
)

// notifyChecks are those for notifiers. What they tell can be seen only by who they tell it to.
func notifyChecks() []check {
	return []check{
		{"notify/every-kind-is-told", []string{"N1"}, "Each event of an operation must reach people: above all the last ones.", everyKind},
		{"notify/unknown-kind-is-told", []string{"N2"}, "A newer host tells of kinds that an older plugin does not know; they are told with their message.", unknownKind},
		{"notify/bare-event-is-told", []string{"N3"}, "Most fields may be empty.", bareEvent},
		{"notify/thread-handle", []string{"N4", "P23"}, "The handle keeps an operation's messages together; who has no threads returns none.", threadHandle},
		{"notify/unknown-thread-begins-a-new-one", []string{"N4"}, "A channel may have been cleaned up in between: the event is told all the same.", unknownThread},
		{"notify/long-message-is-cut", []string{"N6"}, "A rollback of a hundred apps has a long message; it is cut, not lost.", longMessage},
		{"notify/cancelled-call-ends", []string{"P18"}, "Ctrl-C must work: a cancelled call ends within two seconds, with an error.", cancelledNotify},
	}
}

var eventKinds = []notify.Kind{
	notify.Started, notify.Progress, notify.Succeeded, notify.Failed, notify.Restored, notify.NeedsPerson, notify.Interrupted,
}

func (s *session) event(kind notify.Kind) notify.Request {
	s.operations++
	now := time.Now()
	return notify.Request{
		Kind: kind, OperationID: fmt.Sprintf("conformance-%d-%d", now.UnixNano(), s.operations),
		Environment: "conformance", Point: "2019-06-01", Operator: "conformance suite", Host: "localhost",
		Reason: "a check <of> the *plugin* & its \x1b[31mescapes", Ticket: "OPS-1",
		Changes: []notify.Change{{Repo: "backend-a", App: "/ds/prod/backend-a", Action: "rollback", FromTag: "13-master", ToTag: "12-master", Reason: "released", State: "pending"}},
		Kept:    []string{"frontend: nothing older"},
		Message: "This message was sent by a check of the plugin.", StopHint: "Nothing is to be stopped.",
		At: now, StartedAt: now.Add(-time.Minute),
	}
}

func (s *session) notify(ctx context.Context, n notify.Notifier, req notify.Request) (notify.Result, error) {
	res, err := n.Notify(ctx, req)
	if s.hear(err) != nil {
		return res, fmt.Errorf("notify %s: %w", req.Kind, err)
	}
	return res, nil
}

func everyKind(ctx context.Context, s *session) error {
	n, err := s.notifier(ctx)
	if err != nil {
		return err
	}
	req := s.event(notify.Started)
	for _, kind := range eventKinds {
		req.Kind = kind
		res, err := s.notify(ctx, n, req)
		if err != nil {
			return err
		}
		req.Thread = res.Thread
	}
	return nil
}

func unknownKind(ctx context.Context, s *session) error {
	n, err := s.notifier(ctx)
	if err != nil {
		return err
	}
	_, err = s.notify(ctx, n, s.event("a-kind-of-the-future"))
	return err
}

func bareEvent(ctx context.Context, s *session) error {
	n, err := s.notifier(ctx)
	if err != nil {
		return err
	}
	full := s.event(notify.Started)
	_, err = s.notify(ctx, n, notify.Request{Kind: notify.Started, OperationID: full.OperationID, Environment: "conformance", At: full.At})
	return err
}

func threadHandle(ctx context.Context, s *session) error {
	n, err := s.notifier(ctx)
	if err != nil {
		return err
	}
	threads := s.description.Has(schema.Threads)
	req := s.event(notify.Started)
	first, err := n.Notify(ctx, req)
	if s.hear(err) != nil {
		return skip("the first event is not told: %v", err)
	}
	if threads != (first.Thread != "") {
		return fmt.Errorf("the capability threads is declared: %v; the handle is %q", threads, first.Thread)
	}
	if !threads {
		return nil
	}
	req.Kind, req.Thread = notify.Succeeded, first.Thread
	second, err := n.Notify(ctx, req)
	if s.hear(err) != nil {
		return fmt.Errorf("notify in the thread %q: %w", first.Thread, err)
	}
	if second.Thread != first.Thread {
		return fmt.Errorf("the second event of the operation is in thread %q, the first in %q", second.Thread, first.Thread)
	}
	return nil
}

func unknownThread(ctx context.Context, s *session) error {
	if !s.description.Has(schema.Threads) {
		return skip("the plugin has no threads")
	}
	n, err := s.notifier(ctx)
	if err != nil {
		return err
	}
	req := s.event(notify.Failed)
	req.Thread = "a-thread-that-is-gone"
	_, err = s.notify(ctx, n, req)
	return err
}

func longMessage(ctx context.Context, s *session) error {
	n, err := s.notifier(ctx)
	if err != nil {
		return err
	}
	req := s.event(notify.Failed)
	req.Message = strings.Repeat("A long message – with umlauts: äöü. ", 3000)
	for i := range 200 {
		req.Changes = append(req.Changes, notify.Change{Repo: fmt.Sprintf("repo-%d", i), App: fmt.Sprintf("/ds/prod/repo-%d", i), Action: "rollback", FromTag: "2-master", ToTag: "1-master"})
	}
	_, err = s.notify(ctx, n, req)
	return err
}

func cancelledNotify(ctx context.Context, s *session) error {
	n, err := s.notifier(ctx)
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if late := promptly(grace, "a cancelled Notify", func() { _, err = n.Notify(cancelled, s.event(notify.Progress)) }); late != nil {
		return late
	}
	if err == nil {
		return errors.New("a cancelled Notify reports success")
	}
	return nil
}
