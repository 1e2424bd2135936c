package point

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/core/demand"
	"github.com/rollback-project/rollback/core/policy"
)

// mostStates bounds how many combinations of releases the search for one point looks at.
const mostStates = 100_000

// search looks for the releases nearest to those that were chosen whose demands of each other all hold
// (gap_fill.compatible).
//
// A state says how many releases each repo has stepped back. From a state in which a demand is broken, every solution
// further back has stepped either the repo that demands or the one that breaks it; so trying these two, in the
// order of the steps in all, finds every solution with the fewest.
type search struct {
	t     *Timeline
	p     *Point
	seats []seat
	// at finds a repo's seat.
	at map[string]int
	// states counts the combinations looked at.
	states int
	// unread are the seats that could not step because older releases have not been read, and level is the number of
	// steps in all at which that may matter; 0 when there are none.
	unread map[int]bool
	level  int
}

// seat is one repo that gets a release.
type seat struct {
	// repo is the index among the timeline's repos.
	repo int
	s    sight
	// options are indices of s.releases: the one chosen by date, and those that it may step back to.
	options  []int
	requires []demand.Set
	movable  bool
	// open: older releases that it might step to have not been read.
	open bool
}

// state is the number of steps of each seat.
type state []uint16

func (s state) key() string {
	key := make([]byte, 0, 2*len(s))
	for _, n := range s {
		key = binary.BigEndian.AppendUint16(key, n)
	}
	return string(key)
}

// compatible replaces what gaps were filled with where demands would be broken and the policy lets them step back.
func (t *Timeline) compatible(p *Point) {
	p.Conflict = ""
	if !slices.ContainsFunc(t.rules, func(r policy.Repo) bool { return r.GapFill.Compatible }) {
		return
	}
	s := t.newSearch(p)
	start := make(state, len(s.seats))
	first := s.broken(start)
	if len(first) == 0 {
		return
	}
	for i := range s.seats {
		s.seats[i].widen(t.rules[s.seats[i].repo].GapFill.MaxAge, p)
	}
	found, why := s.run(start)
	switch {
	case found != nil:
		s.take(found)
	case s.level > 0:
		s.ask(first[0])
	default:
		p.Conflict = why
	}
}

func (t *Timeline) newSearch(p *Point) *search {
	s := &search{t: t, p: p, at: map[string]int{}, unread: map[int]bool{}}
	for i, c := range p.Choices {
		if c.Release == nil {
			continue
		}
		s.at[c.Repo] = len(s.seats)
		next := seat{repo: i, s: t.seen(i), movable: c.Reason == GapFilled && t.rules[i].GapFill.Compatible}
		next.add(next.s.before(p.End))
		s.seats = append(s.seats, next)
	}
	return s
}

func (s *seat) add(j int) {
	s.options = append(s.options, j)
	s.requires = append(s.requires, demand.Parse(s.s.releases[j].Labels[demand.Label]))
}

// widen lists what the repo may step back to.
func (s *seat) widen(maxAge time.Duration, p *Point) {
	if !s.movable {
		return
	}
	tooOld := func(at time.Time) bool { return maxAge > 0 && p.End.Sub(at) > maxAge }
	for j := s.options[0] + 1; j < len(s.s.releases) && len(s.options) < math.MaxUint16; j++ {
		r := &s.s.releases[j]
		if r.When().Before(s.s.horizon) {
			break
		}
		if tooOld(r.When()) {
			return
		}
		// The same image, deployed earlier as well, is no step.
		if r.Digest == "" || r.Digest != s.s.releases[j-1].Digest {
			s.add(j)
		}
	}
	// What has not been read is older than the horizon.
	s.open = !s.s.complete && !tooOld(s.s.horizon.Add(-1))
}

// pair are the seats of a broken demand: who demands, and who breaks it. They are one where the demand cannot be read.
type pair struct {
	by, gets  int
	demand    demand.Demand
	malformed *demand.Malformed
}

// broken lists the demands that do not hold in a state.
func (s *search) broken(at state) []pair {
	var out []pair
	for i := range s.seats {
		set := &s.seats[i].requires[at[i]]
		for j := range set.Malformed {
			out = append(out, pair{by: i, gets: i, malformed: &set.Malformed[j]})
		}
		for _, d := range set.Demands {
			if j, ok := s.at[d.Repo]; ok && !d.Holds(s.release(j, at).Build) {
				out = append(out, pair{by: i, gets: j, demand: d})
			}
		}
	}
	return out
}

func (s *search) release(i int, at state) *Release {
	return &s.seats[i].s.releases[s.seats[i].options[at[i]]]
}

// run goes through the states in the order of their steps. It returns the solution with the fewest steps in all; among several
// the one in which the repos that the policy names first step least. It is nil when there is none, with the reason in
// words, or when s.level says that older releases must be read first.
func (s *search) run(start state) (found state, why string) {
	levels, seen := [][]state{{start}}, map[string]bool{start.key(): true}
	for steps := 0; steps < len(levels); steps++ {
		if s.level > 0 && steps >= s.level {
			return nil, ""
		}
		for _, at := range levels[steps] {
			if s.states++; s.states > mostStates {
				s.level = 0
				return nil, fmt.Sprintf("gap_fill.compatible gave up after %d combinations of earlier releases, none of which satisfies every demand", mostStates)
			}
			moves, ok := s.moves(at, steps)
			if !ok && (found == nil || slices.Compare(at, found) < 0) {
				found = at
			}
			for _, m := range moves {
				further := slices.Clone(at)
				further[m.seat] = uint16(m.to) // widen lists no more options than fit
				for len(levels) <= steps+m.to-int(at[m.seat]) {
					levels = append(levels, nil)
				}
				if key := further.key(); !seen[key] {
					seen[key] = true
					level := steps + m.to - int(at[m.seat])
					levels[level] = append(levels[level], further)
				}
			}
		}
		if found != nil {
			return found, ""
		}
		levels[steps] = nil
	}
	if s.level > 0 {
		return nil, ""
	}
	return nil, s.none()
}

// move is a step of one seat to one of its options. What lies behind the last one has not been read.
type move struct{ seat, to int }

// moves returns the steps one of which every solution behind a state takes: those of the broken demand that has fewest of
// them. It is false when the state is a solution.
func (s *search) moves(at state, steps int) ([]move, bool) {
	pairs := s.broken(at)
	if len(pairs) == 0 {
		return nil, false
	}
	best := s.ways(pairs[0], at)
	for _, p := range pairs[1:] {
		if ways := s.ways(p, at); len(ways) < len(best) {
			best = ways
		}
	}
	return slices.DeleteFunc(best, func(m move) bool {
		if m.to < len(s.seats[m.seat].options) {
			return false
		}
		if level := steps + m.to - int(at[m.seat]); s.level == 0 || level < s.level {
			s.level = level
		}
		s.unread[m.seat] = true
		return true
	}), true
}

// ways are the steps that may mend a broken demand: who demands may do so no more one release earlier; as long as it
// demands the same, who breaks it has to go to a release that fits.
func (s *search) ways(p pair, at state) []move {
	var out []move
	add := func(i, to int) {
		if seat := &s.seats[i]; seat.movable && (to < len(seat.options) || seat.open) {
			out = append(out, move{i, to})
		}
	}
	add(p.by, int(at[p.by])+1)
	if p.by == p.gets {
		return out
	}
	gets := &s.seats[p.gets]
	to := int(at[p.gets]) + 1
	for to < len(gets.options) && !p.demand.Holds(gets.s.releases[gets.options[to]].Build) {
		to++
	}
	add(p.gets, to)
	return out
}

// none says that no combination fits, and of how many releases.
func (s *search) none() string {
	var names []string
	for i := range s.seats {
		if s.seats[i].movable {
			names = append(names, plural(len(s.seats[i].options), "release")+" of "+s.t.repos[s.seats[i].repo].Name)
		}
	}
	if len(names) == 0 {
		return "gap_fill.compatible lets only a repo step back whose gap is filled, and there is none at this point"
	}
	return "gap_fill.compatible found nothing that satisfies every demand among " + strings.Join(names, ", ")
}

// take makes a solution the point's choices, and says of each repo that stepped back why.
func (s *search) take(found state) {
	for i, steps := range found {
		if steps == 0 {
			continue
		}
		without := slices.Clone(found)
		without[i] = 0
		// Fewer steps are no solution, so there is a reason.
		seat, why := &s.seats[i], s.words(s.broken(without)[0], without)
		plain, r := s.release(i, without), s.release(i, found)
		words := s.t.gap(s.p) + "; nearest earlier is " + s.t.name(plain) + ", passed over because " + why
		if steps > 1 {
			words += fmt.Sprintf(", and so are %d more", steps-1)
		}
		words += "; the nearest that fits is " + s.t.name(r) + " (" + s.t.distance(r.When(), s.p) + ")"
		s.p.Choices[seat.repo] = s.t.warned(seat.s, seat.options[steps], Choice{
			Repo: r.Repo, Reason: GapFilled, Release: r, Words: words,
		})
	}
}

// ask makes the choices that hang on older releases wait for them. Each reading goes twice as far back, so that few are needed.
func (s *search) ask(first pair) {
	why := s.words(first, make(state, len(s.seats)))
	for i := range s.seats {
		if !s.unread[i] {
			continue
		}
		seat := &s.seats[i]
		s.p.Choices[seat.repo] = Choice{
			Repo: s.t.repos[seat.repo].Name, Reason: UnknownReason,
			NeedsOlder: seat.s.horizon.Add(-s.p.End.Sub(seat.s.horizon)),
			Words:      "releases older than " + s.t.label(seat.s.horizon) + " were not read, and one of them may be needed, for " + why,
		}
	}
}

func (s *search) words(p pair, at state) string {
	choice := func(i int) demand.Choice {
		r := s.release(i, at)
		return demand.Choice{Repo: s.t.repos[s.seats[i].repo].Name, Tag: r.Tag, Build: r.Build}
	}
	return demand.Violation{By: choice(p.by), Malformed: p.malformed, Demand: p.demand, Gets: choice(p.gets)}.String()
}
