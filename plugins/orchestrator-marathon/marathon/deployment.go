package marathon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/rollback-project/rollback/sdk/fault"
)

// Deployment is a deployment under way.
type Deployment struct {
	ID           string   `json:"id"`
	Version      string   `json:"version"`
	AffectedApps []string `json:"affectedApps"`
	AffectedPods []string `json:"affectedPods"`
	// Steps are done one after the other, the actions of a step at once.
	Steps       []Step `json:"steps"`
	CurrentStep int    `json:"currentStep"` // from 1; 0 before the first
	TotalSteps  int    `json:"totalSteps"`
}

// Step is a set of actions.
type Step []Action

// Action is what is done to one app or pod.
type Action struct {
	Kind string
	// On is the id of the app or pod.
	On string
}

// UnmarshalJSON reads the three forms that steps had: a bare list up to 1.0, an object with actions after.
func (s *Step) UnmarshalJSON(data []byte) error {
	var list []Action
	if json.Unmarshal(data, &list) == nil {
		*s = list
		return nil
	}
	var object struct {
		Actions []Action `json:"actions"`
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	*s = object.Actions
	return nil
}

// UnmarshalJSON reads an action; its kind was called type in 1.1.0 and 1.1.1.
func (a *Action) UnmarshalJSON(data []byte) error {
	var v struct{ Action, Type, App, Pod string }
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	a.Kind, a.On = v.Action, v.App
	if a.Kind == "" {
		a.Kind = v.Type
	}
	if a.On == "" {
		a.On = v.Pod
	}
	a.On = absolute(a.On)
	return nil
}

// Affects reports whether the deployment changes an app or pod.
func (d Deployment) Affects(id string) bool {
	for _, list := range [][]string{d.AffectedApps, d.AffectedPods} {
		for _, a := range list {
			if absolute(a) == id {
				return true
			}
		}
	}
	return false
}

// StepOf is the number of the last step that does something to an app or pod, from 1; 0 when none does.
func (d Deployment) StepOf(id string) int {
	n := 0
	for i, step := range d.Steps {
		for _, a := range step {
			if a.On == id {
				n = i + 1
			}
		}
	}
	return n
}

// Deployments lists those that are under way. That one is not listed does not mean that it succeeded: it may have been
// stopped, or be too new to be listed.
func (c *Client) Deployments(ctx context.Context) ([]Deployment, error) {
	var list []Deployment
	r := request{path: "/v2/deployments", doing: "list the deployments"}
	if err := c.get(ctx, r, &list); err != nil {
		return nil, err
	}
	if list == nil {
		return nil, fault.New(fault.Internal, "list the deployments: the answer of %s is no list", c.host)
	}
	for _, d := range list {
		if d.ID == "" {
			return nil, c.garbled(r, &answer{}, errors.New("a deployment without an id"))
		}
	}
	return list, nil
}

// Stop ends a deployment where it is, and does not undo it. NotFound: there is none of that id, or none yet.
func (c *Client) Stop(ctx context.Context, id string) error {
	r := request{
		method: http.MethodDelete, path: "/v2/deployments/" + url.PathEscape(id), query: url.Values{"force": {"true"}},
		doing: "stop deployment " + Printable(id), subject: id,
	}
	a, err := c.ask(ctx, r)
	if err != nil {
		return err
	}
	if !a.ok() {
		return c.refused(r, a)
	}
	return nil
}
