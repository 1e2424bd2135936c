package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
)

// protocol is the prefix of our calls; those of go-plugin itself are none of our business.
const protocol = "/rollback.plugin.v1."

// changing are the calls that may have changed something when they break off.
var changing = map[string]bool{
	pluginpb.OrchestratorService_Deploy_FullMethodName:  true,
	pluginpb.OrchestratorService_Restore_FullMethodName: true,
	pluginpb.OrchestratorService_Cancel_FullMethodName:  true,
}

// calls counts the calls that are under way.
type calls struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when count reaches 0; nil while nobody waits
}

func (c *calls) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
}

func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count--
	if c.count == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// Wait returns when no call is under way, or after the given time.
func (s *Server) Wait(limit time.Duration) {
	s.calls.mu.Lock()
	if s.calls.count == 0 {
		s.calls.mu.Unlock()
		return
	}
	if s.calls.idle == nil {
		s.calls.idle = make(chan struct{})
	}
	idle := s.calls.idle
	s.calls.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// BeforeFirst sets what runs once, before the first call reaches the author.
func (s *Server) BeforeFirst(do func()) { s.before = do }

func (s *Server) begin() {
	s.calls.begin()
	s.once.Do(s.before)
}

// Options are what a gRPC server needs to serve the plugin by the rules: bounded messages,
// a fault for each error, a fault for each panic, and no invalid text.
func (s *Server) Options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(wire.MaxMessage),
		grpc.MaxSendMsgSize(wire.MaxMessage),
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
	}
}

func (s *Server) unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (resp any, err error) {
	if !strings.HasPrefix(info.FullMethod, protocol) {
		return handler(ctx, req)
	}
	s.begin()
	defer s.calls.end()
	defer s.finish(info.FullMethod, &err)
	resp, err = handler(ctx, req)
	if m, ok := resp.(proto.Message); ok && err == nil {
		wire.Clean(m)
	}
	return resp, err
}

func (s *Server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	if !strings.HasPrefix(info.FullMethod, protocol) {
		return handler(srv, ss)
	}
	s.begin()
	defer s.calls.end()
	defer s.finish(info.FullMethod, &err)
	return handler(srv, cleanStream{ss})
}

// finish turns a panic into a fault (rule P22) and every error into a status with a fault (rule P25).
func (s *Server) finish(method string, err *error) {
	if cause := recover(); cause != nil {
		s.logger.Error("the plugin has a defect: panic", "call", method, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		code := fault.Internal
		if changing[method] {
			code = fault.Indeterminate
		}
		*err = fault.New(code, "the plugin has a defect: panic in %s: %v", method[strings.LastIndexByte(method, '/')+1:], cause)
	}
	*err = wire.EncodeError(*err)
}

// cleanStream cleans messages on their way out.
type cleanStream struct{ grpc.ServerStream }

// SendMsg sends a message without invalid text.
func (s cleanStream) SendMsg(m any) error {
	if msg, ok := m.(proto.Message); ok {
		wire.Clean(msg)
	}
	return s.ServerStream.SendMsg(m)
}
