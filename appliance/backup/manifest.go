package backup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"time"
)

const (
	// Format is the number of the format that this program writes. It reads those
	// up to it.
	Format = 1

	manifestName = "manifest.json"
	manifestMost = 1 << 20 // bytes
	filesMost    = 64
)

// Manifest is what a backup says of itself.
type Manifest struct {
	Format  int            `json:"format"`
	Name    string         `json:"name"` // of the file, when it was made
	Network string         `json:"network"`
	Made    time.Time      `json:"made"`
	Program string         `json:"program"`          // version of the one that wrote it
	Schemas map[string]int `json:"schemas"`          // of the databases, by their file
	Wallet  string         `json:"wallet,omitempty"` // name of the wallet that is in it
	Notice  string         `json:"notice,omitempty"` // what is not in it, and why: a sentence
	Files   []File         `json:"files"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 []byte `json:"sha256"`
}

// fileName is all that a file may be called. It cannot name another folder.
var fileName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,40}(\.[a-z0-9]{1,16})?$`)

// Bytes is how much all files take.
func (m Manifest) Bytes() (sum int64) {
	for _, f := range m.Files {
		sum += f.Size
	}
	return sum
}

// File returns the file of that name.
func (m Manifest) File(name string) (f File, found bool) {
	for _, f := range m.Files {
		if f.Name == name {
			return f, true
		}
	}
	return f, false
}

// check returns what is wrong with a manifest.
func (m Manifest) check() error {
	switch {
	case m.Format != Format:
		return fmt.Errorf("format %d", m.Format)
	case m.Network == "" || m.Made.IsZero():
		return fmt.Errorf("no network or no time")
	case len(m.Files) == 0 || len(m.Files) > filesMost:
		return fmt.Errorf("%d files", len(m.Files))
	}
	left := int64(math.MaxInt64)
	seen := map[string]bool{manifestName: true}
	for _, f := range m.Files {
		if !fileName.MatchString(f.Name) || seen[f.Name] || f.Size < 0 || f.Size > left || len(f.SHA256) != 32 {
			return fmt.Errorf("file %q of %d bytes", f.Name, f.Size)
		}
		seen[f.Name] = true
		left -= f.Size
	}
	return nil
}

// parseManifest reads a manifest. One of a newer format may look as it likes, but for
// the number.
func parseManifest(text []byte) (m Manifest, err error) {
	var about struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &about); err != nil || about.Format < 1 {
		return m, ErrNotBackup
	}
	if about.Format > Format {
		return m, ErrNewer
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("%w (%s: %w)", ErrAltered, manifestName, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return m, fmt.Errorf("%w (%s goes on)", ErrAltered, manifestName)
	}
	if err := m.check(); err != nil {
		return m, fmt.Errorf("%w (%s: %w)", ErrAltered, manifestName, err)
	}
	return m, nil
}
