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

// marathonLike has one of everything that a schema can have.
var marathonLike = schema.Schema{
	Attributes: []schema.Attribute{
		{Name: "url", Type: cty.String, Required: true},
		{Name: "mode", Type: cty.String, OneOf: []string{"docker", "ucr"}, Default: cty.StringVal("docker")},
		{Name: "password", Type: cty.String, Sensitive: true},
		{Name: "retries", Type: cty.Number},
		{Name: "insecure", Type: cty.Bool},
		{Name: "headers", Type: cty.Map(cty.String)},
		{Name: "any", Type: cty.DynamicPseudoType},
		{Name: "zone", Type: cty.String, Sensitive: true, OneOf: []string{"a", "b"}},
	},
	Blocks: []schema.Block{
		{Name: "login", Max: 1, Attributes: []schema.Attribute{{Name: "user", Type: cty.String, Required: true}, {Name: "key", Type: cty.String, Sensitive: true}}},
		{Name: "server", Min: 1, Attributes: []schema.Attribute{{Name: "host", Type: cty.String}}},
		{Name: "pair", Min: 0, Max: 2, Attributes: []schema.Attribute{{Name: "n", Type: cty.Number}}},
	},
}

func TestDecodeGivesThePluginPlainValues(t *testing.T) {
	text := `
variable "password" {
  sensitive = true
  default   = "hunter2"
}
orchestrator "marathon" {
  url      = "https://m"
  password = "literal"
  retries  = "3"
  headers  = { Authorization = "Bearer ${var.password}", X = 1 }
  any      = [1, { a = true }]
  login {
    user = "u"
    key  = file("key.txt")
  }
  server { host = "one" }
  server {}
}
`
	dir := folder(t, map[string]string{"policy.hcl": text, "key.txt": "key text"})
	p, _, ds := Load(LoadOptions{WorkDir: dir})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	cfg, ds := p.Orchestrator.Decode(marathonLike)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	const want = `{"any":[1,{"a":true}],"headers":{"Authorization":"Bearer hunter2","X":"1"},"insecure":null,` +
		`"login":{"key":"key text","user":"u"},"mode":"docker","pair":[],"password":"literal","retries":3,` +
		`"server":[{"host":"one"},{"host":null}],"url":"https://m","zone":null}`
	if diff := cmp.Diff(want, string(cfg.JSON)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Bearer hunter2", "key text", "literal"}, p.Orchestrator.Secrets()); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
}

func TestDecodeReportsEverythingAtItsPlace(t *testing.T) {
	p, _, ds := loadText(t, `
orchestrator "marathon" {
  urll     = "https://m"
  mode     = "dockr"
  retries  = "many"
  zone     = "hunter2"
  insecure = var.nothing
  login { key = "x" }
  login { user = null }
  pair {}
  pair {}
  pair { m = 1 }
}
`, LoadOptions{})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	_, ds = p.Orchestrator.Decode(marathonLike)
	prefixes(t, []string{
		`policy.hcl:2: Missing required argument: The argument "url" is required`,
		`policy.hcl:2: Missing required block: A block "server" is required.`,
		`policy.hcl:3: Unsupported argument: An argument named "urll" is not expected here. Did you mean "url"?`,
		`policy.hcl:4: Invalid value: The argument "mode" has no value "dockr". It must be "docker" or "ucr". Did you mean "docker"?`,
		`policy.hcl:5: Unsuitable value type: The value of "retries" must be a number: a number is required.`,
		`policy.hcl:6: Invalid value: The value of the argument "zone" is not allowed. It must be "a" or "b".`,
		`policy.hcl:7: Reference to undeclared variable`,
		`policy.hcl:8: Missing required argument: The argument "user" is required, but no`,
		`policy.hcl:9: Too many blocks: There may be 1 of the blocks "login", but there are 2.`,
		`policy.hcl:9: Missing required argument: The argument "user" is required, but its value is null.`,
		`policy.hcl:12: Too many blocks: There may be 2 of the blocks "pair", but there are 3.`,
		`policy.hcl:12: Unsupported argument: An argument named "m" is not expected here. Did you mean "n"?`,
	}, texts(ds))
	for _, d := range ds {
		if d.Address != "orchestrator.marathon" || d.Snippet == nil {
			t.Errorf("%v has address %q and snippet %v", d, d.Address, d.Snippet)
		}
	}
	if text, _ := json.Marshal(ds); strings.Contains(strings.ReplaceAll(string(text), `zone     = \"*******\"`, ""), "hunter2") {
		t.Errorf("a sensitive attribute's value is shown: %s", text)
	}
}

func TestNotifyKeepsOnForTheHost(t *testing.T) {
	p := clean(t, `
notify "slack" {
  on  = ["failed"]
  url = "x"
}
notify "slack" { url = "y" }
`, LoadOptions{})
	s := schema.Schema{Attributes: []schema.Attribute{{Name: "url", Type: cty.String}}}
	for i, want := range []string{`{"url":"x"}`, `{"url":"y"}`} {
		cfg, ds := p.Notifiers[i].Decode(s)
		if len(ds) > 0 || string(cfg.JSON) != want {
			t.Errorf("notifier %d = %s, want %s; %v", i, cfg.JSON, want, ds)
		}
	}
	if diff := cmp.Diff([]string{"failed"}, p.Notifiers[0].On); diff != "" || p.Notifiers[1].On != nil {
		t.Errorf("On = %v, %v", p.Notifiers[0].On, p.Notifiers[1].On)
	}
}

func TestLocateFindsThePlaceOfAPath(t *testing.T) {
	p := clean(t, `
variable "base" { default = "https://dcos" }
orchestrator "marathon" {
  url = "${var.base}/x"
  list = [
    "a",
    "b",
  ]
  table = {
    one = 1
    two = [1,
      2]
  }
  server { host = "one" }
  server {
    host = "two"
  }
}
`, LoadOptions{})
	for _, tc := range []struct {
		path diag.Path
		line int
		code string
	}{
		{nil, 3, `orchestrator "marathon"`},
		{diag.Path{"url"}, 4, `"${var.base}/x"`},
		{diag.Path{"url", "deeper"}, 4, `"${var.base}/x"`},
		{diag.Path{"list", "1"}, 7, `"b"`},
		{diag.Path{"list", "7"}, 5, "[\n    \"a\",\n    \"b\",\n  ]"},
		{diag.Path{"table", "one"}, 10, "1"},
		{diag.Path{"table", "two", "1"}, 12, "2"},
		{diag.Path{"server", "1", "host"}, 16, `"two"`},
		{diag.Path{"server", "1"}, 15, "server"},
		{diag.Path{"server", "host"}, 14, `"one"`},
		{diag.Path{"server", "5", "host"}, 3, `orchestrator "marathon"`},
		{diag.Path{"absent"}, 3, `orchestrator "marathon"`},
	} {
		t.Run(tc.path.String(), func(t *testing.T) {
			ds := p.Orchestrator.Locate(diag.Diagnostics{diag.Warnf("Odd", "It is odd.").At(tc.path...)})
			if len(ds) != 1 || ds[0].Range == nil || ds[0].Snippet == nil {
				t.Fatalf("Locate = %+v", ds)
			}
			d := ds[0]
			if d.Severity != diag.Warning || d.Summary != "Odd" || d.Detail != "It is odd." || d.Address != "orchestrator.marathon" {
				t.Errorf("diagnostic = %+v", d)
			}
			code := d.Snippet.Code[d.Snippet.HighlightStartOffset:d.Snippet.HighlightEndOffset]
			if d.Range.Start.Line != tc.line || code != tc.code {
				t.Errorf("place = line %d %q, want line %d %q", d.Range.Start.Line, code, tc.line, tc.code)
			}
		})
	}
	ds := p.Orchestrator.Locate(diag.Diagnostics{diag.Errorf("Odd", "It is odd.").At("url")})
	if diff := cmp.Diff([]diag.Value{{Traversal: "var.base", Statement: `is "https://dcos"`}}, ds[0].Snippet.Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestLocateShowsNoSecretOfTheBlock(t *testing.T) {
	p := clean(t, `
variable "plain" { default = "hunter2" }
registry "docker" { password = var.plain }
`, LoadOptions{})
	s := schema.Schema{Attributes: []schema.Attribute{{Name: "password", Type: cty.String, Sensitive: true}}}
	if _, ds := p.Registry.Decode(s); len(ds) > 0 {
		t.Fatal(ds)
	}
	ds := p.Registry.Locate(diag.Diagnostics{diag.Errorf("Bad", "hunter2 \x1b[31mis bad").At("password")})
	if ds[0].Detail != "(sensitive value) \ufffd[31mis bad" || len(ds[0].Snippet.Values) > 0 {
		t.Errorf("diagnostic = %+v %+v", ds[0], ds[0].Snippet)
	}
}

func TestLocateKeepsWhatIsKnownAlready(t *testing.T) {
	p := clean(t, `registry "docker" {}`, LoadOptions{})
	r := diag.Range{Filename: "x.hcl"}
	in := diag.Diagnostic{Severity: diag.Error, Summary: "S", Detail: "D", Address: "a", Range: &r}
	if diff := cmp.Diff(diag.Diagnostics{in}, p.Registry.Locate(diag.Diagnostics{in})); diff != "" {
		t.Errorf("Locate (-want +got):\n%s", diff)
	}
}

func TestABackendOfPlainValues(t *testing.T) {
	b := NewBackend(schema.Orchestrator, "marathon", map[string]cty.Value{
		"url": cty.StringVal("https://m"), "password": cty.StringVal("hunter2"), "retries": cty.NullVal(cty.Number),
		"login":  cty.ObjectVal(map[string]cty.Value{"user": cty.StringVal("u")}),
		"server": cty.ListVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"host": cty.StringVal("h")})}),
	})
	cfg, ds := b.Decode(marathonLike)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	const want = `{"any":null,"headers":null,"insecure":null,"login":{"key":null,"user":"u"},"mode":"docker","pair":[],` +
		`"password":"hunter2","retries":null,"server":[{"host":"h"}],"url":"https://m","zone":null}`
	if diff := cmp.Diff(want, string(cfg.JSON)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"hunter2"}, b.Secrets()); diff != "" {
		t.Errorf("Secrets (-want +got):\n%s", diff)
	}
	ds = b.Locate(diag.Diagnostics{diag.Errorf("Bad", "hunter2").At("url"), {Summary: "Kept", Address: "x"}})
	if ds[0].Address != "orchestrator.marathon.url" || ds[0].Detail != "(sensitive value)" || ds[1].Address != "x" {
		t.Errorf("Locate = %+v", ds)
	}
}

func TestABackendOfPlainValuesIsCheckedToo(t *testing.T) {
	b := NewBackend(schema.Orchestrator, "marathon", map[string]cty.Value{
		"mode": cty.StringVal("x"), "urll": cty.True, "password": cty.ListValEmpty(cty.String), "any": cty.DynamicVal,
		"server": cty.StringVal("no block"), "login": cty.EmptyObjectVal,
	})
	_, ds := b.Decode(marathonLike)
	prefixes(t, []string{
		`Unsupported argument: An argument named "urll" is not expected here. Did you mean "url"?`,
		`Missing required argument: The argument "url"`,
		`Invalid value: The argument "mode" has no value "x".`,
		`Unsuitable value type: The value of "password" must be a string`,
		`Unknown value: The value of "any" is not known.`,
		`Missing required argument: The argument "user"`,
		`Missing required block: A block "server" is required.`,
	}, texts(ds))
}
