// Package fault classifies what can go wrong on the far side of a plugin, so
// that the host can decide what follows without reading error texts.
//
// The plugin classifies, because the knowledge is there; the host decides.
// Only reads are ever repeated by the host on their own.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Code is the class of a fault.
type Code string

// The classes. Their meaning binds (docs/plugin-protocol.md).
const (
	// Invalid: the request itself is wrong; repeating it is pointless.
	Invalid Code = "invalid"
	// Unauthenticated: no credentials, or wrong or expired ones.
	Unauthenticated Code = "unauthenticated"
	// PermissionDenied: the credentials are known but may not do this.
	PermissionDenied Code = "permission_denied"
	// NotFound: the remote system says that the thing does not exist.
	NotFound Code = "not_found"
	// Drifted: the app is not as the plan expects; nothing was changed.
	Drifted Code = "drifted"
	// Busy: another deployment holds the app; nothing was changed.
	Busy Code = "busy"
	// RateLimited: asked too often; RetryAfter says when to come back.
	RateLimited Code = "rate_limited"
	// Doomed: waiting is pointless (image not found, crash loop, quota).
	Doomed Code = "doomed"
	// Unavailable: the remote system could not be reached; nothing was sent.
	Unavailable Code = "unavailable"
	// Indeterminate: a change was sent and its answer lost: read back, never repeat blindly.
	Indeterminate Code = "indeterminate"
	// Unhealthy: deployed, but not healthy in time.
	Unhealthy Code = "unhealthy"
	// Unsupported: the plugin or the remote system cannot do this.
	Unsupported Code = "unsupported"
	// Internal: a defect of the plugin, or an answer that makes no sense.
	Internal Code = "internal"
)

// Fault is an error with a class.
type Fault struct {
	Code Code
	// Message says what failed, on what, and why. It must not contain secrets.
	Message string
	// Subject names the thing concerned (app id, image, URL without credentials); may be empty.
	Subject string
	// Hint says what to do; may be empty.
	Hint string
	// RetryAfter is how long the remote system asks to wait; 0 when it does not say.
	RetryAfter time.Duration
	// Deployments are the ids of deployments that hold the app (Busy) or were started (Indeterminate).
	Deployments []string
	// Err is the cause. It does not cross the process border; its text must be part of Message where it helps.
	Err error
}

// Error renders the message, with the subject in front when the message lacks one.
func (f *Fault) Error() string { return f.Message }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// New makes a fault; a %w verb in format sets the cause.
func New(code Code, format string, args ...any) *Fault {
	err := fmt.Errorf(format, args...)
	return &Fault{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// On returns f with its subject set.
func (f *Fault) On(subject string) *Fault {
	f.Subject = subject
	return f
}

// WithHint returns f with its hint set.
func (f *Fault) WithHint(format string, args ...any) *Fault {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

// Of returns the first fault in err's chain, or nil.
func Of(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// CodeOf returns the class of err: that of the first fault in its chain, Internal for any other error, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if f := Of(err); f != nil {
		return f.Code
	}
	return Internal
}

// Is reports whether err carries a fault of the given class.
func Is(err error, code Code) bool { f := Of(err); return f != nil && f.Code == code }
