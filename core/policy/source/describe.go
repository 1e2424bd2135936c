package source

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// describe completes the sentence "x …" for a value; "" when there is nothing to say.
// It must not fail on any value, least of all on a marked one.
func describe(v cty.Value) string {
	if v.IsMarked() {
		return "has a sensitive value"
	}
	t := v.Type()
	switch {
	case !v.IsKnown():
		return ""
	case v.IsNull():
		return "is null"
	case t == cty.String:
		return "is " + quote(v.AsString())
	case t == cty.Number:
		return "is " + v.AsBigFloat().Text('g', 10)
	case t == cty.Bool:
		return "is " + strconv.FormatBool(v.True())
	case t.IsCollectionType() || t.IsTupleType():
		return elements(t, v.LengthInt())
	case t.IsObjectType():
		return fmt.Sprintf("is object with %s", count(len(t.AttributeTypes()), "attribute"))
	}
	return "is " + article(t.FriendlyName())
}

func elements(t cty.Type, n int) string {
	if n == 0 {
		return "is empty " + t.FriendlyName()
	}
	return fmt.Sprintf("is %s with %s", t.FriendlyName(), count(n, "element"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func article(noun string) string {
	if noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// longest is how much of a string is shown.
const longest = 120

// quote shows a string on one line, cut when it is long.
func quote(s string) string {
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest]) + "…"
	}
	return strconv.Quote(s)
}

// traversalText writes a reference as its author would.
func traversalText(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(step.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + step.Name)
		case hcl.TraverseIndex:
			switch key := step.Key; {
			case key.IsMarked() || !key.IsKnown() || key.IsNull():
				b.WriteString("[…]")
			case key.Type() == cty.String:
				b.WriteString("[" + quote(key.AsString()) + "]")
			case key.Type() == cty.Number:
				b.WriteString("[" + key.AsBigFloat().Text('f', -1) + "]")
			default:
				b.WriteString("[…]")
			}
		default:
			b.WriteString("[*]")
		}
	}
	return b.String()
}
