package orchestratormarathon

import (
	"slices"
	"sync"

	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// labelOperation is the label that says which operation changed an app last.
const labelOperation = "rollback.operation"

// memory is what this process has asked of Marathon, which tells nothing of deployments that have ended.
type memory struct {
	mu         sync.Mutex
	operations map[string][]orchestrator.Accepted
	// unseen are deployments that were accepted and have not been listed yet.
	unseen map[string]bool
}

func newMemory() *memory {
	return &memory{operations: map[string][]orchestrator.Accepted{}, unseen: map[string]bool{}}
}

// keep remembers a deployment of an operation.
func (m *memory) keep(operation string, a orchestrator.Accepted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.operations[operation] = append(m.operations[operation], a)
	m.unseen[a.DeploymentID] = true
}

// of are the deployments of an operation.
func (m *memory) of(operation string) []orchestrator.Accepted {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.operations[operation])
}

// seen notes that a deployment was listed.
func (m *memory) seen(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.unseen, id)
}

// young reports a deployment of ours that may not be listed yet.
func (m *memory) young(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unseen[id]
}

// all are the deployments of all operations.
func (m *memory) all() []orchestrator.Accepted {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []orchestrator.Accepted
	for _, list := range m.operations {
		all = append(all, list...)
	}
	return all
}
