package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/core/event"
	"github.com/rollback-project/rollback/core/point"
	"github.com/rollback-project/rollback/internal/view"
)

var noon = time.Date(2019, 6, 20, 12, 0, 0, 0, time.UTC)

func look() view.Look {
	return view.Look{Width: 100, Now: func() time.Time { return noon.Add(5 * time.Second) }}
}

// matrix has three points, of which the oldest cannot be chosen and the newest runs.
func matrix(repos int) point.Matrix {
	m := point.Matrix{Dates: []string{"2019-06-01", "2019-06-02", "2019-06-03"}, Current: 2}
	for i := range repos {
		r := point.Row{Repo: fmt.Sprintf("repo-%d", i)}
		for range m.Dates {
			r.Cells = append(r.Cells, point.Cell{Mark: point.MarkReleased, Release: &point.Release{Tag: "1-master", Build: "1"}})
		}
		r.Cells[0] = point.Cell{Mark: point.MarkRefused, Words: "too old"}
		m.Rows = append(m.Rows, r)
	}
	return m
}

func key(name string) tea.KeyPressMsg {
	codes := map[string]rune{"left": tea.KeyLeft, "right": tea.KeyRight, "up": tea.KeyUp, "down": tea.KeyDown, "home": tea.KeyHome, "end": tea.KeyEnd, "enter": tea.KeyEnter, "esc": tea.KeyEscape}
	if name == "ctrl+c" {
		return tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	}
	if c, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: c}
	}
	return tea.KeyPressMsg{Code: rune(name[0]), Text: name}
}

func TestKeysMoveChooseAndLeave(t *testing.T) {
	for _, c := range []struct {
		keys                       string
		at, top                    int
		chosen, ended, interrupted bool
	}{
		{keys: "", at: 1},
		{keys: "left left left", at: 0},
		{keys: "right l l", at: 2},
		{keys: "home", at: 0},
		{keys: "g G", at: 2},
		{keys: "h end", at: 2},
		{keys: "down j k", at: 1, top: 1},
		{keys: "up", at: 1},
		{keys: "enter", at: 1, chosen: true, ended: true},
		{keys: "home enter", at: 0},
		{keys: "q", at: 1, ended: true},
		{keys: "esc", at: 1, ended: true},
		{keys: "ctrl+c", at: 1, ended: true, interrupted: true},
	} {
		t.Run(c.keys, func(t *testing.T) {
			var m tea.Model = newPicker(look(), matrix(40), view.PointsHead{Environment: "prod"})
			for _, k := range strings.Fields(c.keys) {
				m, _ = m.Update(key(k))
			}
			p := m.(picker)
			got := fmt.Sprint(p.at, p.top, p.chosen, p.ended, p.interrupted)
			if diff := cmp.Diff(fmt.Sprint(c.at, c.top, c.chosen, c.ended, c.interrupted), got); diff != "" {
				t.Error(diff)
			}
			if p.ended != (p.View().Content == "") {
				t.Error("what has ended draws nothing, all else something")
			}
		})
	}
}

func TestPickerSaysWhyAPointIsRefusedAndWhatIsHidden(t *testing.T) {
	var m tea.Model = newPicker(look(), matrix(40), view.PointsHead{Environment: "prod"})
	m.Init()
	m, _ = m.Update(tea.WindowSizeMsg{Width: 18, Height: 20})
	m, _ = m.Update(tea.WindowSizeMsg{})
	m, _ = m.Update(key("home"))
	m, _ = m.Update(key("enter"))
	out := strings.Join(strings.Fields(m.View().Content), " ") // the reason is wrapped
	for _, want := range []string{"2019-06-01 cannot be chosen: repo-0: too old", "newer", "repos 1 to 6 of 40"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	m, _ = m.Update(key("end"))
	if out := m.View().Content; strings.Contains(out, "cannot be chosen") || !strings.Contains(out, "older") {
		t.Errorf("at the end:\n%s", out)
	}
}

func TestPickReadsKeysFromAPipe(t *testing.T) {
	for _, c := range []struct {
		keys, want string
		ok         bool
		err        error
	}{
		{keys: "\r", want: "2019-06-02", ok: true},
		{keys: "l\r", want: "2019-06-03", ok: true},
		{keys: "q"},
		{keys: "\x03", err: context.Canceled},
	} {
		t.Run(fmt.Sprintf("%q", c.keys), func(t *testing.T) {
			in, w := io.Pipe()
			defer w.Close()
			go func() { _, _ = io.WriteString(w, c.keys) }()
			date, ok, err := Pick(t.Context(), in, io.Discard, look(), matrix(1), view.PointsHead{})
			if date != c.want || ok != c.ok || !errors.Is(err, c.err) {
				t.Errorf("got %q %v %v", date, ok, err)
			}
		})
	}
	if _, _, err := Pick(t.Context(), nil, io.Discard, look(), point.Matrix{}, view.PointsHead{}); err == nil {
		t.Error("nothing to choose from is an error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, w := io.Pipe()
	defer w.Close()
	if _, _, err := Pick(ctx, in, io.Discard, look(), matrix(1), view.PointsHead{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func after(b board, msgs ...tea.Msg) board {
	for _, msg := range msgs {
		m, _ := b.Update(msg)
		b = m.(board)
	}
	return b
}

func TestBoardAlignsTheAppsUnderWay(t *testing.T) {
	b := after(board{look: look(), height: 24, now: look().Now},
		event.Event{Type: event.ApplyStart, App: "/a", From: "r/a:20-master", To: "r/a:1-master", At: noon},
		event.Event{Type: event.ApplyStart, App: "/longer\x1b", From: "r/a:2", To: "r/a:1", At: noon},
		event.Event{Type: event.ApplyProgress, App: "/a", Ready: 1, Total: 2, Message: "pulling\a"},
		event.Event{Type: event.ApplyProgress, App: "/new", At: noon},
		event.Event{Type: event.RestoreProgress, App: "/back", Total: 10, At: noon})
	want := strings.Join([]string{
		"* /a        20-master -> 1-master  1 of 2 ready   5s  pulling\ufffd",
		"* /longer\ufffd  2 -> 1                                5s",
		"* /new      deploying                             5s",
		"* /back     putting back           0 of 10 ready  5s",
	}, "\n")
	if diff := cmp.Diff(want, b.View().Content); diff != "" {
		t.Error(diff)
	}
	small := after(b, tea.WindowSizeMsg{Width: 20, Height: 4})
	if out := small.View().Content; !strings.HasSuffix(out, "and 3 more") {
		t.Error(out)
	}
	b = after(b, event.Event{Type: event.ApplyComplete, App: "/a"}, event.Event{Type: event.ApplyErrored, App: "/x"})
	if len(b.rows) != 3 {
		t.Error(b.rows)
	}
	if b = after(b, event.Event{Type: event.RestoreStart}); b.View().Content != "" {
		t.Error("a restore begins with an empty board")
	}
}

func TestBoardPrintsInOrderAndStopsWhenAllIsPrinted(t *testing.T) {
	b := after(board{look: look(), now: look().Now}, printMsg("a"), printMsg("b"), printMsg("c"), stopMsg{}, tickMsg{})
	if diff := cmp.Diff([]string{"b", "c"}, b.queue); diff != "" || !b.printing {
		t.Error(diff, b.printing)
	}
	if b = after(b, printedMsg{}); len(b.queue) != 0 || !b.printing {
		t.Error("the rest is printed at once")
	}
	_, cmd := b.Update(printedMsg{})
	if cmd == nil {
		t.Fatal("it does not end")
	}
	if _, ok := cmd().(tea.QuitMsg); !ok {
		t.Error("it does not end")
	}
}

func TestProgressDrawsOnAPipeAndEnds(t *testing.T) {
	r, w := io.Pipe()
	var out bytes.Buffer
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(&out, r) }()
	p := Start(t.Context(), w, look())
	p.Event(event.Event{Type: event.ApplyStart, App: "/a", At: noon})
	p.Print("first\n")
	p.Event(event.Event{Type: event.ApplyComplete, App: "/a", At: noon.Add(time.Second)})
	p.Stop()
	p.Stop()
	w.Close()
	<-read
	one, two := strings.Index(out.String(), "first"), strings.Index(out.String(), "Healthy after 1s")
	if one < 0 || two < one {
		t.Errorf("not in order: %q", out.String())
	}
}

func TestPickerFitsIntoEightyColumnsAndTwentyFourLines(t *testing.T) {
	for _, format := range []string{time.DateOnly, time.RFC3339} {
		for _, mark := range []point.Mark{point.MarkReleased, point.MarkGapFilled, point.MarkRefused} {
			t.Run(format+" "+string(mark), func(t *testing.T) {
				m := point.Matrix{Current: 29}
				for day := range 30 {
					m.Dates = append(m.Dates, noon.AddDate(0, 0, day-30).Format(format))
				}
				for i := range 50 {
					r := point.Row{Repo: fmt.Sprintf("repo-%02d", i)}
					for range m.Dates {
						r.Cells = append(r.Cells, point.Cell{Mark: mark, Words: strings.Repeat("many words ", 12), Release: &point.Release{Tag: "100-master", Build: "100"}})
					}
					m.Rows = append(m.Rows, r)
				}
				p := newPicker(look(), m, view.PointsHead{Environment: "prod", Branch: "master", Timezone: "UTC"})
				p.look.Width, p.height = 80, 24
				p.refusal = p.problem()
				lines := strings.Split(p.View().Content, "\n")
				if len(lines) > 24 {
					t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
				}
				for _, line := range lines {
					if ansi.StringWidth(line) > 80 {
						t.Errorf("%d columns: %s", ansi.StringWidth(line), line)
					}
				}
			})
		}
	}
}

func TestProgressGoesOnWhenTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	p := Start(ctx, &out, look())
	p.Event(event.Event{Type: event.ApplyErrored, App: "/a", Message: "stopped", At: noon})
	p.Print("what is where")
	p.Stop()
	p.Event(event.Event{Type: event.ApplyErrored, App: "/late", At: noon})
	for _, want := range []string{"Failed: stopped", "what is where"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
}
