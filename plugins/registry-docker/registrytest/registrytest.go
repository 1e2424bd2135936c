// Package registrytest fills registries with images for tests and for the
// sandbox: tiny ones, of any date, form and state of decay.
//
// Images share one layer of a few bytes. They are pushed over the registry's
// own API, so any registry will do.
package registrytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The media types of what is pushed.
const (
	OCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	OCIIndex       = "application/vnd.oci.image.index.v1+json"
	OCIConfig      = "application/vnd.oci.image.config.v1+json"
	OCILayer       = "application/vnd.oci.image.layer.v1.tar+gzip"
	OCIEmpty       = "application/vnd.oci.empty.v1+json"
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerConfig   = "application/vnd.docker.container.image.v1+json"
	DockerLayer    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	Schema1Type    = "application/vnd.docker.distribution.manifest.v1+json"
	Schema1Signed  = "application/vnd.docker.distribution.manifest.v1+prettyjws"
)

// Image is an image to push.
type Image struct {
	// Created goes into the config; zero leaves the field out.
	Created time.Time
	Labels  map[string]string
	// Annotations are the manifest's.
	Annotations map[string]string
	// Platform is linux/amd64 when empty.
	Platform string
	// Docker uses Docker's media types instead of the OCI's.
	Docker bool
	// Layers are the contents of layers of the image's own, besides the shared one.
	Layers []string
	// Foreign adds a layer that is not in the registry and need not be.
	Foreign bool
	// Config replaces the whole config, such as {} .
	Config []byte
}

// Index is an index of images, or a manifest list.
type Index struct {
	Images      []Image
	Annotations map[string]string
	// Docker makes a manifest list.
	Docker bool
	// Attestation adds an entry such as build tools do, with the platform unknown/unknown.
	Attestation bool
	// ArtifactType makes the index one of an artifact.
	ArtifactType string
	// Nameless leaves the platforms out.
	Nameless bool
}

// Artifact is something in the form of an image that is none.
type Artifact struct {
	// Type is the artifactType; empty leaves it out.
	Type string
	// ConfigType and LayerType are the media types of the config and the layer.
	ConfigType, LayerType string
}

// Artifacts that are met in registries.
var (
	// Signature is what cosign leaves beside an image: its config claims to be an image's.
	Signature = Artifact{ConfigType: OCIConfig, LayerType: "application/vnd.dev.cosign.simplesigning.v1+json"}
	// SBOM is a bill of materials with an artifactType.
	SBOM = Artifact{Type: "application/spdx+json", ConfigType: OCIEmpty, LayerType: "application/spdx+json"}
	// Chart is a Helm chart.
	Chart = Artifact{ConfigType: "application/vnd.cncf.helm.config.v1+json", LayerType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip"}
)

// Pushed says what a push has put into the registry.
type Pushed struct {
	// Digest is of what the tag points at.
	Digest string
	// Manifests are the digests of an index's images.
	Manifests []string
	// Configs and Layers are digests of blobs.
	Configs, Layers []string
}

// Registry is where to push. It may be used by several goroutines.
type Registry struct {
	// URL begins with the scheme and has no path: http://127.0.0.1:5000.
	URL string
	// Username and Password are sent with Basic, if there are any.
	Username, Password string
	// Client carries out the requests.
	Client *http.Client

	mu   sync.Mutex
	have map[string]bool // blobs that were pushed, by repository@digest
}

// Push pushes an image to a plain-HTTP registry without a login: host:port/repository:tag.
func Push(ctx context.Context, ref string, img Image) (Pushed, error) {
	host, rest, ok := strings.Cut(ref, "/")
	if !ok {
		return Pushed{}, fmt.Errorf("push %s: there is no host", ref)
	}
	return (&Registry{URL: "http://" + host, Client: &http.Client{}}).Push(ctx, rest, img)
}

// Push pushes an image. The reference is repository:tag.
func (r *Registry) Push(ctx context.Context, ref string, img Image) (Pushed, error) {
	repo, tag, err := split(ref)
	if err != nil {
		return Pushed{}, err
	}
	body, mediaType, p, err := r.image(ctx, repo, img)
	if err != nil {
		return p, fmt.Errorf("push %s: %w", ref, err)
	}
	p.Digest = Digest(body)
	return p, r.Manifest(ctx, repo, tag, mediaType, body)
}

// image pushes the blobs and makes the manifest.
func (r *Registry) image(ctx context.Context, repo string, img Image) (body []byte, mediaType string, p Pushed, err error) {
	manifestType, configType, layerType := OCIManifest, OCIConfig, OCILayer
	if img.Docker {
		manifestType, configType, layerType = DockerManifest, DockerConfig, DockerLayer
	}
	layers := []descriptor{}
	for _, text := range append([]string{sharedLayer}, img.Layers...) {
		d, err := r.Blob(ctx, repo, []byte(text))
		if err != nil {
			return nil, "", p, err
		}
		p.Layers = append(p.Layers, d)
		layers = append(layers, descriptor{MediaType: layerType, Digest: d, Size: len(text)})
	}
	if img.Foreign {
		foreign := "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
		if img.Docker {
			foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
		}
		layers = append(layers, descriptor{MediaType: foreign, Digest: Digest([]byte("elsewhere")), Size: 9, URLs: []string{"https://example.com/layer"}})
	}
	config := img.Config
	if config == nil {
		config = configOf(img)
	}
	d, err := r.Blob(ctx, repo, config)
	if err != nil {
		return nil, "", p, err
	}
	p.Configs = append(p.Configs, d)
	body = encode(manifest{
		SchemaVersion: 2, MediaType: manifestType, Annotations: img.Annotations,
		Config: &descriptor{MediaType: configType, Digest: d, Size: len(config)}, Layers: layers,
	})
	return body, manifestType, p, nil
}

// sharedLayer is not a tar archive: nobody unpacks it.
const sharedLayer = "the layer that all images share"

// configOf is the config of an image.
func configOf(img Image) []byte {
	goos, arch, _ := strings.Cut(img.platform(), "/")
	arch, variant, _ := strings.Cut(arch, "/")
	c := map[string]any{
		"os": goos, "architecture": arch,
		"config": map[string]any{"Labels": img.Labels},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{Digest([]byte(sharedLayer))}},
	}
	if variant != "" {
		c["variant"] = variant
	}
	if !img.Created.IsZero() {
		c["created"] = img.Created.UTC().Format(time.RFC3339Nano)
	}
	return encode(c)
}

func (i Image) platform() string {
	if i.Platform == "" {
		return "linux/amd64"
	}
	return i.Platform
}

// PushIndex pushes images and an index of them.
func (r *Registry) PushIndex(ctx context.Context, ref string, index Index) (Pushed, error) {
	repo, tag, err := split(ref)
	if err != nil {
		return Pushed{}, err
	}
	var all Pushed
	m := manifest{SchemaVersion: 2, MediaType: OCIIndex, ArtifactType: index.ArtifactType, Annotations: index.Annotations, Manifests: []descriptor{}}
	if index.Docker {
		m.MediaType = DockerList
	}
	for _, img := range index.Images {
		img.Docker = index.Docker
		body, mediaType, p, err := r.image(ctx, repo, img)
		if err == nil {
			err = r.Manifest(ctx, repo, Digest(body), mediaType, body)
		}
		if err != nil {
			return all, fmt.Errorf("push %s: %w", ref, err)
		}
		d := descriptor{MediaType: mediaType, Digest: Digest(body), Size: len(body), Platform: platformOf(img.platform())}
		if index.Nameless {
			d.Platform = nil
		}
		m.Manifests = append(m.Manifests, d)
		all.Manifests = append(all.Manifests, d.Digest)
		all.Configs = append(all.Configs, p.Configs...)
		all.Layers = append(all.Layers, p.Layers...)
	}
	if index.Attestation {
		d, err := r.attestation(ctx, repo, all.Manifests)
		if err != nil {
			return all, fmt.Errorf("push %s: %w", ref, err)
		}
		m.Manifests = append(m.Manifests, d)
	}
	body := encode(m)
	all.Digest = Digest(body)
	return all, r.Manifest(ctx, repo, tag, m.MediaType, body)
}

func (r *Registry) attestation(ctx context.Context, repo string, of []string) (descriptor, error) {
	body, mediaType, _, err := r.artifact(ctx, repo, Artifact{ConfigType: OCIConfig, LayerType: "application/vnd.in-toto+json"})
	if err == nil {
		err = r.Manifest(ctx, repo, Digest(body), mediaType, body)
	}
	d := descriptor{
		MediaType: mediaType, Digest: Digest(body), Size: len(body), Platform: platformOf("unknown/unknown"),
		Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
	}
	if len(of) > 0 {
		d.Annotations["vnd.docker.reference.digest"] = of[0]
	}
	return d, err
}

// PushArtifact pushes something that is no image.
func (r *Registry) PushArtifact(ctx context.Context, ref string, a Artifact) (Pushed, error) {
	repo, tag, err := split(ref)
	if err != nil {
		return Pushed{}, err
	}
	body, mediaType, p, err := r.artifact(ctx, repo, a)
	if err != nil {
		return p, fmt.Errorf("push %s: %w", ref, err)
	}
	p.Digest = Digest(body)
	return p, r.Manifest(ctx, repo, tag, mediaType, body)
}

func (r *Registry) artifact(ctx context.Context, repo string, a Artifact) (body []byte, mediaType string, p Pushed, err error) {
	config, err := r.Blob(ctx, repo, []byte("{}"))
	if err != nil {
		return nil, "", p, err
	}
	const content = "the content of an artifact"
	layer, err := r.Blob(ctx, repo, []byte(content))
	if err != nil {
		return nil, "", p, err
	}
	return encode(manifest{
		SchemaVersion: 2, MediaType: OCIManifest, ArtifactType: a.Type,
		Config: &descriptor{MediaType: a.ConfigType, Digest: config, Size: 2},
		Layers: []descriptor{{MediaType: a.LayerType, Digest: layer, Size: len(content)}},
	}), OCIManifest, Pushed{Configs: []string{config}, Layers: []string{layer}}, nil
}

// Blob pushes a blob, unless this Registry has pushed it before, and returns its digest.
func (r *Registry) Blob(ctx context.Context, repo string, content []byte) (string, error) {
	digest := Digest(content)
	r.mu.Lock()
	known := r.have[repo+"@"+digest]
	r.mu.Unlock()
	if known {
		return digest, nil
	}
	start := r.URL + "/v2/" + repo + "/blobs/uploads/"
	location, err := r.do(ctx, http.MethodPost, start, "", nil, http.StatusAccepted)
	if err != nil {
		return "", err
	}
	to, err := url.Parse(start)
	if err == nil {
		to, err = to.Parse(location)
	}
	if err != nil {
		return "", fmt.Errorf("read the upload's location: %w", err)
	}
	q := to.Query()
	q.Set("digest", digest)
	to.RawQuery = q.Encode()
	if _, err := r.do(ctx, http.MethodPut, to.String(), "application/octet-stream", content, http.StatusCreated); err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.have == nil {
		r.have = map[string]bool{}
	}
	r.have[repo+"@"+digest] = true
	return digest, nil
}

// Manifest puts a manifest of any kind under a tag or its digest.
func (r *Registry) Manifest(ctx context.Context, repo, ref, mediaType string, body []byte) error {
	_, err := r.do(ctx, http.MethodPut, r.URL+"/v2/"+repo+"/manifests/"+url.PathEscape(ref), mediaType, body, http.StatusCreated)
	return err
}

// Delete deletes what a path names: manifests/sha256:… or blobs/sha256:….
func (r *Registry) Delete(ctx context.Context, repo, what string) error {
	_, err := r.do(ctx, http.MethodDelete, r.URL+"/v2/"+repo+"/"+what, "", nil, http.StatusAccepted)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.have, repo+"@"+strings.TrimPrefix(what, "blobs/"))
	return err
}

// do carries out a request and returns the header Location.
func (r *Registry) do(ctx context.Context, method, to, contentType string, body []byte, want int) (location string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if r.Username != "" {
		req.SetBasicAuth(r.Username, r.Password)
	}
	resp, err := r.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != want {
		return "", fmt.Errorf("%s %s: %s: %s", method, req.URL.Path, resp.Status, text)
	}
	return resp.Header.Get("Location"), nil
}

// Digest is the digest of content.
func Digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// manifest is a manifest or an index.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *descriptor       `json:"config,omitempty"`
	Layers        []descriptor      `json:"layers,omitempty"`
	Manifests     []descriptor      `json:"manifests,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	URLs        []string          `json:"urls,omitempty"`
	Platform    map[string]string `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func platformOf(text string) map[string]string {
	goos, arch, _ := strings.Cut(text, "/")
	arch, variant, _ := strings.Cut(arch, "/")
	p := map[string]string{"os": goos, "architecture": arch}
	if variant != "" {
		p["variant"] = variant
	}
	return p
}

// encode cannot fail: its callers give it strings, numbers and maps.
func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}

func split(ref string) (repo, tag string, err error) {
	i := strings.LastIndexByte(ref, ':')
	if i <= 0 || strings.Contains(ref[i:], "/") {
		return "", "", fmt.Errorf("push %s: there is no tag", ref)
	}
	return ref[:i], ref[i+1:], nil
}
