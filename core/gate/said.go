package gate

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// most is how many characters are quoted of what came from outside.
const most = 200

// said makes text fit to be shown: the secrets are what it takes out.
type said []string

// redact takes out secrets; those of one or two characters stay, because they would hide everything else.
func (s said) redact(text string) string {
	secrets := slices.Clone(s)
	// Longest first, so that no part of one is left behind.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if len(secret) > 2 {
			text = strings.ReplaceAll(text, secret, "(sensitive value)")
		}
	}
	return text
}

// whole is text of ours on one line.
func (s said) whole(text string) string { return oneLine(s.redact(text)) }

// start is the beginning of a text from outside.
func (s said) start(text string) string {
	line := oneLine(s.redact(text))
	if utf8.RuneCountInString(line) <= most {
		return line
	}
	return string([]rune(line)[:most]) + "…"
}

// end is the end of a text from outside; cut says that its beginning is missing.
func (s said) end(text string, cut bool) string {
	text = s.redact(text)
	if cut {
		// The half of a secret may be left where the text was cut.
		longest := 0
		for _, secret := range s {
			longest = max(longest, len(secret))
		}
		text = text[min(longest, len(text)):]
	}
	line := []rune(oneLine(text))
	if len(line) > most {
		return "…" + string(line[len(line)-most:])
	}
	return string(line)
}

// oneLine replaces what could repaint a terminal, and makes white space single blanks.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	return strings.Join(strings.Fields(text), " ")
}
