package policy

import (
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/core/policy/function"
	"github.com/rollback-project/rollback/core/policy/scope"
	"github.com/rollback-project/rollback/core/policy/source"
	"github.com/rollback-project/rollback/sdk/diag"
)

// VerifyKind says what a verification gate asks.
type VerifyKind string

// The kinds of verification gates.
const (
	VerifyByHTTP       VerifyKind = "http"
	VerifyByExec       VerifyKind = "exec"
	VerifyByPrometheus VerifyKind = "prometheus"
)

// Verify is a verification gate: what must hold after the orchestrator says that all is healthy.
type Verify struct {
	Kind VerifyKind
	// For is how long it must hold without a failure; 0 is once.
	For time.Duration
	// Interval lies between two attempts; Timeout bounds one.
	Interval, Timeout time.Duration
	// Retries are how many attempts in a row may fail before the gate does.
	Retries int
	// One of these is set, by Kind.
	HTTP       *VerifyHTTP
	Exec       *VerifyExec
	Prometheus *VerifyPrometheus
	Range      diag.Range
}

// VerifyHTTP is the gate http: a request and the answer that is wanted.
type VerifyHTTP struct {
	URL, Method string
	// Status are the codes that will do.
	Status []int
	// Body must match the answer's body; nil is anything.
	Body *regexp.Regexp
	// Headers are sent; they may be secret.
	Headers map[string]string
}

// VerifyExec is the gate exec: a program that ends with 0. It is never run by a shell.
type VerifyExec struct {
	Command []string
	// Env is added to a small environment; it may be secret.
	Env map[string]string
	// Dir is where it runs.
	Dir string
}

// VerifyPrometheus is the gate prometheus: a query and what every sample of its result must satisfy.
type VerifyPrometheus struct {
	URL, Query string
	// Condition is its text, for people; Holds judges a sample's value by it.
	Condition string
	Holds     func(value float64) (bool, error)
	// Headers are sent; they may be secret.
	Headers map[string]string
}

// What a gate has when it does not say.
const (
	verifyInterval    = 2 * time.Second
	verifyTimeout     = 5 * time.Second
	verifyExecTimeout = time.Minute
	verifyRetries     = 5
)

// verifications takes the blocks verify out of a body, and returns them with the rest.
func (l *loader) verifications(body hcl.Body) ([]Verify, hcl.Body) {
	content, rest, diags := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "verify", LabelNames: []string{"kind"}}}})
	l.diags = append(l.diags, diags...)
	var all []Verify
	for _, b := range content.Blocks {
		if v, ok := l.verify(b); ok {
			all = append(all, v)
		}
	}
	return all, rest
}

func (l *loader) verify(b *hcl.Block) (Verify, bool) {
	v := Verify{
		Kind: VerifyKind(b.Labels[0]), Interval: verifyInterval, Timeout: verifyTimeout, Retries: verifyRetries, Range: source.Range(b.DefRange),
	}
	before := len(l.diags)
	own := map[VerifyKind][]string{
		VerifyByHTTP:       {"url", "method", "status", "body", "headers"},
		VerifyByExec:       {"command", "env", "dir"},
		VerifyByPrometheus: {"url", "query", "condition", "headers"},
	}
	names, ok := own[v.Kind]
	if !ok {
		kinds := plain([]VerifyKind{VerifyByHTTP, VerifyByExec, VerifyByPrometheus})
		l.problem(b.LabelRanges[0], "Unknown kind of verification", fmt.Sprintf("There is no verify %q. It must be %s.%s", v.Kind, source.OneOf(kinds), source.DidYouMean(string(v.Kind), kinds)))
		return v, false
	}
	a := l.open(b.Body, append([]string{"for", "interval", "timeout", "retries"}, names...), nil)
	switch v.Kind {
	case VerifyByHTTP:
		v.HTTP = l.verifyHTTP(a, b)
	case VerifyByExec:
		v.Timeout = verifyExecTimeout
		v.Exec = l.verifyExec(a, b)
	case VerifyByPrometheus:
		v.Prometheus = l.verifyPrometheus(a, b)
	}
	a.duration("for", &v.For)
	a.duration("interval", &v.Interval)
	a.duration("timeout", &v.Timeout)
	a.whole("retries", 0, &v.Retries)
	return v, len(l.diags) == before
}

func (l *loader) verifyHTTP(a attributes, b *hcl.Block) *VerifyHTTP {
	h := &VerifyHTTP{Method: http.MethodGet, Status: []int{http.StatusOK}, Headers: a.headers("headers")}
	if a.require("url", b.DefRange) {
		a.httpURL("url", &h.URL)
	}
	if r, ok := a.text("method", &h.Method); ok && !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, h.Method) {
		r.problem(r.at(), "Invalid value", fmt.Sprintf("The attribute \"method\" has no value %q. It must be \"GET\", \"HEAD\" or \"POST\".", h.Method))
	}
	a.statuses("status", &h.Status)
	pattern := ""
	if r, ok := a.text("body", &pattern); ok {
		re, err := regexp.Compile(pattern)
		if err != nil {
			r.problem(r.at(), "Invalid pattern", fmt.Sprintf("The attribute \"body\" must be a regular expression (RE2): %s.", strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
		}
		h.Body = re
	}
	return h
}

func (l *loader) verifyExec(a attributes, b *hcl.Block) *VerifyExec {
	e := &VerifyExec{Env: a.headers("env"), Dir: l.policy.Dir}
	a.text("dir", &e.Dir)
	if !filepath.IsAbs(e.Dir) {
		e.Dir = filepath.Join(l.policy.Dir, e.Dir)
	}
	if !a.require("command", b.DefRange) {
		return e
	}
	r, ok := a.read("command", cty.List(cty.String))
	if !ok {
		return e
	}
	for _, word := range r.value.AsValueSlice() {
		if word.IsNull() {
			r.problem(r.at(), "Empty value", `An element of "command" is null.`)
			return e
		}
		e.Command = append(e.Command, word.AsString())
	}
	if len(e.Command) == 0 || e.Command[0] == "" {
		r.problem(r.at(), "Empty value", `The attribute "command" must name a program and its arguments, such as ["./smoke-test", "--fast"].`)
		return e
	}
	if program := e.Command[0]; strings.ContainsRune(program, filepath.Separator) && !filepath.IsAbs(program) {
		e.Command[0] = filepath.Join(l.policy.Dir, program)
	}
	return e
}

func (l *loader) verifyPrometheus(a attributes, b *hcl.Block) *VerifyPrometheus {
	p := &VerifyPrometheus{Headers: a.headers("headers")}
	if a.require("url", b.DefRange) {
		a.httpURL("url", &p.URL)
	}
	if a.require("query", b.DefRange) {
		a.text("query", &p.Query)
	}
	if !a.require("condition", b.DefRange) {
		return p
	}
	expr := a.list["condition"].Expr
	judge := func(v cty.Value) (cty.Value, hcl.Diagnostics) {
		return l.scope.Evaluate(expr, l.scope.With(map[string]cty.Value{"value": v}, function.Guards(nil)))
	}
	result, diags := judge(cty.UnknownVal(cty.Number).RefineNotNull())
	l.diags = append(l.diags, diags...)
	if _, problem := scope.Verdict(result); problem != "" && !diags.HasErrors() {
		l.problem(expr.Range(), "Unsuitable result of a condition", problem)
	}
	p.Condition = string(expr.Range().SliceBytes(l.textOf(expr.Range().Filename)))
	p.Holds = func(value float64) (bool, error) {
		result, diags := judge(cty.NumberFloatVal(value))
		if diags.HasErrors() {
			return false, fmt.Errorf("evaluate %s for %g: %w", p.Condition, value, diags)
		}
		holds, problem := scope.Verdict(result)
		if problem != "" {
			return false, fmt.Errorf("evaluate %s for %g: %s", p.Condition, value, problem)
		}
		return holds, nil
	}
	return p
}

// textOf is the text of a file of the policy; nil when there is none.
func (l *loader) textOf(filename string) []byte {
	for _, f := range l.files {
		if f.Name == filename {
			return f.Bytes
		}
	}
	return nil
}

// httpURL reads an absolute URL of http or https.
func (a attributes) httpURL(name string, into *string) {
	r, ok := a.text(name, into)
	if !ok {
		return
	}
	u, err := url.Parse(*into)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		a.l.problem(r.at(), "Invalid URL", fmt.Sprintf("The attribute %q must be a URL such as \"https://shop.example.com/health\".", name))
	}
	if password, ok := u.User.Password(); err == nil && ok {
		a.l.secrets.Add(cty.StringVal(password))
	}
}

// headers reads a map of texts.
func (a attributes) headers(name string) map[string]string {
	r, ok := a.read(name, cty.Map(cty.String))
	if !ok {
		return nil
	}
	all := map[string]string{}
	for key, v := range r.value.AsValueMap() {
		if v.IsNull() {
			r.problem(r.at(), "Empty value", fmt.Sprintf("The element %q of %q is null.", key, name))
			continue
		}
		all[key] = v.AsString()
	}
	return all
}

// statuses reads one HTTP status or several.
func (a attributes) statuses(name string, into *[]int) {
	if a.list[name] == nil {
		return
	}
	list, ok := a.read(name, cty.DynamicPseudoType)
	if !ok {
		return
	}
	values := []cty.Value{list.value}
	if t := list.value.Type(); t.IsTupleType() || t.IsListType() || t.IsSetType() {
		values = list.value.AsValueSlice()
	}
	var statuses []int
	for _, v := range values {
		n, accuracy := int64(0), big.Below
		if v.Type() == cty.Number && !v.IsNull() {
			n, accuracy = v.AsBigFloat().Int64()
		}
		if accuracy != big.Exact || n < 100 || n > 599 {
			list.problem(list.at(), "Invalid value", fmt.Sprintf("The attribute %q must be an HTTP status such as 200, or a list of them.", name))
			return
		}
		statuses = append(statuses, int(n))
	}
	if len(statuses) == 0 {
		list.problem(list.at(), "Empty value", fmt.Sprintf("The attribute %q must name at least one HTTP status.", name))
		return
	}
	*into = statuses
}
