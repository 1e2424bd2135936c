package orchestratormarathon

import (
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/rollback-project/rollback/sdk/fault"
)

// attached is the name of the cluster that the dcos command is attached to.
const attached = "attached"

// cliCluster is a cluster as the dcos command keeps it.
type cliCluster struct {
	id  string
	dir string

	url      *url.URL
	marathon *url.URL
	token    string
	// caFile and skipVerify are what ssl_verify says.
	caFile     string
	skipVerify bool
}

// cliFile is a dcos.toml.
type cliFile struct {
	Core struct {
		URL       string `toml:"dcos_url"`
		Token     string `toml:"dcos_acs_token"`
		SSLVerify any    `toml:"ssl_verify"`
	} `toml:"core"`
	Cluster struct {
		Name string `toml:"name"`
	} `toml:"cluster"`
	Marathon struct {
		URL string `toml:"url"`
	} `toml:"marathon"`
}

// readCLI finds a cluster in the dcos command's configuration: by name or id, or the attached one, which DCOS_CLUSTER
// can choose too, or the only one.
func readCLI(want string) (cliCluster, error) {
	root := os.Getenv("DCOS_DIR")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return cliCluster{}, fault.New(fault.Invalid, "find the dcos command's configuration: %w", err)
		}
		root = filepath.Join(home, ".dcos")
	}
	if want == attached {
		if name := os.Getenv("DCOS_CLUSTER"); name != "" {
			want = name
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "clusters", "*", "dcos.toml"))
	if err != nil || len(files) == 0 {
		return cliCluster{}, fault.New(fault.Invalid, "dcos_cluster: there are no clusters in %s", root).On(root).
			WithHint("Set one up with dcos cluster setup, or write url or dcos_url instead.")
	}
	sort.Strings(files)
	var names []string
	var hits []string
	for _, file := range files {
		dir := filepath.Dir(file)
		var c cliFile
		if err := parseCLI(file, &c); err != nil {
			return cliCluster{}, err
		}
		names = append(names, c.Cluster.Name)
		_, noMark := os.Stat(filepath.Join(dir, attached))
		if want == attached && (noMark == nil || len(files) == 1) || want != attached && (c.Cluster.Name == want || filepath.Base(dir) == want) {
			hits = append(hits, file)
		}
	}
	if len(hits) != 1 {
		return cliCluster{}, fault.New(fault.Invalid, "dcos_cluster: %d clusters in %s are %q", len(hits), root, want).On(root).
			WithHint("It has the clusters %s.", strings.Join(names, ", "))
	}
	return openCLI(hits[0])
}

// parseCLI reads a dcos.toml. What is wrong with it is not quoted: it holds a token.
func parseCLI(file string, into *cliFile) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fault.New(fault.Invalid, "read the dcos command's configuration: %w", err).On(file)
	}
	if toml.Unmarshal(data, into) != nil {
		return fault.New(fault.Invalid, "read the dcos command's configuration: %s is no valid TOML", file).On(file)
	}
	return nil
}

// openCLI reads a cluster's settings.
func openCLI(file string) (cliCluster, error) {
	var c cliFile
	if err := parseCLI(file, &c); err != nil {
		return cliCluster{}, err
	}
	out := cliCluster{id: filepath.Base(filepath.Dir(file)), dir: filepath.Dir(file), token: c.Core.Token}
	var problem string
	if out.url, problem = parseURL(c.Core.URL); problem != "" {
		return out, fault.New(fault.Invalid, "read the dcos command's configuration: core.dcos_url in %s is no URL", file).On(file)
	}
	out.marathon = out.url.JoinPath("service", "marathon")
	if c.Marathon.URL != "" {
		if out.marathon, problem = parseURL(c.Marathon.URL); problem != "" {
			return out, fault.New(fault.Invalid, "read the dcos command's configuration: marathon.url in %s is no URL", file).On(file)
		}
	}
	switch v := c.Core.SSLVerify.(type) {
	case bool:
		out.skipVerify = !v
	case string:
		switch strings.ToLower(v) {
		case "false", "0", "no":
			out.skipVerify = true
		case "true", "1", "yes", "":
		default:
			out.caFile = v
		}
	}
	return out, nil
}
