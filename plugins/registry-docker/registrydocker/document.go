package registrydocker

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Bounds of what is read of one image, in bytes. The specification asks registries for manifests of 4 MiB.
const (
	maxManifest = 8 << 20
	maxConfig   = 8 << 20
)

// accepted are the manifests that can be read, the best first. Every kind is asked for: a registry that
// is not would convert an index into one platform's manifest, whose digest is not the tag's.
var accepted = []string{
	string(types.OCIImageIndex),
	string(types.DockerManifestList),
	string(types.OCIManifestSchema1),
	string(types.DockerManifestSchema2),
	string(types.DockerManifestSchema1Signed),
	string(types.DockerManifestSchema1),
	"*/*;q=0.1",
}

// descriptor points at content (OCI image spec, descriptor).
type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls"`
	ArtifactType string            `json:"artifactType"`
	Platform     *platform         `json:"platform"`
	Annotations  map[string]string `json:"annotations"`
}

// document is a manifest of any kind.
type document struct {
	// digest is that of the body; of a signed schema 1 manifest, that of what was signed.
	digest string
	// mediaType is the body's own, or what the registry says if the body does not.
	mediaType string

	manifestBody
}

// manifestBody is the union of what the kinds of manifests hold.
type manifestBody struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Annotations   map[string]string `json:"annotations"`
	// Images.
	Config *descriptor  `json:"config"`
	Layers []descriptor `json:"layers"`
	// Indexes and manifest lists.
	Manifests []descriptor `json:"manifests"`
	// Schema 1.
	Architecture string `json:"architecture"`
	FSLayers     []struct {
		BlobSum string `json:"blobSum"`
	} `json:"fsLayers"`
	History []struct {
		V1Compatibility string `json:"v1Compatibility"`
	} `json:"history"`
}

// kind is what a manifest describes.
type kind int

const (
	kindUnknown kind = iota
	kindImage
	kindIndex
	kindSchema1
	kindArtifact
)

// kind tells by the media type, and where that says nothing, by what is there.
func (d *document) kind() kind {
	if len(d.Manifests) > 0 && (d.Config != nil || len(d.Layers) > 0) {
		return kindUnknown // reads as two different things, depending on who reads it
	}
	mt := types.MediaType(d.mediaType)
	switch {
	case mt.IsIndex():
		if d.ArtifactType != "" {
			return kindArtifact
		}
		return kindIndex
	case mt.IsSchema1() || (generic(d.mediaType) && d.SchemaVersion == 1):
		return kindSchema1
	case mt.IsImage() || (generic(d.mediaType) && d.Config != nil):
		if d.isImage() {
			return kindImage
		}
		return kindArtifact
	case generic(d.mediaType) && d.Manifests != nil:
		return kindIndex
	case d.mediaType == "application/vnd.oci.artifact.manifest.v1+json":
		return kindArtifact
	}
	return kindUnknown
}

// isImage tells images from signatures, SBOMs, charts and caches, which are stored in the same form.
// Some of these carry an image's config, but then no layer is an image's.
func (d *document) isImage() bool {
	if d.Config == nil || d.ArtifactType != "" && !types.MediaType(d.ArtifactType).IsConfig() {
		return false
	}
	switch types.MediaType(d.Config.MediaType) {
	case types.OCIConfigJSON, types.DockerConfigJSON, "application/octet-stream":
	default:
		return false
	}
	for _, l := range d.Layers {
		if strings.HasPrefix(l.MediaType, "application/vnd.oci.image.layer.") ||
			strings.HasPrefix(l.MediaType, "application/vnd.docker.image.rootfs.") {
			return true
		}
	}
	return len(d.Layers) == 0
}

// what names an artifact for people.
func (d *document) what() string {
	switch {
	case d.ArtifactType != "":
		return printable(d.ArtifactType)
	case d.Config != nil && !types.MediaType(d.Config.MediaType).IsConfig():
		return printable(d.Config.MediaType)
	case len(d.Layers) > 0:
		return printable(d.Layers[0].MediaType)
	}
	return printable(d.mediaType)
}

// errGone: the registry says that there is no such content.
var errGone = errors.New("not in the registry")

// manifest reads the manifest of a tag or a digest, and checks it against the digest that was asked for
// or promised. errGone when the registry says that it is not there.
func (c *client) manifest(ctx context.Context, repo repository, ref string) (*document, error) {
	return c.manifestInto(ctx, repo, ref, nil)
}

// manifestInto does the same, and keeps what was asked for by digest.
func (c *client) manifestInto(ctx context.Context, repo repository, ref string, keep *cache) (*document, error) {
	a, err := c.fetch(ctx, repo, request{path: manifestPath(repo, ref), accept: accepted, limit: maxManifest, doing: "read the manifest of " + join(repo, ref)})
	if err != nil {
		return nil, err
	}
	r := request{doing: "read the manifest of " + join(repo, ref), subject: repo.name}
	d, err := parseManifest(a.body, a.header.Get("Content-Type"))
	if err != nil {
		return nil, c.garbled(r, "%v", err)
	}
	promised := a.header.Get("Docker-Content-Digest")
	for _, want := range []string{ref, promised} {
		if isDigest(want) && want != d.digest {
			return nil, c.garbled(r, "the content has the digest %s, not %s", d.digest, want)
		}
	}
	if isDigest(ref) {
		keep.put(ref, a.body)
	}
	if promised == "" && !isDigest(ref) && d.kind() == kindUnknown && d.SchemaVersion == 0 {
		return nil, c.garbled(r, "the answer is no manifest")
	}
	return d, nil
}

// blob reads a small blob whole and checks its digest.
func (c *client) blob(ctx context.Context, repo repository, digest string) ([]byte, error) {
	r := request{path: "/v2/" + repo.path + "/blobs/" + digest, limit: maxConfig, doing: "read the config " + digest + " of " + repo.name}
	a, err := c.fetch(ctx, repo, r)
	if err != nil {
		return nil, err
	}
	if got := digestOf(a.body); got != digest {
		r.subject = repo.name
		return nil, c.garbled(r, "the content has the digest %s", got)
	}
	return a.body, nil
}

// fetch reads content of a repository.
func (c *client) fetch(ctx context.Context, repo repository, r request) (*answer, error) {
	r.method, r.subject, r.scope = http.MethodGet, repo.name, "repository:"+repo.path+":pull"
	a, err := c.ask(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case gone(a):
		return nil, errGone
	case a.status != http.StatusOK:
		return nil, c.refused(r, a)
	}
	return a, nil
}

// parseManifest reads a manifest of any kind. An error means that it is no manifest at all.
func parseManifest(body []byte, contentType string) (*document, error) {
	d := &document{}
	err := json.Unmarshal(body, &d.manifestBody)
	var wrongType *json.UnmarshalTypeError
	if err != nil && !errors.As(err, &wrongType) {
		return nil, errors.New("the answer is no JSON")
	}
	if wrongType != nil {
		if wrongType.Field == "" {
			return nil, errors.New("the answer is no JSON object")
		}
		// It is whole, but not what the specification says: whoever pushed it meant something else.
		d.manifestBody = manifestBody{SchemaVersion: d.SchemaVersion, MediaType: "invalid"}
	}
	d.mediaType = d.MediaType
	if d.mediaType == "" {
		if t, _, err := mime.ParseMediaType(contentType); err == nil {
			d.mediaType = t
		}
	}
	d.digest = digestOf(body)
	if d.kind() == kindSchema1 {
		if payload, ok := signedPayload(body); ok {
			d.digest = digestOf(payload)
		}
	}
	return d, nil
}

// signedPayload cuts the signatures out of a schema 1 manifest: its digest is that of what was signed.
// Each signature says how long the text before the signatures is and how it goes on after them.
func signedPayload(body []byte) ([]byte, bool) {
	var signed struct {
		Signatures []struct {
			Protected string `json:"protected"`
		} `json:"signatures"`
	}
	if json.Unmarshal(body, &signed) != nil || len(signed.Signatures) == 0 {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(signed.Signatures[0].Protected)
	if err != nil {
		return nil, false
	}
	var protected struct {
		FormatLength int    `json:"formatLength"`
		FormatTail   string `json:"formatTail"`
	}
	if json.Unmarshal(raw, &protected) != nil || protected.FormatLength <= 0 || protected.FormatLength > len(body) {
		return nil, false
	}
	tail, err := base64.RawURLEncoding.DecodeString(protected.FormatTail)
	if err != nil {
		return nil, false
	}
	return append(body[:protected.FormatLength:protected.FormatLength], tail...), true
}

// generic reports media types that say nothing.
func generic(mediaType string) bool {
	switch mediaType {
	case "", "application/json", "application/octet-stream", "text/plain", "text/plain; charset=utf-8":
		return true
	}
	return false
}

func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// isDigest reports whether text is a digest that can be checked.
func isDigest(text string) bool {
	hexa, ok := strings.CutPrefix(text, "sha256:")
	if !ok || len(hexa) != sha256.Size*2 || strings.ToLower(hexa) != hexa {
		return false
	}
	_, err := hex.DecodeString(hexa)
	return err == nil
}

// join names an image in a message.
func join(repo repository, ref string) string {
	if strings.Contains(ref, ":") {
		return repo.name + "@" + printable(ref)
	}
	return repo.name + ":" + printable(ref)
}
