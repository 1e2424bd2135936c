package live

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
)

// framesEvery is the time between two frames when nothing but the clock has moved.
const framesEvery = 200 * time.Millisecond

// Progress draws an operation: what has happened scrolls up as lines, what is under way stands below and moves.
type Progress struct {
	program *tea.Program
	notes   *view.Progress
	ended   chan struct{}
	once    sync.Once
}

// Start begins to draw. Stop must be called, and is all that ends it: when ctx ends, by a second Ctrl-C, what is
// said from then on matters most.
func Start(ctx context.Context, out io.Writer, look view.Look) *Progress {
	p := &Progress{ended: make(chan struct{})}
	m := board{look: look, height: usualHeight, now: look.Now}
	p.program = tea.NewProgram(m, append(options(context.WithoutCancel(ctx), out), tea.WithInput(nil), tea.WithFPS(10))...)
	p.notes = view.NewNotes(lines{p}, look)
	go func() {
		defer close(p.ended)
		// What cannot be drawn is in the journal; the operation goes on.
		_, _ = p.program.Run()
	}()
	return p
}

// Event shows one event. It is used from one goroutine.
func (p *Progress) Event(e event.Event) {
	p.notes.Event(e)
	p.program.Send(e)
}

// Print shows text above what moves. It may be called from any goroutine.
func (p *Progress) Print(text string) { p.program.Send(printMsg(strings.TrimRight(text, "\n"))) }

// Stop draws what is left and gives the terminal back. It may be called more than once.
func (p *Progress) Stop() {
	p.once.Do(func() { p.program.Send(stopMsg{}) })
	<-p.ended
}

// lines is a writer of lines above what moves.
type lines struct{ p *Progress }

func (l lines) Write(b []byte) (int, error) {
	l.p.Print(string(b))
	return len(b), nil
}

type (
	printMsg   string
	printedMsg struct{}
	stopMsg    struct{}
	tickMsg    time.Time
)

// row is one app that is under way.
type row struct {
	app, from, to string
	began         time.Time
	ready, total  int
	message       string
	restoring     bool
}

// board is what moves.
type board struct {
	look   view.Look
	height int
	now    func() time.Time
	rows   []row
	frame  int
	// queue are lines to print; one print is under way at a time, so that they keep their order.
	queue    []string
	printing bool
	stopping bool
}

// Init starts the clock.
func (b board) Init() tea.Cmd { return tick() }

func tick() tea.Cmd { return tea.Tick(framesEvery, func(t time.Time) tea.Msg { return tickMsg(t) }) }

// Update takes events, lines to print, and the clock.
func (b board) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 {
			b.look.Width, b.height = msg.Width, msg.Height
		}
	case tickMsg:
		b.frame++
		if b.stopping {
			return b, nil
		}
		return b, tick()
	case event.Event:
		b.take(msg)
	case printMsg:
		b.queue = append(slices.Clone(b.queue), string(msg))
		return b.print()
	case printedMsg:
		b.printing = false
		return b.print()
	case stopMsg:
		b.stopping, b.rows = true, nil
		return b.print()
	}
	return b, nil
}

// print prints what is queued; when nothing is left and somebody has said stop, it ends.
func (b board) print() (tea.Model, tea.Cmd) {
	switch {
	case b.printing:
		return b, nil
	case len(b.queue) > 0:
		text := strings.Join(b.queue, "\n")
		b.queue, b.printing = nil, true
		return b, tea.Sequence(tea.Println(text), func() tea.Msg { return printedMsg{} })
	case b.stopping:
		return b, tea.Quit
	default:
		return b, nil
	}
}

// take keeps what an event says of an app.
func (b *board) take(e event.Event) {
	b.rows = slices.Clone(b.rows)
	i := slices.IndexFunc(b.rows, func(r row) bool { return r.app == e.App })
	switch e.Type {
	case event.ApplyStart:
		b.rows = append(b.rows, row{app: e.App, from: view.Tag(e.From), to: view.Tag(e.To), began: e.At})
	case event.ApplyProgress, event.RestoreProgress:
		if i < 0 {
			b.rows = append(b.rows, row{app: e.App, began: e.At})
			i = len(b.rows) - 1
		}
		r := &b.rows[i]
		r.ready, r.total, r.message, r.restoring = e.Ready, e.Total, e.Message, e.Type == event.RestoreProgress
	case event.ApplyComplete, event.ApplyErrored:
		if i >= 0 {
			b.rows = slices.Delete(b.rows, i, i+1)
		}
	case event.RestoreStart, event.RestoreComplete, event.OperationComplete:
		b.rows = nil
	}
}

// spinners are the frames of the sign that something goes on.
var spinners = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// View draws the apps that are under way, as many as fit, in columns.
func (b board) View() tea.View {
	shown := b.rows
	if most := max(b.height-2, 1); len(shown) > most {
		shown = shown[:most-1]
	}
	var table [][]string
	var widths [columns]int
	for _, r := range shown {
		cells := b.cells(r)
		for i, c := range cells {
			widths[i] = max(widths[i], ansi.StringWidth(c))
		}
		table = append(table, cells[:])
	}
	var lines []string
	for _, cells := range table {
		lines = append(lines, ansi.Truncate(aligned(cells, widths), max(b.look.Width-1, 1), ""))
	}
	if hidden := len(b.rows) - len(shown); hidden > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", hidden))
	}
	return tea.NewView(strings.Join(lines, "\n"))
}

// columns are: sign and name, what is done, ready instances, time, message.
const columns = 5

// aligned joins cells; a column in which no row has anything is left out.
func aligned(cells []string, widths [columns]int) string {
	line := ""
	for i, c := range cells {
		if widths[i] > 0 {
			line += c + strings.Repeat(" ", widths[i]-ansi.StringWidth(c)+2)
		}
	}
	return strings.TrimRight(line, " ")
}

func (b board) cells(r row) [columns]string {
	spin := "*"
	if b.look.Unicode {
		spin = spinners[b.frame%len(spinners)]
	}
	paint := b.look.Paint
	what := r.from + " " + b.look.Arrow() + " " + r.to
	switch {
	case r.restoring:
		what = "putting back"
	case r.to == "":
		what = "deploying"
	}
	ready, message := "", ""
	if r.total > 0 {
		ready = fmt.Sprintf("%d of %d ready", r.ready, r.total)
	}
	if r.message != "" {
		message = paint.Dim(term.Clean(r.message))
	}
	elapsed := view.Seconds(b.now().Sub(r.began).Truncate(time.Second))
	return [columns]string{paint.Cyan(spin) + " " + paint.Bold(term.Clean(r.app)), what, ready, paint.Dim(elapsed), message}
}
