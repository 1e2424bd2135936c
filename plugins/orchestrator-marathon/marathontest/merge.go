package marathontest

import (
	"bytes"
	"encoding/json"
	"math/big"
	"reflect"
)

// known are the members of an app that Marathon's readers pick; all others in
// a request are ignored (F2). Members that a seeded document has are known too.
var known = map[string]bool{
	"id": true, "cmd": true, "args": true, "user": true, "env": true, "instances": true, "cpus": true,
	"mem": true, "disk": true, "gpus": true, "executor": true, "constraints": true, "fetch": true,
	"requirePorts": true, "backoffSeconds": true, "backoffFactor": true, "maxLaunchDelaySeconds": true,
	"container": true, "healthChecks": true, "readinessChecks": true, "taskKillGracePeriodSeconds": true,
	"dependencies": true, "upgradeStrategy": true, "labels": true, "acceptedResourceRoles": true,
	"residency": true, "ipAddress": true, "networks": true, "ports": true, "portDefinitions": true,
	"uris": true, "storeUrls": true, "secrets": true, "killSelection": true, "unreachableStrategy": true,
	"tty": true, "check": true, "role": true, "executorResources": true, "resourceLimits": true,
}

// transient are the members that the server adds to its answers; a request
// that echoes them changes nothing by them.
var transient = []string{
	"tasks", "tasksStaged", "tasksRunning", "tasksHealthy", "tasksUnhealthy", "deployments", "lastTaskFailure",
	"taskStats", "readinessCheckResults", "versionInfo",
}

// merge applies an update to a definition, one level deep (F2). Neither
// argument is changed.
func (s *Server) merge(current, update object) object {
	merged := cloneObject(current)
	for k, v := range s.canonical(update) {
		_, present := current[k]
		if isNull(v) || k == "id" || k == "version" || !known[k] && !present {
			continue // null is as good as absent: nothing can be cleared
		}
		merged[k] = v
		if k == "container" {
			merged[k] = s.refillContainer(v, fields(current[k]))
		}
	}
	for _, k := range transient[:len(transient)-1] {
		delete(merged, k)
	}
	if s.habits.erasesExecutor && isNull(update["executorResources"]) {
		delete(merged, "executorResources")
	}
	if s.habits.erasesLimits && isNull(update["resourceLimits"]) {
		delete(merged, "resourceLimits")
	}
	if s.habits.legacyFields {
		s.mirror(merged, update)
	}
	s.assignPorts(merged)
	return merged
}

// refillContainer gives a replaced container the defaults that the reader
// gives to what is missing: the type above all, and those members that this
// server showed before.
func (s *Server) refillContainer(v json.RawMessage, before object) json.RawMessage {
	c := fields(v)
	if c == nil {
		return v
	}
	c = cloneObject(c)
	if isNull(c["type"]) {
		c["type"] = raw("DOCKER")
	}
	if _, ok := before["volumes"]; ok && isNull(c["volumes"]) {
		c["volumes"] = raw([]string{})
	}
	if d := cloneObject(fields(c["docker"])); d != nil {
		was := fields(before["docker"])
		for k, def := range dockerDefaults(text(c["type"])) {
			if _, ok := was[k]; ok && isNull(d[k]) {
				d[k] = def
			}
		}
		c["docker"] = raw(d)
	}
	return raw(c)
}

// dockerDefaults are the members of container.docker that GET always shows.
func dockerDefaults(kind string) object {
	if kind == "MESOS" {
		return object{"forcePullImage": raw(false)}
	}
	return object{"forcePullImage": raw(false), "privileged": raw(false), "parameters": raw([]string{})}
}

// mirror keeps the two spellings of a legacy profile alike: uris and fetch,
// ports and portDefinitions.
func (s *Server) mirror(doc, update object) {
	switch {
	case !isNull(update["uris"]):
		fetch := []object{}
		for _, u := range list(update["uris"]) {
			fetch = append(fetch, fetchOf(u))
		}
		doc["fetch"] = raw(fetch)
	case !isNull(update["fetch"]):
		uris := []json.RawMessage{}
		for _, f := range list(update["fetch"]) {
			uris = append(uris, fields(f)["uri"])
		}
		doc["uris"] = raw(uris)
	}
	switch {
	case !isNull(update["ports"]):
		doc["portDefinitions"] = raw(portDefinitions(update["ports"]))
	case !isNull(update["portDefinitions"]):
		ports := []json.RawMessage{}
		for _, p := range list(update["portDefinitions"]) {
			ports = append(ports, raw(number(fields(p)["port"], 0)))
		}
		doc["ports"] = raw(ports)
	}
}

// fetchOf is what a uri means in the newer spelling.
func fetchOf(uri json.RawMessage) object {
	return object{"uri": uri, "extract": raw(true), "executable": raw(false), "cache": raw(false)}
}

// portDefinitions are ports in the newer spelling.
func portDefinitions(ports json.RawMessage) []object {
	defs := []object{}
	for _, p := range list(ports) {
		defs = append(defs, object{"port": p, "protocol": raw("tcp"), "labels": raw(object{})})
	}
	return defs
}

// canonical rewrites the legacy spellings of a request for profiles that only
// know the newer ones (from 1.5); for others it is the identity.
func (s *Server) canonical(update object) object {
	if s.habits.legacyFields {
		return update
	}
	o := cloneObject(update)
	if v := o["uris"]; !isNull(v) && isNull(o["fetch"]) {
		fetch := []object{}
		for _, u := range list(v) {
			fetch = append(fetch, fetchOf(u))
		}
		o["fetch"] = raw(fetch)
	}
	if v := o["ports"]; !isNull(v) && isNull(o["portDefinitions"]) {
		o["portDefinitions"] = raw(portDefinitions(v))
	}
	for _, k := range []string{"uris", "storeUrls", "ports"} {
		delete(o, k)
	}
	if ip := fields(o["ipAddress"]); ip != nil && isNull(o["networks"]) {
		o["networks"] = raw([]any{map[string]any{"mode": "container", "name": text(ip["networkName"])}})
	}
	delete(o, "ipAddress")
	s.canonicalContainer(o)
	return o
}

// canonicalContainer moves what 1.5 moved out of container.docker.
func (s *Server) canonicalContainer(o object) {
	c := cloneObject(fields(o["container"]))
	d := cloneObject(fields(c["docker"]))
	if d == nil {
		return
	}
	if v, ok := d["portMappings"]; ok {
		if isNull(c["portMappings"]) && !isNull(v) {
			c["portMappings"] = v
		}
		delete(d, "portMappings")
	}
	if v, ok := d["network"]; ok {
		mode := map[string]string{"HOST": "host", "BRIDGE": "container/bridge", "USER": "container"}[text(v)]
		if isNull(o["networks"]) && mode != "" {
			o["networks"] = raw([]any{map[string]any{"mode": mode}})
		}
		delete(d, "network")
	}
	c["docker"] = raw(d)
	o["container"] = raw(c)
}

// assignPorts replaces each service port 0 by a port of its own.
func (s *Server) assignPorts(doc object) {
	take := func() json.RawMessage {
		p := s.st.NextPort
		s.st.NextPort++
		return raw(p)
	}
	assign := func(items json.RawMessage, key string) json.RawMessage {
		all := list(items)
		changed := false
		for i, item := range all {
			m := cloneObject(fields(item))
			if m != nil && number(m[key], 0) == 0 {
				m[key] = take()
				all[i], changed = raw(m), true
			}
		}
		if !changed {
			return items
		}
		return raw(all)
	}
	if v, ok := doc["portDefinitions"]; ok {
		doc["portDefinitions"] = assign(v, "port")
		if s.habits.legacyFields {
			ports := []json.RawMessage{}
			for _, p := range list(doc["portDefinitions"]) {
				ports = append(ports, fields(p)["port"])
			}
			doc["ports"] = raw(ports)
		}
	}
	c := cloneObject(fields(doc["container"]))
	if v, ok := c["portMappings"]; ok {
		c["portMappings"] = assign(v, "servicePort")
		doc["container"] = raw(c)
	}
	if d := cloneObject(fields(c["docker"])); d["portMappings"] != nil {
		d["portMappings"] = assign(d["portMappings"], "servicePort")
		c["docker"] = raw(d)
		doc["container"] = raw(c)
	}
}

// same tells whether two definitions mean the same, their versions aside.
func same(a, b object) bool {
	return sameBut(a, b, "version", "versionInfo")
}

// sameBut compares two objects as JSON values, some members aside; absent and
// null are alike.
func sameBut(a, b object, but ...string) bool {
	strip := func(o object) map[string]any {
		m := map[string]any{}
		for k, v := range o {
			if !isNull(v) {
				m[k] = value(v)
			}
		}
		for _, k := range but {
			delete(m, k)
		}
		return m
	}
	return reflect.DeepEqual(strip(a), strip(b))
}

// value decodes JSON so that numbers compare by what they are: 1 is 1.0.
func value(m json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(m))
	d.UseNumber()
	var v any
	_ = d.Decode(&v) // only ever valid JSON: it was parsed before
	return exact(v)
}

// exact turns each number into the shortest exact form of its value.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok && len(v) < 64 {
			return r.RatString()
		}
		return v.String()
	case map[string]any:
		for k := range v {
			v[k] = exact(v[k])
		}
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	}
	return v
}
