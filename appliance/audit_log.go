package appliance

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// AuditFilter says which entries are asked for. What is zero does not count.
type AuditFilter struct {
	Actor, Action string
	Object        string
	Failed, OK    bool // only what went wrong, or only what did not
	From, To      time.Time
	Before        int64 // entries below this number
	Limit         int
}

// Fine reports whether an entry tells of something that went as it should.
func (e AuditEntry) Fine() bool {
	switch e.Result {
	case "ok", "shown", "kept", "code needed":
		return true
	}
	return false
}

// AuditLog returns the newest entries.
func (a *Appliance) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	return a.FindAudit(ctx, AuditFilter{Limit: limit})
}

// FindAudit returns the entries that a filter lets through, newest first.
func (a *Appliance) FindAudit(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	rows, err := a.db.Reader().QueryContext(ctx, `
		SELECT seq, at, actor, action, object, result, ip, detail
		  FROM audit
		 WHERE (?1 = '' OR actor = ?1)
		   AND (?2 = '' OR action = ?2)
		   AND (NOT ?3 OR result NOT IN ('ok', 'shown', 'kept', 'code needed'))
		   AND (NOT ?4 OR result IN ('ok', 'shown', 'kept', 'code needed'))
		   AND (?5 = 0 OR at >= ?5)
		   AND (?6 = 0 OR at < ?6)
		   AND (?7 = 0 OR seq < ?7)
		   AND (?8 = '' OR object = ?8)
		 ORDER BY seq DESC LIMIT ?9`,
		f.Actor, f.Action, f.Failed, f.OK, milli(f.From), milli(f.To), f.Before, f.Object, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	entries, err := sqlite.Collect(rows, scanAudit)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	return entries, nil
}

func scanAudit(rows *sql.Rows) (AuditEntry, error) {
	var e AuditEntry
	var at int64
	var detail string
	if err := rows.Scan(&e.Seq, &at, &e.Actor, &e.Action, &e.Object, &e.Result, &e.IP, &detail); err != nil {
		return e, err
	}
	e.At = time.UnixMilli(at)
	return e, json.Unmarshal([]byte(detail), &e.Detail)
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// AuditNames returns who and what the log knows of, for the filters of its page.
func (a *Appliance) AuditNames(ctx context.Context) (actors, actions []string, err error) {
	for query, into := range map[string]*[]string{
		`SELECT DISTINCT actor FROM audit ORDER BY actor`:   &actors,
		`SELECT DISTINCT action FROM audit ORDER BY action`: &actions,
	} {
		rows, err := a.db.Reader().QueryContext(ctx, query)
		if err != nil {
			return nil, nil, fmt.Errorf("read audit log: %w", err)
		}
		*into, err = sqlite.Collect(rows, func(r *sql.Rows) (name string, err error) { return name, r.Scan(&name) })
		if err != nil {
			return nil, nil, fmt.Errorf("read audit log: %w", err)
		}
	}
	return actors, actions, nil
}

// AuditProof says how far the chain of the audit log was followed.
type AuditProof struct {
	To     int64 // every entry up to this one is as it was written
	Broken int64 // the first entry that is not; 0: none
	At     time.Time
}

// auditCheck follows the chain. What it has seen it does not read again until
// somebody asks for the whole, so that a page can ask each time.
type auditCheck struct {
	mu    sync.Mutex
	proof AuditProof
	hash  []byte // of entry To
	seen  int64  // the newest entry that was ever proved
}

// AuditProof follows the chain of the audit log from where it was left, or from
// the beginning. That the last entries are gone shows as long as the program runs;
// for longer, the job writes number and hash into the journal.
func (a *Appliance) AuditProof(ctx context.Context, whole bool) (AuditProof, error) {
	c := &a.audited
	c.mu.Lock()
	defer c.mu.Unlock()
	if whole || c.hash == nil {
		c.proof, c.hash = AuditProof{}, make([]byte, 32)
	}
	if err := c.follow(ctx, a.db.Reader()); err != nil {
		c.hash = nil
		return AuditProof{}, err
	}
	if c.seen = max(c.seen, c.proof.To); c.proof.Broken == 0 && c.proof.To < c.seen {
		c.proof.Broken = c.proof.To + 1
	}
	c.proof.At = time.Now()
	return c.proof, nil
}

// follow goes on from the entry that was proved last. A chain that is broken stays
// so, until it is followed as a whole.
func (c *auditCheck) follow(ctx context.Context, db *sql.DB) error {
	if c.proof.Broken != 0 {
		return nil
	}
	rows, err := db.QueryContext(ctx, `
		SELECT seq, at, actor, action, object, result, ip, detail, prev_hash, hash FROM audit WHERE seq >= ? ORDER BY seq`, c.proof.To)
	if err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	defer rows.Close()
	last := c.proof.To == 0 // the entry that was proved last is still there
	for rows.Next() {
		var e AuditEntry
		var at int64
		var detail string
		var prev, hash []byte
		if err := rows.Scan(&e.Seq, &at, &e.Actor, &e.Action, &e.Object, &e.Result, &e.IP, &detail, &prev, &hash); err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
		e.At = time.UnixMilli(at)
		whole := bytes.Equal(auditHash(prev, e.Seq, e, detail), hash)
		switch {
		case e.Seq == c.proof.To:
			last = whole && bytes.Equal(hash, c.hash)
		case whole && last && e.Seq == c.proof.To+1 && bytes.Equal(prev, c.hash):
			c.proof.To, c.hash = e.Seq, hash
		default:
			c.proof.Broken = c.proof.To + 1
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	if !last {
		c.proof.Broken = c.proof.To
	}
	return nil
}

// checkAudit is the job: it closes the counts of what failed and follows the chain.
func (a *Appliance) checkAudit(ctx context.Context) (string, error) {
	if err := a.closeRepeats(ctx, time.Now()); err != nil {
		return "", err
	}
	proof, err := a.AuditProof(ctx, true)
	if err != nil {
		return "", err
	}
	if proof.Broken != 0 {
		return "", errors.New("entry " + fmt.Sprint(proof.Broken) + " of the audit log is not as it was written")
	}
	a.log.Info("Audit log checked", "entries", proof.To, "hash", fmt.Sprintf("%x", a.audited.head()))
	return fmt.Sprintf("all %d entries are as they were written", proof.To), nil
}

func (c *auditCheck) head() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hash
}
