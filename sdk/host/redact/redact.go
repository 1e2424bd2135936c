// Package redact takes secrets out of text, also where they are written in another way than they were given:
// escaped for a URL, for JSON, or in base64, as logs of HTTP clients show them.
package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Mark stands where a secret was.
const Mark = "(sensitive)"

// MinLength is the length in bytes below which a value is not redacted: "a" and "true" would take every text apart
// and hide nothing.
const MinLength = 4

// Redactor knows secrets. Its zero value knows none. It is safe for concurrent use.
type Redactor struct {
	mu       sync.RWMutex
	known    map[string]bool
	replacer *strings.Replacer
}

// New makes a redactor that knows secrets.
func New(secrets ...string) *Redactor {
	r := &Redactor{}
	r.Add(secrets...)
	return r
}

// Add makes more secrets known. The lines of a secret of several lines, such as a key, are secrets as well.
func (r *Redactor) Add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	added := false
	for _, s := range secrets {
		for _, form := range forms(s) {
			if !r.known[form] {
				if r.known == nil {
					r.known = map[string]bool{}
				}
				r.known[form], added = true, true
			}
		}
	}
	if !added {
		return
	}
	// At one place the first form that fits wins: the longest must come first, so that no rest of a secret stays.
	list := make([]string, 0, len(r.known))
	for form := range r.known {
		list = append(list, form)
	}
	slices.SortFunc(list, func(a, b string) int {
		if c := len(b) - len(a); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(list))
	for _, form := range list {
		pairs = append(pairs, form, Mark)
	}
	r.replacer = strings.NewReplacer(pairs...)
}

// String returns s with every known secret replaced by Mark.
func (r *Redactor) String(s string) string {
	if r == nil {
		return s
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.replacer == nil {
		return s
	}
	return r.replacer.Replace(s)
}

// forms lists the ways in which a secret may stand in a text.
func forms(secret string) []string {
	trimmed := strings.TrimSpace(secret)
	if len(trimmed) < MinLength {
		return nil
	}
	list := []string{secret, trimmed}
	if strings.Contains(trimmed, "\n") {
		for line := range strings.Lines(trimmed) {
			line = strings.TrimSpace(line)
			if len(line) >= 8 && !strings.HasPrefix(line, "-----") {
				list = append(list, line)
			}
		}
	}
	for _, plain := range list[:len(list):len(list)] {
		quoted := strconv.Quote(plain)
		list = append(list, url.QueryEscape(plain), url.PathEscape(plain), quoted[1:len(quoted)-1])
		if js, err := json.Marshal(plain); err == nil {
			list = append(list, string(js[1:len(js)-1]))
		}
		list = append(list, encoded(plain)...)
	}
	return list
}

// encoded lists how a secret looks inside base64. Three bytes become four characters, so what stands before it
// shifts it by 0, 1 or 2 bytes; the characters that it shares with its neighbours are left out.
func encoded(plain string) []string {
	var list []string
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		list = append(list, enc.EncodeToString([]byte(plain)))
		for shift := range 3 {
			text := enc.EncodeToString(append(make([]byte, shift), plain...))
			from := (shift*8 + 5) / 6 // the first character that holds nothing of what stands before
			to := (shift + len(plain)) * 8 / 6
			if to-from >= 2*MinLength-2 {
				list = append(list, text[from:to])
			}
		}
	}
	return list
}
