package marathontest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathontest"
)

// A deployment that never gets healthy, without waiting for it.
func Example() {
	ctx := context.Background()
	m, err := marathontest.Start(ctx, marathontest.Options{Profile: marathontest.Profile15})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	err = m.AddApp([]byte(`{"id": "/prod/api", "instances": 2, "healthChecks": [{"path": "/"}],
		"container": {"type": "DOCKER", "docker": {"image": "registry/api:12-master"}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Script(marathontest.Behaviour{App: "api", Tag: "9-master", Unhealthy: true})

	body := `[{"id": "/prod/api", "container": {"type": "DOCKER", "docker": {"image": "registry/api:9-master"}}}]`
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, m.URL()+"/v2/apps", strings.NewReader(body))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)

	m.Advance(time.Minute)
	fmt.Println(resp.StatusCode, m.Running(), m.RunningImages("/prod/api")["registry/api:12-master"])
	// Output: 200 1 2
}
