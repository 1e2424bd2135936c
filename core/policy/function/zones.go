package function

import (
	"fmt"
	"strings"
	// A bare container of a CI agent has no time zones of its own.
	_ "time/tzdata"

	"github.com/rollback-project/rollback/core/policy/source"
)

// didYouMeanZone suggests a zone: by spelling, by the city alone, or by a common abbreviation.
func didYouMeanZone(name string) string {
	if zone := abbreviations[strings.ToUpper(name)]; zone != "" {
		return fmt.Sprintf(" Did you mean %q?", zone)
	}
	city := strings.ReplaceAll(name[strings.LastIndexByte(name, '/')+1:], " ", "_")
	for _, zone := range zones {
		if _, last, _ := strings.Cut(zone, "/"); strings.EqualFold(last, city) {
			return fmt.Sprintf(" Did you mean %q?", zone)
		}
	}
	if hint := source.DidYouMean(name, zones); hint != "" {
		return hint
	}
	return ` Names are those of the IANA database, such as "Europe/Berlin" or "UTC".`
}

// abbreviations are what people write for a zone and Go does not know.
var abbreviations = map[string]string{
	"BST": "Europe/London", "CEST": "Europe/Berlin", "CST": "America/Chicago", "EDT": "America/New_York",
	"IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "MSK": "Europe/Moscow", "PDT": "America/Los_Angeles",
	"PST": "America/Los_Angeles", "Z": "UTC",
}

// zones are those worth suggesting; every zone of the database may be used.
var zones = []string{
	"UTC", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Argentina/Buenos_Aires",
	"America/Bogota", "America/Chicago", "America/Denver", "America/Halifax", "America/Lima", "America/Los_Angeles",
	"America/Mexico_City", "America/New_York", "America/Phoenix", "America/Santiago", "America/Sao_Paulo",
	"America/Toronto", "America/Vancouver", "Asia/Bangkok", "Asia/Dubai", "Asia/Ho_Chi_Minh", "Asia/Hong_Kong",
	"Asia/Jakarta", "Asia/Jerusalem", "Asia/Karachi", "Asia/Kolkata", "Asia/Manila", "Asia/Riyadh", "Asia/Seoul",
	"Asia/Shanghai", "Asia/Singapore", "Asia/Taipei", "Asia/Tehran", "Asia/Tokyo", "Asia/Yekaterinburg",
	"Asia/Novosibirsk", "Asia/Vladivostok", "Atlantic/Reykjavik", "Australia/Adelaide", "Australia/Brisbane",
	"Australia/Melbourne", "Australia/Perth", "Australia/Sydney", "Europe/Amsterdam", "Europe/Athens",
	"Europe/Belgrade", "Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Budapest",
	"Europe/Copenhagen", "Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon",
	"Europe/London", "Europe/Luxembourg", "Europe/Madrid", "Europe/Minsk", "Europe/Moscow", "Europe/Oslo",
	"Europe/Paris", "Europe/Prague", "Europe/Riga", "Europe/Rome", "Europe/Samara", "Europe/Sofia",
	"Europe/Stockholm", "Europe/Tallinn", "Europe/Vienna", "Europe/Vilnius", "Europe/Warsaw", "Europe/Zurich",
	"Pacific/Auckland", "Pacific/Honolulu",
}
