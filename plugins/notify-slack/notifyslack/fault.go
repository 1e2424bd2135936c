package notifyslack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollback-project/rollback/sdk/fault"
)

// answer is what one of Slack's error codes means to us.
type answer struct {
	code fault.Code
	hint string
}

const (
	hintToken    = `Check the attribute token of the block notify "slack": it may have been revoked, or the app removed from the workspace.`
	hintWebhook  = `Check the attribute webhook_url of the block notify "slack": the webhook may have been revoked. Make a new one on the page “Incoming Webhooks” of your Slack app.`
	hintChannel  = `Check the attribute channel of the block notify "slack": give the channel's ID, and invite the app with /invite if the channel is private.`
	hintArchived = `The channel is archived: choose another, or unarchive it.`
	hintInvite   = `Invite the app to the channel: type /invite and its name there.`
	hintScope    = `Give the app the scope chat:write on the page “OAuth & Permissions”, and install it again.`
	hintAdmins   = `The workspace does not let the app post there: ask its administrators, or choose another channel.`
	hintDefect   = `This is a defect of the plugin notify-slack: please report it with this message.`
)

// answers are the error codes of the Web API and the texts of webhooks.
var answers = map[string]answer{
	"invalid_auth":                             {fault.Unauthenticated, hintToken},
	"not_authed":                               {fault.Unauthenticated, hintToken},
	"account_inactive":                         {fault.Unauthenticated, hintToken},
	"token_revoked":                            {fault.Unauthenticated, hintToken},
	"token_expired":                            {fault.Unauthenticated, hintToken},
	"no_service":                               {fault.Unauthenticated, hintWebhook},
	"no_service_id":                            {fault.Unauthenticated, hintWebhook},
	"no_active_hooks":                          {fault.Unauthenticated, hintWebhook},
	"no_team":                                  {fault.Unauthenticated, hintWebhook},
	"team_disabled":                            {fault.Unauthenticated, hintWebhook},
	"invalid_token":                            {fault.Unauthenticated, hintWebhook},
	"missing_scope":                            {fault.PermissionDenied, hintScope},
	"not_allowed_token_type":                   {fault.PermissionDenied, hintScope},
	"no_permission":                            {fault.PermissionDenied, hintScope},
	"not_in_channel":                           {fault.PermissionDenied, hintInvite},
	"access_denied":                            {fault.PermissionDenied, hintAdmins},
	"accesslimited":                            {fault.PermissionDenied, hintAdmins},
	"action_prohibited":                        {fault.PermissionDenied, hintAdmins},
	"ekm_access_denied":                        {fault.PermissionDenied, hintAdmins},
	"enterprise_is_restricted":                 {fault.PermissionDenied, hintAdmins},
	"org_login_required":                       {fault.PermissionDenied, hintAdmins},
	"posting_to_general_channel_denied":        {fault.PermissionDenied, hintAdmins},
	"restricted_action":                        {fault.PermissionDenied, hintAdmins},
	"restricted_action_read_only_channel":      {fault.PermissionDenied, hintAdmins},
	"restricted_action_thread_only_channel":    {fault.PermissionDenied, hintAdmins},
	"restricted_action_non_threadable_channel": {fault.PermissionDenied, hintAdmins},
	"team_access_not_granted":                  {fault.PermissionDenied, hintAdmins},
	"two_factor_setup_required":                {fault.PermissionDenied, hintAdmins},
	"channel_not_found":                        {fault.NotFound, hintChannel},
	"user_not_found":                           {fault.NotFound, hintChannel},
	"is_archived":                              {fault.NotFound, hintArchived},
	"channel_is_archived":                      {fault.NotFound, hintArchived},
	"message_not_found":                        {fault.NotFound, ""},
	"thread_not_found":                         {fault.NotFound, ""},
	"cannot_reply_to_message":                  {fault.NotFound, ""},
	"cant_update_message":                      {fault.PermissionDenied, ""},
	"edit_window_closed":                       {fault.PermissionDenied, `The workspace does not let messages be edited so late.`},
	"ratelimited":                              {fault.RateLimited, ""},
	"rate_limited":                             {fault.RateLimited, ""},
	"message_limit_exceeded":                   {fault.RateLimited, ""},
	"internal_error":                           {fault.Indeterminate, ""},
	"fatal_error":                              {fault.Indeterminate, ""},
	"rollup_error":                             {fault.Indeterminate, ""},
	"request_timeout":                          {fault.Indeterminate, ""},
	"service_unavailable":                      {fault.Unavailable, ""},
	"team_added_to_org":                        {fault.Unavailable, ""},
	"no_text":                                  {fault.Invalid, hintDefect},
	"msg_too_long":                             {fault.Invalid, hintDefect},
	"msg_blocks_too_long":                      {fault.Invalid, hintDefect},
	"invalid_blocks":                           {fault.Invalid, hintDefect},
	"invalid_blocks_format":                    {fault.Invalid, hintDefect},
	"invalid_payload":                          {fault.Invalid, hintDefect},
	"invalid_arguments":                        {fault.Invalid, hintDefect},
	"invalid_form_data":                        {fault.Invalid, hintDefect},
	"unknown_method":                           {fault.Unsupported, `Check the attribute api_url: the server there knows no such method.`},
}

// slackError is an answer that says no: a code of the Web API, or the status and text of a webhook.
type slackError struct {
	status int
	code   string
	// scope is the one that is missing; retryAfter is how long to wait; either may be zero.
	scope      string
	retryAfter time.Duration
}

func (e *slackError) Error() string {
	if e.code != "" {
		return e.code
	}
	return http.StatusText(e.status)
}

// gone reports whether a message or thread is not there any more.
func gone(err error) bool {
	var s *slackError
	if !errors.As(err, &s) {
		return false
	}
	return s.code == "message_not_found" || s.code == "thread_not_found" || s.code == "cannot_reply_to_message" ||
		s.code == "channel_not_found"
}

// classify makes a fault of whatever a request ended with. The secrets are taken out of its text.
func (w wire) classify(ctx context.Context, c call, err error) *fault.Fault {
	var transport *transportError
	if errors.As(err, &transport) {
		return w.unanswered(ctx, c, transport)
	}
	if said := slackSaid(err); said != nil {
		return w.refused(c, said)
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) {
		// It was answered, but not to the end.
		return w.unanswered(ctx, c, &transportError{sent: true, err: err})
	}
	code := fault.Internal
	if !c.harmless {
		code = fault.Indeterminate
	}
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &shape) || errors.Is(err, io.EOF) {
		return fault.New(code, "%s: the answer is not Slack's", c.doing).On("Slack").
			WithHint("Something between here and Slack answered in its place, such as a proxy; or the URL is that of another server.")
	}
	return fault.New(code, "%s: %s", c.doing, w.secrets.redact(printable(err.Error()))).On("Slack")
}

// slackSaid finds Slack's own words in an error; nil if there are none.
func slackSaid(err error) *slackError {
	var (
		said    *slackError
		web     slack.SlackErrorResponse
		status  slack.StatusCodeError
		limited *slack.RateLimitedError
	)
	switch {
	case errors.As(err, &said):
		return said
	case errors.As(err, &web):
		return &slackError{status: http.StatusOK, code: printable(web.Err), scope: printable(web.Needed)}
	case errors.As(err, &limited):
		return &slackError{status: http.StatusTooManyRequests, code: "ratelimited", retryAfter: limited.RetryAfter}
	case errors.As(err, &status):
		return &slackError{status: status.Code}
	}
	return nil
}

// refused is the fault for an answer that says no.
func (w wire) refused(c call, said *slackError) *fault.Fault {
	known, ok := answers[said.code]
	if !ok {
		known = byStatus(said.status)
	}
	reason := said.code
	switch {
	case reason == "" || !ok && said.status != http.StatusOK:
		reason = http.StatusText(said.status)
		if reason == "" {
			reason = "an unknown status"
		}
		if said.code != "" {
			reason += ", " + said.code
		}
	case said.scope != "":
		reason += " (" + said.scope + ")"
	}
	f := fault.New(known.code, "%s: Slack answered %s", c.doing, w.secrets.redact(escapedReason(reason))).On("Slack")
	f.Err = said
	f.Hint = known.hint
	if said.scope != "" {
		f.Hint = `Give the app the missing scope on the page “OAuth & Permissions”, and install it again.`
	}
	if f.Code == fault.RateLimited {
		f.RetryAfter = max(said.retryAfter, time.Second)
	}
	return f
}

// escapedReason cuts what the other side said to a length that fits into an error.
func escapedReason(s string) string {
	const limit = 200
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + ellipsis
	}
	return s
}

// byStatus judges an answer whose text is not known.
func byStatus(status int) answer {
	switch {
	case status == http.StatusTooManyRequests:
		return answer{fault.RateLimited, ""}
	case status == http.StatusUnauthorized:
		return answer{fault.Unauthenticated, hintToken}
	case status == http.StatusProxyAuthRequired:
		return answer{fault.Unavailable, "A proxy wants a user and password: put them into HTTPS_PROXY."}
	case status == http.StatusForbidden:
		return answer{fault.PermissionDenied, hintAdmins}
	case status == http.StatusNotFound, status == http.StatusGone:
		return answer{fault.NotFound, "Check the URL in the block notify \"slack\"."}
	case status == http.StatusServiceUnavailable:
		return answer{fault.Unavailable, "Slack is in trouble: see https://status.slack.com."}
	case status >= http.StatusInternalServerError:
		return answer{fault.Indeterminate, "Slack is in trouble: see https://status.slack.com."}
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		return answer{fault.Invalid, "The URL leads elsewhere, and the plugin does not follow: that would give the secret away. Write down the right URL."}
	case status >= http.StatusBadRequest:
		return answer{fault.Invalid, hintDefect}
	}
	return answer{fault.Internal, ""}
}

// unanswered is the fault for a request without a whole answer.
func (w wire) unanswered(ctx context.Context, c call, t *transportError) *fault.Fault {
	code := fault.Unavailable
	if t.sent && !c.harmless {
		code = fault.Indeterminate
	}
	var (
		unknown *tls.CertificateVerificationError
		host    x509.HostnameError
		record  tls.RecordHeaderError
		timed   interface{ Timeout() bool }
	)
	reason, hint := w.secrets.redact(printable(t.err.Error())), "Check the network, the proxy variables and https://status.slack.com."
	switch {
	case ctx.Err() != nil && errors.Is(t.err, context.Canceled):
		reason, hint = "stopped from outside", ""
	case errors.As(t.err, &unknown), errors.As(t.err, &host):
		hint = `If a proxy opens TLS here, name its certificates with the attribute ca_file of the block notify "slack".`
	case errors.As(t.err, &record):
		hint = "The server there does not speak TLS: check the URL and the port."
	case errors.Is(t.err, context.DeadlineExceeded) || errors.As(t.err, &timed) && timed.Timeout():
		reason = "no answer in time"
		hint = `Check the network; a slow one may need a longer timeout in the block notify "slack".`
	}
	f := fault.New(code, "%s: %s", c.doing, reason).On("Slack")
	f.Err = t
	f.Hint = hint
	return f
}

// errorCode reports whether a text is one of Slack's codes rather than a page of something else.
func errorCode(s string) bool {
	if s == "" || len(s) > 80 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return false
		}
	}
	return true
}
