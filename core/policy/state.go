package policy

import (
	"fmt"
	"net/url"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/core/policy/source"
)

// StateKind says what keeps the state.
type StateKind string

// SnapshotMode says what becomes of snapshots, which hold the secrets of apps.
type SnapshotMode string

// The values of the block state.
const (
	// StateLocal is a SQLite file on this machine, StatePostgres a database that a team shares.
	StateLocal    StateKind = "local"
	StatePostgres StateKind = "postgres"
	// SnapshotsSealed encrypts them. SnapshotsOmitted keeps only which images ran: after a crash that is all that can
	// be put back.
	SnapshotsSealed  SnapshotMode = "sealed"
	SnapshotsOmitted SnapshotMode = "omitted"
)

const (
	// DefaultStatePath is where the local state is when the policy does not say.
	DefaultStatePath = ".rollback/state.db"
	// DefaultStateKeep is how long operations are remembered when the policy does not say.
	DefaultStateKeep = 365 * 24 * time.Hour
)

// State is the block state.
type State struct {
	Kind StateKind
	// Path of the local state, relative to Dir; default DefaultStatePath.
	Path string
	// URL is PostgreSQL's connection string; it may hold a password.
	URL string
	// KeyFile holds the key of sealed snapshots, relative to Dir; "" takes ROLLBACK_STATE_KEY, or, for a local state,
	// a key made beside it.
	KeyFile   string
	Snapshots SnapshotMode
	// Keep is how long ended operations are remembered; default DefaultStateKeep.
	Keep time.Duration
}

// HoldMode says whether apps are held after an apply.
type HoldMode string

// The values of after_apply.hold.
const (
	HoldNone          HoldMode = "none"
	HoldUntilReleased HoldMode = "until_released"
)

// AfterApply is the block after_apply: what follows a successful apply.
type AfterApply struct {
	// Hold marks the changed apps, so that pipelines leave them as they are until they are released.
	Hold HoldMode
	// Quarantine records the images that were left as bad; true when not set.
	Quarantine bool
}

func (l *loader) state() {
	b := l.only("state")
	if b == nil {
		return
	}
	s := &l.policy.State
	shared := []string{"key_file", "snapshots", "keep"}
	var a attributes
	switch kind := StateKind(b.Labels[0]); kind {
	case StateLocal:
		a = l.open(b.Body, append(shared, "path"), nil)
		a.text("path", &s.Path)
	case StatePostgres:
		s.Kind = kind
		a = l.open(b.Body, append(shared, "url"), nil)
		if a.require("url", b.DefRange) {
			l.stateURL(a, s)
		}
	default:
		kinds := plain([]StateKind{StateLocal, StatePostgres})
		l.problem(b.LabelRanges[0], "Unsupported kind of state", fmt.Sprintf("There is no state %q. It must be %s.%s",
			kind, source.OneOf(kinds), source.DidYouMean(string(kind), kinds)))
		return
	}
	a.text("key_file", &s.KeyFile)
	oneOf(a, "snapshots", &s.Snapshots, SnapshotsSealed, SnapshotsOmitted)
	a.duration("keep", &s.Keep)
}

// stateURL reads the connection string. It is a secret as a whole, and its password by itself.
func (l *loader) stateURL(a attributes, s *State) {
	r, ok := a.text("url", &s.URL)
	if !ok {
		return
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" {
		// Without the expression's values: the message must not repeat what may hold a password.
		l.problem(r.at(), "Invalid URL", `The attribute "url" must be a connection string such as "postgres://rollback@db.example.com/rollback?sslmode=verify-full".`)
		return
	}
	if password, ok := u.User.Password(); ok && password != "" {
		l.secrets.Add(cty.StringVal(s.URL))
		l.secrets.Add(cty.StringVal(password))
	}
	if password := u.Query().Get("password"); password != "" {
		l.secrets.Add(cty.StringVal(s.URL))
		l.secrets.Add(cty.StringVal(password))
	}
}

func (l *loader) afterApply() {
	b := l.only("after_apply")
	if b == nil {
		return
	}
	p := &l.policy.AfterApply
	a := l.open(b.Body, []string{"hold", "quarantine"}, nil)
	oneOf(a, "hold", &p.Hold, HoldNone, HoldUntilReleased)
	a.boolean("quarantine", &p.Quarantine)
}
