package point

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// on says where a point is: "on 2019-06-01", "at 2019-06-01T10:00:00Z", or, for an instant where points are days,
// "on 2019-06-01 up to 2019-06-01T10:00:00Z".
func (t *Timeline) on(p *Point) string {
	switch {
	case len(p.Date) == len(time.DateOnly):
		return "on " + p.Date
	case t.byInstant():
		return "at " + p.Date
	default:
		return "on " + p.Date[:len(time.DateOnly)] + " up to " + p.Date
	}
}

func (t *Timeline) gap(p *Point) string { return "no release " + t.on(p) }

// name tells a release by tag and date.
func (t *Timeline) name(r *Release) string { return r.Tag + " of " + t.label(r.When()) }

// label is the name of the point that an instant belongs to.
func (t *Timeline) label(at time.Time) string {
	if t.byInstant() {
		return at.In(t.zone).Format(time.RFC3339Nano)
	}
	return at.In(t.zone).Format(time.DateOnly)
}

// distance tells how long before a point an instant is: in calendar days, in hours and minutes where it is the same day.
func (t *Timeline) distance(at time.Time, p *Point) string {
	end := p.End.Add(-1)
	if days := daysBetween(at.In(t.zone), end.In(t.zone)); days > 0 {
		return plural(days, "day") + " before"
	}
	return span(end.Sub(at)) + " before"
}

// daysBetween counts calendar days from a to b, each in its own zone.
func daysBetween(a, b time.Time) int {
	ay, am, ad := a.Date()
	by, bm, bd := b.Date()
	from := time.Date(ay, am, ad, 0, 0, 0, 0, time.UTC)
	to := time.Date(by, bm, bd, 0, 0, 0, 0, time.UTC)
	return int(to.Sub(from) / (24 * time.Hour))
}

// span tells a duration in its two largest units of days, hours, minutes and seconds.
func span(d time.Duration) string {
	units := []struct {
		size time.Duration
		word string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	var parts []string
	for _, u := range units {
		if n := int(d / u.size); n > 0 {
			parts = append(parts, plural(n, u.word))
			d -= time.Duration(n) * u.size
		} else if len(parts) > 0 {
			break
		}
		if len(parts) == 2 {
			break
		}
	}
	if len(parts) == 0 {
		return "less than a second"
	}
	return strings.Join(parts, " ")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// some joins the first few names and counts the rest.
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
