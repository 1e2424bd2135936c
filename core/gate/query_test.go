package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollback-project/rollback/core/policy"
)

func below(limit float64) func(float64) (bool, error) {
	return func(v float64) (bool, error) {
		if v != v {
			return false, errors.New("NaN")
		}
		return v < limit, nil
	}
}

func prometheusGate(url string) policy.Verify {
	v := gateOf("prometheus")
	v.Prometheus = policy.NewVerifyPrometheus(url, "errors", "value < 0.5", below(0.5))
	return v
}

// vector is an answer of Prometheus with samples.
func vector(samples ...string) string {
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(samples, ",") + `]}}`
}

func oneSample(app, value string) string {
	return fmt.Sprintf(`{"metric":{"__name__":"errors","app":%q,"a":"1"},"value":[1435781451.781,%q]}`, app, value)
}

func TestQueries(t *testing.T) {
	for _, c := range []struct {
		rule   string
		status int
		answer string
		want   []string
	}{
		{"one sample that satisfies it", 200, vector(oneSample("x", "0.25")), nil},
		{"several that do", 200, vector(oneSample("x", "0.25"), oneSample("y", "-Inf")), nil},
		{"a scalar", 200, `{"status":"success","data":{"resultType":"scalar","result":[1435781451,"0"]},"warnings":["x"]}`, nil},
		{
			"a scalar that does not", 200, `{"status":"success","data":{"resultType":"scalar","result":[1435781451,"7"]}}`,
			[]string{"expected value < 0.5 for every sample, found 1 of 1 samples that do not satisfy it: the value is 7;"},
		},
		{
			"one of several does not", 200, vector(oneSample("x", "0.25"), oneSample("y", "0.75"), oneSample("z", "+Inf")),
			[]string{`2 of 3 samples that do not satisfy it: errors{a="1",app="y"} is 0.75, errors{a="1",app="z"} is +Inf;`},
		},
		{
			"of many three are named", 200, vector(oneSample("a", "1"), oneSample("b", "1"), oneSample("c", "1"), oneSample("d", "1")),
			[]string{`4 of 4`, `app="c"} is 1, …;`},
		},
		{"NaN satisfies nothing", 200, vector(oneSample("x", "NaN")), []string{`1 of 1`, `app="x"} is NaN;`}},
		{
			"a condition that cannot be evaluated", 200, vector(oneSample("x", "-1")),
			[]string{`app="x"} is -1: no root;`},
		},
		{"an empty result", 200, vector(), []string{"found an empty result: no series answers the query"}},
		{
			"a query that is wrong", 400, `{"status":"error","errorType":"bad_data","error":"parse error: \u001b[2J unexpected"}`,
			[]string{"found status 400, bad_data: \"parse error: \ufffd[2J unexpected\";"},
		},
		{"something else answers", 502, "<html>Bad Gateway</html>", []string{`status 502, body "<html>Bad Gateway</html>"`}},
		{"something else is fine", 200, "ok", []string{"an answer that is not Prometheus': invalid character"}},
		{"JSON of something else", 200, `{"status":"UP"}`, []string{`not Prometheus': status "UP"`}},
		{"a range of samples", 200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, []string{`type "matrix"`}},
		{"a vector that is none", 200, `{"status":"success","data":{"resultType":"vector","result":{}}}`, []string{"cannot be read"}},
		{
			"a histogram", 200, vector(`{"metric":{},"histogram":[1435781451,{"count":"6"}]}`),
			[]string{"a histogram", "histogram_quantile"},
		},
		{"half a sample", 200, vector(`{"metric":{},"value":[1]}`), []string{"not a pair: [1]"}},
		{"a number outside a string", 200, vector(`{"metric":{},"value":[1,2]}`), []string{"not a string: [1,2]"}},
		{"a text", 200, `{"status":"success","data":{"resultType":"scalar","result":[1,"x"]}}`, []string{`not a number: [1,"x"]`}},
		{"more than anybody reads", 200, strings.Repeat(" ", 2<<20), []string{"more than 1048576 bytes"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/team/api/v1/query" || r.FormValue("query") != "errors" || r.Header.Get("X-Scope") != "ds" {
					t.Errorf("asked for %s with %v", r.URL, r.Header)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.answer)
			}))
			defer server.Close()
			v := prometheusGate(server.URL + "/team/")
			v.Prometheus.Headers = map[string]string{"X-Scope": "ds"}
			if strings.Contains(c.rule, "cannot be evaluated") {
				v.Prometheus = policy.NewVerifyPrometheus(v.Prometheus.URL, "errors", "sqrt(value) < 1",
					func(float64) (bool, error) { return false, errors.New("no root") })
				v.Prometheus.Headers = map[string]string{"X-Scope": "ds"}
			}
			o, _ := options(nil)
			err := Run(t.Context(), []Check{once(v)}, o)
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			mentions(t, err, append(c.want, `verify "prometheus" of repo backend-a (policy.hcl:12): errors of `+server.URL+"/team/")...)
		})
	}
}

func TestAPrometheusThatDoesNotAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("query") == "slow" {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	o, _ := options(nil)
	v := prometheusGate(server.URL)
	v.Timeout = 30 * time.Millisecond
	mentions(t, Run(t.Context(), []Check{once(v)}, o), "found no answer, after 30ms")
	v.Timeout = 300 * time.Millisecond
	v.Prometheus.Query = "slow"
	mentions(t, Run(t.Context(), []Check{once(v)}, o), "no answer, after 300ms")
	v.Prometheus.URL = "http://[x"
	mentions(t, Run(t.Context(), []Check{once(v)}, o), "found that its URL cannot be read")
}

// FuzzSamples: whatever answers, reading it ends, with samples or an error.
func FuzzSamples(f *testing.F) {
	f.Add([]byte(vector(oneSample("x", "0.25"))))
	f.Add([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1435781451,"0"]}}`))
	f.Add([]byte(`{"status":"error","errorType":"bad_data","error":"x"}`))
	f.Add([]byte(vector(`{"metric":{},"histogram":[1435781451,{"count":"6"}]}`)))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		samples, err := samplesOf(body)
		if err != nil && samples != nil {
			t.Errorf("samples %v beside the error %v", samples, err)
		}
	})
}
