package main

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/json"

	"github.com/rollback-project/rollback/sdk/schema"
)

// plugins is the reference of the built-in plugins' blocks.
func plugins(all []schema.Description) string {
	var b strings.Builder
	b.WriteString(generated + "# The built-in plugins\n\nWhat stands in their blocks of a policy. How a plugin of one's own is written: " +
		"[plugin-authors.md](plugin-authors.md).\n")
	for _, d := range all {
		fmt.Fprintf(&b, "\n## %s %q\n\n%s\n", d.Kind, d.Name, d.Doc)
		if len(d.Capabilities) > 0 {
			var names []string
			for _, c := range d.Capabilities {
				names = append(names, "`"+string(c)+"`")
			}
			fmt.Fprintf(&b, "\nCapabilities: %s.\n", strings.Join(names, ", "))
		}
		attributes(&b, d.Schema.Attributes)
		for _, block := range d.Schema.Blocks {
			fmt.Fprintf(&b, "\n### Block `%s`\n\n%s\n", block.Name, block.Doc)
			attributes(&b, block.Attributes)
		}
	}
	return b.String()
}

func attributes(b *strings.Builder, all []schema.Attribute) {
	if len(all) == 0 {
		return
	}
	b.WriteString("\n| attribute | type | default | meaning |\n|---|---|---|---|\n")
	for _, a := range all {
		doc := strings.ReplaceAll(a.Doc, "\n", " ")
		if len(a.OneOf) > 0 {
			doc += " One of `" + strings.Join(a.OneOf, "`, `") + "`."
		}
		if a.Sensitive {
			doc += " Never shown."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, a.Type.FriendlyName(), standard(a), strings.ReplaceAll(doc, "|", `\|`))
	}
}

// standard is what an attribute is when it is not given.
func standard(a schema.Attribute) string {
	switch {
	case a.Required:
		return "required"
	case a.Default == cty.NilVal || a.Default.IsNull():
		return ""
	}
	raw, err := json.Marshal(a.Default, a.Default.Type())
	if err != nil {
		return ""
	}
	return "`" + string(raw) + "`"
}
