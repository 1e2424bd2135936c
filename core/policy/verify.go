package policy

import (
	"regexp"
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
)

// The values of Verify.Kind.
const (
	VerifyByHTTP       = "http"
	VerifyByExec       = "exec"
	VerifyByPrometheus = "prometheus"
)

// Verify is a block verify: a gate that is judged once the orchestrator calls apps healthy. A gate that fails is a
// failure of the operation like any other (DESIGN.md section 7).
type Verify struct {
	// Kind is the block's label, and says which of HTTP, Exec and Prometheus is set.
	Kind string
	// For is how long it must hold without a failure; 0, the default, is content with one attempt that succeeds.
	For time.Duration
	// Interval lies between the end of one attempt and the next; default 2s.
	Interval time.Duration
	// Timeout bounds one attempt; default 5s, of exec 1m.
	Timeout time.Duration
	// Retries is how many failed attempts in a row are tolerated, and how often For may begin anew; default 5.
	Retries int

	HTTP       *VerifyHTTP
	Exec       *VerifyExec
	Prometheus *VerifyPrometheus
	// Range is where the block begins.
	Range diag.Range
}

// VerifyHTTP is a request and what must come back.
type VerifyHTTP struct {
	// URL is absolute, http or https. It may hold a password.
	URL string
	// Method is GET when not set.
	Method string
	// Status are the codes that are fine, 100 to 599; [200] when not set.
	Status []int
	// Body must match somewhere in the answer's body; nil when any will do.
	Body *regexp.Regexp
	// Headers go with the request. Their values may be secrets, and are never shown.
	Headers map[string]string
}

// VerifyExec is a program that must exit with 0. It is run as it is: no shell reads its arguments.
type VerifyExec struct {
	// Command is the program and its arguments. A program with a separator in its name is an absolute path; one
	// without is looked for in PATH.
	Command []string
	// Env is added to the little of our environment that the program gets. The values may be secrets.
	Env map[string]string
	// Dir is the absolute path that it runs in: the policy's folder when not set.
	Dir string
}

// VerifyPrometheus is a query, and a condition that every sample of its result must satisfy.
type VerifyPrometheus struct {
	// URL is the server's, absolute, http or https, without /api/v1.
	URL   string
	Query string
	// Condition is the condition as it was written, for messages.
	Condition string
	// Headers go with the request. Their values may be secrets, and are never shown.
	Headers map[string]string

	holds sampleCondition
}

// sampleCondition is a condition over the number value.
type sampleCondition interface {
	holds(value float64) (bool, error)
}

// Holds reports whether a sample satisfies the condition. It errs for NaN, and where the condition cannot be
// evaluated; both count as a failure. It is safe for concurrent use.
func (v *VerifyPrometheus) Holds(value float64) (bool, error) { return v.holds.holds(value) }

// NewVerifyPrometheus makes one that no file describes; condition is only for messages.
func NewVerifyPrometheus(url, query, condition string, holds func(value float64) (bool, error)) *VerifyPrometheus {
	return &VerifyPrometheus{URL: url, Query: query, Condition: condition, holds: sampleFunc(holds)}
}

// sampleFunc is a condition in Go.
type sampleFunc func(value float64) (bool, error)

func (f sampleFunc) holds(value float64) (bool, error) { return f(value) }
