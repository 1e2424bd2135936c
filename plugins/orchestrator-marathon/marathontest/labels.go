package marathontest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// labelTerm is one condition of a label selector, in its three spellings.
var labelTerm = regexp.MustCompile(`^\s*([\w.\-/]+)\s*(?:(==|!=)\s*([\w.\-/]+)|\s(in|notin)\s*\(([^()]*)\))?\s*$`)

// labelSelector compiles ?label=: key, key==value, key!=value, key in (a,b),
// key notin (a,b), joined by commas. The key must exist for all of them.
func labelSelector(selector string) (func(object) bool, *reply) {
	if selector == "" {
		return func(object) bool { return true }, nil
	}
	var terms []func(object) bool
	for _, term := range splitTerms(selector) {
		m := labelTerm.FindStringSubmatch(term)
		if m == nil {
			return nil, message(http.StatusUnprocessableEntity, "Can not parse label selector %s", selector)
		}
		key, values, negative := m[1], []string{m[3]}, m[2] == "!=" || m[4] == "notin"
		if m[4] != "" {
			values = strings.FieldsFunc(m[5], func(r rune) bool { return r == ',' || r == ' ' })
		}
		bare := m[2] == "" && m[4] == ""
		terms = append(terms, func(labels object) bool {
			v, ok := labels[key]
			return ok && (bare || slices.Contains(values, text(v)) != negative)
		})
	}
	return func(labels object) bool {
		return !slices.ContainsFunc(terms, func(t func(object) bool) bool { return !t(labels) })
	}, nil
}

// splitTerms splits at commas outside parentheses.
func splitTerms(s string) []string {
	depth := 0
	return strings.FieldsFunc(s, func(r rune) bool {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		return r == ',' && depth == 0
	})
}
