// Package live draws on a terminal what changes while one looks at it: the
// choice of a restore point, and the progress of an operation.
package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
)

// options are those of every program here: signals are the caller's, and the terminal is asked nothing, because an
// answer that comes late would be taken for input of whatever reads next.
func options(ctx context.Context, out io.Writer) []tea.ProgramOption {
	return []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithOutput(out), tea.WithoutSignalHandler(),
		tea.WithEnvironment([]string{"TERM=xterm-256color", "SSH_TTY=-"}), tea.WithColorProfile(colorprofile.ANSI256),
	}
}

// Pick lets a person choose a point with the arrow keys. ok is false when none was chosen, by q or Escape.
// Ctrl-C and a cancelled ctx are the error context.Canceled.
func Pick(ctx context.Context, in io.Reader, out io.Writer, look view.Look, m point.Matrix, head view.PointsHead) (date string, ok bool, err error) {
	if len(m.Dates) == 0 {
		return "", false, errors.New("there is no restore point to choose from")
	}
	end, err := tea.NewProgram(newPicker(look, m, head), append(options(ctx, out), tea.WithInput(in))...).Run()
	if ctx.Err() != nil {
		return "", false, fmt.Errorf("choose a restore point: %w", context.Cause(ctx))
	}
	if err != nil {
		return "", false, fmt.Errorf("choose a restore point: %w", err)
	}
	p, _ := end.(picker)
	switch {
	case p.interrupted:
		return "", false, fmt.Errorf("choose a restore point: %w", context.Canceled)
	case !p.chosen:
		return "", false, nil
	}
	return m.Dates[p.at], true, nil
}

// picker is the choice of a point.
type picker struct {
	look   view.Look
	matrix point.Matrix
	head   view.PointsHead
	// at is the column under the cursor, top the first repo shown.
	at, top int
	height  int
	chosen  bool
	ended   bool
	// interrupted: ended by Ctrl-C, which is no signal but a key while the terminal is read raw.
	interrupted bool
	// refusal says why the point under the cursor cannot be chosen; "" until somebody tries.
	refusal string
}

// usualHeight is a terminal's height until it has told its own.
const usualHeight = 24

func newPicker(look view.Look, m point.Matrix, head view.PointsHead) picker {
	at := len(m.Dates) - 1
	if m.Current > 0 {
		at = m.Current - 1
	}
	return picker{look: look, matrix: m, head: head, at: at, height: usualHeight}
}

// Init asks for nothing.
func (p picker) Init() tea.Cmd { return nil }

// Update moves the cursor, chooses, or ends.
func (p picker) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 {
			p.look.Width, p.height = msg.Width, msg.Height
		}
	case tea.KeyPressMsg:
		p.refusal = ""
		switch msg.String() {
		case "left", "h":
			p.at = max(p.at-1, 0)
		case "right", "l":
			p.at = min(p.at+1, len(p.matrix.Dates)-1)
		case "home", "g":
			p.at = 0
		case "end", "G":
			p.at = len(p.matrix.Dates) - 1
		case "up", "k":
			p.top = max(p.top-1, 0)
		case "down", "j":
			p.top = min(p.top+1, max(len(p.matrix.Rows)-p.room(), 0))
		case "enter":
			if p.refusal = p.problem(); p.refusal == "" {
				p.chosen, p.ended = true, true
				return p, tea.Quit
			}
		case "ctrl+c":
			p.interrupted, p.ended = true, true
			return p, tea.Quit
		case "q", "esc":
			p.ended = true
			return p, tea.Quit
		}
	}
	return p, nil
}

// problem is why the point under the cursor cannot be gone back to; "" when nothing is known against it.
func (p picker) problem() string {
	for _, r := range p.matrix.Rows {
		c := r.Cells[p.at]
		if c.Mark == point.MarkUnknown || c.Mark == point.MarkRefused {
			return fmt.Sprintf("%s cannot be chosen: %s: %s", p.matrix.Dates[p.at], r.Repo, first(c.Problem, c.Words))
		}
	}
	return ""
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

const (
	// previewLines is how many lines the preview may have.
	previewLines = 5
	// around is how many lines stand above and below the repos at most: the headline and a blank (2), the heads of the
	// columns (4), what is beyond the edges (1), a blank, the preview and the help. With one more, the terminal
	// would drop the headline.
	around = 2 + 4 + 1 + 1 + previewLines + 1
)

// firstLines returns at most n lines of s.
func firstLines(s string, n int) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// room is how many repos are shown at once.
func (p picker) room() int { return max(p.height-around, 1) }

// View draws the matrix with the cursor, what the point means, and the keys.
func (p picker) View() tea.View {
	if p.ended {
		return tea.NewView("")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", view.Headline(p.look, p.head))
	shown := p.matrix
	top := min(p.top, max(len(shown.Rows)-p.room(), 0))
	shown.Rows = shown.Rows[top:min(top+p.room(), len(shown.Rows))]
	grid := view.NewGrid(p.look, shown, p.at)
	grid.Write(&b, p.at)
	b.WriteString(p.around(grid, top, len(shown.Rows)))
	// Why a point cannot be chosen stands where its preview stood, so that it has room to be read.
	below := view.Preview(p.look, p.matrix, p.at)
	if p.refusal != "" {
		below = p.look.Paint.Red(view.Wrap(term.Clean(p.refusal), max(p.look.Width-1, 1)))
	}
	fmt.Fprintf(&b, "\n%s\n", firstLines(below, previewLines))
	b.WriteString(p.look.Paint.Dim("left/right: choose   enter: show the plan   q: leave"))
	return tea.NewView(b.String())
}

// around says what is beyond the edges.
func (p picker) around(g view.Grid, top, rows int) string {
	var beyond []string
	older, newer := g.Hidden()
	if older > 0 {
		beyond = append(beyond, fmt.Sprintf("%d older", older))
	}
	if newer > 0 {
		beyond = append(beyond, fmt.Sprintf("%d newer", newer))
	}
	if hidden := len(p.matrix.Rows) - rows; hidden > 0 {
		beyond = append(beyond, fmt.Sprintf("repos %d to %d of %d (up/down)", top+1, top+rows, len(p.matrix.Rows)))
	}
	if len(beyond) == 0 {
		return ""
	}
	return p.look.Paint.Dim(strings.Join(beyond, ", ")) + "\n"
}
