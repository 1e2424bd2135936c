package report

import (
	"fmt"
	"math"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/rollback-project/rollback/core/apply"
	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
)

// Sizes of the timeline, in pixels.
const (
	timelineWidth = 1000
	barsLeft      = 230
	barHeight     = 14
	barRow        = 22
	axisHeight    = 34
	mostAppName   = 30
)

// mostBars bounds how many apps have a bar: a page is for reading.
const mostBars = 200

// mostLines bounds how many lines the story of an operation has.
const mostLines = 1000

// timeline is an operation as a drawing and as a story.
type timeline struct {
	Width, Height int
	Bars          []appBars
	Ticks         []tick
	Waves         []tick
	More          int
	Lines         []timelineLine
	MoreLines     int
}

type appBars struct {
	Y, TextY    int
	App, Short  string
	Deploy      bar
	Restore     *bar
	Standing    string
	Description string
}

type bar struct{ X, Width int }

type tick struct {
	X     int
	Label string
}

type timelineLine struct {
	At, After, App, Text string
	Bad                  bool
}

// newTimeline lays an operation out; nil where nothing was begun.
func newTimeline(o Operation) *timeline {
	if o.ID == "" || len(o.Events) == 0 {
		return nil
	}
	t := &timeline{Width: timelineWidth}
	total := max(o.Duration, time.Millisecond)
	x := func(d time.Duration) int {
		return barsLeft + int(math.Round(float64(timelineWidth-barsLeft-20)*min(1, d.Seconds()/total.Seconds())))
	}
	times := o.times()
	for _, a := range o.Result.Apps {
		span, ok := times[a.App]
		if !ok {
			continue
		}
		if len(t.Bars) == mostBars {
			t.More++
			continue
		}
		t.Bars = append(t.Bars, newBars(a, *span, len(t.Bars), x))
	}
	for i := range 5 {
		at := total * time.Duration(i) / 4
		t.Ticks = append(t.Ticks, tick{X: x(at), Label: "+" + view.Seconds(at)})
	}
	t.Height = axisHeight + len(t.Bars)*barRow + 8
	for _, e := range o.Events {
		switch {
		case e.Type == event.WaveStart && e.Waves > 1:
			t.Waves = append(t.Waves, tick{X: x(e.At.Sub(o.Began)), Label: fmt.Sprintf("wave %d", e.Wave)})
		case e.Type == event.RestoreStart:
			t.Waves = append(t.Waves, tick{X: x(e.At.Sub(o.Began)), Label: "putting back"})
		}
		t.tell(o, e)
	}
	return t
}

func newBars(a apply.AppState, times appTimes, i int, x func(time.Duration) int) appBars {
	y := axisHeight + i*barRow
	b := appBars{
		Y: y, TextY: y + barHeight - 2, App: term.Clean(a.App), Standing: string(a.Standing),
		Deploy: bar{X: x(times.deploy.from), Width: max(2, x(times.deploy.to)-x(times.deploy.from))},
	}
	if times.healthy {
		b.Standing = string(apply.Healthy)
	}
	b.Short = b.App
	if w := ansi.StringWidth(b.App); w > mostAppName {
		// The end of an app's name says what it is.
		b.Short = "…" + ansi.TruncateLeft(b.App, w-mostAppName+1, "")
	}
	b.Description = fmt.Sprintf("%s: deployed from +%s to +%s", b.App, view.Seconds(times.deploy.from), view.Seconds(times.deploy.to))
	if times.restore.from > 0 {
		b.Restore = &bar{X: x(times.restore.from), Width: max(2, x(times.restore.to)-x(times.restore.from))}
		b.Description += fmt.Sprintf(", put back from +%s to +%s", view.Seconds(times.restore.from), view.Seconds(times.restore.to))
	}
	return b
}

// tell adds an event to the story; progress and logs say too much for one.
func (t *timeline) tell(o Operation, e event.Event) {
	text := e.Message
	switch e.Type {
	case event.ApplyProgress, event.RestoreProgress, event.Log, event.LockWait:
		return
	case event.OperationStart:
		text = "Begun"
	case event.ApplyStart:
		text = view.Tag(e.From) + " → " + view.Tag(e.To)
	case event.Diagnostic:
		if e.Diagnostic != nil {
			text = e.Diagnostic.Summary + ": " + e.Diagnostic.Detail
		}
	}
	if len(t.Lines) == mostLines {
		t.MoreLines++
		return
	}
	t.Lines = append(t.Lines, timelineLine{
		At: e.At.UTC().Format("15:04:05"), After: "+" + view.Seconds(max(e.At.Sub(o.Began), 0)),
		App: term.Clean(e.App), Text: term.Clean(text), Bad: e.Type == event.ApplyErrored || e.Type == event.RestoreStart,
	})
}
