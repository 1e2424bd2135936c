package notifyslack

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rollback-project/rollback/sdk/notify"
)

// Slack's limits (docs.slack.dev, Block Kit reference), each with room to spare. The sum of all texts is nowhere
// written down; messages of 13,200 characters and some of 11,300 have been refused as msg_blocks_too_long.
const (
	headerLimit   = 150
	sectionLimit  = 2900 // of 3,000
	fieldLimit    = 300  // of 2,000
	fieldsLimit   = 10
	fallbackLimit = 3000 // edits with more than 4,000 are refused, whatever the documentation says of 40,000
	totalLimit    = 9500
)

// How much of the request's texts is told.
const (
	messageLimit = 1500
	nameLimit    = 120
	reasonLimit  = 160
	stopLimit    = 500
	linkLimit    = 1500
	keptLimit    = 1500
	envLimit     = 60
	pointLimit   = 30
)

// message is what is sent: blocks for the eye, and a text for notifications and screen readers.
type message struct {
	text   string
	blocks []slack.Block
}

// status is how a kind is told. The symbol only repeats the words.
type status struct{ symbol, words string }

var statuses = map[notify.Kind]status{
	notify.Started:     {"⏳", "under way"},
	notify.Progress:    {"⏳", "under way"},
	notify.Succeeded:   {"✅", "done"},
	notify.Failed:      {"❌", "failed"},
	notify.Restored:    {"↩️", "everything is as before"},
	notify.NeedsPerson: {"🚨", "a person is needed"},
	notify.Interrupted: {"⏹️", "interrupted"},
}

// statusOf gives a status for kinds of newer hosts, too.
func statusOf(k notify.Kind) status {
	if s, ok := statuses[k]; ok {
		return s
	}
	words := strings.NewReplacer("_", " ", "-", " ").Replace(printable(string(k)))
	if r := []rune(words); len(r) > pointLimit {
		words = string(r[:pointLimit])
	}
	return status{"ℹ️", words}
}

// broken reports whether a kind is a failure, which also goes to the channel.
func broken(k notify.Kind) bool {
	return k == notify.Failed || k == notify.Restored || k == notify.NeedsPerson || k == notify.Interrupted
}

// alarming reports whether a kind pings.
func alarming(k notify.Kind) bool { return k == notify.Failed || k == notify.NeedsPerson }

// writer builds messages.
type writer struct {
	mentions string
	secrets  secrets
}

// title is the headline, such as “Rollback of prod to 2019-06-01: done”, without its symbol.
func (w writer) title(req notify.Request) string {
	var b strings.Builder
	b.WriteString("Rollback")
	if forward(req.Changes) {
		b.Reset()
		b.WriteString("Roll forward")
	}
	if env := printable(w.secrets.redact(req.Environment)); env != "" {
		b.WriteString(" of " + escaped(env, envLimit))
	}
	if point := printable(w.secrets.redact(req.Point)); point != "" {
		b.WriteString(" to " + escaped(point, pointLimit))
	}
	if s := statusOf(req.Kind); s.words != "" {
		b.WriteString(": " + escaped(s.words, pointLimit))
	}
	return b.String()
}

func forward(changes []notify.Change) bool {
	for _, c := range changes {
		if c.Action != "forward" {
			return false
		}
	}
	return len(changes) > 0
}

// root is the operation's message: the summary first, then the apps.
func (w writer) root(req notify.Request) message {
	title := w.title(req)
	said := escaped(lines(w.secrets.redact(req.Message)), messageLimit)
	m := message{text: w.fallback(title, said, req)}
	m.add(slack.NewHeaderBlock(plain(statusOf(req.Kind).symbol + " " + title)))
	if w.mentions != "" && alarming(req.Kind) {
		m.add(section(w.mentions))
	}
	if said != "" {
		m.add(slack.NewSectionBlock(plain(said), nil, nil))
	}
	m.facts(w.facts(req))
	if line := tally(req.Changes, len(req.Kept)); line != "" {
		m.add(section(line))
	}
	tail := w.tail(req)
	kept := w.kept(req.Kept)
	used := m.size() + tail.size() + size(kept)
	m.add(w.apps(req.Changes, totalLimit-used)...)
	m.add(kept...)
	m.add(tail.blocks...)
	return m
}

// tail is what stands at the end: the link, how to stop, which operation.
func (w writer) tail(req notify.Request) message {
	var m message
	var last []string
	if l := link(w.secrets.redact(req.Link), "Job and report", linkLimit); l != "" {
		last = append(last, l)
	}
	if hint := prose(w.secrets.redact(req.StopHint), stopLimit); hint != "" {
		last = append(last, hint)
	}
	if len(last) > 0 {
		m.add(section(strings.Join(last, "\n")))
	}
	var small []string
	if req.OperationID != "" {
		small = append(small, "Operation "+code(w.secrets.redact(req.OperationID)))
	}
	if req.Host != "" {
		small = append(small, "on "+code(w.secrets.redact(req.Host)))
	}
	if len(small) > 0 {
		m.add(slack.NewContextBlock("", mrkdwn(strings.Join(small, " "))))
	}
	return m
}

// fact is a label and its value, already escaped; markup is for links.
type fact struct {
	label, value string
	markup       bool
}

// facts says who, why and how long. Empty ones are left out.
func (w writer) facts(req notify.Request) []fact {
	var all []fact
	add := func(label, value string) {
		if v := printable(w.secrets.redact(value)); v != "" {
			all = append(all, fact{label: label, value: escaped(v, fieldLimit)})
		}
	}
	add("Operator", req.Operator)
	add("Approved by", req.Approver)
	add("Reason", req.Reason)
	ticket := w.secrets.redact(req.Ticket)
	if l := link(ticket, prose(ticket, fieldLimit), 2*fieldLimit); l != "" {
		all = append(all, fact{label: "Ticket", value: l, markup: true})
	} else {
		add("Ticket", req.Ticket)
	}
	if d := req.At.Sub(req.StartedAt); req.Kind != notify.Started && !req.At.IsZero() && !req.StartedAt.IsZero() && d >= 0 {
		add("Duration", duration(d))
	}
	return all
}

// facts are shown in two columns, label and value, since a value as plain text cannot hold markup.
func (m *message) facts(all []fact) {
	for len(all) > 0 {
		n := min(len(all), fieldsLimit/2)
		var fields []*slack.TextBlockObject
		for _, f := range all[:n] {
			value := plain(f.value)
			if f.markup {
				value = mrkdwn(f.value)
			}
			fields = append(fields, mrkdwn("*"+f.label+"*"), value)
		}
		m.add(slack.NewSectionBlock(nil, fields, nil))
		all = all[n:]
	}
}

// duration is a duration for people: 42s, 3m 5s, 2h 0m.
func duration(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

// fallback is the text for notifications and screen readers: it says in words what matters.
func (w writer) fallback(title, said string, req notify.Request) string {
	parts := []string{title + "."}
	if w.mentions != "" && alarming(req.Kind) {
		parts = []string{w.mentions, title + "."}
	}
	if said != "" {
		parts = append(parts, strings.ReplaceAll(said, "\n", " "))
	}
	if line := tally(req.Changes, len(req.Kept)); line != "" {
		parts = append(parts, strings.ReplaceAll(line, "*", "")+".")
	}
	if who := printable(w.secrets.redact(req.Operator)); who != "" {
		parts = append(parts, "Operator: "+escaped(who, fieldLimit)+".")
	}
	if l := link(w.secrets.redact(req.Link), "Job and report", linkLimit-200); l != "" {
		parts = append(parts, l)
	}
	// Every part has a limit of its own, and their sum is below fallbackLimit; but a change of one of them is easily made.
	for length(strings.Join(parts, " ")) > fallbackLimit && len(parts) > 1 {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, " ")
}

// reply is an answer in the operation's thread. said are messages for people, oldest first.
func (w writer) reply(req notify.Request, said []string) message {
	for i, s := range said {
		said[i] = lines(w.secrets.redact(s))
	}
	text := escaped(strings.Trim(strings.Join(said, "\n"), "\n"), messageLimit)
	if req.Kind == notify.Progress {
		if text == "" {
			text = w.title(req)
		}
		return message{text: text, blocks: []slack.Block{slack.NewSectionBlock(plain(text), nil, nil)}}
	}
	s, title := statusOf(req.Kind), w.title(req)
	m := message{text: w.fallback(title, text, req)}
	if w.mentions != "" && alarming(req.Kind) {
		m.add(section(w.mentions))
	}
	head := s.symbol + " " + title
	if text != "" {
		head += "\n" + text
	}
	m.add(slack.NewSectionBlock(plain(head), nil, nil))
	if line := tally(req.Changes, len(req.Kept)); line != "" {
		m.add(slack.NewContextBlock("", mrkdwn(line)))
	}
	return m
}

// add appends blocks.
func (m *message) add(blocks ...slack.Block) { m.blocks = append(m.blocks, blocks...) }

func (m message) size() int { return size(m.blocks) }

// size is the sum of the texts of blocks, and a bit for each block and each text, as Slack seems to count.
func size(blocks []slack.Block) int {
	const each = 20
	n := 0
	text := func(objects ...*slack.TextBlockObject) {
		for _, o := range objects {
			if o != nil {
				n += each + length(o.Text)
			}
		}
	}
	for _, b := range blocks {
		n += each
		switch b := b.(type) {
		case *slack.HeaderBlock:
			text(b.Text)
		case *slack.SectionBlock:
			text(b.Text)
			text(b.Fields...)
		case *slack.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				if o, ok := e.(*slack.TextBlockObject); ok {
					text(o)
				}
			}
		}
	}
	return n
}

// plain is a text that Slack takes as it is. It is escaped all the same, as Slack asks for everywhere.
func plain(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

// mrkdwn is a text with markup. Verbatim: nothing but the markup becomes a link or a mention.
func mrkdwn(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, true)
}

func section(s string) slack.Block { return slack.NewSectionBlock(mrkdwn(s), nil, nil) }
