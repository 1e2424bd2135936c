package policy

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/rollback-project/rollback/core/policy/source"
)

// rootSchema is what may stand at top level.
var rootSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "include"}},
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "rollback"},
		{Type: "variable", LabelNames: []string{"name"}},
		{Type: "locals"},
		{Type: "registry", LabelNames: []string{"plugin"}},
		{Type: "orchestrator", LabelNames: []string{"plugin"}},
		{Type: "notify", LabelNames: []string{"plugin"}},
		{Type: "plugin", LabelNames: []string{"kind", "name"}},
		{Type: "environment", LabelNames: []string{"name"}},
		{Type: "repo", LabelNames: []string{"name"}},
		{Type: "tag"},
		{Type: "release"},
		{Type: "retention"},
		{Type: "points"},
		{Type: "gap_fill"},
		{Type: "apply"},
		{Type: "after_apply"},
		{Type: "guard", LabelNames: []string{"name"}},
		{Type: "state", LabelNames: []string{"kind"}},
	},
}

// singletons may occur once in all files together.
var singletons = []string{
	"rollback", "registry", "orchestrator", "tag", "release", "retention", "points", "gap_fill", "apply", "after_apply", "state",
}

// collect sorts the blocks of all files by type.
func (l *loader) collect() {
	for _, f := range l.files {
		content, diags := f.HCL.Body.Content(rootSchema)
		l.diags = append(l.diags, diags...)
		for _, b := range content.Blocks {
			l.blocks[b.Type] = append(l.blocks[b.Type], &block{Block: b, file: f})
		}
	}
	for _, kind := range singletons {
		all := l.blocks[kind]
		for _, b := range all[min(1, len(all)):] {
			l.problem(b.DefRange, "Duplicate block", fmt.Sprintf(
				"A policy has one block %q, and there is one already at %s. What both say belongs into one of them.",
				kind, place(all[0].DefRange)))
		}
	}
	for _, kind := range []string{"environment", "repo", "guard"} {
		l.unique(kind)
	}
}

// unique reports blocks of one type with one name.
func (l *loader) unique(kind string) {
	seen := map[string]*block{}
	for _, b := range l.blocks[kind] {
		name := b.Labels[0]
		if first := seen[name]; first != nil {
			l.problem(b.DefRange, "Duplicate name", fmt.Sprintf("There is a %s %q already at %s.", kind, name, place(first.DefRange)))
			continue
		}
		seen[name] = b
	}
}

// only is the block of a type that occurs once; nil when there is none.
func (l *loader) only(kind string) *block {
	if all := l.blocks[kind]; len(all) > 0 {
		return all[0]
	}
	return nil
}

// place says where something is, inside a sentence.
func place(r hcl.Range) string { return source.Range(r).String() }
