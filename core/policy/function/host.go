package function

import (
	"errors"
	"fmt"
	"io/fs"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/rollback-project/rollback/core/policy/source"
)

// functions are those that see the outside.
func (h Host) functions() map[string]function.Function {
	return map[string]function.Function{
		"env":       h.env(),
		"file":      h.file(),
		"sensitive": h.sensitive(),
	}
}

// env takes a default, because a CI job often passes parameters that are empty: env("REGION", "eu").
func (h Host) env() function.Function {
	return function.New(&function.Spec{
		Description: "is an environment variable: null, or the second argument, when it is not set",
		Params:      []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam:    &function.Parameter{Name: "default", Type: cty.String, AllowNull: true},
		Type: func(args []cty.Value) (cty.Type, error) {
			if len(args) > 2 {
				return cty.NilType, function.NewArgErrorf(2, "takes a name and at most one default")
			}
			return cty.String, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			value, ok := h.Environ(args[0].AsString())
			switch {
			case ok && !utf8.ValidString(value):
				return cty.NilVal, fmt.Errorf("the environment variable %s is not UTF-8", args[0].AsString())
			case len(args) == 2 && value == "":
				return args[1], nil
			case !ok:
				return cty.NullVal(cty.String), nil
			}
			return cty.StringVal(value), nil
		},
	})
}

func (h Host) file() function.Function {
	return function.New(&function.Spec{
		Description: "is the text of a file; relative paths start from the policy's folder",
		Params:      []function.Parameter{{Name: "path", Type: cty.String}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			text, err := h.ReadFile(name)
			var inPath *fs.PathError
			switch {
			case errors.As(err, &inPath):
				return cty.NilVal, fmt.Errorf("read %s: %w", name, inPath.Err)
			case err != nil:
				return cty.NilVal, fmt.Errorf("read %s: %w", name, err)
			case !utf8.Valid(text):
				return cty.NilVal, fmt.Errorf("%s is not UTF-8", name)
			}
			return cty.StringVal(string(text)), nil
		},
	})
}

func (h Host) sensitive() function.Function {
	return function.New(&function.Spec{
		Description: "hides a value wherever it would be shown",
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType,
			AllowDynamicType: true, AllowUnknown: true, AllowNull: true, AllowMarked: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			h.Secret(args[0])
			return args[0].Mark(source.Sensitive), nil
		},
	})
}
