package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
)

// AuditEntry is one line of the audit log: who tried what, on what, from where,
// and what came out. It never holds a secret.
type AuditEntry struct {
	Seq    int64
	At     time.Time
	Actor  string // operator's name, or a part of the program
	Action string // "login", "setup", "payout.approve", "job.run"
	Object string
	Result string // "ok", or why not
	IP     string
	Detail map[string]string
}

// Audit appends an entry in a transaction of its own. What changes state writes
// its audit row in the same transaction instead, see writeAudit.
func (a *Appliance) Audit(ctx context.Context, e AuditEntry) error {
	return a.db.Update(ctx, func(tx *sql.Tx) error { return writeAudit(ctx, tx, e) })
}

// writeAudit appends an entry. Each row carries a hash over itself and the row
// before, so that a change to the log shows.
func writeAudit(ctx context.Context, tx *sql.Tx, e AuditEntry) error {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("encode audit detail: %w", err)
	}
	var seq int64
	prev := make([]byte, 32)
	err = tx.QueryRowContext(ctx, `SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`).Scan(&seq, &prev)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read audit log: %w", err)
	}
	seq++
	hash := auditHash(prev, seq, e, string(detail))
	_, err = tx.ExecContext(ctx, `
		INSERT INTO audit (seq, at, actor, action, object, result, ip, detail, prev_hash, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		seq, e.At.UnixMilli(), e.Actor, e.Action, e.Object, e.Result, e.IP, string(detail), prev, hash)
	if err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

func auditHash(prev []byte, seq int64, e AuditEntry, detail string) []byte {
	return ledger.Digest(prev,
		strconv.FormatInt(seq, 10), strconv.FormatInt(e.At.UnixMilli(), 10),
		e.Actor, e.Action, e.Object, e.Result, e.IP, detail)
}

// AuditLog returns the newest entries.
func (a *Appliance) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	rows, err := a.db.Reader().QueryContext(ctx, `
		SELECT seq, at, actor, action, object, result, ip, detail FROM audit ORDER BY seq DESC LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	defer rows.Close()
	var entries []AuditEntry
	for rows.Next() {
		var e AuditEntry
		var at int64
		var detail string
		if err := rows.Scan(&e.Seq, &at, &e.Actor, &e.Action, &e.Object, &e.Result, &e.IP, &detail); err != nil {
			return nil, fmt.Errorf("read audit log: %w", err)
		}
		e.At = time.UnixMilli(at)
		if err := json.Unmarshal([]byte(detail), &e.Detail); err != nil {
			return nil, fmt.Errorf("decode audit detail %d: %w", e.Seq, err)
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return entries, nil
}
