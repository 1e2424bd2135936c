package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/rollback-project/rollback/internal/term"
)

// SandboxUp says where a running sandbox is and what to try.
func SandboxUp(w io.Writer, l Look, s Sandbox) {
	fmt.Fprintf(w, "The sandbox is up (process %d):\n", s.PID)
	fmt.Fprintf(w, "  registry  %s\n  Marathon  %s\n  Slack     %s\n  policy    %s\n", s.Registry, s.Marathon, s.Slack, s.Policy)
	if l.Automation {
		return
	}
	policy := quoteArg(s.Policy)
	fmt.Fprintf(w, "\nTry:\n  rollback points -f %s\n  rollback plan -f %s --to -1\n  rollback apply -f %s\n  rollback sandbox down\n", policy, policy, policy)
}

// SandboxApps lists what runs in it.
func SandboxApps(w io.Writer, l Look, s Sandbox) {
	fmt.Fprintln(w)
	for _, a := range s.Apps {
		health := fmt.Sprintf("%d of %d healthy", a.Healthy, a.Instances)
		if a.Healthy < a.Instances {
			health = l.Paint.Red(health)
		}
		fmt.Fprintf(w, "  %-26s %-16s %s\n", term.Clean(a.ID), Tag(a.Image), health)
	}
}

// SandboxMessages shows what Slack got; messages are text for a terminal already.
func SandboxMessages(w io.Writer, messages string) {
	if messages == "" {
		fmt.Fprintln(w, "\nSlack has got no messages.")
		return
	}
	fmt.Fprintf(w, "\nSlack has got:\n\n%s", messages)
}

// SandboxFail says which releases fail from now on.
func SandboxFail(w io.Writer, fail []string) {
	if len(fail) == 0 {
		fmt.Fprintln(w, "The sandbox is up already; every release is well in it.")
		return
	}
	fmt.Fprintf(w, "The sandbox is up already; these never become healthy in it: %s\n", strings.Join(fail, ", "))
}

// SandboxDown says that no sandbox runs any more, or that none did.
func SandboxDown(w io.Writer, stopped bool) {
	if stopped {
		fmt.Fprintln(w, "The sandbox is down.")
		return
	}
	fmt.Fprintln(w, "No sandbox is running here. Start one with: rollback sandbox up")
}

// Sandbox is a running sandbox; as JSON it is `sandbox status --json`.
type Sandbox struct {
	FormatVersion string       `json:"format_version"`
	PID           int          `json:"pid"`
	Registry      string       `json:"registry"`
	Marathon      string       `json:"marathon"`
	Slack         string       `json:"slack"`
	Policy        string       `json:"policy"`
	Apps          []SandboxApp `json:"apps"`
}

// SandboxApp is one app in it.
type SandboxApp struct {
	ID        string `json:"id"`
	Image     string `json:"image"`
	Healthy   int    `json:"healthy"`
	Instances int    `json:"instances"`
}
