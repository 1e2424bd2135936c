package demand_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/demand"
)

func TestParse(t *testing.T) {
	bad := func(quoted, why string) demand.Set {
		return demand.Set{Malformed: []demand.Malformed{{Quoted: quoted, Why: why}}}
	}
	const noOperator = "there is no operator: >=, <=, >, <, = or !="
	for _, tc := range []struct {
		rule, text string
		want       demand.Set
	}{
		{"nothing demands nothing", "", demand.Set{}},
		{"nor do blanks", " \t", demand.Set{}},
		{"several demands", "backend-a>=40,backend-b<60", demand.Set{Demands: []demand.Demand{{"backend-a", demand.AtLeast, "40"}, {"backend-b", demand.Below, "60"}}}},
		{"every operator", "a<=1,a>1,a=1,a!=1", demand.Set{Demands: []demand.Demand{{"a", demand.AtMost, "1"}, {"a", demand.Above, "1"}, {"a", demand.Same, "1"}, {"a", demand.Not, "1"}}}},
		{"blanks do not matter", "  team/a  >=  20220209-04 ,b = 7 ", demand.Set{Demands: []demand.Demand{{"team/a", demand.AtLeast, "20220209-04"}, {"b", demand.Same, "7"}}}},
		{"no operator", "backend-a", bad("backend-a", noOperator)},
		{"half an operator", "a!1", bad("a!1", noOperator)},
		{"an operator that is none", "a==1", bad("a==1", "what stands behind the operator is no build")},
		{"no repo", ">=1", bad(">=1", "there is no repo before the operator")},
		{"no build", "a>=", bad("a>=", "there is no build behind the operator")},
		{"two words", "a b>=1", bad("a b>=1", "what stands before the operator is no repo")},
		{"control characters are not shown", "a\x1b[31m>=1", bad("a\uFFFD[31m>=1", "what stands before the operator is no repo")},
		{"a comma too many", "a>=1,", demand.Set{Demands: []demand.Demand{{"a", demand.AtLeast, "1"}}, Malformed: []demand.Malformed{{Quoted: "", Why: noOperator}}}},
		{"long parts are cut", strings.Repeat("x", 100), bad(strings.Repeat("x", 80)+"…", noOperator)},
		{"long labels are not read", strings.Repeat("a>1,", 3000), bad(strings.Repeat("a>1,", 20)+"…", "the label is longer than 8192 bytes")},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, demand.Parse(tc.text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHolds(t *testing.T) {
	for text, want := range map[string][3]bool{ // of the builds 9, 10 and 010.1
		"a>=10": {false, true, true},
		"a<=10": {true, true, false},
		"a>10":  {false, false, true},
		"a<10":  {true, false, false},
		"a=10":  {false, true, false},
		"a!=10": {true, false, true},
	} {
		d := demand.Parse(text).Demands[0]
		if got := [3]bool{d.Holds("9"), d.Holds("10"), d.Holds("010.1")}; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
		if d.Holds("") {
			t.Errorf("%s holds of a build that is not known", text)
		}
	}
	if (demand.Demand{Repo: "a", Build: "1"}).Holds("1") {
		t.Error("a demand without an operator holds")
	}
}

func choice(repo, build, requires string) demand.Choice {
	tag := build + "-master"
	if build == "" {
		tag = "latest"
	}
	return demand.Choice{Repo: repo, Tag: tag, Build: build, Requires: demand.Parse(requires)}
}

func TestViolations(t *testing.T) {
	for _, tc := range []struct {
		rule      string
		choices   []demand.Choice
		want      []string
		strangers int
	}{
		{"no demands", []demand.Choice{choice("a", "1", ""), choice("b", "1", "")}, nil, 0},
		{"demands that hold", []demand.Choice{choice("a", "40", "b<60"), choice("b", "59", "a>=40")}, nil, 0},
		{"one that does not", []demand.Choice{choice("a", "40", "b<60"), choice("b", "60", "")}, []string{"40-master of a requires b<60, and b would be 60-master"}, 0},
		{"both do not", []demand.Choice{choice("a", "1", "b>1"), choice("b", "1", "a>1")}, []string{
			"1-master of a requires b>1, and b would be 1-master", "1-master of b requires a>1, and a would be 1-master",
		}, 0},
		{"every image of a repo must satisfy", []demand.Choice{choice("a", "1", "b>1"), choice("b", "2", ""), choice("b", "1", "")}, []string{"1-master of a requires b>1, and b would be 1-master"}, 0},
		{"an unknown build satisfies nothing", []demand.Choice{choice("a", "1", "b!=7"), choice("b", "", "")}, []string{"1-master of a requires b!=7, and b would be latest, whose build is not known"}, 0},
		{"what cannot be read", []demand.Choice{choice("a", "1", "b\x1b")}, []string{"what 1-master of a demands in its label rollback.requires cannot be read: \"b\uFFFD\": there is no operator: >=, <=, >, <, = or !="}, 0},
		{"a stranger breaks nothing", []demand.Choice{choice("a", "1", "c>1,d>1")}, nil, 2},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			var got []string
			for _, v := range demand.Violations(tc.choices) {
				got = append(got, v.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if n := len(demand.Strangers(tc.choices)); n != tc.strangers {
				t.Errorf("%d strangers", n)
			}
		})
	}
}

// FuzzParse: what is read can be written and read again, and what is quoted is fit for a terminal.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"backend-a>=40,backend-b<60", " a != 1 , b", "a==1", "\x1b[31m", "a>=1,,", "\xff>\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := demand.Parse(text)
		if s.Empty() != (strings.TrimSpace(text) == "") {
			t.Fatalf("%q is read as %+v", text, s)
		}
		var parts []string
		for _, d := range s.Demands {
			parts = append(parts, d.String())
		}
		if again := demand.Parse(strings.Join(parts, ",")); len(again.Malformed) > 0 || !cmp.Equal(again.Demands, s.Demands) {
			t.Fatalf("%q is read as %+v and then as %+v", text, s, again)
		}
		for _, m := range s.Malformed {
			if m.Why == "" || len([]rune(m.Quoted)) > 81 || strings.ContainsFunc(m.Quoted, unicode.IsControl) {
				t.Fatalf("%q is quoted as %q", text, m.Quoted)
			}
		}
	})
}
