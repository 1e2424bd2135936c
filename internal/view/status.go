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
	Point string           `json:"point"`
	Apps  []StatusApp      `json:"apps"`
	Last  *StatusOperation `json:"last_operation"`
	Lock  *StatusLock      `json:"lock"`
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
}

// Status shows what runs.
func Status(w io.Writer, l Look, d StatusDoc) {
	at := "what runs is no known release"
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
			released = fmt.Sprintf("%s, %s ago", a.Created.UTC().Format(time.DateOnly), Age(*a.Created, l.Now()))
		}
		rows = append(rows, []string{term.Clean(a.Repo), term.Clean(a.App), l.Paint.Bold(tag), released, health(l, a)})
	}
	if len(d.Apps) == 0 {
		fmt.Fprintln(w, "  No app runs a repo of the policy.")
	} else {
		writeTable(w, "  ", rows)
	}
	if o := d.Last; o != nil {
		fmt.Fprintf(w, "\nLast operation: to %s, %s, %s ago by %s", term.Clean(o.To), l.outcome(o.Outcome), Age(o.At, l.Now()), term.Clean(o.Operator))
		if o.ApprovedBy != "" {
			fmt.Fprintf(w, ", approved by %s", term.Clean(o.ApprovedBy))
		}
		if o.Reason != "" {
			fmt.Fprintf(w, ": %s", term.Clean(o.Reason))
		}
		fmt.Fprintf(w, " %s\n", l.Paint.Dim("("+term.Clean(o.ID)+")"))
	}
	if k := d.Lock; k != nil {
		fmt.Fprintf(w, "\n%s held by %s (process %d on %s) for %s, operation %s\n", l.Paint.Yellow("Locked:"),
			term.Clean(k.Who), k.PID, term.Clean(k.Host), Age(k.Since, l.Now()), term.Clean(k.Operation))
	}
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
