package marathontest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// queueRoute answers /v2/queue and /v2/queue/{id}/delay.
func (s *Server) queueRoute(c *call, rest string) *reply {
	if id, ok := strings.CutSuffix(rest, "/delay"); ok && c.method == http.MethodDelete {
		return s.resetDelay(absolute(id))
	}
	if rest != "" || c.method != http.MethodGet {
		return notAllowed()
	}
	queue := slices.Clone(s.st.Recorded.Queue)
	if queue == nil {
		queue = []json.RawMessage{}
	}
	for _, r := range s.specs() {
		if r.Pending > 0 && !s.forbidden(r.ID) {
			queue = append(queue, raw(s.showQueued(r, slices.Contains(c.query["embed"], "lastUnusedOffers"))))
		}
	}
	return jsonReply(http.StatusOK, map[string]any{"queue": queue})
}

// showQueued is one entry of the queue: in backoff, or overdue for want of
// offers.
func (s *Server) showQueued(r *runSpec, offers bool) map[string]any {
	left := max(0, int(r.Until.Sub(s.st.Now).Seconds()+0.999))
	doc := map[string]any{
		"count": r.Pending,
		"delay": map[string]any{"timeLeftSeconds": left, "overdue": left == 0},
	}
	key := "app"
	if r.Pod {
		key = "pod"
	}
	doc[key] = r.Doc
	if s.habits.offers {
		doc["since"] = stamp(r.Since)
		doc["processedOffersSummary"] = s.offers(r)
	}
	if s.habits.role {
		doc["role"] = "*"
	}
	if offers && s.habits.offers {
		doc["lastUnusedOffers"] = []any{}
	}
	return doc
}

// offers tells what became of the offers that were looked at: none fits for
// want of CPUs.
func (s *Server) offers(r *runSpec) map[string]any {
	doc := map[string]any{"processedOffersCount": r.Offers, "unusedOffersCount": r.Offers}
	if r.Offers == 0 {
		return doc
	}
	doc["lastUnusedOfferAt"] = stamp(s.st.Now)
	const last = 3 // offers in the summary of the last ones
	doc["rejectSummaryLastOffers"] = rejects(min(last, r.Offers))
	doc["rejectSummaryLaunchAttempt"] = rejects(r.Offers)
	return doc
}

// rejects is the summary of n offers, all of them declined for their CPUs.
func rejects(n int) []map[string]any {
	summary := []map[string]any{}
	left := n
	for _, reason := range []string{
		"UnfulfilledRole", "UnfulfilledConstraint", "NoCorrespondingReservationFound", "AgentMaintenance",
		"InsufficientCpus", "InsufficientMemory", "InsufficientDisk", "InsufficientGpus", "InsufficientPorts",
		"DeclinedScarceResources",
	} {
		declined := 0
		if reason == "InsufficientCpus" {
			declined = n
		}
		summary = append(summary, map[string]any{"reason": reason, "declined": declined, "processed": left})
		left -= declined
	}
	return summary
}

// resetDelay answers DELETE /v2/queue/{id}/delay.
func (s *Server) resetDelay(id string) *reply {
	r := s.st.Specs[id]
	if r == nil || r.Pending == 0 {
		return message(http.StatusNotFound, "Application %s not found in tasks queue.", id)
	}
	r.Delay, r.Until = 0, s.st.Now
	return &reply{status: http.StatusNoContent}
}
