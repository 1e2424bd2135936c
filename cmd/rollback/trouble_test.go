package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// trouble VARIABLE KIND [URL [PATH]] puts a server in front of URL that makes trouble, and its address, host:port, into
// an environment variable. With PATH only requests with it in their path are struck. The kinds are those of struck,
// and: refused (nobody listens), tls (a certificate that nobody knows), none (a plain proxy).
func trouble(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: trouble VARIABLE KIND [URL [PATH]]")
	}
	name, kind := args[0], args[1]
	if kind == "refused" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Check(l.Close())
		ts.Setenv(name, l.Addr().String())
		return
	}
	to := http.NotFoundHandler()
	if len(args) > 2 {
		at, err := url.Parse(args[2])
		ts.Check(err)
		to = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }, FlushInterval: -1}
	}
	path := ""
	if len(args) > 3 {
		path = args[3]
	}
	ended := make(chan struct{})
	server := httptest.NewUnstartedServer(proxy{kind: kind, path: path, to: to, ended: ended})
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if kind == "tls" {
		server.StartTLS()
	} else {
		server.Start()
	}
	ts.Defer(func() {
		close(ended)
		server.CloseClientConnections()
		server.Close()
	})
	ts.Setenv(name, server.Listener.Addr().String())
}

type proxy struct {
	kind, path string
	to         http.Handler
	ended      <-chan struct{}
}

// answers are kinds that need no more than a status and a body.
var answers = map[string]struct {
	status int
	body   string
}{
	"401":     {401, "<html><body>Unauthorized</body></html>"},
	"403":     {403, `{"message":"Not Authorized to perform this action!"}`},
	"404":     {404, `{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}`},
	"429":     {429, "slow down"},
	"500":     {500, "<html><body>Internal Server Error</body></html>"},
	"garbage": {200, `{"tags": [garbage`},
	"empty":   {200, ""},
}

func (p proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.kind == "none" || p.kind == "tls" || !strings.Contains(r.URL.Path, p.path) {
		p.to.ServeHTTP(w, r)
		return
	}
	if a, ok := answers[p.kind]; ok {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
		return
	}
	switch p.kind {
	case "hang":
		select {
		case <-r.Context().Done():
		case <-p.ended:
		}
	case "truncated":
		whole := httptest.NewRecorder()
		p.to.ServeHTTP(whole, r)
		for k, v := range whole.Header() {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", fmt.Sprint(whole.Body.Len()))
		w.WriteHeader(whole.Code)
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	case "enormous":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"name":"x","tags":[`)
		chunk := bytes.Repeat([]byte(`"1-master",`), 1<<12)
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	default:
		http.Error(w, "there is no trouble of kind "+p.kind, http.StatusTeapot)
	}
}
