package shares

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Row is one accepted share as pages show it.
type Row struct {
	Seq        int64
	At         time.Time
	Address    string
	Worker     string
	Difficulty float64 // assigned
	Achieved   float64 // of the hash
	Late       bool
	Block      bool // the share found a block
}

// Recent returns the newest shares of an account, or of all when address is
// empty, the newest first: at most limit, and only those with a lower seq than
// beforeSeq unless that is 0, for paging. Shares are kept for 48 hours.
func (l *Log) Recent(ctx context.Context, address string, limit int, beforeSeq int64) ([]Row, error) {
	if beforeSeq <= 0 {
		beforeSeq = math.MaxInt64
	}

	// The shifts in which the account has work lead to its shares: without them
	// an account that has not mined lately would cost a walk over all shares.
	rows, err := l.db.Reader().QueryContext(ctx, `
		SELECT s.seq, s.at_ms, w.address, w.name, s.difficulty, s.achieved, s.late, EXISTS (SELECT 1 FROM winner WHERE seq = s.seq)
		FROM shift h
		CROSS JOIN share s ON s.seq BETWEEN h.from_seq AND h.to_seq
		CROSS JOIN worker w ON w.id = s.worker
		WHERE h.to_seq >= (SELECT min(seq) FROM share) AND h.from_seq < ?2 AND s.seq < ?2
		  AND (?1 = '' OR w.address = ?1 AND EXISTS (
		       SELECT 1 FROM worker v CROSS JOIN shift_work x ON x.shift = h.id AND x.worker = v.id WHERE v.address = ?1))
		ORDER BY h.to_seq DESC, s.seq DESC LIMIT ?3`, address, beforeSeq, limit)
	if err != nil {
		return nil, fmt.Errorf("read recent shares: %w", err)
	}
	defer func() { _ = rows.Close() }()

	var list []Row
	for rows.Next() {
		var r Row
		var at int64
		if err := rows.Scan(&r.Seq, &at, &r.Address, &r.Worker, &r.Difficulty, &r.Achieved, &r.Late, &r.Block); err != nil {
			return nil, fmt.Errorf("read recent shares: %w", err)
		}
		r.At = time.UnixMilli(at)
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read recent shares: %w", err)
	}

	return list, nil
}
