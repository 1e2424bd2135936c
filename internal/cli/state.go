package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rollback-project/rollback/core/policy"
	"github.com/rollback-project/rollback/core/state"
)

// statePath is where the local state is: where the policy says, else below ROLLBACK_DATA_DIR, else beside the policy.
func (g *global) statePath(p *policy.Policy) string {
	path, dir := p.State.Path, g.getenv("ROLLBACK_DATA_DIR")
	switch {
	case path == policy.DefaultStatePath && dir != "":
		return filepath.Join(g.path(dir), "state.db")
	case filepath.IsAbs(path):
		return path
	default:
		return filepath.Join(g.base(p), path)
	}
}

// base is what relative paths of a policy start from.
func (g *global) base(p *policy.Policy) string {
	if p.Dir == "" {
		return g.app.WorkDir
	}
	return p.Dir
}

// recoveryFile is where it is written down what a person has to do: beside the state, or, of a state that is elsewhere,
// beside the policy.
func (g *global) recoveryFile(p *policy.Policy) string {
	if p.State.Kind == policy.StateLocal {
		return filepath.Join(filepath.Dir(g.statePath(p)), "recovery.md")
	}
	return filepath.Join(g.base(p), ".rollback", "recovery.md")
}

// openState opens the state that a policy asks for, to read or to operate.
func (g *global) openState(ctx context.Context, p *policy.Policy, n needs) (*state.Store, error) {
	o := state.Options{Now: g.app.Now, MustExist: n.recorded}
	if p.State.Kind == policy.StatePostgres {
		o.URL = p.State.URL
	} else {
		o.Path = g.statePath(p)
	}
	switch {
	case n.recordOnly:
		return state.Open(ctx, o)
	case !n.operate:
		return state.OpenToRead(ctx, o)
	}
	key, err := g.stateKey(p, o.Path)
	if err != nil {
		return nil, err
	}
	o.Key = key
	return state.Open(ctx, o)
}

// stateKey finds the key of snapshots; nil when the policy leaves them out.
func (g *global) stateKey(p *policy.Policy, local string) (*state.Key, error) {
	text := g.getenv("ROLLBACK_STATE_KEY")
	switch {
	case p.State.Snapshots == policy.SnapshotsOmitted:
		return nil, nil
	case p.State.KeyFile != "" && filepath.IsAbs(p.State.KeyFile):
		return state.KeyFile(p.State.KeyFile, false)
	case p.State.KeyFile != "":
		return state.KeyFile(filepath.Join(g.base(p), p.State.KeyFile), false)
	case text != "":
		key, err := state.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("read ROLLBACK_STATE_KEY: %w", err)
		}
		return key, nil
	case local != "":
		return state.KeyFile(strings.TrimSuffix(local, filepath.Ext(local))+".key", true)
	default:
		return nil, errors.New("open the state: snapshots of apps hold their secrets and are kept encrypted, so the machines that share this state need one key: " +
			"set ROLLBACK_STATE_KEY (make one with `openssl rand -base64 32`), or state.key_file, or leave them out with state.snapshots = \"omitted\"")
	}
}
