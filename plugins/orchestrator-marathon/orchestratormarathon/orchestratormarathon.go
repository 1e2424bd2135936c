// Package orchestratormarathon is the orchestrator plugin for Marathon, alone
// or in DC/OS.
//
// It changes all apps of a set in one deployment, echoes every field that it
// does not mean to change, and never forces. What has become of a deployment it
// reads from the apps and their tasks, since Marathon keeps no record of
// deployments that have ended.
package orchestratormarathon

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Options are what tests replace.
type Options struct {
	// Now gives the time for deadlines; nil means time.Now.
	Now func() time.Time
	// Wall gives the time by which logins are signed; nil means time.Now.
	Wall func() time.Time
	// Pause waits for d, or until something comes from wake, which may be nil. It returns ctx's error when ctx ends.
	// nil waits by the wall clock.
	Pause func(ctx context.Context, d time.Duration, wake <-chan struct{}) error
	// FirstWait is the wait before the first repetition of a read, doubled for each further one; 0 means 200 ms.
	FirstWait time.Duration
	// LongestWait bounds a wait between repetitions of a read; 0 means 30 s.
	LongestWait time.Duration
}

// Plugin returns the plugin as its executable serves it.
func Plugin() orchestrator.Plugin { return New(Options{}) }

// New returns the plugin with parts replaced.
func New(o Options) orchestrator.Plugin {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.Pause == nil {
		o.Pause = pause
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
		Kind:    schema.Orchestrator,
		Name:    "marathon",
		Version: "0.1.0",
		Doc: "Marathon 0.16 to 1.11, alone or in DC/OS: apps that run in Docker or in the Universal Container Runtime, and pods. " +
			"All apps of a wave are changed in one deployment; each pod has one of its own.",
		Schema: schema.Schema{Attributes: attributes()},
		// No preview: the API can only try out whole groups, as full definitions in which a single lost query parameter
		// would stop what is not listed.
		Capabilities: []schema.Capability{
			schema.Attach, schema.Cancel, schema.History, schema.AtomicSet, schema.DigestReference,
			schema.Hold, schema.Revision,
		},
	}
}

// ValidateConfig reports every problem of the block.
func (plugin) ValidateConfig(cfg schema.Config) diag.Diagnostics {
	_, ds := decode(cfg)
	return ds
}

// Configure makes a client; it reaches nothing.
func (p plugin) Configure(_ context.Context, cfg schema.Config, rt schema.Runtime) (orchestrator.Orchestrator, error) {
	s, ds := decode(cfg)
	if ds.HasErrors() {
		return nil, invalidConfig(ds)
	}
	client, who, err := connect(s, rt, p.opts)
	if err != nil {
		return nil, err
	}
	return &server{
		client: client, who: who, log: rt.Logger, now: p.opts.Now, pause: p.opts.Pause,
		poll: s.poll, events: s.events(), crashes: s.crashes, parallel: max(1, rt.Parallelism), memory: newMemory(),
	}, nil
}

// server is a configured plugin.
type server struct {
	client *marathon.Client
	// who names as whom we are known; "" when anonymous.
	who   string
	log   hclog.Logger
	now   func() time.Time
	pause func(ctx context.Context, d time.Duration, wake <-chan struct{}) error
	// poll is the time between two looks at a deployment.
	poll time.Duration
	// events: the event stream is read too, for looking at once when something happens.
	events bool
	// crashes is how many failures of an app's new version make a crash loop.
	crashes  int
	parallel int
	memory   *memory
}

// attributes is the schema of the block.
func attributes() []schema.Attribute {
	text := func(name, doc string) schema.Attribute {
		return schema.Attribute{Name: name, Type: cty.String, Doc: doc}
	}
	kind := func(t cty.Type, name, doc string) schema.Attribute {
		return schema.Attribute{Name: name, Type: t, Doc: doc}
	}
	secret := func(a schema.Attribute) schema.Attribute {
		a.Sensitive = true
		return a
	}
	return []schema.Attribute{
		text("url", "Base URL of Marathon: http://marathon.example.com:8080, or on DC/OS https://dcos.example.com/service/marathon. Exactly one of url, dcos_url and dcos_cluster is needed."),
		text("dcos_url", "URL of a DC/OS cluster, whose Marathon is at /service/marathon."),
		text("dcos_cluster", `A cluster that the dcos command is set up for, by name or id, or "attached" for the one it is attached to: URL, token and authority are taken from its configuration.`),
		text("username", "The name to log in with: on DC/OS to the cluster, elsewhere by HTTP Basic."),
		secret(text("password", "The password that belongs to username.")),
		secret(text("token", "A ready DC/OS token, instead of a login. It cannot be renewed when it expires.")),
		text("service_account_file", "File with the JSON secret of a DC/OS service account: uid, private_key, login_endpoint."),
		secret(text("service_account", "The JSON secret of a DC/OS service account itself.")),
		text("ca_file", "PEM file of the authorities that may vouch for the server's certificate, besides the system's."),
		kind(cty.Bool, "insecure_skip_verify", "Accept any certificate. Whoever sits in between can read the password and give orders in our name; use ca_file."),
		text("timeout", `How long one request may take, as a duration such as "30s", which is the default.`),
		kind(cty.Number, "retries", "How often a read is repeated after 429, 502 to 504 or a broken connection, 0 to 10. Default 4. A change is never repeated."),
		text("poll_interval", `How often a deployment is looked at, as a duration from "1ms" to "1m". Default "1s".`),
		kind(cty.Bool, "events", "Read Marathon's event stream too, so as to look at once when something happens. Default true."),
		kind(cty.Number, "crash_loop_failures", "After how many failures of its new version an app counts as hopeless, 1 to 100. Default 3."),
		kind(cty.Number, "max_response", "The longest answer that is read, in bytes; a longer one is an error. Default 64 MiB."),
	}
}
