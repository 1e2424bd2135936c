package notifyslack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/rollback-project/rollback/sdk/notify"
)

// appSections is how many sections the apps may fill: more is scrolled past, not read.
const appSections = 3

// state is how an app's state is told; what needs attention comes first.
type state struct{ name, symbol string }

var states = []state{
	{"failed", "❌"},
	{"unknown", "❔"},
	{"deploying", "⏳"},
	{"pending", "▫️"},
	{"restored", "↩️"},
	{"healthy", "✅"},
}

// rank is the state's place in states; states of newer hosts come last.
func rank(name string) int {
	for i, s := range states {
		if s.name == name {
			return i
		}
	}
	return len(states)
}

// tally counts the apps by state, such as “*4 apps:* 1 failed, 3 healthy · 1 repo stays as it is”.
func tally(changes []notify.Change, kept int) string {
	var parts []string
	if len(changes) > 0 {
		counts := map[string]int{}
		for _, c := range changes {
			counts[c.State]++
		}
		var words []string
		for _, s := range states {
			if n := counts[s.name]; n > 0 {
				words = append(words, fmt.Sprintf("%d %s", n, s.name))
			}
		}
		line := "*" + plural(len(changes), "app") + "*"
		if len(words) > 0 {
			line += ": " + strings.Join(words, ", ")
		}
		parts = append(parts, line)
	}
	switch {
	case kept == 1:
		parts = append(parts, "1 repo stays as it is")
	case kept > 1:
		parts = append(parts, fmt.Sprintf("%d repos stay as they are", kept))
	}
	return strings.Join(parts, " · ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// apps lists the changes in at most budget units. Where they do not fit, the reasons go first, then the last apps.
func (w writer) apps(changes []notify.Change, budget int) []slack.Block {
	sorted := slices.Clone(changes)
	moving := slices.ContainsFunc(sorted, func(c notify.Change) bool { return rank(c.State) < rank("pending") })
	if moving {
		// What failed must not be among what is cut.
		slices.SortStableFunc(sorted, func(a, b notify.Change) int { return urgency(a) - urgency(b) })
	}
	for _, reasons := range []bool{true, false} {
		var all []string
		for _, c := range sorted {
			all = append(all, w.app(c, reasons))
		}
		blocks, whole := pack(all, appSections, budget)
		if whole || !reasons {
			return blocks
		}
	}
	return nil
}

// urgency is 0 for what failed, 1 for what may have, 2 for the rest, which keeps its order.
func urgency(c notify.Change) int { return min(rank(c.State), rank("deploying")) }

// app is one line.
func (w writer) app(c notify.Change, reason bool) string {
	var b strings.Builder
	b.WriteString("• ")
	if r := rank(c.State); r < len(states) {
		b.WriteString(states[r].symbol + " " + c.State + " ")
	} else if s := prose(c.State, pointLimit); s != "" {
		b.WriteString(s + " ")
	}
	names := []string{}
	for _, name := range []string{c.Repo, c.App} {
		if name != "" {
			names = append(names, code(w.secrets.redact(name)))
		}
	}
	b.WriteString(strings.Join(names, " "))
	b.WriteString("  " + code(w.secrets.redact(c.FromTag)) + " → " + code(w.secrets.redact(c.ToTag)))
	if c.Action != "" && c.Action != "rollback" {
		b.WriteString(" (" + prose(c.Action, pointLimit) + ")")
	}
	if why := prose(w.secrets.redact(c.Reason), reasonLimit); reason && why != "" {
		b.WriteString(" – " + why)
	}
	return b.String()
}

// kept lists what stays as it is.
func (w writer) kept(kept []string) []slack.Block {
	var all []string
	for _, k := range kept {
		if line := prose(w.secrets.redact(k), fieldLimit); line != "" {
			all = append(all, "• stays: "+line)
		}
	}
	blocks, _ := pack(all, 1, keptLimit)
	return blocks
}

// pack puts lines into at most n sections and budget units; whole is false when some had to be left out, which the
// last line then says.
func pack(all []string, n, budget int) (blocks []slack.Block, whole bool) {
	const (
		more = len("… and 100000 more")
		each = 40 // for the block and its text, see size
	)
	var part []string
	used := 0
	flush := func() {
		if len(part) > 0 {
			blocks = append(blocks, section(strings.Join(part, "\n")))
			budget -= used + each
			part, used = nil, 0
		}
	}
	for i, line := range all {
		need := length(line) + 1
		if used+need > sectionLimit-more && len(blocks)+1 < n {
			flush()
		}
		if used+need > sectionLimit-more || used+need+more+each > budget {
			rest := fmt.Sprintf("… and %d more", len(all)-i)
			if i == 0 {
				rest = fmt.Sprintf("%d in all, too many to list", len(all))
			}
			part = append(part, rest)
			flush()
			return blocks, false
		}
		part = append(part, line)
		used += need
	}
	flush()
	return blocks, true
}
