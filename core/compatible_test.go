package core_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core"
)

// demanding is a shop whose c was released alone on 2019-06-03 and demands an a that lies far back; of a, a build was
// released every day before.
func demanding(requires string) object {
	w := world()
	repos := w["registry"].(object)["repos"].(object)
	tags := object{}
	for i := 1; i <= 60; i++ {
		at := time.Date(2019, 6, 2, 10, 0, 0, 0, time.UTC).AddDate(0, 0, i-60)
		tags[fmt.Sprintf("%d-master", i)] = object{"created": at.Format(time.RFC3339)}
	}
	repos["a"] = object{"tags": tags}
	repos["c"].(object)["tags"].(object)["3-master"] = object{
		"created": "2019-06-03T10:00:00Z", "labels": object{"rollback.requires": requires},
	}
	w["orchestrator"].(object)["apps"].(object)["/ds/prod/a"].(object)["image"] = host + "a:60-master"
	return w
}

const compatibly = usual + `
retention {
  count  = 1
  margin = 1
}
gap_fill { compatible = true }
`

func TestACompatibleFillReadsAsFarBackAsItNeeds(t *testing.T) {
	s := open(t, compatibly, demanding("a<4"))
	p := s.plan("2019-06-03")
	tags := map[string]string{}
	for _, c := range p.Changes {
		tags[c.Repo] = c.To.Tag
	}
	if diff := cmp.Diff(map[string]string{"a": "3-master", "b": "2-master", "c": "3-master"}, tags); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	want := "no release on 2019-06-03; nearest earlier is 60-master of 2019-06-02, passed over because 3-master of c requires a<4, and a would be 60-master, and so are 56 more; the nearest that fits is 3-master of 2019-04-06 (58 days before)"
	if diff := cmp.Diff(want, p.Changes[0].Words); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

func TestADemandThatNothingSatisfiesIsToldOnceAllIsRead(t *testing.T) {
	s := open(t, compatibly, demanding("a>=61"))
	// An instant is no point of the timeline: what it needs is read for it alone.
	for _, when := range []string{"2019-06-03", "2019-06-03T18:00:00Z"} {
		p, _, err := s.tryPlan(t.Context(), core.PlanRequest{To: when})
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, d := range p.Diagnostics {
			texts = append(texts, d.Detail)
		}
		all := strings.Join(texts, "\n")
		for _, want := range []string{"3-master of c requires a>=61, and a would be 60-master", "found nothing that satisfies every demand among 60 releases of a"} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q is not said:\n%s", when, want, all)
			}
		}
		if p.Applyable {
			t.Error("the plan can be applied")
		}
	}
}
