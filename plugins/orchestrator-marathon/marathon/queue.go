package marathon

import (
	"context"
	"encoding/json"
)

// Queued is an app or pod whose instances wait to be launched.
type Queued struct {
	// ID is that of the app or pod.
	ID    string
	Count int
	// Overdue: it waits for offers; else it waits for SecondsLeft, after failures.
	Overdue     bool
	SecondsLeft int
	// Processed counts the offers that were looked at, Unused those that did not fit; -1 where Marathon does not tell.
	Processed, Unused int
	// Rejects say why the last offers did not fit.
	Rejects []Reject
}

// Reject is a reason why offers did not fit: Declined of Processed for this one.
type Reject struct {
	Reason    string `json:"reason"`
	Declined  int    `json:"declined"`
	Processed int    `json:"processed"`
}

// UnmarshalJSON reads an entry of the queue.
func (q *Queued) UnmarshalJSON(data []byte) error {
	type ref struct {
		ID string `json:"id"`
	}
	var v struct {
		App, Pod ref
		Count    int
		Delay    struct {
			TimeLeftSeconds int
			Overdue         bool
		}
		ProcessedOffersSummary *struct {
			ProcessedOffersCount    int
			UnusedOffersCount       int
			RejectSummaryLastOffers []Reject
		}
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*q = Queued{ID: absolute(v.App.ID), Count: v.Count, Overdue: v.Delay.Overdue, SecondsLeft: v.Delay.TimeLeftSeconds, Processed: -1, Unused: -1}
	if q.ID == "" {
		q.ID = absolute(v.Pod.ID)
	}
	if s := v.ProcessedOffersSummary; s != nil {
		q.Processed, q.Unused, q.Rejects = s.ProcessedOffersCount, s.UnusedOffersCount, s.RejectSummaryLastOffers
	}
	return nil
}

// Queue lists what waits to be launched.
func (c *Client) Queue(ctx context.Context) ([]Queued, error) {
	var doc struct {
		Queue []Queued `json:"queue"`
	}
	if err := c.get(ctx, request{path: "/v2/queue", doing: "read the launch queue"}, &doc); err != nil {
		return nil, err
	}
	return doc.Queue, nil
}
