// Package slackreceiver is a Slack to try things with: it takes what a webhook or a bot posts, keeps it in memory, and shows it.
//
// It refuses what Slack would refuse, as far as a notifier is concerned, and understands of Block Kit what notifiers
// use. It is for the sandbox and for tests: whoever reaches it may read and post.
package slackreceiver

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxMessages bounds what is kept; the oldest go first.
const maxMessages = 2000

// Message is one message as it stands now.
type Message struct {
	Channel string `json:"channel"`
	// ChannelName is the name the sender used, without its #.
	ChannelName string `json:"channel_name"`
	// TS is the message's id, and when it was posted: seconds since 1970 with a fraction.
	TS string `json:"ts"`
	// ThreadTS is the message that this one answers; "" for a message in the channel.
	ThreadTS string `json:"thread_ts,omitempty"`
	// Broadcast: an answer in a thread that is shown in the channel too.
	Broadcast bool `json:"broadcast,omitempty"`
	// Via is webhook or bot.
	Via      string          `json:"via"`
	Username string          `json:"username"`
	Icon     string          `json:"icon,omitempty"`
	Text     string          `json:"text"`
	Blocks   json.RawMessage `json:"blocks,omitempty"`
	Posted   time.Time       `json:"posted"`
	// Edits counts the edits, and Edited is when the last one was; zero when there was none.
	Edits  int       `json:"edits,omitempty"`
	Edited time.Time `json:"edited,omitzero"`
}

// Receiver takes and shows messages. It is an http.Handler and safe for concurrent use.
type Receiver struct {
	now func() time.Time
	mux *http.ServeMux

	mu       sync.Mutex
	messages []Message
	last     int64 // the last ts, in microseconds
}

// Option is what tests and the sandbox may set.
type Option func(*Receiver)

// WithClock sets the clock; without it, it is the machine's.
func WithClock(now func() time.Time) Option { return func(r *Receiver) { r.now = now } }

// New returns an empty receiver that keeps its messages in memory.
//
// It serves: POST /services/… (incoming webhooks), POST /api/METHOD (auth.test, chat.postMessage, chat.update,
// conversations.info), GET / (a page for people), GET /api/messages (JSON) and GET /messages.txt.
func New(options ...Option) *Receiver {
	r := &Receiver{now: time.Now, mux: http.NewServeMux()}
	for _, o := range options {
		o(r)
	}
	r.mux.HandleFunc("POST /services/", r.webhook)
	r.mux.HandleFunc("/api/{method}", r.webAPI)
	r.mux.HandleFunc("GET /api/messages", r.serveJSON)
	r.mux.HandleFunc("GET /messages.txt", r.serveText)
	r.mux.HandleFunc("GET /{$}", r.servePage)
	return r
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }

// Messages returns what was posted, oldest first.
func (r *Receiver) Messages() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

// add keeps a new message and gives it its ts. An answer to a message that is not there becomes one in the channel,
// as in Slack.
func (r *Receiver) add(m Message) Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.Posted = r.now().UTC()
	// Two messages never have the same ts, even if the clock stands still.
	r.last = max(r.last+1, m.Posted.UnixMicro())
	m.TS = fmt.Sprintf("%d.%06d", r.last/1e6, r.last%1e6)
	if m.ThreadTS != "" && r.find(m.Channel, m.ThreadTS) < 0 {
		m.ThreadTS, m.Broadcast = "", false
	}
	r.messages = append(r.messages, m)
	if over := len(r.messages) - maxMessages; over > 0 {
		r.messages = slices.Delete(r.messages, 0, over)
	}
	return m
}

// edit replaces the content of a message; false when there is none.
func (r *Receiver) edit(channel, ts, text string, blocks json.RawMessage) (Message, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.find(channel, ts)
	if i < 0 {
		return Message{}, false
	}
	m := &r.messages[i]
	m.Text, m.Blocks = text, blocks
	m.Edits++
	m.Edited = r.now().UTC()
	return *m, true
}

func (r *Receiver) find(channel, ts string) int {
	return slices.IndexFunc(r.messages, func(m Message) bool { return m.Channel == channel && m.TS == ts })
}

var channelID = regexp.MustCompile(`^[CGDUW][A-Z0-9]{7,31}$`)

// resolve gives the ID and the name of a channel. Every channel exists here.
func resolve(channel string) (id, name string) {
	name = strings.TrimPrefix(channel, "#")
	if channelID.MatchString(channel) {
		return channel, channel
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	return fmt.Sprintf("C0%08X", h.Sum32()), name
}
