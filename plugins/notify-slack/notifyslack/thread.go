package notifyslack

import "regexp"

// thread says which message an operation is told in.
type thread struct{ channel, ts string }

// handleForm is what a handle looks like; its number rises when it changes.
var handleForm = regexp.MustCompile(`^slack-1:([A-Z][A-Z0-9]{1,31}):([0-9]{1,16}\.[0-9]{1,6})$`)

// String gives the handle that the host keeps.
func (t thread) String() string {
	if t.ts == "" {
		return ""
	}
	return "slack-1:" + t.channel + ":" + t.ts
}

// parseThread reads a handle. One of another version or another plugin, or a damaged one, is no thread of ours.
func parseThread(handle string) (thread, bool) {
	m := handleForm.FindStringSubmatch(handle)
	if m == nil {
		return thread{}, false
	}
	return thread{m[1], m[2]}, true
}

var channelID = regexp.MustCompile(`^[CGD][A-Z0-9]{7,31}$`)
