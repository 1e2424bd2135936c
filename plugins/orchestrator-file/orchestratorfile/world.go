package orchestratorfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// world is the orchestrator's part of a world file (docs/file-plugins.md), and the rest as it is.
type world struct {
	section
	// rest is every part of the file, by name; ours is replaced when the file is written.
	rest map[string]json.RawMessage
}

type section struct {
	Apps        map[string]*app `json:"apps"`
	Deployments []*deployment   `json:"deployments,omitempty"`
	Failures    []*failure      `json:"failures,omitempty"`
}

// app is one app: what it is, and what the orchestrator knows about it.
type app struct {
	spec
	// Version names the present configuration; "" means v1.
	Version string `json:"version,omitempty"`
	// Since is when the present configuration began.
	Since *time.Time `json:"since,omitempty"`
	// Immutable and Separate say why the image cannot be changed, or not together with others.
	Immutable string `json:"immutable,omitempty"`
	Separate  string `json:"separate,omitempty"`
	// Healthy is how many instances are healthy while no deployment has touched the app; absent means all.
	Healthy *int `json:"healthy,omitempty"`
	// Deployment is the last one that changed the app.
	Deployment string     `json:"deployment,omitempty"`
	Revisions  []revision `json:"revisions,omitempty"`
}

// spec is an app's configuration: what a snapshot holds.
type spec struct {
	// Kind is a word for people; "" means app.
	Kind string `json:"kind,omitempty"`
	// Image is that of a single, unnamed container; else Containers has them.
	Image      string      `json:"image,omitempty"`
	Containers []container `json:"containers,omitempty"`
	// Instances is how many are wanted; absent means 1.
	Instances *int              `json:"instances,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
	// Mem is in MiB, CPUs in cores.
	Mem  int     `json:"mem,omitempty"`
	CPUs float64 `json:"cpus,omitempty"`
	// NoHealthCheck makes health unknown: healthy counts -1, and running instances are taken for healthy.
	NoHealthCheck bool `json:"no_health_check,omitempty"`
	// DependsOn are apps that a deployment finishes before it begins with this one.
	DependsOn []string `json:"depends_on,omitempty"`
}

type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

// revision is a configuration of the past.
type revision struct {
	Version string    `json:"version"`
	At      time.Time `json:"at"`
	spec
}

// parse decodes a world. Fields of the orchestrator's part that it does not know are errors,
// so that a misspelt one is not silently without effect.
func parse(data []byte) (*world, error) {
	w := &world{}
	if err := json.Unmarshal(data, &w.rest); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	var version string
	if err := json.Unmarshal(w.rest["format_version"], &version); err != nil || version != "1" {
		return nil, errors.New(`format_version is not "1", which this plugin reads`)
	}
	raw, ok := w.rest["orchestrator"]
	if !ok {
		return nil, errors.New(`there is no "orchestrator" in it`)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w.section); err != nil {
		return nil, fmt.Errorf("decode orchestrator: %w", err)
	}
	return w, w.check()
}

func (w *world) check() error {
	for _, id := range w.ids() {
		a := w.Apps[id]
		if a == nil {
			return fmt.Errorf("app %s is null", id)
		}
		if id == "" || (a.Image == "") == (len(a.Containers) == 0) {
			return fmt.Errorf("app %q must have an id and either image or containers", id)
		}
		if a.wanted() < 0 {
			return fmt.Errorf("app %s: instances cannot be negative", id)
		}
		if a.Version == "" {
			a.Version = "v1"
		}
	}
	for i, f := range w.Failures {
		if f == nil {
			return fmt.Errorf("orchestrator.failures[%d] is null", i)
		}
		if err := f.check(); err != nil {
			return fmt.Errorf("orchestrator.failures[%d]: %w", i, err)
		}
	}
	for i, d := range w.Deployments {
		if d == nil || d.ID == "" {
			return fmt.Errorf("orchestrator.deployments[%d] has no id", i)
		}
	}
	return nil
}

// encode renders the whole file, the parts of others unchanged.
func (w *world) encode() ([]byte, error) {
	ours, err := json.Marshal(w.section)
	if err != nil {
		return nil, fmt.Errorf("encode orchestrator: %w", err)
	}
	all := maps.Clone(w.rest)
	all["orchestrator"] = ours
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return append(data, '\n'), nil
}

// ids are the apps' ids in order.
func (w *world) ids() []string { return slices.Sorted(maps.Keys(w.Apps)) }

func (s spec) wanted() int {
	if s.Instances == nil {
		return 1
	}
	return *s.Instances
}

func (s spec) images() []orchestrator.ContainerImage {
	if s.Image != "" {
		return []orchestrator.ContainerImage{{Image: s.Image}}
	}
	var all []orchestrator.ContainerImage
	for _, c := range s.Containers {
		all = append(all, orchestrator.ContainerImage{Container: c.Name, Image: c.Image})
	}
	return all
}

// imageOf returns the image of a container; "" names the only one.
func (s spec) imageOf(name string) (string, bool) {
	all := s.images()
	if name == "" && len(all) == 1 {
		return all[0].Image, true
	}
	for _, c := range all {
		if c.Container == name {
			return c.Image, true
		}
	}
	return "", false
}

// withImage returns a copy with the image of a container changed.
func (s spec) withImage(name, image string) spec {
	if s.Image != "" {
		s.Image = image
		return s
	}
	s.Containers = slices.Clone(s.Containers)
	for i, c := range s.Containers {
		if c.Name == name || (name == "" && len(s.Containers) == 1) {
			s.Containers[i].Image = image
		}
	}
	return s
}

// withLabels returns a copy with labels added.
func (s spec) withLabels(labels map[string]string) spec {
	if len(labels) == 0 {
		return s
	}
	all := maps.Clone(s.Labels)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, labels)
	s.Labels = all
	return s
}

// fingerprint is the same for the same configuration, whatever its version.
func (s spec) fingerprint() string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // a spec holds nothing that JSON cannot
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// flat is the configuration as dotted keys.
func (s spec) flat() map[string]string {
	m := map[string]string{"instances": fmt.Sprint(s.wanted())}
	for _, c := range s.images() {
		m[strings.Trim("image."+c.Container, ".")] = c.Image
	}
	for k, v := range s.Labels {
		m["labels."+k] = v
	}
	for k, v := range s.Env {
		m["env."+k] = v
	}
	if s.Mem != 0 {
		m["mem"] = fmt.Sprint(s.Mem)
	}
	if s.CPUs != 0 {
		m["cpus"] = fmt.Sprint(s.CPUs)
	}
	if len(s.DependsOn) > 0 {
		m["depends_on"] = strings.Join(s.DependsOn, ",")
	}
	return m
}

// become gives an app a new configuration and remembers the old one.
func (a *app) become(s spec, at time.Time) {
	old := revision{Version: a.Version, spec: a.spec}
	if a.Since != nil {
		old.At = *a.Since
	}
	if a.Version != "" {
		a.Revisions = append([]revision{old}, a.Revisions...)
	}
	used := func(v string) bool {
		return slices.ContainsFunc(a.Revisions, func(r revision) bool { return r.Version == v })
	}
	n := len(a.Revisions) + 1
	for used(fmt.Sprintf("v%d", n)) {
		n++
	}
	at = at.UTC()
	a.spec, a.Version, a.Since = s, fmt.Sprintf("v%d", n), &at
}

// inScope compares whole path segments: /ds/prod is no part of /ds/prod2.
func inScope(id, scope string) bool {
	scope = strings.TrimRight(scope, "/")
	return scope == "" || id == scope || strings.HasPrefix(id, scope+"/")
}
