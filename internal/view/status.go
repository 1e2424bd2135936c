package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rollback-project/rollback/internal/term"
)

// StatusDoc is what runs in an environment, and what was done there last; `status --json` as it is.
type StatusDoc struct {
	FormatVersion string `json:"format_version"`
	Environment   string `json:"environment"`
	Branch        string `json:"branch"`
	// Point is the newest point among what runs; "" when nothing that runs is a known release.
	Point string `json:"point"`
	// AppsUnknown: the apps could not be read; what is on record is there all the same.
	AppsUnknown bool             `json:"apps_unknown,omitempty"`
	Apps        []StatusApp      `json:"apps"`
	Last        *StatusOperation `json:"last_operation"`
	// Drift names the apps that do not run what the last operation left: somebody has deployed since.
	Drift []StatusDrift `json:"drift"`
	// Unfinished is set when the last operation was broken off, and nobody carries it out.
	Unfinished *StatusUnfinished `json:"unfinished"`
	Holds      []StatusHold      `json:"holds"`
	Lock       *StatusLock       `json:"lock"`
}

// StatusDrift is one app that has changed since.
type StatusDrift struct {
	Repo string `json:"repo"`
	App  string `json:"app"`
	Left string `json:"left"`
	// Runs is "" when the app is gone.
	Runs      string `json:"runs"`
	Operation string `json:"operation_id"`
}

// StatusUnfinished is an operation that was broken off.
type StatusUnfinished struct {
	Operation string `json:"operation_id"`
	// Step and Wave are the last of its journal, At when that was.
	Step string    `json:"step"`
	Wave int       `json:"wave,omitempty"`
	At   time.Time `json:"at"`
	// Next is what resume would do: begin, continue or restore.
	Next string `json:"next"`
}

// StatusHold is an app that is held.
type StatusHold struct {
	App       string    `json:"app"`
	Image     string    `json:"image"`
	Operation string    `json:"operation_id"`
	Reason    string    `json:"reason"`
	HeldBy    string    `json:"held_by"`
	At        time.Time `json:"at"`
}

// StatusApp is one app.
type StatusApp struct {
	Repo  string `json:"repo"`
	App   string `json:"app"`
	Image string `json:"image"`
	Tag   string `json:"tag"`
	// Created is nil when the image is no known release.
	Created   *time.Time `json:"created"`
	Instances int        `json:"instances"`
	Running   int        `json:"running"`
	// Healthy is -1 for an app without health checks.
	Healthy int `json:"healthy"`
	// Deployments are those under way that touch the app.
	Deployments []string `json:"deployments"`
}

// StatusOperation is the last operation.
type StatusOperation struct {
	ID         string    `json:"operation_id"`
	Kind       string    `json:"kind"`
	At         time.Time `json:"at"`
	To         string    `json:"to"`
	Outcome    string    `json:"outcome"`
	Operator   string    `json:"operator"`
	ApprovedBy string    `json:"approved_by"`
	Reason     string    `json:"reason"`
}

// StatusLock says who is at it now.
type StatusLock struct {
	Operation string    `json:"operation_id"`
	Who       string    `json:"who"`
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Since     time.Time `json:"since"`
	// Gone: nothing is to be seen of the holder's process.
	Gone bool `json:"gone"`
}

// Status shows what runs.
func Status(w io.Writer, l Look, d StatusDoc) {
	at := "what runs is no known release"
	if d.AppsUnknown {
		at = "what runs is not known"
	}
	if d.Point != "" {
		at = "at " + l.Paint.Bold(term.Clean(d.Point))
	}
	fmt.Fprintf(w, "%s (branch %s): %s\n\n", l.Paint.Bold(term.Clean(d.Environment)), term.Clean(d.Branch), at)
	rows := [][]string{{l.Paint.Dim("REPO"), l.Paint.Dim("APP"), l.Paint.Dim("TAG"), l.Paint.Dim("RELEASED"), l.Paint.Dim("HEALTH")}}
	for _, a := range d.Apps {
		tag := term.Clean(a.Tag)
		if tag == "" {
			tag = Tag(a.Image)
		}
		released := "unknown"
		if a.Created != nil {
			released = fmt.Sprintf("%s, %s", a.Created.UTC().Format(time.DateOnly), ago(*a.Created, l.Now()))
		}
		rows = append(rows, []string{term.Clean(a.Repo), term.Clean(a.App), l.Paint.Bold(tag), released, health(l, a)})
	}
	if d.AppsUnknown {
		fmt.Fprintln(w, "  What runs could not be read.")
	} else if len(d.Apps) == 0 {
		fmt.Fprintln(w, "  No app runs a repo of the policy.")
	} else {
		writeTable(w, "  ", rows)
	}
	if o := d.Last; o != nil {
		fmt.Fprintf(w, "\nLast operation: %s %s, %s, %s by %s", verb(o.Kind), term.Clean(o.To), l.outcome(o.Outcome), ago(o.At, l.Now()), term.Clean(o.Operator))
		if o.ApprovedBy != "" {
			fmt.Fprintf(w, ", approved by %s", term.Clean(o.ApprovedBy))
		}
		if o.Reason != "" {
			fmt.Fprintf(w, ": %s", term.Clean(o.Reason))
		}
		fmt.Fprintf(w, " %s\n", l.Paint.Dim("("+term.Clean(o.ID)+")"))
	}
	for _, x := range d.Drift {
		runs := "is gone"
		if x.Runs != "" {
			runs = "runs " + Tag(x.Runs)
		}
		fmt.Fprintf(w, "\n%s %s %s; the last operation left %s there. Somebody has deployed since.\n", l.Paint.Yellow("Drift:"), l.Paint.Bold(term.Clean(x.App)), runs, Tag(x.Left))
	}
	for _, h := range d.Holds {
		fmt.Fprintf(w, "\n%s %s at %s, by %s: %s\n", l.Paint.Yellow("Held:"), l.Paint.Bold(term.Clean(h.App)), Tag(h.Image), term.Clean(h.HeldBy), term.Clean(h.Reason))
	}
	if k := d.Lock; k != nil {
		fmt.Fprintf(w, "\n%s held by %s (process %d on %s) for %s, operation %s\n", l.Paint.Yellow("Locked:"),
			term.Clean(k.Who), k.PID, term.Clean(k.Host), Age(k.Since, l.Now()), term.Clean(k.Operation))
		if k.Gone {
			fmt.Fprintf(w, "Nothing is to be seen of that process. If it is certain that it has ended:\n    rollback unlock%s\n", l.policyFlag())
		}
	}
	if u := d.Unfinished; u != nil {
		l.unfinished(w, u)
	}
}

// unfinished says what to do about an operation that was broken off.
func (l Look) unfinished(w io.Writer, u *StatusUnfinished) {
	at := strings.ReplaceAll(u.Step, "_", " ")
	if u.Wave > 0 {
		at += fmt.Sprintf(", wave %d", u.Wave)
	}
	fmt.Fprintf(w, "\n%s operation %s was broken off %s (%s), and nobody carries it out. Nothing else can be applied until it is taken up:\n",
		l.Paint.BoldRed("Unfinished:"), term.Clean(u.Operation), ago(u.At, l.Now()), term.Clean(at))
	rows := [][]string{{"rollback resume" + l.policyFlag(), "finish it"}, {"rollback resume --restore" + l.policyFlag(), "put everything back"}}
	if u.Next == "restore" {
		rows = [][]string{{"rollback resume" + l.policyFlag(), "put everything back"}}
	}
	writeTable(w, "    ", rows)
}

// health says how many instances are well.
func health(l Look, a StatusApp) string {
	var text string
	switch {
	case a.Healthy < 0 && a.Running == a.Instances:
		text = fmt.Sprintf("%d of %d running, no health check", a.Running, a.Instances)
	case a.Healthy < 0:
		text = l.Paint.Red(fmt.Sprintf("%d of %d running, no health check", a.Running, a.Instances))
	case a.Healthy < a.Instances:
		text = l.Paint.Red(fmt.Sprintf("%d of %d healthy", a.Healthy, a.Instances))
	default:
		text = l.Paint.Green(fmt.Sprintf("%d of %d healthy", a.Healthy, a.Instances))
	}
	if len(a.Deployments) > 0 {
		text += l.Paint.Yellow(", deploying " + term.Clean(strings.Join(a.Deployments, ", ")))
	}
	return text
}

// outcome colours how an operation ended.
func (l Look) outcome(o string) string {
	o = term.Clean(strings.ReplaceAll(o, "_", " "))
	switch o {
	case "done", "nothing":
		return l.Paint.Green(o)
	default:
		return l.Paint.Yellow(o)
	}
}

// verb says what an operation of a kind does, up to where it goes.
func verb(kind string) string {
	if kind == "undo" {
		return "back to"
	}
	return "to"
}

// ago says how long something is past, inside a sentence.
func ago(t, now time.Time) string {
	if age := Age(t, now); age != "now" {
		return age + " ago"
	}
	return "just now"
}
