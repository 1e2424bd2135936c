package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollback-project/rollback/sdk/registry"
)

// Fixture says what the remote system holds while a plugin is checked. What is left out skips the checks that need it.
type Fixture struct {
	// Config is the plugin's configuration: an object of all attributes.
	Config json.RawMessage `json:"config,omitempty"`
	// Unreachable is a valid configuration for a remote system that is not there.
	Unreachable json.RawMessage `json:"unreachable,omitempty"`
	// Invalid are configurations that must be refused.
	Invalid []InvalidConfig `json:"invalid,omitempty"`
	// WorkDir is where relative paths in the configuration start.
	WorkDir string `json:"work_dir,omitempty"`
	// Patience is how long good images may take to become healthy, and other calls to answer; "" means 10s.
	Patience string `json:"patience,omitempty"`
	// Brief is the time limit given to deployments that are never to become healthy; "" means 300ms.
	Brief        string               `json:"brief,omitempty"`
	Registry     *RegistryFixture     `json:"registry,omitempty"`
	Orchestrator *OrchestratorFixture `json:"orchestrator,omitempty"`
}

// InvalidConfig is a configuration with problems.
type InvalidConfig struct {
	Config json.RawMessage `json:"config"`
	// Paths are the attributes at fault, dotted: each must be named by an error.
	Paths []string `json:"paths"`
}

// RegistryFixture says what a registry holds.
type RegistryFixture struct {
	// Pattern is the tag pattern; "" means the default one.
	Pattern string `json:"pattern,omitempty"`
	// Platform is asked for; "" means linux/amd64.
	Platform string `json:"platform,omitempty"`
	// Repo has on Branch exactly Items, in this order: newest build first. Include at least two releases, and a tag of
	// another branch whose name ends with Branch's.
	Repo   string `json:"repo"`
	Branch string `json:"branch"`
	Items  []Item `json:"items"`
	// MissingRepo does not exist; EmptyRepo has no tags.
	MissingRepo string `json:"missing_repo,omitempty"`
	EmptyRepo   string `json:"empty_repo,omitempty"`
	// IndexTag is a tag of Items that is an index without the platform plan9/mips.
	IndexTag string `json:"index_tag,omitempty"`
	// BrokenTag is a tag in Repo with a manifest that is there and a layer that is not.
	BrokenTag string `json:"broken_tag,omitempty"`
	// ForeignRepository is on a host that the plugin does not serve.
	ForeignRepository string `json:"foreign_repository,omitempty"`
}

// Item is one tag of the branch; what is left out is not compared.
type Item struct {
	Tag string `json:"tag"`
	// Skip is the reason why the tag is no release; the fields below belong to releases.
	Skip        registry.SkipReason `json:"skip,omitempty"`
	Digest      string              `json:"digest,omitempty"`
	Created     *time.Time          `json:"created,omitempty"`
	CreatedFrom registry.DateSource `json:"created_from,omitempty"`
	// Labels must be among the release's.
	Labels map[string]string `json:"labels,omitempty"`
}

// OrchestratorFixture says what an orchestrator runs. The suite changes the apps' images and puts them back.
type OrchestratorFixture struct {
	// Scope holds exactly Apps. An app in a scope whose name only begins so (/ds/prod2) is worth having.
	Scope string `json:"scope"`
	// Apps are at least two, healthy, each with one container and two or more images that become healthy.
	Apps []AppFixture `json:"apps"`
	// MissingApp is an id of no app.
	MissingApp string `json:"missing_app,omitempty"`
}

// AppFixture is one app and the images to try.
type AppFixture struct {
	ID string `json:"id"`
	// Container is the name of the container to change; "" if it has none.
	Container string `json:"container,omitempty"`
	// Good become healthy.
	Good []string `json:"good"`
	// Unhealthy never does; Doomed crashes or does not exist, so that waiting is pointless.
	Unhealthy string `json:"unhealthy,omitempty"`
	Doomed    string `json:"doomed,omitempty"`
	// Digest is a good image as name:tag@sha256:….
	Digest string `json:"digest,omitempty"`
}

// ParseFixture reads a fixture from JSON. Unknown fields are errors.
func ParseFixture(data []byte) (Fixture, error) {
	var f Fixture
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return Fixture{}, fmt.Errorf("decode fixture: %w", err)
	}
	for _, d := range []string{f.Patience, f.Brief} {
		if d == "" {
			continue
		}
		if v, err := time.ParseDuration(d); err != nil || v <= 0 {
			return Fixture{}, fmt.Errorf("decode fixture: %q is no duration above zero, such as 10s", d)
		}
	}
	return f, nil
}

func (f Fixture) patience() time.Duration { return durationOr(f.Patience, 10*time.Second) }

func (f Fixture) brief() time.Duration { return durationOr(f.Brief, 300*time.Millisecond) }

func durationOr(text string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	return otherwise
}
