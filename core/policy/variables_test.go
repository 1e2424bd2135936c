package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/schema"
)

// valueOf loads a policy whose registry has the attribute v, and returns its JSON.
func valueOf(t *testing.T, dir string, opts LoadOptions) (string, diag.Diagnostics) {
	t.Helper()
	opts.WorkDir = dir
	p, _, ds := Load(opts)
	if ds.HasErrors() || p.Registry == nil {
		return "", ds
	}
	cfg, more := p.Registry.Decode(schema.Schema{Attributes: []schema.Attribute{{Name: "v", Type: cty.DynamicPseudoType}}})
	var out struct{ V json.RawMessage }
	if err := cfg.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return string(out.V), append(ds, more...)
}

func TestWhereVariablesGetTheirValues(t *testing.T) {
	const text = `
variable "s" {
  type    = string
  default = "default"
}
registry "x" { v = var.s }
`
	dir := folder(t, map[string]string{
		"policy.hcl": text, "a.hcl": "s = \"file a\"\nother = 1\n", "b.json": `{"s": "file b"}`,
		"values/a.tfvars": `s = "tfvars"`,
	})
	opts := LoadOptions{Paths: []string{"policy.hcl"}}
	environ := []string{"ROLLBACK_VAR_s=environment", "ROLLBACK_VAR_nothing=x"}
	for _, tc := range []struct {
		rule string
		opts func(*LoadOptions)
		want string
	}{
		{"the default, when there is nothing else", func(*LoadOptions) {}, `"default"`},
		{"the environment wins over the default", func(o *LoadOptions) { o.Environ = environ }, `"environment"`},
		{"a file wins over the environment", func(o *LoadOptions) { o.Environ, o.VarFiles = environ, []string{"values/a.tfvars"} }, `"tfvars"`},
		{"a later file wins", func(o *LoadOptions) { o.VarFiles = []string{"values/a.tfvars", "b.json"} }, `"file b"`},
		{"the command line wins over files", func(o *LoadOptions) { o.VarFiles, o.Vars = []string{"b.json"}, []string{"s=a", "s=last=1"} }, `"last=1"`},
		{"an empty value is a value", func(o *LoadOptions) { o.Vars = []string{"s="} }, `""`},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			o := opts
			tc.opts(&o)
			got, ds := valueOf(t, dir, o)
			if len(ds) > 0 {
				t.Fatal(ds)
			}
			if got != tc.want {
				t.Errorf("value = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestValuesAreReadByTheirType(t *testing.T) {
	for _, tc := range []struct{ rule, declare, given, want, problem string }{
		{rule: "a string as it is", declare: `type = string`, given: `"quoted" ${x}`, want: `"\"quoted\" ${x}"`},
		{rule: "a number", declare: `type = number`, given: "1.5", want: "1.5"},
		{rule: "a bool", declare: `type = bool`, given: "true", want: "true"},
		{rule: "without a type a string", declare: ``, given: "[1]", want: `"[1]"`},
		{rule: "a list as an expression", declare: `type = list(string)`, given: `["a", 1]`, want: `["a","1"]`},
		{
			rule: "an object with optional attributes", declare: `type = object({a = string, b = optional(number, 7)})`,
			given: `{a = "x"}`, want: `{"a":"x","b":7}`,
		},
		{rule: "null for a variable that cannot be null means the default", declare: "type = list(string)\n nullable = false\n default = [\"d\"]", given: "null", want: `["d"]`},
		{rule: "null otherwise", declare: "type = list(string)", given: "null", want: `null`},
		{rule: "no number", declare: `type = number`, given: "many", problem: `policy.hcl:2: Invalid value for variable: The value of "v" from --var cannot be used: it does not fit the type number: a number is required.`},
		{rule: "no expression", declare: `type = list(string)`, given: `[a`, problem: `policy.hcl:2: Invalid value for variable: The value of "v" from --var cannot be used: it must be an expression of type list(string), such as ["a", "b"]: unterminated tuple constructor expression (column 1).`},
		{rule: "a reference", declare: `type = list(number)`, given: `[a]`, problem: `policy.hcl:2: Invalid value for variable: The value of "v" from --var cannot be used: it must be an expression of type list(number), such as [1, 2]: variables not allowed (column 2).`},
		{rule: "an unfit object", declare: `type = map(string)`, given: `[1]`, problem: `policy.hcl:2: Invalid value for variable: The value of "v" from --var cannot be used: it does not fit the type map(string)`},
		{rule: "a broken object", declare: `type = object({a = string})`, given: `{a =`, problem: `policy.hcl:2: Invalid value for variable: The value of "v" from --var cannot be used: it must be an expression of type object({a=string}), such as {name = "value"}`},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			dir := folder(t, map[string]string{"policy.hcl": "\nvariable \"v\" {\n" + tc.declare + "\n}\nregistry \"x\" { v = var.v }\n"})
			got, ds := valueOf(t, dir, LoadOptions{Vars: []string{"v=" + tc.given}})
			if tc.problem != "" {
				prefixes(t, []string{tc.problem}, texts(ds))
				return
			}
			if len(ds) > 0 {
				t.Fatal(ds)
			}
			if got != tc.want {
				t.Errorf("value = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestProblemsWithValues(t *testing.T) {
	dir := folder(t, map[string]string{
		"policy.hcl":  "variable \"token\" {\n  type = number\n}\nvariable \"team\" {\n  default = \"\"\n}\n",
		"values.hcl":  "# old: hunter2\ntokn = \"hunter2\"\nteam = var.x\n",
		"block.hcl":   "token = 1\nx { y = \"hunter2\" }\n",
		"broken.hcl":  "token = \"hunter2\n",
		"unfit.json":  `{"token": "hunter2"}`,
		"broken.json": `{"token": "hunter2}`,
	})
	for _, tc := range []struct {
		rule string
		opts LoadOptions
		want []string
	}{
		{"an undeclared variable on the command line", LoadOptions{Vars: []string{"token=1", "taem=x"}}, []string{`Value for undeclared variable: The policy has no variable "taem", for which --var gives a value. Did you mean "team"?`}},
		{"no name", LoadOptions{Vars: []string{"token=1", "hunter2", "=hunter2"}}, []string{"Invalid --var option: A value is given as --var 'name=value'"}},
		{"a file that is not there", LoadOptions{Vars: []string{"token=1"}, VarFiles: []string{"x.hcl"}}, []string{"Cannot read a file of values: Read x.hcl, given with --var-file: no such file or directory."}},
		{"a misspelt name in a file is a warning", LoadOptions{Vars: []string{"token=1"}, VarFiles: []string{"values.hcl"}}, []string{"values.hcl:2: Value for undeclared variable", "values.hcl:3: Variables not allowed"}},
		{"a block in a file", LoadOptions{VarFiles: []string{"block.hcl"}}, []string{"block.hcl:2: Unexpected \"x\" block"}},
		{"a broken file", LoadOptions{Vars: []string{"token=1"}, VarFiles: []string{"broken.hcl"}}, []string{"broken.hcl:1: Invalid multi-line string", "broken.hcl:1: Unterminated template string"}},
		{"a value of the wrong type in a file", LoadOptions{VarFiles: []string{"unfit.json"}}, []string{`unfit.json:1: Invalid value for variable: The value of "token" from unfit.json cannot be used: it does not fit the type number`}},
		{"a broken JSON file", LoadOptions{Vars: []string{"token=1"}, VarFiles: []string{"broken.json"}}, []string{"broken.json:1: Unclosed object", "broken.json:1: Root value must be object", "broken.json:1: Invalid JSON string"}},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			tc.opts.WorkDir, tc.opts.Paths = dir, []string{"policy.hcl"}
			_, _, ds := Load(tc.opts)
			prefixes(t, tc.want, texts(ds))
			text, err := json.Marshal(ds)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "hunter2") {
				t.Errorf("a value is shown: %s", text)
			}
		})
	}
}

func TestAnIncludingFileSetsUpTheIncluded(t *testing.T) {
	included := `
variable "n" {
  type      = number
  default   = 20
  validation {
    condition     = var.n > 0
    error_message = "n must be positive."
  }
}
`
	files := func(top string) map[string]string {
		return map[string]string{"policy.hcl": "include = [\"in.hcl\"]\n" + top + "\nregistry \"x\" { v = var.n }\n", "in.hcl": included}
	}
	for _, tc := range []struct {
		rule, top string
		vars      []string
		want      string
		problem   string
	}{
		{rule: "nothing set", want: "20"},
		{rule: "another default, converted to the included type", top: `variable "n" { default = "5" }`, want: "5"},
		{rule: "the command line still wins", top: `variable "n" { default = 5 }`, vars: []string{"n=6"}, want: "6"},
		{rule: "the included checks stay", top: `variable "n" { default = 0 }`, problem: "policy.hcl:2: Invalid value for variable: n must be positive."},
		{rule: "twice in one file is an error", top: "variable \"n\" { default = 1 }\nvariable \"n\" { default = 2 }", problem: "policy.hcl:3: Duplicate name"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			got, ds := valueOf(t, folder(t, files(tc.top)), LoadOptions{Vars: tc.vars})
			if tc.problem != "" {
				prefixes(t, []string{tc.problem}, texts(ds))
				return
			}
			if len(ds) > 0 || got != tc.want {
				t.Errorf("value = %s, want %s; %v", got, tc.want, ds)
			}
		})
	}
}

// TestSecretsAreNeverShown makes every kind of mistake with a secret.
func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "hunter2-Xyzzy"
	const declare = `
variable "token" {
  type      = string
  sensitive = true
}
variable "many" {
  type      = map(string)
  sensitive = true
  default   = { a = "hunter2-Xyzzy" }
}
locals {
  derived = upper("x${var.token}")
  number  = tonumber("4711471147")
}
`
	for rule, text := range map[string]string{
		"in a function's error":          `locals { x = parseint(var.token, 10) }`,
		"derived, in a function's error": `locals { x = parseint(local.derived, 10) }`,
		"as a key that is there twice":   `locals { x = { for v in ["a", "b"] : local.derived => v } }`,
		"as a file's name":               `locals { x = file(var.token) }`,
		"as an environment's default":    "rollback { environment = var.token }\nenvironment \"prod\" {}",
		"as a time zone":                 `rollback { timezone = var.token }`,
		"as a point":                     `rollback { to = local.derived }`,
		"as a word":                      `points { by = var.token }`,
		"as an element":                  `release { date_from = [var.token] }`,
		"as a duration":                  `apply { timeout = var.token }`,
		"as a pattern":                   `tag { pattern = "(${var.token}" }`,
		"as a dependency":                "repo \"a\" {\n  depends_on = [local.derived]\n}",
		"as a map's key":                 `locals { x = { a = 1 }[var.token] }`,
		"of a wrong type":                `retention { count = var.token }`,
		"in a map":                       `retention { count = var.many }`,
		"by the function sensitive":      `retention { count = parseint(sensitive("hunter2-Xyzzy"), 10) }`,
		"in a literal beside a mistake":  `locals { x = [sensitive("hunter2-Xyzzy"), nothing] }`,
		"in try":                         `locals { x = try(parseint(local.derived, 10)) }`,
		"in a guard":                     "guard \"g\" {\n  condition = parseint(var.token, 10) > 1\n  error_message = var.token\n}",
		"in a validation":                "variable \"x\" {\n  default = 1\n  validation {\n    condition = var.x > 1\n    error_message = \"no ${local.derived} ${var.token}\"\n  }\n}",
		"in a template":                  `locals { x = "a${var.many}" }`,
		"as an object's attribute":       `locals { x = var.many[local.derived] }`,
		"in a conditional":               `locals { x = true ? { a = var.token } : "b${nope}" }`,
		"as an unsuitable default":       "variable \"y\" {\n  sensitive = true\n  type = number\n  default = \"hunter2-Xyzzy\"\n}",
	} {
		t.Run(rule, func(t *testing.T) {
			p, sources, ds := loadText(t, declare+text+"\n", LoadOptions{Vars: []string{"token=" + secret}})
			if p.Registry != nil {
				_, more := p.Registry.Decode(schema.Schema{})
				ds = append(ds, more...)
			}
			for _, g := range p.Guards {
				_, message, more := g.Evaluate(Facts{})
				ds = append(append(ds, more...), diag.Errorf("message", "%s", message))
			}
			if len(ds) == 0 {
				t.Fatal("nothing was reported")
			}
			shown, err := json.Marshal(sources.Annotate(ds))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.ToLower(string(shown)), "hunter2") {
				t.Errorf("the secret is shown: %s", shown)
			}
			if !strings.Contains(strings.Join(p.Secrets, "\n"), secret) {
				t.Errorf("Secrets = %q", p.Secrets)
			}
		})
	}
}

func TestSecretsAreLongestFirst(t *testing.T) {
	p := clean(t, `
variable "all" {
  sensitive = true
  type      = list(any)
  default   = ["abc", "abcdef", ""]
}
variable "pin" {
  sensitive = true
  default   = 4711
}
locals { x = sensitive("inline") }
`, LoadOptions{})
	if diff := cmp.Diff([]string{"abcdef", "inline", "4711", "abc"}, p.Secrets); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
}
