package wire

import (
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/schema"
)

// EncodeKind translates a kind of plugin.
func EncodeKind(k schema.Kind) pluginpb.PluginKind {
	switch k {
	case schema.Registry:
		return pluginpb.PluginKind_PLUGIN_KIND_REGISTRY
	case schema.Orchestrator:
		return pluginpb.PluginKind_PLUGIN_KIND_ORCHESTRATOR
	case schema.Notify:
		return pluginpb.PluginKind_PLUGIN_KIND_NOTIFY
	}
	return pluginpb.PluginKind_PLUGIN_KIND_UNSPECIFIED
}

// DecodeKind translates a kind back; an unknown one becomes "".
func DecodeKind(k pluginpb.PluginKind) schema.Kind {
	switch k {
	case pluginpb.PluginKind_PLUGIN_KIND_REGISTRY:
		return schema.Registry
	case pluginpb.PluginKind_PLUGIN_KIND_ORCHESTRATOR:
		return schema.Orchestrator
	case pluginpb.PluginKind_PLUGIN_KIND_NOTIFY:
		return schema.Notify
	case pluginpb.PluginKind_PLUGIN_KIND_UNSPECIFIED:
	}
	return ""
}

// EncodeDescription translates a description; it errs on a schema that cannot be written down.
func EncodeDescription(d schema.Description) (*pluginpb.DescribeResponse, error) {
	s, err := EncodeSchema(d.Schema)
	if err != nil {
		return nil, err
	}
	return &pluginpb.DescribeResponse{
		Kind:         EncodeKind(d.Kind),
		Name:         d.Name,
		Version:      d.Version,
		Doc:          d.Doc,
		Schema:       s,
		Capabilities: texts[string](d.Capabilities),
	}, nil
}

// DecodeDescription translates a description back; it errs on a schema that makes no sense.
func DecodeDescription(d *pluginpb.DescribeResponse) (schema.Description, error) {
	s, err := DecodeSchema(d.GetSchema())
	if err != nil {
		return schema.Description{}, err
	}
	return schema.Description{
		Kind:         DecodeKind(d.GetKind()),
		Name:         d.GetName(),
		Version:      d.GetVersion(),
		Doc:          d.GetDoc(),
		Schema:       s,
		Capabilities: texts[schema.Capability](d.GetCapabilities()),
	}, nil
}

// EncodeSchema translates a schema.
func EncodeSchema(s schema.Schema) (*pluginpb.Schema, error) {
	attributes, err := encodeAttributes(s.Attributes)
	if err != nil {
		return nil, err
	}
	out := &pluginpb.Schema{Attributes: attributes}
	for _, b := range s.Blocks {
		block, err := EncodeBlock(b)
		if err != nil {
			return nil, err
		}
		out.Blocks = append(out.Blocks, block)
	}
	return out, nil
}

// DecodeSchema translates a schema back.
func DecodeSchema(s *pluginpb.Schema) (schema.Schema, error) {
	attributes, err := decodeAttributes(s.GetAttributes())
	if err != nil {
		return schema.Schema{}, err
	}
	out := schema.Schema{Attributes: attributes}
	for _, b := range s.GetBlocks() {
		block, err := DecodeBlock(b)
		if err != nil {
			return schema.Schema{}, err
		}
		out.Blocks = append(out.Blocks, block)
	}
	return out, nil
}

// EncodeBlock translates a nested block.
func EncodeBlock(b schema.Block) (*pluginpb.Block, error) {
	attributes, err := encodeAttributes(b.Attributes)
	if err != nil {
		return nil, fmt.Errorf("block %s: %w", b.Name, err)
	}
	return &pluginpb.Block{Name: b.Name, Min: int64(b.Min), Max: int64(b.Max), Attributes: attributes, Doc: b.Doc}, nil
}

// DecodeBlock translates a nested block back.
func DecodeBlock(b *pluginpb.Block) (schema.Block, error) {
	attributes, err := decodeAttributes(b.GetAttributes())
	if err != nil {
		return schema.Block{}, fmt.Errorf("block %s: %w", b.GetName(), err)
	}
	return schema.Block{
		Name: b.GetName(), Min: int(b.GetMin()), Max: int(b.GetMax()), Attributes: attributes, Doc: b.GetDoc(),
	}, nil
}

func encodeAttributes(list []schema.Attribute) ([]*pluginpb.Attribute, error) {
	var out []*pluginpb.Attribute
	for _, a := range list {
		attribute, err := EncodeAttribute(a)
		if err != nil {
			return nil, err
		}
		out = append(out, attribute)
	}
	return out, nil
}

func decodeAttributes(list []*pluginpb.Attribute) ([]schema.Attribute, error) {
	var out []schema.Attribute
	for _, a := range list {
		attribute, err := DecodeAttribute(a)
		if err != nil {
			return nil, err
		}
		out = append(out, attribute)
	}
	return out, nil
}

// EncodeAttribute translates a setting; it errs when the default is not of the type.
func EncodeAttribute(a schema.Attribute) (*pluginpb.Attribute, error) {
	out := &pluginpb.Attribute{
		Name: a.Name, Required: a.Required, Sensitive: a.Sensitive, OneOf: a.OneOf, Doc: a.Doc,
	}
	if a.Type == cty.NilType {
		return nil, fmt.Errorf("attribute %s: it has no type", a.Name)
	}
	var err error
	if out.Type, err = ctyjson.MarshalType(a.Type); err != nil {
		return nil, fmt.Errorf("attribute %s: write type: %w", a.Name, err)
	}
	if a.Default == cty.NilVal {
		return out, nil
	}
	if !a.Default.IsWhollyKnown() || a.Default.IsMarked() {
		return nil, fmt.Errorf("attribute %s: the default must be a plain, known value", a.Name)
	}
	if out.DefaultValue, err = ctyjson.Marshal(a.Default, a.Type); err != nil {
		return nil, fmt.Errorf("attribute %s: write default: %w", a.Name, err)
	}
	return out, nil
}

// DecodeAttribute translates a setting back; it errs on a type or default that cannot be read.
func DecodeAttribute(a *pluginpb.Attribute) (schema.Attribute, error) {
	out := schema.Attribute{
		Name: a.GetName(), Required: a.GetRequired(), Sensitive: a.GetSensitive(),
		OneOf: a.GetOneOf(), Doc: a.GetDoc(), Default: cty.NilVal,
	}
	var err error
	if out.Type, err = ctyjson.UnmarshalType(a.GetType()); err != nil {
		return out, fmt.Errorf("attribute %s: read type: %w", a.GetName(), err)
	}
	if len(a.GetDefaultValue()) == 0 {
		return out, nil
	}
	if out.Default, err = ctyjson.Unmarshal(a.GetDefaultValue(), out.Type); err != nil {
		return out, fmt.Errorf("attribute %s: read default: %w", a.GetName(), err)
	}
	return out, nil
}

// EncodeConfig translates the values of a block.
func EncodeConfig(c schema.Config) *pluginpb.Config { return &pluginpb.Config{Json: c.JSON} }

// DecodeConfig translates the values of a block back; no values at all are an empty object.
func DecodeConfig(c *pluginpb.Config) schema.Config {
	if len(c.GetJson()) == 0 {
		return schema.Config{JSON: json.RawMessage("{}")}
	}
	return schema.Config{JSON: c.GetJson()}
}

// EncodeDiagnostic translates a diagnostic; range and snippet are the host's to add.
func EncodeDiagnostic(d diag.Diagnostic) *pluginpb.Diagnostic {
	severity := pluginpb.Severity_SEVERITY_ERROR
	if d.Severity == diag.Warning {
		severity = pluginpb.Severity_SEVERITY_WARNING
	}
	return &pluginpb.Diagnostic{
		Severity: severity, Summary: d.Summary, Detail: d.Detail, Address: d.Address, Path: d.Path,
	}
}

// DecodeDiagnostic translates a diagnostic back; a severity that is unknown or absent is an error.
func DecodeDiagnostic(d *pluginpb.Diagnostic) diag.Diagnostic {
	severity := diag.Error
	if d.GetSeverity() == pluginpb.Severity_SEVERITY_WARNING {
		severity = diag.Warning
	}
	return diag.Diagnostic{
		Severity: severity, Summary: d.GetSummary(), Detail: d.GetDetail(), Address: d.GetAddress(), Path: d.GetPath(),
	}
}

// EncodeDiagnostics translates a list.
func EncodeDiagnostics(ds diag.Diagnostics) []*pluginpb.Diagnostic { return each(ds, EncodeDiagnostic) }

// DecodeDiagnostics translates a list back.
func DecodeDiagnostics(ds []*pluginpb.Diagnostic) diag.Diagnostics { return each(ds, DecodeDiagnostic) }

// EncodeRuntime translates a configuration and what the host tells of itself; the logger does not travel.
func EncodeRuntime(c schema.Config, rt schema.Runtime) *pluginpb.ConfigureRequest {
	return &pluginpb.ConfigureRequest{
		Config: EncodeConfig(c), UserAgent: rt.UserAgent, WorkDir: rt.WorkDir, Parallelism: int64(rt.Parallelism),
	}
}

// DecodeRuntime translates them back, without a logger.
func DecodeRuntime(r *pluginpb.ConfigureRequest) (schema.Config, schema.Runtime) {
	return DecodeConfig(r.GetConfig()), schema.Runtime{
		UserAgent: r.GetUserAgent(), WorkDir: r.GetWorkDir(), Parallelism: max(1, int(r.GetParallelism())),
	}
}

// EncodeProbe translates what Probe found.
func EncodeProbe(p schema.ProbeResult) *pluginpb.ProbeResponse {
	return &pluginpb.ProbeResponse{System: p.System, Identity: p.Identity, Notes: p.Notes}
}

// DecodeProbe translates what Probe found back.
func DecodeProbe(p *pluginpb.ProbeResponse) schema.ProbeResult {
	return schema.ProbeResult{System: p.GetSystem(), Identity: p.GetIdentity(), Notes: p.GetNotes()}
}
