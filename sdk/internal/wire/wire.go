// Package wire translates between the types that authors and core see and the
// messages of the plugin protocol: one pair of functions a message, nothing else.
//
// Encode goes to the wire, Decode comes from it. A message is nil-safe to
// decode: an absent message is the zero value, so that a peer that leaves
// something out never ends the process.
package wire

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// MaxMessage is the size in bytes of the largest message either side takes (rule P19).
const MaxMessage = 16 << 20

// BatchSize is the size in bytes from which a batch of list items is sent without waiting for more.
const BatchSize = 256 << 10

// BatchCount is the number of items from which a batch is sent without waiting for more.
const BatchCount = 256

// encodeTime leaves the zero instant out.
func encodeTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// decodeTime returns the zero instant for an absent or impossible timestamp.
func decodeTime(t *timestamppb.Timestamp) time.Time {
	if t == nil || !t.IsValid() {
		return time.Time{}
	}
	return t.AsTime()
}

// encodeDuration leaves zero out.
func encodeDuration(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// decodeDuration returns 0 for an absent duration; one that is too long becomes the longest.
func decodeDuration(d *durationpb.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.AsDuration()
}

// each translates a list; an empty list stays nil.
func each[From, To any](list []From, translate func(From) To) []To {
	if len(list) == 0 {
		return nil
	}
	out := make([]To, len(list))
	for i, v := range list {
		out[i] = translate(v)
	}
	return out
}

// texts turns a list of words into strings, or back.
func texts[To, From ~string](list []From) []To {
	return each(list, func(s From) To { return To(s) })
}

// Size is the encoded size of a message in bytes.
func Size(m proto.Message) int { return proto.Size(m) }
