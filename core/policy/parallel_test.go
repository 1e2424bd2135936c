package policy

import (
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/schema"
)

func TestALoadedPolicyIsSafeForConcurrentUse(t *testing.T) {
	p := clean(t, `
variable "token" {
  sensitive = true
  default   = "hunter2"
}
registry "docker" { token = var.token }
guard "g" {
  condition     = hours_since(now) > 1 || hour(now) > 30
  error_message = "It is ${now}."
}`, LoadOptions{})
	s := schema.Schema{Attributes: []schema.Attribute{{Name: "token", Type: cty.String, Sensitive: true}, {Name: "x", Type: cty.String, Required: true}}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, ds := p.Registry.Decode(s); len(ds) != 1 {
				t.Errorf("Decode: %v", ds)
			}
			p.Registry.Locate(diag.Diagnostics{diag.Errorf("S", "D").At("token")})
			p.Registry.Secrets()
			if passed, _, ds := p.Guards[0].Evaluate(plan()); passed || len(ds) > 0 {
				t.Errorf("Evaluate: %v", ds)
			}
		})
	}
	wg.Wait()
}
