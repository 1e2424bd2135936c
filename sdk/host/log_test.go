package host

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/sdk/host/redact"
	"github.com/rollback-project/rollback/sdk/schema"
)

func testForwarder(out *bytes.Buffer) *forwarder {
	return newForwarder(Config{
		Kind: schema.Notify, Name: "pager", Redactor: redact.New("hunter22"),
		Logger: hclog.New(&hclog.LoggerOptions{Output: out, Level: hclog.Trace, DisableTime: true}),
	})
}

func TestLogLinesAreReadForWhatTheyAre(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"level, message, sorted values", `{"@level":"warn","@message":"slow","@timestamp":"x","b":2,"a":"x y"}`, `[WARN]  notify.pager: slow: a="x y" b=2`},
		{"the plugin's own logger", `{"@level":"info","@message":"m","@module":"http"}`, `[INFO]  notify.pager: m: module=http`},
		{"nested values lose secrets too", `{"@level":"info","@message":"m","h":{"auth":["hunter22"]}}`, `[INFO]  notify.pager: m: h="{\"auth\":[\"(sensitive)\"]}"`},
		{"nothing and truth", `{"@level":"error","@message":"m","n":null,"t":true}`, `[ERROR] notify.pager: m: n=<nil> t=true`},
		{"plain text", "panic: no", `[DEBUG] notify.pager: panic: no`},
		{"a message that is no text", `{"@level":"info","@message":12}`, `[DEBUG] notify.pager: {"@level":"info","@message":12}`},
		{"an unknown level", `{"@level":"loud","@message":"m"}`, `[DEBUG] notify.pager: {"@level":"loud","@message":"m"}`},
		{"other JSON", `[1]`, `[DEBUG] notify.pager: [1]`},
		{"control characters", "\x1b[2Jboo \u009b", "[DEBUG] notify.pager: \uFFFD[2Jboo \uFFFD"},
		{"an empty line", "  ", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			testForwarder(&out).line([]byte(tc.in))
			if diff := cmp.Diff(tc.want, strings.TrimSuffix(out.String(), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsWrittenInPiecesBecomesLines(t *testing.T) {
	var out bytes.Buffer
	w := testForwarder(&out).lines("standard output")
	for _, piece := range []string{"one ", "line\nand ", "another\n", strings.Repeat("x", 3*maxLine), "x\n", "last\n"} {
		if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines", len(lines))
	}
	want := "[DEBUG] notify.pager: [standard output] "
	got := []string{lines[0], lines[1], lines[2][:len(want)+3], lines[3]}
	if diff := cmp.Diff([]string{want + "one line", want + "and another", want + "xxx", want + "last"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheLastWordsOfAFloodAreKept(t *testing.T) {
	var out bytes.Buffer
	f := testForwarder(&out)
	for i := range 5000 {
		f.line(fmt.Appendf(nil, "line %d with hunter22", i))
	}
	f.flush()
	tail := strings.Split(f.tail(), "\n")
	if len(tail) != tailLines || tail[tailLines-1] != "  line 4999 with (sensitive)" {
		t.Error(tail)
	}
	if !strings.Contains(out.String(), "lines were dropped") {
		t.Error("nobody was told")
	}
}

func FuzzLogLines(f *testing.F) {
	f.Add([]byte(`{"@level":"warn","@message":"slow","b":2}`))
	f.Add([]byte("{\"@level\":\"warn\",\"@message\":12}\npanic: \x1b"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var out bytes.Buffer
		fw := testForwarder(&out)
		fw.read(bytes.NewReader(raw))
		if bytes.ContainsAny(out.Bytes(), "\x1b\x07\x08") || strings.Contains(out.String(), "hunter22") {
			t.Errorf("%q", out.String())
		}
	})
}
