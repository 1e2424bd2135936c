package slackreceiver

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Slack's limits, in characters where nothing else is said.
const (
	maxBlocks       = 50
	maxHeader       = 150
	maxSection      = 3000
	maxField        = 2000
	maxFields       = 10
	maxElements     = 10
	maxButtons      = 25
	maxButton       = 75
	maxURL          = 3000
	maxAllBlocks    = 13200 // not documented; measured by others
	postTextLimit   = 40000
	updateTextLimit = 4000
)

// textObject is a text of a block: plain_text or mrkdwn.
type textObject struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// element is a part of a context or an actions block.
type element struct {
	Type string `json:"type"`
	// Text is a string in a text object, and a text object in a button.
	Text json.RawMessage `json:"text"`
	URL  string          `json:"url"`
	// Style of a button: primary, danger or "".
	Style string `json:"style"`
}

// block is the part of Block Kit that is known here.
type block struct {
	Type     string       `json:"type"`
	Text     *textObject  `json:"text"`
	Fields   []textObject `json:"fields"`
	Elements []element    `json:"elements"`
}

// object reads the element as a text object, or the text object of a button.
func (e element) object() (textObject, bool) {
	if e.Type == "button" {
		var t textObject
		err := json.Unmarshal(e.Text, &t)
		return t, err == nil && t.Type == "plain_text"
	}
	var s string
	if json.Unmarshal(e.Text, &s) != nil {
		return textObject{}, false
	}
	return textObject{e.Type, s}, true
}

// parse reads blocks; what cannot be read gives none.
func parse(raw json.RawMessage) ([]block, bool) {
	if len(raw) == 0 {
		return nil, true
	}
	var all []block
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, false
	}
	return all, true
}

// check judges a message as Slack does: the code of the error, or "" and the blocks to keep.
func check(text string, raw json.RawMessage, textLimit int) (json.RawMessage, string) {
	blocks, ok := parse(raw)
	switch {
	case !ok:
		return nil, "invalid_blocks_format"
	case len(blocks) == 0 && strings.TrimSpace(text) == "":
		return nil, "no_text"
	case utf8.RuneCountInString(text) > textLimit:
		return nil, "msg_too_long"
	case len(blocks) > maxBlocks:
		return nil, "invalid_blocks"
	}
	total := 0
	for _, b := range blocks {
		n, ok := b.check()
		if !ok {
			return nil, "invalid_blocks"
		}
		total += n
	}
	if total > maxAllBlocks {
		return nil, "msg_blocks_too_long"
	}
	if len(blocks) == 0 {
		return nil, ""
	}
	return raw, ""
}

// check judges a block, and counts its characters.
func (b block) check() (size int, ok bool) {
	switch b.Type {
	case "divider":
		return 0, true
	case "header":
		if b.Text == nil || b.Text.Type != "plain_text" {
			return 0, false
		}
		return b.Text.check(maxHeader)
	case "section":
		return b.checkSection()
	case "context":
		return b.checkElements(maxElements, func(e element) (int, bool) {
			t, ok := e.object()
			if !ok || e.Type == "button" {
				return 0, false
			}
			return t.check(maxSection)
		})
	case "actions":
		return b.checkElements(maxButtons, func(e element) (int, bool) {
			t, ok := e.object()
			if !ok || e.Type != "button" || len(e.URL) > maxURL {
				return 0, false
			}
			return t.check(maxButton)
		})
	}
	return 0, false
}

func (b block) checkSection() (size int, ok bool) {
	if b.Text == nil && len(b.Fields) == 0 || len(b.Fields) > maxFields {
		return 0, false
	}
	if b.Text != nil {
		if size, ok = b.Text.check(maxSection); !ok {
			return 0, false
		}
	}
	for _, f := range b.Fields {
		n, ok := f.check(maxField)
		if !ok {
			return 0, false
		}
		size += n
	}
	return size, true
}

func (b block) checkElements(limit int, one func(element) (int, bool)) (size int, ok bool) {
	if len(b.Elements) == 0 || len(b.Elements) > limit {
		return 0, false
	}
	for _, e := range b.Elements {
		n, ok := one(e)
		if !ok {
			return 0, false
		}
		size += n
	}
	return size, true
}

func (t textObject) check(limit int) (size int, ok bool) {
	n := utf8.RuneCountInString(t.Text)
	return n, (t.Type == "plain_text" || t.Type == "mrkdwn") && n > 0 && n <= limit
}
