package demand

import "fmt"

// Choice is an image that would run.
type Choice struct {
	Repo, Tag string
	// Build is the tag's; "" when it is not known.
	Build string
	// Requires is what the image demands of others.
	Requires Set
}

// Violation is a demand that does not hold.
type Violation struct {
	// By is the image that demands.
	By Choice
	// Malformed is set where what is demanded cannot be read. Then Demand and Gets are empty.
	Malformed *Malformed
	Demand    Demand
	// Gets is the image that breaks the demand.
	Gets Choice
}

// String tells the violation in one sentence without full stop.
func (v Violation) String() string {
	if v.Malformed != nil {
		return fmt.Sprintf("what %s of %s demands in its label %s cannot be read: %q: %s",
			quote(v.By.Tag), v.By.Repo, Label, v.Malformed.Quoted, v.Malformed.Why)
	}
	gets := quote(v.Gets.Tag)
	if v.Gets.Build == "" {
		gets += ", whose build is not known"
	}
	return fmt.Sprintf("%s of %s requires %s, and %s would be %s", quote(v.By.Tag), v.By.Repo, v.Demand, v.Gets.Repo, gets)
}

// Violations lists the demands of choices that other choices break, in the order of choices: of each image first what is
// malformed, then its demands. Of a repo all choices must satisfy a demand. A demand on a repo of which there is
// no choice is no violation: see Strangers.
func Violations(choices []Choice) []Violation {
	var out []Violation
	byRepo := map[string][]int{}
	for i, c := range choices {
		byRepo[c.Repo] = append(byRepo[c.Repo], i)
	}
	for _, by := range choices {
		for i := range by.Requires.Malformed {
			out = append(out, Violation{By: by, Malformed: &by.Requires.Malformed[i]})
		}
		for _, d := range by.Requires.Demands {
			for _, i := range byRepo[d.Repo] {
				if !d.Holds(choices[i].Build) {
					out = append(out, Violation{By: by, Demand: d, Gets: choices[i]})
				}
			}
		}
	}
	return out
}

// Stranger is a demand on a repo of which there is no choice.
type Stranger struct {
	By     Choice
	Demand Demand
}

// Strangers lists the demands on repos of which there is no choice, in the order of choices.
func Strangers(choices []Choice) []Stranger {
	repos := map[string]bool{}
	for _, c := range choices {
		repos[c.Repo] = true
	}
	var out []Stranger
	for _, by := range choices {
		for _, d := range by.Requires.Demands {
			if !repos[d.Repo] {
				out = append(out, Stranger{By: by, Demand: d})
			}
		}
	}
	return out
}
