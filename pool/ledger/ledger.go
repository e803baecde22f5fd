package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/sqlite"
)

//go:embed schema/*.sql
var files embed.FS

// Schema is what [sqlite.Open] needs to open ledger.db. It has all tables of
// that file, also those that other packages write.
var Schema = sqlite.Schema{FS: files, ApplicationID: 0x444d4c47} // "DMLG"

// Errors on which callers branch. They come wrapped.
var (
	// ErrNotFound says that there is no such block or event.
	ErrNotFound = errors.New("not in the ledger")
	// ErrPosted says that an event with this key was booked before. Nothing was
	// booked now and the transaction can go on.
	ErrPosted = errors.New("already booked")
	// ErrFrozen says that a block's split is already fixed, and differently.
	ErrFrozen = errors.New("the split is frozen")
	// ErrUncovered says that a posting would take more from a miner's balance
	// than there is. Nothing was booked and the transaction can go on.
	ErrUncovered = errors.New("not covered by the balance")
	// ErrConflict says that a row was not in the expected state.
	ErrConflict = errors.New("changed meanwhile")
)

// Ledger is the only owner of money. Its methods can be called concurrently;
// writers queue for the database's one writing connection.
type Ledger struct {
	db  *sqlite.DB
	now func() time.Time
}

// New returns the ledger kept in db, which was opened with [Schema].
func New(db *sqlite.DB) *Ledger { return &Ledger{db: db, now: time.Now} }

// Tx is a writing transaction on ledger.db. It is valid until the function
// given to [Ledger.Update] returns, and only in its goroutine.
type Tx struct{ *sql.Tx }

// Update runs fn in one durable transaction: all of it is on the disk when
// Update returns nil, and nothing of it otherwise. fn must neither call other
// methods of the Ledger nor do anything slow, remote calls above all. An error
// of fn comes back unchanged.
func (l *Ledger) Update(ctx context.Context, fn func(tx *Tx) error) error {
	return l.db.Update(ctx, func(tx *sql.Tx) error { return fn(&Tx{tx}) })
}

// read runs fn on one committed state of the database.
func (l *Ledger) read(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := l.db.Reader().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	defer func() { _ = tx.Rollback() }()

	return fn(tx)
}

// hashColumn reads a BLOB of 32 bytes.
type hashColumn struct{ to *chainhash.Hash }

// Scan implements [sql.Scanner].
func (c hashColumn) Scan(value any) error {
	b, _ := value.([]byte)

	return c.to.SetBytes(b)
}
