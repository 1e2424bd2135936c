// Package registry is what a container registry plugin implements: it lists
// releases and says whether an image is still there. It decides nothing.
package registry

import (
	"context"
	"time"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Plugin is a registry plugin before it is configured.
type Plugin interface {
	// Describe answers offline and at once; always the same.
	Describe() schema.Description
	// ValidateConfig reports all problems of cfg at once, offline. Diagnostics carry paths.
	ValidateConfig(cfg schema.Config) diag.Diagnostics
	// Configure is called once, with a configuration that passed ValidateConfig. It does not reach the registry.
	Configure(ctx context.Context, cfg schema.Config, rt schema.Runtime) (Registry, error)
}

// Registry is a configured registry plugin. Its methods may be called concurrently.
type Registry interface {
	// Probe reaches the registry, reading only.
	Probe(ctx context.Context) (schema.ProbeResult, error)
	// ListReleases calls yield from one goroutine, first with exactly one Listing, then with a Release or a
	// Skipped for every tag whose branch is the request's, **newest build first** (TagPattern.Compare),
	// each tag exactly once. An error of yield stops the listing and is returned as it is: the host has enough.
	// It returns nil only when every such tag has been yielded: an answer that is missing, cut short or
	// garbled is an error, never a shorter list. A repo that does not exist is a NotFound fault;
	// a repo without tags is a Listing with zero tags.
	ListReleases(ctx context.Context, req ListRequest, yield func(Item) error) error
	// Resolve says what a reference is now, and whether all of it can still be pulled.
	// An image that is not there is an answer (Found false), not an error.
	Resolve(ctx context.Context, req ResolveRequest) (ResolveResult, error)
}

// DateSource is a place where the creation instant of a release may be found.
type DateSource string

// The sources of a date (DESIGN.md section 2).
const (
	// FromAnnotation: the manifest's (or index's) annotation org.opencontainers.image.created.
	FromAnnotation DateSource = "annotation"
	// FromLabel: the config's label of that name.
	FromLabel DateSource = "label"
	// FromConfig: the config's created field, or the newest of a schema-1 history.
	FromConfig DateSource = "config"
	// FromTag: the tag pattern's group date.
	FromTag DateSource = "tag"
)

// ListRequest asks for the releases of one repo for one branch.
type ListRequest struct {
	Repo string
	// Pattern is the tag pattern, see CompilePattern.
	Pattern string
	// Branch must match the pattern's group branch whole.
	Branch string
	// DateFrom lists the sources in the order they are tried.
	DateFrom []DateSource
	// Platform, such as linux/amd64, is chosen from an index.
	Platform string
	// NotAfter is the latest instant accepted as a date (now plus a day of clock skew).
	NotAfter time.Time
}

// Item is one message of a listing; exactly one field is set.
type Item struct {
	Listing *Listing
	Release *Release
	Skipped *Skipped
}

// Listing comes first and says what is going to follow.
type Listing struct {
	// Repository is the full name images of this repo have, without tag: registry.example.com:5000/backend-a.
	Repository string
	// Tags counts all tags of the repo, Matched those of the branch.
	Tags, Matched int
}

// Release is one image of a repo.
type Release struct {
	Repo string
	Tag  string
	// Digest is of what the tag points at (the index, where it is one): sha256:….
	Digest string
	// Created is the instant of creation, from the source CreatedFrom.
	Created     time.Time
	CreatedFrom DateSource
	// Labels are the config's labels, those of the manifest's annotations that the config lacks included.
	Labels map[string]string
}

// SkipReason says why a tag of the branch is no usable release.
type SkipReason string

// The reasons to skip a tag.
const (
	// SkipNoDate: no source gave a plausible date.
	SkipNoDate SkipReason = "no_date"
	// SkipNotImage: an artifact that is no image (signature, SBOM, chart).
	SkipNotImage SkipReason = "not_image"
	// SkipNoPlatform: an index without the platform.
	SkipNoPlatform SkipReason = "no_platform"
	// SkipGone: the tag is listed but its manifest or config is no longer there.
	SkipGone SkipReason = "gone"
	// SkipUnsupported: a manifest of a kind that cannot be read.
	SkipUnsupported SkipReason = "unsupported"
)

// Skipped is a tag of the branch that is no usable release; it is reported and left out.
type Skipped struct {
	Tag    string
	Digest string
	Reason SkipReason
	// Detail says what was found and what was tried, in a sentence.
	Detail string
}

// ResolveRequest names an image by tag, by digest, or both (then the digest is what is checked,
// and TagMoved reports whether the tag still points at it).
type ResolveRequest struct {
	Repo   string
	Tag    string
	Digest string
	// Platform must be served by the image; "" asks for any.
	Platform string
	// Repository, when set, is the full repository name to look in instead of the repo's own
	// (an app's running image); a plugin that does not serve that host answers with an Unsupported fault.
	Repository string
}

// ResolveResult is what a reference is now.
type ResolveResult struct {
	// Found: the manifest is there.
	Found bool
	// Digest is what the reference points at.
	Digest string
	// TagMoved: the request had tag and digest, and the tag now points elsewhere, or is gone.
	TagMoved bool
	// Pullable: manifest, config and every layer for the platform are there.
	Pullable bool
	// Missing names what is not there: "layer sha256:…", "config sha256:…", "platform linux/arm64".
	Missing []string
	// Created, Labels as in Release; zero when unknown.
	Created time.Time
	Labels  map[string]string
}
