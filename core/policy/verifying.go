package policy

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/rollback-project/rollback/core/policy/scope"
	"github.com/rollback-project/rollback/core/policy/source"
)

// verifyBlock is what a gate looks like inside a repo or an environment.
var verifyBlock = hcl.BlockHeaderSchema{Type: "verify", LabelNames: []string{"kind"}}

// verifyShared are the attributes of every gate.
var verifyShared = []string{"for", "interval", "timeout", "retries"}

// verifies reads the gates among the blocks inside another one.
func (l *loader) verifies(blocks hcl.Blocks) []Verify {
	var all []Verify
	for _, b := range blocks {
		if b.Type == verifyBlock.Type {
			if v, ok := l.verify(b); ok {
				all = append(all, v)
			}
		}
	}
	return all
}

// verify reads one gate; false when its kind is none.
func (l *loader) verify(b *hcl.Block) (Verify, bool) {
	v := Verify{
		Kind: b.Labels[0], Interval: 2 * time.Second, Timeout: 5 * time.Second, Retries: 5,
		Range: source.Range(b.DefRange),
	}
	var a attributes
	switch v.Kind {
	case VerifyByHTTP:
		a = l.openVerify(b, "url", "method", "status", "body", "headers")
		v.HTTP = l.verifyHTTP(a, b)
	case VerifyByExec:
		a = l.openVerify(b, "command", "env", "dir")
		v.Timeout = time.Minute
		v.Exec = l.verifyExec(a, b)
	case VerifyByPrometheus:
		a = l.openVerify(b, "url", "query", "condition", "headers")
		v.Prometheus = l.verifyPrometheus(a, b)
	default:
		l.problem(b.LabelRanges[0], "Unsupported kind of verify", fmt.Sprintf("There is no verify %q. %s",
			v.Kind, nearest(v.Kind, []string{VerifyByExec, VerifyByHTTP, VerifyByPrometheus})))
		return v, false
	}
	if r, d, ok := a.span("for"); ok {
		if d < 0 {
			r.problem(r.at(), "Invalid duration", fmt.Sprintf(`The attribute "for" must not be less than nothing, as %q is.`, r.value.AsString()))
		} else {
			v.For = d
		}
	}
	a.duration("interval", &v.Interval)
	a.duration("timeout", &v.Timeout)
	a.whole("retries", 0, &v.Retries)
	return v, true
}

func (l *loader) openVerify(b *hcl.Block, own ...string) attributes {
	return l.open(b.Body, append(own, verifyShared...), nil)
}

// verifyMethods are those that only look.
var verifyMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost}

func (l *loader) verifyHTTP(a attributes, b *hcl.Block) *VerifyHTTP {
	v := &VerifyHTTP{Method: http.MethodGet, Status: []int{http.StatusOK}}
	if a.require("url", b.DefRange) {
		v.URL = l.webURL(a, "https://frontend.example.com/health", true)
	}
	oneOf(a, "method", &v.Method, verifyMethods...)
	l.statuses(a, &v.Status)
	pattern := ""
	if r, ok := a.text("body", &pattern); ok {
		var err error
		if v.Body, err = regexp.Compile(pattern); err != nil {
			r.problem(r.at(), "Invalid regular expression", fmt.Sprintf(
				`The attribute "body" must be a regular expression (RE2): %s.`, strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
		} else if v.Method == http.MethodHead {
			r.problem(r.at(), "Unsuitable method", `The answer to HEAD has no body that "body" could match: take another method, or leave one of them out.`)
		}
	}
	v.Headers = a.headers()
	return v
}

// webURL reads the attribute url; "" when it is none. What it holds is not repeated: there may be a password in it.
func (l *loader) webURL(a attributes, example string, query bool) string {
	text := ""
	r, ok := a.text("url", &text)
	if !ok {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		r.problem(r.at(), "Invalid URL", fmt.Sprintf(
			`The attribute "url" must be a whole URL of http or https, such as %q.`, example))
		return ""
	case !query && (u.RawQuery != "" || u.ForceQuery || u.Fragment != ""):
		r.problem(r.at(), "Invalid URL", fmt.Sprintf(
			`The attribute "url" must be the address of the server alone, such as %q, without ? and #.`, example))
		return ""
	}
	if password, ok := u.User.Password(); ok && password != "" {
		l.secrets.Add(cty.StringVal(text))
		l.secrets.Add(cty.StringVal(password))
	}
	return text
}

// statuses reads one code or a list of them.
func (l *loader) statuses(a attributes, into *[]int) {
	r, ok := a.read("status", cty.DynamicPseudoType)
	if !ok {
		return
	}
	list := []cty.Value{r.value}
	places := []hcl.Range{r.at()}
	if t := r.value.Type(); t.IsTupleType() || t.IsListType() || t.IsSetType() {
		list = r.value.AsValueSlice()
		places = elementRanges(r.attr.Expr, len(list))
	}
	if len(list) == 0 {
		r.problem(r.at(), "Empty value", `The attribute "status" must name at least one code; leave it out for 200.`)
		return
	}
	codes := make([]int, 0, len(list))
	for i, v := range list {
		number, err := convert.Convert(v, cty.Number)
		if err != nil || number.IsNull() {
			r.problem(places[i], "Unsuitable value type",
				`The attribute "status" must be a status code of HTTP, such as 200, or a list of them, such as [200, 204].`)
			return
		}
		code, accuracy := number.AsBigFloat().Int64()
		if accuracy != big.Exact || code < 100 || code > 599 {
			r.problem(places[i], "Number out of range", fmt.Sprintf(
				"A status code of HTTP is a whole number from 100 to 599, not %s.", number.AsBigFloat().Text('g', 10)))
			return
		}
		codes = append(codes, int(code))
	}
	*into = codes
}

// headerName is a token of RFC 9110 section 5.6.2.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// headers reads the attribute headers; nil when there are none.
func (a attributes) headers() map[string]string {
	return a.table("headers", func(name, value string) string {
		switch {
		case !headerName.MatchString(name):
			return fmt.Sprintf("%q cannot be the name of a header.", name)
		case strings.ContainsAny(value, "\r\n\x00"):
			return fmt.Sprintf("The value of the header %q has more than one line.", name)
		}
		return ""
	})
}

// table reads strings by name; problem says what is wrong with one of them, without repeating its value.
func (a attributes) table(name string, problem func(name, value string) string) map[string]string {
	r, ok := a.read(name, cty.Map(cty.String))
	if !ok || r.value.LengthInt() == 0 {
		return nil
	}
	values := r.value.AsValueMap()
	out := make(map[string]string, len(values))
	for _, key := range source.Sorted(values) {
		if values[key].IsNull() {
			r.problem(r.at(), "Empty value", fmt.Sprintf("The element %q of %q is null.", key, name))
			continue
		}
		if detail := problem(key, values[key].AsString()); detail != "" {
			r.problem(r.at(), "Invalid value", detail)
			continue
		}
		out[key] = values[key].AsString()
	}
	return out
}

// factPrefix begins the environment variables by which rollback tells a program what it is about.
const factPrefix = "ROLLBACK_"

func (l *loader) verifyExec(a attributes, b *hcl.Block) *VerifyExec {
	v := &VerifyExec{Dir: l.inFolder("")}
	if a.require("command", b.DefRange) {
		v.Command = l.command(a)
	}
	v.Env = a.table("env", func(name, value string) string {
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			return fmt.Sprintf("%q cannot be the name of an environment variable.", name)
		case strings.HasPrefix(name, factPrefix):
			return fmt.Sprintf("The name %q is reserved: rollback sets %s… itself.", name, factPrefix)
		case strings.Contains(value, "\x00"):
			return fmt.Sprintf("The value of %q has a zero byte.", name)
		}
		return ""
	})
	dir := ""
	if _, ok := a.text("dir", &dir); ok {
		v.Dir = l.inFolder(dir)
	}
	return v
}

// command reads a program and its arguments, in which a word may occur twice or be empty.
func (l *loader) command(a attributes) []string {
	if attr := a.list["command"]; isText(attr.Expr) {
		l.problem(attr.Expr.Range(), "Unsuitable value type",
			`The attribute "command" must be a list, such as ["./smoke.sh", "--fast"]: the program and its arguments, which no shell reads.`)
		return nil
	}
	r, ok := a.read("command", cty.List(cty.String))
	if !ok {
		return nil
	}
	places := elementRanges(r.attr.Expr, r.value.LengthInt())
	var words []string
	for i, word := range r.value.AsValueSlice() {
		if word.IsNull() || strings.Contains(word.AsString(), "\x00") {
			r.problem(places[i], "Invalid value", `An element of "command" is null or has a zero byte.`)
			return nil
		}
		words = append(words, word.AsString())
	}
	if len(words) == 0 || words[0] == "" {
		r.problem(r.at(), "Empty value", `The attribute "command" must begin with a program.`)
		return nil
	}
	if strings.ContainsRune(words[0], '/') || strings.ContainsRune(words[0], filepath.Separator) {
		words[0] = l.inFolder(words[0])
	}
	return words
}

// isText reports whether an expression is a string that stands there as it is.
func isText(expr hcl.Expression) bool {
	v, diags := expr.Value(nil)
	return !diags.HasErrors() && v.Type() == cty.String
}

// inFolder makes a path absolute that starts from the policy's folder.
func (l *loader) inFolder(path string) string {
	path = filepath.FromSlash(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.policy.Dir, path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func (l *loader) verifyPrometheus(a attributes, b *hcl.Block) *VerifyPrometheus {
	v := &VerifyPrometheus{}
	if a.require("url", b.DefRange) {
		v.URL = l.webURL(a, "http://prometheus.example.com:9090", false)
	}
	if a.require("query", b.DefRange) {
		a.text("query", &v.Query)
	}
	if a.require("condition", b.DefRange) {
		s := &sampled{loader: l, expr: a.list["condition"].Expr}
		l.diags = append(l.diags, s.check()...)
		v.Condition, v.holds = l.written(s.expr), s
	}
	v.Headers = a.headers()
	return v
}

// written is the text of an expression on one line.
func (l *loader) written(expr hcl.Expression) string {
	at := expr.Range()
	for _, f := range l.files {
		if f.Name == at.Filename && at.CanSliceBytes(f.Bytes) {
			return l.sources.Clean(strings.Join(strings.Fields(string(at.SliceBytes(f.Bytes))), " "))
		}
	}
	return ""
}

// sampled is a condition over the number value, in a file.
type sampled struct {
	loader *loader
	expr   hcl.Expression
}

func (s *sampled) evaluate(value cty.Value) (bool, hcl.Diagnostics) {
	ctx := s.loader.scope.With(map[string]cty.Value{"value": value}, nil)
	result, diags := s.loader.scope.Evaluate(s.expr, ctx)
	if diags.HasErrors() {
		explain(diags)
		return false, diags
	}
	passed, problem := scope.Verdict(result)
	if problem != "" {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unsuitable result of a condition", Detail: problem,
			Subject: s.expr.Range().Ptr(), Expression: s.expr, EvalContext: ctx,
		})
	}
	return passed, diags
}

// check tries the condition on a number that is not known: misspelt names and wrong types come to light.
func (s *sampled) check() hcl.Diagnostics {
	_, diags := s.evaluate(cty.UnknownVal(cty.Number).RefineNotNull())
	return diags
}

func (s *sampled) holds(value float64) (bool, error) {
	if math.IsNaN(value) {
		return false, errors.New("NaN is not a number, with which nothing can be compared")
	}
	passed, diags := s.evaluate(cty.NumberFloatVal(value))
	if ds := s.loader.sources.Diagnostics(diags); ds.HasErrors() {
		return false, ds[0]
	}
	return passed, nil
}
