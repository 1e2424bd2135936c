package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/schema"
)

// validate asks for everything that is wrong with a configuration. A plugin that cannot say is a diagnostic itself.
func (p *Plugin) validate(cfg schema.Config) diag.Diagnostics {
	p.learnSecrets(cfg)
	var resp *pluginpb.ValidateConfigResponse
	err := p.unary(p.offline(), call{name: "ValidateConfig", limit: p.cfg.CallTimeout, introduce: true}, func(ctx context.Context) (err error) {
		resp, err = p.plugin.ValidateConfig(ctx, &pluginpb.ValidateConfigRequest{Config: wire.EncodeConfig(cfg)})
		return err
	})
	if err != nil {
		return diag.Diagnostics{diag.Errorf("Plugin cannot check its configuration", "%s.", err)}
	}
	ds := wire.DecodeDiagnostics(resp.GetDiagnostics())
	for i := range ds {
		ds[i] = p.diagnostic(ds[i])
	}
	return ds
}

// configure hands over a configuration.
func (p *Plugin) configure(ctx context.Context, cfg schema.Config, rt schema.Runtime) error {
	p.learnSecrets(cfg)
	return p.unary(ctx, call{name: "Configure", limit: p.cfg.CallTimeout}, func(ctx context.Context) error {
		_, err := p.plugin.Configure(ctx, wire.EncodeRuntime(cfg, rt))
		return err
	})
}

// probe looks at the remote system.
func (p *Plugin) probe(ctx context.Context) (schema.ProbeResult, error) {
	var resp *pluginpb.ProbeResponse
	err := p.unary(ctx, call{name: "Probe"}, func(ctx context.Context) (err error) {
		resp, err = p.plugin.Probe(ctx, &pluginpb.ProbeRequest{})
		return err
	})
	if err != nil {
		return schema.ProbeResult{}, err
	}
	found := wire.DecodeProbe(resp)
	found.System, found.Identity = p.text(found.System), p.text(found.Identity)
	for i := range found.Notes {
		found.Notes[i] = p.text(found.Notes[i])
	}
	return found, nil
}

// diagnostic takes secrets out of a diagnostic.
func (p *Plugin) diagnostic(d diag.Diagnostic) diag.Diagnostic {
	d.Summary, d.Detail, d.Address = p.text(d.Summary), p.text(d.Detail), p.text(d.Address)
	return d
}

// learnSecrets adds the values of sensitive attributes to what is redacted.
func (p *Plugin) learnSecrets(cfg schema.Config) {
	var values map[string]any
	decoder := json.NewDecoder(bytes.NewReader(cfg.JSON))
	decoder.UseNumber()
	if decoder.Decode(&values) != nil {
		return // the plugin will say what is wrong with it
	}
	p.cfg.Redactor.Add(secretsOf(p.description.Schema.Attributes, values)...)
	for _, b := range p.description.Schema.Blocks {
		blocks, isList := values[b.Name].([]any)
		if !isList {
			blocks = []any{values[b.Name]}
		}
		for _, block := range blocks {
			if inner, ok := block.(map[string]any); ok {
				p.cfg.Redactor.Add(secretsOf(b.Attributes, inner)...)
			}
		}
	}
}

// secretsOf lists the texts in the sensitive attributes, however deep they are.
func secretsOf(attributes []schema.Attribute, values map[string]any) []string {
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case nil, bool:
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		default:
			out = append(out, fmt.Sprint(v))
		}
	}
	for _, a := range attributes {
		if a.Sensitive {
			walk(values[a.Name])
		}
	}
	return out
}
