package cli

import (
	"github.com/rollback-project/rollback/internal/term"
	"github.com/rollback-project/rollback/internal/view"
)

// look is how to write for people on stdout.
func (g *global) look() view.Look { return g.lookFor(g.app.Streams.OutTTY) }

// errLook is how to write for people on stderr.
func (g *global) errLook() view.Look { return g.lookFor(g.app.Streams.ErrTTY) }

func (g *global) lookFor(tty bool) view.Look {
	s := g.app.Streams
	l := view.Look{
		Paint:           term.Paint{On: s.Color(term.ColorMode(g.color), tty)},
		Unicode:         s.Unicode(),
		Width:           s.Width(),
		Automation:      s.Automation(),
		CompactWarnings: g.compactWarnings,
		Now:             g.app.Now,
	}
	if len(g.files) == 1 {
		l.Policy = g.files[0]
	}
	return l
}
