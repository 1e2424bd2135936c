package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/rollback-project/rollback/core/plan"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/sdk/diag"
)

// TestMarkdownFitsAComment has more of everything than fits.
func TestMarkdownFitsAComment(t *testing.T) {
	p := &plan.Plan{Environment: "prod", To: "2019-06-01"}
	for i := range 5000 {
		p.Changes = append(p.Changes, plan.Change{
			Repo: fmt.Sprintf("service-%d", i), App: fmt.Sprintf("/ds/prod/group/service-%d", i), Action: plan.Rollback, Wave: 1,
			From: plan.Image{Tag: "12-master"}, To: plan.Image{Tag: "9-master"}, Words: strings.Repeat("a long reason ", 5),
		})
		p.Diagnostics = append(p.Diagnostics, diag.Warnf("App is being deployed", "%s", p.Changes[i].App))
	}
	p.Matrix = &plan.Matrix{Target: 20, Current: 59}
	for i := range plan.MostColumns {
		p.Matrix.Dates = append(p.Matrix.Dates, fmt.Sprintf("2019-06-01T00:00:%02dZ", i))
	}
	for i := range 5000 {
		row := plan.MatrixRow{Repo: fmt.Sprintf("service-%d", i)}
		for range plan.MostColumns {
			row.Cells = append(row.Cells, plan.MatrixCell{Mark: point.MarkReleased, Tag: strings.Repeat("1", 200)})
		}
		p.Matrix.Rows = append(p.Matrix.Rows, row)
	}
	for _, apps := range []int{500, 5000} {
		q := *p
		q.Changes, q.Diagnostics = p.Changes[:apps], p.Diagnostics[:apps]
		var b bytes.Buffer
		if err := PlanMarkdown(&b, &q); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if len(text) > mostMarkdown {
			t.Errorf("%d apps: %d characters", apps, len(text))
		}
		if opened, closed := strings.Count(text, "<details>"), strings.Count(text, "</details>"); opened != closed || opened != 3 {
			t.Errorf("%d apps: %d folds are opened and %d closed", apps, opened, closed)
		}
		if apps == 5000 && !strings.Contains(text, "more changes: see the plan itself") {
			t.Error("it is not said that changes are left out")
		}
	}
}
