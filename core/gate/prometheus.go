package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/rollback-project/rollback/core/policy"
)

// openPrometheus makes a client of Prometheus's HTTP API (prometheus.io/docs/prometheus/latest/querying/api).
func openPrometheus(v policy.VerifyPrometheus) (attempt, func(), error) {
	httpClient, end := newClient()
	httpClient.Transport = sending{headers: v.Headers, next: httpClient.Transport}
	client, err := api.NewClient(api.Config{Address: v.URL, Client: httpClient})
	if err != nil {
		return nil, end, fmt.Errorf("open Prometheus at %s: %w", v.URL, err)
	}
	server := v1.NewAPI(client)
	return func(ctx context.Context) error { return askPrometheus(ctx, server, v) }, end, nil
}

// sending adds headers to requests.
type sending struct {
	headers map[string]string
	next    http.RoundTripper
}

func (s sending) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for name, value := range s.headers {
		req.Header.Set(name, value)
	}
	return s.next.RoundTrip(req)
}

// askPrometheus queries, and judges every sample.
func askPrometheus(ctx context.Context, server v1.API, v policy.VerifyPrometheus) error {
	var now time.Time // zero: the server's own
	value, _, _, err := server.Query(ctx, v.Query, now)
	if err != nil {
		var answer *v1.Error
		if errors.As(err, &answer) {
			return fmt.Errorf("query Prometheus for %s: %s", v.Query, clean(answer.Msg))
		}
		return fmt.Errorf("query Prometheus for %s: %w", v.Query, err)
	}
	samples, err := samplesOf(value)
	if err != nil {
		return fmt.Errorf("query Prometheus for %s: %w", v.Query, err)
	}
	if len(samples) == 0 {
		return fmt.Errorf("query Prometheus for %s: the result is empty, so that nothing can be judged by it", v.Query)
	}
	for _, s := range samples {
		holds, err := judgeSample(v, float64(s.Value))
		if err != nil {
			return err
		}
		if !holds {
			return fmt.Errorf("the query %s gives %v%s, which does not satisfy %s", v.Query, s.Value, of(s.Metric), v.Condition)
		}
	}
	return nil
}

// judgeSample: a value that is no number satisfies nothing.
func judgeSample(v policy.VerifyPrometheus, value float64) (bool, error) {
	if value != value {
		return false, nil
	}
	return v.Holds(value)
}

func samplesOf(value model.Value) ([]*model.Sample, error) {
	switch v := value.(type) {
	case model.Vector:
		return v, nil
	case *model.Scalar:
		return []*model.Sample{{Value: v.Value}}, nil
	default:
		return nil, fmt.Errorf("the result is a %s; write a query whose result is an instant vector or a scalar", value.Type())
	}
}

func of(m model.Metric) string {
	if len(m) == 0 {
		return ""
	}
	return " for " + clean(m.String())
}
