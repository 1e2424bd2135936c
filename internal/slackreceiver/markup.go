package slackreceiver

import (
	"html"
	"html/template"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// token is a piece of mrkdwn: text, or one of the marks.
type token struct {
	kind  tokenKind
	text  string // shown, with entities decoded
	url   string // of a link
	inner []token
}

type tokenKind int

const (
	textToken tokenKind = iota
	codeToken
	linkToken
	mentionToken
	boldToken
	italicToken
	strikeToken
)

var (
	codeSpan = regexp.MustCompile("^`([^`\n]+)`")
	angle    = regexp.MustCompile(`^<([^<>\n]+)>`)
	entity   = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
)

// marks are the pairs of characters around styled text.
var marks = map[byte]struct {
	kind tokenKind
	span *regexp.Regexp
}{
	'*': {boldToken, regexp.MustCompile(`^\*([^*\s](?:[^*\n]*[^*\s])?)\*`)},
	'_': {italicToken, regexp.MustCompile(`^_([^_\s](?:[^_\n]*[^_\s])?)_`)},
	'~': {strikeToken, regexp.MustCompile(`^~([^~\s](?:[^~\n]*[^~\s])?)~`)},
}

// tokens reads mrkdwn. It never fails: what is no markup is text.
func tokens(s string) []token {
	var all []token
	start := 0
	flush := func(end int) {
		if end > start {
			all = append(all, token{kind: textToken, text: entity.Replace(s[start:end])})
		}
	}
	for i := 0; i < len(s); {
		t, n := mark(s, i)
		if n == 0 {
			i++
			continue
		}
		flush(i)
		all = append(all, t)
		i += n
		start = i
	}
	flush(len(s))
	return all
}

// mark reads the markup that begins at i, and says how long it is; 0 when there is none.
func mark(s string, i int) (token, int) {
	rest := s[i:]
	switch c := rest[0]; c {
	case '`':
		if m := codeSpan.FindStringSubmatch(rest); m != nil {
			return token{kind: codeToken, text: entity.Replace(m[1])}, len(m[0])
		}
	case '<':
		if m := angle.FindStringSubmatch(rest); m != nil {
			return angled(m[1]), len(m[0])
		}
	case '*', '_', '~':
		if i > 0 && wordByte(s[i-1]) {
			return token{}, 0
		}
		m := marks[c].span.FindStringSubmatch(rest)
		if m == nil || len(m[0]) < len(rest) && wordByte(rest[len(m[0])]) {
			return token{}, 0
		}
		return token{kind: marks[c].kind, inner: tokens(m[1])}, len(m[0])
	}
	return token{}, 0
}

func wordByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= 0x80
}

// angled reads what stands between < and >: a mention or a link.
func angled(s string) token {
	target, label, _ := strings.Cut(s, "|")
	switch {
	case strings.HasPrefix(target, "!"), strings.HasPrefix(target, "@"), strings.HasPrefix(target, "#"):
		name := strings.TrimPrefix(strings.TrimLeft(target, "!@#"), "subteam^")
		if label != "" {
			name = strings.TrimPrefix(label, "@")
		}
		return token{kind: mentionToken, text: "@" + entity.Replace(name)}
	}
	target = entity.Replace(target)
	if label == "" {
		label = target
	}
	if u, err := url.Parse(target); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return token{kind: textToken, text: entity.Replace(label)}
	}
	return token{kind: linkToken, text: entity.Replace(label), url: target}
}

// markup renders a text object; everything in it is escaped.
func (t textObject) markup() template.HTML {
	if t.Type != "mrkdwn" {
		return template.HTML(escape(entity.Replace(t.Text))) //nolint:gosec // escape makes it safe
	}
	var b strings.Builder
	writeHTML(&b, tokens(t.Text))
	return template.HTML(b.String()) //nolint:gosec // writeHTML escapes every text
}

var tags = map[tokenKind]string{boldToken: "b", italicToken: "i", strikeToken: "s"}

func writeHTML(b *strings.Builder, all []token) {
	for _, t := range all {
		switch t.kind {
		case codeToken:
			b.WriteString("<code>" + escape(t.text) + "</code>")
		case linkToken:
			b.WriteString(`<a rel="noreferrer noopener" target="_blank" href="` + escape(t.url) + `">` + escape(t.text) + "</a>")
		case mentionToken:
			b.WriteString(`<span class="mention">` + escape(t.text) + "</span>")
		case boldToken, italicToken, strikeToken:
			b.WriteString("<" + tags[t.kind] + ">")
			writeHTML(b, t.inner)
			b.WriteString("</" + tags[t.kind] + ">")
		default:
			b.WriteString(strings.ReplaceAll(escape(t.text), "\n", "<br>"))
		}
	}
}

// escape makes text safe in HTML, without control characters.
func escape(s string) string { return html.EscapeString(visible(s)) }

// plain renders a text object for a terminal.
func (t textObject) plain() string {
	if t.Type != "mrkdwn" {
		return visible(entity.Replace(t.Text))
	}
	return visible(plainTokens(tokens(t.Text)))
}

func plainTokens(all []token) string {
	var b strings.Builder
	for _, t := range all {
		switch {
		case t.kind == linkToken && t.text != t.url:
			b.WriteString(t.text + ": " + t.url)
		case t.inner != nil:
			b.WriteString(plainTokens(t.inner))
		default:
			b.WriteString(t.text)
		}
	}
	return b.String()
}

// visible replaces control characters, which could steer a terminal, except for line breaks.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\u200d', r == '\ufe0f':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}
