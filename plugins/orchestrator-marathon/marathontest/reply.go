package marathontest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
)

// A reply is an answer before faults get at it.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// jsonReply answers with a JSON document.
func jsonReply(status int, v any) *reply {
	return &reply{
		status: status,
		header: http.Header{"Content-Type": {"application/json"}},
		body:   raw(v),
	}
}

// message answers with Marathon's usual error document.
func message(status int, format string, args ...any) *reply {
	return jsonReply(status, map[string]any{"message": fmt.Sprintf(format, args...)})
}

// htmlReply answers with a page as Jetty makes it.
func htmlReply(status int, reason string) *reply {
	page := fmt.Sprintf("<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=ISO-8859-1\"/>\n"+
		"<title>Error %d </title>\n</head>\n<body>\n<h2>HTTP ERROR: %d</h2>\n<p>Reason:\n<pre>    %s</pre></p>\n<hr />\n</body>\n</html>\n",
		status, status, html.EscapeString(reason))
	return &reply{
		status: status,
		header: http.Header{"Content-Type": {"text/html; charset=ISO-8859-1"}},
		body:   []byte(page),
	}
}

// violation is one entry of a validation error's details.
type violation struct {
	Path   string   `json:"path"`
	Errors []string `json:"errors"`
}

// invalidObject is the answer to a definition that Marathon refuses.
func invalidObject(v ...violation) *reply {
	return jsonReply(http.StatusUnprocessableEntity, map[string]any{"message": "Object is not valid", "details": v})
}

// typeError is the answer to JSON of the wrong type.
func (s *Server) typeError(path string, errs ...string) *reply {
	return jsonReply(s.habits.typeErrors, map[string]any{
		"message": "Invalid JSON",
		"details": []violation{{Path: path, Errors: errs}},
	})
}

// syntaxError is the answer to what is no JSON; its details are a string.
func syntaxError(err error) *reply {
	detail := err.Error()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		detail = fmt.Sprintf("Unexpected character at offset %d: %s", syntax.Offset, syntax)
	}
	return jsonReply(http.StatusBadRequest, map[string]any{"message": "Invalid JSON", "details": detail})
}

// changedReply is the answer to a write that was accepted.
func (s *Server) changedReply(status int, version, deployment string) *reply {
	r := jsonReply(status, map[string]any{"version": version, "deploymentId": deployment})
	s.name(r, deployment)
	return r
}

// name adds the deployment's header where the profile has it.
func (s *Server) name(r *reply, deployment string) {
	if s.habits.header {
		r.header.Set("Marathon-Deployment-Id", deployment)
	}
}

// write sends the reply.
func (r *reply) write(w http.ResponseWriter, req *http.Request, zip bool) {
	for k, v := range r.header {
		w.Header()[k] = v
	}
	body := r.body
	if zip && len(body) > 0 && strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body) // into memory
		_ = z.Close()
		body = b.Bytes()
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(r.status)
	if req.Method != http.MethodHead {
		_, _ = w.Write(body) //nolint:gosec // JSON for test clients; one that left needs no answer
	}
}
