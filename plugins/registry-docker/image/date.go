package image

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/registry"
)

// createdKey is the annotation and the label that say when an image was made (OCI image spec, annotations).
const createdKey = "org.opencontainers.image.created"

// implausible is the last instant that counts as no date: reproducible builds set 1970 or 1980.
var implausible = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Date tries the sources in order and returns the first plausible instant, or what was tried.
// A zero notAfter accepts any future.
func (i *Image) Date(sources []registry.DateSource, tagDate string, notAfter time.Time) (time.Time, registry.DateSource, string) {
	var tried []string
	for _, source := range sources {
		texts := i.dateTexts(source, tagDate)
		if len(texts) == 0 {
			tried = append(tried, string(source)+" has none")
		}
		for _, text := range texts {
			at, ok := parseDate(text)
			if source == registry.FromTag {
				at, ok = parseTagDate(text)
			}
			quoted := strconv.Quote(Printable(text))
			switch {
			case !ok:
				tried = append(tried, fmt.Sprintf("%s has %s, which is no date", source, quoted))
			case !at.After(implausible):
				tried = append(tried, fmt.Sprintf("%s has %s, which reproducible builds set", source, quoted))
			case !notAfter.IsZero() && at.After(notAfter):
				tried = append(tried, fmt.Sprintf("%s has %s, which is in the future", source, quoted))
			default:
				return at.UTC(), source, ""
			}
		}
	}
	if len(tried) == 0 {
		return time.Time{}, "", "no source of dates was to be tried"
	}
	return time.Time{}, "", strings.Join(tried, "; ")
}

// dateTexts are the values of a source, the first to be tried first.
func (i *Image) dateTexts(source registry.DateSource, tagDate string) []string {
	var texts []string
	add := func(text string) {
		if text != "" {
			texts = append(texts, text)
		}
	}
	switch source {
	case registry.FromAnnotation:
		for _, a := range i.Annotations {
			add(a[createdKey])
		}
	case registry.FromLabel:
		add(i.Config.Labels[createdKey])
	case registry.FromConfig:
		add(i.Config.Created)
	case registry.FromTag:
		add(tagDate)
	}
	return texts
}

// layouts are the dates that people and tools write into images: RFC 3339, as the specification demands,
// and what comes near it. A date without a zone is UTC.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05 -0700 MST",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04",
	time.RFC1123Z,
	time.RFC1123,
	time.DateOnly,
}

// parseDate reads a date in one of the layouts, or in one of those for tags.
func parseDate(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return parseTagDate(text)
}

// parseTagDate reads what fits into a tag, which has no colons: 20190601, 2019-06-01, 20190601T100000Z,
// 2019.06.01-10.00, seconds or milliseconds since 1970. It is UTC.
func parseTagDate(text string) (time.Time, bool) {
	digits := make([]byte, 0, len(text))
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9':
			digits = append(digits, c)
		case !strings.ContainsRune("-._ TtZz", rune(c)):
			return time.Time{}, false
		}
	}
	d := string(digits)
	if len(d) == len(text) && (len(d) == 10 || len(d) == 13) && !strings.HasPrefix(d, "20") {
		n, err := strconv.ParseInt(d, 10, 64)
		if err != nil {
			return time.Time{}, false
		}
		if len(d) == 13 {
			return time.UnixMilli(n), true
		}
		return time.Unix(n, 0), true
	}
	const full = "20060102150405"
	if len(d) > len(full) {
		d = d[:len(full)] // fractions of a second
	}
	if len(d) < len("20060102") || len(d)%2 != 0 {
		return time.Time{}, false
	}
	at, err := time.Parse(full[:len(d)], d)
	return at, err == nil
}
