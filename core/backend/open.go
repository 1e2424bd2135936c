package backend

import (
	"context"
	"sync"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Set holds the plugins that a command works with, started and configured. It must be closed.
type Set struct {
	// mu guards running, which grows when a plugin is started again.
	mu           sync.Mutex
	running      []*host.Plugin
	descriptions []schema.Description
	registry     registry.Registry
	orchestrator orchestrator.Orchestrator
	notifiers    []Notifier
}

// Notifier is a configured notifier plugin.
type Notifier struct {
	notify.Notifier
	// Name is the label of its block.
	Name string
	// Index is the place of its Want among those given to Open.
	Index int
}

// Registry is the registry, its reads repeated where that may help; nil when none was wanted.
func (s *Set) Registry() registry.Registry { return s.registry }

// Orchestrator is the orchestrator, its reads repeated where that may help; nil when none was wanted. It implements all
// optional interfaces of sdk/orchestrator; what its plugin does not declare is answered with an Unsupported fault.
func (s *Set) Orchestrator() orchestrator.Orchestrator { return s.orchestrator }

// Notifiers are the notifiers in the order of their wants.
func (s *Set) Notifiers() []Notifier { return s.notifiers }

// Descriptions are the plugins' descriptions in the order of the wants.
func (s *Set) Descriptions() []schema.Description { return s.descriptions }

// Description is that of the first plugin of a kind; the zero value when there is none.
func (s *Set) Description(kind schema.Kind) schema.Description {
	for _, d := range s.descriptions {
		if d.Kind == kind {
			return d
		}
	}
	return schema.Description{}
}

// Close ends all plugins, at the same time, and returns when they are gone.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var wg sync.WaitGroup
	for _, p := range s.running {
		wg.Go(p.Close)
	}
	wg.Wait()
	s.running = nil
}

// Open finds, checks and starts the plugins at the same time, reads their blocks, and configures them.
// It reports every problem it can find before it gives up; with errors, the set is nil and nothing runs.
func Open(ctx context.Context, opts Options, wants []Want) (*Set, diag.Diagnostics) {
	opts = opts.withDefaults()
	set, cells, ds := start(ctx, opts, wants)
	each(cells, func(c *cell) {
		if !c.ds.HasErrors() {
			c.configure(ctx, opts)
		}
	})
	ds = append(ds, collect(cells)...)
	if ds.HasErrors() {
		set.Close()
		return nil, ds
	}
	for _, c := range cells {
		set.descriptions = append(set.descriptions, c.plugin.Description())
		switch {
		case c.registry != nil:
			set.registry = &retryingRegistry{c.registry, retry{opts}}
		case c.orchestrator != nil:
			set.orchestrator = set.orchestratorOf(c, opts)
		case c.notifier != nil:
			set.notifiers = append(set.notifiers, Notifier{Notifier: c.notifier, Name: c.want.Name, Index: c.index})
		}
	}
	return set, ds
}

// orchestratorOf decorates the orchestrator of a cell: a plugin that dies is started again, and reads are repeated.
func (s *Set) orchestratorOf(c *cell, opts Options) orchestrator.Orchestrator {
	all, ok := c.orchestrator.(everything)
	if !ok {
		return c.orchestrator
	}
	again := newReviving(all, func(ctx context.Context) (everything, error) {
		p, err := host.Start(ctx, c.config(opts))
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.running = append(s.running, p)
		s.mu.Unlock()
		o, err := p.Orchestrator().Configure(ctx, c.values, opts.runtime())
		if err != nil {
			return nil, err
		}
		return o.(everything), nil // the host makes it as it made the first
	})
	return &retryingOrchestrator{again, retry{opts}}
}

// Check starts the plugins and lets them check their blocks, reaching nothing else; afterwards nothing runs.
func Check(ctx context.Context, opts Options, wants []Want) diag.Diagnostics {
	set, cells, ds := start(ctx, opts.withDefaults(), wants)
	set.Close()
	return append(ds, collect(cells)...)
}

// Describe starts the plugins, without blocks, and returns their descriptions in the order of the wants; one that does
// not start has the zero value.
func Describe(ctx context.Context, opts Options, wants []Want) ([]schema.Description, diag.Diagnostics) {
	set, cells, ds := start(ctx, opts.withDefaults(), wants)
	defer set.Close()
	out := make([]schema.Description, len(wants))
	for _, c := range cells {
		if c.plugin != nil {
			out[c.index] = c.plugin.Description()
		}
	}
	return out, append(ds, collect(cells)...)
}

// cell is one plugin on its way; only one goroutine at a time works on it.
type cell struct {
	resolved
	plugin *host.Plugin
	values schema.Config
	ds     diag.Diagnostics

	registry     registry.Registry
	orchestrator orchestrator.Orchestrator
	notifier     notify.Notifier
}

// start resolves the wants, starts their plugins and checks their blocks. The set has what runs, also when
// there are errors.
func start(ctx context.Context, opts Options, wants []Want) (*Set, []*cell, diag.Diagnostics) {
	chosen, ds := resolve(opts, wants)
	set := &Set{}
	cells := make([]*cell, len(chosen))
	for i, r := range chosen {
		cells[i] = &cell{resolved: r}
	}
	each(cells, func(c *cell) { c.start(ctx, opts) })
	for _, c := range cells {
		if c.plugin != nil {
			set.running = append(set.running, c.plugin)
		}
	}
	return set, cells, ds
}

// each works on all cells at the same time.
func each(cells []*cell, work func(*cell)) {
	var wg sync.WaitGroup
	for _, c := range cells {
		wg.Go(func() { work(c) })
	}
	wg.Wait()
}

// collect puts the diagnostics of the cells together, in their order.
func collect(cells []*cell) diag.Diagnostics {
	var ds diag.Diagnostics
	for _, c := range cells {
		ds = append(ds, c.want.locate(c.ds)...)
	}
	return ds
}

// start starts the plugin and checks its block.
func (c *cell) start(ctx context.Context, opts Options) {
	p, err := host.Start(ctx, c.config(opts))
	if err != nil {
		c.ds = append(c.ds, startProblem(c.resolved, err))
		return
	}
	c.plugin = p
	if c.want.Block == nil {
		return
	}
	values, ds := c.want.Block.Decode(p.Description().Schema)
	opts.Redactor.Add(c.want.Block.Secrets()...)
	c.ds = append(c.ds, ds...)
	if ds.HasErrors() {
		return // the plugin would only complain about what is missing now
	}
	c.values = values
	c.ds = append(c.ds, validate(p, c.want.Kind, values)...)
}

func validate(p *host.Plugin, kind schema.Kind, values schema.Config) diag.Diagnostics {
	switch kind {
	case schema.Registry:
		return p.Registry().ValidateConfig(values)
	case schema.Orchestrator:
		return p.Orchestrator().ValidateConfig(values)
	case schema.Notify:
		return p.Notify().ValidateConfig(values)
	}
	return nil
}

// configure makes the plugin usable.
func (c *cell) configure(ctx context.Context, opts Options) {
	var err error
	switch c.want.Kind {
	case schema.Registry:
		c.registry, err = c.plugin.Registry().Configure(ctx, c.values, opts.runtime())
	case schema.Orchestrator:
		c.orchestrator, err = c.plugin.Orchestrator().Configure(ctx, c.values, opts.runtime())
	case schema.Notify:
		c.notifier, err = c.plugin.Notify().Configure(ctx, c.values, opts.runtime())
	}
	if err != nil {
		c.ds = append(c.ds, diag.Errorf("Plugin cannot be configured", "The %s: %s", c.found.Title(), sentence(err)))
	}
}
