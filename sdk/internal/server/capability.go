package server

import (
	"github.com/hashicorp/go-hclog"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/schema"
)

// optional lists the capabilities that stand for an interface of the configured object.
// The others are promises about calls that everyone has; only the conformance suite can check them.
var optional = []struct {
	capability  schema.Capability
	name        string
	implemented func(object any) bool
}{
	{schema.Preview, "orchestrator.Previewer", implements[orchestrator.Previewer]},
	{schema.Attach, "orchestrator.Attacher", implements[orchestrator.Attacher]},
	{schema.Cancel, "orchestrator.Canceler", implements[orchestrator.Canceler]},
	{schema.Hold, "orchestrator.HoldLifter", implements[orchestrator.HoldLifter]},
	{schema.History, "orchestrator.Historian", implements[orchestrator.Historian]},
}

func implements[I any](object any) bool {
	_, ok := object.(I)
	return ok
}

// checkCapabilities compares what the plugin declares with what its object can do (rule P23).
// A promise that cannot be kept is a fault; an ability that is not declared is only worth a warning,
// because it may depend on the configuration.
func checkCapabilities(d schema.Description, object any, logger hclog.Logger) error {
	for _, o := range optional {
		switch {
		case d.Has(o.capability) && !o.implemented(object):
			return fault.New(fault.Internal,
				"the plugin declares the capability %s, but %T does not implement %s (rule P23)", o.capability, object, o.name)
		case !d.Has(o.capability) && o.implemented(object):
			logger.Warn("ability is not declared and will not be used", "capability", string(o.capability), "interface", o.name)
		}
	}
	return nil
}
