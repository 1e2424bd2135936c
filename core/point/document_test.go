package point_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/sdk/registry"
)

var update = flag.Bool("update", false, "rewrite golden files")

// everything is a timeline in which each thing that a document can say is said.
func everything() (*point.Timeline, []point.Running) {
	a := repo("a", rel("a", "5", day(5)), rel("a", "4", day(4)), rel("a", "1", day(1)))
	a.Releases[0].AlsoTags = []string{"3-master"}
	a.Mark("sha256:a5", "", "lost orders")
	a.Mark("sha256:a4", "layer sha256:77", "")
	a.Skipped = []registry.Skipped{{Tag: "2-master", Digest: "sha256:a2", Reason: registry.SkipNoDate, Detail: "tried label; found\x1b 1970."}}
	b := repo("b", rel("b", "4", day(4)))
	rules := []policy.Repo{
		rule("a"), rule("b"),
		rule("kept", fill(policy.GapFill{Rule: policy.Keep})),
		rule("refused", fill(policy.GapFill{Rule: policy.Fail})),
		rule("dark"),
	}
	tl := point.Build([]point.Repo{a, b, repo("kept"), repo("refused"), {Name: "dark", Unknown: "registry answered 502"}}, days(rules...))
	return tl, []point.Running{
		{Repo: "a", App: "/ds/prod/a", Tag: "5-master"},
		{Repo: "a", App: "/ds/prod/a2", Tag: "5-master"},
		{Repo: "a", App: "/ds/prod/a3", Tag: "hotfix"},
		{Repo: "b", App: "/ds/prod/b", Digest: "sha256:b4"},
	}
}

func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Error(diff)
	}
}

func validate(t *testing.T, doc []byte) error {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "schema", "points.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(v)
}

func TestDocument(t *testing.T) {
	tl, running := everything()
	have, err := json.MarshalIndent(tl.Document("prod", "master", running), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "points.json", append(have, '\n'))
	if err := validate(t, have); err != nil {
		t.Error(err)
	}
}

func TestTheSchemaTakesAnEmptyTimelineAndDeploymentsAndNothingWrong(t *testing.T) {
	render := func(tl *point.Timeline) []byte {
		have, err := json.Marshal(tl.Document("prod", "master", nil))
		if err != nil {
			t.Fatal(err)
		}
		return have
	}
	if err := validate(t, render(point.Build(nil, point.Options{}))); err != nil {
		t.Error(err)
	}
	deployed := point.Deployed([]point.Repo{repo("a")}, []point.Deployment{{Repo: "a", Tag: "9-master", At: day(4)}}, pattern(t))
	good := render(point.Build(deployed, point.Options{Rules: []policy.Repo{rule("a")}, By: policy.ByRelease}))
	if err := validate(t, good); err != nil {
		t.Error(err)
	}
	for _, broken := range [][2]string{
		{`"missing":[]`, `"missing":null`}, {`"reason":"released"`, `"reason":"guessed"`}, {`"1.0"`, `"2.0"`}, {`"created":null`, `"created":3`},
	} {
		bad := strings.Replace(string(good), broken[0], broken[1], 1)
		if bad == string(good) || validate(t, []byte(bad)) == nil {
			t.Errorf("%s was taken", broken[1])
		}
	}
}

func TestMatrix(t *testing.T) {
	tl, running := everything()
	m := tl.Matrix(running)
	if diff := cmp.Diff([]string{"2019-06-01", "2019-06-04", "2019-06-05"}, m.Dates); diff != "" || m.Current != 2 {
		t.Errorf("current column %d; dates, newest last: %s", m.Current, diff)
	}
	var have [][]string
	for _, row := range m.Rows {
		line := []string{row.Repo, strings.Join(row.Running, " ")}
		for _, c := range row.Cells {
			s := string(c.Mark)
			if c.Release != nil {
				s += " " + c.Release.Tag
			}
			if c.Current {
				s += " *"
			}
			if c.Words == "" || (c.Mark == point.MarkUnpullable || c.Mark == point.MarkQuarantined) != (c.Problem != "") {
				t.Errorf("%s: %+v", row.Repo, c)
			}
			line = append(line, s)
		}
		have = append(have, line)
	}
	want := [][]string{
		{"a", "5-master hotfix", "released 1-master", "unpullable 4-master", "quarantined 5-master *"},
		{"b", "sha256:b4", "missing", "released 4-master *", "gap_filled 4-master"},
		{"kept", "", "kept", "kept", "kept"},
		{"refused", "", "refused", "refused", "refused"},
		{"dark", "", "unknown", "unknown", "unknown"},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if m := tl.Matrix(nil); m.Current != -1 {
		t.Errorf("nothing runs, but column %d is current", m.Current)
	}
}

func TestExplain(t *testing.T) {
	tl, _ := everything()
	explain := func(repo, date string) point.Explanation {
		e, ok := tl.Explain(repo, pointOf(t, tl, date))
		if !ok {
			t.Fatal(repo)
		}
		return e
	}
	have, err := json.MarshalIndent([]point.Explanation{
		explain("a", "2019-06-04"), explain("b", "2019-06-01"), explain("kept", "2019-06-04"), explain("dark", "2019-06-05"),
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "explain.json", append(have, '\n'))
	if _, ok := tl.Explain("stranger", tl.Points[0]); ok {
		t.Error("there is no such repo")
	}
}

func TestExplainVerdicts(t *testing.T) {
	a := repo("a", rel("a", "9", day(9)), rel("a", "7", day(7)), rel("a", "3", day(3)), rel("a", "2", day(2)))
	b := repo("b", rel("b", "5", day(5)))
	short := a
	short.Complete, short.Horizon = false, day(3)
	again := point.Deployed([]point.Repo{a}, []point.Deployment{
		{Repo: "a", Tag: "3-master", At: day(1)}, {Repo: "a", Tag: "2-master", At: day(2)}, {Repo: "a", Tag: "3-master", At: day(4)},
	}, pattern(t))[0]
	tests := []struct {
		name  string
		a     point.Repo
		rule  policy.Repo
		want  string
		notes int
	}{
		{"nearest earlier", a, rule("a"), "after_the_point after_the_point chosen older_than_the_choice", 1},
		{"max_age", a, rule("a", fill(policy.GapFill{Rule: policy.NearestEarlier, MaxAge: time.Hour})), "after_the_point after_the_point beyond_max_age older_than_the_choice", 1},
		{"keep", a, rule("a", fill(policy.GapFill{Rule: policy.Keep})), "after_the_point after_the_point not_filled older_than_the_choice", 1},
		{"retained", a, rule("a", keep(2), fill(policy.GapFill{Rule: policy.NearestEarlier, Search: policy.SearchRetained})), "after_the_point after_the_point not_retained not_retained", 1},
		{"a horizon is named", short, rule("a"), "after_the_point after_the_point chosen older_than_the_choice", 2},
		{"the image of an earlier deployment", again, rule("a"), "chosen older_than_the_choice same_image", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tl := point.Build([]point.Repo{tt.a, b}, days(tt.rule, rule("b")))
			e, _ := tl.Explain("a", pointOf(t, tl, "2019-06-05"))
			var have []string
			for _, c := range e.Candidates {
				have = append(have, string(c.Verdict))
				if c.Words == "" {
					t.Errorf("%s: no words", c.Tag)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(have, " ")); diff != "" {
				t.Error(diff)
			}
			if len(e.Notes) != tt.notes {
				t.Error(e.Notes)
			}
		})
	}
}

func TestDumpIsTheArticlesFile(t *testing.T) {
	tl := point.Build([]point.Repo{
		repo("repo1", rel("repo1", "13", day(3)), rel("repo1", "12", day(1))),
		repo("repo2", rel("repo2", "7", day(1)), rel("repo2", "9", day(2))),
	}, days(rule("repo1"), rule("repo2")))
	have, err := json.Marshal(tl.Dump())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"all":["repo1","repo2"],"rollbacks":{"2019-06-03":[{"13-master":"repo1"}],"2019-06-02":[{"9-master":"repo2"}],"2019-06-01":[{"12-master":"repo1"},{"7-master":"repo2"}]}}`
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Error(diff)
	}
	var again point.Dump
	if err := json.Unmarshal(have, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tl.Dump(), again); diff != "" {
		t.Error(diff)
	}
}

func TestDumpNamesNothingThatCannotBeHad(t *testing.T) {
	tl, _ := everything()
	have, err := json.Marshal(tl.Dump())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"all":["a","b","kept","refused","dark"],"rollbacks":{"2019-06-04":[{"4-master":"b"}],"2019-06-01":[{"1-master":"a"}]}}`
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Error(diff)
	}
	if have, _ := json.Marshal(point.Dump{}); string(have) != `{"all":[],"rollbacks":{}}` {
		t.Errorf("%s", have)
	}
}

func TestReadDump(t *testing.T) {
	var d point.Dump
	if err := json.Unmarshal([]byte(`{"rollbacks": {"2019-06-01": [{"2-m": "b", "1-m": "a", "0-m": "a"}], "2019-06-02": []}, "all": ["a", "b"]}`), &d); err != nil {
		t.Fatal(err)
	}
	want := point.Dump{All: []string{"a", "b"}, Rollbacks: []point.DumpDate{
		{Date: "2019-06-02", Images: []point.DumpImage{}},
		{Date: "2019-06-01", Images: []point.DumpImage{{Tag: "0-m", Repo: "a"}, {Tag: "1-m", Repo: "a"}, {Tag: "2-m", Repo: "b"}}},
	}}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`{}`, `{"all":[]}`, `{"all":["a"],"rollbacks":[]}`, `{"all":["a"],"rollbacks":{"2019-06-01":[{"1-m":"b"}]}}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), &d); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func FuzzDump(f *testing.F) {
	f.Add([]byte(`{"all":["a","b"],"rollbacks":{"2019-06-01":[{"1-m":"a"},{"2-m":"b"}]}}`))
	f.Add([]byte(`{"all":[],"rollbacks":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d, again point.Dump
		if json.Unmarshal(data, &d) != nil {
			return
		}
		out, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("what was written cannot be read: %v: %s", err, out)
		}
		if diff := cmp.Diff(d, again); diff != "" {
			t.Error(diff)
		}
	})
}
