package host

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	goplugin "github.com/hashicorp/go-plugin"
)

// checkSum compares the executable with its recorded checksum, where there is one.
func checkSum(cfg Config) error {
	if cfg.SHA256 == "" {
		return nil
	}
	want, err := hex.DecodeString(strings.TrimPrefix(cfg.SHA256, "sha256:"))
	if err != nil || len(want) != sha256.Size {
		return fmt.Errorf("%s: the recorded checksum %q is no SHA-256 in hex", cfg.label(), printable(cfg.SHA256))
	}
	hash := sha256.New()
	secure := goplugin.SecureConfig{Checksum: want, Hash: hash}
	same, err := secure.Check(cfg.Path)
	if err != nil {
		return fmt.Errorf("%s: check its executable: %w", cfg.label(), err)
	}
	if !same {
		return &ChecksumError{Plugin: cfg.label(), Path: cfg.Path, Want: hex.EncodeToString(want), Got: hex.EncodeToString(hash.Sum(nil))}
	}
	return nil
}

// ChecksumError says that an executable is not the one that was recorded. It was not started.
type ChecksumError struct {
	// Plugin and Path say which.
	Plugin, Path string
	// Want is the recorded checksum, Got the executable's: SHA-256 in hex.
	Want, Got string
}

// Error names both checksums.
func (e *ChecksumError) Error() string {
	return fmt.Sprintf("%s: %s has the checksum sha256:%s, but sha256:%s is recorded", e.Plugin, e.Path, e.Got, e.Want)
}
