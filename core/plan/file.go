package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"
)

// A plan file is one line – the word rollback-plan, the version of the container, and the SHA-256 of that line's
// beginning and everything after it – followed by the plan's JSON. The sum finds damage and edits by hand. It is no
// signature: whoever may write the file may write another.
const (
	fileMagic   = "rollback-plan"
	fileVersion = 1
	// mostBytes bounds what Load reads; a plan of 100,000 apps is smaller.
	mostBytes = 256 << 20
)

// Save writes a plan file that only its owner may read. It appears whole or not at all: an earlier file of that
// name stays until the new one is complete. Nothing that Build puts into a plan is secret.
func Save(path string, p *Plan) error {
	content, err := encode(p)
	if err != nil {
		return fmt.Errorf("save plan: %w", err)
	}
	if err := replace(path, content); err != nil {
		return fmt.Errorf("save plan: %w", err)
	}
	return nil
}

// Load reads a plan file. A file that is none, was made by a later version, or is not exactly as it was saved is an error
// that says which. Whether the plan still fits the world is for Stale to say.
func Load(path string) (*Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", path, err)
	}
	p, err := decode(content)
	if err != nil {
		return nil, fmt.Errorf("read plan %s: %w", path, err)
	}
	return p, nil
}

func encode(p *Plan) ([]byte, error) {
	if _, err := ulid.ParseStrict(p.ID); err != nil {
		return nil, fmt.Errorf("the plan's id %q is no ULID: %w", p.ID, err)
	}
	body, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	head := fileMagic + " " + strconv.Itoa(fileVersion)
	return append([]byte(head+" "+sum(head, body)+"\n"), body...), nil
}

func sum(head string, body []byte) string {
	h := sha256.New()
	io.WriteString(h, head+"\n") //nolint:errcheck // a hash takes everything
	h.Write(body)
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

var (
	errNoPlan  = errors.New("this is no plan file")
	errChanged = errors.New("the file is not as it was saved: it was changed or damaged, so it is refused; make the plan again")
)

func decode(content []byte) (*Plan, error) {
	if len(content) > mostBytes {
		return nil, fmt.Errorf("the file is larger than %d bytes", mostBytes)
	}
	line, body, ok := bytes.Cut(content, []byte("\n"))
	fields := strings.Split(string(line[:min(len(line), 200)]), " ")
	if !ok || len(fields) != 3 || fields[0] != fileMagic {
		return nil, errNoPlan
	}
	version, err := strconv.Atoi(fields[1])
	if err != nil || version < 1 {
		return nil, errNoPlan
	}
	if version > fileVersion {
		return nil, fmt.Errorf("the file has version %d, and this program knows none later than %d: use the program that made it", version, fileVersion)
	}
	if fields[2] != sum(fields[0]+" "+fields[1], body) {
		return nil, errChanged
	}
	var p Plan
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPlan, err)
	}
	return &p, p.check()
}

// check refuses content that Save has not written.
func (p *Plan) check() error {
	major, _, _ := strings.Cut(p.FormatVersion, ".")
	known, _, _ := strings.Cut(FormatVersion, ".")
	if major != known {
		return fmt.Errorf("the plan's format %q is not known to this program: use the one that made it", clean(p.FormatVersion))
	}
	if _, err := ulid.ParseStrict(p.ID); err != nil {
		return fmt.Errorf("%w: its id is no ULID: %w", errNoPlan, err)
	}
	most := len(p.Changes)
	for _, c := range p.Changes {
		switch c.Action {
		case Rollback, Forward:
			if c.Wave < 1 || c.Wave > most {
				return fmt.Errorf("%w: the wave of %s is %d", errNoPlan, clean(c.App), c.Wave)
			}
		case None, Keep:
			if c.Wave != 0 {
				return fmt.Errorf("%w: %s stays as it is but has a wave", errNoPlan, clean(c.App))
			}
		default:
			return fmt.Errorf("%w: %s has the unknown action %q", errNoPlan, clean(c.App), clean(string(c.Action)))
		}
	}
	return nil
}

// replace writes a file under another name, makes it durable, and moves it into place.
func replace(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".rollback-plan-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()           //nolint:errcheck // the first error is the one to tell
			os.Remove(f.Name()) //nolint:errcheck // likewise
		}
	}()
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	syncDir(dir)
	return nil
}

// syncDir makes a rename durable, where the system can. Where it cannot, as in a folder that may be written
// but not read, the file itself is safe all the same.
func syncDir(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	d.Sync()  //nolint:errcheck // some file systems cannot sync a folder, and none loses the file's content
	d.Close() //nolint:errcheck // it was only read
}
