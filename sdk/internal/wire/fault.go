package wire

import (
	"errors"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
)

// maxMessageText bounds the text of a fault (rule P27).
const maxMessageText = 16 << 10

// class is one class of fault in its three forms.
type class struct {
	code fault.Code
	pb   pluginpb.FaultCode
	grpc codes.Code
}

// classes lists every class. The gRPC codes are for those who look from outside, and no two sides decide by them.
var classes = []class{
	{fault.Invalid, pluginpb.FaultCode_FAULT_CODE_INVALID, codes.InvalidArgument},
	{fault.Unauthenticated, pluginpb.FaultCode_FAULT_CODE_UNAUTHENTICATED, codes.Unauthenticated},
	{fault.PermissionDenied, pluginpb.FaultCode_FAULT_CODE_PERMISSION_DENIED, codes.PermissionDenied},
	{fault.NotFound, pluginpb.FaultCode_FAULT_CODE_NOT_FOUND, codes.NotFound},
	{fault.Drifted, pluginpb.FaultCode_FAULT_CODE_DRIFTED, codes.FailedPrecondition},
	{fault.Busy, pluginpb.FaultCode_FAULT_CODE_BUSY, codes.Aborted},
	{fault.RateLimited, pluginpb.FaultCode_FAULT_CODE_RATE_LIMITED, codes.ResourceExhausted},
	{fault.Doomed, pluginpb.FaultCode_FAULT_CODE_DOOMED, codes.FailedPrecondition},
	{fault.Unavailable, pluginpb.FaultCode_FAULT_CODE_UNAVAILABLE, codes.Unavailable},
	{fault.Indeterminate, pluginpb.FaultCode_FAULT_CODE_INDETERMINATE, codes.Unknown},
	{fault.Unhealthy, pluginpb.FaultCode_FAULT_CODE_UNHEALTHY, codes.Aborted},
	{fault.Unsupported, pluginpb.FaultCode_FAULT_CODE_UNSUPPORTED, codes.Unimplemented},
	{fault.Internal, pluginpb.FaultCode_FAULT_CODE_INTERNAL, codes.Internal},
}

// EncodeFault translates a fault; its cause stays behind. nil stays nil, and an unknown class becomes Internal.
func EncodeFault(f *fault.Fault) *pluginpb.Fault {
	if f == nil {
		return nil
	}
	out := &pluginpb.Fault{
		Code:        pluginpb.FaultCode_FAULT_CODE_INTERNAL,
		Message:     cut(f.Message),
		Subject:     cut(f.Subject),
		Hint:        cut(f.Hint),
		RetryAfter:  encodeDuration(f.RetryAfter),
		Deployments: f.Deployments,
	}
	for _, c := range classes {
		if c.code == f.Code {
			out.Code = c.pb
		}
	}
	return out
}

// DecodeFault translates a fault back. nil stays nil, and an unknown class becomes Internal.
func DecodeFault(f *pluginpb.Fault) *fault.Fault {
	if f == nil {
		return nil
	}
	out := &fault.Fault{
		Code:        fault.Internal,
		Message:     f.GetMessage(),
		Subject:     f.GetSubject(),
		Hint:        f.GetHint(),
		RetryAfter:  decodeDuration(f.GetRetryAfter()),
		Deployments: f.GetDeployments(),
	}
	for _, c := range classes {
		if c.pb == f.GetCode() {
			out.Code = c.code
		}
	}
	return out
}

// EncodeError turns any error into a status with exactly one fault as its detail (rule P25);
// nil stays nil, and an error that carries no fault becomes an Internal one.
// What the chain says around a fault is kept in its message.
func EncodeError(err error) error {
	if err == nil {
		return nil
	}
	f := fault.Fault{Code: fault.Internal}
	if inner := fault.Of(err); inner != nil {
		f = *inner
	}
	f.Message = err.Error()
	code := codes.Internal
	for _, c := range classes {
		if c.code == f.Code {
			code = c.grpc
		}
	}
	encoded := EncodeFault(&f)
	Clean(encoded)
	st, detailErr := status.New(code, encoded.GetMessage()).WithDetails(encoded)
	if detailErr != nil {
		return status.Error(codes.Internal, "encode fault: "+detailErr.Error())
	}
	return st.Err()
}

// DecodeError returns the fault that a call ended with; nil when err carries none,
// as when the connection broke or the peer does not keep to rule P25.
func DecodeError(err error) *fault.Fault {
	var withStatus interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &withStatus) {
		return nil
	}
	for _, detail := range withStatus.GRPCStatus().Details() {
		if f, ok := detail.(*pluginpb.Fault); ok {
			return DecodeFault(f)
		}
	}
	return nil
}

// cut bounds a text without splitting a character.
func cut(s string) string {
	if len(s) <= maxMessageText {
		return s
	}
	const mark = " […]"
	end := maxMessageText - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimSpace(s[:end]) + mark
}
