package plan

import (
	"fmt"

	"github.com/agext/levenshtein"
)

// suggest returns a sentence with the nearest of the names, after a space; "" when none is near.
func suggest(given string, names []string) string {
	best, least := "", len(given)/2+1
	for _, n := range names {
		if d := levenshtein.Distance(given, n, nil); d <= least && (best == "" || d < least) {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", clean(best))
}
