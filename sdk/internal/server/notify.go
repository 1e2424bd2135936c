package server

import (
	"context"

	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/notify"
)

// notifyService serves NotifyService.
type notifyService struct {
	pluginpb.UnimplementedNotifyServiceServer
	*core[notify.Notifier]
}

// Notify serves one event.
func (s *notifyService) Notify(ctx context.Context, req *pluginpb.NotifyRequest) (*pluginpb.NotifyResponse, error) {
	object, err := s.use()
	if err != nil {
		return nil, err
	}
	told, err := object.Notify(ctx, wire.DecodeNotify(req))
	if err != nil {
		return nil, err
	}
	return wire.EncodeNotified(told), nil
}
