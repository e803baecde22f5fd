package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
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

// ErrUnwritten says that the audit log could not be written, so that what it was to
// tell of was not done.
var ErrUnwritten = errors.New("the audit log could not be written")

// Audit appends an entry in a transaction of its own, about what was tried in vain,
// or is done outside the database: before it is done. What changes the database
// writes its entry with the change instead, see writeAudit. What was tried is written
// down even if whoever tried it has hung up meanwhile: a browser that cuts the line
// ends the request's context, and must not keep its name out of the log.
func (a *Appliance) Audit(ctx context.Context, e AuditEntry) error {
	ctx = context.WithoutCancel(ctx)
	return a.db.Update(ctx, func(tx *sql.Tx) error { return writeAudit(ctx, tx, e) })
}

// AuditIn appends an entry in the transaction of the change that it tells of, for
// the tables of the window, which are in the same database.
func AuditIn(ctx context.Context, tx *sql.Tx, e AuditEntry) error { return writeAudit(ctx, tx, e) }

// writeAudit appends an entry. Each row carries a hash over itself and the row
// before, so that a change to the log shows.
func writeAudit(ctx context.Context, tx *sql.Tx, e AuditEntry) error {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	detail, err := json.Marshal(e.detail(ctx))
	if err != nil {
		return fmt.Errorf("encode audit detail: %w", err)
	}
	var seq int64
	prev := make([]byte, 32)
	err = tx.QueryRowContext(ctx, `SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`).Scan(&seq, &prev)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: %w", ErrUnwritten, err)
	}
	seq++
	hash := auditHash(prev, seq, e, string(detail))
	_, err = tx.ExecContext(ctx, `
		INSERT INTO audit (seq, at, actor, action, object, result, ip, detail, prev_hash, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		seq, e.At.UnixMilli(), e.Actor, e.Action, e.Object, e.Result, e.IP, string(detail), prev, hash)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnwritten, err)
	}
	return nil
}

// recordDeed is the journal of the payouts.
func recordDeed(ctx context.Context, tx *ledger.Tx, d payout.Deed) error {
	return writeAudit(ctx, tx.Tx, AuditEntry{Actor: d.Actor, Action: d.Action, Object: d.Object, Result: "ok", IP: d.IP, Detail: d.Detail})
}

func auditHash(prev []byte, seq int64, e AuditEntry, detail string) []byte {
	return ledger.Digest(prev,
		strconv.FormatInt(seq, 10), strconv.FormatInt(e.At.UnixMilli(), 10),
		e.Actor, e.Action, e.Object, e.Result, e.IP, detail)
}

// sessionKey is where a context holds the session that a request came in.
type sessionKey struct{}

// InSession returns a context in which audit entries name a session by its short
// id: somebody who is signed in twice is then told apart.
func InSession(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, sessionKey{}, id)
}

// DetailSession is where an entry's detail says in which session it was done.
const DetailSession = "session"

// detail is what the entry holds besides its columns.
func (e AuditEntry) detail(ctx context.Context) map[string]string {
	all := map[string]string{}
	maps.Copy(all, e.Detail)
	if id, ok := ctx.Value(sessionKey{}).(string); ok && id != "" {
		all[DetailSession] = id
	}
	return all
}
