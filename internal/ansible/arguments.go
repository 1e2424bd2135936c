package ansible

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// The commands of the module.
const (
	points = "points"
	plans  = "plan"
	apply  = "apply"
	undo   = "undo"
	info   = "info"
)

// allCommands are the values of the argument command.
var allCommands = []string{points, plans, apply, undo, info}

// Arguments are what a task gives. Ansible keeps their types from a playbook, and makes strings of them in an ad-hoc call:
// both are taken.
type Arguments struct {
	Command  string `json:"command"`
	Policy   words  `json:"policy"`
	Chdir    string `json:"chdir"`
	Env      string `json:"env"`
	To       text   `json:"to"`
	PlanFile string `json:"plan_file"`
	Repo     list   `json:"repo"`
	Only     list   `json:"only"`
	Except   list   `json:"except"`
	Registry string `json:"registry"`
	// Vars are variables of the policy. SecretVars are the same, and never shown nor put on a command line.
	Vars             values            `json:"vars"`
	SecretVars       values            `json:"secret_vars"`
	VarFiles         words             `json:"var_files"`
	ApprovedBy       string            `json:"approved_by"`
	Reason           string            `json:"reason"`
	Ticket           text              `json:"ticket"`
	Overrides        map[string]string `json:"overrides"`
	AllowPartial     boolean           `json:"allow_partial"`
	AllowQuarantined boolean           `json:"allow_quarantined"`
	LockTimeout      string            `json:"lock_timeout"`
	Slack            string            `json:"slack"`
	User             string            `json:"user"`
	Password         string            `json:"password"`
	DumpPath         string            `json:"dump_path"`
	Operation        string            `json:"operation"`
	Report           words             `json:"report"`
	Limit            *number           `json:"limit"`

	Check boolean `json:"_ansible_check_mode"`
	Diff  boolean `json:"_ansible_diff"`
}

// names are the arguments, without Ansible's own.
var names = []string{
	"command", "policy", "chdir", "env", "to", "date", "plan_file", "repo", "only", "except", "registry", "vars", "secret_vars", "var_files",
	"approved_by", "reason", "ticket", "overrides", "allow_partial", "allow_quarantined", "lock_timeout", "slack", "user",
	"password", "dump_path", "operation", "report", "limit",
}

// concerns says which commands take an argument; those that are not here are taken by all.
var concerns = map[string][]string{
	"to": {plans, apply}, "plan_file": {plans, apply}, "repo": {points, plans, apply}, "only": {plans, apply, undo}, "except": {plans, apply, undo},
	"registry": {points, plans, apply}, "approved_by": {plans, apply, undo}, "reason": {apply, undo}, "ticket": {apply, undo},
	"overrides": {plans, apply, undo}, "allow_partial": {plans, apply}, "allow_quarantined": {plans, apply, undo}, "lock_timeout": {apply, undo},
	"slack": {apply, undo}, "user": {apply}, "password": {apply}, "dump_path": {points, apply}, "operation": {undo}, "report": {apply, undo},
	"limit": {info},
}

// decode reads the arguments of a task. Arguments that are null count as not given: a module of Ansible's hands over all of
// its options.
func decode(raw []byte) (Arguments, error) {
	var a Arguments
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return a, fmt.Errorf("read the arguments: they are no JSON object: %w", err)
	}
	maps.DeleteFunc(given, func(_ string, v json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(v), []byte("null")) })
	if date, ok := given["date"]; ok {
		if _, both := given["to"]; both {
			return a, errors.New("to and date are the same argument: give one of them")
		}
		given["to"] = date
		delete(given, "date")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !strings.HasPrefix(name, "_ansible_") && !slices.Contains(names, name) {
			return a, fmt.Errorf("there is no argument %q%s", name, suggest(name, names))
		}
	}
	clean, err := json.Marshal(given)
	if err != nil {
		return a, fmt.Errorf("read the arguments: %w", err)
	}
	if err := json.Unmarshal(clean, &a); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return a, fmt.Errorf("argument %s: a %s is given where a %s is wanted", wrong.Field, wrong.Value, wrong.Type)
		}
		return a, fmt.Errorf("read the arguments: %w", err)
	}
	return a, a.check(given)
}

// check refuses what makes no sense together.
func (a *Arguments) check(given map[string]json.RawMessage) error {
	switch {
	case a.Command == "":
		return fmt.Errorf("argument command is missing: it is one of %s", strings.Join(allCommands, ", "))
	case !slices.Contains(allCommands, a.Command):
		return fmt.Errorf("argument command is %q: it is one of %s%s", a.Command, strings.Join(allCommands, ", "), suggest(a.Command, allCommands))
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if c := concerns[name]; c != nil && !slices.Contains(c, a.Command) && !idle(given[name]) {
			return fmt.Errorf("argument %s is not for %s, but for %s", name, a.Command, strings.Join(c, ", "))
		}
	}
	if a.Command == apply && a.PlanFile != "" && a.To != "" {
		return errors.New("to and plan_file exclude each other: a saved plan says where it goes")
	}
	return nil
}

// idle is a value that means the same as none.
func idle(v json.RawMessage) bool {
	switch string(bytes.TrimSpace(v)) {
	case "false", `""`, "[]", "{}":
		return true
	default:
		return false
	}
}

// suggest adds the nearest of some names.
func suggest(name string, of []string) string {
	best, least := "", 4
	for _, n := range of {
		if d := levenshtein.Distance(name, n, nil); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// words is a list, or a single one.
type words []string

// UnmarshalJSON takes a list of strings or one string; "" is none.
func (w *words) UnmarshalJSON(raw []byte) error {
	var one string
	if err := json.Unmarshal(raw, &one); err == nil {
		*w = nil
		if one != "" {
			*w = words{one}
		}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(w))
}

// list is a list, or several names separated by commas.
type list []string

// UnmarshalJSON takes a list of strings, or one string with commas.
func (l *list) UnmarshalJSON(raw []byte) error {
	var some words
	if err := some.UnmarshalJSON(raw); err != nil {
		return err
	}
	*l = nil
	for _, s := range some {
		for _, name := range strings.Split(s, ",") {
			if name = strings.TrimSpace(name); name != "" {
				*l = append(*l, name)
			}
		}
	}
	return nil
}

// text is a string, or a number that YAML has made of one: -1, 2019.
type text string

// UnmarshalJSON takes a string or a number.
func (t *text) UnmarshalJSON(raw []byte) error {
	var n json.Number
	if len(raw) > 0 && raw[0] != '"' && json.Unmarshal(raw, &n) == nil {
		*t = text(n.String())
		return nil
	}
	return json.Unmarshal(raw, (*string)(t))
}

// boolean is true or false, or one of Ansible's words for them.
type boolean bool

// UnmarshalJSON takes a boolean, or yes, no, on, off, true, false, 1 or 0.
func (b *boolean) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	switch strings.ToLower(s) {
	case "yes", "on", "true", "1", "y", "t":
		*b = true
	case "no", "off", "false", "0", "n", "f", "":
		*b = false
	default:
		return fmt.Errorf("%s is neither true nor false", raw)
	}
	return nil
}

// number is a whole number, or its digits.
type number int

// UnmarshalJSON takes a number or a string of digits.
func (n *number) UnmarshalJSON(raw []byte) error {
	i, err := strconv.Atoi(strings.Trim(string(raw), `"`))
	if err != nil {
		return fmt.Errorf("%s is no whole number", raw)
	}
	*n = number(i)
	return nil
}

// values are variables of a policy, each as the policy language writes it.
type values map[string]string

// UnmarshalJSON takes an object: strings as they are, everything else as its JSON, which HCL reads as well.
func (v *values) UnmarshalJSON(raw []byte) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return err
	}
	*v = values{}
	for name, value := range given {
		var s string
		if json.Unmarshal(value, &s) == nil {
			(*v)[name] = s
			continue
		}
		(*v)[name] = string(value)
	}
	return nil
}
