package wire_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zclconf/go-cty/cty"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/internal/wire"
	"github.com/rollback-project/rollback/sdk/notify"
	"github.com/rollback-project/rollback/sdk/orchestrator"
	"github.com/rollback-project/rollback/sdk/registry"
	"github.com/rollback-project/rollback/sdk/schema"
)

// fill sets every field that reflection can reach to something that is not its zero value, so that a field which is
// added to a type and forgotten in its translation breaks a test.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC()))
		return
	case time.Duration:
		v.SetInt(1 + r.Int64N(1e15))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d ü", r.Int64()))
	case reflect.Int:
		v.SetInt(r.Int64N(1<<40) - 1<<39)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{1, 2, 0xff, byte(r.UintN(256))})
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			fill(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 3 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key)
			fill(r, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(r, v.Field(i))
			}
		}
	case reflect.Pointer, reflect.Interface, reflect.Func: // set by the tests themselves
	default:
		panic("fill: " + v.Kind().String())
	}
}

// hop sends a message over the wire.
func hop[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out, ok := m.ProtoReflect().New().Interface().(M)
	if !ok {
		t.Fatal("another type")
	}
	if err := proto.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// trip checks that a value survives the way there and back: filled, and empty.
func trip[T any, M proto.Message](t *testing.T, encode func(T) M, decode func(M) T, fix ...func(*T)) {
	t.Helper()
	t.Run(fmt.Sprintf("%T", *new(T)), func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			var want, none T
			fill(r, reflect.ValueOf(&want).Elem())
			for _, f := range fix {
				f(&want)
				f(&none)
			}
			if diff := cmp.Diff(want, decode(hop(t, encode(want)))); diff != "" {
				t.Fatal(diff)
			}
			if diff := cmp.Diff(none, decode(hop(t, encode(none)))); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestEveryFieldSurvivesTheTrip(t *testing.T) {
	trip(t, wire.EncodeListReleases, wire.DecodeListReleases)
	trip(t, wire.EncodeListing, wire.DecodeListing)
	trip(t, wire.EncodeRelease, wire.DecodeRelease)
	trip(t, wire.EncodeSkipped, wire.DecodeSkipped)
	trip(t, wire.EncodeResolve, wire.DecodeResolve)
	trip(t, wire.EncodeResolved, wire.DecodeResolved)
	trip(t, wire.EncodeListApps, wire.DecodeListApps)
	trip(t, wire.EncodeApp, wire.DecodeApp)
	trip(t, wire.EncodeChange, wire.DecodeChange)
	trip(t, wire.EncodeDeploy, wire.DecodeDeploy)
	trip(t, wire.EncodeAttach, wire.DecodeAttach)
	trip(t, wire.EncodeCancel, wire.DecodeCancel)
	trip(t, wire.EncodeRevision, wire.DecodeRevision)
	trip(t, wire.EncodeNotify, wire.DecodeNotify)
	trip(t, wire.EncodeNotifyChange, wire.DecodeNotifyChange)
	trip(t, wire.EncodeNotified, wire.DecodeNotified)
	trip(t, wire.EncodeProbe, wire.DecodeProbe)
	trip(t, wire.EncodeDiagnostic, wire.DecodeDiagnostic, func(d *diag.Diagnostic) { d.Severity = diag.Warning })
	trip(t, wire.EncodePreview, wire.DecodePreview, func(p *orchestrator.PreviewResult) {
		for i := range p.Diagnostics {
			p.Diagnostics[i].Severity = diag.Error
		}
	})
	trip(t, func(f fault.Fault) *pluginpb.Fault { return wire.EncodeFault(&f) },
		func(f *pluginpb.Fault) fault.Fault { return *wire.DecodeFault(f) },
		func(f *fault.Fault) { f.Code = fault.Busy })
	trip(t, func(rt schema.Runtime) *pluginpb.ConfigureRequest { return wire.EncodeRuntime(schema.Config{}, rt) },
		func(r *pluginpb.ConfigureRequest) schema.Runtime { _, rt := wire.DecodeRuntime(r); return rt },
		func(rt *schema.Runtime) { rt.Parallelism = 7 })
	trip(t, wire.EncodeRestore, func(r *pluginpb.RestoreRequest) orchestrator.RestoreRequest { return wire.DecodeRestore(r.GetBegin()) },
		func(r *orchestrator.RestoreRequest) { r.Snapshots = nil })
}

func TestEveryEventSurvivesTheTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	events := reflect.TypeFor[orchestrator.Event]()
	for i := range events.NumField() {
		t.Run(events.Field(i).Name, func(t *testing.T) {
			var want orchestrator.Event
			field := reflect.ValueOf(&want).Elem().Field(i)
			field.Set(reflect.New(field.Type().Elem()))
			fill(r, field.Elem())
			if want.Diagnostic != nil {
				want.Diagnostic.Severity = diag.Error
			}
			if want.AppFailed != nil {
				want.AppFailed.Fault = fault.New(fault.Doomed, "no image").On("a:1")
			}
			got, known := wire.DecodeEvent(hop(t, wire.EncodeEvent(want)))
			if diff := cmp.Diff(want, got); diff != "" || !known {
				t.Error(known, diff)
			}
		})
	}
	if _, known := wire.DecodeEvent(hop(t, wire.EncodeEvent(orchestrator.Event{}))); known {
		t.Error("an event of an unknown kind is known")
	}
}

func TestEveryItemSurvivesTheTrip(t *testing.T) {
	for _, want := range []registry.Item{
		{}, {Listing: &registry.Listing{Tags: 1}}, {Release: &registry.Release{Tag: "1"}}, {Skipped: &registry.Skipped{Tag: "1"}},
	} {
		if diff := cmp.Diff(want, wire.DecodeItem(hop(t, wire.EncodeItem(want)))); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEveryClassOfFaultSurvivesTheTrip(t *testing.T) {
	for _, code := range []fault.Code{
		fault.Invalid, fault.Unauthenticated, fault.PermissionDenied, fault.NotFound, fault.Drifted, fault.Busy,
		fault.RateLimited, fault.Doomed, fault.Unavailable, fault.Indeterminate, fault.Unhealthy, fault.Unsupported, fault.Internal,
	} {
		err := wire.EncodeError(fmt.Errorf("deploy: %w", fault.New(code, "it broke")))
		got := wire.DecodeError(err)
		if got == nil || got.Code != code || got.Message != "deploy: it broke" {
			t.Errorf("%s became %+v", code, got)
		}
		if n := len(status.Convert(err).Details()); n != 1 {
			t.Errorf("%s has %d details", code, n)
		}
	}
	if got := wire.DecodeFault(&pluginpb.Fault{Code: 99}); got.Code != fault.Internal {
		t.Errorf("a class from the future became %s", got.Code)
	}
	if got := wire.EncodeFault(&fault.Fault{Code: "odd"}); got.GetCode() != pluginpb.FaultCode_FAULT_CODE_INTERNAL {
		t.Errorf("an unknown class became %s", got.GetCode())
	}
}

func TestAnErrorWithoutAFaultIsInternal(t *testing.T) {
	got := wire.DecodeError(wire.EncodeError(fmt.Errorf("odd \xff bytes")))
	if got == nil || got.Code != fault.Internal || got.Message != "odd \uFFFD bytes" {
		t.Errorf("got %+v", got)
	}
	if wire.EncodeError(nil) != nil || wire.DecodeError(fmt.Errorf("no status")) != nil {
		t.Error("a fault out of nothing")
	}
}

func TestTheTextOfAFaultIsBounded(t *testing.T) {
	f := wire.EncodeFault(fault.New(fault.Internal, "%s", strings.Repeat("ü", 1<<20)))
	if n := len(f.GetMessage()); n > 16<<10 {
		t.Errorf("%d bytes", n)
	}
	if !strings.HasSuffix(f.GetMessage(), "ü […]") {
		t.Errorf("it ends with %q", f.GetMessage()[len(f.GetMessage())-20:])
	}
}

func description() schema.Description {
	return schema.Description{
		Kind: schema.Notify, Name: "pager", Version: "1.2.3", Doc: "doc",
		Capabilities: []schema.Capability{schema.Threads, "tomorrow"},
		Schema: schema.Schema{
			Attributes: []schema.Attribute{
				{Name: "a", Type: cty.String, Required: true, Sensitive: true, OneOf: []string{"x"}, Doc: "d"},
				{Name: "b", Type: cty.List(cty.Number), Default: cty.ListVal([]cty.Value{cty.NumberIntVal(1)})},
				{Name: "c", Type: cty.Map(cty.String), Default: cty.NullVal(cty.Map(cty.String))},
				{Name: "d", Type: cty.Object(map[string]cty.Type{"x": cty.Bool})},
			},
			Blocks: []schema.Block{{Name: "tls", Min: 1, Max: 2, Doc: "d", Attributes: []schema.Attribute{{Name: "key", Type: cty.Bool}}}},
		},
	}
}

func TestADescriptionSurvivesTheTrip(t *testing.T) {
	encoded, err := wire.EncodeDescription(description())
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.DecodeDescription(hop(t, encoded))
	if err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{
		cmp.Comparer(func(a, b cty.Type) bool { return a.Equals(b) }),
		cmp.Comparer(func(a, b cty.Value) bool {
			if a == cty.NilVal || b == cty.NilVal {
				return a == b
			}
			return a.RawEquals(b)
		}),
	}
	if diff := cmp.Diff(description(), got, same); diff != "" {
		t.Error(diff)
	}
	for _, k := range []schema.Kind{schema.Registry, schema.Orchestrator, schema.Notify, ""} {
		if got := wire.DecodeKind(wire.EncodeKind(k)); got != k {
			t.Errorf("%s became %s", k, got)
		}
	}
}

func TestASchemaThatMakesNoSenseIsNamed(t *testing.T) {
	for _, tc := range []struct {
		name string
		a    schema.Attribute
	}{
		{"no type", schema.Attribute{Name: "x"}},
		{"default of another type", schema.Attribute{Name: "x", Type: cty.Bool, Default: cty.StringVal("yes, please")}},
		{"unknown default", schema.Attribute{Name: "x", Type: cty.Bool, Default: cty.UnknownVal(cty.Bool)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, s := range []schema.Schema{
				{Attributes: []schema.Attribute{tc.a}},
				{Blocks: []schema.Block{{Name: "b", Attributes: []schema.Attribute{tc.a}}}},
			} {
				if _, err := wire.EncodeSchema(s); err == nil || !strings.Contains(err.Error(), "attribute x") {
					t.Error(err)
				}
			}
		})
	}
	for _, a := range []*pluginpb.Attribute{
		{Name: "x", Type: []byte(`"odd"`)},
		{Name: "x", Type: []byte(`"bool"`), DefaultValue: []byte(`"no bool at all"`)},
	} {
		if _, err := wire.DecodeSchema(&pluginpb.Schema{Attributes: []*pluginpb.Attribute{a}}); err == nil {
			t.Errorf("%v is accepted", a)
		}
	}
}

func TestSnapshotsTravelInParts(t *testing.T) {
	var reader wire.SnapshotReader
	for _, size := range []int{0, 1, 1 << 20, 1<<20 + 1, 5 << 20} {
		want := orchestrator.Snapshot{
			App: fmt.Sprint(size), Fingerprint: "f", Images: []orchestrator.ContainerImage{{Container: "c", Image: "i"}},
			Data: []byte(strings.Repeat("x", size)),
		}
		parts := wire.EncodeSnapshot(want)
		for i, part := range parts {
			got, complete, err := reader.Add(hop(t, part))
			if err != nil || complete != (i == len(parts)-1) {
				t.Fatal(size, i, complete, err)
			}
			if !complete {
				continue
			}
			if !bytes.Equal(want.Data, got.Data) { // cmp takes seconds for megabytes
				t.Error(size, len(got.Data))
			}
			got.Data, want.Data = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(size, diff)
			}
		}
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
}

func TestBrokenSnapshotsAreErrors(t *testing.T) {
	var reader wire.SnapshotReader
	if _, _, err := reader.Add(&pluginpb.SnapshotPart{App: "/a"}); err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err == nil {
		t.Error("an open snapshot is complete")
	}
	if _, _, err := reader.Add(&pluginpb.SnapshotPart{App: "/b"}); err == nil {
		t.Error("parts of two apps are mixed")
	}
}

func TestCleanReplacesInvalidText(t *testing.T) {
	m := &pluginpb.ListReleasesResponse{Items: []*pluginpb.ReleaseItem{wire.EncodeItem(registry.Item{Release: &registry.Release{
		Tag: "a\xff", Labels: map[string]string{"k\xfe": "v", "fine": "\xfd", "ok": "ok"},
	}})}}
	wire.Clean(m)
	got := wire.DecodeItem(hop(t, m).GetItems()[0])
	want := registry.Item{Release: &registry.Release{
		Tag: "a\uFFFD", Labels: map[string]string{"k\uFFFD": "v", "fine": "\uFFFD", "ok": "ok"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	change := &pluginpb.SnapshotRequest{Apps: []string{"/a\xff"}}
	wire.Clean(change)
	if change.GetApps()[0] != "/a\uFFFD" {
		t.Error(change)
	}
}

// FuzzDecode gives arbitrary bytes to everything that comes from the other side: nothing may panic, and whatever was
// understood must survive another trip.
func FuzzDecode(f *testing.F) {
	seed := func(m proto.Message) {
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	seed(wire.EncodeEvent(orchestrator.Event{AppFailed: &orchestrator.AppFailed{App: "a", Fault: fault.New(fault.Busy, "x")}}))
	seed(wire.EncodeItem(registry.Item{Release: &registry.Release{Tag: "t", Created: time.Unix(1, 0), Labels: map[string]string{"a": "b"}}}))
	seed(wire.EncodeNotify(notify.Request{Kind: notify.Failed, At: time.Unix(1e9, 0)}))
	if d, err := wire.EncodeDescription(description()); err == nil {
		seed(d)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		event := &pluginpb.DeploymentEvent{}
		if proto.Unmarshal(raw, event) == nil {
			if first, known := wire.DecodeEvent(event); known {
				second, _ := wire.DecodeEvent(wire.EncodeEvent(first))
				if diff := cmp.Diff(first, second, cmpopts.EquateEmpty()); diff != "" {
					t.Error(diff)
				}
			}
		}
		item := &pluginpb.ReleaseItem{}
		if proto.Unmarshal(raw, item) == nil {
			first := wire.DecodeItem(item)
			if diff := cmp.Diff(first, wire.DecodeItem(wire.EncodeItem(first)), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
		request := &pluginpb.NotifyRequest{}
		if proto.Unmarshal(raw, request) == nil {
			first := wire.DecodeNotify(request)
			if diff := cmp.Diff(first, wire.DecodeNotify(wire.EncodeNotify(first)), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
		d := &pluginpb.DescribeResponse{}
		if proto.Unmarshal(raw, d) == nil {
			if decoded, err := wire.DecodeDescription(d); err == nil {
				if _, err := wire.EncodeDescription(decoded); err != nil {
					t.Error(err)
				}
			}
		}
		part := &pluginpb.SnapshotPart{}
		if proto.Unmarshal(raw, part) == nil {
			var reader wire.SnapshotReader
			_, _, _ = reader.Add(part)
		}
	})
}
