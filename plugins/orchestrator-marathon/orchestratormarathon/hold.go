package orchestratormarathon

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/rollout"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// The labels that mark a hold: the operation, why, and at which images. Pipelines may read them.
const (
	labelHold       = "rollback.hold"
	labelHoldReason = "rollback.hold-reason"
	labelHoldImage  = "rollback.hold-image"
)

// mostLabel is how many characters of a text a label gets: labels become environment variables of tasks.
const mostLabel = 200

// labelText makes a text of people's fit a label.
func labelText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > mostLabel {
		s = string(runes[:mostLabel-1]) + "…"
	}
	return s
}

// marks are the labels that a change puts on an app. One that is empty is taken off: with no hold, an earlier one.
func marks(req orchestrator.DeployRequest, images []orchestrator.ContainerImage) map[string]string {
	labels := map[string]string{labelHold: "", labelHoldReason: "", labelHoldImage: ""}
	for name, value := range req.Labels {
		labels[name] = labelText(value)
	}
	if req.OperationID != "" {
		labels[labelOperation] = req.OperationID
	}
	if req.Hold != nil {
		labels[labelHold], labels[labelHoldReason], labels[labelHoldImage] = req.Hold.OperationID, labelText(req.Hold.Reason), refs(images)
	}
	return labels
}

// refs are image references in one word each.
func refs(images []orchestrator.ContainerImage) string {
	var all []string
	for _, i := range images {
		all = append(all, i.Image)
	}
	return strings.Join(all, " ")
}

// holdOf is the hold that is in force; nil when the app runs other images by now: then its owner has deployed since.
func holdOf(sp *rollout.Spec) *orchestrator.Hold {
	labels := sp.Labels()
	at := strings.Fields(labels[labelHoldImage])
	if labels[labelHold] == "" || len(at) == 0 {
		return nil
	}
	for _, image := range at {
		if !slices.ContainsFunc(sp.Images(), func(have orchestrator.ContainerImage) bool { return have.Image == image }) {
			return nil
		}
	}
	return &orchestrator.Hold{OperationID: labels[labelHold], Reason: labels[labelHoldReason], Images: at}
}

// LiftHold takes the marks off. To Marathon another label is another configuration: the app's tasks are replaced.
func (s *server) LiftHold(ctx context.Context, req orchestrator.LiftHoldRequest, emit func(orchestrator.Event)) error {
	if len(req.Apps) == 0 {
		return fault.New(fault.Invalid, "lift hold: there are no apps")
	}
	now, err := s.specs(ctx, req.Apps)
	if err != nil {
		return err
	}
	var goals []goal
	var together, alone []order
	for _, id := range req.Apps {
		sp := now[id]
		if sp == nil {
			return noApp(id)
		}
		goals = append(goals, goal{app: id, images: sp.Images()})
		if sp.Labels()[labelHold] == "" {
			continue
		}
		none := map[string]string{labelHold: "", labelHoldReason: "", labelHoldImage: ""}
		o := order{app: id, pod: sp.Pod != nil, arrived: func(sp *rollout.Spec) bool { return sp.Labels()[labelHold] == "" }}
		if o.pod {
			o.doc = sp.Pod.WithLabels(none)
			alone = append(alone, o)
		} else {
			o.doc = sp.App.WithLabels(none)
			together = append(together, o)
		}
	}
	c := s.newChase(req.OperationID, goals, req.Timeout, emit)
	if err := s.order(ctx, c, together, alone, false); err != nil {
		return err
	}
	return s.follow(ctx, c)
}

// then reads the revisions that the goals ask for, by app. One that Marathon does not know is NotFound.
func (s *server) then(ctx context.Context, goals []goal, now map[string]*rollout.Spec) (map[string]*rollout.Spec, error) {
	found := map[string]*rollout.Spec{}
	for _, g := range goals {
		if g.revision == "" || g.revision == now[g.app].Version() {
			continue
		}
		old, err := s.revision(ctx, now[g.app], g.revision)
		if err != nil {
			return nil, err
		}
		if old == nil {
			return nil, fault.New(fault.NotFound, "app %s has no version %s any more; nothing was changed", g.app, marathon.Printable(g.revision)).On(g.app)
		}
		found[g.app] = old
	}
	return found, nil
}

// asDeployed is what to send to give an app the configuration of a revision, with another image and labels. How many instances
// there are stays as it is: that is a matter of load, not of the release.
func (s *server) asDeployed(ctx context.Context, c *chase, old, now *rollout.Spec, image string, labels map[string]string) (marathon.Document, error) {
	withImage, err := old.App.WithImage(image, labels)
	if err != nil {
		return nil, err
	}
	was := maps.Clone(old.App.Doc)
	maps.Copy(was, withImage)
	was["instances"] = now.App.Doc["instances"]
	doc, stuck := back(was, now.App)
	if len(stuck) > 0 {
		c.log("warn", now.ID, "%s was added since and stays: Marathon cannot be told to remove it", strings.Join(stuck, ", "))
	}
	return doc, ctx.Err()
}
