package function

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/rollback-project/rollback/sdk/registry"
)

// text makes a function of strings.
func text(description string, result cty.Type, impl func(args []string) (cty.Value, error), params ...string) function.Function {
	spec := &function.Spec{
		Description: description,
		Type:        function.StaticReturnType(result),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			plain := make([]string, len(args))
			for i, arg := range args {
				plain[i] = arg.AsString()
			}
			return impl(plain)
		},
	}
	for _, name := range params {
		spec.Params = append(spec.Params, function.Parameter{Name: name, Type: cty.String})
	}
	return function.New(spec)
}

var (
	startsWith = text("reports whether a string begins with a prefix", cty.Bool, func(args []string) (cty.Value, error) {
		return cty.BoolVal(strings.HasPrefix(args[0], args[1])), nil
	}, "str", "prefix")
	endsWith = text("reports whether a string ends with a suffix", cty.Bool, func(args []string) (cty.Value, error) {
		return cty.BoolVal(strings.HasSuffix(args[0], args[1])), nil
	}, "str", "suffix")
	strContains = text("reports whether a string contains another", cty.Bool, func(args []string) (cty.Value, error) {
		return cty.BoolVal(strings.Contains(args[0], args[1])), nil
	}, "str", "substr")
	sha256Hex = text("is the hex SHA-256 of a string", cty.String, func(args []string) (cty.Value, error) {
		sum := sha256.Sum256([]byte(args[0]))
		return cty.StringVal(hex.EncodeToString(sum[:])), nil
	}, "str")
	base64Encode = text("encodes a string as Base64", cty.String, func(args []string) (cty.Value, error) {
		return cty.StringVal(base64.StdEncoding.EncodeToString([]byte(args[0]))), nil
	}, "str")
	base64Decode = text("decodes Base64 that holds UTF-8", cty.String, func(args []string) (cty.Value, error) {
		decoded, err := base64.StdEncoding.DecodeString(args[0])
		switch {
		case err != nil:
			return cty.NilVal, errors.New("the text is not Base64")
		case !utf8.Valid(decoded):
			return cty.NilVal, errors.New("the decoded text is not UTF-8")
		}
		return cty.StringVal(string(decoded)), nil
	}, "str")
	// compareBuilds refuses what is no build: a guard that compares an unknown build must not pass by luck.
	compareBuilds = text("is -1 when the first build is lower than the second, 0 when they are the same, 1 when it is higher; digits count as numbers",
		cty.Number, func(args []string) (cty.Value, error) {
			for i, build := range args {
				if build == "" {
					return cty.NilVal, function.NewArgErrorf(i, "the build is empty: it is not known which one this is")
				}
			}
			return cty.NumberIntVal(int64(cmp.Compare(registry.CompareBuilds(args[0], args[1]), 0))), nil
		}, "a", "b")
	// replace takes, as in Terraform, a regular expression where the substring stands between slashes.
	replace = text("replaces a substring, or what a /regular expression/ matches", cty.String,
		func(args []string) (cty.Value, error) {
			str, substr, replacement := cty.StringVal(args[0]), args[1], cty.StringVal(args[2])
			if len(substr) > 1 && strings.HasPrefix(substr, "/") && strings.HasSuffix(substr, "/") {
				return stdlib.RegexReplace(str, cty.StringVal(substr[1:len(substr)-1]), replacement)
			}
			return stdlib.Replace(str, cty.StringVal(substr), replacement)
		}, "str", "substr", "replace")
)
