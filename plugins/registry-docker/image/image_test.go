package image

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

func TestDatesOfImages(t *testing.T) {
	cases := []struct{ text, want string }{
		{"2019-06-01T10:00:00Z", "2019-06-01T10:00:00Z"},
		{"2019-06-01T10:00:00.123456789Z", "2019-06-01T10:00:00.123456789Z"},
		{"2019-06-01T12:00:00+02:00", "2019-06-01T10:00:00Z"},
		{"2019-06-01T12:00:00+0200", "2019-06-01T10:00:00Z"},
		{"2019-06-01T10:00:00", "2019-06-01T10:00:00Z"},
		{"2019-06-01T10:00Z", "2019-06-01T10:00:00Z"},
		{"2019-06-01 10:00:00+00:00", "2019-06-01T10:00:00Z"},
		{"2019-06-01 12:00:00 +0200", "2019-06-01T10:00:00Z"},
		{"2019-06-01 10:00:00 +0000 UTC", "2019-06-01T10:00:00Z"},
		{" 2019-06-01 ", "2019-06-01T00:00:00Z"},
		{"Sat, 01 Jun 2019 10:00:00 GMT", "2019-06-01T10:00:00Z"},
		{"20190601", "2019-06-01T00:00:00Z"},
		{"20190601T100000Z", "2019-06-01T10:00:00Z"},
		{"20190601-1000", "2019-06-01T10:00:00Z"},
		{"2019060110", "2019-06-01T10:00:00Z"},
		{"2019.06.01-10.00.07.999", "2019-06-01T10:00:07Z"},
		{"1559383200", "2019-06-01T10:00:00Z"},
		{"1559383200000", "2019-06-01T10:00:00Z"},
		{"", ""},
		{"yesterday", ""},
		{"2019-13-01", ""},
		{"2019", ""},
		{"20190231", ""},
		{"201906011", ""},
	}
	for _, c := range cases {
		got := ""
		if at, ok := parseDate(c.text); ok {
			got = at.UTC().Format(time.RFC3339Nano)
		}
		if got != c.want {
			t.Errorf("parseDate(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:x"},"layers":[]}`,
		`{"schemaVersion":2,"manifests":[{"platform":{"os":"linux","architecture":"arm","variant":"v7"}},{"platform":null}]}`,
		`{"schemaVersion":1,"history":[{"v1Compatibility":"{\"created\":\"2019-06-01T10:00:00Z\"}"}],"signatures":[{"protected":"eyJmb3JtYXRMZW5ndGgiOjUsImZvcm1hdFRhaWwiOiJmUSJ9"}]}`,
		`{"schemaVersion":"2"}`, `[]`, `null`, `{}`, ``, `{"layers":7}`,
	} {
		f.Add([]byte(seed), "application/json")
	}
	want := Platform{OS: "linux", Architecture: "arm"}
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		before := slices.Clone(body)
		d, err := Parse(body, contentType)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Error("what is no JSON was taken")
		}
		if !IsDigest(d.Digest) {
			t.Errorf("digest %q", d.Digest)
		}
		named, unnamed := d.Entries()
		if best := BestFit(want, named); best >= len(named) || len(named)+len(unnamed) > len(d.Manifests) {
			t.Errorf("best = %d of %d", best, len(named))
		}
		if d.Kind() == Schema1 {
			_, _ = d.ConfigOfSchema1() // it must only not panic
		}
		if d.What() != Printable(d.What()) {
			t.Errorf("what = %q", d.What())
		}
		if !slices.Equal(before, body) {
			t.Error("the body was changed")
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"created":"2019-06-01T10:00:00Z","os":"linux","config":{"Labels":{"a":"b","c":7}}}`))
	f.Add([]byte(`{"created":null,"config":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := ParseConfig(body); err == nil && !json.Valid(body) {
			t.Error("what is no JSON was taken")
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"2019-06-01T10:00:00Z", "20190601", "1559383200", "2019.06.01-10", "T", "99999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if at, ok := parseDate(text); ok {
			if again, ok := parseDate(at.UTC().Format(time.RFC3339Nano)); at.Year() <= 9999 && at.Year() >= 0 && (!ok || !again.Equal(at)) {
				t.Errorf("%q is %s, and that %s", text, at, again)
			}
		}
	})
}
