// Package pluginlock owns the file .rollback.lock.hcl: the checksums of the outside plugins that a team has agreed to run.
//
// The file belongs into version control beside the policy. A plugin that is
// not in it does not run; one that differs from it does not run either.
package pluginlock

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/schema"
)

// Name is the file's name; it stands in the policy's folder.
const Name = ".rollback.lock.hcl"

// header tells people what the file is.
const header = `# This file is maintained by "rollback plugins lock".
# Manual edits may be lost in future updates.
`

// File is the content of a lock file. Its zero value locks nothing.
type File struct {
	// Plugins are sorted by kind and name, each at most once.
	Plugins []Plugin
}

// Plugin is one locked plugin.
type Plugin struct {
	Kind schema.Kind
	Name string
	// Version is what the plugin said it is when it was locked.
	Version string
	// Hashes maps a platform, such as linux_amd64, to the executable's checksum: sha256: and 64 hex digits.
	Hashes map[string]string
}

// Platform is the name of the platform that this program runs on.
func Platform() string { return runtime.GOOS + "_" + runtime.GOARCH }

// Find returns the entry of a plugin, if there is one.
func (f File) Find(kind schema.Kind, name string) (Plugin, bool) {
	for _, p := range f.Plugins {
		if p.Kind == kind && p.Name == name {
			return p, true
		}
	}
	return Plugin{}, false
}

// With returns a file in which p has taken the place of the plugin's entry.
func (f File) With(p Plugin) File {
	plugins := slices.DeleteFunc(slices.Clone(f.Plugins), func(other Plugin) bool {
		return other.Kind == p.Kind && other.Name == p.Name
	})
	plugins = append(plugins, p)
	slices.SortFunc(plugins, func(a, b Plugin) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return File{Plugins: plugins}
}

// Read reads a lock file. One that does not exist locks nothing.
func Read(path string) (File, diag.Diagnostics) {
	src, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, nil
	}
	if err != nil {
		return File{}, diag.Diagnostics{diag.Errorf("Unreadable lock file", "The lock file cannot be read: %s.", err)}
	}
	return Parse(path, src)
}

// fileSchema and pluginSchema are what may stand in the file.
var (
	fileSchema   = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "plugin", LabelNames: []string{"kind", "name"}}}}
	pluginSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "version"}, {Name: "hashes", Required: true}}}
)

// platforms and checksums are the forms of what hashes maps.
var (
	platforms = regexp.MustCompile(`^[a-z0-9]+_[a-z0-9]+$`)
	checksums = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Parse reads the content of a lock file. All problems are reported at once; what is wrong is left out.
func Parse(filename string, src []byte) (File, diag.Diagnostics) {
	parsed, hds := hclparse.NewParser().ParseHCL(src, filename)
	ds := translate(hds)
	if parsed == nil {
		return File{}, ds
	}
	content, hds := parsed.Body.Content(fileSchema)
	ds = append(ds, translate(hds)...)
	var f File
	for _, block := range content.Blocks {
		p, more := parsePlugin(block)
		ds = append(ds, more...)
		if _, twice := f.Find(p.Kind, p.Name); twice {
			ds = append(ds, at(block.DefRange, diag.Errorf("Duplicate plugin in lock file",
				"The %s plugin %q is locked twice. Remove one of the blocks.", p.Kind, p.Name)))
			continue
		}
		if !more.HasErrors() {
			f = f.With(p)
		}
	}
	return f, ds
}

func parsePlugin(block *hcl.Block) (Plugin, diag.Diagnostics) {
	p := Plugin{Kind: schema.Kind(block.Labels[0]), Name: block.Labels[1], Hashes: map[string]string{}}
	var ds diag.Diagnostics
	switch p.Kind {
	case schema.Registry, schema.Orchestrator, schema.Notify:
	default:
		ds = append(ds, at(block.LabelRanges[0], diag.Errorf("Unknown kind of plugin",
			"There is no kind %q; the kinds are registry, orchestrator and notify.", block.Labels[0])))
	}
	content, hds := block.Body.Content(pluginSchema)
	ds = append(ds, translate(hds)...)
	if attr, ok := content.Attributes["version"]; ok {
		value, hds := attr.Expr.Value(nil)
		ds = append(ds, translate(hds)...)
		if text, ok := asText(value); ok {
			p.Version = text
		} else if !hds.HasErrors() {
			ds = append(ds, at(attr.Range, diag.Errorf("Invalid version", "The version must be a string.")))
		}
	}
	attr, ok := content.Attributes["hashes"]
	if !ok {
		return p, ds
	}
	value, hds := attr.Expr.Value(nil)
	ds = append(ds, translate(hds)...)
	if hds.HasErrors() {
		return p, ds
	}
	if value.IsNull() || !value.IsKnown() || !value.Type().IsObjectType() {
		return p, append(ds, at(attr.Range, diag.Errorf("Invalid hashes",
			"The hashes must be an object: platforms such as linux_amd64, each with its checksum.")))
	}
	for platform, v := range value.AsValueMap() {
		text, ok := asText(v)
		if !ok || !platforms.MatchString(platform) || !checksums.MatchString(text) {
			ds = append(ds, at(attr.Range, diag.Errorf("Invalid hashes",
				"The entry %q must be a platform such as linux_amd64 with a checksum: sha256: and 64 hex digits.", platform)))
			continue
		}
		p.Hashes[platform] = text
	}
	return p, ds
}

func asText(v cty.Value) (string, bool) {
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// Bytes writes the file; the same content gives the same bytes.
func (f File) Bytes() []byte {
	out := hclwrite.NewEmptyFile()
	for _, p := range f.Plugins {
		out.Body().AppendNewline()
		body := out.Body().AppendNewBlock("plugin", []string{string(p.Kind), p.Name}).Body()
		if p.Version != "" {
			body.SetAttributeValue("version", cty.StringVal(p.Version))
		}
		hashes := map[string]cty.Value{}
		for platform, sum := range p.Hashes {
			hashes[platform] = cty.StringVal(sum)
		}
		body.SetAttributeValue("hashes", cty.ObjectVal(hashes))
	}
	return append([]byte(header), hclwrite.Format(out.Bytes())...)
}

// Write replaces the lock file in one step, so that nobody ever reads half of it.
func Write(path string, f File) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".rollback.lock.*")
	if err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // after the rename there is nothing to remove
	_, err = temp.Write(f.Bytes())
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	return nil
}

// Checksums reads a manifest as sha256sum writes it – a checksum, two spaces, a file name – and returns the checksums of
// executable's builds for several platforms, which are named <executable>_<os>_<arch>, with or without .exe.
// Other lines are other files.
func Checksums(manifest, executable string) map[string]string {
	out := map[string]string{}
	base := strings.TrimSuffix(executable, ".exe")
	for line := range strings.Lines(manifest) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		name = strings.TrimSuffix(strings.TrimLeft(name, " *"), ".exe")
		platform, ours := strings.CutPrefix(name, base+"_")
		sum = strings.ToLower(sum)
		if raw, err := hex.DecodeString(sum); !ok || !ours || err != nil || len(raw) != 32 || !platforms.MatchString(platform) {
			continue
		}
		out[platform] = "sha256:" + sum
	}
	return out
}
