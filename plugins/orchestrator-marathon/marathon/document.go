package marathon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
)

// Document is a JSON object whose members are kept as they were sent.
type Document map[string]json.RawMessage

// unmarshal reads exactly one JSON value.
func unmarshal(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(into); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("it is cut off")
		}
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

// isNull reports an absent member or a null.
func isNull(m json.RawMessage) bool {
	return len(m) == 0 || bytes.Equal(bytes.TrimSpace(m), []byte("null"))
}

// Has reports a member that is there and not null.
func (d Document) Has(name string) bool { return !isNull(d[name]) }

// Object reads a member that is an object; nil for anything else.
func (d Document) Object(name string) Document {
	var o Document
	if json.Unmarshal(d[name], &o) != nil {
		return nil
	}
	return o
}

// String reads a member that is a string; "" for anything else.
func (d Document) String(name string) string {
	var s string
	if json.Unmarshal(d[name], &s) != nil {
		return ""
	}
	return s
}

// Raw makes JSON of a value of ours.
func Raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("marathon: a value that is no JSON: %v", err)) // strings, numbers and documents always are
	}
	return b
}

// volatile are the members that Marathon adds to a definition, or that change by themselves.
var volatile = []string{
	"version", "versionInfo", "tasks", "tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy",
	"deployments", "lastTaskFailure", "readinessCheckResults", "taskStats",
}

// Definition is the document without what is no configuration: versions, tasks, counts, deployments, failures.
func (d Document) Definition() Document {
	def := maps.Clone(d)
	for _, k := range volatile {
		delete(def, k)
	}
	return def
}

// Fingerprint is a digest of the definition. Order, white space, the spelling of numbers, nulls, and members that are
// empty lists or objects make no difference: Marathon leaves such out, or not, as it likes.
func (d Document) Fingerprint() string {
	sum := sha256.Sum256(Raw(canonicalObject(d.Definition(), true)))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Differences names the members in which two definitions differ, unordered.
func (d Document) Differences(other Document) []string {
	a, b := d.Definition(), other.Definition()
	all := maps.Clone(a)
	maps.Copy(all, b)
	var names []string
	for k := range all {
		if !Same(k, a[k], b[k]) {
			names = append(names, k)
		}
	}
	return names
}

// Same reports whether a member of two definitions means the same.
func Same(name string, a, b json.RawMessage) bool {
	one := canonicalObject(Document{name: a}, true)
	two := canonicalObject(Document{name: b}, true)
	return bytes.Equal(Raw(one), Raw(two))
}

// Empty reports a member that is absent, null, or an empty list or object.
func Empty(m json.RawMessage) bool {
	return isNull(m) || bytes.Equal(Raw(canonical(m)), []byte("[]")) || bytes.Equal(Raw(canonical(m)), []byte("{}"))
}

// canonicalObject is a document in one spelling; where prune is set, empty members are left out.
func canonicalObject(d Document, prune bool) map[string]any {
	out := map[string]any{}
	for k, m := range d {
		v := canonical(m)
		if k == "container" || k == "docker" {
			if inner, ok := v.(map[string]any); ok && prune {
				v = pruned(inner)
			}
		}
		if prune && empty(v) {
			continue
		}
		out[k] = v
	}
	return out
}

// pruned leaves empty members out of a container and of its docker part.
func pruned(o map[string]any) map[string]any {
	for k, v := range o {
		if inner, ok := v.(map[string]any); ok && k == "docker" {
			v = pruned(inner)
			o[k] = v
		}
		if empty(v) {
			delete(o, k)
		}
	}
	return o
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// canonical is a value in one spelling; what is no JSON becomes its text.
func canonical(m json.RawMessage) any {
	if isNull(m) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(m))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return string(m)
	}
	return spelled(v)
}

// spelled writes equal numbers alike: 1.0 and 1, 1e3 and 1000.
func spelled(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		if n := int64(f); float64(n) == f && n > -1<<53 && n < 1<<53 {
			return n
		}
		return f
	case map[string]any:
		for k := range v {
			v[k] = spelled(v[k])
		}
	case []any:
		for i := range v {
			v[i] = spelled(v[i])
		}
	}
	return v
}

// Flatten spells a definition as dotted keys and values, for comparison.
func (d Document) Flatten() map[string]string {
	out := map[string]string{}
	for k, m := range d.Definition() {
		flatten(out, k, canonical(m))
	}
	return out
}

func flatten(out map[string]string, key string, v any) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for k, inner := range v {
			flatten(out, key+"."+k, inner)
		}
	case []any:
		for i, inner := range v {
			flatten(out, key+"."+strconv.Itoa(i), inner)
		}
	case string:
		out[key] = v
	default:
		out[key] = string(Raw(v))
	}
}
