package policy

import (
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollback-project/rollback/sdk/diag"
)

// ignoreGates compares gates but for their places and what is not exported.
var ignoreGates = cmp.Options{
	cmpopts.IgnoreTypes(diag.Range{}),
	cmpopts.IgnoreUnexported(VerifyPrometheus{}),
	cmp.Comparer(func(a, b *regexp.Regexp) bool {
		return a == b || a != nil && b != nil && a.String() == b.String()
	}),
}

const gates = `variable "token" {
  sensitive = true
  default   = "hunter2-hunter2"
}

variable "errors" {
  default = 0.01
}

repo "backend-a" {
  verify "http" {
    url = "http://backend-a/health"
  }
  gap_fill { rule = "keep" }
  verify "http" {
    url      = "https://bob:geheimnis@backend-a/health?deep=1"
    method   = "POST"
    status   = [200, 204]
    body     = "^ok$"
    headers  = { Authorization = "Bearer ${var.token}" }
    for      = "30s"
    interval = "5s"
    timeout  = "1s"
    retries  = 0
  }
  verify "http" {
    url    = "http://backend-a"
    status = 404
    for    = "0s"
  }
}

environment "prod" {
  verify "exec" {
    command = ["./smoke.sh", "-x", "", "-x"]
    env     = { TOKEN = var.token }
    dir     = "smoke"
  }
  verify "exec" {
    command = ["curl"]
  }
  verify "prometheus" {
    url       = "http://prometheus:9090/team"
    query     = "rate(errors[5m])"
    condition = (value <
                 var.errors)
    headers   = { X-Scope = "ds" }
  }
}
`

func TestGatesAreReadWithTheirDefaults(t *testing.T) {
	dir := folder(t, map[string]string{"policy.hcl": gates})
	p, _, ds := Load(LoadOptions{WorkDir: dir})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	everySecond := Verify{Interval: 2 * time.Second, Timeout: 5 * time.Second, Retries: 5}
	with := func(kind string, change func(v *Verify)) Verify {
		v := everySecond
		v.Kind = kind
		change(&v)
		return v
	}
	wantRepo := []Verify{
		with("http", func(v *Verify) {
			v.HTTP = &VerifyHTTP{URL: "http://backend-a/health", Method: "GET", Status: []int{200}}
		}),
		{
			Kind: "http", For: 30 * time.Second, Interval: 5 * time.Second, Timeout: time.Second, Retries: 0,
			HTTP: &VerifyHTTP{
				URL: "https://bob:geheimnis@backend-a/health?deep=1", Method: "POST", Status: []int{200, 204},
				Body: regexp.MustCompile("^ok$"), Headers: map[string]string{"Authorization": "Bearer hunter2-hunter2"},
			},
		},
		with("http", func(v *Verify) { v.HTTP = &VerifyHTTP{URL: "http://backend-a", Method: "GET", Status: []int{404}} }),
	}
	if diff := cmp.Diff(wantRepo, p.Repos[0].Verify, ignoreGates); diff != "" {
		t.Errorf("gates of the repo (-want +got):\n%s", diff)
	}
	wantEnvironment := []Verify{
		with("exec", func(v *Verify) {
			v.Timeout = time.Minute
			v.Exec = &VerifyExec{
				Command: []string{filepath.Join(dir, "smoke.sh"), "-x", "", "-x"}, Env: map[string]string{"TOKEN": "hunter2-hunter2"},
				Dir: filepath.Join(dir, "smoke"),
			}
		}),
		with("exec", func(v *Verify) {
			v.Timeout = time.Minute
			v.Exec = &VerifyExec{Command: []string{"curl"}, Dir: dir}
		}),
		with("prometheus", func(v *Verify) {
			v.Prometheus = &VerifyPrometheus{
				URL: "http://prometheus:9090/team", Query: "rate(errors[5m])", Condition: "(value < var.errors)",
				Headers: map[string]string{"X-Scope": "ds"},
			}
		}),
	}
	if diff := cmp.Diff(wantEnvironment, p.Environments[0].Verify, ignoreGates); diff != "" {
		t.Errorf("gates of the environment (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"Bearer hunter2-hunter2", "hunter2-hunter2", "geheimnis"} {
		if !slices.Contains(p.Secrets, secret) {
			t.Errorf("%q is not among the secrets %q", secret, p.Secrets)
		}
	}
	if at := p.Repos[0].Verify[1].Range.String(); at != "policy.hcl:15" {
		t.Errorf("the second gate is at %s", at)
	}
	if p.Repos[0].GapFill.Rule != Keep {
		t.Error("a block between gates is lost")
	}
}

// prometheusGate loads a gate with a condition.
func prometheusGate(t *testing.T, condition string) *VerifyPrometheus {
	t.Helper()
	p := clean(t, "variable \"limit\" {\n  sensitive = true\n  default = 3\n}\nenvironment \"prod\" {\n  verify \"prometheus\" {\n"+
		"    url = \"http://p\"\n    query = \"up\"\n    condition = "+condition+"\n  }\n}\n", LoadOptions{})
	return p.Environments[0].Verify[0].Prometheus
}

func TestAConditionJudgesSamples(t *testing.T) {
	for _, c := range []struct {
		condition string
		value     float64
		want      bool
		err       string
	}{
		{"value < 0.01", 0.009, true, ""},
		{"value < 0.01", 0.01, false, ""},
		{"value == 1", 1, true, ""},
		{"value > 0 && value <= var.limit", 3, true, ""},
		{"value > 0 && value <= var.limit", 3.5, false, ""},
		{"value < 10", math.Inf(1), false, ""},
		{"value > 10", math.Inf(1), true, ""},
		{"value < 10", math.Inf(-1), true, ""},
		{"value < 10", math.NaN(), false, "NaN"},
		{"10 / value > 1", 0, true, ""},
		{"[1, 2][value] < 2", 2, false, "Invalid index"},
		{"value > 1 ? true : null", 0, false, "null"},
	} {
		t.Run(c.condition, func(t *testing.T) {
			gate := prometheusGate(t, c.condition)
			got, err := gate.Holds(c.value)
			if got != c.want || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("Holds(%v) = %t, %v; want %t, %q", c.value, got, err, c.want, c.err)
			}
		})
	}
}

func TestAConditionMayBeEvaluatedByManyAtOnce(t *testing.T) {
	gate := prometheusGate(t, "[9][value] > var.limit")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if _, err := gate.Holds(float64(i % 2)); (err != nil) != (i%2 == 1) {
				t.Errorf("Holds(%d) errs: %v", i%2, err)
			}
		})
	}
	wg.Wait()
}

func TestAConditionInGo(t *testing.T) {
	gate := NewVerifyPrometheus("http://p", "up", "value == 1", func(v float64) (bool, error) { return v == 1, nil })
	if ok, err := gate.Holds(1); !ok || err != nil || gate.Condition != "value == 1" {
		t.Errorf("Holds(1) = %t, %v", ok, err)
	}
}
