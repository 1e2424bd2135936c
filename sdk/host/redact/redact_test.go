package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/sdk/host/redact"
)

func TestString(t *testing.T) {
	for _, tc := range []struct {
		name    string
		secrets []string
		in      string
		want    string
	}{
		{"plain", []string{"hunter22"}, "password hunter22!", "password (sensitive)!"},
		{"every occurrence", []string{"hunter22"}, "hunter22 hunter22", "(sensitive) (sensitive)"},
		{"shorter than four stays", []string{"abc"}, "abc", "abc"},
		{"four is enough", []string{"abcd"}, "xabcdx", "x(sensitive)x"},
		{"nothing known", nil, "hunter22", "hunter22"},
		{"the longest wins", []string{"hunter", "hunter22"}, "hunter22", "(sensitive)"},
		{"query escaped", []string{"p@ss word"}, "?q=p%40ss+word", "?q=(sensitive)"},
		{"path escaped", []string{"p/ss word"}, "/p%2Fss%20word", "/(sensitive)"},
		{"in JSON", []string{`say "hi"<`}, `{"p":"say \"hi\"\u003c"}`, `{"p":"(sensitive)"}`},
		{"surrounding space does not count", []string{"hunter22\n"}, "hunter22", "(sensitive)"},
		{"lines of a key", []string{"-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----\n"}, "bad line MIIEvQIBADAN", "bad line (sensitive)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, redact.New(tc.secrets...).String(tc.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBase64IsFoundAtEveryShift(t *testing.T) {
	const secret = "correct horse battery"
	r := redact.New(secret)
	for _, before := range []string{"", "u:", "me:", "you:", "longer user:"} {
		for _, after := range []string{"", "!", "!!", "!!!"} {
			for name, enc := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.URLEncoding} {
				in := enc.EncodeToString([]byte(before + secret + after))
				out := r.String("Basic " + in)
				if !strings.Contains(out, redact.Mark) {
					t.Errorf("%s of %q…%q: %s", name, before, after, out)
				}
			}
		}
	}
}

func TestNilRedactorChangesNothing(t *testing.T) {
	var r *redact.Redactor
	if got := r.String("x"); got != "x" {
		t.Errorf("got %q", got)
	}
}

func FuzzNoFormOfASecretStays(f *testing.F) {
	f.Add("hunter22", "password ", " was wrong")
	f.Add("p@ss/wörd\x00 \"<", "", "")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		if len(strings.TrimSpace(secret)) < redact.MinLength || strings.Contains(redact.Mark, strings.TrimSpace(secret)) {
			return
		}
		r := redact.New(secret)
		js, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), string(js[1 : len(js)-1])} {
			if out := r.String(before + form + after); strings.Contains(out, form) && !strings.Contains(redact.Mark+before+after, form) &&
				!strings.Contains(before+redact.Mark+after, form) {
				t.Errorf("%q stays in %q", form, out)
			}
		}
	})
}
