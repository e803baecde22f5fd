package shares

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Memory is what miners should find again when the pool comes back.
type Memory struct {
	// Clean says that the pool was stopped in order and Closed is complete.
	Clean  bool
	Closed map[uint32]time.Time // when sessions ended, by extranonce1
	Rigs   []Rig
}

// Rig is the last difficulty that suited a worker on one kind of device.
type Rig struct {
	Address, Worker, Family string
	Difficulty              float64
	At                      time.Time
}

// keepRigs is how long a device is remembered that does not come back.
const keepRigs = 90 * 24 * time.Hour

// stoppedInOrder is the row that says so.
const stoppedInOrder = -1

// SaveMemory adds rigs to those that are stored, and with Clean the sessions
// that closed.
func (l *Log) SaveMemory(ctx context.Context, m Memory) error {
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		for _, r := range m.Rigs {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO rig (address, worker, family, difficulty, at_ms) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (address, worker, family) DO UPDATE SET difficulty = excluded.difficulty, at_ms = excluded.at_ms`,
				r.Address, r.Worker, r.Family, r.Difficulty, r.At.UnixMilli())
			if err != nil {
				return err
			}
		}
		if !m.Clean {
			return nil
		}
		if err := addSession(ctx, tx, stoppedInOrder, l.opts.Now()); err != nil {
			return err
		}
		for extranonce1, at := range m.Closed {
			if err := addSession(ctx, tx, int64(extranonce1), at); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("save memory of miners: %w", err)
	}

	return nil
}

func addSession(ctx context.Context, tx *sql.Tx, extranonce1 int64, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO session (extranonce1, closed_ms) VALUES (?, ?)
		ON CONFLICT (extranonce1) DO UPDATE SET closed_ms = excluded.closed_ms`, extranonce1, at.UnixMilli())

	return err
}

// LoadMemory returns what SaveMemory stored, and takes the sessions out: if the
// pool does not stop in order next time, they say nothing.
func (l *Log) LoadMemory(ctx context.Context) (Memory, error) {
	m := Memory{Closed: map[uint32]time.Time{}}
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM rig WHERE at_ms < ?`, l.opts.Now().Add(-keepRigs).UnixMilli())
		if err != nil {
			return err
		}
		if m.Rigs, err = readRigs(ctx, tx); err != nil {
			return err
		}
		if err := m.readSessions(ctx, tx); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM session`)

		return err
	})
	if err != nil {
		return Memory{}, fmt.Errorf("load memory of miners: %w", err)
	}

	return m, nil
}

func readRigs(ctx context.Context, tx *sql.Tx) ([]Rig, error) {
	rows, err := tx.QueryContext(ctx, `SELECT address, worker, family, difficulty, at_ms FROM rig ORDER BY at_ms DESC`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()

	var list []Rig
	for rows.Next() {
		var r Rig
		var ms int64
		if err := rows.Scan(&r.Address, &r.Worker, &r.Family, &r.Difficulty, &ms); err != nil {
			return nil, err
		}
		r.At = time.UnixMilli(ms)
		list = append(list, r)
	}

	return list, rows.Err()
}

func (m *Memory) readSessions(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT extranonce1, closed_ms FROM session`)
	if err != nil {
		return err
	}
	defer rows.Close()

	for rows.Next() {
		var extranonce1, ms int64
		if err := rows.Scan(&extranonce1, &ms); err != nil {
			return err
		}
		if extranonce1 == stoppedInOrder {
			m.Clean = true

			continue
		}
		m.Closed[uint32(extranonce1)] = time.UnixMilli(ms)
	}

	return rows.Err()
}
