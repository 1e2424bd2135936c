package distribution

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/rollback-project/rollback/plugins/registry-docker/image"
)

// Bounds of what is read of one image, in bytes. The specification asks registries for manifests of 4 MiB.
const (
	maxManifest = 8 << 20
	maxConfig   = 8 << 20
)

// ErrGone means that the registry itself says that there is no such content.
var ErrGone = errors.New("not in the registry")

// Manifest reads the manifest of a tag or a digest, and checks it against the digest that was asked for
// or promised. body is what it was parsed from. ErrGone when the registry says that it is not there.
func (c *Client) Manifest(ctx context.Context, repo Repository, ref string) (d *image.Document, body []byte, err error) {
	r := request{
		path: "/v2/" + repo.Path + "/manifests/" + url.PathEscape(ref), accept: image.Accepted, limit: maxManifest,
		doing: "read the manifest of " + join(repo, ref), subject: repo.Name,
	}
	a, err := c.get(ctx, repo, r)
	if err != nil {
		return nil, nil, err
	}
	d, err = image.Parse(a.body, a.header.Get("Content-Type"))
	if err != nil {
		return nil, nil, c.garbled(r, "%v", err)
	}
	promised := a.header.Get("Docker-Content-Digest")
	for _, want := range []string{ref, promised} {
		if image.IsDigest(want) && want != d.Digest {
			return nil, nil, c.garbled(r, "the content has the digest %s, not %s", d.Digest, want)
		}
	}
	if promised == "" && !image.IsDigest(ref) && d.Kind() == image.Unknown && d.SchemaVersion == 0 {
		return nil, nil, c.garbled(r, "the answer is no manifest")
	}
	return d, a.body, nil
}

// Blob reads a small blob whole and checks its digest. ErrGone when the registry says that it is not there.
func (c *Client) Blob(ctx context.Context, repo Repository, digest string) ([]byte, error) {
	r := request{
		path: "/v2/" + repo.Path + "/blobs/" + digest, limit: maxConfig,
		doing: "read the config " + digest + " of " + repo.Name, subject: repo.Name,
	}
	a, err := c.get(ctx, repo, r)
	if err != nil {
		return nil, err
	}
	if got := image.Digest(a.body); got != digest {
		return nil, c.garbled(r, "the content has the digest %s", got)
	}
	return a.body, nil
}

// BlobSize asks whether a blob is there, and how many bytes it has; -1 when the registry does not say.
func (c *Client) BlobSize(ctx context.Context, repo Repository, digest string) (size int64, there bool, err error) {
	r := request{
		method: http.MethodHead, path: "/v2/" + repo.Path + "/blobs/" + digest, scope: pull(repo),
		doing: "look for the layer " + digest + " of " + repo.Name, subject: repo.Name,
	}
	a, err := c.ask(ctx, r)
	switch {
	case err != nil:
		return 0, false, err
	case a.status == http.StatusNotFound: // a HEAD has no body to say more
		return 0, false, nil
	case a.status != http.StatusOK:
		return 0, false, c.refused(r, a)
	}
	return a.size, true, nil
}

// Hello is what a registry says of itself.
type Hello struct {
	// API is such as registry/2.0; "" when it does not say.
	API string
	// Username is as whom it knows us; "" when it has not asked.
	Username string
}

// Ping reaches the registry, and logs in if it wants that.
func (c *Client) Ping(ctx context.Context) (Hello, error) {
	r := request{method: http.MethodGet, path: "/v2/", limit: maxErrorBody, doing: "reach the registry " + c.at.host, subject: c.at.host}
	a, err := c.ask(ctx, r)
	if err != nil {
		return Hello{}, err
	}
	if a.status != http.StatusOK {
		return Hello{}, c.refused(r, a)
	}
	return Hello{API: image.Printable(a.header.Get("Docker-Distribution-Api-Version")), Username: c.login.identity()}, nil
}

// get reads content of a repository.
func (c *Client) get(ctx context.Context, repo Repository, r request) (*answer, error) {
	r.method, r.scope = http.MethodGet, pull(repo)
	a, err := c.ask(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case gone(a):
		return nil, ErrGone
	case a.status != http.StatusOK:
		return nil, c.refused(r, a)
	}
	return a, nil
}

// pull is the scope that a token needs.
func pull(repo Repository) string { return "repository:" + repo.Path + ":pull" }

// join names an image in a message.
func join(repo Repository, ref string) string {
	if strings.Contains(ref, ":") {
		return repo.Name + "@" + image.Printable(ref)
	}
	return repo.Name + ":" + image.Printable(ref)
}
