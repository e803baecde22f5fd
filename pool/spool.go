package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/pool/ledger"
)

// blockSpool keeps found blocks that the ledger has not taken yet, one file for
// each: a full or hanging database must neither hold up a block nor, together
// with a crash, make it one that nobody is credited for.
type blockSpool struct{ dir string }

func (s blockSpool) file(block ledger.Found) string {
	return filepath.Join(s.dir, block.Hash.String()+".block.json")
}

// keep writes a block to a file of its own, durably.
func (s blockSpool) keep(block ledger.Found) error {
	text, err := json.Marshal(block)
	if err != nil {
		return fmt.Errorf("encode block: %w", err)
	}
	if err := renameio.WriteFile(s.file(block), text, 0o600); err != nil {
		return fmt.Errorf("keep block in a file: %w", err)
	}
	return nil
}

// drop removes the file of a block that the ledger has.
func (s blockSpool) drop(block ledger.Found) error {
	if err := os.Remove(s.file(block)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove block file: %w", err)
	}
	return nil
}

// replay gives the ledger what is left from before a crash. A file that cannot
// be read stays where it is, and is an error.
func (s blockSpool) replay(ctx context.Context, books *ledger.Ledger) error {
	files, err := filepath.Glob(filepath.Join(s.dir, "*.block.json"))
	if err != nil {
		return fmt.Errorf("look for kept blocks: %w", err)
	}
	var errs []error
	for _, file := range files {
		var block ledger.Found
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &block)
		}
		if err == nil {
			err = books.RecordFound(ctx, block)
		}
		if err == nil {
			err = s.drop(block)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("kept block %s: %w", filepath.Base(file), err))
		}
	}
	return errors.Join(errs...)
}
