package dcos

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/rollback-project/rollback/plugins/orchestrator-marathon/marathon"
	"github.com/rollback-project/rollback/sdk/fault"
)

// Attached is the name of the cluster that the dcos command is attached to.
const Attached = "attached"

// Cluster is a cluster as the dcos command keeps it.
type Cluster struct {
	// ID is the name of its folder.
	ID string
	// URL is the cluster's, Marathon that of its Marathon.
	URL, Marathon *url.URL
	// Token is "" when the command is not logged in.
	Token string
	// CAFile and SkipVerify are what ssl_verify says.
	CAFile     string
	SkipVerify bool
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

// ReadCLI finds a cluster in the dcos command's configuration: by name or id, or the attached one, which DCOS_CLUSTER
// can choose too, or the only one.
func ReadCLI(want string) (Cluster, error) {
	root := os.Getenv("DCOS_DIR")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return Cluster{}, fault.New(fault.Invalid, "find the dcos command's configuration: %w", err)
		}
		root = filepath.Join(home, ".dcos")
	}
	if want == Attached {
		if name := os.Getenv("DCOS_CLUSTER"); name != "" {
			want = name
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "clusters", "*", "dcos.toml"))
	if err == nil && len(files) == 0 && want == Attached {
		// Before it knew several clusters, the command kept its only one here.
		files, err = filepath.Glob(filepath.Join(root, "dcos.toml"))
	}
	if err != nil || len(files) == 0 {
		return Cluster{}, fault.New(fault.Invalid, "dcos_cluster: there are no clusters in %s", root).On(root).
			WithHint("Set one up with dcos cluster setup, or write url or dcos_url instead.")
	}
	sort.Strings(files)
	var names []string
	var hits []string
	for _, file := range files {
		dir := filepath.Dir(file)
		var c cliFile
		// A file that cannot be read may be of a cluster that nobody wants; if it is the one, opening it says what is wrong.
		_ = parseCLI(file, &c)
		names = append(names, marathon.Printable(c.Cluster.Name))
		_, noMark := os.Stat(filepath.Join(dir, Attached)) //nolint:gosec // the folder is the user's own to choose
		if want == Attached && (noMark == nil || len(files) == 1) || want != Attached && (c.Cluster.Name == want || filepath.Base(dir) == want) {
			hits = append(hits, file)
		}
	}
	if len(hits) != 1 {
		return Cluster{}, fault.New(fault.Invalid, "dcos_cluster: %d clusters in %s are %q", len(hits), root, want).On(root).
			WithHint("It has the clusters %s.", strings.Join(names, ", "))
	}
	return openCLI(hits[0])
}

// parseCLI reads a dcos.toml. What is wrong with it is not quoted: it holds a token.
func parseCLI(file string, into *cliFile) error {
	data, err := os.ReadFile(file) //nolint:gosec // the folder is the user's own to choose
	if err != nil {
		return fault.New(fault.Invalid, "read the dcos command's configuration: %w", err).On(file)
	}
	if toml.Unmarshal(data, into) != nil {
		return fault.New(fault.Invalid, "read the dcos command's configuration: %s is no valid TOML", file).On(file)
	}
	return nil
}

// openCLI reads a cluster's settings.
func openCLI(file string) (Cluster, error) {
	var c cliFile
	if err := parseCLI(file, &c); err != nil {
		return Cluster{}, err
	}
	out := Cluster{ID: filepath.Base(filepath.Dir(file)), Token: c.Core.Token}
	var err error
	if out.URL, err = address(c.Core.URL); err != nil {
		return out, fault.New(fault.Invalid, "read the dcos command's configuration: core.dcos_url in %s is no URL", file).On(file)
	}
	out.Marathon = out.URL.JoinPath("service", "marathon")
	if c.Marathon.URL != "" {
		if out.Marathon, err = address(c.Marathon.URL); err != nil {
			return out, fault.New(fault.Invalid, "read the dcos command's configuration: marathon.url in %s is no URL", file).On(file)
		}
	}
	if verify := os.Getenv("DCOS_SSL_VERIFY"); verify != "" {
		c.Core.SSLVerify = verify
	}
	switch v := c.Core.SSLVerify.(type) {
	case bool:
		out.SkipVerify = !v
	case string:
		switch strings.ToLower(v) {
		case "false", "0", "no":
			out.SkipVerify = true
		case "true", "1", "yes", "":
		default:
			out.CAFile = v
		}
	}
	return out, nil
}

// address reads a URL that has a host.
func address(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("it is no URL")
	}
	return u, nil
}
