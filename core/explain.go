package core

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/core/policy"
)

// Explain says of every tag of one repo why it won or lost at one point. The world is nil when it could not be read.
func (e *Engine) Explain(ctx context.Context, env policy.Environment, to, repo string) (point.Explanation, *World, error) {
	w, err := e.Read(ctx, env)
	if err != nil {
		return point.Explanation{}, nil, err
	}
	found, err := e.find(ctx, w, to)
	if err != nil {
		return point.Explanation{}, w, err
	}
	ex, ok := w.Timeline.Explain(repo, found.Point)
	if !ok {
		names := make([]string, len(w.Rules))
		for i, r := range w.Rules {
			names[i] = r.Name
		}
		return point.Explanation{}, w, fmt.Errorf("explain repo %q: the policy has %s", repo, strings.Join(names, ", "))
	}
	return ex, w, nil
}
