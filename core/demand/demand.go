// Package demand reads what images demand of each other, and says which demands do not hold.
//
// An image says with the label rollback.requires beside which builds of other repos it works. The package is pure:
// text and builds in, values out.
package demand

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rollback-project/rollback/sdk/registry"
)

// Label is the image label that holds demands: "backend-a>=40,backend-b<60".
const Label = "rollback.requires"

// maxText bounds a label's length in bytes, maxQuoted that of what is quoted of it in runes.
const (
	maxText   = 8192
	maxQuoted = 80
)

// Op is how two builds compare.
type Op string

// The operators.
const (
	AtLeast Op = ">="
	AtMost  Op = "<="
	Above   Op = ">"
	Below   Op = "<"
	Same    Op = "="
	Not     Op = "!="
)

// operators are tried in this order: the longer ones first.
var operators = []Op{AtLeast, AtMost, Not, Above, Below, Same}

// Demand is what an image demands of one repo.
type Demand struct {
	// Repo is the name of the repo that it is about.
	Repo string
	Op   Op
	// Build is compared as registry.CompareBuilds does.
	Build string
}

// String writes the demand as a label has it.
func (d Demand) String() string { return d.Repo + string(d.Op) + d.Build }

// Holds reports whether a build satisfies the demand. "", a build that is not known, satisfies none.
func (d Demand) Holds(build string) bool {
	if build == "" {
		return false
	}
	order := registry.CompareBuilds(build, d.Build)
	switch d.Op {
	case AtLeast:
		return order >= 0
	case AtMost:
		return order <= 0
	case Above:
		return order > 0
	case Below:
		return order < 0
	case Same:
		return order == 0
	case Not:
		return order != 0
	}
	return false
}

// Malformed is a part of a label that is no demand.
type Malformed struct {
	// Quoted is the part, without control characters and not longer than a line.
	Quoted string
	// Why says in a few words what is wrong with it.
	Why string
}

// Set is what one image demands. The zero value demands nothing.
type Set struct {
	Demands []Demand
	// Malformed parts count as demands that nothing satisfies: what cannot be read may be what matters.
	Malformed []Malformed
}

// Empty reports that nothing is demanded.
func (s Set) Empty() bool { return len(s.Demands) == 0 && len(s.Malformed) == 0 }

// Parse reads the value of Label: demands separated by commas, each a repo, an operator and a build, with or without
// blanks between them. A value of blanks alone demands nothing.
func Parse(text string) Set {
	var s Set
	switch {
	case len(text) > maxText:
		return Set{Malformed: []Malformed{{Quoted: quote(text), Why: fmt.Sprintf("the label is longer than %d bytes", maxText)}}}
	case strings.TrimSpace(text) == "":
		return s
	}
	for part := range strings.SplitSeq(text, ",") {
		d, err := one(strings.TrimSpace(part))
		if err != nil {
			s.Malformed = append(s.Malformed, Malformed{Quoted: quote(strings.TrimSpace(part)), Why: err.Error()})
			continue
		}
		s.Demands = append(s.Demands, d)
	}
	return s
}

func one(part string) (Demand, error) {
	at := strings.IndexAny(part, "<>=!")
	if at < 0 {
		return Demand{}, errors.New("there is no operator: >=, <=, >, <, = or !=")
	}
	d := Demand{Repo: strings.TrimSpace(part[:at])}
	for _, op := range operators {
		if rest, ok := strings.CutPrefix(part[at:], string(op)); ok {
			d.Op, d.Build = op, strings.TrimSpace(rest)
			break
		}
	}
	switch {
	case d.Op == "":
		return Demand{}, errors.New("there is no operator: >=, <=, >, <, = or !=")
	case d.Repo == "":
		return Demand{}, errors.New("there is no repo before the operator")
	case !made(d.Repo, "._-/"):
		return Demand{}, errors.New("what stands before the operator is no repo")
	case d.Build == "":
		return Demand{}, errors.New("there is no build behind the operator")
	case !made(d.Build, "._-+"):
		return Demand{}, errors.New("what stands behind the operator is no build")
	}
	return d, nil
}

// made reports whether a text consists of ASCII letters, digits and some other characters.
func made(s, others string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return false
		}
		return !strings.ContainsRune(others, r)
	})
}

// quote makes a text from outside fit to be shown.
func quote(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == maxQuoted {
			return b.String() + "…"
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			r = '\uFFFD'
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
