package gate

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/core/policy"
)

// once is a gate that has one attempt.
func once(v policy.Verify) Check {
	v.Retries = 0
	return check(v)
}

func TestRequests(t *testing.T) {
	secret := "hunter2-hunter2"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			fmt.Fprint(w, "all is ok")
		case "/echo":
			user, password, _ := r.BasicAuth()
			fmt.Fprint(w, r.Method, " ", r.Host, " ", r.Header.Get("X-Token"), " ", user, ":", password, " ", r.URL.RawQuery)
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/terminal":
			fmt.Fprint(w, "\x1b[2Jred\u202e\r\n  \xff alert")
		case "/long":
			fmt.Fprint(w, strings.Repeat("x", 2<<20), "end")
		case "/hang":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/none":
			<-r.Context().Done()
		case "/cut":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall is")
			conn.Close()
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for _, c := range []struct {
		rule   string
		path   string
		change func(v *policy.Verify)
		want   []string
	}{
		{"the body matches", "/ok", func(v *policy.Verify) { v.HTTP.Body = regexp.MustCompile("ok$") }, nil},
		{"several codes may be fine", "/missing", func(v *policy.Verify) { v.HTTP.Status = []int{200, 404} }, nil},
		{
			"a redirect is an answer of its own", "/moved", nil,
			[]string{"status 302 (redirects are not followed)"},
		},
		{"a redirect may be what is expected", "/moved", func(v *policy.Verify) { v.HTTP.Status = []int{302} }, nil},
		{
			"all codes are named that would be fine", "/missing", func(v *policy.Verify) { v.HTTP.Status = []int{200, 204} },
			[]string{"expected status 200 or 204, found status 404"},
		},
		{
			"another body", "/ok", func(v *policy.Verify) { v.HTTP.Body = regexp.MustCompile("^fine$") },
			[]string{`expected status 200 and a body that matches "^fine$", found status 200, but body "all is ok"`},
		},
		{
			"method, headers, host, user and query arrive", "/echo?a=b", func(v *policy.Verify) {
				v.HTTP.URL = "http://bob:geheimnis@" + host + "/echo?a=b"
				v.HTTP.Method = "POST"
				v.HTTP.Headers = map[string]string{"X-Token": "t", "host": "frontend.example.com"}
				v.HTTP.Body = regexp.MustCompile("^POST frontend.example.com t bob:geheimnis a=b$")
			}, nil,
		},
		{
			"what could repaint a terminal is replaced", "/terminal", func(v *policy.Verify) { v.HTTP.Body = regexp.MustCompile("x") },
			[]string{"body \"\ufffd[2Jred\ufffd \ufffd alert\""},
		},
		{
			"a long body is cut", "/long", func(v *policy.Verify) { v.HTTP.Body = regexp.MustCompile("y") },
			[]string{`body "` + strings.Repeat("x", 200) + `…"`},
		},
		{
			"what lies beyond the first MiB is not read", "/long", func(v *policy.Verify) { v.HTTP.Body = regexp.MustCompile("end$") },
			[]string{"but body"},
		},
		{
			"a header's value echoed is not shown, nor user and query of the URL", "/echo", func(v *policy.Verify) {
				v.HTTP.URL = "http://bob:" + secret + "@" + host + "/echo?token=" + secret
				v.HTTP.Headers = map[string]string{"X-Token": secret}
				v.HTTP.Body = regexp.MustCompile("nothing")
			},
			[]string{"GET " + server.URL + "/echo?…:", "(sensitive value) bob:(sensitive value) token=(sensitive value)"},
		},
		{
			"no answer in time", "/none", func(v *policy.Verify) { v.Timeout = 30 * time.Millisecond },
			[]string{"found no answer, after 30ms"},
		},
		{
			"a body that does not come in time", "/hang", func(v *policy.Verify) {
				v.Timeout = 300 * time.Millisecond
				v.HTTP.Body = regexp.MustCompile("x")
			},
			[]string{"no answer, after 300ms"},
		},
		{"without a pattern the body does not matter", "/hang", nil, nil},
		{
			"a body that breaks off", "/cut", func(v *policy.Verify) { v.HTTP.Body = regexp.MustCompile("ok$") },
			[]string{"the body broke off: unexpected EOF"},
		},
		{
			"a URL that is none", "", func(v *policy.Verify) { v.HTTP.URL = "http://bob:" + secret + "@[x" },
			[]string{"GET a URL", "missing ']'"},
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			v := httpGate(server.URL + c.path)
			if c.change != nil {
				c.change(&v)
			}
			o, _ := options(nil)
			o.Secrets = []string{"ab", "hunter2", secret}
			err := Run(t.Context(), []Check{once(v)}, o)
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			mentions(t, err, c.want...)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestAConnectionThatIsRefusedIsAFailure(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	o, _ := options(nil)
	err = Run(t.Context(), []Check{check(httpGate("http://" + address))}, o)
	mentions(t, err, "connection refused", "2 attempts in 2s, the last 2 failed")
}
