// Package handshake holds what host and plugin must agree on before they can
// speak to each other (docs/plugin-protocol.md, Handshake).
package handshake

import (
	"context"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Version is the version of the plugin protocol: rollback.plugin.v1.
const Version = 1

// CookieKey and CookieValue are the environment variable by which a plugin knows that a host has started it.
// They keep people from wondering about a silent process; they are no secret.
const (
	CookieKey   = "ROLLBACK_PLUGIN"
	CookieValue = "f0f1a1a2-rollback-plugin"
)

// EnvStdin is the variable that is Lifeline when standard input ends with the host.
const (
	EnvStdin = "ROLLBACK_PLUGIN_STDIN"
	Lifeline = "lifeline"
)

// EnvLog is the variable with the lowest level of log lines that the host wants.
const EnvLog = "ROLLBACK_PLUGIN_LOG"

// Name is the only entry of the plugin set; which kind it is, Describe says.
const Name = "rollback"

// Config is what go-plugin compares on both sides.
func Config() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{
		ProtocolVersion: Version, MagicCookieKey: CookieKey, MagicCookieValue: CookieValue,
	}
}

// Plugins is the plugin set of each protocol version; register is nil in the host.
func Plugins(register func(*grpc.Server)) map[int]goplugin.PluginSet {
	return map[int]goplugin.PluginSet{Version: {Name: &bridge{register: register}}}
}

// bridge is go-plugin's view of a plugin of ours.
type bridge struct {
	goplugin.NetRPCUnsupportedPlugin
	register func(*grpc.Server)
}

// GRPCServer registers the plugin's services.
func (b *bridge) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	b.register(s)
	return nil
}

// GRPCClient hands the connection to the host, who makes clients of it.
func (b *bridge) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}
