package policy

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// attributes is a block being decoded: its attributes, waiting to be read, and the blocks inside.
// Every method reads one attribute, reports what is wrong with it at its place, and leaves the target alone then, and
// also when the attribute is absent or null.
type attributes struct {
	l    *loader
	list hcl.Attributes
	// inside are the nested blocks.
	inside hcl.Blocks
}

// open reads a body whose attributes and blocks (each at most once) have the given names. Blocks that are repeated may
// occur any number of times.
func (l *loader) open(body hcl.Body, attrs, blocks []string, repeated ...hcl.BlockHeaderSchema) attributes {
	schema := &hcl.BodySchema{}
	for _, name := range attrs {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	for _, name := range blocks {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: name})
	}
	schema.Blocks = append(schema.Blocks, repeated...)
	content, diags := body.Content(schema)
	l.diags = append(l.diags, diags...)
	seen := map[string]hcl.Range{}
	a := attributes{l: l, list: content.Attributes}
	for _, b := range content.Blocks {
		if first, ok := seen[b.Type]; ok && slices.Contains(blocks, b.Type) {
			l.problem(b.DefRange, "Duplicate block",
				fmt.Sprintf("There is a block %q already at %s.", b.Type, place(first)))
			continue
		}
		seen[b.Type] = b.DefRange
		a.inside = append(a.inside, b)
	}
	return a
}

// reading is an attribute with its value.
type reading struct {
	l     *loader
	attr  *hcl.Attribute
	ctx   *hcl.EvalContext
	value cty.Value
}

// read evaluates an attribute and converts it; false when there is nothing to go on with.
func (a attributes) read(name string, want cty.Type) (reading, bool) {
	attr := a.list[name]
	if attr == nil {
		return reading{}, false
	}
	r := reading{l: a.l, attr: attr, ctx: a.l.scope.Context()}
	v, diags := a.l.scope.Evaluate(attr.Expr, r.ctx)
	a.l.diags = append(a.l.diags, diags...)
	if diags.HasErrors() {
		return reading{}, false
	}
	a.l.secrets.AddMarked(v)
	v, _ = v.UnmarkDeep()
	switch converted, err := convert.Convert(v, want); {
	case err != nil:
		r.problem(attr.Expr.Range(), "Unsuitable value type",
			fmt.Sprintf("The attribute %q must be a %s: %s.", name, typeName(want), err))
		return reading{}, false
	case !converted.IsWhollyKnown():
		if !a.l.scope.Failed() {
			r.problem(attr.Expr.Range(), "Unknown value", fmt.Sprintf("The value of %q cannot be known yet.", name))
		}
		return reading{}, false
	default:
		r.value = converted
	}
	return r, !r.value.IsNull()
}

func typeName(t cty.Type) string {
	if t.IsListType() {
		return "list of " + typeName(t.ElementType()) + "s"
	}
	return t.FriendlyName()
}

// problem reports what is wrong with the attribute, together with the values it is made of.
func (r reading) problem(at hcl.Range, summary, detail string) {
	r.l.diags = append(r.l.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: detail,
		Subject: at.Ptr(), Expression: r.attr.Expr, EvalContext: r.ctx,
	})
}

// at is the place of the value.
func (r reading) at() hcl.Range { return r.attr.Expr.Range() }

// text reads a string that is not empty.
func (a attributes) text(name string, into *string) (reading, bool) {
	r, ok := a.read(name, cty.String)
	if !ok {
		return r, false
	}
	if r.value.AsString() == "" {
		r.problem(r.at(), "Empty value", fmt.Sprintf("The attribute %q must not be empty; leave it out for its default.", name))
		return r, false
	}
	*into = r.value.AsString()
	return r, true
}

func (a attributes) boolean(name string, into *bool) {
	if r, ok := a.read(name, cty.Bool); ok {
		*into = r.value.True()
	}
}

// whole reads a whole number that is at least least.
func (a attributes) whole(name string, least int, into *int) {
	r, ok := a.read(name, cty.Number)
	if !ok {
		return
	}
	n, accuracy := r.value.AsBigFloat().Int64()
	const most = 1_000_000
	if accuracy != big.Exact || n < int64(least) || n > most {
		r.problem(r.at(), "Number out of range", fmt.Sprintf("The attribute %q must be a whole number from %d to %d, not %s.",
			name, least, most, r.value.AsBigFloat().Text('g', 10)))
		return
	}
	*into = int(n)
}

// days is how people would write what Go's durations do not know.
var days = regexp.MustCompile(`^(\d{1,4})\s*(d|w|days?|weeks?)$`)

// duration reads a duration that is longer than nothing.
func (a attributes) duration(name string, into *time.Duration) {
	r, d, ok := a.span(name)
	switch {
	case !ok:
	case d <= 0:
		r.problem(r.at(), "Invalid duration", fmt.Sprintf("The attribute %q must be longer than nothing, not %q.", name, r.value.AsString()))
	default:
		*into = d
	}
}

// span reads a duration, which may be nothing or less.
func (a attributes) span(name string) (r reading, d time.Duration, ok bool) {
	r, ok = a.read(name, cty.String)
	if !ok {
		return r, 0, false
	}
	text := r.value.AsString()
	d, err := time.ParseDuration(text)
	if err != nil {
		detail := fmt.Sprintf("The attribute %q must be a duration such as \"90s\", \"15m\" or \"720h\", not %q.", name, text)
		if m := days.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			hours := n * 24
			if m[2][0] == 'w' {
				hours *= 7
			}
			detail += fmt.Sprintf(" There is no unit for days: write \"%dh\".", hours)
		} else if _, err := strconv.ParseFloat(text, 64); err == nil {
			detail += " The unit is missing."
		}
		r.problem(r.at(), "Invalid duration", detail)
	}
	return r, d, err == nil
}

// oneOf reads a word out of a few.
func oneOf[T ~string](a attributes, name string, into *T, allowed ...T) {
	r, ok := a.read(name, cty.String)
	if !ok {
		return
	}
	words := plain(allowed)
	word := r.value.AsString()
	if !slices.Contains(words, word) {
		r.problem(r.at(), "Invalid value", fmt.Sprintf("The attribute %q has no value %q. %s", name, word, nearest(word, words)))
		return
	}
	*into = T(word)
}

func plain[T ~string](words []T) []string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = string(word)
	}
	return out
}

// element is one string of a list, with its place.
type element struct {
	text string
	at   hcl.Range
}

// texts reads strings, none of them empty or there twice.
func (a attributes) texts(name string) (elements []element, r reading, ok bool) {
	r, ok = a.read(name, cty.List(cty.String))
	if !ok {
		return nil, r, false
	}
	places := elementRanges(r.attr.Expr, r.value.LengthInt())
	seen := map[string]bool{}
	for i, v := range r.value.AsValueSlice() {
		switch {
		case v.IsNull() || v.AsString() == "":
			r.problem(places[i], "Empty value", fmt.Sprintf("An element of %q is empty.", name))
		case seen[v.AsString()]:
			r.problem(places[i], "Duplicate value", fmt.Sprintf("%q stands in %q twice.", v.AsString(), name))
		default:
			seen[v.AsString()] = true
			elements = append(elements, element{v.AsString(), places[i]})
		}
	}
	return elements, r, true
}

// wordsOf reads a list of words out of a few.
func wordsOf[T ~string](a attributes, name string, allowed ...T) (words []T, ok bool) {
	elements, r, ok := a.texts(name)
	if !ok {
		return nil, false
	}
	known := plain(allowed)
	for _, e := range elements {
		if !slices.Contains(known, e.text) {
			r.problem(e.at, "Invalid value", fmt.Sprintf("%q has no element %q. %s", name, e.text, nearest(e.text, known)))
			continue
		}
		words = append(words, T(e.text))
	}
	return words, true
}

// require reports that an attribute is missing; at names the block.
func (a attributes) require(name string, at hcl.Range) bool {
	if a.list[name] != nil {
		return true
	}
	a.l.problem(at, "Missing required argument", fmt.Sprintf("The argument %q is required, but no definition was found.", name))
	return false
}
