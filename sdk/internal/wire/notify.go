package wire

import (
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/notify"
)

// EncodeNotify translates one event of an operation.
func EncodeNotify(r notify.Request) *pluginpb.NotifyRequest {
	return &pluginpb.NotifyRequest{
		Kind: string(r.Kind), OperationId: r.OperationID, Environment: r.Environment, Point: r.Point,
		Operator: r.Operator, Approver: r.Approver, Reason: r.Reason, Ticket: r.Ticket, Link: r.Link, Host: r.Host,
		Changes: each(r.Changes, EncodeNotifyChange), Kept: r.Kept, Message: r.Message, StopHint: r.StopHint,
		At: encodeTime(r.At), StartedAt: encodeTime(r.StartedAt), Thread: r.Thread,
	}
}

// DecodeNotify translates one event of an operation back.
func DecodeNotify(r *pluginpb.NotifyRequest) notify.Request {
	return notify.Request{
		Kind: notify.Kind(r.GetKind()), OperationID: r.GetOperationId(), Environment: r.GetEnvironment(),
		Point: r.GetPoint(), Operator: r.GetOperator(), Approver: r.GetApprover(), Reason: r.GetReason(),
		Ticket: r.GetTicket(), Link: r.GetLink(), Host: r.GetHost(), Changes: each(r.GetChanges(), DecodeNotifyChange),
		Kept: r.GetKept(), Message: r.GetMessage(), StopHint: r.GetStopHint(),
		At: decodeTime(r.GetAt()), StartedAt: decodeTime(r.GetStartedAt()), Thread: r.GetThread(),
	}
}

// EncodeNotifyChange translates one app's change.
func EncodeNotifyChange(c notify.Change) *pluginpb.NotifyChange {
	return &pluginpb.NotifyChange{
		Repo: c.Repo, App: c.App, Action: c.Action, FromTag: c.FromTag, ToTag: c.ToTag, Reason: c.Reason, State: c.State,
	}
}

// DecodeNotifyChange translates one app's change back.
func DecodeNotifyChange(c *pluginpb.NotifyChange) notify.Change {
	return notify.Change{
		Repo: c.GetRepo(), App: c.GetApp(), Action: c.GetAction(), FromTag: c.GetFromTag(), ToTag: c.GetToTag(),
		Reason: c.GetReason(), State: c.GetState(),
	}
}

// EncodeNotified translates what was told.
func EncodeNotified(r notify.Result) *pluginpb.NotifyResponse {
	return &pluginpb.NotifyResponse{Thread: r.Thread, Link: r.Link}
}

// DecodeNotified translates what was told back.
func DecodeNotified(r *pluginpb.NotifyResponse) notify.Result {
	return notify.Result{Thread: r.GetThread(), Link: r.GetLink()}
}
