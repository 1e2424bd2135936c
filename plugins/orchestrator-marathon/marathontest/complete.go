package marathontest

import (
	"encoding/json"
	"slices"
)

// complete turns a definition that a client sent into the one that GET shows:
// legacy spellings rewritten, unknown members dropped, defaults filled in, all
// as the profile does it.
func (s *Server) complete(sent object) object {
	doc := object{}
	for k, v := range s.canonical(sent) {
		if known[k] && !isNull(v) {
			doc[k] = v
		}
	}
	def := func(k string, v any) {
		if _, ok := doc[k]; !ok {
			doc[k] = raw(v)
		}
	}
	def("backoffFactor", json.Number("1.15"))
	def("backoffSeconds", 1)
	def("cpus", 1)
	def("mem", 128)
	def("disk", 0)
	def("executor", "")
	def("instances", 1)
	def("maxLaunchDelaySeconds", s.habits.launchDelay)
	def("requirePorts", false)
	def("upgradeStrategy", map[string]any{"minimumHealthCapacity": 1, "maximumOverCapacity": 1})
	if s.habits.legacyFields {
		s.completeLegacy(doc, sent, def)
	} else {
		s.completeModern(doc, def)
	}
	s.completeContainer(doc)
	s.assignPorts(doc)
	return doc
}

// completeLegacy adds what GET shows up to 1.4: everything, empty or not.
func (s *Server) completeLegacy(doc, sent object, def func(string, any)) {
	for _, k := range []string{"constraints", "uris", "fetch", "storeUrls", "healthChecks", "dependencies"} {
		def(k, []string{})
	}
	for _, k := range []string{"args", "cmd", "user", "container", "acceptedResourceRoles", "ipAddress", "residency"} {
		def(k, nil)
	}
	def("env", object{})
	def("labels", object{})
	if s.habits.version != "0.16.0" {
		def("readinessChecks", []string{})
		def("secrets", object{})
		def("taskKillGracePeriodSeconds", nil)
	}
	if s.habits.patch {
		def("gpus", 0)
		def("killSelection", "YOUNGEST_FIRST")
		def("unreachableStrategy", map[string]any{"inactiveAfterSeconds": 300, "expungeAfterSeconds": 600})
	}
	s.mirror(doc, sent)
	if mappings(doc) != nil {
		def("ports", servicePorts(doc))
		return
	}
	if doc["portDefinitions"] == nil && isNull(doc["ipAddress"]) {
		doc["portDefinitions"] = raw([]object{{"port": raw(0), "protocol": raw("tcp"), "labels": raw(object{})}})
	}
}

// completeModern adds what GET shows from 1.5 on: no empty collections.
func (s *Server) completeModern(doc object, def func(string, any)) {
	for _, k := range []string{
		"constraints", "fetch", "healthChecks", "dependencies", "env", "labels", "secrets",
		"readinessChecks", "acceptedResourceRoles",
	} {
		if v := string(doc[k]); v == "[]" || v == "{}" {
			delete(doc, k)
		}
	}
	def("gpus", 0)
	def("killSelection", "YOUNGEST_FIRST")
	def("unreachableStrategy", map[string]any{"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0})
	def("networks", []any{map[string]any{"mode": "host"}})
	host := slices.ContainsFunc(list(doc["networks"]), func(n json.RawMessage) bool { return text(fields(n)["mode"]) == "host" })
	if host {
		def("portDefinitions", []any{map[string]any{"name": "default", "port": 0, "protocol": "tcp"}})
	}
	if s.habits.role {
		def("role", "*")
	}
}

// completeContainer adds the defaults of a container.
func (s *Server) completeContainer(doc object) {
	c := cloneObject(fields(doc["container"]))
	if c == nil {
		return
	}
	def := func(o object, k string, v any) {
		if isNull(o[k]) {
			o[k] = raw(v)
		}
	}
	def(c, "type", "DOCKER")
	def(c, "volumes", []string{})
	if d := cloneObject(fields(c["docker"])); d != nil {
		for k, v := range dockerDefaults(text(c["type"])) {
			def(d, k, v)
		}
		if ms := list(d["portMappings"]); ms != nil {
			d["portMappings"] = raw(completeMappings(ms))
		}
		c["docker"] = raw(d)
	}
	if ms := list(c["portMappings"]); ms != nil {
		c["portMappings"] = raw(completeMappings(ms))
	}
	doc["container"] = raw(c)
}

// completeMappings adds the defaults of port mappings.
func completeMappings(ms []json.RawMessage) []object {
	out := []object{}
	for _, m := range ms {
		o := object{"containerPort": raw(0), "protocol": raw("tcp"), "servicePort": raw(0), "labels": raw(object{})}
		for k, v := range fields(m) {
			if !isNull(v) {
				o[k] = v
			}
		}
		out = append(out, o)
	}
	return out
}

// mappings are the container's port mappings, wherever they are.
func mappings(doc object) []json.RawMessage {
	c := fields(doc["container"])
	if ms := list(c["portMappings"]); ms != nil {
		return ms
	}
	return list(fields(c["docker"])["portMappings"])
}

// servicePorts are the service ports of the port mappings.
func servicePorts(doc object) []float64 {
	ports := []float64{}
	for _, m := range mappings(doc) {
		ports = append(ports, number(fields(m)["servicePort"], 0))
	}
	return ports
}
