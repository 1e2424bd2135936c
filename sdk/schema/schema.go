// Package schema lets a plugin describe itself and its settings as data.
//
// The host decodes the policy's block against the schema, keeps every place in
// the source, and hands the plugin plain values; the plugin never sees HCL.
package schema

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"
)

// Kind is what a plugin is a backend for.
type Kind string

// The three kinds of plugin.
const (
	Registry     Kind = "registry"
	Orchestrator Kind = "orchestrator"
	Notify       Kind = "notify"
)

// Capability is an optional ability that a plugin declares; the host never probes for one
// and ignores those it does not know.
type Capability string

// The capabilities of protocol 1.
const (
	// Preview: Preview may be called.
	Preview Capability = "preview"
	// Attach: Attach may be called.
	Attach Capability = "attach"
	// Cancel: Cancel may be called.
	Cancel Capability = "cancel"
	// History: ListRevisions may be called.
	History Capability = "history"
	// AtomicSet: the changes of one Deploy become effective in one deployment or not at all.
	AtomicSet Capability = "atomic_set"
	// DigestReference: an image reference with a digest (name:tag@sha256:…) is accepted.
	DigestReference Capability = "digest_reference"
	// Threads: Notify returns a thread handle, and takes one.
	Threads Capability = "threads"
	// Hold: an orchestrator can mark apps that are to stay as they are (orchestrator.HoldLifter).
	Hold Capability = "hold"
	// Revision: an orchestrator can deploy the whole configuration of a revision (Change.Revision).
	Revision Capability = "revision"
)

// Attribute is one setting.
type Attribute struct {
	Name string
	// Type is a cty type; the host converts the policy's value to it.
	Type     cty.Type
	Required bool
	// Sensitive values are redacted wherever the host prints or stores them.
	Sensitive bool
	// Default is used when the attribute is absent; cty.NilVal means no default (null).
	Default cty.Value
	// OneOf lists the allowed values of a string attribute; empty allows all.
	OneOf []string
	// Doc is one or two sentences for the reference.
	Doc string
}

// Block is a nested block; it may occur Min to Max times (Max 0: any number).
// It has no labels. In the values it is an object when Max is 1 (null when absent), else a list of objects.
type Block struct {
	Name       string
	Min, Max   int
	Attributes []Attribute
	Doc        string
}

// Schema is the body of a plugin's block.
type Schema struct {
	Attributes []Attribute
	Blocks     []Block
}

// Description is what a plugin says of itself, offline and at once.
type Description struct {
	Kind Kind
	// Name is the label of the policy's block, such as docker.
	Name string
	// Version is the plugin's own version (SemVer).
	Version string
	// Doc is a paragraph for the reference.
	Doc          string
	Schema       Schema
	Capabilities []Capability
}

// Has reports whether the capability is declared.
func (d Description) Has(c Capability) bool {
	for _, have := range d.Capabilities {
		if have == c {
			return true
		}
	}
	return false
}

// Config holds the values of a block as JSON: one object, attribute names as keys,
// absent optional attributes as null, in the JSON form of cty values.
type Config struct {
	JSON json.RawMessage
}

// Decode fills into, a pointer to a struct with json tags.
func (c Config) Decode(into any) error {
	if err := json.Unmarshal(c.JSON, into); err != nil {
		return fmt.Errorf("decode configuration: %w", err)
	}
	return nil
}

// Runtime is what a plugin gets from its host besides its configuration.
type Runtime struct {
	// Logger forwards to the host; never nil.
	Logger hclog.Logger
	// UserAgent identifies the host, such as rollback/0.1.0; used in HTTP requests.
	UserAgent string
	// WorkDir is the folder of the policy; relative paths in the configuration start here.
	WorkDir string
	// Parallelism bounds concurrent requests to the remote system; at least 1.
	Parallelism int
}

// ProbeResult is what Probe found.
type ProbeResult struct {
	// System names the remote system and its version, such as "Marathon 1.11.24".
	System string
	// Identity says as whom we are known there; "" when anonymous or unknown.
	Identity string
	// Notes are further remarks for a person.
	Notes []string
}
