package policy

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/core/policy/source"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/schema"
)

// backends keeps the blocks that only plugins understand.
func (l *loader) backends() {
	if b := l.only("registry"); b != nil {
		backend := l.backend(b, schema.Registry, b.Body)
		l.policy.Registry = &backend
	}
	if b := l.only("orchestrator"); b != nil {
		backend := l.backend(b, schema.Orchestrator, b.Body)
		l.policy.Orchestrator = &backend
	}
	for _, b := range l.blocks["notify"] {
		l.policy.Notifiers = append(l.policy.Notifiers, l.notifier(b))
	}
}

func (l *loader) backend(b *block, kind schema.Kind, body hcl.Body) Backend {
	l.pluginName(b.Labels[0], b.LabelRanges[0])
	return Backend{Kind: kind, Name: b.Labels[0], Range: source.Range(b.DefRange), body: &written{
		kind: kind, name: b.Labels[0], block: b.Block, body: body, loader: l, secrets: &source.Secrets{},
	}}
}

// notifyKinds are the events that a notifier may ask for.
var notifyKinds = []notify.Kind{
	notify.Started, notify.Progress, notify.Succeeded, notify.Failed, notify.Restored, notify.NeedsPerson,
	notify.Interrupted,
}

// notifier reads what of the block notify is ours, the attribute on, and leaves the rest to the plugin.
func (l *loader) notifier(b *block) Notifier {
	content, rest, diags := b.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "on"}}})
	l.diags = append(l.diags, diags...)
	n := Notifier{Backend: l.backend(b, schema.Notify, rest)}
	kinds, _ := wordsOf(attributes{l: l, list: content.Attributes}, "on", notifyKinds...)
	n.On = plain(kinds)
	if len(n.On) == 0 {
		n.On = nil
	}
	return n
}

// written is the body of a block in a file.
type written struct {
	kind    schema.Kind
	name    string
	block   *hcl.Block
	body    hcl.Body
	loader  *loader
	secrets *source.Secrets
}

func (w *written) texts() []string { return w.secrets.All() }

func (w *written) decode(s schema.Schema) (schema.Config, diag.Diagnostics) {
	content, diags := w.body.Content(bodySchema(s.Attributes, s.Blocks))
	d := &decoding{secrets: w.secrets}
	values := d.attributes(s.Attributes, w.values(content.Attributes, w.block.DefRange, &diags))
	for _, block := range s.Blocks {
		var objects []map[string]any
		for _, b := range content.Blocks {
			if b.Type != block.Name {
				continue
			}
			inner, more := b.Body.Content(bodySchema(block.Attributes, nil))
			diags = append(diags, more...)
			objects = append(objects, d.attributes(block.Attributes, w.values(inner.Attributes, b.DefRange, &diags)))
		}
		d.count(block, len(objects), func(i int) hcl.Range { return nthBlock(content.Blocks, block.Name, i, w.block.DefRange) })
		values[block.Name] = shape(block, objects)
	}
	diags = append(diags, d.diags...)
	for _, text := range w.secrets.All() {
		w.loader.secrets.Add(cty.StringVal(text))
	}
	return encode(values), w.loader.sources.Diagnostics(diags)
}

// values evaluates attributes, so that decoding can look at them.
func (w *written) values(attrs hcl.Attributes, block hcl.Range, diags *hcl.Diagnostics) given {
	ctx := w.loader.scope.Context()
	return given{
		block: block,
		get: func(name string) (setting, bool) {
			attr := attrs[name]
			if attr == nil {
				return setting{}, false
			}
			v, more := w.loader.scope.Evaluate(attr.Expr, ctx)
			*diags = append(*diags, more...)
			return setting{value: v, at: attr.Expr.Range(), expr: attr.Expr, ctx: ctx, failed: more.HasErrors()}, true
		},
	}
}

func bodySchema(attributes []schema.Attribute, blocks []schema.Block) *hcl.BodySchema {
	s := &hcl.BodySchema{}
	for _, a := range attributes {
		s.Attributes = append(s.Attributes, hcl.AttributeSchema{Name: a.Name})
	}
	for _, b := range blocks {
		s.Blocks = append(s.Blocks, hcl.BlockHeaderSchema{Type: b.Name})
	}
	return s
}

// nthBlock is where the i-th block of a type stands; otherwise where the enclosing one does.
func nthBlock(blocks hcl.Blocks, kind string, i int, otherwise hcl.Range) hcl.Range {
	for _, b := range blocks {
		if b.Type == kind {
			if i == 0 {
				return b.DefRange
			}
			i--
		}
	}
	return otherwise
}

func (w *written) locate(ds diag.Diagnostics) diag.Diagnostics {
	out := make(diag.Diagnostics, 0, len(ds))
	for _, d := range ds {
		located := hcl.Diagnostic{Severity: hcl.DiagError, Summary: d.Summary, Detail: d.Detail}
		if d.Severity == diag.Warning {
			located.Severity = hcl.DiagWarning
		}
		at, expr := w.find(d.Path)
		located.Subject = &at
		if expr != nil && !w.hidden(expr) {
			located.Expression, located.EvalContext = expr, w.loader.scope.Context()
		}
		full := w.loader.sources.Diagnostics(hcl.Diagnostics{&located})[0]
		if d.Range != nil { // Somebody has found it already.
			full.Range, full.Snippet = d.Range, d.Snippet
		}
		if d.Address != "" {
			full.Address = d.Address
		}
		full.Path = d.Path
		// What a plugin says was not made from an expression of ours: only known secrets are taken out of it.
		full.Detail = w.loader.sources.Clean(d.Detail)
		out = append(out, full)
	}
	return out
}

// hidden reports whether the expression's value became a secret when it was decoded.
func (w *written) hidden(expr hcl.Expression) bool {
	v, diags := expr.Value(w.loader.scope.Context())
	if diags.HasErrors() || v.ContainsMarked() {
		return true
	}
	found := &source.Secrets{}
	found.Add(v)
	known := w.secrets.All()
	return slices.ContainsFunc(found.All(), func(text string) bool { return slices.Contains(known, text) })
}

// find follows a path as far as it leads: attribute and block names, and numbers into repeated blocks and lists.
// A path that leads nowhere means the block.
func (w *written) find(path diag.Path) (hcl.Range, hcl.Expression) {
	at := w.block.DefRange
	body, ok := w.block.Body.(*hclsyntax.Body)
	for ok && len(path) > 0 {
		if attr := body.Attributes[path[0]]; attr != nil {
			return within(attr.Expr, path[1:]), attr.Expr
		}
		var blocks []*hclsyntax.Block
		for _, b := range body.Blocks {
			if b.Type == path[0] {
				blocks = append(blocks, b)
			}
		}
		path = path[1:]
		i := 0
		if len(path) > 0 {
			if n, err := strconv.Atoi(path[0]); err == nil {
				i, path = n, path[1:]
			}
		}
		if i < 0 || i >= len(blocks) {
			break
		}
		body, at = blocks[i].Body, blocks[i].DefRange()
	}
	return at, nil
}

// within follows a path into a list or object that is written out.
func within(expr hcl.Expression, path diag.Path) hcl.Range {
	for _, step := range path {
		var next hcl.Expression
		if n, err := strconv.Atoi(step); err == nil {
			if elements, diags := hcl.ExprList(expr); !diags.HasErrors() && n >= 0 && n < len(elements) {
				next = elements[n]
			}
		}
		if pairs, diags := hcl.ExprMap(expr); next == nil && !diags.HasErrors() {
			for _, pair := range pairs {
				if key, diags := pair.Key.Value(nil); !diags.HasErrors() && key.Type() == cty.String && key.AsString() == step {
					next = pair.Value
				}
			}
		}
		if next == nil {
			break
		}
		expr = next
	}
	return expr.Range()
}

// plugin reads a block plugin.
func (l *loader) plugin(b *block) {
	kinds := []string{string(schema.Registry), string(schema.Orchestrator), string(schema.Notify)}
	kind, name := b.Labels[0], b.Labels[1]
	if !slices.Contains(kinds, kind) {
		l.problem(b.LabelRanges[0], "Invalid kind of plugin", fmt.Sprintf("There are no plugins of kind %q. %s", kind, nearest(kind, kinds)))
	}
	l.pluginName(name, b.LabelRanges[1])
	for _, other := range l.policy.Plugins {
		if string(other.Kind) == kind && other.Name == name {
			l.problem(b.DefRange, "Duplicate name", fmt.Sprintf("There is a plugin %q %q already at %s.", kind, name, other.Range))
		}
	}
	p := Plugin{Kind: schema.Kind(kind), Name: name, Range: source.Range(b.DefRange)}
	a := l.open(b.Body, []string{"path", "sha256"}, nil)
	if a.require("path", b.DefRange) {
		a.text("path", &p.Path)
	}
	if r, ok := a.text("sha256", &p.SHA256); ok && !checksum.MatchString(p.SHA256) {
		r.problem(r.at(), "Invalid checksum", fmt.Sprintf(
			"A SHA-256 has 64 hexadecimal digits; this has %d characters. rollback plugins lock records the right one.",
			len([]rune(p.SHA256))))
		p.SHA256 = ""
	}
	l.policy.Plugins = append(l.policy.Plugins, p)
}

func (l *loader) pluginName(name string, at hcl.Range) {
	if !pluginLabel.MatchString(name) {
		l.problem(at, "Invalid name", fmt.Sprintf(
			"%q cannot be the name of a plugin: it is part of a file name, of lower-case letters, digits, - and _.", name))
	}
}
