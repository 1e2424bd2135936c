// Package registrydocker is the registry plugin for everything that speaks the
// Docker Registry API v2, which the OCI distribution specification continues.
//
// It reads with as few requests as the contract allows: one list of tags, then
// for each tag of the branch, newest build first, its manifest and its config,
// of which the config comes from a cache on disk once it is known. Whatever is
// missing, cut short or does not have the digest it should have is an error and
// never a shorter answer.
package registrydocker

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/plugins/registry-docker/distribution"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Options are what tests replace.
type Options struct {
	// Now gives the time, for waits that a registry asks for by the clock; nil means time.Now.
	Now func() time.Time
	// FirstWait is the wait before the first repetition of a read, doubled for each further one;
	// 0 means 200 ms.
	FirstWait time.Duration
	// LongestWait bounds a wait. A registry that asks for a longer one is not waited for; 0 means 30 s.
	LongestWait time.Duration
	// CacheDir is where configs are kept when the policy does not say; "" means nowhere.
	CacheDir string
}

// Plugin returns the plugin as its executable serves it: it keeps configs in the user's cache folder.
func Plugin() registry.Plugin {
	o := Options{}
	if dir, err := os.UserCacheDir(); err == nil {
		o.CacheDir = filepath.Join(dir, "rollback", "registry-docker")
	}
	return New(o)
}

// New returns the plugin with parts replaced.
func New(o Options) registry.Plugin {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FirstWait <= 0 {
		o.FirstWait = 200 * time.Millisecond
	}
	if o.LongestWait <= 0 {
		o.LongestWait = 30 * time.Second
	}
	return plugin{o}
}

type plugin struct{ opts Options }

// Describe answers offline.
func (plugin) Describe() schema.Description {
	return schema.Description{
		Kind:    schema.Registry,
		Name:    "docker",
		Version: "0.1.0",
		Doc: "A container registry that speaks the Docker Registry API v2 or the OCI distribution specification: " +
			"Docker's own, Harbor, GitLab, GitHub, Quay, Artifactory, Nexus, ECR and others.",
		Schema: schema.Schema{Attributes: attributes()},
	}
}

// ValidateConfig reports every problem of the block.
func (plugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	_, ds := decode(cfg)
	return ds
}

// Configure makes a client; it reaches nothing.
func (p plugin) Configure(_ context.Context, cfg schema.Config, rt schema.Runtime) (registry.Registry, error) {
	s, ds := decode(cfg)
	if ds.HasErrors() {
		return nil, invalidConfig(ds)
	}
	c, err := connection(s, rt, p.opts)
	if err != nil {
		return nil, err
	}
	dir := p.opts.CacheDir
	if s.CacheDir != nil {
		dir = underWorkDir(rt.WorkDir, *s.CacheDir)
	}
	return &server{
		client: distribution.New(c), at: s.at, window: c.Concurrency, plain: c.PlainHTTP, cache: newCache(dir, rt.Logger),
	}, nil
}

// server is a configured plugin.
type server struct {
	client *distribution.Client
	at     distribution.Address
	// plain: HTTP without TLS is spoken.
	plain bool
	// cache may be nil.
	cache *cache
	// window is how many tags are looked at ahead of the one that the host is given.
	window int
}

// attributes is the schema of the block.
func attributes() []schema.Attribute {
	text := func(name, doc string) schema.Attribute {
		return schema.Attribute{Name: name, Type: cty.String, Doc: doc}
	}
	secret := func(a schema.Attribute) schema.Attribute {
		a.Sensitive = true
		return a
	}
	kind := func(t cty.Type, name, doc string) schema.Attribute {
		return schema.Attribute{Name: name, Type: t, Doc: doc}
	}
	host := text("address", "Host, port and, where repos have one, prefix of the registry: registry.example.com:5000/team. Without a scheme.")
	host.Required = true
	return []schema.Attribute{
		host,
		text("username", "The name to log in with. Without it, the Docker configuration and its credential helpers are asked."),
		secret(text("password", "The password or access token that belongs to username.")),
		secret(text("token", "A ready bearer token, sent as it is, instead of username and password.")),
		text("docker_config", "The Docker configuration to take credentials from: a file, or the folder of a config.json. Default: what docker login and podman login write."),
		text("ca_file", "PEM file of the authorities that may vouch for the registry's certificate, besides the system's."),
		text("client_cert_file", "PEM file of a client certificate, for registries that ask for one."),
		text("client_key_file", "PEM file of the key that belongs to client_cert_file."),
		kind(cty.Bool, "plain_http", "Speak HTTP without TLS. Default: true for localhost and loopback addresses without TLS settings, else false."),
		kind(cty.Bool, "insecure_skip_verify", "Accept any certificate. Whoever sits in between can read the password and forge answers; use ca_file."),
		kind(cty.Number, "requests_per_second", "At most so many requests a second. Default: no limit but concurrency."),
		kind(cty.Number, "concurrency", "At most so many requests at once, 1 to 256; never more than the host allows. Default 32."),
		text("timeout", `How long one request may take, as a duration such as "30s", which is the default.`),
		kind(cty.Number, "retries", "How often a read is repeated after 429, 5xx or a broken connection, 0 to 10. Default 4."),
		kind(cty.Number, "page_size", "How many tags to ask for at once, 0 to 10000; 0 leaves it to the registry. Default 1000."),
		kind(cty.Number, "max_response", "The longest answer that is read, in bytes; a longer one is an error. Default 64 MiB."),
		text("cache_dir", `Folder for configs that were read; they are recognised by digest and never change. "" keeps none. Default: a folder in the user's cache.`),
	}
}
