package registryfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// world is the part of a world file that the registry reads (docs/file-plugins.md).
type world struct {
	FormatVersion string  `json:"format_version"`
	Registry      section `json:"registry"`
}

type section struct {
	// Address is the host that image references begin with.
	Address  string          `json:"address"`
	Repos    map[string]repo `json:"repos"`
	Failures []failure       `json:"failures"`
}

type repo struct {
	Tags map[string]image `json:"tags"`
	// Untagged are images that no tag points at any more.
	Untagged []image `json:"untagged"`
}

// The kinds of image.
const (
	kindImage    = "image"
	kindIndex    = "index"
	kindSchema1  = "schema1"
	kindArtifact = "artifact"
	kindUnknown  = "unknown"
)

type image struct {
	// Kind is one of the kinds above; "" means image.
	Kind string `json:"kind"`
	// Digest is computed from repo and tag when absent.
	Digest string `json:"digest"`
	// Created is the config's created field, as text: also text that is no date.
	Created     string            `json:"created"`
	Annotations map[string]string `json:"annotations"`
	Labels      map[string]string `json:"labels"`
	// Platforms are those it serves; absent means linux/amd64.
	Platforms []string `json:"platforms"`
	// Missing names what is gone: manifest, config, or any text such as layer sha256:….
	Missing []string `json:"missing"`
}

var kinds = []string{kindImage, kindIndex, kindSchema1, kindArtifact, kindUnknown}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// load reads and checks the world file.
func load(path string) (*world, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	w, err := parse(data)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return w, nil
}

// parse decodes a world and fills in what it leaves out. Fields of the registry's part that it does not know
// are errors, so that a misspelt one is not silently without effect.
func parse(data []byte) (*world, error) {
	var raw struct {
		FormatVersion string          `json:"format_version"`
		Registry      json.RawMessage `json:"registry"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if raw.FormatVersion != "1" {
		return nil, fmt.Errorf(`format_version is %q, this plugin reads "1"`, raw.FormatVersion)
	}
	if raw.Registry == nil {
		return nil, fmt.Errorf(`there is no "registry" in it`)
	}
	w := &world{FormatVersion: raw.FormatVersion}
	dec := json.NewDecoder(bytes.NewReader(raw.Registry))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w.Registry); err != nil {
		return nil, fmt.Errorf("decode registry: %w", err)
	}
	if w.Registry.Address == "" {
		return nil, fmt.Errorf("registry.address is missing")
	}
	return w, w.complete()
}

func (w *world) complete() error {
	for name, r := range w.Registry.Repos {
		for tag, img := range r.Tags {
			if err := img.complete(name + ":" + tag); err != nil {
				return fmt.Errorf("repo %s, tag %s: %w", name, tag, err)
			}
			r.Tags[tag] = img
		}
		for i := range r.Untagged {
			if r.Untagged[i].Digest == "" {
				return fmt.Errorf("repo %s: untagged image %d has no digest", name, i)
			}
			if err := r.Untagged[i].complete(""); err != nil {
				return fmt.Errorf("repo %s, untagged image %d: %w", name, i, err)
			}
		}
	}
	for i, f := range w.Registry.Failures {
		if err := f.check(); err != nil {
			return fmt.Errorf("registry.failures[%d]: %w", i, err)
		}
	}
	return nil
}

func (i *image) complete(name string) error {
	if i.Kind == "" {
		i.Kind = kindImage
	}
	if !slices.Contains(kinds, i.Kind) {
		return fmt.Errorf("kind %q is none of %s", i.Kind, strings.Join(kinds, ", "))
	}
	if i.Digest == "" {
		i.Digest = digestOf(name)
	}
	if !digestForm.MatchString(i.Digest) {
		return fmt.Errorf("digest %q is not sha256: and 64 hexadecimal digits", i.Digest)
	}
	if len(i.Platforms) == 0 {
		i.Platforms = []string{"linux/amd64"}
	}
	return nil
}

// digestOf is the digest of an image that the world file gives none.
func digestOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (i image) lacks(part string) bool { return slices.Contains(i.Missing, part) }

// find returns the image with the digest, tagged or not.
func (r repo) find(digest string) (image, bool) {
	for _, tag := range slices.Sorted(maps.Keys(r.Tags)) {
		if r.Tags[tag].Digest == digest {
			return r.Tags[tag], true
		}
	}
	for _, img := range r.Untagged {
		if img.Digest == digest {
			return img, true
		}
	}
	return image{}, false
}

// names lists at most ten keys, in order.
func names[V any](m map[string]V) string {
	keys := slices.Sorted(maps.Keys(m))
	if more := len(keys) - 10; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(keys[:10], ", "), more)
	}
	return strings.Join(keys, ", ")
}
