package marathontest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// idSegment is what each segment of an id must match (F11).
var idSegment = regexp.MustCompile(`^((([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.))$`)

// idViolations says what is wrong with an id.
func (s *Server) idViolations(id string) []violation {
	for _, seg := range segments(id) {
		if !idSegment.MatchString(seg) {
			return []violation{{Path: "/id", Errors: []string{fmt.Sprintf("must fully match regular expression '%s'", strings.TrimSuffix(strings.TrimPrefix(idSegment.String(), "^("), ")$"))}}}
		}
	}
	segs := segments(id)
	if !s.habits.legacyFields && slices.Contains([]string{"restart", "tasks", "versions"}, segs[len(segs)-1]) {
		return []violation{{Path: "/id", Errors: []string{"last path segment must not be one of: restart, tasks, versions"}}}
	}
	return nil
}

// typesOf are the JSON types of the members that are checked.
var typesOf = map[string]struct{ kind, message string }{
	"id": {"string", "error.expected.jsstring"}, "cmd": {"string", "error.expected.jsstring"},
	"version":   {"string", "error.expected.jsstring"},
	"instances": {"number", "error.expected.jsnumber"}, "cpus": {"number", "error.expected.jsnumber"},
	"mem": {"number", "error.expected.jsnumber"}, "disk": {"number", "error.expected.jsnumber"},
	"container": {"object", "error.expected.jsobject"}, "env": {"object", "error.expected.jsobject"},
	"labels": {"object", "error.expected.jsobject"}, "upgradeStrategy": {"object", "error.expected.jsobject"},
	"healthChecks": {"array", "error.expected.jsarray"}, "dependencies": {"array", "error.expected.jsarray"},
	"fetch": {"array", "error.expected.jsarray"}, "uris": {"array", "error.expected.jsarray"},
}

// kindOf is the JSON type of a value.
func kindOf(m json.RawMessage) string {
	switch strings.TrimSpace(string(m))[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	}
	return "number"
}

// checkUpdate refuses an app document that the profile's readers refuse,
// before it is merged with anything.
func (s *Server) checkUpdate(o object) *reply {
	for _, k := range slices.Sorted(maps.Keys(typesOf)) {
		if v := o[k]; !isNull(v) && kindOf(v) != typesOf[k].kind {
			return s.typeError("/"+k, typesOf[k].message)
		}
	}
	if s.habits.legacyFields {
		_, uris := o["uris"]
		_, fetch := o["fetch"]
		if uris && fetch && !isNull(o["uris"]) && !isNull(o["fetch"]) {
			return s.typeError("", "You cannot specify both uris and fetch fields")
		}
		if rep := s.checkPorts(o); rep != nil {
			return rep
		}
	}
	if !isNull(o["version"]) {
		for k, v := range o {
			if k != "id" && k != "version" && !isNull(v) {
				return s.versionClash()
			}
		}
		return badTimestamp(text(o["version"]))
	}
	return nil
}

// checkPorts demands that ports and portDefinitions agree.
func (s *Server) checkPorts(o object) *reply {
	if isNull(o["ports"]) || isNull(o["portDefinitions"]) {
		return nil
	}
	ports, defs := list(o["ports"]), list(o["portDefinitions"])
	agree := len(ports) == len(defs)
	for i := 0; agree && i < len(ports); i++ {
		agree = number(ports[i], -1) == number(fields(defs[i])["port"], -2)
	}
	if agree {
		return nil
	}
	return s.typeError("", "You cannot specify both ports and port definitions")
}

// versionClash is the answer to version beside anything but id.
func (s *Server) versionClash() *reply {
	const text = "The 'version' field may only be combined with the 'id' field."
	if s.habits.legacyFields {
		return message(http.StatusUnprocessableEntity, "requirement failed: %s", text)
	}
	return invalidObject(violation{Path: "/", Errors: []string{text}})
}

// checkRoot validates the whole root group, as each write does (F11).
func (s *Server) checkRoot(specs map[string]*runSpec) *reply {
	var all []violation
	for _, id := range slices.Sorted(maps.Keys(specs)) {
		all = append(all, s.st.Invalid[id]...)
		r := specs[id]
		if !r.Pod {
			all = append(all, appViolations(r.Doc)...)
		}
	}
	if s.cycle(specs) {
		all = append(all, violation{Path: "/", Errors: []string{"Dependency graph has cyclic dependencies."}})
	}
	if len(all) > 0 {
		return invalidObject(all...)
	}
	return nil
}

// appViolations says what is wrong with one app.
func appViolations(doc object) []violation {
	var all []violation
	add := func(path, format string, args ...any) {
		all = append(all, violation{Path: path, Errors: []string{fmt.Sprintf(format, args...)}})
	}
	docker := fields(fields(doc["container"])["docker"])
	if isNull(doc["cmd"]) && len(list(doc["args"])) == 0 && isNull(doc["container"]) {
		add("/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.")
	}
	if !isNull(doc["container"]) && text(fields(doc["container"])["type"]) == "DOCKER" && docker == nil {
		add("/container/docker", "not defined")
	}
	if docker != nil && text(docker["image"]) == "" {
		add("/container/docker/image", "must not be empty")
	}
	for _, k := range []string{"instances", "cpus", "mem", "disk"} {
		if number(doc[k], 0) < 0 {
			add("/"+k, "got %s, expected 0 or more", doc[k])
		}
	}
	for k, v := range fields(doc["upgradeStrategy"]) {
		if n := number(v, 0); n < 0 || n > 1 {
			add("/upgradeStrategy/"+k, "got %s, expected between 0.0 and 1.0", v)
		}
	}
	return all
}
