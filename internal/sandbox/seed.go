package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"text/template"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// push fills the registry at address (host:port).
func push(ctx context.Context, address string, images []image) error {
	layer := static.NewLayer([]byte("the sandbox's images hold nothing"), types.OCILayer)
	for _, i := range images {
		img, err := build(i, layer)
		if err != nil {
			return fmt.Errorf("build %s:%s: %w", i.repo, i.tag, err)
		}
		ref, err := name.ParseReference(fmt.Sprintf("%s/%s:%s", address, i.repo, i.tag), name.Insecure)
		if err != nil {
			return fmt.Errorf("build %s:%s: %w", i.repo, i.tag, err)
		}
		if err := remote.Write(ref, img, remote.WithContext(ctx)); err != nil {
			return fmt.Errorf("push %s: %w", ref, err)
		}
	}
	return nil
}

func build(i image, layer v1.Layer) (v1.Image, error) {
	img, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), layer)
	if err != nil {
		return nil, err
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", "amd64"
	cfg.Created = v1.Time{Time: i.created}
	cfg.Config.Labels = map[string]string{"org.opencontainers.image.title": i.repo, "org.opencontainers.image.version": i.tag}
	return mutate.ConfigFile(img, cfg)
}

// deploy fills the Marathon: every service runs its newest image in every environment, and remembers the ones before.
func deploy(m *marathontest.Server, registry string, images []image) error {
	for _, e := range environments {
		for _, s := range services {
			id := e.scope + "/shop/" + s
			if err := m.AddApp(app(id, registry, s, newest(images, s, e), time.Time{})); err != nil {
				return fmt.Errorf("add app %s: %w", id, err)
			}
			for _, i := range tagsOf(images, s, e) {
				if i.tag == newest(images, s, e) {
					continue
				}
				if err := m.AddVersion(id, app(id, registry, s, i.tag, i.created.Add(time.Hour))); err != nil {
					return fmt.Errorf("add version %s of app %s: %w", i.tag, id, err)
				}
			}
		}
	}
	return nil
}

// app is an app's definition; a zero version leaves it out.
func app(id, registry, service, tag string, version time.Time) json.RawMessage {
	doc := map[string]any{
		"id": id, "instances": 2, "cpus": 0.1, "mem": 64,
		"container": map[string]any{
			"type": "DOCKER",
			"docker": map[string]any{
				"image":          fmt.Sprintf("%s/%s:%s", registry, service, tag),
				"forcePullImage": true,
			},
			"portMappings": []any{map[string]any{"containerPort": 8080, "hostPort": 0, "protocol": "tcp", "servicePort": servicePort(id), "name": "http"}},
		},
		"networks":        []any{map[string]any{"mode": "container/bridge"}},
		"env":             map[string]any{"SERVICE": service, "GREETING": "hello"},
		"labels":          map[string]any{"team": "shop"},
		"healthChecks":    []any{map[string]any{"protocol": "MESOS_HTTP", "path": "/health", "portIndex": 0, "gracePeriodSeconds": 5, "intervalSeconds": 1, "timeoutSeconds": 1, "maxConsecutiveFailures": 3}},
		"upgradeStrategy": map[string]any{"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5},
	}
	if !version.IsZero() {
		doc["version"] = version.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return raw
}

// servicePort is an app's port at the load balancer. Marathon gives every app one when it comes to be, so that a real one's
// definition never says 0, and every one of its versions says the same.
func servicePort(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return 11000 + int(h.Sum32()%8000)
}

// policyTemplate is the policy that the sandbox writes. Sprintf'd values are addresses of ours and need no quoting.
var policyTemplate = template.Must(template.New("policy").Parse(`# The sandbox's policy: four services in two environments, on this machine.
# Try:  rollback points     rollback plan --to -1     rollback apply

rollback {
  environment = "prod"
}

registry "docker" {
  address = "{{.Registry}}"
}

orchestrator "marathon" {
  url = "{{.Marathon}}"
}

notify "slack" {
  webhook_url = "{{.Slack}}/services/T0SANDBOX/B0SANDBOX/sandbox"
}

environment "prod" {
  branch = "master"
  scope  = "/ds/prod"
}

environment "stage" {
  branch = "stage"
  scope  = "/ds/stage"
}

repo "backend-a" {}
repo "backend-b" {}
repo "backend-c" {}

repo "frontend" {
  depends_on = ["backend-a", "backend-b", "backend-c"]
}

# A release that is well takes a few seconds here; one that is not is given up after this long, and everything put back.
apply {
  timeout = "20s"
}

guard "not too many" {
  condition     = length(plan.changes) <= 20
  error_message = "More than 20 apps would change: split the rollback."
}
`))

func policyFile(s State) ([]byte, error) {
	var b bytes.Buffer
	if err := policyTemplate.Execute(&b, s); err != nil {
		return nil, fmt.Errorf("write the sandbox's policy: %w", err)
	}
	return b.Bytes(), nil
}
