package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// hash identifies what was loaded: every file's name and text, and every variable's value. Of a sensitive variable
// only the name goes in, so that nobody can find its value by trying.
func (l *loader) hash() string {
	h := sha256.New()
	for _, f := range l.files {
		name := f.Name
		if !strings.HasPrefix(name, builtinPrefix) {
			if rel, err := filepath.Rel(l.policy.Dir, l.path(name)); err == nil {
				name = rel
			}
		}
		fmt.Fprintf(h, "file %q %d\n%s\n", filepath.ToSlash(name), len(f.Bytes), f.Bytes)
	}
	for _, v := range l.values {
		if v.Sensitive || v.Value.ContainsMarked() || !v.Value.IsWhollyKnown() {
			fmt.Fprintf(h, "variable %s sensitive\n", v.Name)
			continue
		}
		// A value that has a type can always be written as JSON.
		text, err := ctyjson.SimpleJSONValue{Value: v.Value}.MarshalJSON()
		if err != nil {
			text = []byte(v.Value.GoString())
		}
		fmt.Fprintf(h, "variable %s %q\n", v.Name, text)
	}
	return hex.EncodeToString(h.Sum(nil))
}
