package notifyslack

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// ellipsis marks a cut.
const ellipsis = "…"

var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// length is how long Slack may find a text: it has been seen to count in UTF-16 units as well as in characters, so the
// larger number is taken.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// printable replaces what would disturb a line: control characters, line breaks, marks that turn the direction of
// writing, and broken UTF-8. What is left is one line without space at its ends.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case r == '\u200d' || r == '\ufe0f': // joins emoji
			return r
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar))))
}

// lines is printable, but keeps line breaks, at most two in a row.
func lines(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	parts := strings.Split(s, "\n")
	for i, p := range parts {
		parts[i] = printable(p)
	}
	return strings.Trim(manyBreaks.ReplaceAllString(strings.Join(parts, "\n"), "\n\n"), "\n")
}

var manyBreaks = regexp.MustCompile(`\n{3,}`)

// escaped makes text safe in a plain_text object and in the fallback: no entity and no mention is left in it.
// It is cut to at most limit units, never inside an entity.
func escaped(s string, limit int) string {
	if out := entities.Replace(s); length(out) <= limit {
		return out
	}
	var b strings.Builder
	used := length(ellipsis)
	for _, r := range s {
		piece := entities.Replace(string(r))
		if used += length(piece); used > limit {
			break
		}
		b.WriteString(piece)
	}
	return strings.TrimRight(b.String(), " \n") + ellipsis
}

// code is a name as a code span of mrkdwn; nothing in it is markup. A backtick, which no such name has, is replaced.
func code(s string) string {
	s = strings.ReplaceAll(printable(s), "`", "ˋ")
	if s == "" {
		return "–"
	}
	return "`" + escaped(s, nameLimit-2) + "`"
}

var (
	// lookalikes replace what is markup in mrkdwn, which knows no escape for it.
	lookalikes  = strings.NewReplacer("*", "∗", "_", "ˍ", "~", "∼", "`", "ˋ")
	emojiInText = regexp.MustCompile(`:([A-Za-z0-9_+'-]+):`)
)

// prose is a sentence in mrkdwn, in one line; nothing in it is markup.
func prose(s string, limit int) string {
	s = emojiInText.ReplaceAllString(printable(s), "꞉${1}꞉")
	return escaped(lookalikes.Replace(s), limit)
}

// link is a link in mrkdwn, "" when the URL is none that may be clicked or is longer than limit. The label must be safe.
func link(raw, label string, limit int) string {
	raw = strings.TrimSpace(raw)
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	if printable(raw) != raw || strings.ContainsAny(raw, "<>|\"` ") {
		return ""
	}
	out := "<" + strings.ReplaceAll(raw, "&", "&amp;") + "|" + label + ">"
	if length(out) > limit {
		return ""
	}
	return out
}
