package conformance

import (
	"context"

	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// OfExecutable makes a target of an executable in any language: every check starts processes of its own.
// Kind, Name and Path of cfg are needed; its Logger and Redactor are the suite's.
func OfExecutable(cfg host.Config) Target {
	return OfHost(cfg.Kind, func(ctx context.Context, log hclog.Logger) (*host.Plugin, error) {
		cfg := cfg
		cfg.Logger, cfg.Redactor = log, nil
		return host.Start(ctx, cfg)
	})
}

// OfHost makes a target of plugins that sdk/host reaches in whichever way start chooses. The checks close them.
func OfHost(kind schema.Kind, start func(ctx context.Context, log hclog.Logger) (*host.Plugin, error)) Target {
	t := Target{redacted: true}
	switch kind {
	case schema.Registry:
		t.Registry = hosted(start, func(p *host.Plugin) registry.Plugin { return p.Registry() })
	case schema.Orchestrator:
		t.Orchestrator = hosted(start, func(p *host.Plugin) orchestrator.Plugin { return p.Orchestrator() })
	case schema.Notify:
		t.Notify = hosted(start, func(p *host.Plugin) notify.Plugin { return p.Notify() })
	}
	return t
}

func hosted[P any](
	start func(context.Context, hclog.Logger) (*host.Plugin, error), as func(*host.Plugin) P,
) func(context.Context, hclog.Logger) (P, func(), error) {
	return func(ctx context.Context, log hclog.Logger) (P, func(), error) {
		p, err := start(ctx, log)
		if err != nil {
			var none P
			return none, nil, err
		}
		return as(p), p.Close, nil
	}
}
