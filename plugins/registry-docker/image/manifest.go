// Package image reads what a registry keeps of an image: manifests of every
// kind, configs, platforms and dates. It reaches nothing.
package image

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime"
	"strings"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Accepted are the manifests that can be read, for the header Accept, the best first. Every kind is asked for: a registry that
// is not would convert an index into one platform's manifest, whose digest is not the tag's.
var Accepted = []string{
	string(types.OCIImageIndex),
	string(types.DockerManifestList),
	string(types.OCIManifestSchema1),
	string(types.DockerManifestSchema2),
	string(types.DockerManifestSchema1Signed),
	string(types.DockerManifestSchema1),
	"*/*;q=0.1",
}

// Descriptor points at content (OCI image spec, descriptor).
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls"`
	ArtifactType string            `json:"artifactType"`
	Platform     *Platform         `json:"platform"`
	Annotations  map[string]string `json:"annotations"`
}

// Document is a manifest of any kind.
type Document struct {
	// Digest is that of the body; of a signed schema 1 manifest, that of what was signed.
	Digest string
	// Type is the body's own media type, or what the registry says if the body does not.
	Type string

	manifestBody
}

// manifestBody is the union of what the kinds of manifests hold.
type manifestBody struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Annotations   map[string]string `json:"annotations"`
	// Images.
	Config *Descriptor  `json:"config"`
	Layers []Descriptor `json:"layers"`
	// Indexes and manifest lists.
	Manifests []Descriptor `json:"manifests"`
	// Schema 1.
	Architecture string `json:"architecture"`
	FSLayers     []struct {
		BlobSum string `json:"blobSum"`
	} `json:"fsLayers"`
	History []struct {
		V1Compatibility string `json:"v1Compatibility"`
	} `json:"history"`
}

// Kind is what a manifest describes.
type Kind int

// The kinds. Of an unknown one nothing can be said; an artifact has the form of an image and is none.
const (
	Unknown Kind = iota
	Single
	Index
	Schema1
	Artifact
)

// Kind tells by the media type, and where that says nothing, by what is there.
func (d *Document) Kind() Kind {
	if len(d.Manifests) > 0 && (d.Config != nil || len(d.Layers) > 0) {
		return Unknown // reads as two different things, depending on who reads it
	}
	mt := types.MediaType(d.Type)
	switch {
	case mt.IsIndex():
		if d.ArtifactType != "" {
			return Artifact
		}
		return Index
	case mt.IsSchema1() || (generic(d.Type) && d.SchemaVersion == 1):
		return Schema1
	case mt.IsImage() || (generic(d.Type) && d.Config != nil):
		if d.isImage() {
			return Single
		}
		return Artifact
	case generic(d.Type) && d.Manifests != nil:
		return Index
	case d.Type == "application/vnd.oci.artifact.manifest.v1+json":
		return Artifact
	}
	return Unknown
}

// isImage tells images from signatures, SBOMs, charts and caches, which are stored in the same form.
// Some of these carry an image's config, but then no layer is an image's.
func (d *Document) isImage() bool {
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

// What names an artifact for people.
func (d *Document) What() string {
	switch {
	case d.ArtifactType != "":
		return Printable(d.ArtifactType)
	case d.Config != nil && !types.MediaType(d.Config.MediaType).IsConfig():
		return Printable(d.Config.MediaType)
	case len(d.Layers) > 0:
		return Printable(d.Layers[0].MediaType)
	}
	return Printable(d.Type)
}

// Parse reads a manifest of any kind. An error means that it is no manifest at all.
func Parse(body []byte, contentType string) (*Document, error) {
	d := &Document{}
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
	d.Type = d.MediaType
	if d.Type == "" {
		if t, _, err := mime.ParseMediaType(contentType); err == nil {
			d.Type = t
		}
	}
	d.Digest = Digest(body)
	if d.Kind() == Schema1 {
		if payload, ok := signedPayload(body); ok {
			d.Digest = Digest(payload)
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

// Digest is the digest of content.
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// IsDigest reports whether text is a digest that can be checked.
func IsDigest(text string) bool {
	hexa, ok := strings.CutPrefix(text, "sha256:")
	if !ok || len(hexa) != sha256.Size*2 || strings.ToLower(hexa) != hexa {
		return false
	}
	_, err := hex.DecodeString(hexa)
	return err == nil
}

// Entries are the images of an index: those with a platform, and those without. Attestations are none.
func (d *Document) Entries() (named, unnamed []Descriptor) {
	for _, e := range d.Manifests {
		switch {
		case e.Annotations["vnd.docker.reference.type"] != "" || e.ArtifactType != "":
		case e.Platform == nil || *e.Platform == Platform{}:
			unnamed = append(unnamed, e)
		case e.Platform.real():
			named = append(named, e)
		}
	}
	return named, unnamed
}

// longestQuote bounds what is quoted of a registry's own words, in characters.
const longestQuote = 200

// Printable makes foreign text fit for a message: short, and without what is not for terminals.
func Printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > longestQuote {
		text = string(runes[:longestQuote]) + "…"
	}
	return text
}
