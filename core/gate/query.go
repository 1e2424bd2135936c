package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rollback-project/rollback/core/policy"
)

// query is a gate of kind prometheus: an instant query of the server's HTTP API, /api/v1/query
// (docs/decisions/0016-prometheus-is-asked-without-a-library.md).
type query struct {
	*policy.VerifyPrometheus
	client *http.Client
	said   said
}

func (q *query) subject() string {
	return fmt.Sprintf("%s of %s", q.said.start(q.Query), address(q.URL))
}

func (q *query) expected() string { return q.said.start(q.Condition) + " for every sample" }

func (q *query) try(ctx context.Context) error {
	u, err := url.Parse(q.URL)
	if err != nil {
		return errors.New("that its URL cannot be read")
	}
	u = u.JoinPath("api", "v1", "query")
	u.RawQuery = url.Values{"query": {q.Query}}.Encode()
	resp, err := ask(ctx, q.client, http.MethodGet, u.String(), q.Headers)
	if err != nil {
		return q.said.noAnswer(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("status %d, but the answer broke off: %w", resp.StatusCode, q.said.noAnswer(ctx, err))
	case len(body) > longestAnswer:
		return fmt.Errorf("more than %d bytes: narrow the query", longestAnswer)
	}
	samples, err := samplesOf(body)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("status %d, %s: %q", resp.StatusCode, q.said.start(refused.kind), q.said.start(refused.why))
	case err != nil && resp.StatusCode/100 != 2:
		return fmt.Errorf("status %d, body %q", resp.StatusCode, q.said.start(string(body)))
	case err != nil:
		return errors.New(q.said.start(err.Error()))
	}
	return q.judge(samples)
}

// quotedSamples is how many of the samples that do not satisfy the condition are named.
const quotedSamples = 3

func (q *query) judge(samples []sample) error {
	if len(samples) == 0 {
		return errors.New("an empty result: no series answers the query")
	}
	var bad []string
	for _, s := range samples {
		ok, err := q.Holds(s.value)
		switch {
		case err != nil && !math.IsNaN(s.value):
			bad = append(bad, fmt.Sprintf("%s is %s: %s", q.name(s), number(s.value), q.said.start(err.Error())))
		case err != nil || !ok:
			bad = append(bad, fmt.Sprintf("%s is %s", q.name(s), number(s.value)))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	shown := strings.Join(bad[:min(len(bad), quotedSamples)], ", ")
	if len(bad) > quotedSamples {
		shown += ", …"
	}
	return fmt.Errorf("%d of %d samples that do not satisfy it: %s", len(bad), len(samples), shown)
}

// name is a sample's series, as PromQL writes it.
func (q *query) name(s sample) string {
	if len(s.labels) == 0 {
		return "the value"
	}
	var labels []string
	for name, value := range s.labels {
		if name != "__name__" {
			labels = append(labels, fmt.Sprintf("%s=%q", name, value))
		}
	}
	slices.Sort(labels)
	return q.said.start(s.labels["__name__"] + "{" + strings.Join(labels, ",") + "}")
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// sample is one number of a result.
type sample struct {
	labels map[string]string
	value  float64
}

// refusal is what Prometheus says when it does not answer a query.
type refusal struct{ kind, why string }

func (r *refusal) Error() string { return r.kind + ": " + r.why }

// answer is the envelope of all answers of Prometheus' HTTP API, version 1.
type answer struct {
	Status    string `json:"status"`
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
	Data      struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// samplesOf reads an answer: a vector, or a scalar as its only sample. The error is a *refusal when Prometheus says
// that it could not answer.
func samplesOf(body []byte) ([]sample, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("an answer that is not Prometheus': %w", err)
	}
	switch a.Status {
	case "success":
	case "error":
		return nil, &refusal{a.ErrorType, a.Error}
	default:
		return nil, fmt.Errorf("an answer that is not Prometheus': status %q", a.Status)
	}
	switch a.Data.ResultType {
	case "scalar":
		value, err := valueOf(a.Data.Result)
		if err != nil {
			return nil, err
		}
		return []sample{{value: value}}, nil
	case "vector":
		return vectorOf(a.Data.Result)
	}
	return nil, fmt.Errorf("a result of type %q: the query must give a vector or a scalar", a.Data.ResultType)
}

func vectorOf(result json.RawMessage) ([]sample, error) {
	var series []struct {
		Metric    map[string]string `json:"metric"`
		Value     json.RawMessage   `json:"value"`
		Histogram json.RawMessage   `json:"histogram"`
	}
	if err := json.Unmarshal(result, &series); err != nil {
		return nil, fmt.Errorf("a vector that cannot be read: %w", err)
	}
	samples := make([]sample, 0, len(series))
	for _, s := range series {
		if s.Value == nil && s.Histogram != nil {
			return nil, errors.New("a histogram: the query must give numbers, such as histogram_quantile does")
		}
		value, err := valueOf(s.Value)
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{s.Metric, value})
	}
	return samples, nil
}

// valueOf reads an instant and a number in a string: [1435781451.781, "0.5"].
func valueOf(pair json.RawMessage) (float64, error) {
	var parts []json.RawMessage
	var text string
	if err := json.Unmarshal(pair, &parts); err != nil || len(parts) != 2 {
		return 0, fmt.Errorf("a sample that is not a pair: %s", pair)
	}
	if err := json.Unmarshal(parts[1], &text); err != nil {
		return 0, fmt.Errorf("a sample whose value is not a string: %s", pair)
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("a sample whose value is not a number: %s", pair)
	}
	return value, nil
}
