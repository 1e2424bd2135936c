package wire

import (
	"errors"
	"fmt"

	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// partSize is the most data that one part of a snapshot carries.
const partSize = 1 << 20

// maxSnapshot bounds one snapshot, so that a broken peer cannot fill the memory.
const maxSnapshot = 256 << 20

// EncodeSnapshot cuts a snapshot into parts, at least one, the last of them marked.
func EncodeSnapshot(s orchestrator.Snapshot) []*pluginpb.SnapshotPart {
	parts := []*pluginpb.SnapshotPart{{App: s.App, Fingerprint: s.Fingerprint, Images: EncodeImages(s.Images)}}
	data := s.Data
	for len(data) > partSize {
		parts[len(parts)-1].Data, data = data[:partSize], data[partSize:]
		parts = append(parts, &pluginpb.SnapshotPart{App: s.App})
	}
	last := parts[len(parts)-1]
	last.Data, last.Last = data, true
	return parts
}

// SnapshotReader puts parts together. Its zero value is ready.
type SnapshotReader struct {
	open    bool
	current orchestrator.Snapshot
}

// Add takes the next part, and returns the snapshot that it completes, if it does.
// It errs on parts of two apps that are mixed, and on a snapshot beyond all bounds.
func (r *SnapshotReader) Add(p *pluginpb.SnapshotPart) (s orchestrator.Snapshot, complete bool, err error) {
	switch {
	case !r.open:
		r.open = true
		r.current = orchestrator.Snapshot{
			App: p.GetApp(), Fingerprint: p.GetFingerprint(), Images: DecodeImages(p.GetImages()),
		}
	case p.GetApp() != r.current.App:
		return s, false, fmt.Errorf("snapshot of %s: a part of %s came before its end", r.current.App, p.GetApp())
	}
	if len(r.current.Data)+len(p.GetData()) > maxSnapshot {
		return s, false, fmt.Errorf("snapshot of %s: it is larger than %d bytes", r.current.App, maxSnapshot)
	}
	r.current.Data = append(r.current.Data, p.GetData()...)
	if !p.GetLast() {
		return s, false, nil
	}
	s = r.current
	*r = SnapshotReader{}
	return s, true, nil
}

// Close errs when a snapshot has begun and not ended.
func (r *SnapshotReader) Close() error {
	if r.open {
		return errors.New("snapshot of " + r.current.App + ": its last part is missing")
	}
	return nil
}
