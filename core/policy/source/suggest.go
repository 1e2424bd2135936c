package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest returns the name that was probably meant; "" when none is near.
func Nearest(given string, names []string) string {
	best, distance := "", 1+max(2, len(given)/4)
	if len(given) < 3 {
		distance = 2 // Of two letters one must be right.
	}
	lower := strings.ToLower(given)
	for _, name := range names {
		d := levenshtein.Distance(lower, strings.ToLower(name), nil)
		if d < distance {
			best, distance = name, d
		}
	}
	return best
}

// DidYouMean is a sentence with the nearest name, to be put behind another one; "" when none is near.
func DidYouMean(given string, names []string) string {
	if near := Nearest(given, names); near != "" && near != given {
		return fmt.Sprintf(" Did you mean %q?", near)
	}
	return ""
}

// OneOf lists names for a sentence: "a", "b" or "c".
func OneOf(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// Sorted returns the keys of a table in order.
func Sorted[V any](table map[string]V) []string {
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
