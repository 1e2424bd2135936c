package function

import (
	"fmt"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// instant reads an RFC 3339 instant, the only form that policies see.
func instant(arg int, v cty.Value) (time.Time, error) {
	if v.AsString() == "" {
		return time.Time{}, function.NewArgErrorf(arg, "the instant is empty: it is not known when this was")
	}
	t, err := time.Parse(time.RFC3339, v.AsString())
	if err != nil {
		return time.Time{}, function.NewArgErrorf(arg, "%q is not an instant such as \"2019-06-01T10:00:00Z\"", v.AsString())
	}
	return t, nil
}

var timeCompare = function.New(&function.Spec{
	Description: "is -1 when the first instant is earlier than the second, 0 when they are the same, 1 when it is later",
	Params: []function.Parameter{
		{Name: "a", Type: cty.String},
		{Name: "b", Type: cty.String},
	},
	Type: function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		a, err := instant(0, args[0])
		if err != nil {
			return cty.NilVal, err
		}
		b, err := instant(1, args[1])
		if err != nil {
			return cty.NilVal, err
		}
		return cty.NumberIntVal(int64(a.Compare(b))), nil
	},
})

func hoursSince(now *time.Time) function.Function {
	return function.New(&function.Spec{
		Description: "says how many hours before now an instant was; negative when it is still to come",
		Params:      []function.Parameter{{Name: "timestamp", Type: cty.String}},
		Type:        function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			then, err := instant(0, args[0])
			if err != nil {
				return cty.NilVal, err
			}
			if now == nil {
				return cty.UnknownVal(cty.Number), nil
			}
			return cty.NumberFloatVal(now.Sub(then).Hours()), nil
		},
	})
}

// timeFunctions take an instant and, optionally, a time zone; the policy's own when there is none.
func (h Host) timeFunctions() map[string]function.Function {
	return map[string]function.Function{
		"date": h.inZone("is the day of an instant, as in 2019-06-01", cty.String, func(t time.Time) cty.Value {
			return cty.StringVal(t.Format(time.DateOnly))
		}),
		"hour": h.inZone("is the hour of an instant, 0 to 23", cty.Number, func(t time.Time) cty.Value {
			return cty.NumberIntVal(int64(t.Hour()))
		}),
		"minute": h.inZone("is the minute of an instant, 0 to 59", cty.Number, func(t time.Time) cty.Value {
			return cty.NumberIntVal(int64(t.Minute()))
		}),
		"weekday": h.inZone(`is the weekday of an instant: "monday" to "sunday"`, cty.String, func(t time.Time) cty.Value {
			return cty.StringVal(strings.ToLower(t.Weekday().String()))
		}),
	}
}

func (h Host) inZone(description string, result cty.Type, of func(time.Time) cty.Value) function.Function {
	return function.New(&function.Spec{
		Description: description,
		Params:      []function.Parameter{{Name: "timestamp", Type: cty.String}},
		VarParam:    &function.Parameter{Name: "timezone", Type: cty.String},
		Type: func(args []cty.Value) (cty.Type, error) {
			if len(args) > 2 {
				return cty.NilType, function.NewArgErrorf(2, "takes an instant and at most one time zone")
			}
			return result, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			t, err := instant(0, args[0])
			if err != nil {
				return cty.NilVal, err
			}
			zone := h.Timezone()
			if len(args) == 2 {
				if zone, err = Zone(args[1].AsString()); err != nil {
					return cty.NilVal, function.NewArgError(1, err)
				}
			}
			return of(t.In(zone)), nil
		},
	})
}

// Zone finds a time zone by its name in the IANA database. Its error says what was probably meant.
func Zone(name string) (*time.Location, error) {
	// LoadLocation knows "Local" and "": both mean something else on every machine.
	if name != "" && !strings.EqualFold(name, "local") {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	return nil, fmt.Errorf("there is no time zone %q.%s", name, didYouMeanZone(name))
}
