package wire

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Clean replaces whatever is no valid UTF-8 in the strings of m.
//
// Protobuf refuses to send such strings, and remote systems do hand them out,
// in labels and error pages: a strange byte must not cost the whole answer.
func Clean(m proto.Message) { cleanMessage(m.ProtoReflect()) }

func cleanMessage(m protoreflect.Message) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
			cleanMap(fd, v.Map())
		case fd.IsList():
			cleanList(fd, v.List())
		case fd.Kind() == protoreflect.StringKind:
			if s := v.String(); !utf8.ValidString(s) {
				m.Set(fd, protoreflect.ValueOfString(valid(s)))
			}
		case fd.Kind() == protoreflect.MessageKind:
			cleanMessage(v.Message())
		}
		return true
	})
}

func cleanList(fd protoreflect.FieldDescriptor, list protoreflect.List) {
	for i := range list.Len() {
		switch fd.Kind() {
		case protoreflect.MessageKind:
			cleanMessage(list.Get(i).Message())
		case protoreflect.StringKind:
			if s := list.Get(i).String(); !utf8.ValidString(s) {
				list.Set(i, protoreflect.ValueOfString(valid(s)))
			}
		default: // bytes and numbers are what they are
		}
	}
}

// cleanMap cleans a map of strings, the only kind that the protocol has.
func cleanMap(fd protoreflect.FieldDescriptor, m protoreflect.Map) {
	if fd.MapValue().Kind() != protoreflect.StringKind {
		return
	}
	type pair struct{ key, value string }
	var broken []pair
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		if !utf8.ValidString(k.String()) || !utf8.ValidString(v.String()) {
			broken = append(broken, pair{k.String(), v.String()})
		}
		return true
	})
	for _, p := range broken {
		m.Clear(protoreflect.ValueOfString(p.key).MapKey())
		m.Set(protoreflect.ValueOfString(valid(p.key)).MapKey(), protoreflect.ValueOfString(valid(p.value)))
	}
}

// valid replaces each run of invalid bytes by the replacement character.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
