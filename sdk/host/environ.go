package host

import (
	"runtime"
	"slices"
	"strings"
)

// handedDown are the variables of the host's environment that a plugin gets (docs/plugin-protocol.md, Handshake).
// Each says where something is or how to speak, and none is a credential: an environment of a CI job is full of
// tokens that are nobody's business, and a setting that is a secret reaches a plugin through Configure alone.
var handedDown = []string{
	// To run programs such as docker-credential-helpers, and to find one's own files.
	"PATH", "HOME", "USER", "LOGNAME",
	"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
	"XDG_CONFIG_DIRS", "XDG_DATA_DIRS",
	// Language and time.
	"LANG", "LANGUAGE", "TZ",
	// The way out of a company's network, and whom to trust there.
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
	"http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	// Where logins of other tools are kept.
	"DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "DCOS_DIR", "DCOS_CLUSTER", "DCOS_SSL_VERIFY", "KUBECONFIG",
}

// handedDownWindows is what a process needs there to start at all.
var handedDownWindows = []string{
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA",
}

// allowed picks from an environment what a plugin gets.
func allowed(environ []string) []string {
	var out []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		ok := slices.Contains(handedDown, name) || strings.HasPrefix(name, "LC_")
		if runtime.GOOS == "windows" {
			upper := strings.ToUpper(name)
			ok = ok || slices.Contains(handedDown, upper) || slices.Contains(handedDownWindows, upper)
		}
		if ok {
			out = append(out, entry)
		}
	}
	return out
}
