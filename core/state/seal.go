package state

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Key encrypts snapshots, which hold an app's whole configuration and so its secrets: AES-256-GCM with a random nonce.
// The operation and the app are authenticated along with the data, so that no row can take another one's place.
type Key struct{ aead cipher.AEAD }

const keyBytes = 32

// ParseKey reads a key of 32 bytes in base64, as `openssl rand -base64 32` makes it.
func ParseKey(text string) (*Key, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != keyBytes {
		return nil, errors.New("a state's key is 32 bytes in base64, such as `openssl rand -base64 32` prints")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Key{aead}, nil
}

// KeyFile reads the key in a file. When there is none and make is set, it makes one that only its owner may read.
func KeyFile(path string, makeOne bool) (*Key, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && makeOne {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the state's key: %w", err)
	}
	key, err := ParseKey(string(raw))
	if err != nil {
		return nil, fmt.Errorf("read the state's key from %s: %w", path, err)
	}
	return key, nil
}

// makeKey makes a key file as a whole or not at all; of two processes that do so at once, both use the first one's.
func makeKey(path string) (*Key, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state's key: %w", err)
	}
	f, err := os.CreateTemp(dir, ".key-*")
	if err != nil {
		return nil, fmt.Errorf("make the state's key: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it has another name by then, or is of no use
	raw := make([]byte, keyBytes)
	_, randErr := rand.Read(raw)
	_, writeErr := f.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	if err := errors.Join(randErr, writeErr, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("make the state's key: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the state's key: %w", err)
	}
	return KeyFile(path, false)
}

func (k *Key) seal(operation, app string, data []byte) []byte {
	//nolint:gosec // the nonce is drawn by Seal: NewGCMWithRandomNonce
	return k.aead.Seal(nil, nil, data, []byte(operation+"\x00"+app))
}

func (k *Key) open(operation, app string, sealed []byte) ([]byte, error) {
	data, err := k.aead.Open(nil, nil, sealed, []byte(operation+"\x00"+app))
	if err != nil {
		return nil, fmt.Errorf("decrypt the snapshot of %s: it was sealed with another key, or has been changed", app)
	}
	return data, nil
}
