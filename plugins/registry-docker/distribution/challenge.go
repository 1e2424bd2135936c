package distribution

import "strings"

// challenge is what a WWW-Authenticate header asks for (RFC 9110, 11.6.1).
type challenge struct {
	// scheme is in lower case.
	scheme string
	params map[string]string
}

// parseChallenges reads headers, each of which may hold several challenges. What it cannot read it leaves out.
func parseChallenges(headers []string) []challenge {
	var all []challenge
	for _, h := range headers {
		all = append(all, parseHeader(h)...)
	}
	return all
}

func parseHeader(h string) []challenge {
	var all []challenge
	for h = skip(h); h != ""; h = skip(h) {
		word := token(h)
		if word == "" {
			return all
		}
		h = h[len(word):]
		rest := strings.TrimLeft(h, " \t")
		if !strings.HasPrefix(rest, "=") {
			all = append(all, challenge{scheme: strings.ToLower(word), params: map[string]string{}})
			h = rest
			continue
		}
		var value string
		value, h = parameter(strings.TrimLeft(rest[1:], " \t"))
		if len(all) > 0 {
			all[len(all)-1].params[strings.ToLower(word)] = value
		}
	}
	return all
}

// parameter reads a token or a quoted string, and returns what follows it.
func parameter(h string) (value, rest string) {
	if !strings.HasPrefix(h, `"`) {
		end := strings.IndexAny(h, ", \t")
		if end < 0 {
			end = len(h)
		}
		return h[:end], h[end:]
	}
	var b strings.Builder
	for i := 1; i < len(h); i++ {
		switch {
		case h[i] == '\\' && i+1 < len(h):
			i++
			b.WriteByte(h[i])
		case h[i] == '"':
			return b.String(), h[i+1:]
		default:
			b.WriteByte(h[i])
		}
	}
	return b.String(), ""
}

// skip drops what stands between parameters.
func skip(h string) string { return strings.TrimLeft(h, ", \t") }

// token is the longest token at the beginning (RFC 9110, 5.6.2).
func token(h string) string {
	for i := range len(h) {
		c := h[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return h[:i]
		}
	}
	return h
}
