package source

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"
)

// Sensitive marks a value that must not be shown.
const Sensitive mark = "sensitive"

type mark string

// Hidden stands where a sensitive value would.
const Hidden = "(sensitive value)"

// Secrets collects the texts that must not be shown. The zero value is empty; it is safe for concurrent use.
type Secrets struct {
	mu    sync.Mutex
	texts map[string]bool
}

// Add takes all strings and numbers inside v, marked or not.
func (s *Secrets) Add(v cty.Value) {
	unmarked, _ := v.UnmarkDeep()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts = map[string]bool{}
	}
	_ = cty.Walk(unmarked, func(_ cty.Path, v cty.Value) (bool, error) {
		switch {
		case !v.IsKnown() || v.IsNull():
			return false, nil
		case v.Type() == cty.String && v.AsString() != "":
			s.texts[v.AsString()] = true
		case v.Type() == cty.Number:
			s.texts[v.AsBigFloat().Text('f', -1)] = true
		}
		return true, nil
	})
}

// AddMarked takes the strings and numbers of those parts of v that are marked.
func (s *Secrets) AddMarked(v cty.Value) {
	if !v.ContainsMarked() {
		return
	}
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.IsMarked() {
			s.Add(v)
			return false, nil
		}
		return true, nil
	})
}

// All returns the texts, longest first, so that replacing them in this order never leaves a part of one behind.
func (s *Secrets) All() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]string, 0, len(s.texts))
	for text := range s.texts {
		all = append(all, text)
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a, b))
	})
	return all
}

// Redact replaces every secret in text. Secrets of one or two characters are left: they would hide everything else,
// and whoever knows that a text has been cut there has learnt the secret.
func (s *Secrets) Redact(text string) string {
	return s.replace(text, func(string) string { return Hidden })
}

// Blank replaces every secret in text by as many asterisks, so that offsets stay true.
func (s *Secrets) Blank(text string) string {
	return s.replace(text, func(secret string) string { return strings.Repeat("*", len(secret)) })
}

func (s *Secrets) replace(text string, with func(string) string) string {
	if s == nil || text == "" {
		return text
	}
	for _, secret := range s.All() {
		if len(secret) > 2 && strings.Contains(text, secret) {
			text = strings.ReplaceAll(text, secret, with(secret))
		}
	}
	return text
}
