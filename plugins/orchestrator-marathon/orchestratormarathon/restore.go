package orchestratormarathon

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/rollout"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// Restore puts definitions back: those of apps in one deployment, then each pod's.
func (s *server) Restore(ctx context.Context, req orchestrator.RestoreRequest, emit func(orchestrator.Event)) error {
	before, goals, err := thaw(req.Snapshots)
	if err != nil {
		return err
	}
	now, err := s.specs(ctx, appsOf(goals))
	if err != nil {
		return err
	}
	c := s.newChase(req.OperationID, goals, req.Timeout, emit)
	for _, a := range s.memory.of(req.OperationID) {
		c.accept(a)
	}
	var together, alone []order
	create := false
	for _, id := range idsOf(before) {
		was := before[id]
		o := order{app: id, pod: was.Kind == rollout.KindPod, arrived: func(sp *rollout.Spec) bool { return len(was.Doc.Differences(sp.Doc())) == 0 }}
		sp := now[id]
		switch {
		case sp != nil && sp.Kind() != was.Kind:
			return fault.New(fault.Invalid, "restore %s: it was %s %s, and is another thing now", id, article(was.Kind), was.Kind).On(id)
		case sp != nil && o.arrived(sp):
			continue
		case sp == nil:
			create = true
			o.doc = anew(was.Doc)
		case o.pod:
			o.doc = was.Doc.Definition()
		default:
			if o.doc, err = s.back(ctx, c, was.Doc, sp.App); err != nil {
				return err
			}
		}
		if o.pod {
			alone = append(alone, o)
		} else {
			together = append(together, o)
		}
	}
	if err := s.order(ctx, c, together, alone, create); err != nil {
		return err
	}
	return s.follow(ctx, c)
}

func article(kind string) string {
	if kind == rollout.KindApp {
		return "an"
	}
	return "a"
}

// thaw reads snapshots.
func thaw(snapshots []orchestrator.Snapshot) (map[string]frozen, []goal, error) {
	if len(snapshots) == 0 {
		return nil, nil, fault.New(fault.Invalid, "restore: there are no snapshots")
	}
	before := map[string]frozen{}
	var goals []goal
	for _, snap := range snapshots {
		var f frozen
		if err := json.Unmarshal(snap.Data, &f); err != nil || f.Kind != rollout.KindApp && f.Kind != rollout.KindPod {
			return nil, nil, fault.New(fault.Invalid, "restore %s: the snapshot is not one of this plugin's", snap.App).On(snap.App)
		}
		sp, err := f.spec()
		if err != nil || sp.ID != snap.App {
			return nil, nil, fault.New(fault.Invalid, "restore %s: the snapshot is of another app", snap.App).On(snap.App)
		}
		if _, twice := before[snap.App]; twice {
			return nil, nil, fault.New(fault.Invalid, "restore: app %s occurs twice", snap.App).On(snap.App)
		}
		before[snap.App] = f
		goals = append(goals, goal{app: snap.App, images: sp.Images()})
	}
	return before, goals, nil
}

// spec reads what a snapshot holds.
func (f frozen) spec() (*rollout.Spec, error) {
	raw := marathon.Raw(f.Doc)
	if f.Kind == rollout.KindPod {
		var pod marathon.Pod
		if err := json.Unmarshal(raw, &pod); err != nil {
			return nil, err
		}
		return &rollout.Spec{ID: pod.ID, Pod: &pod}, nil
	}
	var app marathon.App
	if err := json.Unmarshal(raw, &app); err != nil {
		return nil, err
	}
	return &rollout.Spec{ID: app.ID, App: &app}, nil
}

// doubled are members that Marathon before 1.5 shows besides the newer spelling of the same; only one may be sent.
var doubled = map[string]string{"uris": "fetch", "ports": "portDefinitions"}

// anew is the whole definition of an app that is to be made again.
func anew(was marathon.Document) marathon.Document {
	doc := was.Definition()
	maps.DeleteFunc(doc, func(_ string, m json.RawMessage) bool { return string(m) == "null" })
	for k, newer := range doubled {
		if doc.Has(newer) {
			delete(doc, k)
		}
	}
	return doc
}

// back is what to send to make an app what it was. Members that Marathon cannot be told to forget are taken back by
// the version of the snapshot, as long as Marathon remembers it.
func (s *server) back(ctx context.Context, c *chase, was marathon.Document, now *marathon.App) (marathon.Document, error) {
	update, stuck := back(was, now)
	if len(stuck) == 0 {
		return update, nil
	}
	version := was.String("version")
	_, err := s.client.AppVersion(ctx, now.ID, version)
	switch {
	case err == nil:
		return marathon.Document{"id": marathon.Raw(now.ID), "version": marathon.Raw(version)}, nil
	case !fault.Is(err, fault.NotFound):
		return nil, err
	}
	c.log("warn", now.ID, "%s", fmt.Sprintf("%s was added since the snapshot and stays: Marathon can neither remove it nor remembers version %s",
		strings.Join(stuck, ", "), version))
	return update, nil
}

// back is the difference that makes an app what it was, and the members that Marathon cannot be told to forget.
func back(was marathon.Document, now *marathon.App) (update marathon.Document, stuck []string) {
	update = marathon.Document{"id": marathon.Raw(now.ID)}
	for _, k := range marathon.Erased {
		if was.Has(k) {
			update[k] = was[k]
		}
	}
	for _, k := range was.Differences(now.Doc) {
		switch {
		case doubled[k] != "" && (was.Has(doubled[k]) || now.Doc.Has(doubled[k])), slices.Contains(marathon.Erased, k):
		case !marathon.Empty(was[k]):
			update[k] = was[k]
		default:
			empty, ok := emptied(now.Doc[k])
			if !ok {
				stuck = append(stuck, k)
				continue
			}
			update[k] = empty
		}
	}
	slices.Sort(stuck)
	return update, stuck
}

// emptied is the empty value of a list or an object; false for anything else.
func emptied(m json.RawMessage) (json.RawMessage, bool) {
	switch {
	case len(m) > 0 && m[0] == '[':
		return json.RawMessage("[]"), true
	case len(m) > 0 && m[0] == '{':
		return json.RawMessage("{}"), true
	}
	return nil, false
}
