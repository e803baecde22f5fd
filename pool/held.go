package pool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/pool/stratum"
)

// heldFile keeps over a restart in order what miners still have shares for: the
// last jobs with their transactions, so that such a share can be a block. It is
// written once all sessions have ended, and gone before the first one begins:
// what was accepted since then is not in it and would count twice.
//
//	SHA-256 of the rest, in hex | newline | stratum.Held as JSON
type heldFile struct{ dir string }

// maxHeldFile bounds what is written and read. Two full blocks and all that
// belongs to them are 12 MB.
const maxHeldFile = 64 << 20

func (f heldFile) path() string { return filepath.Join(f.dir, "jobs.held") }

// write replaces the file, durably.
func (f heldFile) write(h stratum.Held) error {
	text, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode held jobs: %w", err)
	}
	if len(text) > maxHeldFile {
		return fmt.Errorf("held jobs are %d bytes, more than %d", len(text), maxHeldFile)
	}
	sum := sha256.Sum256(text)
	text = append(append(hex.AppendEncode(nil, sum[:]), '\n'), text...)
	if err := renameio.WriteFile(f.path(), text, 0o600); err != nil {
		return fmt.Errorf("write held jobs: %w", err)
	}
	return nil
}

// take reads the file and removes it, durably. Without a file there is nothing.
func (f heldFile) take() (h stratum.Held, err error) {
	info, err := os.Stat(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	var text []byte
	if err == nil && info.Size() <= maxHeldFile+2*sha256.Size+1 {
		text, err = os.ReadFile(f.path())
	}
	if err := errors.Join(err, f.remove()); err != nil {
		return h, fmt.Errorf("take held jobs: %w", err)
	}
	sum, text, _ := bytes.Cut(text, []byte("\n"))
	if want := sha256.Sum256(text); string(sum) != hex.EncodeToString(want[:]) {
		return h, errors.New("take held jobs: the file is damaged")
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return stratum.Held{}, fmt.Errorf("take held jobs: %w", err)
	}
	return h, nil
}

func (f heldFile) remove() error {
	if err := os.Remove(f.path()); err != nil {
		return err
	}
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
